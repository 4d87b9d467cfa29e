"""Targets: parity with the releases, and a teacher that nothing can move."""

import copy
import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import timm
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmsigma.checkpoints.files import CheckpointError
from mmsigma.checkpoints.io import NonFiniteError
from mmsigma.models import FrozenEncoderTarget, MLPTarget, PixelTarget, ResNetEncoder
from mmsigma.models.parts import PartError
from mmsigma.ops import Linear, TokenSplit, split_tokens

DINO = 'vit_base_patch16_224.dino'
TINY = dict(embed_dim=24, depth=2, num_heads=2)


def all_masked(num_clips: int, num_tokens: int) -> TokenSplit:
    everything = torch.arange(num_tokens).expand(num_clips, -1)
    return TokenSplit(visible=everything, masked=everything)


def save(state: dict, path: Path) -> str:
    torch.save(state, path)
    return str(path)


def teacher(weights: str = 'random', model_name: str = DINO, **kwargs) -> FrozenEncoderTarget:
    return FrozenEncoderTarget(model_name, weights, **{'model_kwargs': TINY, 'img_size': 48, 'grid': (3, 3), **kwargs})


@pytest.fixture
def dino_state(golden) -> dict[str, Tensor]:
    """Parameters of the tiny DINO of the golden vectors, under their official names."""
    return golden('dino_vit').tensors('sd/')


class TestPixels:
    @pytest.fixture
    def vector(self, golden) -> dict[str, np.ndarray]:
        return golden('pixel_target').arrays

    @pytest.mark.parametrize(
        ('normalize', 'name', 'atol'), [(True, 'target_norm_all', 2e-5), (False, 'target_raw_all', 1e-6)]
    )
    def test_official_pixels(self, vector: dict, normalize: bool, name: str, atol: float) -> None:
        found = PixelTarget(8, normalize=normalize)(torch.from_numpy(vector['clip']), all_masked(2, 18))
        np.testing.assert_allclose(found, vector[name], atol=atol)

    def test_noise_of_empty_tubes_stays_small(self) -> None:
        """Tubes with content are standardised as ever; those without are divided by the smallest deviation."""
        generator = torch.Generator().manual_seed(0)
        clip = torch.randn(1, 3, 2, 8, 16, generator=generator)  # in deviations of the data set, about 58 grey levels
        clip[..., 8:] *= 0.01  # half a grey level
        plain, floored = (PixelTarget(8, min_deviation=value)(clip, all_masked(1, 2)) for value in (0.0, 5.0))
        torch.testing.assert_close(floored[:, 0], plain[:, 0])
        scale = torch.tensor([58.395, 57.12, 57.375]) / 5.0  # (tube, pixels, channels): deviations of 5 grey levels
        tube = clip[0, :, :, :, 8:].flatten(1)
        expected = ((tube - tube.mean(dim=1, keepdim=True)) * scale[:, None]).T.flatten()
        torch.testing.assert_close(floored[0, 1], expected, atol=1e-5, rtol=1e-4)
        assert plain[0, 1].std() > 0.9 and floored[0, 1].std() < 0.15

    def test_official_masked_pixels(self, vector: dict) -> None:
        split = split_tokens(torch.from_numpy(vector['mask']))
        found = PixelTarget(8)(torch.from_numpy(vector['clip']), split)
        np.testing.assert_allclose(found, vector['target_norm_masked'], atol=2e-5)
        assert found.square().mean().item() == pytest.approx(vector['mse_against_zero_masked'].item(), rel=1e-5)

    def test_official_constant_patch(self, vector: dict) -> None:
        found = PixelTarget(8)(torch.from_numpy(vector['clip_with_constant_patch']), all_masked(2, 18)).numpy()
        expected = vector['target_norm_constant_patch']
        constant = np.isin(np.arange(18), [0, 9])  # the first token of each time
        np.testing.assert_allclose(found[:, ~constant], expected[:, ~constant], atol=2e-5)
        np.testing.assert_allclose(found[:, constant], expected[:, constant], atol=0.5)

    def test_other_tubes_and_statistics(self) -> None:
        target = PixelTarget(4, 3, normalize=False, mean=[51.0], std=[25.5])
        found = target(torch.full((1, 1, 3, 4, 8), 2.0), all_masked(1, 2))
        assert target.out_channels == 48
        torch.testing.assert_close(found, torch.full((1, 2, 48), 0.4))

    def test_clip_is_left_as_it_was(self, vector: dict) -> None:
        clip = torch.from_numpy(vector['clip'].copy())
        PixelTarget(8)(clip, all_masked(2, 18))
        assert torch.equal(clip, torch.from_numpy(vector['clip']))


class TestMLP:
    def test_layers_of_the_release(self) -> None:
        target = MLPTarget()
        assert [tuple(p.shape) for p in target.mlp.parameters() if p.ndim == 2] == [
            (1024, 1536),
            (1024, 1024),
            (512, 1024),
            (256, 512),
        ]
        assert [type(layer) for layer in target.mlp] == [Linear, nn.GELU] * 3 + [Linear]
        assert target.out_channels == 256

    def test_projects_normalised_pixels(self) -> None:
        target, clip = MLPTarget((8,), 5, patch_size=8), torch.randn(1, 3, 2, 16, 16)
        split = split_tokens(torch.tensor([[True, False, True, True]]))
        assert torch.equal(target(clip, split), target.mlp(PixelTarget(8)(clip, split)))


class TestFrozenEncoder:
    @pytest.mark.parametrize(
        'wrap',
        [
            lambda state: state,
            lambda state: {'state_dict': state},
            lambda state: {'epoch': 3, 'teacher': {f'module.backbone.{name}': value for name, value in state.items()}},
            lambda state: {**state, 'head.mlp.0.weight': torch.zeros(4, 24)},
        ],
        ids=['weights', 'state_dict', 'whole training file', 'with projection head'],
    )
    def test_official_tokens(self, golden, dino_state: dict, tmp_path: Path, wrap: Callable) -> None:
        vector = golden('dino_vit')
        found = teacher(save(wrap(dino_state), tmp_path / 'dino.pth')).encode(vector.tensors('in/')['frames'])
        np.testing.assert_allclose(found, vector.arrays['out/tokens'][:, 1:], atol=2e-5, rtol=1e-4)

    def test_official_tokens_of_larger_frames(self, golden, dino_state: dict, tmp_path: Path) -> None:
        vector, weights = golden('dino_vit'), save(dino_state, tmp_path / 'dino.pth')
        found = teacher(weights, img_size=80, grid=(5, 5)).encode(vector.tensors('in/')['frames_larger'])
        np.testing.assert_allclose(found, vector.arrays['out/tokens_larger'][:, 1:], atol=1e-4)

    def test_official_features_and_labels(self, golden, dino_state: dict, tmp_path: Path) -> None:
        vector, target = golden('pretrain_dino'), teacher(save(dino_state, tmp_path / 'dino.pth'))
        clip, mask = vector.tensors('in/')['clip'], vector.tensors('in/')['mask']
        features = target.encode(clip[:, :, ::2].transpose(1, 2).flatten(0, 1))
        np.testing.assert_allclose(features.view(2, 2, 9, 24), vector.arrays['in/teacher_features'], atol=2e-5)
        np.testing.assert_allclose(target(clip, split_tokens(mask)), vector.arrays['out/labels'], atol=1e-4)

    def test_tokens_of_a_clip_are_standardised_together(self) -> None:
        tokens = teacher()(torch.randn(2, 3, 6, 48, 48), all_masked(2, 27))
        torch.testing.assert_close(tokens.mean(1), torch.zeros(2, 24), atol=1e-5, rtol=0)
        torch.testing.assert_close(tokens.std(1), torch.ones(2, 24), atol=1e-4, rtol=0)

    def test_tokens_are_left_alone_on_demand(self) -> None:
        target, clip = teacher(standardize=False), torch.randn(1, 3, 2, 48, 48)
        assert torch.equal(target(clip, all_masked(1, 9)), target.encode(clip[:, :, 0]))

    @pytest.mark.parametrize(('settings', 'frame'), [({}, 0), (dict(frame=2), 2)])
    def test_sees_one_frame_of_every_tubelet(self, settings: dict, frame: int) -> None:
        target, clip = teacher(tubelet_size=3, **settings), torch.randn(1, 3, 6, 48, 48)
        before = target(clip, all_masked(1, 18))
        clip[:, :, [time for time in range(6) if time % 3 != frame]] = 0
        assert torch.equal(target(clip, all_masked(1, 18)), before)
        clip[:, :, 3 + frame] = 0
        assert not torch.allclose(target(clip, all_masked(1, 18)), before)

    def test_other_grid_is_resized_bilinearly(self) -> None:
        torch.manual_seed(3)
        own = teacher(img_size=64, grid=(4, 4))
        frames = torch.randn(2, 3, 64, 64)
        maps = own.encode(frames).transpose(1, 2).reshape(2, 24, 4, 4)
        own.grid = (3, 2)
        expected = F.interpolate(maps, size=(3, 2), mode='bilinear').flatten(2).transpose(1, 2)
        torch.testing.assert_close(own.encode(frames), expected)

    def test_errors_name_the_key_of_the_config(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def offline(*args, pretrained: bool = False, **kwargs) -> nn.Module:
            if pretrained:
                raise OSError('no route to host')
            return create(*args, **kwargs)

        create = timm.create_model
        monkeypatch.setattr(timm, 'create_model', offline)
        with pytest.raises(CheckpointError, match=r'no route to host.* --cfg-options model\.target\.weights=/path/to/'):
            teacher('hub')

    @pytest.mark.parametrize(('every', 'frame'), [(2, 0), (2, 1), (3, 0)])
    def test_every_other_tubelet(self, every: int, frame: int) -> None:
        """Tokens of encoded tubelets are as ever, others those of the one before; fewer frames are encoded."""
        torch.manual_seed(0)
        plain, sparse = teacher(standardize=False, frame=frame), teacher(standardize=False, frame=frame, every=every)
        sparse.encoder.load_state_dict(plain.encoder.state_dict())
        clip, seen = torch.randn(2, 3, 10, 48, 48), []
        sparse.encoder.register_forward_pre_hook(lambda _, given: seen.append(len(given[0])))
        expected = plain(clip, all_masked(2, 45)).unflatten(1, (5, 9))
        found = sparse(clip, all_masked(2, 45)).unflatten(1, (5, 9))
        for slot in range(5):
            torch.testing.assert_close(found[:, slot], expected[:, slot // every * every])
        assert seen == [2 * -(-5 // every)]
        some = torch.tensor([[3, 17, 40], [0, 8, 44]])
        selected = sparse(clip, TokenSplit(visible=some, masked=some))
        torch.testing.assert_close(
            selected, torch.stack([own[rows] for own, rows in zip(found.flatten(1, 2), some, strict=True)])
        )

    def test_encoded_tokens_alone_are_standardised(self) -> None:
        tokens = (
            teacher(every=2)(torch.randn(1, 3, 8, 48, 48), all_masked(1, 36)).unflatten(1, (4, 9))[:, ::2].flatten(1, 2)
        )
        torch.testing.assert_close(tokens.mean(1), torch.zeros(1, 24), atol=1e-5, rtol=0)
        torch.testing.assert_close(tokens.std(1), torch.ones(1, 24), atol=1e-4, rtol=0)

    def test_no_distance_between_tubelets(self) -> None:
        with pytest.raises(ValueError, match='every must be positive, got 0'):
            teacher(every=0)

    @pytest.mark.parametrize('backend', ['aot_eager', pytest.param(None, marks=pytest.mark.slow)])
    def test_compiled(self, backend: str | None) -> None:
        """Same numbers, names of parameters and copies, also inside a step that is compiled itself."""
        torch.manual_seed(0)
        plain, compiled = teacher(), teacher(compile=dict(backend=backend) if backend else True)
        compiled.encoder.load_state_dict(plain.encoder.state_dict())  # same names
        clip, split = torch.randn(2, 3, 10, 48, 48), all_masked(2, 45)
        before = torch._dynamo.utils.counters['stats']['unique_graphs']
        expected, found = plain(clip, split), compiled(clip, split)
        assert torch._dynamo.utils.counters['stats']['unique_graphs'] > before
        torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(copy.deepcopy(compiled)(clip, split), expected, atol=1e-5, rtol=1e-5)
        assert not compiled.state_dict()
        whole = torch.compile(lambda inputs: 2 * compiled(inputs, split), backend='eager')
        torch.testing.assert_close(whole(clip), 2 * expected, atol=1e-5, rtol=1e-5)

    def test_frame_outside_of_the_tubelet(self) -> None:
        with pytest.raises(ValueError, match='frame must be one of the 2 of a tubelet, from 0, got 2'):
            teacher(frame=2)

    def test_unknown_precision(self) -> None:
        with pytest.raises(ValueError, match="'float32', 'amp' or 'auto', got 'half'"):
            teacher(precision='half')

    @pytest.mark.parametrize('precision', ['float32', 'amp'])
    def test_precision_inside_autocast(self, precision: str) -> None:
        target, frames = teacher(precision=precision), torch.randn(1, 3, 48, 48)
        expected = target.encode(frames)
        with torch.autocast('cpu', torch.bfloat16):
            found = target.encode(frames)
        assert found.dtype == torch.float32
        assert torch.equal(found, expected) == (precision == 'float32')
        torch.testing.assert_close(found, expected, atol=0.1, rtol=0.1)

    @pytest.mark.parametrize('model_name', ['tf_efficientnet_lite0', 'mobilenetv2_100', 'resnet18'])
    def test_convolutional_teachers_fit_any_grid(self, model_name: str) -> None:
        torch.manual_seed(0)
        target = teacher(model_name=model_name, stage=3, model_kwargs=None, img_size=64, grid=(3, 3))
        frames = torch.randn(2, 3, 64, 64)
        maps = target.encoder(frames)
        assert maps.shape == (2, target.out_channels, 4, 4)
        expected = F.interpolate(maps, size=(3, 3), mode='bilinear').flatten(2).transpose(1, 2)
        torch.testing.assert_close(target.encode(frames), expected)

    def test_frames_are_resized_to_the_size_of_the_teacher(self) -> None:
        frames = torch.randn(1, 3, 96, 96)
        target = teacher()
        reduced = F.interpolate(frames, size=(48, 48), mode='bilinear', antialias=True)
        torch.testing.assert_close(target.encode(frames), target.encode(reduced))
        target.img_size = None
        target.grid = (6, 6)
        assert target.encode(frames).shape == (1, 36, 24)

    def test_encoder_of_ones_own(self, tmp_path: Path) -> None:
        weights = ResNetEncoder(18, out_stage=3).state_dict()
        pretrained = dict(type='Pretrained', checkpoint=save(weights, tmp_path / 'own.pth'))
        encoder = dict(type='ResNetEncoder', depth=18, out_stage=3, init_cfg=pretrained)
        target = FrozenEncoderTarget(encoder=encoder, img_size=None, grid=(2, 3))
        torch.testing.assert_close(dict(target.encoder.state_dict()), dict(weights))
        assert target.out_channels == 256 and not target.encoder.training
        found = target(torch.randn(1, 3, 4, 32, 48), all_masked(1, 12))
        assert found.shape == (1, 12, 256)
        torch.testing.assert_close(found.mean(dim=1), torch.zeros(1, 256), atol=1e-5, rtol=0)

    def test_encoder_of_ones_own_that_lacks_a_member(self) -> None:
        with pytest.raises(PartError, match=r"model\.target\.encoder: MLPTarget has no 'embed_dims', 'stride'"):
            FrozenEncoderTarget(encoder=dict(type='MLPTarget'))

    def test_encoder_of_ones_own_with_nan(self, tmp_path: Path) -> None:
        weights = ResNetEncoder(18, out_stage=3).state_dict()
        weights['bn1.weight'][3] = torch.nan
        pretrained = dict(type='Pretrained', checkpoint=save(weights, tmp_path / 'own.pth'))
        with pytest.raises(NonFiniteError, match=r'model\.target\.encoder contains NaN .* for example bn1\.weight'):
            FrozenEncoderTarget(encoder=dict(type='ResNetEncoder', out_stage=3, init_cfg=pretrained))

    def test_model_does_not_know_the_teacher(self, build_tiny: Callable) -> None:
        model = build_tiny('dino')
        names = dict(model.named_parameters()).keys() | dict(model.named_buffers()).keys() | model.state_dict().keys()
        assert not [name for name in names if name.startswith('target')]
        assert not any(parameter.requires_grad for parameter in model.target.encoder.parameters())

    @pytest.mark.parametrize(
        'disturb',
        [
            lambda model: model.init_weights(),
            lambda model: model.train(),
            lambda model: model.apply(lambda module: nn.init.zeros_(module.weight) if hasattr(module, 'weight') else 0),
            lambda model: model.requires_grad_(True),
            lambda model: model.load_state_dict(model.state_dict()),
        ],
        ids=['init_weights', 'train', 'apply', 'requires_grad', 'load'],
    )
    def test_nothing_moves_the_teacher(self, build_tiny: Callable, disturb: Callable) -> None:
        model = build_tiny('dino')
        before = copy.deepcopy(model.target.encoder.state_dict())
        disturb(model)
        encoder = model.target.encoder
        torch.testing.assert_close(dict(encoder.state_dict()), dict(before), atol=0, rtol=0)
        assert not any(module.training for module in encoder.modules())
        assert not any(parameter.requires_grad for parameter in encoder.parameters())

    def test_follows_the_model_to_dtype_and_device(self, build_tiny: Callable) -> None:
        model = build_tiny('dino').to(torch.float64)
        assert {parameter.dtype for parameter in model.target.encoder.parameters()} == {torch.float64}
        assert {parameter.device.type for parameter in model.to('meta').target.encoder.parameters()} == {'meta'}

    @pytest.mark.parametrize('duplicate', [copy.deepcopy, lambda target: pickle.loads(pickle.dumps(target))])
    def test_copies_have_teachers_of_their_own(self, duplicate: Callable) -> None:
        target, clip = teacher(), torch.randn(1, 3, 2, 48, 48)
        other = duplicate(target)
        expected = target(clip, all_masked(1, 9))
        nn.init.zeros_(target.encoder.shield.encoder.norm.weight)
        torch.testing.assert_close(other(clip, all_masked(1, 9)), expected)
