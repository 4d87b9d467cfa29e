"""From command-line arguments to a config."""

import argparse
import warnings
from contextlib import nullcontext
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from torch.utils.data import DataLoader, Dataset

from mmsigma.apis.launch import apply_arguments, enable_mixed_precision, errors_in_one_line, prepare_training
from mmsigma.checkpoints.files import CheckpointError
from mmsigma.datasets.transforms import UnreadableVideoError
from mmsigma.utils.config import load_config

ARGUMENTS = dict(launcher='none', verbose=False, trust_checkpoint=False, seed=None)


@pytest.mark.parametrize(
    ('cfg', 'expected'),
    [
        ({}, {}),
        (dict(dtype='bfloat16'), dict(dtype='bfloat16', loss_scale=dict(enabled=False))),
        (dict(dtype='bfloat16', loss_scale='dynamic'), dict(dtype='bfloat16', loss_scale=dict(enabled=False))),
        (dict(loss_scale=512.0), dict(loss_scale=512.0)),
    ],
)
def test_mixed_precision_on_a_gpu(monkeypatch: pytest.MonkeyPatch, cfg: dict, expected: dict) -> None:
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: True)
    cfg = Config(dict(optim_wrapper=dict(type='OptimWrapper', **cfg)))
    enable_mixed_precision(cfg)
    assert cfg.optim_wrapper == dict(type='mmengine.AmpOptimWrapper', **expected)


def test_sharded_models_are_trained_in_bfloat16(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: True)
    cfg = Config(dict(optim_wrapper=dict(type='OptimWrapper'), strategy=dict(type='FullySharded')))
    enable_mixed_precision(cfg)
    expected = dict(type='mmengine.AmpOptimWrapper', dtype='bfloat16', loss_scale=dict(enabled=False))
    assert cfg.optim_wrapper == expected
    cfg.optim_wrapper.dtype = 'float16'
    with pytest.raises(ValueError, match="no scaling of the loss for float16: optim_wrapper.dtype='bfloat16'"):
        enable_mixed_precision(cfg)


@pytest.mark.parametrize('fast', [True, False])
def test_mixed_precision_on_a_cpu(monkeypatch: pytest.MonkeyPatch, fast: bool) -> None:
    monkeypatch.setattr('mmsigma.apis.launch.has_fast_bfloat16', lambda device: fast or device != 'cpu')
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: False)
    cfg = Config(dict(optim_wrapper=dict(type='OptimWrapper', dtype='float16')))
    with nullcontext() if fast else pytest.warns(UserWarning, match='no instructions for bfloat16'):
        enable_mixed_precision(cfg)
    expected = dict(type='CPUAmpOptimWrapper') if fast else dict(type='OptimWrapper', dtype='float16')
    assert cfg.optim_wrapper == expected


@pytest.mark.parametrize(('in_config', 'argument'), [(True, False), (False, True), (False, False)])
def test_switches_of_the_config_hold(in_config: bool, argument: bool) -> None:
    cfg = Config(dict(verbose=in_config, trust_checkpoints=in_config))
    apply_arguments(cfg, argparse.Namespace(**{**ARGUMENTS, 'verbose': argument, 'trust_checkpoint': argument}))
    assert cfg.verbose is (in_config or argument)
    assert cfg.trust_checkpoints is argument  # a config that is handed on cannot switch safety off


def test_missing_imagenet_weights_name_the_converter(repository: Path, tmp_path: Path) -> None:
    options = dict(data_root=str(tmp_path), pretrained=str(tmp_path / 'resnet.pth'), work_dir=str(tmp_path / 'run'))
    path = repository / 'configs' / 'gta' / 'gta_penn_action.py'
    cfg = load_config(path, options)
    with pytest.raises(
        FileNotFoundError, match=r'no ImageNet weights at .*resnet\.pth: .*convert_gta\.py .*mode=scratch'
    ):
        prepare_training(cfg, 'gta/gta_penn_action')
    scratch = load_config(path, {**options, 'train_mode': 'scratch'})
    scratch.launcher = 'none'
    prepare_training(scratch, 'gta/gta_penn_action')


@pytest.mark.parametrize(
    ('error', 'told'),
    [
        (FileNotFoundError('no video at a.mp4'), 'config.py: no video at a.mp4\n(--verbose shows the traceback)'),
        (ValueError('config.py is empty'), 'config.py is empty\n(--verbose shows the traceback)'),
        (ValueError('config.py2 is empty'), 'config.py: config.py2 is empty\n'),
        (ValueError('config.py/a is empty'), 'config.py: config.py/a is empty\n'),
        (ZeroDivisionError('by 0\nat last'), 'config.py: ZeroDivisionError: by 0\n(the traceback is in '),
    ],
)
def test_errors_are_told_without_their_traceback(error: Exception, told: str) -> None:
    with pytest.raises(SystemExit) as raised, errors_in_one_line('config.py', verbose=False):
        raise error
    message = str(raised.value)
    assert message.startswith(told)
    if 'is in ' in told:
        log = Path(message.rpartition(' in ')[2].rstrip(')'))
        assert 'ZeroDivisionError: by 0' in log.read_text()
        log.unlink()
    with pytest.raises(type(error)), errors_in_one_line('config.py', verbose=True):
        raise error


class Failing(Dataset):
    """A data set none of whose samples can be read."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def __len__(self) -> int:
        return 1

    def __getitem__(self, index: int) -> None:
        try:
            raise LookupError('the cause')
        except LookupError as cause:
            raise self.error from cause


@pytest.mark.parametrize(
    ('error', 'told'),
    [
        (UnreadableVideoError('a.mp4', 'End of file: sudden'), 'config.py: a.mp4 cannot be read: End of file: sudden'),
        (ValueError('list.txt is empty\nTypeError or not: fill it'), 'config.py: list.txt is empty\nTypeError or not:'),
        (FileNotFoundError(2, 'No such file', 'b.mp4'), "config.py: [Errno 2] No such file: 'b.mp4'"),
        (CheckpointError('c.pth is damaged'), 'config.py: c.pth is damaged'),
        (ZeroDivisionError('by 0'), 'config.py: ZeroDivisionError: by 0\n(the traceback is in '),
        (AssertionError(), 'config.py: AssertionError: without a message\n(the traceback is in '),
    ],
)
def test_errors_of_workers_are_told_as_their_own(error: Exception, told: str) -> None:
    loader = DataLoader(Failing(error), num_workers=1)
    with pytest.raises(SystemExit) as raised, errors_in_one_line('config.py', verbose=False):
        next(iter(loader))
    message = str(raised.value)
    assert message.startswith(told) and 'Traceback' not in message
    if 'is in ' in told:
        log = Path(message.rpartition(' in ')[2].rstrip(')'))
        assert 'the cause' in log.read_text() and '__getitem__' in log.read_text()
        log.unlink()


def test_warnings_are_shown_without_their_code() -> None:
    warning = UserWarning('look out')
    with errors_in_one_line('config.py', verbose=False):
        assert warnings.formatwarning(warning, UserWarning, 'file.py', 3) == 'warning: look out\n'
    assert 'file.py:3' in warnings.formatwarning(warning, UserWarning, 'file.py', 3)
