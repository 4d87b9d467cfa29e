"""Folders of decoded, reduced frames, from which training on a small machine reads without decoding."""

import os
from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from mmengine.logging import MMLogger
from rich.progress import track

from mmsigma.datasets.videos.video_dataset import find_frame_folders, find_videos
from mmsigma.io.atomic import write_text
from mmsigma.io.frame_array import ARRAY_SUFFIX, FrameArray, write_frame_array
from mmsigma.io.video import FrameReader

LIST = 'list.txt'


def cache_frames(
    folders: Iterable[str | Path], out: str | Path, *, short_side: int = 128, entries: int = 3200
) -> tuple[int, int]:
    """Decode all videos of some folders, and list them, each as often as its share of the frames demands.

    Args:
        folders: Folders of video files, or of folders of frames.
        out: Folder to write to, where paths are relative to what the folders have in common; videos that are in it
            already are kept.
        short_side: Short side in pixels to which larger frames are reduced.
        entries: Approximate number of lines of the list.

    Returns:
        Numbers of videos and of frames.

    Raises:
        ValueError: If no video can be read.
    """
    out, sources = Path(out), [Path(folder).absolute() for folder in folders]
    root, lengths = Path(os.path.commonpath(sources)), dict[str, int]()
    for path in track([path for source in sources for path in _videos_of(source)], 'frames'):
        name = str(path.relative_to(root)).replace('.', '_') + ARRAY_SUFFIX
        try:
            if not (out / name).exists():
                reader = FrameReader(path)
                reduced = (_reduce(frame, short_side) for frame in reader)
                write_frame_array(out / name, reduced, len(reader))
            lengths[name] = len(FrameArray(out / name))
        except (OSError, ValueError) as error:
            MMLogger.get_current_instance().warning(f'{path} is left out: {error}')
    if not lengths:
        raise ValueError('no video can be read')
    lines = [name for name, length in lengths.items() for _ in range(_share(length, sum(lengths.values()), entries))]
    write_text(out / LIST, '\n'.join(lines) + '\n')
    return len(lengths), sum(lengths.values())


def _videos_of(source: Path) -> list[Path]:
    try:
        return find_videos(source)
    except ValueError:
        return find_frame_folders(source)


def _share(length: int, total: int, entries: int) -> int:
    return max(1, round(entries * length / total))


def _reduce(frame: npt.NDArray[np.uint8], short_side: int) -> npt.NDArray[np.uint8]:
    scale = short_side / min(frame.shape[:2])
    if scale >= 1:
        return frame
    size = [round(side * scale) for side in frame.shape[1::-1]]
    return np.asarray(cv2.resize(frame, size, interpolation=cv2.INTER_AREA), np.uint8)
