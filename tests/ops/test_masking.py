"""Splitting tokens by a mask, gathering them, and cutting videos into tubes."""

import pytest
import torch
from einops import rearrange

from mmsigma.ops import every_slot, gather_tokens, nearest_tubes, patchify, split_tokens
from tests.golden_evaluation import load_case


def random_mask(batch: int, num_tokens: int, num_masked: int) -> torch.Tensor:
    rows = [torch.randperm(num_tokens) < num_masked for _ in range(batch)]
    return torch.stack(rows)


def test_split_lists_both_kinds_in_token_order() -> None:
    mask = random_mask(3, 20, 14)
    split = split_tokens(mask)
    for row, visible, masked in zip(mask, split.visible, split.masked, strict=True):
        assert visible.tolist() == (~row).nonzero()[:, 0].tolist()
        assert masked.tolist() == row.nonzero()[:, 0].tolist()


@pytest.mark.parametrize(
    ('mask', 'message'),
    [
        (torch.tensor([[True, False, False], [True, True, False]]), r'same number of tokens, got \[1, 2\]'),
        (torch.zeros(2, 4, dtype=torch.bool), '0 of 4 tokens are masked'),
        (torch.ones(2, 4, dtype=torch.bool), '4 of 4 tokens are masked'),
        (torch.ones(2, 4), r'boolean with the shape \(B, N\), got torch.float32 \(2, 4\)'),
        (torch.ones(4, dtype=torch.bool), r'got torch.bool \(4,\)'),
    ],
    ids=['unequal', 'none', 'all', 'float', 'one row'],
)
def test_split_refuses(mask: torch.Tensor, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        split_tokens(mask)


def test_tokens_of_every_other_slot() -> None:
    masked = torch.tensor([[0, 2, 4, 5, 9, 10, 13, 14, 16, 18]])  # two in each of five slots of four tokens
    assert every_slot(masked, 5, 2).tolist() == [[0, 2, 9, 10, 16, 18]]
    assert every_slot(masked, 5, 3).tolist() == [[0, 2, 13, 14]]
    assert torch.equal(
        every_slot(masked[..., None].expand(1, 10, 3), 5, 4), torch.tensor([[0, 2, 16, 18]])[..., None].expand(1, 4, 3)
    )


@pytest.mark.parametrize('batch', [1, 3])
def test_gather_of_own_tokens(batch: int) -> None:
    tokens, index = torch.randn(batch, 9, 4), torch.randint(9, (batch, 5))
    expected = torch.stack([own[places] for own, places in zip(tokens, index, strict=True)])
    assert torch.equal(gather_tokens(tokens, index), expected)


@pytest.mark.parametrize('shape', [(9, 4), (1, 9, 4)])
@pytest.mark.parametrize('batch', [1, 3])
def test_gather_of_a_shared_table(batch: int, shape: tuple[int, ...]) -> None:
    table, index = torch.randn(shape), torch.randint(9, (batch, 5))
    expected = torch.stack([table.reshape(9, 4)[places] for places in index])
    assert torch.equal(gather_tokens(table, index), expected)


def test_gradient_of_gather_reaches_the_gathered_only() -> None:
    tokens = torch.randn(2, 4, 3, requires_grad=True)
    gather_tokens(tokens, torch.tensor([[0, 2], [3, 3]])).sum().backward()
    assert tokens.grad.sum(-1).tolist() == [[3, 0, 3, 0], [0, 0, 0, 6]]


def test_order_of_tubes_and_inside_tubes() -> None:
    video = torch.randn(2, 3, 4, 6, 10)
    expected = rearrange(video, 'b c (t p0) (h p1) (w p2) -> b (t h w) (c p0 p1 p2)', p0=2, p1=2, p2=2)
    assert torch.equal(patchify(video, 2, 2), expected)


def test_selected_tubes_of_any_memory_layout() -> None:
    video = torch.randn(2, 4, 3, 6, 10).transpose(1, 2)
    index = torch.stack([torch.randperm(30)[:11] for _ in range(2)])
    assert torch.equal(patchify(video, 2, 2, index), gather_tokens(patchify(video, 2, 2), index))


@pytest.mark.parametrize('shape', [(3, 8, 8), (4, 9, 8), (4, 8, 7)])
def test_videos_that_cannot_be_cut_evenly(shape: tuple[int, int, int]) -> None:
    with pytest.raises(ValueError, match='{} x {} x {}.*cannot be cut into tubes of 2 x 4 x 4'.format(*shape)):
        patchify(torch.zeros(1, 3, *shape), 2, 4)


def test_official_tubes_nearest_to_prototypes() -> None:
    case = load_case('prototype_top25')
    found = nearest_tubes(case.tensor('in_features'), case.tensor('in_prototypes'), (8, 14, 14))
    torch.testing.assert_close(found[0], case.tensor('out_similarity_of_top25'), atol=1e-5, rtol=0)
    assert torch.equal(found[1], case.tensor('out_top25').long())
    assert torch.equal(found[2], case.tensor('out_tube_thw').long())
