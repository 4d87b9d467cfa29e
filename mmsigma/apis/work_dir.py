"""Folders of runs: where they are by default, and whose run they hold."""

import hashlib
import itertools
import json
import os
import re
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

from mmengine.config import Config
from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmsigma.checkpoints.files import sha256_of
from mmsigma.checkpoints.runs import OWNER, checkpoint_folder, read_owner, run_checkpoints
from mmsigma.evaluation.results import RECORD
from mmsigma.io.atomic import write_text
from mmsigma.io.locks import HeldError, lock
from mmsigma.utils.config import find_config
from mmsigma.utils.preflight import ConfigError

# settings that do not change what a run computes
_INCIDENTAL = {'work_dir', 'resume', 'load_from', 'launcher', 'verbose', 'trust_checkpoints', 'experiment_name'}
_INCIDENTAL_OPTIONS = {'num_workers', 'batch_size'}
_WITHOUT_EFFECT = ('num_workers', 'batch_size', 'persistent_workers', 'pin_memory', 'prefetch_factor', 'out_dir')


def config_name(config: str | Path) -> str:
    """Return the folder and the stem of a config file, such as ``sigma/vitb_k400_dino``.

    Raises:
        FileNotFoundError: If there is no such file.
    """
    path = find_config(config).absolute()
    return f'{path.parent.name}/{path.stem}'


def default_work_dir(config: str | Path) -> Path:
    """Return the default folder of a config's runs, ``work_dirs/<folder>/<stem>``.

    Stems alone would not do: fine-tuning, linear probes and other protocols have configs of the same name.
    """
    return Path('work_dirs') / config_name(config)


def test_folder(config: str | Path, options: dict[str, Any]) -> Path:
    """Return the default folder of a test: that of the config, or one in it for options that change the result.

    Args:
        config: Config file.
        options: Values of ``--cfg-options``. Numbers of workers and batch sizes do not count.
    """
    telling = [folder_name(k, str(value)) for k, value in sorted(options.items()) if k not in _INCIDENTAL_OPTIONS]
    name = ','.join(telling)
    if len(name) > 200:  # near the limit of file systems
        name = f'{name[:190]}-{hashlib.sha256(name.encode()).hexdigest()[:8]}'
    return default_work_dir(config).joinpath(*([name] if name else []))


def folder_name(option: str, text: str) -> str:
    """Return ``option=text``, shortened and with a checksum if that is not a suitable name of a folder."""
    plain = re.sub(r'[^\w.,=+()\[\]-]', '_', f'{option}={text}')[:100]
    same = plain == f'{option}={text}'
    return plain if same else f'{plain}-{hashlib.sha256(text.encode()).hexdigest()[:8]}'


class OwnerHook(Hook):
    """Takes a folder for a run once its model, data and checkpoint have been accepted, so that a mistake costs nothing.

    The folder is locked until the training ends, and the checkpoints get the id of the run.

    Args:
        work_dir: Folder of the run.
        owner: What is recorded there of the run.
        aside: Checkpoints to move into a folder ``earlier_<number>`` beside them.
        differences: What has changed since the run that is continued.
    """

    priority = 'VERY_HIGH'

    def __init__(
        self, work_dir: Path, owner: dict[str, Any], aside: Sequence[Path], differences: Sequence[str]
    ) -> None:
        self.work_dir, self.owner, self.aside, self.differences = work_dir, owner, list(aside), list(differences)
        self.lock: IO[str] | None = None

    def before_train(self, runner: Runner) -> None:
        """Lock the folder, write the record, put checkpoints aside and report differences, in the main process.

        Raises:
            ConfigError: If another process trains there.
        """
        if not is_main_process():
            return
        try:
            self.lock = lock(self.work_dir / '.lock')
        except HeldError as error:
            raise ConfigError(
                f'another run is under way in {self.work_dir} ({error}): choose another --work-dir, or end that run'
            ) from error
        runner.run_id = self.owner['id']
        if self.aside:
            parent = self.aside[0].parent
            folder = next(f for number in itertools.count(1) if not (f := parent / f'earlier_{number}').exists())
            folder.mkdir()
            for path in self.aside:
                path.rename(folder / path.name)
            runner.logger.warning(f'{len(self.aside)} later or earlier checkpoints have been put aside, in {folder}')
        if self.differences:
            overruled = any(
                text.startswith(('optim_wrapper.optimizer', 'param_scheduler')) for text in self.differences
            )
            runner.logger.warning(
                f'the run continues with other settings: {"; ".join(self.differences)}'
                + ('. Those of the optimiser and the schedule are overruled by the checkpoint' if overruled else '')
            )
        text = json.dumps(self.owner, indent=1) + '\n'
        write_text(self.work_dir / OWNER, text)

    def after_train(self, runner: Runner) -> None:
        """Unlock the folder."""
        if self.lock is not None:
            self.lock.close()
            self.lock = None


def claim(work_dir: str | Path, name: str, cfg: Config, *, overwrite: bool = False) -> OwnerHook:
    """Check that a training run may use a folder.

    Args:
        work_dir: Folder of the run.
        name: Name of the config, see :func:`config_name`.
        cfg: Finished config, in which ``resume`` tells whether the run in the folder is continued.
        overwrite: Whether to put the checkpoints of an earlier run aside.

    Returns:
        Hook that takes the folder once the training begins.

    Raises:
        ConfigError: If the folder contains checkpoints, and is neither continued nor overwritten; or if the run would
            start from one that is put aside.
    """
    hook = (cfg.get('default_hooks') or {}).get('checkpoint') or {}
    folder = checkpoint_folder(work_dir, hook.get('out_dir'))
    resume, load_from = cfg.get('resume'), cfg.get('load_from')
    before, checkpoints = read_owner(work_dir), sorted(folder.glob('*.pth'))
    content = {key: value for key, value in _flat(cfg.to_dict()).items() if key.split('.')[0] not in _INCIDENTAL}
    differences = _differences(before.get('settings', {}), content) if before else []
    if checkpoints and not resume and not overwrite:
        raise ConfigError(
            f'{folder} contains {len(checkpoints)} checkpoints of {_owner(before, name, differences)}. Continue it '
            'with --resume, choose another --work-dir, or put its checkpoints aside with --overwrite'
        )
    aside = [] if resume else checkpoints
    if load_from and Path(load_from).resolve() in (path.resolve() for path in aside):
        raise ConfigError(f'load_from={load_from} is one of the checkpoints that --overwrite puts aside: move it away')
    if resume and resume != 'auto' and load_from:
        # what comes after the checkpoint would otherwise be continued the next time
        newest_first = [path.resolve() for path in run_checkpoints(folder, before.get('id')).usable]
        chosen = Path(load_from).resolve()
        aside = newest_first[: newest_first.index(chosen)] if chosen in newest_first else []
    run = (before.get('id') if resume else None) or uuid.uuid4().hex
    owner = dict(config=name, id=run, settings=content)
    return OwnerHook(Path(work_dir), owner, aside, differences if resume else [])


def record_test(
    log_dir: str | Path,
    name: str,
    cfg: Config,
    checkpoint: str | None,
    dump: str | None = None,
    classes: Sequence[str] = (),
) -> None:
    """Write beside the scores of a test what was tested, for tools that compare results.

    Args:
        log_dir: Folder of the scores.
        name: Name of the config, see :func:`config_name`.
        cfg: Finished config.
        checkpoint: Checkpoint file, None if the config names the weights.
        dump: File of the predictions, beside which the same is written, for reports.
        classes: Names of the classes, by label.
    """
    dataset = {key: text for key, text in _flat(cfg.test_dataloader.dataset).items() if not key.startswith('pipeline')}
    protocol = {key: cfg.get(key) for key in ('model', 'test_cfg', 'test_dataloader', 'test_evaluator')}
    told = [item for item in _flat(protocol).items() if not item[0].endswith(_WITHOUT_EFFECT)]
    settings = hashlib.sha256(repr(sorted(told)).encode()).hexdigest()
    content: dict[str, Any] = dict(config=name, checkpoint=checkpoint, sha256=sha256_of(checkpoint))
    content |= dict(dataset=dataset, settings=settings, classes=list(classes))
    text = json.dumps(content, indent=1)
    for record in (Path(log_dir, RECORD), *([Path(dump).with_suffix('.json')] if dump else [])):
        write_text(record, text + '\n')


def rank_of(launcher: str) -> int:
    """Return the rank that a launcher has given to this process, before a process group exists."""
    variables = {'pytorch': 'RANK', 'slurm': 'SLURM_PROCID', 'mpi': 'OMPI_COMM_WORLD_RANK'}
    return int(os.environ.get(variables[launcher], 0)) if launcher in variables else 0


def _owner(before: dict[str, Any], name: str, differences: list[str]) -> str:
    if not before:
        return 'an unknown run'
    if not differences:
        return f'an earlier run of {name}'
    more = f' and {len(differences) - 4} more' if len(differences) > 4 else ''
    return f'a run of {before.get("config")}, which differs in {", ".join(differences[:4])}{more}'


def _flat(node: Any, path: str = '') -> dict[str, str]:
    """Return the values of a nested dict by dotted key, as text."""
    items = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list | tuple) else None
    if items is None:
        return {path: repr(node)}
    return {key: text for name, value in items for key, text in _flat(value, f'{path}.{name}'.lstrip('.')).items()}


def _differences(before: dict[str, str], now: dict[str, str]) -> list[str]:
    keys = [key for key in {**before, **now} if before.get(key) != now.get(key)]
    return [f'{key} ({before.get(key, "absent")} there, {now.get(key, "absent")} here)' for key in keys]
