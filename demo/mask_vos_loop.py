"""Train Mask-VOS with a loop of your own: correspondence, a round of clustering, then all losses on its masks.

    python demo/mask_vos_loop.py                     # on generated videos
    python demo/mask_vos_loop.py my_videos --steps 200

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

from mmsigma.datasets import VideoDataset
from mmsigma.datasets.vos.pseudo_masks import PseudoMaskRounds
from mmsigma.engine.reclustering import ReclusterSettings, recluster
from mmsigma.models import MaskVOS
from mmsigma.registry import DATASETS, MODELS
from mmsigma.synthetic.demo_data import make_demo_dataset
from mmsigma.utils.config import load_config


def batches(dataset: VideoDataset, batch_size: int) -> Iterator[dict[str, Any]]:
    """Yield batches endlessly: `images` and `views`, uint8 (T, 3, H, W), and samples with `pseudo_mask` (T, H, W)."""
    while True:  # a new loader for each epoch, whose workers see the masks of the latest round
        yield from DataLoader(dataset, batch_size, shuffle=True, drop_last=True, collate_fn=pseudo_collate)


def fit(model: MaskVOS, dataset: VideoDataset, steps: int, batch_size: int = 4) -> list[float]:
    """Train for some steps and return the summed losses of each step."""
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    history = []
    for step, batch in zip(range(steps), batches(dataset, min(batch_size, len(dataset))), strict=False):
        batch = model.data_preprocessor(batch)  # normalised clips and their views on the model's device
        outputs = model(**batch, mode='loss')
        losses = {name: value for name, value in outputs.items() if 'loss' in name}
        optimizer.zero_grad()
        sum(losses.values()).backward()
        optimizer.step()
        history.append(sum(value.item() for value in losses.values()))
        parts = '  '.join(f'{name[5:]} {value:.3f}' for name, value in losses.items())
        print(f'step {step + 1}/{steps}  {parts}', flush=True)
    return history


def train(folder: str | Path, out: str | Path, steps: int) -> tuple[list[float], list[float]]:
    """Train correspondence for `steps` steps, cluster, and train with all losses for as many; return both histories."""
    set_random_seed(0)
    rounds = PseudoMaskRounds(Path(out) / 'pseudo_masks')
    cfg = load_config('mmsigma::demo/mask_vos_tiny_demo.py', dict(data_root=str(folder)))
    (reader,) = [step for step in cfg.train_dataloader.dataset.pipeline if step.type == 'LoadPseudoMasks']
    reader.folder = str(rounds.folder)  # until the first round, there is no loss on masks
    dataset = DATASETS.build(cfg.train_dataloader.dataset)
    model = MODELS.build(cfg.model).to('cuda' if torch.cuda.is_available() else 'cpu').train()

    before = fit(model, dataset, steps)
    videos = [dataset.get_data_info(index)['filename'] for index in range(len(dataset))]
    statistics = recluster(
        model.backbone, videos, 'decord', rounds, number=0, settings=ReclusterSettings(step=3, size=64)
    )
    print('clusters  ' + '  '.join(f'{name} {value:.3g}' for name, value in statistics.items()), flush=True)
    return before, fit(model, dataset, steps)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('folder', nargs='?', help='folder of videos; generated ones if left out')
    parser.add_argument('--out', default='mask_vos_results', help='folder of the pseudo masks')
    parser.add_argument('--steps', type=int, default=50, help='steps of each of the two stages')
    args = parser.parse_args()
    train(args.folder or make_demo_dataset('demo_data') / 'videos', args.out, args.steps)


if __name__ == '__main__':
    main()
