"""Inferencer that aligns videos of one action in time, and applications of alignments (GTA; TCC)."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal, NamedTuple, overload

import numpy as np
import torch
from torch import Tensor

from mmsigma.apis.inferencer import Inferencer
from mmsigma.apis.results import VideoResult
from mmsigma.evaluation.alignment.frame_cost import Cost, PathChoice
from mmsigma.evaluation.alignment.kendall import nearest_frames
from mmsigma.io.frame_sources import FrameSource, VideoInput, open_frames
from mmsigma.io.pictures import read_picture
from mmsigma.models.gta.context_embedder import Embedded
from mmsigma.ops.label_transfer import Payload, Reduction, expected_alignment, first_matches, transfer
from mmsigma.ops.warping_paths import FramePath, PathKind
from mmsigma.visualization.activation import activation_maps
from mmsigma.visualization.alignment import draw_alignment

Way = Literal['path', 'nearest']
WAYS: tuple[Way, ...] = ('path', 'nearest')
Progress = Callable[[int, int], None]
_CHOICE = PathChoice()


class EmbeddedVideo(NamedTuple):
    """A video as a sequence of embeddings.

    Attributes:
        name: Name of the file without suffix, or of the folder of frames.
        embeddings: Embeddings of the frames, ``(L, D)``, float32, on the CPU.
        fps: Frames per second, on average.
        times: Time of every frame in seconds, ``(L,)``; None if frames follow each other at a constant rate.
    """

    name: str
    embeddings: Tensor
    fps: float
    times: np.ndarray | None = None

    def seconds(self) -> np.ndarray:
        """Return the time of every frame in seconds after the first one, ``(L,)``."""
        return np.arange(len(self.embeddings)) / self.fps if self.times is None else self.times


@dataclass(frozen=True, eq=False, repr=False)
class Aligned(VideoResult):
    """Two aligned videos.

    Attributes:
        first: First video, with M frames.
        second: Second video, with N frames.
        cost: Cost of matching frame i of the first with frame j of the second video, ``(M, N)``, float64.
        path: Monotonic path through the costs.
        nearest: Nearest frame of the second video for each frame of the first, ``(M,)``; of equally near ones, the
            first.
    """

    first: EmbeddedVideo
    second: EmbeddedVideo
    cost: Tensor
    path: FramePath
    nearest: Tensor

    @property
    def name(self) -> str:  # type: ignore[override]  # follows from the videos
        """Names of both videos."""
        return f'{self.first.name}, {self.second.name}'

    @property
    def caption(self) -> str:
        return f'{len(self.first.embeddings)} and {len(self.second.embeddings)} frames, mean cost {self.mean_cost:.4f}'

    def arrays(self) -> dict[str, np.ndarray]:
        path = np.stack([self.path.first.cpu().numpy(), self.path.second.cpu().numpy()], axis=1)
        return dict(cost=self.cost.cpu().numpy(), path=path, nearest=self.nearest.cpu().numpy())

    def table(self) -> list[list[object]]:
        """Return the matched frames with their times in seconds."""
        first, second = (frames.tolist() for frames in self.pairs())
        times, others = self.first.seconds().tolist(), self.second.seconds().tolist()
        titles: list[object] = ['frame', 'seconds', 'frame of the second video', 'seconds of the second video']
        return [titles, *([i, times[i], j, others[j]] for i, j in zip(first, second, strict=True))]

    def picture(self) -> np.ndarray:
        """Return the costs with the path through them."""
        with TemporaryDirectory() as folder:
            path = Path(folder, 'alignment.png')
            videos = (self.first, self.second)
            names, times = zip(*((video.name, video.seconds()) for video in videos), strict=True)
            draw_alignment(self.cost, self.pairs(), path, names=names, times=times)
            return read_picture(path)

    @property
    def mean_cost(self) -> float:
        """Mean cost of the steps of the path, by which alignments of videos of different lengths are comparable."""
        return float(self.cost[self.path.first, self.path.second].mean())

    def soft(self, gamma: float = 0.1) -> Tensor:
        """Return the probability ``(M, N)`` of each pair of frames to be on the path (see ``expected_alignment``).

        Args:
            gamma: Temperature.

        Raises:
            ValueError: If ``gamma`` is not positive.
        """
        return expected_alignment(self.cost[None], gamma)[0]

    def pairs(self, how: Way = 'path') -> tuple[Tensor, Tensor]:
        """Return the matched frames of the first and of the second video, ``(P,)`` each.

        Args:
            how: ``'path'`` for the monotonic path, in which each frame of both videos occurs at least once;
                ``'nearest'`` for the nearest frame of the second video for each frame of the first, in any order.

        Raises:
            ValueError: If ``how`` is unknown.
        """
        if how not in WAYS:
            raise ValueError(f'how must be one of {WAYS}, got {how!r}')
        if how == 'path':
            return self.path.first, self.path.second
        return torch.arange(len(self.nearest)), self.nearest

    def matches(self, how: Way = 'path') -> Tensor:
        """Return the frame of the second video for each frame of the first, ``(M,)``; of several, the first.

        Raises:
            ValueError: If ``how`` is unknown.
        """
        return first_matches(*self.pairs(how))

    def transfer(self, payload: Payload, how: Way = 'path', reduce: Reduction = 'first') -> Payload:
        """Transfer per-frame data of the second video to the frames of the first.

        Args:
            payload: Data of each frame of the second video, such as labels, poses, sounds or file names: an array or
                tensor ``(N, ...)``, or a list.
            how: See :meth:`pairs`.
            reduce: How to combine several frames matched with one: ``'first'``, or the ``'mean'`` of numbers.

        Returns:
            Data of the same kind, one entry per frame of the first video.

        Raises:
            ValueError: If there is not one entry per frame, ``how`` or ``reduce`` is unknown, or the mean is requested
                of data that is not numeric.
        """
        if len(payload) != len(self.second.embeddings):
            raise ValueError(
                f'the payload has {len(payload)} entries, but {self.second.name} has {len(self.second.embeddings)} '
                'frames: '
                'one entry per frame is required'
            )
        return transfer(payload, *self.pairs(how), reduce)

    def times(self, how: Way = 'path') -> np.ndarray:
        """Return the time in the second video that matches each frame of the first, in seconds, ``(M,)``.

        It allows playing the sound of the second video in step with the first.
        """
        return self.transfer(self.second.seconds(), how, 'mean')


def align(
    first: EmbeddedVideo,
    second: EmbeddedVideo,
    cost: Cost = _CHOICE.cost,
    path: PathKind = _CHOICE.path,
    *,
    temperature: float = _CHOICE.temperature,
    gamma: float | None = None,
    max_pace: int = _CHOICE.max_pace,
) -> Aligned:
    """Align two embedded videos.

    Args:
        first: First video.
        second: Second video; one may be many times as long as the other.
        cost: ``'sqeuclidean'`` (CARL), ``'cosine'``, or ``'contrastive'``, with which GTA is trained; see
            :func:`~mmsigma.evaluation.alignment.frame_cost.frame_cost`.
        path: ``'dtw'``, the cheapest path, ``'slope'``, the cheapest of bounded pace, or ``'expected'``, the mean of
            all paths; see :func:`~mmsigma.ops.warping_paths.find_path`.
        temperature: Temperature of the contrastive cost.
        gamma: Temperature of the mean, in the unit of the cost; None for one that suits it.
        max_pace: Largest pace of ``'slope'``, relative to a constant pace.

    Raises:
        ValueError: If an argument is out of range, or embeddings differ in size.
    """
    one, other = first.embeddings, second.embeddings
    if one.shape[1:] != other.shape[1:]:
        raise ValueError(f'{first.name} has embeddings of {one.shape[1]} dimensions, {second.name} of {other.shape[1]}')
    costs, found = PathChoice(cost, path, temperature, gamma, max_pace).align(one, other)
    # the contrastive cost compares directions as well
    nearest = nearest_frames(one, [other], 'sqeuclidean' if cost == 'sqeuclidean' else 'cosine')
    return Aligned(first, second, costs, found, nearest[0])


def anomaly_curve(video: Tensor, references: Sequence[Tensor]) -> Tensor:
    """Compute the distance of each frame to the nearest frame of typical videos (TCC, CVPR 2019).

    Args:
        video: Embeddings ``(L, D)``.
        references: Embeddings ``(L_v, D)`` of the typical videos.

    Returns:
        Euclidean distances ``(L,)``, float64; 0 to 2 for embeddings of unit length.

    Raises:
        ValueError: If there is no reference.
    """
    if not references:
        raise ValueError('anomalies are relative to typical videos: pass at least one reference')
    nearest = nearest_frames(video, references)
    pairs = zip(references, nearest, strict=True)
    return torch.stack([(video.double() - frames[n].double()).norm(dim=1) for frames, n in pairs]).amin(dim=0)


class VideoAligner(Inferencer):
    """Embed the frames of videos, and align videos of the same action.

    ::

        infer = VideoAligner('configs/gta/gta_penn_action.py', 'gta.pth')
        aligned = infer('mine.mp4', 'expert.mp4')
        aligned.transfer(labels_of_expert)               # one for each frame of mine.mp4
        infer.anomaly('mine.mp4', ['expert.mp4', 'other_expert.mp4'])

    A file or a folder of frames may be of any length, since frames are read and embedded a few at a time. A video that
    has already been embedded may be passed instead. The config is one of ``configs/gta``.
    """

    needs = 'embed_stream'
    use = 'use a config from configs/gta to align videos'

    @overload
    def embed(self, video: VideoInput | EmbeddedVideo, progress: Progress | None = None) -> EmbeddedVideo: ...

    @overload
    def embed(
        self, video: list[VideoInput | EmbeddedVideo], progress: Progress | None = None
    ) -> list[EmbeddedVideo]: ...

    def embed(
        self,
        video: VideoInput | EmbeddedVideo | list[VideoInput | EmbeddedVideo],
        progress: Progress | None = None,
    ) -> EmbeddedVideo | list[EmbeddedVideo]:
        """Embed all frames of a video, or of several.

        Args:
            video: Video, or result of this method, which is returned unchanged; or list of these.
            progress: Function that is called with the number of finished frames and their total.

        Raises:
            FileNotFoundError: If there is no such video.
            ValueError: If it cannot be read, has no frames, or has embeddings that are not finite; the message names
                it.
        """
        if isinstance(video, list):
            return [self.embed(one, progress) for one in video]
        if isinstance(video, EmbeddedVideo):
            return video
        frames, parts, done = open_frames(video), [], 0
        for part in self._stream(frames):
            if not part.embeddings.isfinite().all():
                raise ValueError(
                    f'{frames.name} has embeddings that are not finite: check the weights, as training may have '
                    'diverged'
                )
            parts.append(part.embeddings.float().cpu())
            done += len(parts[-1])
            if progress is not None:
                progress(done, len(frames))
        return EmbeddedVideo(frames.name, torch.cat(parts), frames.fps, frames.times())

    def _stream(self, frames: FrameSource) -> Iterator[Embedded]:
        def chunks() -> Iterator[Tensor]:
            for start in range(0, len(frames), self.model.chunk):
                numbers = range(start, min(start + self.model.chunk, len(frames)))
                pictures = [torch.from_numpy(frames.read(number)).movedim(-1, 0)[None] for number in numbers]
                # each image is passed as a video of its own, since images of a folder may differ in size
                data = dict(inputs=pictures, data_samples=[None] * len(pictures))
                yield torch.cat(self.model.data_preprocessor(data)['inputs'])

        stream: Iterator[Embedded] = self.model.embed_stream(chunks())
        while True:
            with self.autocast():  # not while the caller has its turn
                part = next(stream, None)
            if part is None:
                return
            yield part

    @overload
    def __call__(
        self,
        first: VideoInput | EmbeddedVideo,
        second: VideoInput | EmbeddedVideo,
        cost: Cost = ...,
        path: PathKind = ...,
    ) -> Aligned: ...

    @overload
    def __call__(
        self,
        first: list[VideoInput | EmbeddedVideo],
        second: list[VideoInput | EmbeddedVideo],
        cost: Cost = ...,
        path: PathKind = ...,
    ) -> list[Aligned]: ...

    def __call__(
        self,
        first: VideoInput | EmbeddedVideo | list[VideoInput | EmbeddedVideo],
        second: VideoInput | EmbeddedVideo | list[VideoInput | EmbeddedVideo],
        cost: Cost = _CHOICE.cost,
        path: PathKind = _CHOICE.path,
    ) -> Aligned | list[Aligned]:
        """Align two videos of the same action, or each pair of two lists, see :func:`align`.

        Raises:
            FileNotFoundError: If there is no such video.
            ValueError: If a video cannot be read, has no frames or no finite embeddings, lists differ in length, or
                ``cost`` or ``path`` is unknown.
        """
        if isinstance(first, list) or isinstance(second, list):
            if not isinstance(first, list) or not isinstance(second, list) or len(first) != len(second):
                raise ValueError('a list of videos is aligned with a list of as many others')
            return [self(*pair, cost, path) for pair in zip(first, second, strict=True)]
        return align(self.embed(first), self.embed(second), cost, path)

    def anomaly(
        self,
        video: VideoInput | EmbeddedVideo,
        references: Sequence[VideoInput | EmbeddedVideo],
    ) -> np.ndarray:
        """Compute how unlike typical videos each frame is, ``(L,)``, see :func:`anomaly_curve`.

        Raises:
            FileNotFoundError: If there is no such video.
            ValueError: If a video cannot be embedded, or there is no reference.
        """
        others = [one.embeddings for one in self.embed(list(references))]
        return anomaly_curve(self.embed(video).embeddings, others).numpy()

    def activation(self, video: VideoInput) -> Iterator[np.ndarray]:
        """Yield an activation map ``(h, w)``, 0..1, of the neck's last convolution for each frame (GTA).

        The map is that of the frame's own slot of the context; the released script shows that of the older frame.

        Raises:
            FileNotFoundError: If there is no such video.
            ValueError: If it cannot be read, or has no frames.
        """
        for part in self._stream(open_frames(video)):
            yield from activation_maps(part.maps[:, :, -1].float()).cpu().numpy()
