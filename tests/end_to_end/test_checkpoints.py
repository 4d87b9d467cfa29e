"""Checkpoints as users have them: exported, official, and trained probes."""

import argparse
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from mmsigma.apis.folder_export import export_folder
from mmsigma.apis.launch import build_runner
from mmsigma.checkpoints.key_mapping import from_our_names
from mmsigma.utils.config import load_config
from tests.end_to_end.conftest import tiny
from tests.end_to_end.test_finetuning import downstream


@pytest.fixture(scope='module')
def official(demo_set, tmp_path_factory) -> dict[str, torch.Tensor]:
    """A pre-training state under its official names."""
    folder = tmp_path_factory.mktemp('pretrained')
    build_runner(tiny(demo_set, folder, epochs=1)).train()
    return from_our_names(torch.load(folder / 'epoch_1.pth', weights_only=True)['state_dict'], 'official')


@pytest.fixture(scope='module', params=['finetune', 'linear'])
def trained(request, demo_set, tmp_path_factory) -> tuple[str, Path, float]:
    """Name, checkpoint and last validation accuracy of a model trained on the demo set."""
    folder = tmp_path_factory.mktemp(request.param)
    runner = build_runner(downstream(request.param, demo_set, folder, **{'train_cfg.val_interval': 1}))
    runner.train()
    torch.nn.init.normal_(runner.model.head.fc.weight)  # of two epochs all classes are nearly equal
    runner.save_checkpoint(str(folder), 'last.pth', save_optimizer=True)
    return request.param, folder / 'last.pth'


def predictions(runner) -> torch.Tensor:
    scores = []
    original = runner.test_evaluator.process
    runner.test_evaluator.process = lambda data_samples, data_batch=None: (
        scores.extend(sample.pred_score for sample in data_samples),
        original(data_samples=data_samples, data_batch=data_batch),
    )
    runner.metrics = runner.test()
    return torch.stack(scores)


def test_export_tests_as_the_checkpoint(trained, demo_set, tmp_path) -> None:
    name, checkpoint = trained
    cfg = downstream(name, demo_set, tmp_path / 'run', load_from=str(checkpoint))
    of_checkpoint = build_runner(cfg)
    expected = predictions(of_checkpoint)
    classes = tmp_path / 'names.txt'
    classes.write_text(''.join(f'class {label}\n' for label in range(10)))
    number = export_folder(checkpoint, tmp_path / 'model', cfg, classes=classes)
    written = load_file(tmp_path / 'model' / 'model.safetensors')
    assert number == sum(value.numel() for value in written.values())
    assert (tmp_path / 'model' / 'classes.txt').read_text() == classes.read_text()
    text = (tmp_path / 'model' / 'config.py').read_text()
    assert '_base_' not in text and str(tmp_path / 'run') not in text
    again = load_config(tmp_path / 'model' / 'config.py')
    again.work_dir, again.experiment_name = str(tmp_path / 'again'), f'{tmp_path.name}-again'
    again.load_from = str(tmp_path / 'model' / 'model.safetensors')
    of_export = build_runner(again)
    assert torch.equal(predictions(of_export), expected)
    assert of_export.metrics == of_checkpoint.metrics
    assert torch.equal(of_export.model.head.fc.weight, torch.load(checkpoint)['state_dict']['head.fc.weight'])


def test_incomplete_exports_are_refused(trained, demo_set, official, tmp_path) -> None:
    name, checkpoint = trained
    cfg = downstream(name, demo_set, tmp_path / 'run')
    torch.save({'model': official}, tmp_path / 'official.pth')
    with pytest.raises(RuntimeError, match=r"missing 4 \['head\.fc\.bias'"):
        export_folder(tmp_path / 'official.pth', tmp_path / 'model', cfg)
    classes = tmp_path / 'names.txt'
    classes.write_text('one\ntwo\n')
    with pytest.raises(ValueError, match='2 class names, but the model has 10 classes'):
        export_folder(checkpoint, tmp_path / 'model', cfg, classes=classes)
    assert not (tmp_path / 'model').exists()


def test_fine_tuning_starts_from_an_official_file(demo_set, official, tmp_path) -> None:
    file = tmp_path / 'official.pth'
    torch.save({'model': official, 'epoch': 799}, file)
    runner = build_runner(downstream('finetune', demo_set, tmp_path / 'run', load_from=str(file)))
    runner.load_or_resume()
    own = runner.model.backbone.state_dict()
    assert all(torch.equal(value, official[f'encoder.{name}']) for name, value in own.items())


@pytest.mark.parametrize('kind', ['model.pth', 'state_dict.pth', 'plain.safetensors'])
def test_averaged_weights_start_from_an_official_file(demo_set, official, tmp_path, kind: str) -> None:
    file = tmp_path / kind
    if file.suffix == '.safetensors':
        save_file({name: value.contiguous() for name, value in official.items()}, file)
    else:
        torch.save({file.stem: official}, file)
    cfg = downstream('finetune', demo_set, tmp_path / 'run', load_from=str(file))
    cfg.custom_hooks.append(dict(type='mmengine.EMAHook'))
    runner = build_runner(cfg)
    runner.call_hook('before_run')
    runner.load_or_resume()
    averaged = next(hook for hook in runner.hooks if hasattr(hook, 'ema_model')).ema_model.module.state_dict()
    assert torch.equal(averaged['backbone.blocks.0.attn.qkv.weight'], official['encoder.blocks.0.attn.qkv.weight'])
    own = runner.model.state_dict()
    assert own.keys() == averaged.keys() and all(torch.equal(own[name], averaged[name]) for name in own)


def test_objects_in_an_official_file_name_the_converter(demo_set, official, tmp_path) -> None:
    file = tmp_path / 'official.pth'
    torch.save({'model': official, 'args': argparse.Namespace(lr=1.5e-4)}, file)
    runner = build_runner(downstream('finetune', demo_set, tmp_path / 'run', load_from=str(file)))
    with pytest.raises(RuntimeError, match=r'convert_sigma\.py .*official\.pth OUT\.pth --trust'):
        runner.load_or_resume()
    trusting = downstream('finetune', demo_set, tmp_path / 'run', load_from=str(file))
    trusting.trust_checkpoints = True
    build_runner(trusting).load_or_resume()
    (dumped,) = (tmp_path / 'run').glob('*.py')
    assert 'trust_checkpoints' not in dumped.read_text()  # so that the config can be handed on
