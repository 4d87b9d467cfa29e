"""The video transformer: its grid, its masking, its positions and its initialisation."""

import math

import pytest
import torch
import torch.nn.functional as F

from mmsigma.models import VideoVisionTransformer
from mmsigma.ops import gather_tokens, resize_position_table, sincos_position_table, split_tokens

TINY = dict(embed_dims=24, depth=2, num_heads=2)
SHAPE = dict(img_size=32, num_frames=4, patch_size=8)


def tiny(**kwargs) -> VideoVisionTransformer:
    return VideoVisionTransformer(**{'arch': TINY, **SHAPE, **kwargs})


def clips(num_clips: int = 2) -> torch.Tensor:
    return torch.randn(num_clips, 3, 4, 32, 32)


def masks(num_clips: int = 2) -> torch.Tensor:
    return torch.stack([torch.randperm(32) < 24 for _ in range(num_clips)])


@pytest.mark.parametrize(
    ('shape', 'grid'),
    [
        (dict(num_frames=32, img_size=(96, 128), patch_size=16), (16, 6, 8)),
        (dict(num_frames=4, img_size=48, patch_size=8), (2, 6, 6)),
        (dict(num_frames=6, img_size=32, patch_size=16, tubelet_size=3), (2, 2, 2)),
        (dict(num_frames=2, img_size=32, patch_size=16, tubelet_size=1, in_channels=1), (2, 2, 2)),
    ],
)
def test_any_grid(shape: dict, grid: tuple[int, int, int]) -> None:
    model = VideoVisionTransformer(dict(embed_dims=12, depth=1, num_heads=2), **shape)
    assert model.grid == grid
    inputs = torch.randn(2, *model.input_shape)
    assert model(inputs).shape == (2, math.prod(grid), 12)
    mask = torch.arange(math.prod(grid)).expand(2, -1) % 4 > 0
    assert model(inputs, mask).shape == (2, math.prod(grid) // 4, 12)


@pytest.mark.parametrize('arch', [('tiny', 192, 12, 3), ('small', 384, 12, 6), ('base', 768, 12, 12)])
def test_named_architectures(arch: tuple[str, int, int, int]) -> None:
    name, embed_dims, depth, num_heads = arch
    with torch.device('meta'):
        model = VideoVisionTransformer(name)
    assert (model.embed_dims, len(model.blocks), model.blocks[0].attn.num_heads) == (embed_dims, depth, num_heads)


def test_tubes_are_embedded_as_by_a_convolution() -> None:
    embed, video = tiny().patch_embed, clips()
    expected = embed.proj(video).flatten(2).transpose(1, 2)
    torch.testing.assert_close(embed(video), expected)
    index = torch.tensor([[3, 30], [0, 1]])
    torch.testing.assert_close(embed(video, index), gather_tokens(expected, index))


def test_visible_tokens_are_those_of_the_full_sequence() -> None:
    model, inputs, mask = tiny(arch={**TINY, 'depth': 0}), clips(), masks()
    torch.testing.assert_close(model(inputs, mask), gather_tokens(model(inputs), split_tokens(mask).visible))


def test_masked_tubes_have_no_influence() -> None:
    model, inputs, mask = tiny(), clips(1), masks(1)
    gone = mask.view(1, 1, 2, 4, 4).repeat_interleave(2, 2).repeat_interleave(8, 3).repeat_interleave(8, 4)
    noisy = torch.where(gone, torch.randn_like(inputs), inputs)
    assert torch.equal(model(inputs, mask), model(noisy, mask))
    assert not torch.allclose(model(inputs), model(noisy))


def test_boolean_mask_and_its_split_give_the_same() -> None:
    model, inputs, mask = tiny(), clips(), masks()
    assert torch.equal(model(inputs, mask), model(inputs, split_tokens(mask)))


def test_order_of_tokens_matters_through_positions() -> None:
    model, inputs = tiny(), clips(1)
    swapped = torch.cat([inputs[:, :, 2:], inputs[:, :, :2]], dim=2)
    there, back = model(inputs), model(swapped).roll(16, dims=1)
    assert (there - back).abs().max() > 0.01
    model.pos_embed.zero_()
    torch.testing.assert_close(model(inputs), model(swapped).roll(16, dims=1), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(
    ('kwargs', 'message'),
    [
        (dict(arch='enormous'), "unknown arch 'enormous': choose one of .'base', 'huge'"),
        (dict(img_size=30), 'num_frames 4 and img_size 30 x 30 must be multiples of tubelet_size 2 and patch_size 8'),
        (dict(img_size=(32, 30)), 'img_size 32 x 30'),
        (dict(num_frames=5), 'num_frames 5'),
        (dict(arch=dict(embed_dims=10, depth=1, num_heads=3)), 'embed_dims 10 is not divisible by num_heads 3'),
        (dict(arch=dict(embed_dims=12, depth=1)), r"arch = \{'embed_dims': 12, 'depth': 1\} lacks \['num_heads'\]"),
    ],
)
def test_impossible_settings(kwargs: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        tiny(**kwargs)


@pytest.mark.parametrize('shape', [(1, 4, 32, 32), (3, 8, 32, 32), (3, 4, 32, 40)])
def test_inputs_of_another_shape(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError) as info:
        tiny()(torch.zeros(1, *shape))
    assert '(3, 4, 32, 32)' in str(info.value) and str(shape) in str(info.value)


@pytest.mark.parametrize('length', [16, 31, 64])
def test_mask_of_another_grid(length: int) -> None:
    with pytest.raises(ValueError, match=rf'token grid is \(2, 4, 4\), but the mask has the shape \(1, {length}\)'):
        tiny()(torch.zeros(1, 3, 4, 32, 32), (torch.arange(length) < 8)[None])


@pytest.mark.parametrize('masked', [True, False])
def test_recomputation_gives_equal_gradients(masked: bool) -> None:
    model, inputs, mask = tiny(), clips(), masks() if masked else None
    gradients = []
    for model.with_cp in (False, True):
        model.zero_grad()
        model(inputs, mask).square().sum().backward()
        gradients.append([parameter.grad.clone() for parameter in model.parameters()])
    torch.testing.assert_close(*gradients)


def test_recomputation_stores_fewer_activations() -> None:
    def stored(with_cp: bool) -> int:
        sizes = []
        pack = torch.autograd.graph.saved_tensors_hooks(lambda t: sizes.append(t.numel()) or t, lambda t: t)
        with pack:
            tiny(with_cp=with_cp, arch={**TINY, 'depth': 4})(clips())
        return sum(sizes)

    assert stored(True) < 0.5 * stored(False)


def test_drop_path_rises_linearly() -> None:
    model = tiny(arch={**TINY, 'depth': 3}, drop_path_rate=0.4)
    assert [getattr(block.drop_path, 'drop_prob', 0) for block in model.blocks] == pytest.approx([0, 0.2, 0.4])
    inputs = clips()
    assert not torch.equal(model(inputs), model(inputs))
    model.eval()
    assert torch.equal(model(inputs), model(inputs))


def test_nothing_is_random_without_drop_path() -> None:
    model, inputs = tiny().train(), clips()
    assert torch.equal(model(inputs), model(inputs))


def test_final_norm_can_be_left_out() -> None:
    with_norm, without = tiny(), tiny(final_norm=False)
    missing, unexpected = without.load_state_dict(with_norm.state_dict(), strict=False)
    assert (missing, unexpected) == ([], ['norm.weight', 'norm.bias'])
    inputs = clips()
    torch.testing.assert_close(F.layer_norm(without(inputs), (24,), eps=1e-6), with_norm(inputs))


def test_position_table_is_neither_trained_nor_stored() -> None:
    model = tiny()
    assert 'pos_embed' not in dict(model.named_parameters()).keys() | model.state_dict().keys()
    assert torch.equal(model.pos_embed[0], sincos_position_table(32, 24))


def test_position_table_of_another_grid_is_resized() -> None:
    model = tiny(position_grid=[4, 2, 2])
    expected = resize_position_table(sincos_position_table(16, 24), (4, 2, 2), (2, 4, 4))
    assert torch.equal(model.pos_embed[0], expected)
    assert torch.equal(tiny(position_grid=(2, 4, 4)).pos_embed, tiny().pos_embed)


def test_weights_fit_any_grid() -> None:
    larger = tiny(img_size=48, num_frames=8)
    larger.load_state_dict(tiny().state_dict())


def test_initialisation_of_the_release() -> None:
    weight = tiny(arch=dict(embed_dims=96, depth=1, num_heads=2)).patch_embed.proj.weight
    assert 0.98 < weight.abs().max() * math.sqrt(weight[0].numel()) <= 1
