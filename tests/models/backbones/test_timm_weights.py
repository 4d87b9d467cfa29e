"""Vision transformers of timm with weights of any origin, resized to the frames as their authors do."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import timm
import torch
from timm.layers import resample_abs_pos_embed
from torch import Tensor, nn

from mmsigma.checkpoints.files import CheckpointError
from mmsigma.models.backbones.timm_weights import create_timm_network, resize_dino_positions

DINO, DINOV2 = 'vit_base_patch16_224.dino', 'vit_base_patch14_reg4_dinov2.lvd142m'
TINY = dict(embed_dim=24, depth=2, num_heads=2)


def create(weights: str | Path, model_name: str = DINO, **kwargs) -> nn.Module:
    return create_timm_network(model_name, str(weights), 'model.part.weights', **{**TINY, 'img_size': 48, **kwargs})


@pytest.fixture
def dino_state(golden) -> dict[str, Tensor]:
    """Parameters of the tiny DINO of the golden vectors, under their official names."""
    return golden('dino_vit').tensors('sd/')


@pytest.fixture
def save(tmp_path: Path) -> Callable[[dict], Path]:
    def save(state: dict) -> Path:
        torch.save(state, tmp_path / 'dino.pth')
        return tmp_path / 'dino.pth'

    return save


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[nn.Module], None]], None]:
    """Sets what happens to a model whose weights are asked of the hub."""
    build = timm.create_model

    def answer(fetch: Callable[[nn.Module], None]) -> None:
        def create_model(*args, pretrained: bool = False, **kwargs) -> nn.Module:
            model = build(*args, **kwargs)
            if pretrained:
                fetch(model)
            return model

        monkeypatch.setattr(timm, 'create_model', create_model)

    return answer


@torch.no_grad()
@pytest.mark.parametrize(('img_size', 'suffix', 'atol'), [(48, '', 2e-5), (80, '_larger', 1e-4)])
def test_tokens_of_dino(golden, dino_state: dict, save: Callable, img_size: int, suffix: str, atol: float) -> None:
    vector = golden('dino_vit')
    encoder = create(save(dino_state), img_size=img_size).eval()
    tokens = encoder.forward_features(vector.tensors('in/')[f'frames{suffix}'])
    np.testing.assert_allclose(tokens[:, 1:], vector.arrays[f'out/tokens{suffix}'][:, 1:], atol=atol)


@pytest.mark.parametrize('key', ['state_dict', 'model', 'teacher'])
def test_whole_files_of_training(dino_state: dict, save: Callable, key: str) -> None:
    names = {f'module.backbone.{name}': value for name, value in dino_state.items()}
    names['module.head.mlp.0.weight'] = torch.zeros(4, 24)
    encoder = create(save({key: names, 'epoch': 3, 'student': {}}))
    own = encoder.state_dict()
    assert all(torch.equal(value, own[name]) for name, value in dino_state.items())


def test_random_weights_are_not_looked_for(hub: Callable) -> None:
    hub(lambda model: pytest.fail('the hub was asked'))
    first, second = (create('random').state_dict() for _ in range(2))
    assert first.keys() == second.keys() and not torch.equal(first['cls_token'], second['cls_token'])
    assert not [name for name in first if name.startswith('head')]


@pytest.mark.parametrize('img_size', [518, 56])
def test_names_of_dinov2(save: Callable, img_size: int) -> None:
    state = timm.create_model(DINOV2, num_classes=0, **TINY).state_dict()
    grid = (img_size // 14, img_size // 14)
    expected = {**state, 'pos_embed': resample_abs_pos_embed(state['pos_embed'], grid, num_prefix_tokens=0)}
    position = torch.randn(1, 1, 24)
    official = {**state, 'cls_token': state['cls_token'] - position, 'mask_token': torch.zeros(1, 24)}
    official['register_tokens'] = official.pop('reg_token')
    official['pos_embed'] = torch.cat([position, state['pos_embed']], dim=1)
    for content in (official, state):
        encoder = create(save(content), DINOV2, img_size=img_size)
        torch.testing.assert_close(dict(encoder.state_dict()), expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(
    ('removed', 'added', 'message'),
    [
        ('blocks.1.norm1.weight', None, r"missing \['blocks\.1\.norm1\.weight'\], unexpected \[\]"),
        (None, 'blocks.2.norm1.weight', r"missing \[\], unexpected \['blocks\.2\.norm1\.weight'\]"),
    ],
)
def test_file_that_does_not_fit(
    dino_state: dict, save: Callable, removed: str | None, added: str | None, message: str
) -> None:
    dino_state.pop(removed, None)
    if added:
        dino_state[added] = torch.zeros(24)
    with pytest.raises(CheckpointError, match=f'dino.pth does not fit the network {DINO}: {message}'):
        create(save(dino_state))


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r'nowhere\.pth'):
        create(tmp_path / 'nowhere.pth')


@pytest.mark.parametrize(
    ('model_name', 'file', 'example'),
    [
        (DINO, 'dino_vitbase16_pretrain.pth', 'dino_vitbase16_pretrain.pth'),
        ('vit_tiny_patch16_224', 'the weights of vit_tiny_patch16_224', 'file.pth'),
    ],
)
def test_hub_out_of_reach(hub: Callable, model_name: str, file: str, example: str) -> None:
    def fail(model: nn.Module) -> None:
        raise OSError('no route to host')

    hub(fail)
    with pytest.raises(CheckpointError) as info:
        create('hub', model_name)
    for part in (
        f'the weights of the frozen encoder {model_name} could not be fetched from the hub (no route to host)',
        f'put {file} anywhere on this machine',
        f'--cfg-options model.part.weights=/path/to/{example}',
    ):
        assert part in str(info.value)


def test_weights_of_the_hub_are_resized_to_the_frames(hub: Callable) -> None:
    hub(lambda model: [nn.init.constant_(parameter, 0.25) for parameter in model.parameters()])
    encoder = create('hub')
    assert encoder.pos_embed.shape == (1, 10, 24)
    for parameter in encoder.parameters():
        torch.testing.assert_close(parameter, torch.full_like(parameter, 0.25))


class TestPositions:
    def test_table_of_the_same_grid_is_left_alone(self) -> None:
        for prefix in (0, 1):
            table = torch.randn(1, prefix + 9, 4)
            assert resize_dino_positions(table, prefix, (3, 3)) is table

    @pytest.mark.parametrize('grid', [(6, 6), (2, 5)])
    def test_with_registers_as_by_timm(self, grid: tuple[int, int]) -> None:
        table = torch.randn(1, 16, 8)
        expected = resample_abs_pos_embed(table, list(grid), num_prefix_tokens=0)
        torch.testing.assert_close(resize_dino_positions(table, 0, grid), expected)

    @pytest.mark.parametrize('grid', [(5, 5), (3, 7)])
    def test_of_dino_by_its_scale(self, grid: tuple[int, int]) -> None:
        """DINO's own lines, of ``interpolate_pos_encoding``."""
        table = torch.randn(1, 17, 8)
        patches = nn.functional.interpolate(
            table[:, 1:].reshape(1, 4, 4, 8).permute(0, 3, 1, 2),
            scale_factor=((grid[0] + 0.1) / 4, (grid[1] + 0.1) / 4),
            mode='bicubic',
        )
        expected = torch.cat([table[:, :1], patches.permute(0, 2, 3, 1).reshape(1, -1, 8)], dim=1)
        torch.testing.assert_close(resize_dino_positions(table, 1, grid), expected)
