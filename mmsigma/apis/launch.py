"""From command-line arguments to a Runner, as shared by the tools."""

import argparse
import logging
import os
import re
import sys
import tempfile
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from mmengine.config import Config
from mmengine.dist import init_dist
from mmengine.hooks import Hook
from mmengine.logging import MMLogger

from mmsigma import compat
from mmsigma.apis.models import weights_of_encoder
from mmsigma.apis.work_dir import claim, rank_of
from mmsigma.checkpoints.files import CheckpointError, require_checkpoint
from mmsigma.engine import VideoRunner
from mmsigma.engine.hooks.interruption import Interrupted
from mmsigma.ops import has_fast_bfloat16
from mmsigma.utils.preflight import ConfigError, check_config


def apply_arguments(cfg: Config, args: argparse.Namespace) -> None:
    """Apply the arguments of a tool to a config, in place.

    Args:
        cfg: Config to change.
        args: Parsed arguments of the tool.

    Raises:
        ValueError: If an argument requires something that the config lacks.
    """
    cfg.launcher = args.launcher
    cfg.verbose = args.verbose or cfg.get('verbose', False)
    cfg.trust_checkpoints = args.trust_checkpoint  # regardless of the config, which may be from an untrusted source
    if args.seed is not None:
        cfg.randomness = {**cfg.get('randomness', {}), 'seed': args.seed}
    resume = getattr(args, 'resume', None)
    if resume == 'auto':
        cfg.resume = 'auto'  # without a checkpoint, the run starts anew, with its load_from
    elif resume:
        cfg.resume, cfg.load_from = True, None if resume == 'newest' else resume
    if getattr(args, 'no_validate', False):
        cfg.val_dataloader = cfg.val_cfg = cfg.val_evaluator = None
    if getattr(args, 'auto_scale_lr', False):
        if 'base_batch_size' not in cfg.get('auto_scale_lr', {}):
            raise ValueError('--auto-scale-lr requires auto_scale_lr = dict(base_batch_size=...) in the config')
        cfg.auto_scale_lr.enable = True
    if getattr(args, 'amp', False):
        enable_mixed_precision(cfg)


def prepare_training(cfg: Config, name: str, *, overwrite: bool = False) -> Hook | None:
    """Check that a config trains, and may use its work dir; the launcher and what to resume must have been set.

    Args:
        cfg: Finished config.
        name: Name of the config, see :func:`mmsigma.apis.work_dir.config_name`.
        overwrite: Whether to put the checkpoints of an earlier run aside.

    Returns:
        Hook for the runner, which takes the work dir once the training begins; None on all ranks but the first.

    Raises:
        FileNotFoundError: If there is no folder of the data.
        mmsigma.utils.preflight.ConfigError: If the config has errors, or the work dir contains another run.
    """
    if not cfg.get('train_dataloader'):
        raise ConfigError('it has no train_dataloader: it only describes a test, for tools/test.py')
    check_config(cfg)
    _require_data(cfg.train_dataloader)
    _require_pretrained(cfg)
    return claim(cfg.work_dir, name, cfg, overwrite=overwrite) if rank_of(cfg.launcher) == 0 else None


def prepare_test(cfg: Config, checkpoint: str | None) -> None:
    """Let a config test a checkpoint, in place; None for the weights that the config names.

    Args:
        cfg: Finished config.
        checkpoint: Checkpoint file.

    Raises:
        FileNotFoundError: If there is no folder of the data, or no such checkpoint.
        ValueError: If the config tests nothing, or needs a checkpoint.
    """
    if not cfg.get('test_dataloader'):
        raise ValueError('it has no test_dataloader: it only describes pre-training')
    _require_data(cfg.test_dataloader)
    checkpoint = checkpoint or cfg.get('default_weights')
    cfg.load_from = checkpoint
    if checkpoint:
        require_checkpoint(checkpoint)
        settings, read = weights_of_encoder(cfg.model, checkpoint)
        cfg.model, cfg.load_from = settings, None if read else checkpoint
    if not checkpoint and not cfg.get('weights_in_config', False):
        raise ValueError(
            'it needs a checkpoint: name the file of its weights after the config ("mmsigma download" lists published '
            'ones)'
        )


def dump_predictions(cfg: Config, path: str) -> None:
    """Let a test also write its predictions, in place.

    Args:
        cfg: Finished config.
        path: File to write, a pickle.

    Raises:
        ValueError: If they cannot be written.
    """
    if not path.endswith(('.pkl', '.pickle')):
        raise ValueError(f'--dump {path}: predictions are written as a pickle, to a file that ends in .pkl')
    if cfg.test_cfg.get('type') == 'KNNTestLoop':
        raise ValueError('--dump: nearest neighbours have no predictions that could be written')
    evaluators = cfg.test_evaluator if isinstance(cfg.test_evaluator, list) else [cfg.test_evaluator]
    cfg.test_evaluator = [*evaluators, dict(type='mmengine.DumpResults', out_file_path=path)]


def _require_data(loader: dict[str, Any]) -> None:
    """Check that the folders of datasets exist, before a model is built, whose weights may have to be fetched."""
    dataset = loader.get('dataset')
    while isinstance(dataset, dict):
        root = dataset.get('data_root')
        if isinstance(root, str) and root and not Path(root).expanduser().is_dir():
            raise FileNotFoundError(f'no folder of videos at {root}: set data_root')
        dataset = dataset.get('dataset')


def _require_pretrained(cfg: Config) -> None:
    """Check that the ImageNet weights are there that GTA's configs start from, before anything is built."""
    path = cfg.get('pretrained')
    if not path or path != cfg.get('load_from') or cfg.get('resume') or Path(path).expanduser().is_file():
        return
    raise FileNotFoundError(
        f'no ImageNet weights at {path}: get those of Keras ("mmsigma download resnet50v2-imagenet" says where), and '
        f'convert them with tools/model_converters/convert_gta.py FILE.h5 {path}; or train without them: --cfg-options '
        'train_mode=scratch'
    )


def enable_mixed_precision(cfg: Config) -> None:
    """Enable mixed precision in a config: float16 or bfloat16 on a GPU, bfloat16 on a CPU that is fast at it.

    On a GPU, float16 with loss scaling is the default, and bfloat16 without it for sharded models;
    ``optim_wrapper.dtype='bfloat16'`` selects the latter.

    Raises:
        ValueError: If a sharded model is to be trained in float16.
    """
    wrapper = cfg.optim_wrapper
    if not torch.cuda.is_available():
        if not allows_bfloat16():
            return
        wrapper.type = 'CPUAmpOptimWrapper'
        wrapper.pop('dtype', None)
        wrapper.pop('loss_scale', None)
        return
    wrapper.type = 'mmengine.AmpOptimWrapper'
    if cfg.get('strategy'):
        if wrapper.setdefault('dtype', 'bfloat16') != 'bfloat16':
            raise ValueError("sharded models have no scaling of the loss for float16: optim_wrapper.dtype='bfloat16'")
    if wrapper.get('dtype') == 'bfloat16':
        wrapper.loss_scale = dict(enabled=False)  # bfloat16 has the range of float32


def allows_bfloat16() -> bool:
    """Return whether ``--amp`` makes anything faster on the devices of this machine; warn if it does not."""
    fast = has_fast_bfloat16('cuda' if torch.cuda.is_available() else 'cpu')
    if not fast:
        warnings.warn(
            '--amp has no effect: this processor has no instructions for bfloat16, which would be many times '
            'slower than float32',
            stacklevel=2,
        )
    return fast


_KNOWN = (OSError, ValueError, FloatingPointError, CheckpointError)  # whose messages are for users


@contextmanager
def errors_in_one_line(place: str, *, verbose: bool) -> Iterator[None]:
    """Turn errors into a one-line message for the user.

    Errors that have no known cause are faults of this package or of a package that it uses: their traceback goes to the
    log file of the run, or to a temporary file if there is none yet, and the message says where. Warnings are shown
    without the line of code that they come from.

    Args:
        place: Beginning of the message, such as the path of the config.
        verbose: Whether to let the errors pass, with their traceback.

    Raises:
        SystemExit: With the message, instead of the error.
    """
    format_before = warnings.formatwarning
    if not verbose:
        warnings.formatwarning = lambda message, *_, **__: f'warning: {message}\n'
    try:
        yield
    except Interrupted:
        leave_process_group(wait=False)
        raise
    except KeyboardInterrupt as error:
        print(f'{place}: interrupted', file=sys.stderr)
        raise SystemExit(130) from error
    except Exception as error:
        if verbose:
            raise
        kind, message = original_error(error)
        if issubclass(kind, _KNOWN):
            # not twice what the message begins with; a longer name is another place
            told = message if re.match(rf'{re.escape(place)}(?![\w./-])', message) else f'{place}: {message}'
            raise SystemExit(f'{told}\n(--verbose shows the traceback)') from error
        reason = (message.strip() or 'without a message').splitlines()[0]
        log = _write_traceback(error)
        raise SystemExit(f'{place}: {kind.__name__}: {reason}\n(the traceback is in {log})') from error
    finally:
        warnings.formatwarning = format_before


def original_error(error: Exception) -> tuple[type[BaseException], str]:
    """Return the class and the message of an error; of one in a worker of a data loader, those that it had there.

    PyTorch raises the latter again with the worker's traceback as the message, as an error of the same class, or as a
    RuntimeError if that takes several arguments.
    """
    told = str(error)
    if re.match(r'Caught \w+ in .+ process', told):
        lines = told.splitlines()
        for number, line in reversed(list(enumerate(lines))):
            name, _, message = line.partition(': ')
            kind = _class_of(name.rstrip(':'))
            if kind is not None:
                return kind, '\n'.join([message, *lines[number + 1 :]]).strip()
    return type(error), told


def _class_of(name: str) -> type[BaseException] | None:
    """Return the class of errors that a traceback names, with its module unless it is built in; None if it is none."""
    module, _, short = name.rpartition('.')
    found = getattr(sys.modules.get(module or 'builtins'), short, None)
    return found if isinstance(found, type) and issubclass(found, BaseException) else None


def _write_traceback(error: Exception) -> str:
    """Append the traceback of an error to the log file, and return the file's path."""
    handlers = [handler for logger in MMLogger._instance_dict.values() for handler in logger.handlers]
    files = [handler.baseFilename for handler in handlers if isinstance(handler, logging.FileHandler)]
    if files:
        path = files[0]
    else:
        handle, path = tempfile.mkstemp(prefix='mmsigma_error_', suffix='.log')
        os.close(handle)
    with open(path, 'a', encoding='utf-8') as file:
        file.write(''.join(traceback.format_exception(error)))
    return path


def build_runner(cfg: Config) -> VideoRunner:
    """Check a config and build its runner.

    Raises:
        mmsigma.utils.preflight.ConfigError: If the config has errors.
    """
    check_config(cfg)
    if 'model' not in cfg:
        raise ConfigError('it has no model')
    runner: VideoRunner = VideoRunner.from_cfg(cfg)
    return runner


def enter_process_group(launcher: str) -> None:
    """Join the process group of a launcher, for programs without a Runner; with gloo if there is no GPU."""
    if launcher == 'none':
        return
    if torch.cuda.is_available():
        init_dist(launcher)
    else:
        compat.init_cpu_process_group(launcher)


def leave_process_group(*, wait: bool = True) -> None:
    """Leave the process group, and stop this process's communication threads.

    If the threads are left to the interpreter's exit, the process occasionally aborts there, after a successful run.

    Args:
        wait: Whether to wait until all ranks are done.
    """
    if dist.is_available() and dist.is_initialized():
        if wait:
            dist.barrier()
        dist.destroy_process_group()
