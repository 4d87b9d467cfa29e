"""Videos re-encoded for training: small, with many key frames, at a constant rate and without sound."""

import json
import math
import multiprocessing
import os
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from itertools import repeat
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from mmsigma.apis.data_check import Source
from mmsigma.datasets.videos.video_dataset import CLASSES
from mmsigma.io.atomic import write_atomically, write_text
from mmsigma.io.cutting import cut_video
from mmsigma.io.names import path_below
from mmsigma.io.tables import write_csv
from mmsigma.io.video import frame_times, write_playable
from mmsigma.io.video_file import UnreadableVideoError, VideoFile

FORM_FILE = 'prepared.json'
"""Name of the file that has the settings of a folder of prepared videos."""
FAILURES = 'failed.csv'
"""Name of the list of videos that could not be prepared, with reasons."""
_UNEVEN = 0.5  # frames by which times may differ from those of a constant rate


@dataclass(frozen=True)
class Form:
    """What prepared videos are like.

    Attributes:
        short_side: Short side in pixels to which larger frames are reduced.
        key_interval: Largest number of frames from one key frame to the next. Reading a clip decodes half as many
            frames on average that it does not need.
        crf: Quality of H.264, from 0, lossless, to 51.
        fps: Frame rate; None to keep all frames of videos with a constant rate, and the mean rate of others.

    Raises:
        ValueError: If a number is out of range.
    """

    short_side: int = 320
    key_interval: int = 12
    crf: int = 20
    fps: float | None = None

    def __post_init__(self) -> None:
        if self.short_side < 16 or self.key_interval < 1 or not 0 <= self.crf <= 51 or (self.fps or 1) <= 0:
            raise ValueError(
                'short_side must be at least 16, key_interval at least 1, crf from 0 to 51 and fps positive, '
                f'got {asdict(self)}'
            )


class PreparedVideo(NamedTuple):
    """Result of preparing a video.

    Attributes:
        source: The original.
        target: The file that was written.
        reason: Why it could not be; empty if it was.
    """

    source: str
    target: str
    reason: str = ''


def prepare_video(source: str | Path, target: str | Path, form: Form) -> int:
    """Re-encode a video for training, and count its frames in what was written.

    Args:
        source: Video to read.
        target: File to write, MP4.
        form: What it becomes.

    Returns:
        Number of frames.

    Raises:
        OSError: If the video cannot be read or written; ``target`` is then left unchanged.
        ValueError: If what was written has not as many frames as were read, or the video is unreadable.
    """
    encoder = {'g': str(form.key_interval), 'bf': '0', 'crf': str(form.crf), 'threads': '1'}
    rate = form.fps or _rate_of_uneven(frame_times(source))
    frames = 0

    def make(name: str) -> None:
        nonlocal frames
        write = partial(write_playable, encoder=encoder)
        frames = cut_video(source, name, 0.0, math.inf, short_side=form.short_side, fps=rate, write=write)
        with VideoFile(name) as written:
            if len(written) != frames:
                raise UnreadableVideoError(source, f'{frames} frames were written, but {len(written)} can be read')

    write_atomically(target, make)
    return frames


def _rate_of_uneven(times: npt.NDArray[np.float64]) -> float | None:
    """Return the mean rate of frames at these times, ``(T,)``; None if they are at a constant rate already."""
    if len(times) < 3 or times[-1] <= 0:
        return None
    rate = (len(times) - 1) / float(times[-1])
    uneven = np.abs(times * rate - np.arange(len(times))).max() > _UNEVEN
    return rate if uneven else None


def prepare_videos(
    sources: Sequence[Source],
    out: Path,
    form: Form,
    *,
    num_workers: int = 2,
    on_video: Callable[[PreparedVideo], None] = lambda result: None,
) -> list[PreparedVideo]:
    """Prepare the videos of lists and folders in several processes.

    A file is complete as soon as it exists, so a preparation that was stopped goes on where it was.

    Args:
        sources: What to prepare, see :func:`mmsigma.apis.data_check.find_sources`.
        out: Folder to write to, where videos have the paths that they have in their sources, ending in ``.mp4``, and
            ``prepared.json`` the settings.
        form: What videos become.
        num_workers: Number of processes; 0 for none.
        on_video: Function that is called with every result.

    Returns:
        What became of every video.

    Raises:
        ValueError: If the folder has videos of another form or is one of the sources, or two videos would get one name.
    """
    pairs = [pair for source in sources for pair in targets_of(source, out).items()]
    check_targets(pairs, out)
    check_form(out, form)
    results = []
    for result in prepared([*dict.fromkeys(pairs)], form, num_workers):
        results.append(result)
        on_video(result)
    return results


def check_targets(pairs: Sequence[tuple[str, str]], out: Path) -> None:
    """Check pairs of a video and the file that it becomes.

    Raises:
        ValueError: If a video is in the folder that is written to, or two would get one name.
    """
    origins = {target: path for path, target in pairs}
    for path, target in pairs:
        if Path(path).resolve().is_relative_to(out.resolve()):
            raise ValueError(
                f'{path} is in {out}, where the prepared videos are: choose a folder outside of the source'
            )
        if origins[target] != path:
            raise ValueError(f'{path} and {origins[target]} would both be {target}: prepare their sources one by one')


def check_form(out: Path, form: Form | None, shard_size: int | None = None) -> None:
    """Note the form of the videos of a folder, or check that it is that of those which are there already.

    Args:
        out: The folder.
        form: What videos become; None if they are copied.
        shard_size: Number of videos of a shard; None if videos are files of their own.

    Raises:
        ValueError: If it is another one.
    """
    settings = (asdict(form) if form else {'copied': True}) | ({'shard_size': shard_size} if shard_size else {})
    path = out / FORM_FILE
    if path.is_file() and (found := json.loads(path.read_text(encoding='utf-8'))) != settings:
        raise ValueError(f'{out} has videos prepared with {found}, not {settings}: choose another folder')
    write_text(path, json.dumps(settings) + '\n')


def targets_of(source: Source, out: Path) -> dict[str, str]:
    """Return the file that each video of a source becomes, by its absolute path.

    Raises:
        ValueError: If a path leads out of the source.
    """
    names = prepared_names(source)
    return {source.file(path): str(path_below(out, name)) for path, name in names.items()}


def prepared_names(source: Source) -> dict[str, str]:
    """Return the new path of each video; one that another only differs from in its ending keeps that, too."""
    stems = Counter(os.path.splitext(path)[0] for path in {path for path, _ in source.entries})
    names = {}
    for path, _ in source.entries:
        stem, suffix = os.path.splitext(path)
        alone = suffix.lower() == '.mp4' or stems[stem] == 1
        names[path] = f'{stem}.mp4' if alone else f'{path}.mp4'
    return names


def prepared(pairs: Sequence[tuple[str, str]], form: Form, num_workers: int) -> Iterator[PreparedVideo]:
    """Prepare videos, pairs of a source and its target, in several processes; targets that are there are kept.

    Yields:
        What became of each pair, in their order.
    """
    left = dict.fromkeys(pair for pair in pairs if not os.path.exists(pair[1]))
    made = _made([*left], form, num_workers)
    for pair in pairs:
        yield next(made) if pair in left else PreparedVideo(*pair)


def _made(pairs: Sequence[tuple[str, str]], form: Form, num_workers: int) -> Iterator[PreparedVideo]:
    if num_workers == 0:
        yield from map(_try_to_prepare, pairs, repeat(form))
        return
    context = multiprocessing.get_context('spawn')  # forked workers could inherit locks of threads
    with ProcessPoolExecutor(num_workers, context) as pool:
        yield from pool.map(_try_to_prepare, pairs, repeat(form))


def _try_to_prepare(pair: tuple[str, str], form: Form) -> PreparedVideo:
    source, target = pair
    try:
        prepare_video(source, target, form)
    except Exception as error:  # one file, whatever is wrong with it, must not end the preparation of all others
        reason = getattr(error, 'reason', None) or str(error) or type(error).__name__
        return PreparedVideo(source, target, str(reason).splitlines()[0])
    return PreparedVideo(source, target)


def write_prepared_lists(lists: dict[Path, Source], out: Path, results: Sequence[PreparedVideo]) -> list[Path]:
    """Write the lists of what was prepared, and of what could not be, to the folder of the videos.

    Args:
        lists: Source by its list.
        out: Folder of the prepared videos or shards.
        results: What became of the videos.

    Returns:
        Lists, of the same names as the old ones, with the names of classes beside them; ``failed.csv``.
    """
    failed = {result.source: result.reason for result in results if result.reason}
    targets = {result.source: Path(os.path.relpath(result.target, out)).as_posix() for result in results}
    written = []
    for path, source in lists.items():
        videos = [(source.file(entry), labels) for entry, labels in source.entries]
        kept = [(targets[file], labels) for file, labels in videos if file not in failed]
        written.append(path_below(out, path.name))
        write_csv(written[-1], [('path', 'label'), *((name, ','.join(map(str, labels))) for name, labels in kept)])
        if (classes := path.with_name(CLASSES)).is_file():
            shutil.copyfile(classes, out / CLASSES)
    if failed:
        write_csv(out / FAILURES, [('path', 'reason'), *failed.items()])
    else:
        (out / FAILURES).unlink(missing_ok=True)
    return written
