"""What a frozen teacher in lower precision changes: features, codes and loss of SIGMA on real clips.

    python benchmarks/teacher_precision.py CHECKPOINT --data DATA --frames FRAMES --out RECORD.json

CHECKPOINT is of evidence_sigma.py with the variant lite0, DATA and FRAMES as there. What tensor cores compute is
emulated in float32, so that any machine gives the same numbers: the factors of products and convolutions are rounded to
the format, and their results too, except those of TF32. For scale, the same for float32 features of frames with noise
of half a grey level, by which decoders differ, and of frames that are shifted by one pixel.
"""

import argparse
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from common import machine, run_conditions
from mmengine.dataset import pseudo_collate
from mmengine.registry import init_default_scope
from torch import Tensor, nn
from torch.nn.utils import parametrize

from mmsigma.checkpoints.io import load_weights
from mmsigma.datasets import SeededIndex
from mmsigma.io.atomic import write_atomically
from mmsigma.ops import TokenSplit
from mmsigma.registry import DATASETS, MODELS
from mmsigma.utils.config import load_config

ROOT = Path(__file__).parents[1]
TEACHER_FILE = 'weights/tf_efficientnet_lite0_in1k_fp16.pth'


def to_tf32(values: Tensor) -> Tensor:
    """Round float32 to 10 bits of mantissa."""
    bits = values.contiguous().view(torch.int32)
    return ((bits + 0x1000) & ~0x1FFF).view(torch.float32)


ROUNDING: dict[str, tuple[Callable[[Tensor], Tensor], bool]] = {
    'TF32': (to_tf32, False),
    'float16': (lambda values: values.half().float(), True),
    'bfloat16': (lambda values: values.bfloat16().float(), True),
}


class Rounded(nn.Module):
    def __init__(self, convert: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.convert = convert

    def forward(self, weight: Tensor) -> Tensor:
        return self.convert(weight)


class Emulation:
    """Rounds what the products and convolutions of a network read and, if results are, too, what they write."""

    def __init__(self, network: nn.Module, convert: Callable[[Tensor], Tensor], results: bool) -> None:
        self.layers = [layer for layer in network.modules() if isinstance(layer, nn.Linear | nn.Conv2d)]
        self.convert, self.results, self.hooks = convert, results, []

    def __enter__(self) -> None:
        for layer in self.layers:
            parametrize.register_parametrization(layer, 'weight', Rounded(self.convert))
            self.hooks.append(layer.register_forward_pre_hook(lambda _, given: (self.convert(given[0]),)))
            if self.results:
                self.hooks.append(layer.register_forward_hook(lambda _, given, found: self.convert(found)))

    def __exit__(self, *_: object) -> None:
        for hook in self.hooks:
            hook.remove()
        for layer in self.layers:
            parametrize.remove_parametrizations(layer, 'weight', leave_parametrized=False)


@torch.no_grad()
def loss_and_codes(model: Any, pred: Tensor, target: Tensor) -> tuple[float, Tensor]:
    prototypes = model.head.unit_prototypes()
    scores = [model.head.scores(features.flatten(0, 1)) for features in (target, pred)]
    assert len(prototypes) == scores[0].shape[1]
    found = model.head.loss_module(*scores)
    return float(found.loss_target + found.loss_pred), found.codes_target


@torch.no_grad()
def measure(model: Any, inputs: Tensor, split: TokenSplit, std: Tensor) -> dict[str, dict[str, float]]:
    pred = model.neck(model.backbone(inputs, split), split)
    exact = model.target(inputs, split)
    loss, codes = loss_and_codes(model, pred, exact)
    targets: dict[str, Tensor] = {}
    for name, (convert, results) in ROUNDING.items():
        with Emulation(model.target.encoder, convert, results):
            targets[name] = model.target(inputs, split)
    noise = (torch.rand(inputs.shape, generator=torch.Generator().manual_seed(0)) - 0.5) / std.view(1, 3, 1, 1, 1)
    targets['noise of half a grey level'] = model.target(inputs + noise, split)
    targets['shifted by one pixel'] = model.target(inputs.roll(1, dims=-1), split)
    found = {}
    for name, target in targets.items():
        changed_loss, changed = loss_and_codes(model, pred, target)
        found[name] = {
            'cosine': float(F.cosine_similarity(target, exact, dim=-1).mean()),
            'changed_codes_percent': 100 * float((changed != codes).double().mean()),
            'loss_change_percent': 100 * (changed_loss / loss - 1),
        }
        print(f'{name:<28}', {key: round(value, 4) for key, value in found[name].items()}, flush=True)
    return found


def trained(checkpoint: Path, data: Path, frames: Path, clips: int) -> tuple[Any, Any, dict[str, Any]]:
    """The model of a run of evidence_sigma.py with the variant lite0, its config, and clips of as many videos."""
    init_default_scope('mmsigma')
    options = dict(data_root=str(frames), teacher_weights=str(Path(data, TEACHER_FILE)), mask_ratio=0.9)
    cfg = load_config(ROOT / 'configs/evidence/sigma_lite0.py', options)
    model = MODELS.build(cfg.model).eval()
    state = load_weights(checkpoint, trust=True)  # the run's own file
    model.load_state_dict(state, strict=False)
    dataset = DATASETS.build(cfg.train_dataloader.dataset)
    places = torch.linspace(0, len(dataset) - 1, clips).long().tolist()
    batch = pseudo_collate([dataset[SeededIndex.of(place, (0, 0, place))] for place in places])
    return model, cfg, model.data_preprocessor(batch)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('checkpoint', type=Path)
    parser.add_argument('--data', type=Path, default=os.environ.get('MMSIGMA_EVIDENCE_DATA'))
    parser.add_argument('--frames', type=Path, required=True, help='of cache_frames.py')
    parser.add_argument('--clips', type=int, default=64)
    parser.add_argument('--out', type=Path, help='JSON file of the results')
    args = parser.parse_args()
    model, cfg, data = trained(args.checkpoint, args.data, args.frames, args.clips)
    split = model._split(data['data_samples'])
    std = torch.tensor([58.395, 57.12, 57.375])
    record = {**run_conditions(), 'clips': args.clips, 'teacher': cfg.teacher, 'prototypes': cfg.num_prototypes}
    print(machine())
    record['changes'] = measure(model, data['inputs'], split, std)
    if args.out:
        write_atomically(args.out, lambda name: Path(name).write_text(json.dumps(record, indent=1) + '\n'))


if __name__ == '__main__':
    main()
