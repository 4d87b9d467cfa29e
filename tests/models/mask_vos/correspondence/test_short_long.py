"""Schemes of correspondence in the model: what each needs of clips and encoder, and what reaches it."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmsigma.models import (
    AnchorCorrespondence,
    KeyEncoder,
    MaskVOS,
    MASTKeyEncoder,
    PhotometricCorrespondence,
    RandomWalkCorrespondence,
    ShortLongCorrespondence,
)
from mmsigma.models.clip_views import ClipViews
from mmsigma.models.interfaces import PartError
from mmsigma.models.mask_vos.correspondence import anchors
from mmsigma.models.mask_vos.correspondence.anchors import random_grid
from mmsigma.models.mask_vos.correspondence.crw import cut_patches, random_walk_loss
from mmsigma.models.mask_vos.correspondence.mast import drop_colour, photometric_loss
from mmsigma.ops.colour import rgb_to_lab
from tests.golden_mask_vos import load_vectors


def clip(batch: int = 1, time: int = 3, size: int = 64, seed: int = 0) -> ClipViews:
    return ClipViews(torch.randn(batch, time, 3, size, size, generator=torch.Generator().manual_seed(seed)))


class GivenFeatures(MASTKeyEncoder):
    """Features and Lab colours that are given."""

    def __init__(self, lab: Tensor, features: Tensor) -> None:
        super().__init__(skips=False)
        self.given, self.maps = lab, features

    def lab(self, images: Tensor) -> Tensor:
        return self.given

    def colour_features(self, lab: Tensor) -> Tensor:
        self.seen = lab
        return self.maps


@pytest.mark.parametrize(('case', 'radius'), [(0, 6), (1, 3)])
def test_golden_loss_through_the_scheme(case: int, radius: int) -> None:
    vectors = load_vectors('loss_mast')
    maps = torch.cat([vectors.tensor('in_feat_ref'), vectors.tensor('in_feat_tar')])
    lab = torch.stack([vectors.tensor('in_lab_ref'), vectors.tensor('in_lab_tar')], dim=1)
    encoder = GivenFeatures(lab, maps)
    if len(lab) > 1:  # frames of a clip follow each other
        encoder.maps = maps.unflatten(0, (2, -1)).transpose(0, 1).flatten(0, 1)
    scheme = PhotometricCorrespondence(weight=0.5, radius=radius)
    losses = set()
    for seed in range(8):
        torch.manual_seed(seed)
        loss = scheme.loss(None, ClipViews(lab), encoder)['loss_photometric']
        # channel 1 is a, the one of case 0, and 2 is b, that of case 1
        if not encoder.seen[:, case + 1].any():
            assert float(loss) == pytest.approx(0.5 * vectors.arrays[f'out_loss{case}'].item(), rel=1e-4)
        losses.add(round(float(loss), 6))
    assert len(losses) == 2  # either colour is hidden


def test_one_colour_is_hidden() -> None:
    lab = torch.randn(2, 3, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    hidden = []
    for seed in range(40):
        torch.manual_seed(seed)
        seen, target = drop_colour(lab)
        channel = [index for index in range(3) if not seen[:, :, index].any()]
        assert len(channel) == 1 and torch.equal(target, lab[:, :, channel])
        rest = [index for index in range(3) if index not in channel]
        assert torch.equal(seen[:, :, rest], 1.5 * lab[:, :, rest])
        hidden += channel
    assert set(hidden) == {1, 2} and 10 < hidden.count(1) < 30


def test_pairs_are_neighbours_in_the_clip() -> None:
    maps = torch.randn(6, 4, 4, 4, generator=torch.Generator().manual_seed(0))  # 2 clips of 3
    lab = torch.rand(2, 3, 3, 16, 16, generator=torch.Generator().manual_seed(1))
    encoder = GivenFeatures(lab, maps)
    torch.manual_seed(0)
    found = PhotometricCorrespondence(radius=2).loss(None, ClipViews(lab), encoder)['loss_photometric']
    channel = 1 if not encoder.seen[:, 1].any() else 2
    frames, colours = maps.unflatten(0, (2, 3)), lab[:, :, [channel]]
    pairs = [photometric_loss(frames[:, t], frames[:, t - 1], colours[:, t], colours[:, t - 1], 2) for t in (1, 2)]
    torch.testing.assert_close(found, sum(pairs) / 2)


def test_photometric_gradient_reaches_the_network() -> None:
    torch.manual_seed(0)
    encoder = MASTKeyEncoder()
    PhotometricCorrespondence(radius=2).loss(None, clip(time=2, size=32), encoder)['loss_photometric'].backward()
    idle = {name for name, value in encoder.named_parameters() if value.grad is None}
    assert idle and all(name.startswith(('reduce', 'skip')) for name in idle)
    assert all(value.grad.any() for name, value in encoder.backbone.named_parameters())
    with pytest.raises(PartError, match="model.backbone: KeyEncoder has no 'lab', 'colour_features', which LabKey"):
        MaskVOS(dict(type='KeyEncoder', depth=18), dict(type='PhotometricCorrespondence'))


@torch.no_grad()
def test_keys_of_mast() -> None:
    torch.manual_seed(0)
    encoder = MASTKeyEncoder().eval()
    pictures = torch.rand(2, 3, 32, 48)
    images = (pictures * 255 - torch.tensor([123.675, 116.28, 103.53]).view(-1, 1, 1)) / torch.tensor(
        [58.395, 57.12, 57.375]
    ).view(-1, 1, 1)
    torch.testing.assert_close(encoder.lab(images), rgb_to_lab(pictures), rtol=1e-3, atol=1e-4)
    key, features, skip8, skip4 = encoder.encode(images)
    torch.testing.assert_close(key, encoder(images))
    torch.testing.assert_close(key, F.normalize(F.avg_pool2d(encoder.backbone(pictures), 2)), rtol=1e-3, atol=1e-4)
    assert (key.shape, features.shape) == ((2, 64, 4, 6), (2, 512, 4, 6))
    assert (skip8.shape, skip4.shape) == ((2, 512, 4, 6), (2, 256, 8, 12))


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


class KeysOfViews:
    """An encoder whose keys (B, T, D, h, w) are given; each view is an image of its number, clip by clip.

    What it is asked for is in ``seen``: numbers of views, and whether a gradient was wanted.
    """

    def __init__(self, keys: Tensor) -> None:
        self.keys, self.seen = keys, []

    def clip(self, back: Tensor) -> ClipViews:
        views = torch.arange(len(self.keys) * self.keys.shape[1]).view(len(self.keys), -1, 1, 1, 1)
        views = views.expand(-1, -1, 3, 8, 8).float()
        return ClipViews(torch.full_like(views, -1), views, back)

    def __call__(self, images: Tensor) -> Tensor:
        numbers = images[:, 0, 0, 0].long()
        self.seen.append((numbers.tolist(), torch.is_grad_enabled()))
        return self.keys.flatten(0, 1)[numbers]


class TestShortLong:
    """Two clips, the views of the first flipped; numbers of views are 3 * clip + frame."""

    back = torch.tensor([[[-1.0, 0, 0], [0, 1, 0]], [[1, 0, 0], [0, 1, 0]]])

    def keys(self, seed: int) -> Tensor:
        return F.normalize(torch.randn(2, 3, 8, 2, 4, generator=torch.Generator().manual_seed(seed)), dim=2)

    def in_view(self, keys: Tensor) -> Tensor:
        """Cells (B, N, D) of maps, the first clip's flipped."""
        return torch.stack([keys[0].flip(-1), keys[1]]).flatten(2).transpose(1, 2)

    def surprise(self, query: Tensor, memory: Tensor, target: Tensor, temperature: float) -> Tensor:
        chances = (query @ memory.transpose(1, 2) / temperature).softmax(dim=2)
        return -chances.gather(2, target[..., None]).log().mean()

    def test_frames_and_weights(self) -> None:
        keys, encoder = self.keys(0), KeysOfViews(self.keys(1))
        found = ShortLongCorrespondence(0.3, 0.7, temperature=0.2).loss(keys, encoder.clip(self.back), encoder)
        views = encoder.keys.flatten(3).transpose(2, 3)  # (B, T, N, D)
        here = torch.arange(8).expand(2, -1)
        short = self.surprise(self.in_view(keys[:, 1]), views[:, 0], here, 0.2)
        first = keys[:, 0].flatten(2).transpose(1, 2)
        match = (views[:, 2] @ first.transpose(1, 2)).argmax(dim=2)
        long = self.surprise(self.in_view(keys[:, 2]), first, match, 0.2)
        assert found.keys() == {'loss_short', 'loss_long'}
        torch.testing.assert_close(found['loss_short'], 0.3 * short)
        torch.testing.assert_close(found['loss_long'], 0.7 * long)
        assert encoder.seen == [([0, 3], True), ([2, 5], False)]

    def test_one_of_the_losses(self) -> None:
        keys, both = self.keys(0), KeysOfViews(self.keys(1))
        expected = ShortLongCorrespondence().loss(keys, both.clip(self.back), both)
        for name, scheme, seen in (
            ('loss_short', ShortLongCorrespondence(long_weight=0), [([0, 3], True)]),
            ('loss_long', ShortLongCorrespondence(short_weight=0), [([2, 5], False)]),
        ):
            encoder = KeysOfViews(self.keys(1))
            found = scheme.loss(keys, encoder.clip(self.back), encoder)
            assert found == {name: expected[name]} and encoder.seen == seen


def test_golden_anchors_through_the_scheme(monkeypatch: pytest.MonkeyPatch) -> None:
    vectors = load_vectors('loss_code_corr')
    cells = {8: vectors.tensor('in_anchor_index'), 4: vectors.tensor('in_ref_index')}
    asked = []

    def given_grid(batch: int, size: tuple[int, int], side: int) -> Tensor:
        asked.append((batch, tuple(size), side))
        return cells[side]

    monkeypatch.setattr(anchors, 'random_grid', given_grid)
    encoder = KeysOfViews(vectors.tensor('in_view2_feats'))
    clips = encoder.clip(vectors.tensor('in_theta_inv'))
    keys = vectors.tensor('in_view1_feats')
    found = AnchorCorrespondence(cross_weight=0.3, temporal_weight=2.0).loss(keys, clips, encoder)
    assert found.keys() == {'loss_temporal', 'loss_cross'}
    assert float(found['loss_temporal']) == pytest.approx(2 * vectors.arrays['out_loss_temp'].item(), rel=1e-4)
    assert float(found['loss_cross']) == pytest.approx(0.3 * vectors.arrays['out_loss_cross_key'].item(), rel=1e-4)
    assert asked == [(2, (16, 16), 8), (2, (16, 16), 4)]
    assert sorted(encoder.seen) == [([0, 3], True), ([1, 2, 4, 5], False)]
    found = AnchorCorrespondence().loss(keys, clips, encoder)  # weights of the release
    assert float(sum(found.values())) == pytest.approx(vectors.arrays['out_loss_main'].item(), rel=1e-4)


def test_random_grid() -> None:
    torch.manual_seed(0)
    cells = random_grid(64, (9, 12), 4)  # steps of 2 and 3
    rows, columns = (cells // 12).view(64, 4, 4), (cells % 12).view(64, 4, 4)
    tops, lefts = rows[:, :1, :1], columns[:, :1, :1]
    assert torch.equal(rows, tops + 2 * torch.arange(4)[:, None].expand(64, 4, 4))
    assert torch.equal(columns, lefts + 3 * torch.arange(4).expand(64, 4, 4))
    shifts = {(int(top), int(left)) for top, left in zip(tops, lefts, strict=True)}
    assert shifts == {(top, left) for top in range(2) for left in range(3)}
    with pytest.raises(ValueError, match='a grid of 8 x 8 does not fit into maps of 7 x 12'):
        random_grid(1, (7, 12), 8)


def test_views_that_are_not_there() -> None:
    keys = torch.randn(1, 3, 8, 4, 4)
    with pytest.raises(ValueError, match='needs each frame twice: put SecondView into the pipeline'):
        ShortLongCorrespondence().loss(keys, clip(), nn.Identity())
