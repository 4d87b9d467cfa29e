"""Anchors of DUL and of the Mask-VOS release."""

import pytest
import torch
from torch import Tensor

from mmsigma.models import (
    AnchorCorrespondence,
)
from mmsigma.models.clip_views import ClipViews
from mmsigma.models.mask_vos.correspondence import anchors
from mmsigma.models.mask_vos.correspondence.anchors import anchor_losses, random_grid
from mmsigma.ops.view_geometry import warp_to_view
from tests.golden_mask_vos import load_vectors


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


def test_release() -> None:
    vectors = load_vectors('loss_code_corr')
    first = vectors.tensor('in_view1_feats').requires_grad_()
    second = vectors.tensor('in_view2_feats').requires_grad_()
    found = anchor_losses(
        first,
        second,
        vectors.tensor('in_theta_inv'),
        vectors.tensor('in_anchor_index'),
        vectors.tensor('in_ref_index'),
        vectors.entry['temperature'],
    )
    loss = 0.1 * found.cross + found.temporal
    for name, value in (('loss_temp', found.temporal), ('loss_cross_key', found.cross), ('loss_main', loss)):
        vectors.assert_close(value, f'out_{name}')
    assert torch.equal(found.pseudo, vectors.tensor('out_pseudo').long())
    errors = vectors.tensor('out_error_map')  # of every cell, of the first frame too
    for time in (1, 2):
        pair = anchor_losses(
            first[:, [0, time]],
            second[:, [0, time]],
            vectors.tensor('in_theta_inv'),
            vectors.tensor('in_anchor_index'),
            vectors.tensor('in_ref_index'),
        )
        assert float(pair.temporal) == pytest.approx(float(errors[:, time].mean()), rel=1e-4)
    aligned = warp_to_view(first[:, 0].detach(), vectors.tensor('in_theta_inv'))
    assert torch.equal(aligned[:, ::4], vectors.tensor('out_view1_aligned_first'))
    loss.backward()
    vectors.assert_close(first.grad[:, :, ::4], 'out_grad_view1')
    vectors.assert_close(second.grad[:, 0, ::4], 'out_grad_view2_first')
    assert not second.grad[:, 1:].any()
