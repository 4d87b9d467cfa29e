"""Charades: everyday videos in which several of 157 actions go on at a time."""

import csv
import re
from collections.abc import Callable, Sequence
from pathlib import Path

from mmsigma.datasets.videos.missing_videos import report_missing
from mmsigma.datasets.videos.video_dataset import VIDEO_SUFFIXES, VideoDataset
from mmsigma.registry import DATASETS

_ACTION = re.compile(r'c(\d+) ([\d.]+) ([\d.]+)')


@DATASETS.register_module()
class CharadesDataset(VideoDataset):
    """Charades with temporal labels, from the CSV files that it is distributed with.

    ``<data_prefix>/<id>`` may be a folder of frames (read it with ``ReadClip(decoder='frames')``) or ``<id>.mp4`` a
    video. Which classes a sample gets is for
    :class:`mmsigma.datasets.transforms.charades.SampleCharadesClip` to say.

    Args:
        pipeline: Configs of the transforms.
        ann_file: ``Charades_v1_train.csv`` or ``Charades_v1_test.csv``, relative to ``data_root``.
        frames: Look for folders of frames instead of videos.
        fps: Frames per second, if the videos do not say: 24 for the frames as distributed.
        strict: Raise if a video is missing, instead of counting and naming those that are.
        **kwargs: Further arguments of :class:`mmsigma.datasets.VideoDataset`.
    """

    def __init__(
        self,
        pipeline: Sequence[dict | Callable],
        ann_file: str,
        *,
        frames: bool = False,
        fps: float | None = None,
        strict: bool = False,
        **kwargs,
    ) -> None:
        if frames and fps is None:
            raise ValueError('frames=True needs fps: a folder does not say how fast its frames were taken (24)')
        self.frames, self.fps, self.strict = frames, fps, strict
        super().__init__(pipeline, ann_file, **kwargs)

    def load_data_list(self) -> list[dict]:
        """Read the CSV file and find the videos.

        Raises:
            FileNotFoundError: If there is no such file, or videos are missing and ``strict`` is set.
            ValueError: If the file is not understood.
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
    """Read the actions (class, start, end), in seconds, of every video of a Charades CSV file; some have none.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it lacks a column, or an action is not understood; the line is named.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f'no annotation at {path}: set ann_file to Charades_v1_train.csv or _test.csv')
    with path.open(encoding='utf-8-sig', newline='') as file:
        reader = csv.DictReader(file)
        if lacking := {'id', 'actions'} - set(reader.fieldnames or ()):
            raise ValueError(f'{path} is not an annotation of Charades: it has no column {sorted(lacking)}')
        return {row['id']: _parse_actions(row['actions'], f'{path}, line {reader.line_num}') for row in reader}


def _parse_actions(text: str | None, place: str) -> list[tuple[int, float, float]]:
    actions = []
    for part in (text or '').split(';'):
        if not part.strip():
            continue
        if not (match := _ACTION.fullmatch(part.strip())):
            raise ValueError(f'{place}: expected actions as "c092 11.90 21.20;...", got {part!r}')
        actions.append((int(match[1]), float(match[2]), float(match[3])))
    return actions
