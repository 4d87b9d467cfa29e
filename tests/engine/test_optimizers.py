"""Parameter groups of the releases, and mixed precision on the CPU."""

from collections import Counter

import pytest
import torch
from mmengine.optim import build_optim_wrapper
from torch import nn

from mmsigma.checkpoints.official_names import to_official
from mmsigma.engine import CPUAmpOptimWrapper, TransformerOptimWrapperConstructor
from mmsigma.engine.optimizers import _may_be_fused, keep_implementation
from mmsigma.models import SIGMA, VideoVisionTransformer


class Classifier(nn.Module):
    """What fine-tuning trains: the backbone without its final norm, and a head that normalises."""

    def __init__(self, arch: str) -> None:
        super().__init__()
        self.backbone = VideoVisionTransformer(arch, final_norm=False)
        width = self.backbone.embed_dims
        self.head = nn.ModuleDict(dict(fc_norm=nn.LayerNorm(width), fc=nn.Linear(width, 174)))


def constructor(paramwise_cfg: dict | None = None, **optimizer) -> TransformerOptimWrapperConstructor:
    optimizer = dict(type='AdamW', lr=1e-3, weight_decay=0.05) | optimizer
    return TransformerOptimWrapperConstructor(dict(type='OptimWrapper', optimizer=optimizer), paramwise_cfg)


def by_official_name(groups: list[dict], key: str) -> dict[str, float]:
    return to_official({name: group[key] for group in groups for name in group['names']})


def names_of(optimizer: torch.optim.Optimizer) -> set[str]:
    return {name for group in optimizer.param_groups for name in group['names']}


def test_official_groups_of_pretraining(golden) -> None:
    with torch.device('meta'):
        model = SIGMA(
            backbone=dict(type='VideoVisionTransformer'),
            neck=dict(type='MaskedVideoDecoder'),
            target=dict(type='MLPTarget'),
            head=dict(type='PrototypeHead'),
        )
    groups = constructor().groups(model, lr=3e-4, weight_decay=0.05)
    assert len(groups) == 2 and {group['lr'] for group in groups} == {3e-4}
    expected = {name: decay for name, (_, decay, _) in golden('pretrain_param_groups').arrays['params'].items()}
    assert by_official_name(groups, 'weight_decay') == expected


@pytest.mark.golden_cases('layer_decay')
def test_official_layer_decay(golden_case) -> None:
    arch = golden_case['model'].split('_')[1]
    with torch.device('meta'):
        model = Classifier(arch)
    paramwise_cfg = dict(layer_decay=golden_case['layer_decay'], num_layers=golden_case['num_layers'])
    groups = constructor(paramwise_cfg).groups(model, lr=0.5, weight_decay=golden_case['weight_decay'])
    assert len(groups) == golden_case['num_groups']
    params = golden_case['params']
    scales, decays = ({name: values[place] for name, values in params.items()} for place in (1, 2))
    assert by_official_name(groups, 'lr_scale') == pytest.approx(scales, rel=1e-9)
    assert by_official_name(groups, 'lr') == pytest.approx({k: 0.5 * v for k, v in scales.items()}, rel=1e-9)
    assert by_official_name(groups, 'weight_decay') == decays


@pytest.fixture
def model() -> nn.Module:
    model = nn.ModuleDict(dict(patch_embed=nn.Linear(3, 2), blocks=nn.ModuleList([nn.Linear(2, 2), nn.Linear(2, 2)])))
    model.register_parameter('mask_token', nn.Parameter(torch.zeros(1, 1, 2)))
    return model


def test_optimizer_is_built_with_every_parameter_once(model: nn.Module) -> None:
    wrapper = constructor(dict(layer_decay=0.5, num_layers=2), betas=(0.9, 0.95))(model)
    optimizer = wrapper.optimizer
    assert type(optimizer) is torch.optim.AdamW and optimizer.defaults['betas'] == (0.9, 0.95)
    found = Counter(id(parameter) for group in optimizer.param_groups for parameter in group['params'])
    assert found == Counter(id(parameter) for parameter in model.parameters())
    rates = {name: group['lr'] for group in optimizer.param_groups for name in group['names']}
    assert rates['patch_embed.weight'] == rates['mask_token'] == 1e-3 * 0.5**3
    assert rates['blocks.0.weight'] == 1e-3 * 0.5**2 and rates['blocks.1.bias'] == 1e-3 * 0.5


def test_is_found_by_the_name_in_configs(model: nn.Module) -> None:
    cfg = dict(
        type='OptimWrapper',
        constructor='mmsigma.TransformerOptimWrapperConstructor',
        optimizer=dict(type='SGD', lr=0.1, weight_decay=0.2),
        paramwise_cfg=dict(no_decay=['patch_embed.weight', 'weight']),
    )
    groups = build_optim_wrapper(model, cfg).optimizer.param_groups
    assert {name: group['weight_decay'] for group in groups for name in group['names']} == {
        'mask_token': 0.2,
        **{f'{layer}.{kind}': 0.0 for layer in ('patch_embed', 'blocks.0', 'blocks.1') for kind in ('weight', 'bias')},
    }


def test_frozen_parameters_are_left_out(model: nn.Module) -> None:
    model.blocks.requires_grad_(False)
    assert names_of(constructor()(model).optimizer) == {'patch_embed.weight', 'patch_embed.bias', 'mask_token'}


def test_wrapped_models_keep_their_names(model: nn.Module) -> None:
    wrapped = nn.Module()
    wrapped.module = model
    assert names_of(constructor()(wrapped).optimizer) == dict(model.named_parameters()).keys()


@pytest.mark.parametrize(
    ('paramwise_cfg', 'message'),
    [
        (dict(layer_decay=0.75, num_layers=1), 'the backbone has 2 blocks, num_layers is 1; leave out num_layers'),
        (dict(layer_decay=0.75, num_layers=12), 'the backbone has 2 blocks, num_layers is 12; leave out num_layers'),
        (dict(norm_decay_mult=0, no_decay=()), r"unknown keys in paramwise_cfg: \['norm_decay_mult'\]"),
    ],
)
def test_impossible_settings(paramwise_cfg: dict, message: str, model: nn.Module) -> None:
    with pytest.raises(ValueError, match=message):
        constructor(paramwise_cfg)(model)


def test_layer_decay_needs_blocks() -> None:
    with pytest.raises(ValueError, match='the backbone has 0 blocks, num_layers is None; layers cannot'):
        constructor(dict(layer_decay=0.75))(nn.Linear(2, 2))


@pytest.mark.parametrize('depth', [1, 13])
def test_layers_are_counted_and_none_is_faster_than_the_head(depth: int) -> None:
    blocks = nn.ModuleList([nn.Linear(2, 2) for _ in range(depth)])
    head = nn.ModuleDict(dict(blocks=nn.ModuleList([nn.Linear(2, 2)])))
    model = nn.ModuleDict(dict(backbone=nn.ModuleDict(dict(blocks=blocks)), head=head))
    groups = constructor(dict(layer_decay=0.75)).groups(model, lr=1.0, weight_decay=0.0)
    scales = {name: group['lr_scale'] for group in groups for name in group['names']}
    assert scales['head.blocks.0.weight'] == 1
    assert scales['backbone.blocks.0.weight'] == pytest.approx(0.75**depth)
    assert scales[f'backbone.blocks.{depth - 1}.weight'] == 0.75


def test_mixed_precision_on_the_cpu() -> None:
    layer = nn.Linear(4, 4)
    wrapper = CPUAmpOptimWrapper(torch.optim.SGD(layer.parameters(), lr=0.5))
    before = layer.weight.detach().clone()
    with wrapper.optim_context(layer):
        out = layer(torch.ones(2, 4))
    assert out.dtype == torch.bfloat16 and layer(torch.ones(2, 4)).dtype == torch.float32
    wrapper.update_params(out.float().mean())
    torch.testing.assert_close(layer.weight, before - 0.5 / 4)


@pytest.mark.parametrize('fused', [True, False])
@pytest.mark.parametrize('scaled', [True, False])
def test_a_resumed_optimiser_keeps_its_implementation(fused: bool, scaled: bool) -> None:
    """A run on a GPU is fused, its continuation elsewhere need not be; the scaler of float16 relies on it."""
    layers = [nn.Linear(3, 2) for _ in range(2)]
    optimizers = [
        torch.optim.AdamW(layer.parameters(), fused=flag)
        for layer, flag in zip(layers, (not fused, fused), strict=True)
    ]
    layers[0](torch.ones(1, 3)).sum().backward()
    optimizers[0].step()
    keep_implementation(optimizers[1])
    optimizers[1].load_state_dict(optimizers[0].state_dict())
    assert optimizers[1].param_groups[0]['fused'] == fused
    assert optimizers[1].state[layers[1].weight]['step'].item() == 1
    scaler, before = torch.amp.GradScaler('cpu', enabled=scaled), layers[1].weight.detach().clone()
    scaler.scale(layers[1](torch.ones(1, 3)).sum()).backward()
    scaler.step(optimizers[1])
    assert not torch.equal(layers[1].weight, before)
    assert optimizers[1].state[layers[1].weight]['step'].item() == 2


@pytest.mark.parametrize(
    ('settings', 'expected'),
    [
        (dict(type='AdamW'), True),
        (dict(type=torch.optim.Adam), True),
        (dict(type='AdamW', foreach=True), False),
        (dict(type='AdamW', fused=False), False),
        (dict(type='SGD'), False),
        (dict(type='unknown'), False),
    ],
)
def test_only_adam_is_fused_by_default(settings: dict, expected: bool) -> None:
    assert _may_be_fused(settings) == expected
