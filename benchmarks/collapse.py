"""Does the target collapse? One tiny model, one dataset, one number of steps, three methods.

    python benchmarks/collapse.py FOLDER_OF_VIDEOS [--steps 600] [--seeds 2]

Regressing a projection that is learnt along with the model (MLP + L2) has a trivial solution: equal features for all
tubes. Sinkhorn's equal use of prototypes rules it out (SIGMA, ECCV 2024, section 3). Trains on the videos and reports

* target std: spread of the target's features over tubes, relative to the same network before training,
* predicted: share of the target's variance that the decoder explains, after a least-squares fit of its predictions,
* kNN: leave-one-out accuracy of the frozen, mean-pooled encoder on the demo dataset's 10 motion
  classes.
"""

import argparse
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np
import torch
from common import machine
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.registry import init_default_scope
from torch import Tensor, nn

from mmsigma.apis.launch import build_runner
from mmsigma.datasets import SeededIndex
from mmsigma.datasets.videos.video_dataset import find_videos
from mmsigma.ops import split_tokens
from mmsigma.registry import DATASETS, MODELS
from mmsigma.synthetic.demo_data import make_demo_dataset
from mmsigma.utils.config import load_config

CONFIGS = Path(__file__).parents[1] / 'configs' / 'demo'
METHODS = {'MLP + L2': 'sigma_tiny_demo_mlp_l2', 'SIGMA-MLP': 'sigma_tiny_demo_mlp', 'pixels': 'sigma_tiny_demo_pixel'}


def cut_into_pieces(folder: Path, out: Path, short_side: int = 96, frames: int = 48) -> int:
    """Re-encode videos as small pieces, so that decoding does not dominate; returns their number."""
    out.mkdir(parents=True)
    number = 0
    for path in find_videos(folder):
        reader, writer, count = cv2.VideoCapture(str(path)), None, 0
        while (read := reader.read())[0]:
            frame = read[1]
            scale = short_side / min(frame.shape[:2])
            frame = cv2.resize(frame, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
            if count % frames == 0:
                number += 1
                size = (frame.shape[1], frame.shape[0])
                writer = cv2.VideoWriter(str(out / f'{number:04d}.mp4'), cv2.VideoWriter_fourcc(*'mp4v'), 25, size)
            writer.write(frame)
            count += 1
    return number


def config_of(method: str, data_root: Path, steps: int, pieces: int, seed: int) -> Config:
    options = {
        'data_root': str(data_root),
        'epochs': max(1, steps // (pieces // 16)),
        'batch_size': 16,
        'num_samples': 1,
    }
    cfg = load_config(CONFIGS / f'{METHODS[method]}.py', options)
    cfg.randomness.seed = seed
    cfg.custom_hooks = [hook for hook in cfg.custom_hooks if hook.type not in ('PicturesHook', 'CollapseHook')]
    cfg.default_hooks.checkpoint.interval = 10**6
    return cfg


@torch.no_grad()
def measure(model: nn.Module, batch: dict) -> tuple[float, float]:
    """Spread of the target's features over masked tubes, and the share of it that predictions explain linearly."""
    model.eval()
    data = model.data_preprocessor(batch)
    split = split_tokens(torch.stack([sample.mask for sample in data['data_samples']]))
    target = model.target(data['inputs'], split).flatten(0, 1)
    pred = model.neck(model.backbone(data['inputs'], split), split).flatten(0, 1)
    target, pred = (target - target.mean(0)).double(), (pred - pred.mean(0)).double()
    fit = pred @ torch.linalg.lstsq(pred, target, driver='gelsd').solution
    explained = 1 - (target - fit).square().sum() / target.square().sum().clamp_min(1e-30)
    return target.std(dim=0).mean().item(), explained.item()


@torch.no_grad()
def demo_features(model: nn.Module, cfg: Config, demo_set: Path) -> tuple[Tensor, Tensor]:
    """Mean-pooled tokens of three clips of every demo video, and the videos' labels."""
    pipeline = [step for step in cfg.train_pipeline if step.type not in ('MultiScaleCrop', 'TubeMask')]
    pipeline.insert(1, dict(type='ResizeClip', size=64))
    features, labels = [], []
    for part in ('train', 'val'):
        dataset = DATASETS.build(
            dict(type='VideoDataset', data_root=str(demo_set), ann_file=f'annotations/{part}.txt', pipeline=pipeline)
        )
        for index in range(len(dataset)):
            clips = [dataset[SeededIndex.of(index, (0, clip, index))] for clip in range(3)]
            inputs = model.data_preprocessor(pseudo_collate(clips))['inputs']
            features.append(model.backbone(inputs).mean(dim=(0, 1)))
            labels.append(clips[0]['data_samples'].gt_label.item())
    return torch.stack(features), torch.tensor(labels)


def knn_accuracy(features: Tensor, labels: Tensor, neighbours: int = 10) -> float:
    """Leave-one-out accuracy of cosine neighbours on standardised features."""
    features = nn.functional.normalize((features - features.mean(0)) / (features.std(0) + 1e-6), dim=1)
    similarity = features @ features.T
    similarity.fill_diagonal_(-2)
    near = similarity.topk(neighbours, dim=1)
    votes = torch.zeros(len(labels), int(labels.max()) + 1)
    votes.scatter_add_(1, labels[near.indices], (near.values / 0.07).exp())
    return (votes.argmax(dim=1) == labels).float().mean().item()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('videos', type=Path)
    parser.add_argument('--steps', type=int, default=600)
    parser.add_argument('--seeds', type=int, default=2)
    parser.add_argument('--demo-videos', type=int, default=300)
    parser.add_argument('--methods', nargs='+', default=list(METHODS), choices=list(METHODS))
    args = parser.parse_args()
    init_default_scope('mmsigma')
    rows, start = [], time.time()
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        pieces = cut_into_pieces(args.videos, scratch / 'pieces')
        demo_set = make_demo_dataset(scratch / 'demo', args.demo_videos, num_masked=0, num_workers=2)
        for method in args.methods:
            results = []
            for seed in range(args.seeds):
                cfg = config_of(method, scratch / 'pieces', args.steps, pieces, seed)
                cfg.work_dir = str(scratch / f'{METHODS[method]}_{seed}')
                torch.manual_seed(seed)
                fresh = MODELS.build(cfg.model)
                runner = build_runner(cfg)
                runner.train()
                dataset = runner.train_dataloader.dataset
                batch = pseudo_collate([dataset[SeededIndex.of(i, (9, 9, i))] for i in range(min(32, len(dataset)))])
                (before, _), (after, explained) = measure(fresh, batch), measure(runner.model, batch)
                knn, knn_fresh = (knn_accuracy(*demo_features(m, cfg, demo_set)) for m in (runner.model, fresh))
                results.append((after / before, explained, 100 * knn, 100 * knn_fresh))
                print(f'{method}, seed {seed}: ', *(f'{value:.3g}' for value in results[-1]), flush=True)
            rows.append((method, np.mean(results, axis=0), np.std(results, axis=0)))
    print(
        f'\n{args.steps} steps of 16 clips, {args.seeds} seeds, {machine()}, {(time.time() - start) / 60:.0f} minutes\n'
    )
    columns = ('method', 'target std, relative to its initial value', 'predicted', 'kNN, %')
    print('| ' + ' | '.join((*columns, 'kNN of the untrained encoder, %')) + ' |')
    print('|---|---|---|---|---|')
    for method, mean, spread in rows:
        cells = [f'{m:.3g} ± {s:.2g}' for m, s in zip(mean, spread, strict=True)]
        print(f'| {method} | {" | ".join(cells)} |')


if __name__ == '__main__':
    main()
