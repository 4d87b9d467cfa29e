"""Inferencer that tracks key points through videos, given their places in the first frame."""

from dataclasses import dataclass
from pathlib import Path
from typing import overload

import numpy as np
import numpy.typing as npt

from mmsigma.apis.inferencer import Inferencer
from mmsigma.apis.results import VideoResult, contact_sheet, spread
from mmsigma.io.frame_sources import FrameSource, VideoInput, open_frames
from mmsigma.io.tables import read_csv
from mmsigma.visualization.keypoints import draw_points

PointsInput = npt.ArrayLike | str | Path


@dataclass(frozen=True, eq=False, repr=False)
class TrackedPoints(VideoResult):
    """Key points of a video.

    Attributes:
        name: Name of the video.
        points: Points (x, y) in pixels from 0, ``(T, J, 2)``, float64; -1 where a point is lost. Those of the first
            frame are as given.
        frame_names: Name of every frame.
        frames: Up to eight RGB frames ``(H, W, 3)``, uint8, that are evenly spread over the video.
    """

    name: str
    points: np.ndarray
    frame_names: list[str]
    frames: list[np.ndarray]

    @property
    def caption(self) -> str:
        lost = int((self.points[-1, :, 0] < 0).sum())
        return f'{self.points.shape[1]} points in {len(self.points)} frames' + (
            f', {lost} lost at the end' * bool(lost)
        )

    def arrays(self) -> dict[str, np.ndarray]:
        return dict(points=self.points)

    def table(self) -> list[list[object]]:
        rows: list[list[object]] = [['frame', 'point', 'x', 'y']]
        for name, points in zip(self.frame_names, self.points.tolist(), strict=True):
            rows += [[name, number, *point] for number, point in enumerate(points)]
        return rows

    def picture(self) -> np.ndarray:
        shown = [draw_points(*pair) for pair in zip(self.frames, self.points[spread(len(self.points))], strict=True)]
        return contact_sheet(shown)


class KeypointTracker(Inferencer):
    """Track key points of the first frame through videos by the similarity of features (CRW).

    ::

        track = KeypointTracker('mmsigma::vos/r18_jhmdb', 'crw.pth')
        track('my_video.mp4', [(120, 80), (96, 140)]).points      # (T, 2, 2)
        track('my_video.mp4', 'points.csv').save('results/mine')   # points.npy, table.csv, picture.png
    """

    needs = 'track'
    use = 'use configs/vos/r18_jhmdb.py or a config like it to track key points'

    @overload
    def __call__(self, video: VideoInput, points: PointsInput) -> TrackedPoints: ...

    @overload
    def __call__(self, video: list[VideoInput], points: list[PointsInput]) -> list[TrackedPoints]: ...

    def __call__(
        self, video: VideoInput | list[VideoInput], points: PointsInput | list[PointsInput]
    ) -> TrackedPoints | list[TrackedPoints]:
        """Track the points of a video, or of several.

        Args:
            video: Video, or list of videos.
            points: Points (x, y) in the first frame in pixels from 0, ``(J, 2)``; a ``.npy`` file of them, or a CSV
                with the columns ``x`` and ``y``. One per video for a list of videos.

        Raises:
            FileNotFoundError: If there is no such video, or file of points.
            ValueError: If a video cannot be read, or points are not such points, lie outside of the frame, or are not
                as many as the videos.
        """
        if not isinstance(video, list):
            return self._track(open_frames(video), load_points(points))  # type: ignore[arg-type]  # of one video
        if not isinstance(points, list) or len(points) != len(video):
            raise ValueError(f'there are {len(video)} videos: give a list of as many arrays or files of points')
        return [self._track(open_frames(one), load_points(own)) for one, own in zip(video, points, strict=True)]

    def _track(self, frames: FrameSource, points: npt.NDArray[np.float64]) -> TrackedPoints:
        height, width = frames.read(0).shape[:2]
        if ((points < 0) | (points >= (width, height))).any():
            raise ValueError(
                f'{frames.name} has frames of {width} x {height} pixels, but a point is at '
                f'{points[((points < 0) | (points >= (width, height))).any(axis=1)][0].tolist()}'
            )
        with self.autocast():
            found = np.stack(list(self.model.track(_Joints(frames, points))))
        found[0] = points
        shown = [frames.read(number) for number in spread(len(frames))]
        return TrackedPoints(frames.name, found, frames.names, shown)


class _Joints:
    """Video with points in its first frame, as :class:`mmsigma.models.interfaces.JointSource` asks for."""

    def __init__(self, frames: FrameSource, points: npt.NDArray[np.float64]) -> None:
        self.frames, self._source, self._points = range(len(frames)), frames, points

    def read_frame(self, number: int) -> npt.NDArray[np.uint8]:
        return self._source.read(number)

    def read_joints(self) -> npt.NDArray[np.float64]:
        return self._points[None]


def load_points(points: PointsInput) -> npt.NDArray[np.float64]:
    """Load points (x, y), ``(J, 2)``, see :meth:`KeypointTracker.__call__`.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If they have another shape or type, or are not finite.
    """
    name = str(points) if isinstance(points, str | Path) else 'points'
    if isinstance(points, str | Path) and not Path(points).is_file():
        raise FileNotFoundError(f'there is no file of points {points}')
    try:
        if isinstance(points, str | Path) and Path(points).suffix == '.npy':
            points = np.load(points, allow_pickle=False)
        elif isinstance(points, str | Path):
            points = [(row['x'], row['y']) for _, row in read_csv(points)[1]]
        loaded = np.array(points, np.float64)
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f'{name} are no points: a CSV has the columns x and y, with numbers, an array the shape (J, 2) ({error})'
        ) from error
    if loaded.ndim != 2 or loaded.shape[1] != 2 or not len(loaded) or not np.isfinite(loaded).all():
        raise ValueError(f'{name} must be finite numbers of the shape (J, 2), got {loaded.shape}')
    return loaded
