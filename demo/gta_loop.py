"""Train GTA with a loop of your own: groups of videos of one action are aligned in time.

    python demo/gta_loop.py                          # on generated videos
    python demo/gta_loop.py my_data --steps 500      # with annotations/train.txt, lines of "path label"

The Runner of tools/train.py adds what a long run needs: schedules, resuming, logs, several ranks, health checks.
"""

import argparse
import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.runner import set_random_seed
from torch.utils.data import DataLoader

from mmsigma.datasets import ClassGroupSampler
from mmsigma.evaluation.alignment.kendall import tau_matrix
from mmsigma.models import GTA
from mmsigma.registry import DATASETS, MODELS
from mmsigma.synthetic.demo_data import make_demo_dataset
from mmsigma.utils.config import load_config


def groups(cfg: Config, group_size: int) -> Iterator[dict[str, Any]]:
    """Yield groups endlessly: `inputs`, uint8 frames (T, 3, H, W) per video, and samples with `steps` and `action`."""
    dataset = DATASETS.build(cfg.train_dataloader.dataset)
    sampler = ClassGroupSampler(dataset, group_size=group_size, seed=0)
    for epoch in itertools.count():
        sampler.set_epoch(epoch)
        yield from DataLoader(dataset, group_size, sampler=sampler, collate_fn=pseudo_collate)


def train(folder: str | Path, steps: int, group_size: int = 4) -> tuple[GTA, list[float]]:
    """Train for some steps on the videos of a dataset; return the model and the loss of each step."""
    set_random_seed(0)
    cfg = load_config('mmsigma::demo/gta_tiny_demo.py', dict(data_root=str(folder)))
    model = MODELS.build(cfg.model).to('cuda' if torch.cuda.is_available() else 'cpu').train()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    history = []
    for step, batch in zip(range(steps), groups(cfg, group_size), strict=False):
        batch = model.data_preprocessor(batch, training=True)  # resized, augmented, normalised frames of each video
        outputs = model(**batch, mode='loss')
        loss = sum(value for name, value in outputs.items() if 'loss' in name)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        history.append(loss.item())
        print(f'step {step + 1}/{steps}  loss {loss:.3f}', flush=True)
    return model, history


@torch.no_grad()
def score(model: GTA, folder: str | Path, num_videos: int = 8) -> float:
    """Compute Kendall's tau of the first validation videos: 1 if moments are in the same order, 0 by chance."""
    cfg = load_config('mmsigma::demo/gta_tiny_demo.py', dict(data_root=str(folder)))
    dataset = DATASETS.build(cfg.test_dataloader.dataset.datasets[1])
    embedded = []
    for index in range(min(num_videos, len(dataset))):
        batch = model.data_preprocessor(pseudo_collate([dataset[index]]))
        embedded += model.eval()(**batch, mode='tensor')  # (L, D), all frames of the video
    return float(tau_matrix([frames.cpu() for frames in embedded], stride=1).nanmean())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        'folder', nargs='?', help='dataset with annotations/train.txt and val.txt; generated if left out'
    )
    parser.add_argument('--steps', type=int, default=200, help='steps of training (default: %(default)s)')
    args = parser.parse_args()
    folder = args.folder or make_demo_dataset('demo_align_data', num_videos=120, num_classes=4)
    model, _ = train(folder, args.steps)
    print(f'Kendall tau of validation videos: {score(model, folder):.3f}')


if __name__ == '__main__':
    main()
