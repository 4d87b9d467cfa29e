"""How many files one has to open to follow a method, measured by running it: the files whose code is executed.

python -m tests.reading        # the table of docs/architecture.md
"""

import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import torch
from mmengine.config import Config
from mmengine.structures import BaseDataElement

from mmsigma.datasets.transforms import TubeMask
from mmsigma.models.clip_views import ClipViews
from mmsigma.registry import MODELS
from mmsigma.utils.config import load_config

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / 'mmsigma'
HOMES = {'SIGMA': 'models/sigma', 'Mask-VOS': 'models/mask_vos', 'GTA': 'models/gta'}
SHARED = ('ops', 'models/backbones', 'models/clip_views.py', 'models/interfaces.py')
# Mask-VOS segments by the means of label propagation: geometry, inference core
NEIGHBOURS = {('Mask-VOS', 'inference'): ('models/propagation', 'io/mask_checks.py')}


def executed(function: Callable[[], Any]) -> list[str]:
    """Files of the package, relative to it, of which a call executes code."""
    found: set[str] = set()

    def trace(frame: FrameType, event: str, argument: Any) -> None:
        if event == 'call' and frame.f_code.co_filename.startswith(str(PACKAGE)):
            found.add(str(Path(frame.f_code.co_filename).relative_to(PACKAGE)))

    sys.setprofile(trace)
    try:
        function()
    finally:
        sys.setprofile(None)
    return sorted(found)


def demo(name: str) -> Config:
    return load_config(ROOT / 'configs' / 'demo' / f'{name}.py')


def sigma() -> dict[str, list[str]]:
    model = MODELS.build(demo('sigma_tiny_demo_mlp').model)
    inputs = torch.randn(2, *model.backbone.input_shape)
    draw = TubeMask(grid=model.backbone.grid, mask_ratio=0.75)
    samples = [BaseDataElement(mask=torch.from_numpy(draw({})['mask'])) for _ in inputs]
    return {
        'training step': executed(lambda: model(inputs, samples, mode='loss')),
        'inference': executed(lambda: model.eval()(inputs, samples, mode='predict')),
    }


class Film:
    """Two frames, the first with a mask."""

    frames, given = (0, 1), (0,)

    def read_frame(self, number: int) -> np.ndarray:
        return np.full((32, 32, 3), 40 * number, np.uint8)

    def read_mask(self, number: int) -> np.ndarray:
        mask = np.zeros((32, 32), np.uint8)
        mask[8:24, 8:24] = 1
        return mask


def mask_vos() -> dict[str, list[str]]:
    model = MODELS.build(demo('mask_vos_tiny_demo').model)
    images, back = torch.randn(2, 3, 3, 64, 64), torch.eye(2, 3).expand(2, -1, -1)
    masks = torch.randint(3, (2, 3, 64, 64), dtype=torch.uint8)
    clip, samples = ClipViews(images, images, back), [BaseDataElement(pseudo_mask=mask) for mask in masks]
    return {
        'training step': executed(lambda: model(clip, samples, mode='loss')),
        'inference': executed(lambda: model.eval()([Film()], [BaseDataElement()], mode='predict')),
    }


def gta() -> dict[str, list[str]]:
    model = MODELS.build(demo('gta_tiny_demo').model)
    steps = torch.arange(0, 24, 2)
    sample = BaseDataElement(steps=steps, metainfo=dict(action='a', num_frames=24, filename='v'))
    videos = [torch.randn(24, 3, 32, 32) for _ in range(2)]
    return {
        'training step': executed(lambda: model(videos, [sample, sample], mode='loss')),
        'inference': executed(lambda: model.eval()(videos, [sample, sample], mode='predict')),
    }


def measured() -> dict[tuple[str, str], list[str]]:
    """Files by method and what is run."""
    runs = {'SIGMA': sigma(), 'Mask-VOS': mask_vos(), 'GTA': gta()}
    return {(method, what): files for method, found in runs.items() for what, files in found.items()}


def table(counts: dict[tuple[str, str], list[str]]) -> str:
    """The table of docs/architecture.md."""
    rows = ['| method | run | at home | `ops/`, `backbones/`, shared | elsewhere |', '|---|---|---|---|---|']
    for (method, what), files in counts.items():
        home = [file for file in files if file.startswith(HOMES[method])]
        shared = [file for file in files if file.startswith(SHARED)]
        rest = [f'`{file}`' for file in files if file not in home + shared]
        names = ', '.join(f'`{Path(file).name}`' for file in home)
        rows.append(f'| {method} | {what} | {len(home)}: {names} | {len(shared)} | {", ".join(rest) or "none"} |')
    return '\n'.join(rows)


if __name__ == '__main__':
    print(table(measured()))
