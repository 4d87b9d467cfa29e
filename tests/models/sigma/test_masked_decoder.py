"""The decoder: its sequence, and the short cut through its last block."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from mmsigma.models import MaskedVideoDecoder
from mmsigma.ops import TokenSplit, split_tokens

GRID = (2, 4, 4)


@pytest.fixture(params=[1, 3], ids=['depth 1', 'depth 3'])
def decoder(request: pytest.FixtureRequest) -> MaskedVideoDecoder:
    model = MaskedVideoDecoder(10, 7, GRID, embed_dims=12, depth=request.param, num_heads=2)
    for parameter in model.parameters():  # biases that are zero would hide mistakes
        torch.nn.init.normal_(parameter, std=0.3)
    return model


@pytest.fixture
def batch() -> tuple[Tensor, TokenSplit]:
    mask = torch.stack([torch.randperm(32) < 24 for _ in range(2)])
    return torch.randn(2, 8, 10), split_tokens(mask)


def decode_everything(model: MaskedVideoDecoder, tokens: Tensor, split: TokenSplit) -> Tensor:
    """The definition: all blocks on all tokens, clip by clip."""
    out = []
    for own, visible, masked in zip(tokens, split.visible, split.masked, strict=True):
        positions = model.pos_embed[0]
        mask_tokens = model.mask_token[0].expand(len(masked), -1)
        sequence = torch.cat([F.linear(own, model.embed.weight) + positions[visible], mask_tokens + positions[masked]])
        for block in model.blocks:
            sequence = block(sequence[None])[0]
        out.append(model.head(model.norm(sequence))[-len(masked) :])
    return torch.stack(out)


def test_predictions_follow_the_definition(decoder: MaskedVideoDecoder, batch) -> None:
    torch.testing.assert_close(decoder(*batch), decode_everything(decoder, *batch), atol=1e-5, rtol=1e-5)


def test_gradients_follow_the_definition(decoder: MaskedVideoDecoder, batch) -> None:
    parameters = list(decoder.parameters())
    found = torch.autograd.grad(decoder(*batch).square().sum(), parameters)
    expected = torch.autograd.grad(decode_everything(decoder, *batch).square().sum(), parameters)
    for ours, theirs in zip(found, expected, strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-5 * theirs.abs().max().item(), rtol=1e-4)


def test_boolean_mask_and_its_split_give_the_same(decoder: MaskedVideoDecoder, batch) -> None:
    tokens, split = batch
    mask = torch.zeros(2, 32, dtype=torch.bool).scatter(1, split.masked, True)
    assert torch.equal(decoder(tokens, mask), decoder(tokens, split))


def test_autocast_is_close(decoder: MaskedVideoDecoder, batch) -> None:
    expected = decoder(*batch)
    with torch.autocast('cpu', torch.bfloat16):
        found = decoder(*batch)
    assert found.dtype == torch.bfloat16
    torch.testing.assert_close(found.float(), expected, atol=0.05 * expected.abs().max().item(), rtol=0.05)


def test_initial_mask_token() -> None:
    token = MaskedVideoDecoder(10, 7, GRID, embed_dims=384, depth=1, num_heads=6).mask_token
    assert token.abs().max() <= 0.02 and token.std() > 0.008


def test_projection_has_no_bias() -> None:
    assert MaskedVideoDecoder(10, 7, GRID, embed_dims=12, num_heads=2).embed.bias is None
