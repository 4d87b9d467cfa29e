"""Reading checkpoints safely, loading them strictly."""

import argparse
import copy
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from mmsigma.checkpoints.files import CheckpointError, load_checkpoint_file
from mmsigma.checkpoints.io import NonFiniteError, check_optimizer, load_into_model, load_state_strictly, load_weights

WEIGHTS = {'weight': torch.arange(6.0).view(2, 3), 'bias': torch.ones(2)}


def save(content: object, path: Path, **kwargs) -> Path:
    torch.save(content, path, **kwargs)
    return path


class TestReading:
    @pytest.mark.parametrize('zipped', [True, False])
    def test_plain_content(self, tmp_path: Path, zipped: bool) -> None:
        content = {'model': WEIGHTS, 'epoch': 3, 'names': ['a', None, 1.5]}
        path = save(content, tmp_path / 'a.pth', _use_new_zipfile_serialization=zipped)
        assert str(load_checkpoint_file(str(path))) == str(content)

    def test_safetensors(self, tmp_path: Path) -> None:
        save_file(WEIGHTS, tmp_path / 'a.safetensors')
        torch.testing.assert_close(load_checkpoint_file(tmp_path / 'a.safetensors'), WEIGHTS)

    def test_objects_are_refused_unless_trusted(self, tmp_path: Path) -> None:
        path = save({'args': argparse.Namespace(lr=1), 'model': WEIGHTS}, tmp_path / 'official.pth')
        with pytest.raises(RuntimeError, match=r'could execute code.*convert_sigma.py .*official.pth OUT.pth --trust'):
            load_checkpoint_file(path)
        assert load_checkpoint_file(path, trust=True)['args'].lr == 1
        torch.testing.assert_close(load_weights(path, trust=True), WEIGHTS)

    def test_code_in_a_file_is_not_run(self, tmp_path: Path) -> None:
        class Payload:
            def __reduce__(self) -> tuple:
                return (tmp_path.joinpath('trace').touch, ())

        path = save({'state_dict': Payload()}, tmp_path / 'evil.pth')
        with pytest.raises(RuntimeError, match='could execute code'):
            load_checkpoint_file(path)
        assert not (tmp_path / 'trace').exists()

    @pytest.mark.parametrize('trust', [True, False])
    @pytest.mark.parametrize('kind', ['empty', 'web page', 'truncated', 'truncated pickle', 'truncated safetensors'])
    def test_damaged_file(self, tmp_path: Path, kind: str, trust: bool) -> None:
        path = tmp_path / ('a.safetensors' if 'safetensors' in kind else 'a.pth')
        if kind.startswith('truncated'):
            if 'safetensors' in kind:
                save_file(WEIGHTS, path)
            else:
                save({'model': WEIGHTS}, path, _use_new_zipfile_serialization='pickle' not in kind)
            path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
        else:
            path.write_bytes(b'<html>not found</html>' * (kind == 'web page'))
        with pytest.raises(RuntimeError, match=f'{path.name} is damaged or not a checkpoint: .'):
            load_checkpoint_file(path, trust=trust)

    def test_missing_file(self, tmp_path: Path) -> None:
        with pytest.raises(FileNotFoundError, match='no checkpoint at .*nothing.pth'):
            load_checkpoint_file(tmp_path / 'nothing.pth')

    def test_home_is_expanded(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv('HOME', str(tmp_path))
        save(WEIGHTS, tmp_path / 'a.pth')
        torch.testing.assert_close(load_checkpoint_file('~/a.pth'), WEIGHTS)

    @pytest.mark.parametrize('key', ['state_dict', 'model', 'module', None])
    def test_weights_under_any_key(self, tmp_path: Path, key: str | None) -> None:
        path = save({key: WEIGHTS, 'epoch': 3} if key else WEIGHTS, tmp_path / 'a.pth')
        torch.testing.assert_close(load_weights(path), WEIGHTS)

    @pytest.mark.parametrize('prefix', ['module.', '_orig_mod.', 'module._orig_mod.', '_orig_mod.module.'])
    def test_prefixes_of_wrappers_are_taken_off(self, tmp_path: Path, prefix: str) -> None:
        state = {f'{prefix}{name}': value for name, value in WEIGHTS.items()}
        torch.testing.assert_close(load_weights(save({'model': state}, tmp_path / 'a.pth')), WEIGHTS)

    def test_part_that_was_compiled(self, tmp_path: Path) -> None:
        names = ('backbone._orig_mod.bias', 'my_orig_mod.bias', 'head.module.bias')
        path = save({name: torch.ones(2) for name in names}, tmp_path / 'a.pth')
        assert list(load_weights(path)) == ['backbone.bias', 'my_orig_mod.bias', 'head.module.bias']

    def test_first_key_wins(self, tmp_path: Path) -> None:
        path = save({'student': {}, 'teacher': WEIGHTS}, tmp_path / 'a.pth')
        torch.testing.assert_close(load_weights(path, keys=('teacher', 'student')), WEIGHTS)

    @pytest.mark.parametrize(
        ('content', 'found'), [({'epoch': 3, 'optimizer': {}}, r"\['epoch', 'optimizer'\]"), ([1, 2], 'list')]
    )
    def test_file_without_weights(self, tmp_path: Path, content: object, found: str) -> None:
        with pytest.raises(
            RuntimeError, match=rf"contains no parameters under any of the keys \['state_dict', .*; found {found}"
        ):
            load_weights(save(content, tmp_path / 'a.pth'))


class TestLoadingStrictly:
    @pytest.fixture
    def layer(self) -> nn.Module:
        return nn.Linear(3, 2)

    def test_everything_fits(self, layer: nn.Module, warnings_logged: list[str]) -> None:
        load_state_strictly(layer, WEIGHTS, origin='a.pth')
        torch.testing.assert_close(dict(layer.state_dict()), WEIGHTS)
        assert not warnings_logged

    @pytest.mark.parametrize('allow_missing', [True, False])
    def test_other_shapes(self, layer: nn.Module, allow_missing: bool) -> None:
        state = {**WEIGHTS, 'weight': torch.zeros(4, 3)}
        with pytest.raises(RuntimeError, match=r'a.pth was made for .* \(1 .* weight: \(4, 3\) instead of \(2, 3\)'):
            load_state_strictly(layer, state, origin='a.pth', allow_missing=allow_missing)

    @pytest.mark.parametrize(
        ('state', 'message'),
        [
            ({'weight': WEIGHTS['weight']}, r"missing 1 \['bias'\], unexpected 0"),
            ({**WEIGHTS, 'scale': torch.ones(1)}, r"missing 0 \[\], unexpected 1 \['scale'\]"),
        ],
    )
    def test_names_that_differ(self, layer: nn.Module, state: dict, message: str, warnings_logged: list[str]) -> None:
        before = layer.weight.detach().clone()
        with pytest.raises(RuntimeError, match=f'a.pth does not fit the model: {message}'):
            load_state_strictly(layer, state, origin='a.pth')
        assert torch.equal(layer.weight, before)
        load_state_strictly(layer, state, origin='a.pth', allow_missing=True)
        assert torch.equal(layer.weight, WEIGHTS['weight'])
        assert len(warnings_logged) == 1 and 'a.pth fits only in part: missing' in warnings_logged[0]

    def test_nothing_in_common_is_never_accepted(self, layer: nn.Module) -> None:
        with pytest.raises(RuntimeError, match=r'a.pth does not fit the model: missing 2'):
            load_state_strictly(layer, {'scale': torch.ones(1)}, origin='a.pth', allow_missing=True)


class TestLoadingIntoAModel:
    """A backbone of two blocks with a head, and files that hold more or less."""

    @pytest.fixture
    def state(self) -> dict[str, torch.Tensor]:
        model = build(2)
        torch.nn.init.normal_(model.head.weight)
        return model.state_dict()

    @pytest.mark.parametrize('options', [{}, dict(backbone_only=True), dict(neck=True)])
    def test_backbone_of_another_depth(self, state: dict, options: dict) -> None:
        if options.pop('neck', False):
            state = {**state, 'neck.weight': torch.ones(1)}
        before = copy.deepcopy(build(1).state_dict())
        model = build(1)
        model.load_state_dict(before)
        with pytest.raises(CheckpointError, match=r'a.pth was made for another backbone.*: 2 of its .*blocks\.1\.bias'):
            load_into_model(model, state, origin='a.pth', **options)
        assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
        with pytest.raises(CheckpointError, match=r"a.pth lacks 2 parameters of the backbone: \['backbone.blocks.2"):
            load_into_model(build(3), state, origin='a.pth', **options)

    def test_half_a_backbone(self, state: dict, warnings_logged: list[str]) -> None:
        del state['backbone.blocks.0.weight']
        with pytest.raises(CheckpointError, match=r"lacks 1 parameters .* \['backbone.blocks.0.weight'\]"):
            load_into_model(build(2), state, origin='a.pth')
        assert not warnings_logged

    def test_head_and_final_norm_may_be_missing(self, state: dict, warnings_logged: list[str]) -> None:
        state = {name: value for name, value in state.items() if not name.startswith('head.')}
        model = build(2)
        model.backbone['norm'] = nn.LayerNorm(2)
        load_into_model(model, state, origin='a.pth')
        assert torch.equal(model.backbone['blocks'][1].weight, state['backbone.blocks.1.weight'])
        assert 'missing 4' in warnings_logged[0]
        load_into_model(build(2), model.state_dict(), origin='a.pth')

    def test_final_norm_is_part_of_a_backbone_alone(self, state: dict) -> None:
        model = build(2)
        model.backbone['norm'] = nn.LayerNorm(2)
        with pytest.raises(CheckpointError, match='lacks 2 parameters of the backbone'):
            load_into_model(model, state, origin='a.pth', backbone_only=True)


def build(depth: int) -> nn.Module:
    blocks = nn.ModuleList([nn.Linear(2, 2) for _ in range(depth)])
    return nn.ModuleDict(dict(backbone=nn.ModuleDict(dict(blocks=blocks)), head=nn.Linear(2, 3)))


class TestValues:
    @pytest.mark.parametrize('bad', [float('nan'), float('inf'), 1e300])
    def test_values_that_are_not_finite(self, bad: float) -> None:
        state = {**WEIGHTS, 'weight': torch.full((2, 3), bad, dtype=torch.float64)}
        layer = nn.Linear(3, 2)
        before = layer.weight.clone()
        with pytest.raises(NonFiniteError, match=r'x\.pth contains NaN or infinite values in 1 of 2 .* weight: the'):
            load_state_strictly(layer, state, origin='x.pth')
        assert torch.equal(layer.weight, before)

    @pytest.mark.parametrize('dtype', [torch.int8, torch.int64, torch.complex64, torch.bool])
    def test_other_types_of_numbers(self, dtype: torch.dtype) -> None:
        with pytest.raises(CheckpointError, match=f'1 parameters of another type .*weight: {dtype}'):
            load_state_strictly(nn.Linear(3, 2), {**WEIGHTS, 'weight': WEIGHTS['weight'].to(dtype)}, origin='x.pth')

    @pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16, torch.float64])
    def test_other_precisions_are_fine(self, dtype: torch.dtype) -> None:
        layer = nn.Linear(3, 2)
        load_state_strictly(layer, {name: value.to(dtype) for name, value in WEIGHTS.items()}, origin='x.pth')
        assert torch.equal(layer.weight, WEIGHTS['weight']) and layer.weight.dtype == torch.float32

    def test_counters_stay_integers(self) -> None:
        norm = nn.BatchNorm1d(2)
        load_state_strictly(norm, nn.BatchNorm1d(2).state_dict(), origin='x.pth')

    def test_state_of_optimisers(self) -> None:
        state = dict(state={0: dict(step=torch.tensor(1.0), exp_avg=torch.ones(2))}, param_groups=[dict(lr=0.1)])
        check_optimizer(state, 'x.pth')
        state['state'][0]['exp_avg'][1] = torch.nan
        for given in (state, dict(generator=state)):
            with pytest.raises(
                NonFiniteError, match=r"x\.pth contains NaN or infinite values in the optimiser's state"
            ):
                check_optimizer(given, 'x.pth')


@pytest.mark.parametrize(
    'prefix',
    ['model.', 'net.', 'network.', '_forward_module.', '_fsdp_wrapped_module.', 'module.module.', 'module.model.',
     '_forward_module.model._orig_mod.', 'model._checkpoint_wrapped_module.'],
)  # fmt: skip
def test_prefixes_of_training_classes_are_taken_off(tmp_path: Path, prefix: str) -> None:
    state = {f'{prefix}{name}': value for name, value in WEIGHTS.items()}
    torch.testing.assert_close(load_weights(save({'state_dict': state}, tmp_path / 'a.pth')), WEIGHTS)


def test_wrappers_inside_names_are_taken_off(tmp_path: Path) -> None:
    state = {'backbone._fsdp_wrapped_module.blocks.0._checkpoint_wrapped_module.w': torch.ones(1)}
    assert list(load_weights(save(state, tmp_path / 'a.pth'))) == ['backbone.blocks.0.w']


def test_parameters_that_are_there_twice(tmp_path: Path) -> None:
    state = {'module.weight': torch.ones(1), 'weight': torch.zeros(1)}
    with pytest.raises(CheckpointError, match='parameters twice, with and without the prefix of a wrapper'):
        load_weights(save(state, tmp_path / 'a.pth'))
