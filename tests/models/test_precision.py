"""Every loss and every head in half precision and in float32, against float64."""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import mmsigma.models  # noqa: F401  # fills the registry
from mmsigma.models.dino.distillation_head import DistillationHead
from mmsigma.models.dino.self_distillation import self_distillation_loss
from mmsigma.models.gta.losses.video_group import VideoGroup
from mmsigma.models.mask_vos.correspondence.anchors import anchor_losses
from mmsigma.models.mask_vos.correspondence.crw import random_walk_loss
from mmsigma.models.mask_vos.correspondence.mast import photometric_loss
from mmsigma.models.mask_vos.correspondence.short_long import long_term_loss, short_term_loss
from mmsigma.models.mask_vos.mask_reader import dense_affinity, read
from mmsigma.ops import aggregate_logits, at_least_float32
from mmsigma.registry import MODELS


class Case(NamedTuple):
    """How a loss is computed, and how exactly half precision has to give it.

    Attributes:
        loss: Function of a module, possibly empty, and the inputs.
        shapes: Shapes of the inputs, which get a gradient.
        module: Config of the module; None if there is none.
        layers: Whether there are layers, whose products are in half precision and have its errors.
        unit: Whether the inputs have unit length, along dimension ``unit``.
    """

    loss: Callable[..., Tensor]
    shapes: tuple[tuple[int, ...], ...]
    module: dict[str, Any] | None = None
    layers: bool = False
    unit: int | None = None


def total(terms: dict[str, Tensor]) -> Tensor:
    return sum(value for name, value in terms.items() if name.startswith('loss'))


def of_videos(module: nn.Module, embeddings: Tensor) -> Tensor:
    lengths = torch.tensor([8, 6, 8])
    loss = module.loss if hasattr(module, 'loss') else module
    return total(loss(VideoGroup(embeddings, lengths, transcripts=[torch.tensor([0, 2, 1])] * 3)))


def of_scores(module: nn.Module, first: Tensor, second: Tensor) -> Tensor:
    found = (
        module(first.float() * 1, second.float() * 1) if first.dtype != torch.float64 else module(first * 1, second * 1)
    )
    return found.loss_target + found.loss_pred


def of_classes(module: nn.Module, tokens: Tensor) -> Tensor:
    return total(module.loss(tokens, torch.tensor([0, 2, 1, 0])))


def of_counts(module: nn.Module, features: Tensor) -> Tensor:
    labels, segments = torch.tensor([[5.0, 7.0], [-1.0, 12.0], [30.0, 3.0]]), torch.full((3, 2), 32.0)
    return total(module.loss(module(features), labels, segments))


def of_anchors(_: nn.Module, first: Tensor, second: Tensor) -> Tensor:
    # no centre of a cell lies on the border of two others
    back = at_least_float32(torch.tensor([[[0.713, 0.0, 0.0937], [0.0, 0.713, 0.0411]]] * 2).to(first.dtype))
    anchors, references = torch.tensor([[0, 7, 20], [3, 11, 30]]), torch.tensor([[1, 8], [2, 9]])
    found = anchor_losses(first, second, back, anchors, references)
    return found.temporal + found.cross


def of_distillation(_: nn.Module, student: Tensor) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    teacher = torch.randn(2, 3, 12, generator=generator).double().to(student.dtype)
    return self_distillation_loss(
        student, teacher, torch.zeros(12, dtype=torch.promote_types(student.dtype, torch.float32))
    )


def of_logits(_: nn.Module, logits: Tensor) -> Tensor:
    labels = torch.arange(16).view(1, 4, 4) % 4
    return F.cross_entropy(aggregate_logits(logits), labels)


def of_reading(_: nn.Module, query: Tensor, memory: Tensor, values: Tensor) -> Tensor:
    return read(dense_affinity(query, memory), values).square().mean()


def of_colours(_: nn.Module, target: Tensor, reference: Tensor) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    colours = torch.rand(2, 1, 1, 24, 24, generator=generator, dtype=torch.float64)
    later, earlier = at_least_float32(colours.to(target.dtype))
    return photometric_loss(target, reference, later, earlier, radius=2)


GROUP = ((3, 8, 16),)
CASES = {
    'PrototypeHead': Case(
        lambda head, pred, target: total(head.loss(pred, target)), ((2, 12, 16), (2, 12, 16)),
        dict(type='PrototypeHead', in_channels=16, num_prototypes=8, detach_prototypes_for_pred=False),
    ),
    'SwappedAssignmentLoss': Case(of_scores, ((24, 8), (24, 8)), dict(type='SwappedAssignmentLoss', hard_labels=False)),
    'RegressionHead': Case(
        lambda head, pred, target: total(head.loss(pred, target)), ((2, 6, 8), (2, 6, 8)), dict(type='RegressionHead')
    ),
    'FeatureMSELoss': Case(lambda loss, *given: loss(*given), ((2, 6, 8), (2, 6, 8)), dict(type='FeatureMSELoss')),
    'ClassificationHead': Case(
        of_classes, ((4, 6, 16),), dict(type='ClassificationHead', in_channels=16, num_classes=3, init_scale=1), True
    ),
    'AttentiveHead': Case(
        of_classes, ((4, 6, 16),),
        dict(type='AttentiveHead', in_channels=16, num_classes=3, num_heads=2, depth=2), True,
    ),
    'CountingHead': Case(of_counts, ((3, 16),), dict(type='CountingHead', in_channels=16), True),
    'GTALoss': Case(of_videos, GROUP, dict(type='GTALoss'), unit=2),
    'D2TWLoss': Case(of_videos, GROUP, dict(type='D2TWLoss'), unit=2),
    'SoftDTWLoss': Case(of_videos, GROUP, dict(type='SoftDTWLoss'), unit=2),
    'LAVLoss': Case(of_videos, GROUP, dict(type='LAVLoss'), unit=2),
    'TCCLoss': Case(of_videos, GROUP, dict(type='TCCLoss'), unit=2),
    'TCNLoss': Case(of_videos, GROUP, dict(type='TCNLoss'), unit=2),
    'TCNLoss of triplets': Case(of_videos, GROUP, dict(type='TCNLoss', kind='triplet'), unit=2),
    'D3TWStarLoss': Case(of_videos, GROUP, dict(type='D3TWStarLoss'), unit=2),
    'AlignmentHead': Case(of_videos, GROUP, dict(type='AlignmentHead'), unit=2),
    'CombinedHead': Case(
        of_videos, GROUP,
        dict(type='CombinedHead', weights=(0.5, 0.5), heads=[dict(type='AlignmentHead'), dict(type='AlignmentHead')]),
        unit=2,
    ),
    'TranscriptHead': Case(
        of_videos, GROUP, dict(type='TranscriptHead', num_labels=4, in_channels=16, function='softplus'), True, unit=2
    ),
    'OrderHead': Case(of_videos, GROUP, dict(type='OrderHead', in_channels=16), True, unit=2),
    'SpeedHead': Case(of_videos, GROUP, dict(type='SpeedHead', in_channels=16), True, unit=2),
    'DistillationHead': Case(
        lambda head, features: F.cross_entropy(head(features) / 0.1, torch.tensor([0, 3, 5])), ((3, 256),),
        dict(type=DistillationHead, in_channels=256, num_prototypes=8, hidden_channels=512, bottleneck_channels=8),
        True,
    ),
    'self_distillation_loss': Case(of_distillation, ((4, 3, 12),)),
    'short_term_loss': Case(lambda _, *given: short_term_loss(*given), ((2, 8, 4, 4), (2, 8, 4, 4)), unit=1),
    'long_term_loss': Case(
        lambda _, *given: long_term_loss(given[0], given[1].detach(), given[2]), ((2, 8, 4, 4),) * 3, unit=1
    ),
    'anchor_losses': Case(of_anchors, ((2, 2, 8, 6, 6), (2, 2, 8, 6, 6)), unit=2),
    'random_walk_loss': Case(lambda _, nodes: random_walk_loss(nodes, 0.5).loss, ((2, 8, 4, 6),), unit=1),
    'photometric_loss': Case(of_colours, ((1, 8, 6, 6), (1, 8, 6, 6))),
    'segmentation': Case(of_logits, ((1, 3, 4, 4),)),
    'reading': Case(of_reading, ((2, 8, 4, 4), (2, 3, 8, 4, 4), (2, 3, 6, 4, 4)), layers=True, unit=None),
}  # fmt: skip
# bounds of the relative errors of values and gradients; half precision rounds inputs and gradients, too
BOUNDS = {torch.float32: (1e-4, 1e-3), torch.float16: (2e-3, 5e-3), torch.bfloat16: (1e-2, 2e-2)}
LAYERS = {torch.float32: 1, torch.float16: 4, torch.bfloat16: 6}
# cases in which a head of layers has nothing to do with the size of the inputs, or whose values overflow by definition
UNBOUNDED = {'CountingHead', 'RegressionHead', 'FeatureMSELoss', 'reading', 'SwappedAssignmentLoss'}


def inputs_of(case: Case, dtype: torch.dtype, size: float = 1.0) -> list[Tensor]:
    generator = torch.Generator().manual_seed(0)
    given = [torch.randn(shape, generator=generator, dtype=torch.float64) for shape in case.shapes]
    if case.unit is not None:
        given = [F.normalize(tensor, dim=case.unit) for tensor in given]
    return [(tensor * size).to(dtype) for tensor in given]


def run(case: Case, given: list[Tensor], dtype: torch.dtype, scale: float = 64.0) -> tuple[float, list[Tensor]]:
    """Value and gradients in a type; the loss is scaled as in training in half precision."""
    torch.manual_seed(0)
    module = MODELS.build(case.module) if case.module else nn.Identity()
    module = module.to(torch.promote_types(dtype, torch.float32))
    leaves = [tensor.detach().to(dtype, copy=True).requires_grad_() for tensor in given]
    torch.manual_seed(1)
    with torch.autocast('cpu', dtype, enabled=dtype in (torch.float16, torch.bfloat16)):
        loss = case.loss(module, *leaves)
    (loss * scale).backward()
    found = [leaf.grad for leaf in leaves if leaf.grad is not None]
    found += [value.grad for value in module.parameters() if value.grad is not None]
    return loss.item(), [gradient.double() / scale for gradient in found]


@pytest.mark.parametrize('dtype', BOUNDS, ids=str)
@pytest.mark.parametrize('name', CASES)
def test_values_and_gradients_are_those_of_float64(name: str, dtype: torch.dtype) -> None:
    case = CASES[name]
    given = inputs_of(case, dtype)
    value, gradients = run(case, given, dtype)
    expected, exact = run(case, given, torch.float64)
    bounds = [bound * (LAYERS[dtype] if case.layers else 1) for bound in BOUNDS[dtype]]
    assert value == pytest.approx(expected, rel=bounds[0])
    assert len(gradients) == len(exact)
    for found, wanted in zip(gradients, exact, strict=True):
        assert (found - wanted).norm() <= bounds[1] * wanted.norm() + 1e-7
        assert not ((found == 0) & (wanted.abs() > 1e-3 * wanted.abs().max())).any()


@pytest.mark.parametrize('dtype', BOUNDS, ids=str)
@pytest.mark.parametrize('name', sorted(CASES.keys() - UNBOUNDED))
def test_extreme_inputs_give_numbers(name: str, dtype: torch.dtype) -> None:
    case = CASES[name]
    given = inputs_of(case, dtype, size=30.0)
    value, gradients = run(case, given, dtype, scale=1)
    _, exact = run(case, given, torch.float64, scale=1)
    assert math.isfinite(value)
    for found, wanted in zip(gradients, exact, strict=True):
        assert found.isfinite().all()
        assert wanted.norm() < 1e-5 or found.norm() > 0.5 * wanted.norm()  # which no half precision has


def test_no_loss_and_no_head_is_left_out() -> None:
    ours = {name for name, kind in MODELS.module_dict.items() if kind.__module__.startswith('mmsigma')}
    assert {name for name in ours if name.endswith(('Loss', 'Head'))} <= CASES.keys()
    # schemes of correspondence, by the functions that they are made of
    assert {name for name in ours if name.endswith('Correspondence')} == {
        'AnchorCorrespondence', 'PhotometricCorrespondence', 'RandomWalkCorrespondence', 'ShortLongCorrespondence',
    }  # fmt: skip
