"""Schemes of correspondence in the model: what each needs of clips and encoder, and what reaches it."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmsigma.models import (
    ShortLongCorrespondence,
)
from mmsigma.models.clip_views import ClipViews
from mmsigma.models.mask_vos.correspondence.short_long import best_match, long_term_loss, short_term_loss
from tests.golden_mask_vos import load_vectors


def clip(batch: int = 1, time: int = 3, size: int = 64, seed: int = 0) -> ClipViews:
    return ClipViews(torch.randn(batch, time, 3, size, size, generator=torch.Generator().manual_seed(seed)))


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


def test_views_that_are_not_there() -> None:
    keys = torch.randn(1, 3, 8, 4, 4)
    with pytest.raises(ValueError, match='needs each frame twice: put SecondView into the pipeline'):
        ShortLongCorrespondence().loss(keys, clip(), nn.Identity())


@pytest.mark.parametrize('temperature', [1.0, 0.1, 0.07, 0.05])
def test_paper(temperature: float) -> None:
    vectors = load_vectors('loss_paper_short_long')
    label = f'tau{temperature}'.replace('.', 'p')
    x_next, view, frame, x_far, view_far = (
        vectors.tensor(f'in_{name}').double() for name in ('x_t1', 'xp_t', 'i_t', 'x_tp', 'xp_tp')
    )
    short, long = short_term_loss(x_next, view, temperature), long_term_loss(x_far, view_far, frame, temperature)
    cells = 2 * 7 * 8
    for name, loss in (('short', short), ('long', long)):
        vectors.assert_close(loss, f'out_{name}_mean_{label}_f64')
        vectors.assert_close(loss * cells, f'out_{name}_sum_{label}_f64')
    match = best_match(view_far, frame).view(2, 7, 8)
    assert torch.equal(match, vectors.tensor('out_match_index').long())


def test_cells_of_the_paper() -> None:
    """The mean over a pair, and the term of each cell: it is the mean of maps that hold this cell alone."""
    vectors = load_vectors('loss_paper_short_long')
    x_next, view, frame, x_far, view_far = (
        vectors.tensor(f'in_{name}').double() for name in ('x_t1', 'xp_t', 'i_t', 'x_tp', 'xp_tp')
    )
    expected = vectors.tensor('out_short_map').double().mean(dim=(1, 2))
    short = [short_term_loss(x_next[[pair]], view[[pair]], 1.0) for pair in range(2)]
    torch.testing.assert_close(torch.stack(short), expected, rtol=1e-6, atol=0)
    for name, features, views, memory in (('long', x_far, view_far, frame), ('short', x_next, view, view)):
        # the best match of a cell of the view among its own cells is itself, the target of the short term
        terms = [
            long_term_loss(
                *(maps[[pair], :, row : row + 1, column : column + 1] for maps in (features, views)),
                memory[[pair]],
                1.0,
            )
            for pair in range(2)
            for row in range(7)
            for column in range(8)
        ]
        vectors.assert_close(torch.stack(terms).view(2, 7, 8), f'out_{name}_map')


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
def test_best_matches_are_those_of_float32(dtype: torch.dtype) -> None:
    """Rounded to bfloat16, many similarities are equal, and the first of equal ones is taken."""
    generator = torch.Generator().manual_seed(0)
    query, memory = (torch.randn(2, 64, 16, 16, generator=generator).to(dtype) for _ in range(2))
    exact = best_match(query.double(), memory.double())
    with torch.autocast('cpu', dtype):
        found = best_match(query, memory)
        views = F.normalize(memory.float(), dim=1)
        rounded = F.normalize(query.float(), dim=1).flatten(2).transpose(1, 2) @ views.flatten(2)
    assert (found == exact).float().mean() > 0.999
    limit = 0.99 if dtype == torch.bfloat16 else 0.9995
    assert (rounded.argmax(dim=2) == exact).float().mean() < limit  # what autocast makes of the product
