"""The transformer block against PyTorch's attention, its shortcuts, and its initialisation."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from mmsigma.models.backbones.layers import SelfAttention, TransformerBlock, build_blocks


def randomised(module: nn.Module) -> nn.Module:
    """With every parameter drawn, so that none is 0 or 1."""
    for parameter in module.parameters():
        nn.init.normal_(parameter, std=0.3)
    return module


def reference(attention: SelfAttention, tokens: torch.Tensor) -> torch.Tensor:
    """PyTorch's own attention; keys have no bias."""
    dims = tokens.shape[-1]
    bias = torch.cat([attention.q_bias, torch.zeros(dims), attention.v_bias])
    found, _ = F.multi_head_attention_forward(
        *[tokens.transpose(0, 1)] * 3,
        embed_dim_to_check=dims,
        num_heads=attention.num_heads,
        in_proj_weight=attention.qkv.weight,
        in_proj_bias=bias,
        bias_k=None,
        bias_v=None,
        add_zero_attn=False,
        dropout_p=0,
        out_proj_weight=attention.proj.weight,
        out_proj_bias=attention.proj.bias,
    )
    return found.transpose(0, 1)


class TestAttention:
    @pytest.mark.parametrize(('dims', 'num_heads'), [(12, 1), (12, 3), (24, 8)])
    def test_equals_the_attention_of_pytorch(self, dims: int, num_heads: int) -> None:
        attention, tokens = randomised(SelfAttention(dims, num_heads)), torch.randn(2, 7, dims)
        torch.testing.assert_close(attention(tokens), reference(attention, tokens), atol=1e-5, rtol=1e-4)

    @pytest.mark.parametrize('num_last', [1, 4, 7])
    def test_last_tokens_attend_to_all(self, num_last: int) -> None:
        attention, tokens = randomised(SelfAttention(12, 3)), torch.randn(2, 7, 12)
        found = attention(tokens, num_last)
        torch.testing.assert_close(found, attention(tokens)[:, -num_last:], atol=1e-5, rtol=1e-4)
        assert found.shape == (2, num_last, 12)

    def test_heads_divide_the_width(self) -> None:
        with pytest.raises(ValueError, match='embed_dims 10 is not divisible by num_heads 3'):
            SelfAttention(10, 3)


class TestBlock:
    def test_norms_come_first_and_branches_are_added(self) -> None:
        block, tokens = randomised(TransformerBlock(12, 3, mlp_ratio=2)), torch.randn(2, 5, 12)
        norm1, norm2 = (
            lambda x, norm=norm: F.layer_norm(x, (12,), norm.weight, norm.bias, 1e-6)
            for norm in (block.norm1, block.norm2)
        )
        middle = tokens + reference(block.attn, norm1(tokens))
        first, second = block.mlp.fc1, block.mlp.fc2
        hidden = F.gelu(F.linear(norm2(middle), first.weight, first.bias))
        assert hidden.shape[-1] == 24
        expected = middle + F.linear(hidden, second.weight, second.bias)
        torch.testing.assert_close(block(tokens), expected, atol=1e-5, rtol=1e-4)

    def test_last_tokens_alone(self) -> None:
        block, tokens = randomised(TransformerBlock(12, 3)), torch.randn(2, 5, 12)
        torch.testing.assert_close(block(tokens, 2), block(tokens)[:, -2:], atol=1e-5, rtol=1e-4)

    def test_branches_are_skipped_by_whole_samples(self) -> None:
        block, tokens = randomised(TransformerBlock(12, 3, drop_path=0.5)), torch.randn(400, 2, 12)
        block.mlp.fc2.weight.data.zero_()
        block.mlp.fc2.bias.data.zero_()
        gained = block(tokens) - tokens
        whole = block.attn(block.norm1(tokens)) / 0.5  # what is kept makes up for what is skipped
        kept = gained.abs().sum(dim=(1, 2)) > 0
        assert 150 < kept.sum() < 250
        torch.testing.assert_close(gained[kept], whole[kept], atol=1e-4, rtol=1e-4)
        assert torch.equal(block.eval()(tokens[:3]), block(tokens[:3]))


class TestStack:
    def test_initialisation_of_the_release(self) -> None:
        (block,) = build_blocks(96, 1, 2, 4.0, 0.0)
        for name, module in block.named_modules():
            if isinstance(module, nn.Linear):
                bound = math.sqrt(6 / sum(module.weight.shape))
                assert 0.98 * bound < module.weight.abs().max() <= bound, name
                assert module.bias is None or not module.bias.any()
            elif isinstance(module, nn.LayerNorm):
                assert module.eps == 1e-6 and module.weight.eq(1).all() and not module.bias.any()
        assert not block.attn.q_bias.any() and not block.attn.v_bias.any() and block.attn.qkv.bias is None

    @pytest.mark.parametrize(('depth', 'rates'), [(1, [0]), (3, [0, 0.2, 0.4]), (5, [0, 0.1, 0.2, 0.3, 0.4])])
    def test_stochastic_depth_rises_linearly(self, depth: int, rates: list[float]) -> None:
        blocks = build_blocks(12, depth, 2, 4.0, 0.4)
        assert [getattr(block.drop_path, 'drop_prob', 0) for block in blocks] == pytest.approx(rates)

    def test_on_the_meta_device(self) -> None:
        with torch.device('meta'):
            blocks = build_blocks(12, 2, 2, 4.0, 0.4)
        assert {parameter.device.type for parameter in blocks.parameters()} == {'meta'}
