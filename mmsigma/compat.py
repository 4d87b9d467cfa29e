"""Workarounds for upstream packages, each with its reason and the condition for removing it."""

import ast
import importlib
import logging
import math
import os
import re
import shutil
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import torch
import torch.distributed as dist
from mmengine import hooks
from mmengine.config import Config
from mmengine.config import config as mmengine_config
from mmengine.dist import infer_launcher, is_main_process
from mmengine.logging import HistoryBuffer, MMLogger
from mmengine.optim import OptimWrapper
from mmengine.runner import Runner
from torch import nn
from torch.utils.data import DataLoader

# Operators that were declared for torchvision; they exist as long as these objects do.
_LIBRARIES: list[torch.library.Library] = []


def init_cpu_process_group(launcher: str) -> None:
    """Create a gloo process group from the launcher's environment if there is no GPU.

    mmengine's ``init_dist`` calls ``torch.cuda.set_device`` for every backend (seen in 0.10.7). The Runner uses a group
    that exists already. Remove when ``init_dist`` works with ``backend='gloo'`` without a driver.

    Args:
        launcher: Launcher as of ``--launcher``.

    Raises:
        RuntimeError: If no launcher has set the environment.
    """
    if torch.cuda.is_available() or dist.is_initialized():
        return
    if launcher == 'none' or infer_launcher() == 'none':
        raise RuntimeError(
            f'launcher {launcher!r} on the CPU needs RANK and WORLD_SIZE in the environment: use torchrun'
        )
    os.environ.setdefault('LOCAL_RANK', '0')
    dist.init_process_group('gloo', timeout=timedelta(hours=2))  # as env_cfg.dist_cfg sets it on GPUs


def cpu_model_wrapper(cfg: dict[str, Any] | None, *, find_unused_parameters: bool = False) -> dict[str, Any]:
    """Return the config of the DDP wrapper on the CPU.

    mmengine passes ``device_ids=[LOCAL_RANK]`` (seen in 0.10.7), which DDP rejects for modules on the CPU. Remove when
    it no longer does.

    Args:
        cfg: Config of the wrapper, which may be incomplete; None for the default.
        find_unused_parameters: Value of that argument of DDP if ``cfg`` does not set it.
    """
    default = dict(
        type='mmengine.MMDistributedDataParallel',
        broadcast_buffers=False,
        find_unused_parameters=find_unused_parameters,
    )
    return {**default, **(cfg or {}), 'device_ids': None}


def pack_history(message_hub: dict[str, Any]) -> dict[str, Any]:
    """Convert the state of a message hub to tensors and plain numbers.

    mmengine pickles ``HistoryBuffer`` objects and numpy scalars into checkpoints (seen in 0.10.7), which ``torch.load``
    rejects since torch 2.6 unless told to trust the file. Remove when a checkpoint of mmengine can be loaded with
    ``weights_only=True``.
    """
    packed = {}
    for name, buffer in message_hub['log_scalars'].items():
        values, counts = buffer.data
        packed[name] = (torch.as_tensor(np.asarray(values)), torch.as_tensor(np.asarray(counts)), buffer.max_length)
    info = {
        name: value.item() if isinstance(value, np.generic) else value
        for name, value in message_hub['runtime_info'].items()
    }
    return {**message_hub, 'log_scalars': packed, 'runtime_info': info}


def unpack_history(message_hub: dict[str, Any]) -> dict[str, Any]:
    """Restore the state of a message hub, the inverse of :func:`pack_history`; unpacked histories are left alone."""
    unpacked = {}
    for name, buffer in message_hub['log_scalars'].items():
        if isinstance(buffer, tuple):
            values, counts, max_length = buffer
            buffer = HistoryBuffer(values.tolist(), counts.tolist(), max_length)
        unpacked[name] = buffer
    return {**message_hub, 'log_scalars': unpacked}


class CPUAmpOptimWrapper(OptimWrapper):
    """Mixed precision on the CPU: bfloat16 autocast, which needs no loss scaling.

    mmengine's ``AmpOptimWrapper`` refuses to run without an accelerator (seen in 0.10.7). Remove when it supports
    ``torch.autocast('cpu')``.
    """

    @contextmanager
    def optim_context(self, model: nn.Module) -> Iterator[None]:
        with super().optim_context(model), torch.autocast('cpu', torch.bfloat16):
            yield


class CheckpointHook(hooks.CheckpointHook):
    """mmengine's hook, except that old checkpoints are removed only after the new one has been written.

    mmengine removes the oldest and the best one before (seen in 0.10.7): with ``max_keep_ckpts=1`` and a full disk, no
    checkpoint would be left. It also remembers the best one by an absolute path, so that a run resumed in a copy of its
    folder would remove that of the original. Remove when it no longer does either.
    """

    keep_ckpt_ids: deque[int]

    best_ckpt_path: str | None
    best_ckpt_path_dict: dict[str, str | None]

    def _save_best_checkpoint(self, runner: Runner, metrics: dict[str, float]) -> None:
        if not self.save_best:
            return
        before = self._best_paths
        self._best_paths = dict.fromkeys(before)
        super()._save_best_checkpoint(runner, metrics)
        after = self._best_paths
        for score, path in before.items():
            old = Path(self.out_dir, Path(path).name) if path else None
            if after.get(score) is None:
                after[score] = str(old) if old else None
            elif old and old.name != Path(str(after[score])).name and is_main_process():
                old.unlink(missing_ok=True)
        self._best_paths = after

    @property
    def _best_paths(self) -> dict[str, str | None]:
        """Best checkpoints by score; mmengine keeps them in one of two attributes."""
        return dict(self.best_ckpt_path_dict) if len(self.key_indicators) > 1 else {'': self.best_ckpt_path}

    @_best_paths.setter
    def _best_paths(self, paths: dict[str, str | None]) -> None:
        if len(self.key_indicators) > 1:
            self.best_ckpt_path_dict = paths
        else:
            self.best_ckpt_path = paths['']

    def _save_checkpoint_with_step(self, runner: Runner, step: int, meta: dict[str, Any]) -> None:
        if self.max_keep_ckpts <= 0:
            super()._save_checkpoint_with_step(runner, step, meta)
            return
        self.keep_ckpt_ids = deque(self.keep_ckpt_ids)
        self.max_keep_ckpts += 1
        try:
            super()._save_checkpoint_with_step(runner, step, meta)
        finally:
            self.max_keep_ckpts -= 1
        while len(self.keep_ckpt_ids) > self.max_keep_ckpts:
            oldest = Path(self.out_dir, self.filename_tmpl.format(self.keep_ckpt_ids.popleft()))
            if is_main_process() and oldest.is_dir():  # one file per process (FSDP with local state)
                shutil.rmtree(oldest)
            elif is_main_process():
                oldest.unlink(missing_ok=True)


class LoggerHook(hooks.LoggerHook):
    """mmengine's hook, except that only the main process writes the results of a test.

    In mmengine, all processes write the same file at once (seen in 0.10.7), which occasionally mixes two results in it.
    Remove when it no longer does.
    """

    def after_test_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        if is_main_process():
            super().after_test_epoch(runner, metrics)


@contextmanager
def overridden_variables(values: dict[str, object]) -> Iterator[set[str]]:
    """Replace the values of top-level variables while config files are read; yields the names that were found.

    mmengine merges command-line options after a file has been executed (seen in 0.10.7), too late for what the file
    computes from its variables: ``data_root=...`` would change ``data_root`` and nothing else. Remove when
    ``Config.fromfile`` accepts values of variables.
    """
    found: set[str] = set()

    class OverrideAssignments(mmengine_config.RemoveAssignFromAST):
        def visit_Assign(self, node: ast.Assign) -> ast.Assign | list[ast.Assign] | None:
            names = [name for name in _assigned_names(node) if name in values]
            found.update(names)
            if isinstance(node.targets[0], ast.Name) and len(node.targets) == len(names) == 1:
                kept: ast.Assign | None = super().visit_Assign(_assignment(node, names[0], values[names[0]]))
                return kept
            # one of several targets, `a, b = ...`: assign it anew after the original statement, which sets the others
            overrides = [_assignment(node, name, values[name]) for name in names]
            if names:
                return [node, *overrides]
            untouched: ast.Assign | None = super().visit_Assign(node)
            return untouched

    with mock.patch.object(mmengine_config, 'RemoveAssignFromAST', OverrideAssignments):
        yield found


def _assigned_names(node: ast.Assign) -> list[str]:
    """Return the variables that a statement assigns, including those inside tuples."""
    parts = (part for target in node.targets for part in ast.walk(target))
    return [part.id for part in parts if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store)]


def _assignment(place: ast.Assign, name: str, value: object) -> ast.Assign:
    """Create the statement ``name = value`` at the position of another statement."""
    text = repr(value)
    if isinstance(value, float) and not math.isfinite(value):
        text = f'float({text!r})'
    literal = ast.parse(text, mode='eval').body
    assignment = ast.Assign([ast.Name(name, ast.Store())], literal)
    return ast.fix_missing_locations(ast.copy_location(assignment, place))


@contextmanager
def bases_from_installed_packages() -> Iterator[None]:
    """Let ``_base_ = ['package::...']`` find the configs of any installed package while config files are read.

    mmengine resolves such names only for a fixed list of packages, and not in editable installs (seen in 0.10.7). It
    also requires ``pkg_resources``, which setuptools 81 removed. Remove when neither is the case.
    """
    resolve = Config._get_cfg_path

    def find(path: str, filename: str) -> tuple[str, str | None]:
        if '::' not in path:
            path_and_scope: tuple[str, str | None] = resolve(path, filename)
            return path_and_scope
        scope = path.partition('::')[0]
        return str(installed_config(path)), None if scope == 'mmsigma' else scope

    with mock.patch.object(Config, '_get_cfg_path', staticmethod(find)):
        yield


def installed_config(path: str) -> Path:
    """Locate the config ``package::path`` among those installed with the package, or beside it in a checkout.

    Raises:
        FileNotFoundError: If there is no such package.
    """
    package, _, name = path.partition('::')
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        raise FileNotFoundError(f'{path}: no package {package} is installed')
    folder = Path(spec.origin).parent
    installed, beside = folder / '.mim' / 'configs', folder.parent / 'configs'
    return (beside if beside.is_dir() and not installed.is_dir() else installed) / name


@contextmanager
def quiet_initialisation() -> Iterator[None]:
    """Keep ``init_weights`` of mmengine's modules from logging three lines for each parameter.

    Outside a Runner they go to the console (seen in 0.10.7). Remove when that can be switched off.
    """
    logger = MMLogger.get_current_instance()
    level = logger.level
    logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        logger.setLevel(level)


def end_workers(loader: DataLoader[Any]) -> None:
    """Shut down the persistent workers of a loader that is no longer needed.

    If Python collects a loader as part of a reference cycle, which a Runner is, it closes the queues to the workers
    before these are told to stop, and torch then waits 5 s for each (seen in 2.15). Remove when a discarded loader
    stops its workers at once.
    """
    loader._iterator = None


_format_code = mmengine_config.FormatCode


@lru_cache(maxsize=4)
def _format_once(text: str, style: tuple[tuple[str, object], ...], **options: bool) -> tuple[str, bool]:
    formatted: tuple[str, bool] = _format_code(text, style_config=dict(style), **options)
    return formatted


def format_each_config_once() -> None:
    """Let mmengine cache the formatted text of configs.

    It formats the same config three times at the start of a run and again with every checkpoint (seen in 0.10.7), which
    takes a tenth of a second each time. Remove when ``Config.pretty_text`` is cached, or cheap.
    """

    def format_code(text: str, style_config: dict[str, Any], **options: bool) -> tuple[str, bool]:
        return _format_once(text, tuple(style_config.items()), **options)

    mmengine_config.FormatCode = format_code


format_each_config_once()


class DropKnownNoise(logging.Filter):
    """Filter that drops warnings on which users cannot act.

    mmaction's ``DecordInit`` warns once per worker process that a class of mmengine it uses is deprecated (seen in
    1.2.0). Remove when it uses ``mmengine.fileio``.
    """

    _NOISE = ('"FileClient" will be deprecated', '"HardDiskBackend" is the alias')

    def filter(self, record: logging.LogRecord) -> bool:
        return not str(record.msg).startswith(self._NOISE)


def import_torchvision() -> None:
    """Import torchvision even where its compiled operators do not match torch, such as a CPU build of torch.

    Without this, ``import torchvision`` fails because of operators that we never call: timm only needs the image
    transforms (seen in torchvision 0.28 for CUDA with torch 2.13 for the CPU). Once the operators are declared, the
    import succeeds; calling them still fails. Remove when torchvision can be imported without its operators, or when
    timm no longer imports torchvision.
    """
    declared: set[str] = set()
    while True:
        try:
            importlib.import_module('torchvision')
            return
        except RuntimeError as error:
            missing = re.search(r'operator torchvision::(\w+) does not exist', str(error))
            if missing is None or missing[1] in declared:
                raise
            declared.add(missing[1])
            library = torch.library.Library('torchvision', 'FRAGMENT')
            library.define(f'{missing[1]}(Tensor x) -> Tensor')
            _LIBRARIES.append(library)


import_torchvision()  # on import, so that it comes before the first import of timm
