"""Charades: everyday videos in which several of 157 actions may occur at a time."""

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from mmsigma.datasets.videos.missing_videos import report_missing
from mmsigma.datasets.videos.video_dataset import VideoDataset
from mmsigma.datasets.videos.video_list import VIDEO_SUFFIXES
from mmsigma.io.tables import read_csv
from mmsigma.registry import DATASETS

_ACTION = re.compile(r'c(\d+) ([\d.]+) ([\d.]+)')


@DATASETS.register_module()
class CharadesDataset(VideoDataset):
    """Charades with temporal labels, from the CSV files that it is distributed with.

    A video is a file ``<data_prefix>/<id>.mp4`` (or another video suffix), or a folder ``<data_prefix>/<id>`` of
    frames, which is read with ``ReadClip(decoder='frames')``. Which classes a sample has is decided by
    :class:`mmsigma.datasets.transforms.charades.SampleCharadesClip`.

    Args:
        pipeline: Configs of the transforms.
        ann_file: ``Charades_v1_train.csv`` or ``Charades_v1_test.csv``, relative to ``data_root``.
        frames: Whether to look for folders of frames instead of video files.
        fps: Frames per second if the videos do not state it, 24 for the distributed frames.
        strict: Whether a missing video is an error, instead of being counted and named in a warning.
        **kwargs: Further arguments of :class:`mmsigma.datasets.VideoDataset`.

    Raises:
        ValueError: If ``frames`` is set without ``fps``.
    """

    def __init__(
        self,
        pipeline: Sequence[dict[str, Any] | Callable[..., Any]],
        ann_file: str,
        *,
        frames: bool = False,
        fps: float | None = None,
        strict: bool = False,
        **kwargs: Any,
    ) -> None:
        if frames and fps is None:
            raise ValueError('frames=True requires fps, as a folder has no frame rate: 24 for the distributed frames')
        self.frames, self.fps, self.strict = frames, fps, strict
        super().__init__(pipeline, ann_file, **kwargs)

    def load_data_list(self) -> list[dict[str, Any]]:
        """Read the CSV file and find the videos.

        Raises:
            FileNotFoundError: If there is no such file, or videos are missing and ``strict`` is set.
            ValueError: If the file cannot be parsed.
        """
        annotations = read_charades(self.ann_file)
        folder = Path(self.data_prefix.get('video') or '.')
        paths = {name: self._find(folder, name) for name in annotations}
        missing = [name for name, path in paths.items() if path is None]
        report_missing(missing, len(annotations), str(folder), strict=self.strict)
        return [
            {'filename': str(paths[name]), 'actions': actions, 'fps': self.fps}
            for name, actions in annotations.items()
            if paths[name] is not None
        ]

    def _find(self, folder: Path, name: str) -> Path | None:
        if self.frames:
            return folder / name if (folder / name).is_dir() else None
        return next((path for suffix in VIDEO_SUFFIXES if (path := folder / f'{name}{suffix}').is_file()), None)


def read_charades(path: str | Path) -> dict[str, list[tuple[int, float, float]]]:
    """Read the actions (class, start, end) of every video in a Charades CSV file, in seconds; some videos have none.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it lacks a column, an action cannot be parsed, or a video has two rows that differ; the message
            names the line.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f'no annotation at {path}: set ann_file to Charades_v1_train.csv or _test.csv')
    titles, rows = read_csv(path)
    if lacking := {'id', 'actions'}.difference(titles):
        raise ValueError(f'{path} is not an annotation of Charades: it lacks the columns {sorted(lacking)}')
    annotations: dict[str, list[tuple[int, float, float]]] = {}
    for place, row in rows:
        actions = _parse_actions(row['actions'], place)
        if annotations.setdefault(row['id'], actions) != actions:
            raise ValueError(f'{place}: {row["id"]} has other actions in an earlier line: keep one of them')
    return annotations


def _parse_actions(text: str, place: str) -> list[tuple[int, float, float]]:
    actions = []
    for part in text.split(';'):
        if not part.strip():
            continue
        if not (match := _ACTION.fullmatch(part.strip())):
            raise ValueError(f'{place}: expected actions as "c092 11.90 21.20;...", got {part!r}')
        actions.append((int(match[1]), float(match[2]), float(match[3])))
    return actions
