"""Predictions for many videos with whatever model a config has: which inferencer it takes, and what is written."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mmsigma.apis.cluster_segmenter import ClusterSegmenter
from mmsigma.apis.feature_extractor import FeatureExtractor
from mmsigma.apis.inferencer import Inferencer
from mmsigma.apis.keypoint_tracker import KeypointTracker
from mmsigma.apis.models import open_config
from mmsigma.apis.repetition_counter import RepetitionCounter
from mmsigma.apis.video_aligner import VideoAligner
from mmsigma.apis.video_classifier import VideoClassifier
from mmsigma.apis.video_segmenter import VideoSegmenter
from mmsigma.datasets.transforms import UnreadableVideoError
from mmsigma.datasets.videos.video_dataset import find_frame_folders, find_videos
from mmsigma.io.names import path_below
from mmsigma.io.pictures import is_picture
from mmsigma.io.tables import write_csv
from mmsigma.utils.progress import waiting

# the first that suits a config; features are what any encoder of clips gives
_KINDS: tuple[type[Inferencer], ...] = (
    VideoClassifier,
    RepetitionCounter,
    KeypointTracker,
    VideoSegmenter,
    VideoAligner,
    ClusterSegmenter,
    FeatureExtractor,
)
TABLE = 'predictions.csv'
"""Name of the table of labels or counts of all videos."""


def inferencer_of(
    config: str | Path, options: dict[str, Any] | None = None, *, trust: bool = False
) -> type[Inferencer]:
    """Return the inferencer for the kind of model that a config, or the checkpoint of a run, has.

    Raises:
        FileNotFoundError: If there is no such config.
        mmsigma.checkpoints.files.CheckpointError: If the checkpoint contains no usable config.
    """
    cfg, _ = open_config(config, None, options, trust=trust)
    return next(kind for kind in _KINDS if kind.suits(cfg))


def find_videos_of(path: Path) -> list[Path]:
    """Find the videos of a path: a video, a folder of frames, or the videos or folders of frames below a folder.

    Raises:
        FileNotFoundError: If there is nothing at the path.
        ValueError: If a folder has neither videos nor frames, or both beside each other.
    """
    if not path.exists():
        raise FileNotFoundError(f'no video at {path}')
    if path.is_file():
        return [path]
    frames = [item.name for item in path.iterdir() if is_picture(item)]
    try:
        videos = find_videos(path)
    except ValueError:
        try:
            return [path] if frames else find_frame_folders(path)
        except ValueError:
            raise ValueError(f'{path} has neither videos nor folders of frames below it') from None
    if frames and (beside := [video.name for video in videos if video.parent == path]):
        raise ValueError(
            f'{path} has both the picture {frames[0]} and the video {beside[0]}: name the videos, or keep frames and '
            'videos apart'
        )
    return [path] if frames else videos


def names_of(videos: Sequence[Path], root: Path) -> list[str]:
    """Return the name of each video's results: its path below the folder, with the suffix only where it is needed."""
    places = [path.relative_to(root) if path != root else Path(path.resolve().name) for path in videos]
    names = [str(place if path.is_dir() else place.with_suffix('')) for path, place in zip(videos, places, strict=True)]
    return [name if names.count(name) == 1 else str(place) for name, place in zip(names, places, strict=True)]


@dataclass(frozen=True)
class Requested:
    """What to predict of a video.

    Attributes:
        name: Name of its results.
        video: Path of the video.
        given: Mask or points of its first frame; None if the model needs none.
    """

    name: str
    video: Path
    given: Path | None = None


def list_requests(paths: Sequence[Path], given: Sequence[Path] | None = None) -> list[Requested]:
    """List the videos of paths, which are files, folders of frames, or folders of videos.

    Args:
        paths: The paths.
        given: Mask or points of the first frame of each video.

    Raises:
        FileNotFoundError: If there is nothing at a path.
        ValueError: If a folder has no video, or there are not as many masks or points as videos.
    """
    found = []
    for path in paths:
        videos = [path] if not path.exists() else find_videos_of(path)  # a missing one is named with the unreadable
        found += [(name, video) for video, name in zip(videos, names_of(videos, path), strict=True)]
    names = _distinct([name for name, _ in found])
    if given is not None and len(given) != len(found):
        raise ValueError(f'{len(given)} files of masks or points for {len(found)} videos: give one for each, in order')
    files: Sequence[Path | None] = given if given is not None else [None] * len(found)
    return [Requested(name, video, own) for name, (_, video), own in zip(names, found, files, strict=True)]


def _distinct(names: Sequence[str]) -> list[str]:
    """Number names that occur several times, by their place, so that no result is written over another."""
    taken, distinct = {name for name in names if names.count(name) == 1}, []
    for number, name in enumerate(names):
        while names.count(name) != 1 and (numbered := f'{name}_{number}') in taken:
            number += len(names)
        distinct.append(name if names.count(name) == 1 else numbered)
        taken.add(distinct[-1])
    return distinct


@dataclass
class Predictions:
    """Predictions of videos, one after the other.

    Attributes:
        out: Folder to write to: ``predictions.csv`` of labels or counts, otherwise a folder for each video.
        done: Number of videos whose results were written.
        failed: Videos that could not be read, with the reasons.
    """

    out: Path
    done: int = 0
    failed: list[str] = field(default_factory=list)
    _rows: list[list[object]] = field(default_factory=list)

    def run(
        self, infer: Inferencer, requests: Sequence[Requested], report: Callable[[str], None], *, top_k: int = 5
    ) -> None:
        """Predict, write and report each video; a video that cannot be read is left out.

        Args:
            infer: Inferencer, of any kind but the aligner.
            requests: The videos.
            report: Function that is called with a line for each video.
            top_k: Number of classes to name.

        Raises:
            OSError: If results cannot be written.
            ValueError: If no video can be read.
        """
        try:
            for number, one in enumerate(requests, start=1):
                try:
                    with waiting(f'{one.name}, video {number} of {len(requests)}'):
                        line = self._predict(infer, one, top_k)
                except (UnreadableVideoError, FileNotFoundError, ValueError) as error:
                    self.failed.append(str(error) if one.video.name in str(error) else f'{one.video}: {error}')
                    report(f'{one.name}: left out')
                else:
                    self.done += 1
                    report(f'{one.name}: {line}')
        finally:
            if self._rows:  # also of what was done before an interruption
                write_csv(self.out / TABLE, self._rows, digits=6)
        if self.failed and not self.done:
            raise ValueError(f'none of {len(requests)} videos could be used: {self.failed[0]}')

    def _predict(self, infer: Inferencer, one: Requested, top_k: int) -> str:
        """Predict a video, write or keep what was found, and return it in a line."""
        folder = path_below(self.out, one.name)
        if isinstance(infer, VideoClassifier | RepetitionCounter):
            found = infer(one.video, top_k) if isinstance(infer, VideoClassifier) else infer(one.video)
            titles, *rows = found.table()
            self._rows += [titles] * (not self._rows) + [[one.name, *cells] for _, *cells in rows]
            return found.caption
        if isinstance(infer, VideoSegmenter):
            assert one.given is not None
            files = infer.write(one.video, one.given, folder)
            return f'{files.num_frames} frames, objects {files.ids}'
        if isinstance(infer, KeypointTracker):
            assert one.given is not None
            result: Any = infer(one.video, one.given)
        else:
            assert isinstance(infer, ClusterSegmenter | FeatureExtractor)
            result = infer.extract(one.video) if isinstance(infer, FeatureExtractor) else infer(one.video)
        result.save(folder)
        return str(result.caption)
