"""The examples of docs/extending.md and docs/interfaces.md run."""

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from mmengine.structures import BaseDataElement
from torch import nn

from mmsigma.datasets.transforms import TubeMask
from mmsigma.models import SIGMA, interfaces
from mmsigma.models.clip_views import ClipViews
from mmsigma.models.gta.losses.video_group import VideoGroup
from mmsigma.models.parts import members
from mmsigma.ops import split_tokens
from mmsigma.registry import MODELS
from mmsigma.utils.config import load_config
from mmsigma.utils.preflight import check_config

EXAMPLES = Path(__file__).resolve().parents[1] / 'docs' / 'examples'


def build_example(name: str) -> nn.Module:
    """The model of an example's config, whose modules are found as with PYTHONPATH=docs/examples."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(EXAMPLES)
        cfg = load_config(EXAMPLES / f'{name}.py')
    check_config(cfg)
    torch.manual_seed(0)
    return MODELS.build(cfg.model)


@pytest.fixture(scope='module')
def model() -> SIGMA:
    return build_example('all_three')


@pytest.fixture
def clips() -> torch.Tensor:
    return torch.randn(2, 3, 8, 64, 64)


@pytest.fixture
def mask() -> torch.Tensor:
    draw = TubeMask(grid=(4, 8, 8), mask_ratio=0.75)
    return torch.stack([torch.from_numpy(draw({})['mask']) for _ in range(2)])


def test_backbone_encodes_visible_tubes_only(model: SIGMA, clips: torch.Tensor, mask: torch.Tensor) -> None:
    tokens = model.backbone(clips, mask)
    assert tokens.shape == (2, 64, 128)
    pixels = mask.reshape(2, 1, 4, 8, 8).repeat_interleave(2, 2).repeat_interleave(8, 3).repeat_interleave(8, 4)
    assert torch.equal(model.backbone(clips.masked_fill(pixels, 9.0), mask), tokens)
    assert model.backbone(clips).shape == (2, 256, 128)


def test_target_is_the_change_within_a_tube(model: SIGMA, clips: torch.Tensor, mask: torch.Tensor) -> None:
    split = split_tokens(mask)
    motion = model.target(clips, split)
    assert motion.shape == (2, 192, model.target.out_channels)
    time, row, column = np.unravel_index(split.masked[0, 5].item(), model.backbone.grid)
    tube = clips[0, :, 2 * time : 2 * time + 2, 8 * row : 8 * row + 8, 8 * column : 8 * column + 8]
    assert torch.equal(motion[0, 5], (tube[:, 1] - tube[:, 0]).flatten())
    still = clips[:, :, :1].expand_as(clips)
    assert not model.target(still, split).any()


def test_loss_ignores_length(model: SIGMA) -> None:
    loss = model.head.loss_module
    features = torch.randn(2, 5, 7)
    assert loss(3 * features, features).item() == pytest.approx(0, abs=1e-6)
    assert loss(-features, features).item() == pytest.approx(2)


def test_all_three_train_together(model: SIGMA, clips: torch.Tensor, mask: torch.Tensor) -> None:
    samples = [BaseDataElement(mask=row) for row in mask]
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    losses = []
    for _ in range(5):
        loss = model(clips, samples, mode='loss')['loss_reconstruction']
        optimizer.zero_grad()
        loss.backward()
        assert all(parameter.grad is not None for parameter in model.parameters())
        optimizer.step()
        losses.append(loss.item())
    assert all(map(math.isfinite, losses)) and losses[-1] < losses[0]


def train(model: nn.Module, batch: Callable[[], dict[str, torch.Tensor]], steps: int, lr: float) -> list[float]:
    """Sum of the losses of each step."""
    optimizer, history = torch.optim.Adam(model.parameters(), lr=lr), []
    for _ in range(steps):
        loss = sum(value for name, value in batch().items() if 'loss' in name)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        history.append(loss.item())
    return history


def test_scheme_and_encoder_of_mask_vos_train_together() -> None:
    model = build_example('own_mask_vos')
    images = torch.randn(2, 3, 3, 32, 32)
    flip = torch.tensor([[-1.0, 0, 0], [0, 1, 0]]).expand(2, -1, -1)
    clip = ClipViews(images, images.flip(-1), flip)
    masks = torch.zeros(3, 32, 32, dtype=torch.uint8)
    masks[:, 8:24, 8:24] = 1
    samples = [BaseDataElement(pseudo_mask=masks) for _ in images]
    losses = model(clip, samples, mode='loss')
    assert losses['loss_view'] > 0 and losses['loss_segmentation'] > 0
    history = train(model, lambda: model(clip, samples, mode='loss'), steps=8, lr=1e-5)
    assert all(map(math.isfinite, history)) and history[-1] < history[0]
    # frame and view show the same pixels: a cell is most similar to itself
    keys = model.backbone(images[:, 0]).flatten(2)
    assert (keys.transpose(1, 2) @ keys).argmax(dim=2).equal(torch.arange(16).expand(2, -1))


def test_mask_vos_segments_with_an_encoder_of_ones_own() -> None:
    model = build_example('own_mask_vos').eval()
    core, mask = model.new_inference_core(), np.zeros((32, 32), np.uint8)
    mask[8:24, 8:24] = 7
    picture = np.random.default_rng(0).integers(0, 255, (32, 32, 3), np.uint8)
    assert np.array_equal(core.step(picture, mask), mask)
    assert set(np.unique(core.step(picture))) <= {0, 7}


def test_propagator_follows_colours() -> None:
    model = build_example('own_propagator')
    rng, square = np.random.default_rng(0), np.zeros((3, 480, 480), bool)
    for number, left in enumerate((80, 120, 160)):
        square[number, 160:240, left : left + 80] = True
    pictures = np.where(square[..., None], (200, 30, 30), (30, 60, 200)).astype(np.uint8)
    pictures += rng.integers(0, 20, pictures.shape, dtype=np.uint8)
    core = model.new_inference_core()
    found = [core.step(picture, square[0].astype(np.uint8) if not n else None) for n, picture in enumerate(pictures)]
    for ids, truth in zip(found, square, strict=True):
        assert (ids.astype(bool) == truth).mean() > 0.99


def test_alignment_loss_wants_one_pace() -> None:
    model = build_example('own_alignment')
    loss = model.head.loss_module
    path = torch.linspace(0, math.pi, 9)
    curve = torch.stack([path.cos(), path.sin()], dim=1)  # a half circle, at a constant pace
    late = torch.stack([(path / math.pi).pow(3).mul(math.pi).cos(), (path / math.pi).pow(3).mul(math.pi).sin()], dim=1)
    same, unlike = (VideoGroup(torch.stack([curve, other])) for other in (curve, late))
    assert loss(same)['loss_proportional'] < loss(unlike)['loss_proportional']
    short = VideoGroup(torch.stack([curve, F.pad(curve[::2], (0, 0, 0, 4))]), lengths=torch.tensor([9, 5]))
    assert loss(short)['loss_proportional'].isfinite()
    embeddings = torch.randn(3, 9, 4, requires_grad=True)
    history = []
    for _ in range(30):
        value = loss(VideoGroup(embeddings))['loss_proportional']
        history.append(value.item())
        (gradient,) = torch.autograd.grad(value, embeddings)
        embeddings = (embeddings - 2 * gradient).detach().requires_grad_()
    assert history[-1] < 0.5 * history[0]


def test_the_page_of_contracts_has_every_protocol() -> None:
    page = (EXAMPLES.parent / 'interfaces.md').read_text()
    protocols = [
        value
        for value in vars(interfaces).values()
        if isinstance(value, type) and value.__module__ == interfaces.__name__ and getattr(value, '_is_protocol', False)
    ]
    assert len(protocols) > 15
    for protocol in protocols:
        assert f'`{protocol.__name__}`' in page, protocol
        inherited = {name for base in protocol.__mro__[1:] if base is not object for name in members(base)}
        for name in set(members(protocol)) - inherited - {'__call__'}:
            assert protocol is interfaces.Network or f'`{name}' in page, (protocol, name)
