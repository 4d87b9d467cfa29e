"""From command-line arguments to a Runner, as shared by the tools."""

import argparse
from collections.abc import Iterator
from contextlib import contextmanager

import torch
import torch.distributed as dist
from mmengine.config import Config
from mmengine.dist import init_dist
from mmengine.runner import FlexibleRunner, Runner

from mmsigma import compat
from mmsigma.checkpoints.io import CheckpointError
from mmsigma.datasets.transforms.decoding import UnreadableVideoError
from mmsigma.engine import VideoRunner
from mmsigma.utils.preflight import check_config


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
    if getattr(args, 'resume', None) == 'auto':
        cfg.resume, cfg.load_from = True, None
    elif getattr(args, 'resume', None):
        cfg.resume, cfg.load_from = True, args.resume
    if getattr(args, 'no_validate', False):
        cfg.val_dataloader = cfg.val_cfg = cfg.val_evaluator = None
    if getattr(args, 'auto_scale_lr', False):
        if 'base_batch_size' not in cfg.get('auto_scale_lr', {}):
            raise ValueError('--auto-scale-lr requires auto_scale_lr = dict(base_batch_size=...) in the config')
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
    """Enable mixed precision in a config: float16 or bfloat16 on a GPU, bfloat16 on a CPU.

    On a GPU, float16 with loss scaling is the default; ``optim_wrapper.dtype='bfloat16'`` selects bfloat16 without it.
    """
    wrapper = cfg.optim_wrapper
    if not torch.cuda.is_available():
        wrapper.type = 'CPUAmpOptimWrapper'
        wrapper.pop('dtype', None)
        wrapper.pop('loss_scale', None)
        return
    wrapper.type = 'mmengine.AmpOptimWrapper'
    if wrapper.get('dtype') == 'bfloat16':
        wrapper.loss_scale = dict(enabled=False)  # bfloat16 has the range of float32
    if 'strategy' in cfg:
        wrapper.use_fsdp = True  # mmengine detects FSDP only if the type has no prefix


@contextmanager
def errors_in_one_line(place: str, *, verbose: bool) -> Iterator[None]:
    """Turn errors caused by a config, data or a checkpoint into a one-line message for the user.

    Args:
        place: Beginning of the message, such as the path of the config.
        verbose: Whether to let the errors pass, with their traceback.

    Raises:
        SystemExit: With the message, instead of the error.
    """
    try:
        yield
    except (OSError, ValueError, FloatingPointError, CheckpointError, UnreadableVideoError) as error:
        if verbose:
            raise
        raise SystemExit(f'{place}: {error}\n(--verbose shows the traceback)') from error


def build_runner(cfg: Config) -> Runner | FlexibleRunner:
    """Check a config and build its runner: mmengine's FlexibleRunner if it has a ``strategy``, otherwise ours.

    Raises:
        mmsigma.utils.preflight.ConfigError: If the config has errors.
    """
    check_config(cfg)
    if 'strategy' not in cfg:
        return VideoRunner.from_cfg(cfg)
    if cfg.launcher != 'none' and not torch.cuda.is_available():
        compat.init_cpu_process_group(cfg.launcher)
        cfg.strategy.model_wrapper.device_id = torch.device('cpu')
    return FlexibleRunner.from_cfg(cfg)


def enter_process_group(launcher: str) -> None:
    """Join the process group of a launcher, for programs without a Runner; with gloo if there is no GPU."""
    if launcher == 'none':
        return
    if torch.cuda.is_available():
        init_dist(launcher)
    else:
        compat.init_cpu_process_group(launcher)


def leave_process_group() -> None:
    """Leave the process group once all ranks are done, and stop this process's communication threads.

    If the threads are left to the interpreter's exit, the process occasionally aborts there, after a successful run.
    """
    if dist.is_available() and dist.is_initialized():
        dist.barrier()
        dist.destroy_process_group()
