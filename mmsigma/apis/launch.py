"""From command-line arguments to a Runner; shared by the tools."""

import argparse
from collections.abc import Iterator
from contextlib import contextmanager

import torch
import torch.distributed as dist
from mmengine.config import Config
from mmengine.dist import init_dist
from mmengine.runner import FlexibleRunner, Runner

from mmsigma import compat
from mmsigma.datasets.transforms.decoding import UnreadableVideoError
from mmsigma.engine import VideoRunner
from mmsigma.utils.checkpoint import CheckpointError
from mmsigma.utils.preflight import check_config


def apply_arguments(cfg: Config, args: argparse.Namespace) -> None:
    """Let the arguments of a tool change a config, in place.

    Raises:
        ValueError: If an argument needs something that the config does not have.
    """
    cfg.launcher = args.launcher
    cfg.verbose = args.verbose or cfg.get('verbose', False)
    cfg.trust_checkpoints = args.trust_checkpoint  # whatever the config says: it may be somebody else's
    if args.seed is not None:
        cfg.randomness = {**cfg.get('randomness', {}), 'seed': args.seed}
    if getattr(args, 'resume', None) == 'auto':
        cfg.resume, cfg.load_from = True, None
    elif getattr(args, 'resume', None):
        cfg.resume, cfg.load_from = True, args.resume
    if getattr(args, 'no_validate', False):
        cfg.val_dataloader = cfg.val_cfg = cfg.val_evaluator = None
    if getattr(args, 'auto_scale_lr', False):
        if 'base_batch_size' not in cfg.get('auto_scale_lr', {}):
            raise ValueError('--auto-scale-lr needs auto_scale_lr = dict(base_batch_size=...) in the config')
        cfg.auto_scale_lr.enable = True
    if getattr(args, 'amp', False):
        enable_mixed_precision(cfg)


def prepare_test(cfg: Config, checkpoint: str | None) -> None:
    """Let a config test a checkpoint, in place; None for models whose config names their weights.

    Raises:
        ValueError: If the config tests nothing, or needs a checkpoint.
    """
    if not cfg.get('test_dataloader'):
        raise ValueError('it has no test_dataloader: it only describes pre-training')
    cfg.load_from = checkpoint
    if checkpoint and cfg.model.get('backbone', {}).get('type') == 'TimmViTEncoder':
        # their names are timm's or DINO's, which the encoder itself reads
        cfg.model.backbone.weights, cfg.load_from = checkpoint, None
    if not checkpoint and not cfg.get('weights_in_config', False):
        raise ValueError('it needs a checkpoint')


def enable_mixed_precision(cfg: Config) -> None:
    """float16 with loss scaling on a GPU (``optim_wrapper.dtype='bfloat16'``: without scaling), bfloat16 on a CPU."""
    wrapper = cfg.optim_wrapper
    if not torch.cuda.is_available():
        wrapper.type = 'CPUAmpOptimWrapper'
        wrapper.pop('dtype', None)
        wrapper.pop('loss_scale', None)
        return
    wrapper.type = 'mmengine.AmpOptimWrapper'
    if wrapper.get('dtype') == 'bfloat16':
        wrapper.loss_scale = dict(enabled=False)  # it has the range of float32
    if 'strategy' in cfg:
        wrapper.use_fsdp = True  # mmengine sees that by itself only if the type has no prefix


@contextmanager
def errors_in_one_line(place: str, *, verbose: bool) -> Iterator[None]:
    """Turn the errors that a config, data or a checkpoint cause into a message for the user.

    Args:
        place: What to begin the message with, the config for one.
        verbose: Let them pass, with their traceback.

    Raises:
        SystemExit: With the message, instead of the error.
    """
    try:
        yield
    except (OSError, ValueError, FloatingPointError, CheckpointError, UnreadableVideoError) as error:
        if verbose:
            raise
        raise SystemExit(f'{place}: {error}\n(--verbose shows where this comes from)') from error


def build_runner(cfg: Config) -> Runner | FlexibleRunner:
    """Check a config and build its runner: mmengine's FlexibleRunner if it names a ``strategy``, ours otherwise.

    Raises:
        mmsigma.utils.preflight.ConfigError: If the config has faults.
    """
    check_config(cfg)
    if 'strategy' not in cfg:
        return VideoRunner.from_cfg(cfg)
    if cfg.launcher != 'none' and not torch.cuda.is_available():
        compat.init_cpu_process_group(cfg.launcher)
        cfg.strategy.model_wrapper.device_id = torch.device('cpu')
    return FlexibleRunner.from_cfg(cfg)


def enter_process_group(launcher: str) -> None:
    """Join the processes of a launcher, for programs without a Runner; gloo where there is no GPU."""
    if launcher == 'none':
        return
    if torch.cuda.is_available():
        init_dist(launcher)
    else:
        compat.init_cpu_process_group(launcher)


def leave_process_group() -> None:
    """End a distributed program in step: wait for the others, then stop this process's communication threads.

    A process that leaves them to the interpreter's exit now and then aborts there, and takes a finished run with it.
    """
    if dist.is_available() and dist.is_initialized():
        dist.barrier()
        dist.destroy_process_group()
