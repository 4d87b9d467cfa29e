"""A folder that hands a model on: its numbers, its config and its classes."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.config import Config

from mmsigma.apis import load_model
from mmsigma.apis.folder_export import export_folder
from mmsigma.checkpoints.files import CheckpointError
from mmsigma.utils.config import load_config
from tests.checkpoints.small_models import ARCH, CLASSES, SIZES, classifier, shake


@pytest.fixture
def config(tmp_path: Path) -> Config:
    backbone = dict(type='VideoVisionTransformer', arch=ARCH, final_norm=False, **SIZES)
    head = dict(type='ClassificationHead', num_classes=CLASSES)
    path = tmp_path / 'small.py'
    path.write_text(
        f"default_scope = 'mmsigma'\nmodel = {dict(type='VideoClassifier', backbone=backbone, head=head)}\n"
    )
    return load_config(path)


def save(path: Path, state: dict[str, torch.Tensor]) -> Path:
    torch.save({'state_dict': state}, path)
    return path


def test_the_folder_alone_is_the_model(config: Config, tmp_path: Path) -> None:
    model = shake(classifier()).eval()
    (tmp_path / 'names.txt').write_text('a\nb\nc\nd\ne\n')
    checkpoint = save(tmp_path / 'small.pth', model.state_dict())
    config.default_weights = str(checkpoint)
    number = export_folder(checkpoint, tmp_path / 'out', config, classes=tmp_path / 'names.txt')
    assert number == sum(value.numel() for value in model.state_dict().values())
    assert sorted(path.name for path in (tmp_path / 'out').iterdir()) == [
        'classes.txt',
        'config.py',
        'model.safetensors',
    ]
    assert 'default_weights' not in (tmp_path / 'out' / 'config.py').read_text()  # a path of this machine
    again = load_model(tmp_path / 'out' / 'config.py', tmp_path / 'out' / 'model.safetensors')
    clips = torch.rand(1, 3, 4, 32, 32)
    with torch.no_grad():
        assert torch.equal(again(clips), model(clips))


def test_the_checkpoint_of_a_run_needs_no_config(config: Config, tmp_path: Path, run_tool: Callable[..., Any]) -> None:
    model = shake(classifier()).eval()
    meta = dict(cfg=config.pretty_text, dataset_meta=dict(classes=['dig', 'eat', 'fly', 'run', 'sit']))
    torch.save({'state_dict': model.state_dict(), 'meta': meta}, tmp_path / 'run.pth')
    tool = 'tools/model_converters/export.py'
    done = run_tool(tool, tmp_path / 'run.pth', tmp_path / 'out')
    assert done.status == 0 and 'config.py, classes.txt' in done.output, done.errors
    assert (tmp_path / 'out' / 'classes.txt').read_text() == 'dig\neat\nfly\nrun\nsit\n'
    again = load_model(tmp_path / 'out' / 'config.py', tmp_path / 'out' / 'model.safetensors')
    clips = torch.rand(1, 3, 4, 32, 32)
    with torch.no_grad():
        assert torch.equal(again(clips), model(clips))
    export_folder(save(tmp_path / 'nameless.pth', model.state_dict()), tmp_path / 'out', config)
    assert not (tmp_path / 'out' / 'classes.txt').exists()  # those of the other model
    done = run_tool(tool, save(tmp_path / 'weights.pth', model.state_dict()), tmp_path / 'other')
    assert done.status == 1 and 'weights.pth carries no config' in done.errors and 'give the config' in done.errors


def test_half_the_size(config: Config, tmp_path: Path) -> None:
    model = shake(classifier())
    checkpoint = save(tmp_path / 'small.pth', model.state_dict())
    for name, half in (('whole', False), ('half', True)):
        export_folder(checkpoint, tmp_path / name, config, half=half)
    whole, half = (tmp_path / name / 'model.safetensors' for name in ('whole', 'half'))
    assert half.stat().st_size < 0.6 * whole.stat().st_size
    again = load_model(tmp_path / 'half' / 'config.py', half).state_dict()
    for name, value in model.state_dict().items():
        assert torch.equal(again[name], value.half().float())
    state = model.state_dict()
    state['head.fc.bias'][0] = 1e6
    with pytest.raises(ValueError, match=r'head\.fc\.bias has values that float16 cannot hold'):
        export_folder(save(tmp_path / 'large.pth', state), tmp_path / 'none', config, half=True)


def test_what_is_incomplete_is_refused(config: Config, tmp_path: Path) -> None:
    state = classifier().state_dict()
    (tmp_path / 'names.txt').write_text('alone\n')
    with pytest.raises(ValueError, match=f'names.txt has 1 class names, but the model has {CLASSES} classes'):
        export_folder(save(tmp_path / 'a.pth', state), tmp_path / 'out', config, classes=tmp_path / 'names.txt')
    state.pop('head.fc.bias')
    with pytest.raises(CheckpointError, match='head.fc.bias'):
        export_folder(save(tmp_path / 'b.pth', state), tmp_path / 'out', config)
    assert not (tmp_path / 'out').exists()
