"""Step of SIGMA with a frozen teacher of every tubelet, of every other one, and a compiled teacher.

    python benchmarks/teacher_cost.py [--compile] [--out FILE.json]

Clips of 16 x 112 x 112 with a 90 % tube mask and a ViT-Ti as student; the teachers have random weights.
"""

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from common import compare, machine, print_table, run_conditions
from mmengine.registry import init_default_scope

from mmsigma.io.atomic import write_atomically
from mmsigma.ops import split_tokens
from mmsigma.registry import MODELS

TEACHERS = {
    'EfficientNet-Lite0': dict(model_name='tf_efficientnet_lite0', stage=3, frames_per_forward=8),
    'ViT-Ti': dict(model_name='vit_tiny_patch16_224'),
}
BATCH, SLOTS, SIDE = 4, 8, 7


def make_step(teacher: dict[str, Any], **options: Any) -> Callable[[], float]:
    """A function that runs a step forward and backward."""
    torch.manual_seed(0)
    grid = dict(weights='random', img_size=16 * SIDE, grid=(SIDE, SIDE))
    model = MODELS.build(
        dict(
            type='mmsigma.SIGMA',
            backbone=dict(type='VideoVisionTransformer', arch='tiny', img_size=16 * SIDE),
            neck=dict(type='MaskedVideoDecoder', embed_dims=96, num_heads=3),
            target=dict(type='FrozenEncoderTarget', **grid, **teacher, **options),
            head=dict(type='PrototypeHead', num_prototypes=256),
        )
    )
    clips = torch.randn(BATCH, 3, 2 * SLOTS, 16 * SIDE, 16 * SIDE)
    masks = torch.stack([torch.randperm(SIDE**2) < 44 for _ in range(BATCH)]).repeat(1, SLOTS)
    split = split_tokens(masks)

    def step() -> float:
        model.zero_grad()
        loss = sum(value for name, value in model.loss(clips, split).items() if name.startswith('loss'))
        loss.backward()
        return loss.item()

    return step


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--teachers', nargs='+', default=list(TEACHERS), choices=TEACHERS)
    parser.add_argument('--compile', action='store_true', help='measure a compiled teacher, too; it takes minutes')
    parser.add_argument('--rounds', type=int, default=5)
    parser.add_argument('--out', type=Path, help='JSON file of the results')
    args = parser.parse_args()
    init_default_scope('mmsigma')
    print(machine())
    record: dict[str, Any] = {**run_conditions(), 'clips': BATCH}
    for name in args.teachers:
        options: dict[str, dict[str, Any]] = {'every tubelet': {}, 'every other tubelet': dict(every=2)}
        if args.compile:
            options['every tubelet, compiled'] = dict(compile=True)
        medians = compare({key: make_step(TEACHERS[name], **value) for key, value in options.items()}, args.rounds)
        print_table(f'step with {name}, {BATCH} clips', medians, 'every tubelet')
        record[name] = {
            key: dict(seconds=value, ratio=medians['every tubelet'] / value) for key, value in medians.items()
        }
    if args.out:
        write_atomically(args.out, lambda path: Path(path).write_text(json.dumps(record, indent=1) + '\n'))


if __name__ == '__main__':
    main()
