"""GTA, its baselines and SIGMA's encoder on the demo set, over several seeds: does global cycle consistency help?

    python benchmarks/gta_demo.py [--seeds 3] [--epochs 60] [--methods GTA TCN ...]

Every method trains the network of ``configs/demo/gta_tiny_demo.py`` from the same initialisation on the same batches;
the rows of SIGMA replace its encoder by one that ``sigma_tiny_demo_mlp.py`` has pre-trained on the same videos, frozen
unless they say otherwise. TCC trains embeddings without unit length, as its release does. All scores are of the
validation videos, in percent: mean and standard deviation over seeds. A row appears when its runs are done.

Videos are decoded once and kept in memory, 4 MB each, in one process: most of the time of so small a network would go
into decoding.
"""

import argparse
import statistics
import tempfile
import time
from pathlib import Path

from common import machine
from kept_frames import read_once
from mmengine.config import Config
from mmengine.registry import init_default_scope
from rich.progress import track

from mmsigma.apis.launch import build_runner
from mmsigma.synthetic.demo_data import make_demo_dataset
from mmsigma.utils.config import load_config

CONFIGS = Path(__file__).parents[1] / 'configs' / 'demo'
_BARE = dict(type='GTALoss', revcons=False)  # alignment in both directions without cycle consistency
LOSSES: dict[str, dict | None] = {
    'random initialisation': None,
    'TCC, regression (release)': dict(type='TCCLoss'),
    'TCC, classification': dict(type='TCCLoss', kind='classification'),
    'TCN': dict(type='TCNLoss'),
    'D3TW*': dict(type='D3TWStarLoss'),
    'D3TW, told the order of phases': dict(type='TranscriptHead', num_labels=12, in_channels=32),
    'SmoothDTW without cycle': _BARE,
    'soft-DTW without cycle': dict(_BARE, kind='logsumexp'),
    'soft-DTW with cycle': dict(type='GTALoss', kind='logsumexp'),
    'GTA': dict(type='GTALoss'),
}
SIGMA = {
    'random ViT, GTA': (False, 'frozen'),
    'random ViT, all trained, GTA': (False, 'train_all'),
    'SIGMA, GTA': (True, 'frozen'),
    'SIGMA, all trained, GTA': (True, 'train_all'),
}
SCORES = {'tau': 'kendall_tau', 'SVM of phases': 'svm@1', 'AP@5': 'AP@5', 'wrong phase on the path': 'path_phase'}
MEASURES = ('kendall', 'classification', 'retrieval', 'path')


def quiet(cfg: Config, work_dir: Path, seed: int) -> Config:
    """A run of the benchmark: no checkpoints, no progress."""
    cfg.randomness.seed, cfg.work_dir, cfg.experiment_name = seed, str(work_dir), work_dir.name
    cfg.custom_hooks = [hook for hook in cfg.custom_hooks if hook.type == 'NonFiniteLossHook']
    cfg.default_hooks.checkpoint.interval = 10**6
    cfg.log_level = 'WARNING'
    return cfg


def pretrain(demo_set: Path, work_dir: Path, seed: int) -> Path:
    """Weights of SIGMA."""
    options = {'data_root': str(demo_set), 'epochs': 60, 'batch_size': 16, 'num_samples': 1}
    cfg = quiet(load_config(CONFIGS / 'sigma_tiny_demo_mlp.py', options), work_dir, seed)
    build_runner(cfg).train()
    return work_dir / f'epoch_{cfg.epochs}.pth'


def evaluate(method: str, demo_set: Path, work_dir: Path, seed: int, epochs: int, weights: Path | None) -> dict:
    """Scores of a method."""
    options = {'data_root': str(demo_set), 'epochs': epochs, 'num_workers': 0}
    if method in SIGMA:
        pretrained, mode = SIGMA[method]
        cfg = load_config(CONFIGS / 'gta_tiny_demo_sigma.py', {**options, 'model.train_mode': mode})
        cfg.load_from = str(weights) if pretrained else None
    else:
        cfg = load_config(CONFIGS / 'gta_tiny_demo.py', options)
        loss, trained = LOSSES[method] or cfg.model.head.loss, cfg.train_dataloader.dataset
        if loss['type'] == 'TranscriptHead':
            cfg.model.head, trained.phases, trained.pipeline[1].phases_per_action = loss, 'phases', 3
        else:
            cfg.model.head.loss = loss
        if loss['type'] == 'TCNLoss':  # every step comes with a positive
            trained.pipeline[0].sampling.positives = 5
        cfg.model.neck.normalize = loss['type'] != 'TCCLoss'
    read_once(cfg)
    cfg.test_evaluator.update(measures=MEASURES, fractions=(1.0,), ks=(5,))
    runner = build_runner(quiet(cfg, work_dir, seed))
    if LOSSES.get(method, True):
        runner.train()
    found = runner.test()
    return {short: found[f'alignment/{name}'] for short, name in SCORES.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--seeds', type=int, default=3)
    parser.add_argument('--epochs', type=int, default=60)
    parser.add_argument('--videos', type=int, default=480)
    parser.add_argument('--methods', nargs='+', default=[*LOSSES, *SIGMA], choices=[*LOSSES, *SIGMA])
    parser.add_argument('--demo-set', type=Path, help='use this demo set instead of making one')
    args = parser.parse_args()
    init_default_scope('mmsigma')
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        demo_set = args.demo_set or make_demo_dataset(
            folder / 'set', args.videos, num_masked=0, num_workers=2, num_classes=4
        )
        needs_weights = any(SIGMA.get(method, (False,))[0] for method in args.methods)
        weights = [pretrain(demo_set, folder / f'sigma{n}', n) if needs_weights else None for n in range(args.seeds)]
        print(f'{args.seeds} seeds, {args.epochs} epochs, {machine()}\n| method | ' + ' | '.join(SCORES) + ' |')
        print('|---' * (len(SCORES) + 1) + '|', flush=True)
        for number, method in enumerate(args.methods):
            runs = [
                evaluate(method, demo_set, folder / f'{number}_{seed}', seed, args.epochs, weights[seed])
                for seed in track(range(args.seeds), method, transient=True)
            ]
            columns = [[run[score] for run in runs] for score in SCORES]
            cells = [f'{statistics.mean(column):.1f} ± {statistics.pstdev(column):.1f}' for column in columns]
            print(f'| {method} | ' + ' | '.join(cells) + ' |', flush=True)
    print(f'{(time.perf_counter() - started) / 60:.0f} minutes')


if __name__ == '__main__':
    main()
