"""CRW: patches, nodes and walks."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from mmsigma.models import (
    KeyEncoder,
    MaskVOS,
    RandomWalkCorrespondence,
)
from mmsigma.models.clip_views import ClipViews
from mmsigma.models.mask_vos.correspondence.crw import cut_patches, random_walk_loss, transitions
from mmsigma.models.parts import PartError
from tests.golden_mask_vos import assert_probes, fill, load_vectors


def clip(batch: int = 1, time: int = 3, size: int = 64, seed: int = 0) -> ClipViews:
    return ClipViews(torch.randn(batch, time, 3, size, size, generator=torch.Generator().manual_seed(seed)))


def crw_name(name: str) -> str:
    """Name of a parameter of the key encoder in the release."""
    return name.replace('backbone.', 'encoder.model.').replace('key.', 'selfsim_fc.')


def test_patches_are_parts_of_their_places() -> None:
    x, y = torch.meshgrid(torch.arange(256.0) + 0.5, torch.arange(256.0) + 0.5, indexing='xy')
    images = torch.stack([x, y, torch.full_like(x, 7)])[None].repeat(3, 1, 1, 1)
    torch.manual_seed(0)
    patches = cut_patches(images)
    assert patches.shape == (3, 49, 3, 64, 64) and torch.allclose(patches[:, :, 2], torch.tensor(7.0), atol=1e-3)
    areas, aspects = [], []
    for clip_patches in patches:
        for number, patch in enumerate(clip_patches):
            top, left = 32 * (number // 7), 32 * (number % 7)
            for axis, start in ((0, left), (1, top)):
                assert start - 1e-2 <= patch[axis].min() and patch[axis].max() <= start + 64 + 1e-2
            width, height = ((patch[axis].max() - patch[axis].min()) * 64 / 63 for axis in (0, 1))
            areas.append(float(width * height) / 64**2)
            aspects.append(float(width / height))
            steps = patch[0].diff(dim=1)  # straight and even
            assert torch.allclose(steps, steps.mean(), atol=1e-2)
    assert 0.69 < min(areas) < 0.73 and 0.87 < max(areas) < 0.91
    assert 0.74 < min(aspects) < 0.85 and 1.15 < max(aspects) < 1.34
    with pytest.raises(ValueError, match='no patch of 64 x 64 fits into images of 32 x 32'):
        cut_patches(images[..., :32, :32])


class TestRandomWalk:
    def test_nodes_are_pooled_patches(self) -> None:
        encoder = KeyEncoder(18, key_layers=1, skips=False, padding_mode='reflect').eval()
        assert encoder.backbone.conv1.padding_mode == 'reflect'
        images = clip(batch=2, time=4, size=64).images
        scheme = RandomWalkCorrespondence(dropout=0.0, patch_size=32, patch_stride=16)
        torch.manual_seed(3)
        found = scheme.loss(None, ClipViews(images), encoder)
        torch.manual_seed(3)
        patches = cut_patches(images.flatten(0, 1), 32, 16)
        assert patches.shape[1] == 9
        # one convolution of 1x1 and a mean commute: pooling before it is pooling after it
        keys = encoder.key(encoder.backbone(patches.flatten(0, 1))).mean(dim=(2, 3))
        nodes = F.normalize(keys, dim=1).view(2, 4, 9, -1).permute(0, 3, 1, 2)
        torch.testing.assert_close(found['loss_walk'], random_walk_loss(nodes).loss, rtol=1e-4, atol=1e-5)
        found['loss_walk'].backward()
        assert all(value.grad is not None and value.grad.any() for value in encoder.parameters())

    @torch.no_grad()
    def test_official_nodes(self) -> None:
        vectors = load_vectors('encoder_crw')
        encoder = KeyEncoder(18, key_layers=1, skips=False, padding_mode='reflect')
        fill(encoder, vectors.entry['weight_tag'], rename=crw_name)
        patches = vectors.tensor('in_patches')  # (B, N, 3, T, 64, 64)
        images = patches.movedim(3, 1).flatten(0, 2)  # (B * T * N, 3, 64, 64)
        maps = encoder.backbone(images).unflatten(0, (1, 2, 4))
        assert_probes(vectors, 'out_patch_maps', maps.permute(0, 2, 3, 1, 4, 5))  # (B, N, 512, T, 8, 8)
        nodes = encoder.pooled_keys(images).unflatten(0, (1, 2, 4))
        vectors.assert_close(nodes.movedim(3, 1), 'out_nodes')
        # whole frames
        assert_probes(vectors, 'out_layer4_map', encoder.backbone(vectors.tensor('in_image')[:, :, 0])[:, :, None])

    def test_nodes_are_cells(self) -> None:
        scheme = RandomWalkCorrespondence(nodes='cells', cell_stride=4, dropout=0.0)
        keys = F.normalize(torch.randn(2, 3, 8, 16, 16, generator=torch.Generator().manual_seed(0)), dim=2)
        found = scheme.loss(keys, clip(), nn.Identity())['loss_walk']
        nodes = keys[..., 2::4, 2::4].flatten(3).transpose(1, 2)
        assert nodes.shape == (2, 8, 3, 16) and torch.equal(found, random_walk_loss(nodes).loss)

    def test_what_it_needs(self) -> None:
        assert RandomWalkCorrespondence(nodes='cells').uses_keys and not RandomWalkCorrespondence().uses_keys
        with pytest.raises(ValueError, match="nodes must be 'patches' or 'cells', got 'pixels'"):
            RandomWalkCorrespondence(nodes='pixels')
        encoder = dict(type='MASTKeyEncoder', skips=False)
        with pytest.raises(PartError, match="MASTKeyEncoder has no 'pooled_keys', which PatchKeyEncoder"):
            MaskVOS(encoder, dict(type='RandomWalkCorrespondence'))
        MaskVOS(encoder, dict(type='RandomWalkCorrespondence', nodes='cells'))


@pytest.mark.parametrize('case', range(2))
def test_random_walk(case: int) -> None:
    vectors = load_vectors('loss_crw')
    nodes = vectors.tensor('in_nodes').requires_grad_()
    found = random_walk_loss(nodes, vectors.entry['cases'][case]['temperature'])
    vectors.assert_close(found.loss, f'out_loss{case}')
    vectors.assert_close(found.per_walk, f'out_xent{case}')
    vectors.assert_close(found.accuracy, f'out_acc{case}')
    found.loss.backward()
    vectors.assert_close(nodes.grad, f'out_grad{case}')
    if case == 0:
        one, other = (nodes.detach()[:, :, time].transpose(1, 2) for time in (0, 1))
        forth, back = transitions(one, other, 0.07)
        vectors.assert_close(forth, 'out_P12')
        vectors.assert_close(back, 'out_P21')


def test_dropped_edges() -> None:
    nodes = F.normalize(torch.randn(2, 8, 4, 6, generator=torch.Generator().manual_seed(0)), dim=1)
    seeds = [torch.Generator().manual_seed(seed) for seed in (1, 1, 2)]
    first, again, other = (random_walk_loss(nodes, dropout=0.3, generator=seed).loss for seed in seeds)
    assert first == again and first != other and first != random_walk_loss(nodes).loss
    with pytest.raises(ValueError, match='walks need three frames or more, got 2'):
        random_walk_loss(nodes[:, :, :2])


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
def test_walks_under_autocast_are_those_of_float32(dtype: torch.dtype) -> None:
    nodes = F.normalize(torch.randn(2, 8, 4, 6, generator=torch.Generator().manual_seed(0)), dim=1).to(dtype)
    exact, lower = nodes.float().requires_grad_(), nodes.clone().requires_grad_()
    expected = random_walk_loss(exact, dropout=0.3, generator=torch.Generator().manual_seed(1)).loss
    with torch.autocast('cpu', dtype):
        found = random_walk_loss(lower, dropout=0.3, generator=torch.Generator().manual_seed(1)).loss
    torch.testing.assert_close(found, expected)
    expected.backward()
    found.backward()
    torch.testing.assert_close(lower.grad.float(), exact.grad, rtol=1e-2, atol=1e-3)
