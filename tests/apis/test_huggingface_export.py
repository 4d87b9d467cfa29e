"""Folders for transformers: the same outputs after ``from_pretrained``, a card, and what is sent to the hub."""

import json
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import huggingface_hub
import numpy as np
import pytest
import torch
from mmengine.config import Config
from torch import Tensor, nn

from mmsigma.apis import huggingface_export
from mmsigma.apis.huggingface_export import Provenance, geometry_of, videomae_config, write_huggingface_folder
from mmsigma.models.data_preprocessor import VideoDataPreprocessor
from mmsigma.registry import MODELS
from tests.checkpoints.small_models import ARCH, CLASSES, SIZES, TOKENS, classifier, pretraining, shake


@pytest.fixture
def convert(run_tool: Callable[..., Any]) -> Callable[..., Any]:
    return partial(run_tool, 'tools/model_converters/convert_sigma.py')


@pytest.fixture
def clips() -> Tensor:
    return torch.randn(2, 3, 4, 32, 32)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A config of the small models."""
    backbone = dict(type='VideoVisionTransformer', arch=ARCH, **SIZES)
    neck = dict(type='MaskedVideoDecoder', embed_dims=16, depth=1, num_heads=2)
    path = tmp_path / 'small.py'
    path.write_text(f'model = {dict(type="SIGMA", backbone=backbone, neck=neck)}\n')
    return path


def save(path: Path, model: nn.Module, **meta: object) -> Path:
    torch.save({'state_dict': model.state_dict(), 'meta': meta}, path)
    return path


def loaded(kind: str, folder: Path) -> nn.Module:
    transformers = pytest.importorskip('transformers')
    model, info = getattr(transformers, kind).from_pretrained(folder, output_loading_info=True)
    assert not any(info.values()), info
    return model.eval()


@torch.no_grad()
def test_classifier(convert, clips: Tensor, config: Path, tmp_path: Path) -> None:
    model = shake(classifier())
    (tmp_path / 'names.txt').write_text('a\nb\nc\nd\ne\n')
    options = ('--to', 'hf', '--config', config, '--classes', tmp_path / 'names.txt')
    done = convert(save(tmp_path / 'ours.pth', model), tmp_path / 'out', *options)
    assert done.status == 0, done.errors
    assert '2 heads, 4 frames of 32 x 32, as in its config' in done.output
    theirs = loaded('VideoMAEForVideoClassification', tmp_path / 'out')
    torch.testing.assert_close(theirs(clips.transpose(1, 2)).logits, model(clips), atol=1e-5, rtol=1e-5)
    assert theirs.config.id2label[3] == 'd'
    backbone = loaded_without_classifier(tmp_path / 'out')
    expected = model.backbone(clips)
    torch.testing.assert_close(backbone(clips.transpose(1, 2)).last_hidden_state, expected, atol=1e-5, rtol=1e-5)


def loaded_without_classifier(folder: Path) -> nn.Module:
    transformers = pytest.importorskip('transformers')
    model, info = transformers.VideoMAEModel.from_pretrained(folder, output_loading_info=True)
    assert not info['missing_keys']
    return model.eval()


@torch.no_grad()
def test_pretraining(convert, clips: Tensor, config: Path, tmp_path: Path) -> None:
    model = shake(pretraining())
    done = convert(save(tmp_path / 'ours.pth', model), tmp_path / 'out', '--to', 'hf', '--config', config)
    assert done.status == 0, done.errors
    mask = torch.stack([torch.randperm(TOKENS) < 24 for _ in range(2)])
    theirs = loaded('VideoMAEForPreTraining', tmp_path / 'out')
    expected = model.neck(model.backbone(clips, mask), mask)
    torch.testing.assert_close(theirs(clips.transpose(1, 2), mask).logits, expected, atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_backbone_of_a_run_brings_its_config(convert, clips: Tensor, config: Path, tmp_path: Path) -> None:
    model = MODELS.build(dict(type='VideoVisionTransformer', arch=ARCH, **SIZES))
    state = {f'backbone.{name}': value for name, value in shake(model).state_dict().items()}
    torch.save({'state_dict': state, 'meta': dict(cfg=config.read_text())}, tmp_path / 'epoch_1.pth')
    done = convert(tmp_path / 'epoch_1.pth', tmp_path / 'out', '--to', 'hf')
    assert done.status == 0, done.errors
    theirs = loaded('VideoMAEModel', tmp_path / 'out')
    torch.testing.assert_close(theirs(clips.transpose(1, 2)).last_hidden_state, model(clips), atol=1e-5, rtol=1e-5)
    processor = pytest.importorskip('transformers').AutoImageProcessor.from_pretrained(tmp_path / 'out')
    assert dict(processor.crop_size) == {'height': 32, 'width': 32}


def test_models_that_transformers_has_nothing_like(convert, config: Path, tmp_path: Path) -> None:
    model = MODELS.build(dict(type='VideoVisionTransformer', arch=ARCH, **SIZES))
    state = {f'backbone.{name}': value for name, value in shake(model).state_dict().items()}
    cfg = Config.fromfile(config)
    cfg.model.type = 'GTA'  # whose encoder alone is like VideoMAE
    torch.save({'state_dict': state, 'meta': dict(cfg=cfg.pretty_text)}, tmp_path / 'encoder.pth')
    assert convert(tmp_path / 'encoder.pth', tmp_path / 'encoder', '--to', 'hf').status == 0
    state['neck.convs.0.bias'] = torch.zeros(3)
    torch.save({'state_dict': state, 'meta': dict(cfg=cfg.pretty_text)}, tmp_path / 'gta.pth')
    done = convert(tmp_path / 'gta.pth', tmp_path / 'whole', '--to', 'hf')
    assert done.status != 0 and 'a model of type GTA, and transformers has nothing like it' in done.errors
    assert not (tmp_path / 'whole').exists()


def test_processor_normalises_as_training_does(tmp_path: Path, config: Path) -> None:
    frames = np.random.default_rng(0).integers(0, 256, (4, 32, 32, 3), np.uint8)
    clip = torch.from_numpy(frames).permute(3, 0, 1, 2)
    for options in ({}, dict(mean=(10.0, 20.0, 30.0), std=(40.0, 50.0, 60.0))):
        cfg = Config.fromfile(config)
        cfg.model.data_preprocessor = dict(type='VideoDataPreprocessor', **options)
        geometry = geometry_of(classifier().state_dict(), cfg)
        write_huggingface_folder(tmp_path, classifier().state_dict(), geometry, Provenance('', '', ''))
        processor = pytest.importorskip('transformers').AutoImageProcessor.from_pretrained(tmp_path)
        expected = VideoDataPreprocessor(**options)({'inputs': [clip]})['inputs'][0].transpose(0, 1)
        torch.testing.assert_close(processor(list(frames), return_tensors='pt')['pixel_values'][0], expected)


def test_card_says_what_is_known_and_what_is_not(convert, config: Path, tmp_path: Path) -> None:
    src = save(tmp_path / 'ours.pth', classifier())
    convert(src, tmp_path / 'one', '--to', 'hf', '--config', config)
    text = (tmp_path / 'one' / 'README.md').read_text()
    assert text.startswith('---\nlibrary_name: transformers\npipeline_tag: video-classification\nlicense: unknown\n')
    assert '# fine-tuning, ' in text and "type='VideoVisionTransformer'" in text
    assert '| trained on | not known |' in text and '| results | not known' in text
    assert 'licence of these weights | not known: ask whoever trained them' in text
    convert(src, tmp_path / 'two', '--to', 'hf', '--config', config, '--licence', 'mit', '--data', 'my own videos')
    text = (tmp_path / 'two' / 'README.md').read_text()
    assert 'license: mit\n' in text and '| trained on | my own videos |' in text


def test_sizes_of_the_releases_need_no_config() -> None:
    for arch, heads in (('small', 6), ('huge', 16)):
        with torch.device('meta'):
            backbone = MODELS.build(dict(type='VideoVisionTransformer', arch=arch))
        state = {f'backbone.{name}': value for name, value in backbone.state_dict().items()}
        geometry = geometry_of(state, None)
        assert (geometry.num_heads, geometry.img_size, geometry.num_frames) == (heads, (224, 224), 16)
        config = videomae_config(state, geometry)
        assert config['architectures'] == ['VideoMAEModel'] and config['use_mean_pooling'] is False
        assert config['intermediate_size'] == 4 * config['hidden_size'] and 'id2label' not in config


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (['--to', 'hf'], 'name the config of the model with --config'),
        (['--to', 'official', '--licence', 'mit'], '--licence is for a folder'),
        (['--to', 'hf', '--push-to-hub', 'a/b/c'], "Repo id must be in the form 'repo_name' or 'namespace/repo_name'"),
    ],
)
def test_what_is_refused(convert, options: list[str], message: str, tmp_path: Path) -> None:
    done = convert(save(tmp_path / 'ours.pth', classifier()), tmp_path / 'out', *options)
    assert done.status == 1 and message in done.errors and not (tmp_path / 'out').exists()


def test_what_transformers_lacks_is_named(convert, config: Path, tmp_path: Path) -> None:
    model = pretraining()
    state = {**model.state_dict(), 'head.prototypes.0': torch.zeros(20, 192)}
    torch.save({'state_dict': state}, tmp_path / 'sigma.pth')
    done = convert(tmp_path / 'sigma.pth', tmp_path / 'out', '--to', 'hf', '--config', config)
    assert done.status == 1 and 'has no head.prototypes.0: add --backbone-only' in done.errors
    done = convert(tmp_path / 'sigma.pth', tmp_path / 'out', '--to', 'hf', '--config', config, '--backbone-only')
    assert done.status == 0
    assert json.loads((tmp_path / 'out' / 'config.json').read_text())['architectures'] == ['VideoMAEModel']


def test_configs_that_do_not_fit(config: Path) -> None:
    state = classifier().state_dict()
    other = Config.fromfile(config)
    other.model.backbone.arch = dict(embed_dims=64, depth=2, num_heads=2)
    with pytest.raises(ValueError, match='has 2 blocks of 64 channels, but the checkpoint 2 of 32'):
        geometry_of(state, other)
    other.model.backbone = dict(type='ResNet')
    with pytest.raises(ValueError, match='is no VideoVisionTransformer'):
        geometry_of(state, other)
    wide = Config.fromfile(config)
    wide.model.backbone.img_size = (32, 64)
    with pytest.raises(ValueError, match='takes square clips, but the model takes 32 x 64'):
        videomae_config(state, geometry_of(state, wide))
    with pytest.raises(ValueError, match=f'1 class names, but the model has {CLASSES} classes'):
        videomae_config(state, geometry_of(state, Config.fromfile(config)), ['alone'])


class Hub:
    """Stands in for the hub."""

    sent: dict[str, list[str]] = {}

    def create_repo(self, name: str, **options: object) -> str:
        assert options == dict(private=True, exist_ok=True)
        if name == 'nobody/closed':
            raise huggingface_hub.errors.LocalTokenNotFoundError('Token is required')
        return f'https://hub/{name}'

    def upload_folder(self, *, repo_id: str, folder_path: str) -> None:
        self.sent[repo_id] = sorted(os.listdir(folder_path))


def test_upload(convert, config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(huggingface_hub, 'HfApi', Hub)
    monkeypatch.setattr(Hub, 'sent', {})
    src = save(tmp_path / 'ours.pth', classifier())
    assert convert(src, tmp_path / 'out', '--to', 'hf', '--config', config).status == 0 and not Hub.sent
    done = convert(src, tmp_path / 'out', '--to', 'hf', '--config', config, '--push-to-hub', 'me/sigma')
    assert done.status == 0 and 'uploaded to https://hub/me/sigma' in done.output
    assert Hub.sent == {'me/sigma': ['README.md', 'config.json', 'model.safetensors', 'preprocessor_config.json']}
    with pytest.raises(RuntimeError, match='Token is required.*: log in with "hf auth login", then "hf upload'):
        huggingface_export.push_folder(tmp_path / 'out', 'nobody/closed')
