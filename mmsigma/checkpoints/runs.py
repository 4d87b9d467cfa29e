"""Checkpoints of training runs: finding the newest one, and recognising what cannot be continued."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from mmsigma.checkpoints.files import CheckpointError, peek

OWNER = 'run.json'
"""Name of the file in a work dir that tells whose run it is, with the ``id`` that the run's checkpoints have."""
_PARTS = ('meta', 'state_dict', 'optimizer', 'message_hub')


@dataclass(frozen=True)
class RunCheckpoints:
    """Checkpoints of a run.

    Attributes:
        usable: Files that can be continued from, newest first: those that trained longest, of these the last written.
        damaged: Reasons why files cannot be read.
        others: Reasons why files that can be read cannot be continued from, as with the best model's, which contains no
            optimizer.
        foreign: Files of other runs, and how to continue from them.
    """

    usable: Sequence[Path]
    damaged: Sequence[str]
    others: Sequence[str]
    foreign: Sequence[str] = ()


def checkpoint_folder(work_dir: str | Path, out_dir: str | Path | None) -> Path:
    """Return the folder of a run's checkpoints, as mmengine's ``CheckpointHook`` chooses it.

    Args:
        work_dir: Folder of the run.
        out_dir: Argument of the hook: a folder for several runs, in which each gets one with the name of its work dir.
    """
    work_dir = Path(work_dir)
    if not out_dir or Path(out_dir) == work_dir:
        return work_dir
    out_dir = Path(out_dir)
    return out_dir if out_dir.name == work_dir.name else out_dir / work_dir.name  # the hook has appended it already


def read_owner(work_dir: str | Path) -> dict[str, Any]:
    """Read what a work dir tells about its run: ``config``, ``settings`` and ``id``; empty if it does not."""
    try:
        content = json.loads(Path(work_dir, OWNER).read_text(encoding='utf-8'))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def run_checkpoints(folder: str | Path, run: str | None = None) -> RunCheckpoints:
    """List the checkpoints of a run without reading their tensors; checksums are left to the loading.

    The ``last_checkpoint`` file of mmengine is not used: it contains an absolute path, which is wrong once the folder
    has moved, and nothing that the checkpoints do not tell.

    Args:
        folder: Folder of the checkpoints.
        run: Id of the run, by which checkpoints of other runs that have been copied there are told apart; those without
            any id count as the run's.
    """
    usable: list[tuple[int, float, Path]] = []
    damaged: list[str] = []
    others: list[str] = []
    foreign: list[str] = []
    for path in sorted(Path(folder).glob('*.pth')):
        if path.name.startswith('.') or not path.is_file():
            continue  # partly written, or a folder, pipe or link to nowhere
        try:
            content = peek(path)
        except CheckpointError as error:
            damaged.append(str(error))
            continue
        try:
            check_full_run(content, path)
            if run and content['meta'].get('run', run) != run:
                foreign.append(f'{path} is of another run; to continue that one here, use --resume {path}')
                continue
            usable.append((content['meta']['iter'], path.stat().st_mtime, path))
        except CheckpointError as error:
            others.append(str(error))
    return RunCheckpoints([path for _, _, path in sorted(usable, reverse=True)], damaged, others, foreign)


def check_full_run(content: Any, path: str | Path) -> None:
    """Check that the content of a checkpoint is that of a whole run, which can be continued.

    Args:
        content: Content of the checkpoint.
        path: Checkpoint file, for messages.

    Raises:
        CheckpointError: If it is not; the message says what it is instead and how it can be used.
    """
    if isinstance(content, dict) and all(isinstance(content.get(part), dict) for part in _PARTS):
        for key in ('epoch', 'iter'):
            value = content['meta'].get(key)
            if not isinstance(value, int) or isinstance(value, bool) or value < 0:
                raise CheckpointError(f'{path} cannot be continued: its {key} is {value!r}, not a count')
        return
    advice = ''
    if isinstance(content, dict) and content:
        advice = f'. To start a new run from its weights, set load_from instead: --cfg-options load_from={path}'
    raise CheckpointError(f'{path} is not a checkpoint of a whole run, but {_kind(content)}{advice}')


def check_progress(content: dict[str, Any], path: str | Path, *, max_epochs: int, num_samples: int) -> None:
    """Check that a run of a config can have reached the epoch and the iteration of a checkpoint.

    Args:
        content: Content of the checkpoint of a whole run.
        path: Checkpoint file, for messages.
        max_epochs: Number of epochs of the config.
        num_samples: Number of samples in an epoch, which bounds its iterations for any batch size.

    Raises:
        CheckpointError: If it cannot.
    """
    epoch, iteration = content['meta']['epoch'], content['meta']['iter']
    if epoch > max_epochs:
        raise CheckpointError(f'{path} is from epoch {epoch}, but the config ends after {max_epochs}: raise its epochs')
    if iteration > (epoch + 1) * num_samples:
        raise CheckpointError(
            f'{path} is from iteration {iteration} in epoch {epoch}, but an epoch has only {num_samples} '
            'samples: it belongs to another run'
        )


def _kind(content: Any) -> str:
    """Describe the content of a file for people."""
    if not isinstance(content, dict):
        return f'a {type(content).__name__}'
    if not content:
        return 'an empty dict'
    if all(isinstance(value, Tensor) for value in content.values()):
        return f'{len(content)} parameters alone'
    if missing := [part for part in _PARTS if part not in content] if 'state_dict' in content else []:
        return f'one without {", ".join(missing)}'
    if isinstance(content.get('model') or content.get('module'), dict):
        return 'a file of another code base'
    return f'a dict of {", ".join(sorted(map(str, content))[:8])}'
