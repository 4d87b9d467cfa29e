"""MAST's scheme: which colour is hidden, which frames are compared, and what reaches the network."""

import pytest
import torch
from torch import Tensor

from mmsigma.models import (
    MaskVOS,
    MASTKeyEncoder,
    PhotometricCorrespondence,
)
from mmsigma.models.clip_views import ClipViews
from mmsigma.models.mask_vos.correspondence.mast import drop_colour, photometric_loss, reconstruct
from mmsigma.models.parts import PartError
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


@pytest.mark.parametrize('case', range(3))
def test_photometric(case: int) -> None:
    vectors = load_vectors('loss_mast')
    settings = vectors.entry['cases'][case]
    target, reference = (vectors.tensor(f'in_feat_{name}').requires_grad_() for name in ('tar', 'ref'))
    channels = settings['lab_channels']
    target_lab, reference_lab = (vectors.tensor(f'in_lab_{name}')[:, channels] for name in ('tar', 'ref'))
    copied = reconstruct(target, reference, reference_lab[..., ::4, ::4], settings['window_radius'])
    vectors.assert_close(copied, f'out_recon{case}')
    loss = photometric_loss(target, reference, target_lab, reference_lab, settings['window_radius'])
    vectors.assert_close(loss, f'out_loss{case}')
    loss.backward()
    vectors.assert_close(reference.grad, f'out_grad_ref{case}')
    vectors.assert_close(target.grad, f'out_grad_tar{case}')
