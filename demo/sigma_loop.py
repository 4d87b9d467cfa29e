"""Train SIGMA with a loop of your own: the models and datasets of this package are ordinary torch modules and datasets.

    python demo/sigma_loop.py                     # on generated videos
    python demo/sigma_loop.py my_videos --steps 500

The Runner of tools/train.py adds what a long run needs: schedules, resuming, logs, several ranks, health checks.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from mmengine.dataset import pseudo_collate
from mmengine.runner import set_random_seed
from torch.utils.data import DataLoader

from mmsigma.registry import DATASETS, MODELS
from mmsigma.synthetic.demo_data import make_demo_dataset
from mmsigma.utils.config import load_config


def batches(dataset_cfg: dict[str, Any], batch_size: int) -> Iterator[dict[str, Any]]:
    """Yield batches endlessly: `inputs`, a list of uint8 clips (C, T, H, W), and `data_samples` with the masks."""
    dataset = DATASETS.build(dataset_cfg)
    loader = DataLoader(dataset, min(batch_size, len(dataset)), shuffle=True, drop_last=True, collate_fn=pseudo_collate)
    while True:
        yield from loader


def train(folder: str | Path, steps: int, batch_size: int = 16) -> list[float]:
    """Train for some steps on the videos of a folder and return the loss of each step."""
    set_random_seed(0)
    cfg = load_config(
        'mmsigma::demo/sigma_tiny_demo_mlp.py', dict(data_root=str(folder), ann_file_train='', num_samples=1)
    )
    device = 'cuda' if torch.cuda.is_available() else 'cpu'
    model = MODELS.build(cfg.model).to(device).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=cfg.base_lr, betas=(0.9, 0.95), weight_decay=0.05)
    history = []
    for step, batch in zip(range(steps), batches(cfg.train_dataloader.dataset, batch_size), strict=False):
        batch = model.data_preprocessor(batch)  # one normalised tensor (B, C, T, H, W) on the model's device
        outputs = model(**batch, mode='loss')
        loss = sum(value for name, value in outputs.items() if 'loss' in name)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        history.append(loss.item())
        print(f'step {step + 1}/{steps}  loss {loss:.3f}  {outputs["used_prototypes"]:.0f} prototypes used', flush=True)
    return history


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('folder', nargs='?', help='folder of videos; generated ones if left out')
    parser.add_argument('--steps', type=int, default=100, help='steps of training (default: %(default)s)')
    args = parser.parse_args()
    train(args.folder or make_demo_dataset('demo_data') / 'videos', args.steps)


if __name__ == '__main__':
    main()
