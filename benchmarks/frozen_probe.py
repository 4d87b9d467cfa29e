"""What does pre-training add? Frozen probes on the motion classes of the demo set, over several seeds.

    python benchmarks/frozen_probe.py [--videos 600] [--steps 2000] [--seeds 3]

Every seed pre-trains the same tiny model on the training videos with each target, extracts the tokens of all videos and
trains the same probes: a linear one on their mean, an attentive one on all of them, and nearest neighbours; the random
initialisation is the floor. Validation videos are seen by nothing before the probe is tested. Of the sweeps over
learning rates the best is shown, for all methods alike.
"""

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import torch
from common import machine
from mmengine.config import Config
from mmengine.registry import init_default_scope
from torch import nn

from mmsigma.apis.features import dataset_of, extract_features
from mmsigma.apis.launch import build_runner
from mmsigma.evaluation.classification.knn import knn_accuracy
from mmsigma.evaluation.classification.probes import LinearProbe, train_probes
from mmsigma.io.feature_store import Features, FeatureStore
from mmsigma.models import AttentiveHead
from mmsigma.registry import DATASETS, MODELS
from mmsigma.synthetic.demo_data import make_demo_dataset
from mmsigma.utils.config import load_config

CONFIGS = Path(__file__).parents[1] / 'configs' / 'demo'
METHODS = {'random': None, 'pixels': 'sigma_tiny_demo_pixel', 'SIGMA-MLP': 'sigma_tiny_demo_mlp'}


def pretrain(config: str, demo_set: Path, num_train: int, steps: int, seed: int, work_dir: Path) -> nn.Module:
    """A pre-trained model of the demo configs."""
    epochs = max(1, steps // (num_train // 16))
    options = {'data_root': str(demo_set), 'epochs': epochs, 'batch_size': 16, 'num_samples': 1}
    cfg = load_config(CONFIGS / f'{config}.py', options)
    cfg.randomness.seed, cfg.work_dir, cfg.experiment_name = seed, str(work_dir), work_dir.name
    cfg.custom_hooks = [hook for hook in cfg.custom_hooks if hook.type in ('NonFiniteLossHook', 'ProgressHook')]
    cfg.default_hooks.checkpoint.interval = 10**6
    runner = build_runner(cfg)
    runner.train()
    return runner.model.eval()


def tokens_of(model: nn.Module, cfg: Config, split: str, folder: Path) -> Features:
    """Tokens of the centre views of a split."""
    dataset = dataset_of(cfg, None, split)
    count = len(DATASETS.build({**dataset, 'test_mode': True}))
    store = FeatureStore(folder, dict(num_videos=count, shard_size=count, format='npz'))
    extract_features(model, dataset, store, pooling='tokens', batch_size=16, num_workers=2)
    return store.load()


def score(model: nn.Module, demo_set: Path, folder: Path, seed: int) -> dict[str, float]:
    """Accuracies of linear probe and neighbours, in percent."""
    cfg = load_config(CONFIGS / 'knn_tiny_demo.py', {'data_root': str(demo_set)})
    train, val = (tokens_of(model, cfg, split, folder / split) for split in ('bank', 'test'))
    width = train.features.shape[-1]
    pooled = [(part.features.mean(dim=1), part.labels) for part in (train, val)]
    linear = train_probes(
        lambda: LinearProbe(width, 10, 'batch'), *pooled, lrs=(1e-1, 3e-2, 1e-2, 3e-3, 1e-3), epochs=100, seed=seed
    )
    attentive = train_probes(
        lambda: AttentiveHead(width, 10, num_heads=4, depth=2),
        (train.features, train.labels),
        (val.features, val.labels),
        lrs=(1e-3, 3e-4),
        epochs=20,
        batch_size=32,
        seed=seed,
    )
    neighbours = knn_accuracy(*pooled[0], *pooled[1], k=(10,))
    return {
        'linear': max(result.top1 for result in linear),
        'attentive': max(result.top1 for result in attentive),
        'kNN': neighbours['knn10_top1'],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--videos', type=int, default=600)
    parser.add_argument('--steps', type=int, default=2000)
    parser.add_argument('--seeds', type=int, default=3)
    parser.add_argument('--methods', nargs='+', default=list(METHODS), choices=list(METHODS))
    parser.add_argument('--demo-set', type=Path, help='use this demo set instead of making one')
    args = parser.parse_args()
    init_default_scope('mmsigma')
    start, table = time.time(), {}
    with tempfile.TemporaryDirectory() as temporary:
        demo_set = args.demo_set
        if demo_set is None:
            demo_set = make_demo_dataset(Path(temporary, 'demo'), args.videos, num_masked=0, num_workers=2)
        num_train = len((demo_set / 'annotations/train.txt').read_text().splitlines())
        num_val = len((demo_set / 'annotations/val.txt').read_text().splitlines())
        for method in args.methods:
            for seed in range(args.seeds):
                folder = Path(temporary, f'{method}_{seed}')
                torch.manual_seed(seed)
                if METHODS[method]:
                    model = pretrain(METHODS[method], demo_set, num_train, args.steps, seed, folder)
                else:
                    model = MODELS.build(load_config(CONFIGS / 'sigma_tiny_demo_mlp.py').model).eval()
                result = score(model, demo_set, folder, seed)
                table.setdefault(method, []).append(result)
                print(method, 'seed', seed, {key: round(value, 1) for key, value in result.items()}, flush=True)
    print(
        f'\n{num_train} videos to train on, {num_val} to test, {args.steps} steps, {args.seeds} seeds, {machine()}, '
        f'{(time.time() - start) / 60:.0f} minutes; chance is 10.0'
    )
    print('| | linear probe | attentive probe | kNN (10) |\n|---|---|---|---|')
    for method, results in table.items():
        cells = []
        for key in ('linear', 'attentive', 'kNN'):
            values = [result[key] for result in results]
            spread = statistics.stdev(values) if len(values) > 1 else 0.0
            cells.append(f'{statistics.mean(values):.1f} ± {spread:.1f}')
        print(f'| {method} | {" | ".join(cells)} |')


if __name__ == '__main__':
    main()
