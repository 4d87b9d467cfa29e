"""Networks of timm as encoders of frames: vision transformers and convolutional networks alike."""

from pathlib import Path

import numpy as np
import pytest
import timm
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmsigma.checkpoints.files import CheckpointError
from mmsigma.checkpoints.io import NonFiniteError
from mmsigma.models import LabelPropagation, TimmEncoder
from mmsigma.models.propagation.frame_geometry import FrameGeometry
from mmsigma.ops import has_fast_bfloat16
from tests.davis import ROOT, read_davis_frame, read_davis_mask, requires_davis

TINY_VIT = dict(embed_dim=24, depth=2, num_heads=2)
LITE, MOBILE, RESNET = 'tf_efficientnet_lite0', 'mobilenetv2_100', 'resnet18'
LITE_FILE = ROOT.parent / 'weights' / 'tf_efficientnet_lite0_in1k_fp16.pth'
WHOLE = (0.0, 0.0, 0.0), (255.0, 255.0, 255.0)  # mean and std of images in 0..1


def convolutional(model_name: str = LITE, weights: str | Path = 'random', **kwargs) -> TimmEncoder:
    return TimmEncoder(model_name, str(weights), **kwargs).eval()


def save_network(model_name: str, path: Path, **changes: Tensor) -> tuple[nn.Module, Path]:
    """A network of timm with its classifier, and a file of its parameters."""
    network = timm.create_model(model_name).eval()
    torch.save({**network.state_dict(), **changes}, path)
    return network, path


@torch.no_grad()
def test_vision_transformer_takes_any_size() -> None:
    torch.manual_seed(0)
    encoder = TimmEncoder('vit_small_patch16_224.dino', 'random', model_kwargs=TINY_VIT).eval()
    assert encoder.stride == 16
    images = torch.randn(2, 3, 224, 224)
    plain = timm.create_model('vit_small_patch16_224.dino', num_classes=0, **TINY_VIT).eval()
    plain.load_state_dict(encoder.shield.encoder.state_dict())
    expected = plain.forward_features(images)[:, 1:].transpose(1, 2).unflatten(-1, (14, 14))
    torch.testing.assert_close(encoder(images), expected)
    assert encoder(torch.randn(1, 3, 96, 160)).shape == (1, 24, 6, 10)
    # other sizes in between leave no trace
    torch.testing.assert_close(encoder(images), expected)


@torch.no_grad()
def test_stage_of_a_vision_transformer_has_the_final_norm() -> None:
    torch.manual_seed(0)
    encoder = TimmEncoder('vit_tiny_patch16_224', 'random', stage=1, model_kwargs=dict(depth=3), img_size=32).eval()
    assert len(encoder.shield.encoder.blocks) == 2
    images = torch.randn(1, 3, 32, 32)
    tokens = encoder.shield.encoder.forward_features(images * encoder.scale + encoder.offset)
    torch.testing.assert_close(encoder(images), tokens[:, 1:].transpose(1, 2).unflatten(-1, (2, 2)))
    torch.testing.assert_close(tokens.mean(dim=-1), torch.zeros(1, 5), atol=1e-5, rtol=0)


@pytest.mark.parametrize('model_name', [LITE, MOBILE, RESNET])
@pytest.mark.parametrize('stage', [1, 3, -1])
@torch.no_grad()
def test_maps_are_those_of_features_only(model_name: str, stage: int, tmp_path: Path) -> None:
    torch.manual_seed(0)
    network, path = save_network(model_name, tmp_path / 'network.pth')
    encoder = convolutional(model_name, path, stage=stage)
    images = torch.rand(2, 3, 64, 96)
    reference = timm.create_model(model_name, features_only=True, out_indices=[stage % 5]).eval()
    own = reference.state_dict()
    reference.load_state_dict({name: value for name, value in network.state_dict().items() if name in own})
    mean, std = (np.reshape(network.pretrained_cfg[key], (3, 1, 1)) for key in ('mean', 'std'))
    (expected,) = reference(((images - torch.tensor(mean)) / torch.tensor(std)).float())
    assert (encoder.embed_dims, encoder.stride) == (expected.shape[1], 64 // expected.shape[2])
    found = TimmEncoder(model_name, str(path), stage=stage, mean=WHOLE[0], std=WHOLE[1]).eval()(images)
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)


def test_nothing_after_the_stage_is_kept() -> None:
    whole, cut = (sum(p.numel() for p in convolutional(stage=stage).parameters()) for stage in (4, 3))
    assert cut < 0.6 * whole < sum(p.numel() for p in timm.create_model(LITE).parameters())


@torch.no_grad()
def test_maps_with_channels_last_are_turned() -> None:
    encoder = convolutional('swin_tiny_patch4_window7_224', stage=1, model_kwargs=dict(embed_dim=24, depths=(1, 1)))
    assert encoder(torch.randn(1, 3, 224, 224)).shape == (1, encoder.embed_dims, 28, 28) == (1, 48, 28, 28)


def test_normalisation_of_the_network() -> None:
    assert not convolutional(RESNET).converts
    encoder = convolutional(LITE)
    grey = torch.full((1, 3, 1, 1), 0.25)
    images = (255 * grey - torch.tensor([123.675, 116.28, 103.53]).view(3, 1, 1)) / torch.tensor(
        [58.395, 57.12, 57.375]
    ).view(3, 1, 1)
    torch.testing.assert_close(images * encoder.scale + encoder.offset, 2 * grey - 1)


@pytest.mark.parametrize('precision', ['amp', 'float32', 'auto'])
@torch.no_grad()
def test_precision_inside_autocast(precision: str) -> None:
    torch.manual_seed(0)
    encoder, images = convolutional(RESNET, stage=1, precision=precision), torch.randn(1, 3, 32, 32)
    expected = encoder(images)
    with torch.autocast('cpu', torch.bfloat16):
        found = encoder(images)
    exact = precision == 'float32' or (precision == 'auto' and not has_fast_bfloat16('cpu'))
    assert torch.equal(found, expected) == exact


def test_mmengine_does_not_initialise_what_was_loaded() -> None:
    for settings in (dict(model_kwargs=TINY_VIT), dict(model_name=RESNET, stage=2)):
        model = LabelPropagation(dict(type='TimmEncoder', weights='random', **settings))
        before = {name: value.clone() for name, value in model.state_dict().items()}
        model.init_weights()
        assert all(value.equal(before[name]) for name, value in model.state_dict().items())


@pytest.mark.parametrize('dropped', ['classifier', 'num_batches_tracked'])
def test_files_without_classifier_or_counts(tmp_path: Path, dropped: str) -> None:
    network, path = save_network(MOBILE, tmp_path / 'mobile.pth')
    half = {name: value.half() for name, value in network.state_dict().items() if dropped not in name}
    torch.save(half, path)
    state = convolutional(MOBILE, path, stage=3).shield.encoder.state_dict()
    assert {value.dtype for value in state.values()} == {torch.float32, torch.int64}
    for name in ('conv_stem.weight', 'blocks.4.2.bn3.running_var'):
        torch.testing.assert_close(state[name], network.state_dict()[name], atol=1e-3, rtol=1e-3)


@requires_davis
@pytest.mark.skipif(not LITE_FILE.is_file(), reason='the weights of EfficientNet-Lite0 are not at hand')
@pytest.mark.parametrize('video', ['blackswan', 'cows'])
@torch.no_grad()
def test_pretrained_maps_find_the_object_again(video: str) -> None:
    """The mask of the first frame, carried to the 16th by the five most similar cells, of 15 x 27."""

    def intersection_over_union(encoder: TimmEncoder) -> float:
        geometry = FrameGeometry(encoder.stride, size=(240, 432))
        first, other = (
            F.normalize(encoder(geometry.prepare(read_davis_frame(video, number))).flatten(2)[0], dim=0)
            for number in (0, 15)
        )
        masks = (torch.from_numpy(read_davis_mask(video, number)).float() for number in (0, 15))
        given, truth = (F.interpolate(mask[None, None], size=(15, 27), mode='area').flatten() for mask in masks)
        similar = (other.T @ first).topk(5, dim=1)
        found = ((similar.values / 0.1).softmax(dim=1) * given[similar.indices]).sum(dim=1) > 0.5
        return float((found & (truth > 0.5)).sum() / (found | (truth > 0.5)).sum())

    torch.manual_seed(0)
    trained, random = (intersection_over_union(convolutional(LITE, w, stage=3)) for w in (LITE_FILE, 'random'))
    assert trained > 0.7
    assert random < trained - 0.2


class TestErrors:
    def test_unknown_network(self) -> None:
        with pytest.raises(ValueError, match=r"has no network 'tf_eficientnet_lite0': did you mean tf_efficientnet_li"):
            convolutional('tf_eficientnet_lite0')

    def test_stage_out_of_range(self) -> None:
        with pytest.raises(ValueError, match=r'stage 5 of tf_efficientnet_lite0: its stages .* 3: 112 x 1/16, 4:'):
            convolutional(stage=5)

    def test_file_of_another_network(self, tmp_path: Path) -> None:
        _, path = save_network(RESNET, tmp_path / 'resnet.pth')
        with pytest.raises(CheckpointError, match=r'resnet\.pth does not fit the network mobilenetv2_100: missing \['):
            convolutional(MOBILE, path)

    def test_file_of_another_size(self, tmp_path: Path) -> None:
        _, path = save_network(RESNET, tmp_path / 'wide.pth', **{'conv1.weight': torch.zeros(32, 3, 7, 7)})
        message = r"wide\.pth .* other sizes \['conv1\.weight: \(32, 3, 7, 7\) instead of \(64, 3, 7, 7\)'\]"
        with pytest.raises(CheckpointError, match=message):
            convolutional(RESNET, path)

    def test_file_with_nan(self, tmp_path: Path) -> None:
        _, path = save_network(RESNET, tmp_path / 'bad.pth', **{'bn1.weight': torch.full((64,), torch.nan)})
        with pytest.raises(NonFiniteError, match=r'bad\.pth contains NaN .* for example bn1\.weight'):
            convolutional(RESNET, path)

    def test_unknown_precision(self) -> None:
        with pytest.raises(ValueError, match="'float32', 'amp' or 'auto', got 'half'"):
            convolutional(precision='half')
