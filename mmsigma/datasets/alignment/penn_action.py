"""Penn Action: its annotations, and the phases that third parties have annotated for 13 of its actions."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

NUM_PHASES = {
    'baseball_pitch': 4,
    'baseball_swing': 3,
    'bench_press': 2,
    'bowl': 3,
    'clean_and_jerk': 6,
    'golf_swing': 3,
    'jumping_jacks': 4,
    'pullup': 2,
    'pushup': 2,
    'situp': 2,
    'squat': 4,
    'tennis_forehand': 3,
    'tennis_serve': 4,
}
"""Number of phases of each action that is used for alignment."""
DROPPED = ('jump_rope', 'strum_guitar')
COUNTS = {
    'GTA': '104/63 115/58 69/71 135/85 43/45 89/77 56/56 98/101 104/107 50/50 114/117 80/77 115/71',
    'TCC': '103/63 113/57 113/57 134/84 40/42 87/77 56/56 98/100 102/105 50/50 114/115 79/74 115/68',
    'CARL': '103/63 113/57 69/71 134/85 40/42 87/77 56/56 98/101 102/106 50/50 111/115 79/74 98/69',
}
"""Training/validation videos of each action in the lists of other works, in the order of ``NUM_PHASES``."""
_OTHER_NAMES = {'bowling': 'bowl', 'jumping_jack': 'jumping_jacks', 'bench_presses': 'bench_press'}


class PennVideo(NamedTuple):
    """Annotation of a video of Penn Action.

    Attributes:
        name: Number of the video, four digits.
        action: One of the 15 actions.
        part: ``'train'`` or ``'val'``.
        num_frames: Length of the video in frames.
    """

    name: str
    action: str
    part: str
    num_frames: int


def published_counts(source: str) -> dict[str, dict[str, int]]:
    """Return the number of videos per action and part in a published list.

    Args:
        source: Origin of the list, ``'GTA'``, ``'TCC'`` or ``'CARL'``.
    """
    pairs = (dict(zip(('train', 'val'), map(int, pair.split('/')), strict=True)) for pair in COUNTS[source].split())
    return dict(zip(NUM_PHASES, pairs, strict=True))


def action_name(name: str) -> str:
    """Return Penn Action's name of one of the 13 actions, given another spelling such as ``bowling`` or ``pushups``.

    Raises:
        ValueError: If it is not one of them.
    """
    for known in (name, name.removesuffix('s'), _OTHER_NAMES.get(name, '')):
        if known in NUM_PHASES:
            return known
    raise ValueError(f'{name!r} is not one of the 13 actions {", ".join(NUM_PHASES)}')


def read_penn_video(path: Path) -> PennVideo:
    """Read ``labels/<id>.mat``.

    Raises:
        ValueError: If it is not an annotation of Penn Action, or of an unknown action.
    """
    from scipy.io import loadmat

    try:
        content = loadmat(path, variable_names=('action', 'train', 'nframes'))
        action = str(np.ravel(content['action'])[0])
        flag, num_frames = (int(np.ravel(content[name])[0]) for name in ('train', 'nframes'))
    except (KeyError, ValueError, IndexError, TypeError, NotImplementedError) as error:
        raise ValueError(f'{path} is not an annotation of Penn Action: {error}') from error
    if (action not in NUM_PHASES and action not in DROPPED) or flag not in (1, -1) or num_frames < 1:
        raise ValueError(
            f'{path} is not an annotation of Penn Action: action {action!r}, train {flag}, {num_frames} frames'
        )
    return PennVideo(path.stem, action, 'train' if flag == 1 else 'val', num_frames)


def find_phase_files(folder: Path) -> dict[str, tuple[str, str, Path]]:
    """Find part, action and file of each video that has phases, in ``<folder>/<part>/<action>/<id>*.npy``.

    Raises:
        FileNotFoundError: If there are none.
        ValueError: If a folder does not belong to an action, a name does not begin with a video number, or a video has
            two files.
    """
    found: dict[str, tuple[str, str, Path]] = {}
    for path in sorted(folder.glob('*/*/*.npy')):
        number = re.match(r'\d{4}(?!\d)', path.name)
        if number is None:
            raise ValueError(f'{path}: the name does not begin with the four digits of a video of Penn Action')
        try:
            entry = (path.parent.parent.name, action_name(path.parent.name), path)
        except ValueError as error:
            raise ValueError(f'{path.parent}: {error}') from error
        if found.setdefault(number[0], entry) is not entry:
            raise ValueError(f'{path} and {found[number[0]][2]} are both of video {number[0]}: keep one of them')
    if not found:
        raise FileNotFoundError(f'no phases in {folder}, <train|val>/<action>/<id>*.npy')
    return found


def check_phases(phases: np.ndarray, action: str, source: Path | str) -> np.ndarray:
    """Check that an array contains the phases of a video of an action.

    Args:
        phases: Array to check.
        action: One of the 13 actions.
        source: Origin of the array, for messages.

    Returns:
        Phases ``(L,)``, int64.

    Raises:
        ValueError: If the array has another shape, is not integral, or exceeds the phases of the action.
    """
    if phases.ndim != 1 or not len(phases) or phases.dtype.kind not in 'iuf' or (phases % 1).any():
        raise ValueError(
            f'{source} has values {phases.dtype} of the shape {phases.shape}, expected one phase per frame'
        )
    if not 0 <= phases.min() <= phases.max() < NUM_PHASES[action]:
        raise ValueError(
            f'{source} has the phases {np.unique(phases).tolist()}, but {action} has 0 to {NUM_PHASES[action] - 1}'
        )
    return phases.astype(np.int64)


def count_table(found: dict[str, dict[str, int]]) -> Iterator[str]:
    """Yield the lines of a table of training/validation videos per action, with published counts; * marks differences.

    Args:
        found: Number of videos by action and part.
    """
    published = {source: published_counts(source) for source in COUNTS}
    yield f'{"action":16}{"here":>10}' + ''.join(f'{source:>10}' for source in COUNTS)
    totals = {source: [0, 0] for source in ('here', *COUNTS)}
    for action in NUM_PHASES:
        own = tuple(found.get(action, {}).get(part, 0) for part in ('train', 'val'))
        row = f'{action:16}{own[0]:>6}/{own[1]:<3}'
        for source, counts in (('here', {action: dict(train=own[0], val=own[1])}), *published.items()):
            pair = counts[action]['train'], counts[action]['val']
            totals[source] = [sum(both) for both in zip(totals[source], pair, strict=True)]
            if source != 'here':
                row += f'{pair[0]:>6}/{pair[1]}{"" if pair == own else "*"}'.ljust(10)
        yield row.rstrip()
    yield f'{"all":16}' + ''.join(f'{train:>6}/{val:<3}' for train, val in totals.values())
