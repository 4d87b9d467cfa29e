"""SIGMA and VideoMAE as a whole: parity with the releases, who learns from what, modes and size."""

import copy
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import torch
from mmaction.structures import ActionDataSample
from torch import Tensor, nn

from mmsigma.checkpoints.official_names import from_official, to_official
from mmsigma.models.sigma.prototype_head import cosine_scores
from mmsigma.ops import TokenSplit, sinkhorn, split_tokens
from mmsigma.registry import MODELS
from mmsigma.utils.config import load_config
from tests import algorithms
from tests.dist.workers import joint_batch
from tests.models.conftest import TARGETS


class Official(NamedTuple):
    """A golden vector, a model with its weights, and the vector's input."""

    arrays: dict[str, np.ndarray]
    entry: dict
    model: nn.Module
    inputs: Tensor
    split: TokenSplit


@pytest.fixture(params=['pretrain_mlp', 'pretrain_dino', 'videomae_pretrain'])
def official(request: pytest.FixtureRequest, golden, tmp_path: Path) -> Official:
    vector = golden(request.param)
    torch.save(golden('dino_vit').tensors('sd/'), tmp_path / 'teacher.pth')
    model = MODELS.build(official_cfg(vector.entry['config'], teacher=str(tmp_path / 'teacher.pth')))
    model.load_state_dict(from_official(vector.tensors('sd/')))
    inputs = vector.tensors('in/')
    return Official(*vector, model, inputs['clip'], split_tokens(inputs['mask']))


def official_cfg(cfg: dict, teacher: str) -> dict:
    side, patch = cfg['img_size'], cfg['patch_size']
    backbone, neck = (
        dict(embed_dims=cfg[f'{part}_embed_dim'], depth=cfg[f'{part}_depth'], num_heads=cfg[f'{part}_num_heads'])
        for part in ('encoder', 'decoder')
    )
    if 'head' in cfg:
        target = dict(type='MLPTarget', hidden_channels=cfg['head'], out_channels=cfg['out'], patch_size=patch)
    elif 't_dim' in cfg:
        tiny = dict(embed_dim=cfg['t_dim'], depth=cfg['t_depth'], num_heads=cfg['t_heads'])
        place = dict(img_size=side, grid=(side // patch, side // patch))
        target = dict(type='FrozenEncoderTarget', weights=teacher, model_kwargs=tiny, **place)
    else:
        target = dict(type='PixelTarget', patch_size=patch)
    head = dict(type='RegressionHead')
    if 'K' in cfg:
        loss = dict(type='SwappedAssignmentLoss', epsilon=cfg['eps'], num_iters=cfg['iters'])
        head = dict(type='PrototypeHead', num_prototypes=cfg['K'], loss=loss)
    shape = dict(img_size=side, num_frames=cfg['frames'], patch_size=patch)
    backbone = dict(type='VideoVisionTransformer', arch=backbone, **shape)
    return dict(type='SIGMA', backbone=backbone, neck=dict(type='MaskedVideoDecoder', **neck), target=target, head=head)


def samples_with_masks(split: TokenSplit) -> list[ActionDataSample]:
    samples = []
    for masked in split.masked:
        mask = torch.zeros(split.visible.shape[1] + len(masked), dtype=torch.bool)
        samples.append(ActionDataSample())
        samples[-1].set_field(mask.index_fill(0, masked, True), 'mask')
    return samples


def total(losses: dict[str, Tensor]) -> Tensor:
    return sum(value for name, value in losses.items() if 'loss' in name)


def assert_close(found: Tensor, expected: np.ndarray, atol: float = 1e-5, rtol: float = 1e-4) -> None:
    np.testing.assert_allclose(found.detach().numpy(), expected, atol=atol, rtol=rtol)


def test_official_activations(official: Official) -> None:
    arrays, _, model, inputs, split = official
    tokens = model.backbone(inputs, split)
    target = model.target(inputs, split)
    found = {
        'out/patch_tokens_all': model.backbone.patch_embed(inputs),
        'out/encoder': tokens,
        'out/encoder_to_decoder': model.neck.embed(tokens),
        'out/decoder': model.neck(tokens, split),
        'out/projection': target,
        'out/labels': target,
        'buf/encoder_pos_embed': model.backbone.pos_embed,
        'buf/decoder_pos_embed': model.neck.pos_embed,
    }
    known = found.keys() & arrays.keys()
    assert {'out/decoder'} < known
    for name in known:
        if name == 'out/labels':
            assert_close(found[name], arrays[name], atol=1e-4, rtol=0)
        else:
            assert_close(found[name], arrays[name])


@pytest.mark.parametrize('official', ['pretrain_mlp', 'pretrain_dino'], indirect=True)
def test_official_scores_and_codes(official: Official) -> None:
    arrays, entry, model, inputs, split = official
    if 'out/prototypes_after_forward' in arrays:
        assert_close(model.head.unit_prototypes(), arrays['out/prototypes_after_forward'])
    features = dict(phi=model.target(inputs, split), psi=model.neck(model.backbone(inputs, split), split))
    for branch, values in features.items():
        scores = model.head.scores(values)
        assert_close(scores, arrays[f'out/scores_{branch}'])
        codes = sinkhorn(scores.flatten(0, 1), entry['config']['eps'], entry['config']['iters'])
        assert_close(codes.view_as(scores), arrays[f'out/q_{branch}'], atol=5e-5, rtol=0)


def test_official_loss_and_gradients(official: Official) -> None:
    arrays, entry, model, inputs, split = official
    loss = total(model(inputs, samples_with_masks(split), mode='loss'))
    assert loss.item() == pytest.approx(arrays['out/loss'].item(), rel=1e-5)
    loss.backward()
    found = {name: parameter.grad for name, parameter in to_official(dict(model.named_parameters())).items()}
    assert found.keys() == entry['grad_l2_norms'].keys()
    for name, norm in entry['grad_l2_norms'].items():
        assert found[name].norm().item() == pytest.approx(norm, rel=1e-3), name
    stored = {name: array for name, array in arrays.items() if name.startswith('grad/')}
    assert len(stored) > 2
    for name, array in stored.items():
        assert_close(found[name.removeprefix('grad/')], array, atol=1e-3 * np.abs(array).max(), rtol=0)


@pytest.mark.parametrize('official', ['pretrain_dino'], indirect=True)
def test_official_l2_ablation(official: Official) -> None:
    arrays, _, model, inputs, split = official
    model.head = MODELS.build(dict(type='RegressionHead'))
    assert total(model.loss(inputs, split)).item() == pytest.approx(arrays['out/loss_L2_mode'].item(), rel=1e-5)


@pytest.mark.parametrize(
    ('target', 'head'),
    [
        ('mlp', dict()),
        ('mlp', dict(num_prototypes=[4, 10])),
        ('mlp', dict(detach_prototypes_for_pred=False)),
        ('mlp', dict(loss=dict(type='SwappedAssignmentLoss', hard_labels=False))),
        ('mlp', dict(type='RegressionHead')),
        ('dino', dict()),
        ('dino', dict(type='RegressionHead')),
        ('pixel', dict()),
    ],
)
def test_every_parameter_learns(build_tiny: Callable, tiny_batch, target: str, head: dict) -> None:
    model = build_tiny(target, **head)
    losses = model.loss(*tiny_batch)
    prototypes = [p.detach().clone() for p in getattr(model.head, 'prototypes', [])]
    total(losses).backward()
    used = {name: p.grad is not None and bool(p.grad.abs().sum() > 0) for name, p in model.named_parameters()}
    assert [name for name, has_gradient in used.items() if not has_gradient] == []
    for vectors in prototypes:
        torch.testing.assert_close(vectors.norm(dim=1), torch.ones(len(vectors)))


@pytest.mark.parametrize('detach', [True, False])
def test_each_term_teaches_its_own_branch(build_tiny: Callable, tiny_batch, detach: bool) -> None:
    model = build_tiny('mlp', detach_prototypes_for_pred=detach)
    losses = model.loss(*tiny_batch)
    names = {
        term: {
            name.split('.')[0]
            for name, gradient in zip(
                dict(model.named_parameters()),
                torch.autograd.grad(losses[term], list(model.parameters()), allow_unused=True),
                strict=True,
            )
            if gradient is not None and gradient.abs().sum() > 0
        }
        for term in ('loss_target', 'loss_pred')
    }
    assert names['loss_target'] == {'target', 'head'}
    assert names['loss_pred'] == ({'backbone', 'neck'} if detach else {'backbone', 'neck', 'head'})


@pytest.mark.parametrize('target', ['mlp', 'dino', 'pixel'])
def test_autocast_changes_the_loss_by_little(build_tiny: Callable, tiny_batch, target: str) -> None:
    model = build_tiny(target)
    expected = total(model.loss(*tiny_batch))
    with torch.autocast('cpu', torch.bfloat16):
        losses = model.loss(*tiny_batch)
    assert {value.dtype for value in losses.values()} == {torch.float32}
    assert 0 < abs(total(losses) - expected) < 0.02 * expected


def test_tensor_mode_gives_all_tokens(build_tiny: Callable, tiny_batch) -> None:
    model = build_tiny('pixel')
    tokens = model(tiny_batch[0])
    assert tokens.shape == (2, 32, 24)
    assert torch.equal(tokens, model.backbone(tiny_batch[0]))


def test_predict_mode_adds_mean_features(build_tiny: Callable, tiny_batch) -> None:
    model, samples = build_tiny('pixel'), [ActionDataSample(), ActionDataSample()]
    assert model(tiny_batch[0], samples, mode='predict') is samples
    features = torch.stack([sample.mean_features for sample in samples])
    torch.testing.assert_close(features, model(tiny_batch[0]).mean(1))


def test_unknown_mode(build_tiny: Callable, tiny_batch) -> None:
    with pytest.raises(ValueError, match="'loss', 'predict' or 'tensor', got 'los'"):
        build_tiny('pixel')(tiny_batch[0], mode='los')


@pytest.mark.parametrize('samples', [None, [], [ActionDataSample()]])
def test_loss_without_masks_says_what_to_add(build_tiny: Callable, tiny_batch, samples: list | None) -> None:
    with pytest.raises(ValueError, match='carry no mask.*PackVideoInputs'):
        build_tiny('pixel')(tiny_batch[0], samples, mode='loss')


@pytest.mark.parametrize(
    ('length', 'grid', 'message'),
    [
        (32, (2, 4, 4), ''),
        (32, None, ''),
        (16, None, r'of 16 tokens does .* model\.backbone, whose grid is \(2, 4, 4\): set grid=.*dataset\.pipeline'),
        (64, (4, 4, 4), r'drawn on the grid \(4, 4, 4\) does not belong'),
        (32, (4, 2, 4), r'drawn on the grid \(4, 2, 4\) does not belong'),
    ],
)
def test_mask_has_to_belong_to_the_grid(build_tiny: Callable, tiny_batch, length: int, grid, message: str) -> None:
    sample = ActionDataSample(metainfo=dict(mask_grid=grid) if grid else {})
    sample.set_field(torch.arange(length) < length // 2, 'mask')
    model = build_tiny('pixel')
    if not message:
        assert model(tiny_batch[0], [sample] * 2, mode='loss')['loss_reconstruction'] > 0
        return
    with pytest.raises(ValueError, match=message):
        model(tiny_batch[0], [sample] * 2, mode='loss')


@pytest.mark.parametrize(
    ('target', 'settings', 'message'),
    [
        ('pixel', dict(patch_size=16), r'model\.target\.patch_size is 16, .* must be 8: its grid is \(2, 4, 4\)'),
        ('mlp', dict(tubelet_size=1), r'model\.target\.tubelet_size is 1, .* must be 2'),
        ('dino', dict(grid=(2, 2)), r'model\.target\.grid is \(2, 2\), .* must be \(4, 4\)'),
        ('dino', dict(tubelet_size=4), r'model\.target\.tubelet_size is 4, .* must be 2'),
    ],
)
def test_target_has_to_cut_as_the_backbone(build_tiny: Callable, target: str, settings: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build_tiny({**TARGETS[target], **settings}, type='RegressionHead')


def test_prototype_scores_cover_all_tokens_in_order(build_tiny: Callable, tiny_batch) -> None:
    model, (inputs, split) = build_tiny('mlp', num_prototypes=[5, 7]), tiny_batch
    scores = model.prototype_scores(inputs, level=1)
    assert scores.shape == (2, 32, 7) and not scores.requires_grad
    masked = model.head.scores(model.target(inputs, split), level=1)
    torch.testing.assert_close(scores.gather(1, split.masked[..., None].expand(-1, -1, 7)), masked)


def test_steps_reduce_the_loss(build_tiny: Callable, tiny_batch) -> None:
    model = build_tiny('pixel')
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    history = []
    for _ in range(30):
        loss = total(model.loss(*tiny_batch))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        history.append(loss.item())
    assert history[-1] < 0.9 * history[0]


def test_names_and_shapes_of_the_release(golden, repository: Path) -> None:
    release = golden('pretrain_param_groups').arrays
    model = build_on_meta(repository, 'vitb_k400_mlp', {'model.head.num_prototypes': 3000})
    ours = {name: list(parameter.shape) for name, parameter in to_official(dict(model.named_parameters())).items()}
    assert ours == {name: shape for name, (shape, *_) in release['params'].items()}
    assert model.state_dict().keys() == dict(model.named_parameters()).keys()
    assert count(model) == release['num_params'] == 97765760


@pytest.mark.parametrize(
    ('name', 'part', 'millions'),
    [
        ('vitb_k400_mlp', '', 98.02),
        ('vitb_k400_mlp', 'backbone', 86.23),
        ('vitb_k400_mlp', 'neck', 7.20 + 768 * 384 / 1e6),  # the decoder and the projection before it
        ('vitb_k400_mlp', 'target', 3.28),
        ('vitb_k400_dino', '', 96.22),
        ('vits_k400_dino', '', 26.19),
    ],
)
def test_millions_of_parameters(repository: Path, name: str, part: str, millions: float) -> None:
    options = {'model.target.weights': 'random'} if 'dino' in name else {}
    model = build_on_meta(repository, name, options)
    assert count(model.get_submodule(part)) / 1e6 == pytest.approx(millions, abs=0.005)


def build_on_meta(repository: Path, name: str, options: dict) -> nn.Module:
    cfg = load_config(repository / 'configs' / 'sigma' / f'{name}.py', options)
    with torch.device('meta'):
        return MODELS.build(cfg.model)


def count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


GRAPHS = [(name, 'aot_eager') for name in algorithms.CASES if name.startswith('SIGMA') or name == 'regressed MLP']
WITH_COMPILER = [pytest.mark.slow, pytest.mark.skipif(not shutil.which('g++'), reason='no C++ compiler for inductor')]
GRAPHS.append(pytest.param('SIGMA with an MLP', 'inductor', marks=WITH_COMPILER))


@pytest.mark.parametrize(('name', 'backend'), GRAPHS)
def test_one_graph_with_equal_gradients(name: str, backend: str) -> None:
    eager = algorithms.CASES[name].build().train()
    compiled = copy.deepcopy(eager)
    clips, mask = joint_batch()
    split = split_tokens(mask)
    torch._dynamo.reset()
    run = torch.compile(compiled.loss, fullgraph=True, backend=backend)
    optimizers = [torch.optim.SGD(model.parameters(), lr=1.0) for model in (eager, compiled)]
    for _ in range(2):  # the second step begins with prototypes that are no longer unit vectors
        expected, found = eager.loss(clips, split), run(clips, split)
        assert expected.keys() == found.keys()
        for key, value in expected.items():
            torch.testing.assert_close(found[key], value, atol=1e-5, rtol=1e-4)
        for losses, optimizer in zip((expected, found), optimizers, strict=True):
            optimizer.zero_grad()
            algorithms.total(losses).backward()
        for (key, one), two in zip(eager.named_parameters(), compiled.parameters(), strict=True):
            torch.testing.assert_close(two.grad, one.grad, atol=1e-5, rtol=1e-3, msg=lambda text, key=key: key + text)
        for optimizer in optimizers:
            optimizer.step()


def test_a_copied_teacher_is_another_one_in_the_graph() -> None:
    first = algorithms.CASES['SIGMA with a frozen encoder'].build()
    second = copy.deepcopy(first)
    for parameter in second.target.encoder.parameters():
        parameter.data.mul_(1.5)
    clips, mask = joint_batch()
    split = split_tokens(mask)
    torch._dynamo.reset()
    run = [torch.compile(model.target, fullgraph=True, backend='aot_eager') for model in (first, second)]
    for model, compiled in zip((first, second), run, strict=True):
        torch.testing.assert_close(compiled(clips, split), model.target(clips, split))
    assert not torch.allclose(first.target(clips, split), second.target(clips, split))


@pytest.mark.parametrize(('precision', 'amp'), [('float32', True), ('amp', True), ('amp', False)])
def test_a_compiled_teacher_has_the_precision_of_an_eager_one(precision: str, amp: bool) -> None:
    target = algorithms.CASES['SIGMA with a frozen encoder'].build().target
    target.precision = precision
    seen: list[torch.dtype] = []
    target.encoder.register_forward_hook(
        lambda module, inputs, output: seen.append(
            torch.get_autocast_dtype('cpu') if torch.is_autocast_enabled('cpu') else torch.float32
        )
    )
    clips, mask = joint_batch()
    split = split_tokens(mask)
    torch._dynamo.reset()
    found = []
    for run in (target, torch.compile(target, fullgraph=True, backend='aot_eager')):
        with torch.autocast('cpu', torch.bfloat16, enabled=amp):
            found.append(run(clips, split))
    assert seen == [torch.bfloat16 if amp and precision == 'amp' else torch.float32] * 2
    torch.testing.assert_close(*found)


def test_compiled_gradients_of_scores_are_float32_under_autocast() -> None:
    features, prototypes = torch.randn(40, 24), torch.nn.functional.normalize(torch.randn(12, 24), dim=1)
    weights, found = torch.randn(40, 12), []
    torch._dynamo.reset()
    for run in (cosine_scores, torch.compile(cosine_scores, fullgraph=True, backend='aot_eager')):
        given = [values.clone().requires_grad_() for values in (features, prototypes)]
        with torch.autocast('cpu', torch.bfloat16):
            scores = run(*given)
        (scores * weights).sum().backward()
        found.append([value.grad for value in given])
    for eager, compiled in zip(*found, strict=True):
        torch.testing.assert_close(compiled, eager, atol=1e-5, rtol=1e-5)


class TestEveryOtherSlot:
    """A teacher that sees every other tubelet: the others are left out of both branches."""

    @pytest.fixture
    def model(self, build_tiny: Callable) -> nn.Module:
        return build_tiny(dict(TARGETS['dino'], every=2))

    def test_loss_is_that_of_the_seen_tubes(self, model: nn.Module) -> None:
        clip, generator = torch.randn(2, 3, 4, 32, 32), torch.Generator().manual_seed(0)
        mask = torch.stack([torch.randperm(16, generator=generator) < 12 for _ in range(2)]).repeat(1, 2)
        split = split_tokens(mask)
        found = model.loss(clip, split)
        first = mask.clone()
        first[:, 16:] = False  # the second of two slots is not seen
        kept = torch.stack([row.nonzero()[:, 0] for row in first])
        pred = model.neck(model.backbone(clip, split), split)[:, :12]
        expected = model.head.loss(pred, model.target(clip, TokenSplit(split.visible, kept)))
        for name in ('loss_target', 'loss_pred'):
            torch.testing.assert_close(found[name], expected[name])
        total(found).backward()
        assert all(parameter.grad is not None for parameter in model.parameters() if parameter.requires_grad)

    def test_masks_of_unequal_slots_are_refused(self, model: nn.Module) -> None:
        mask = torch.zeros(1, 32, dtype=torch.bool)
        mask[0, :20] = True
        samples = samples_with_masks(split_tokens(mask))
        with pytest.raises(
            ValueError, match=r'every=2 needs masks with equally many .*, got \[16, 4\]: use TubeMask or'
        ):
            model(torch.randn(1, 3, 4, 32, 32), samples, mode='loss')
        mask = torch.ones(1, 32, dtype=torch.bool).index_fill(1, torch.tensor([3, 20]), False)
        assert model(torch.randn(1, 3, 4, 32, 32), samples_with_masks(split_tokens(mask)), mode='loss')['loss_pred'] > 0
