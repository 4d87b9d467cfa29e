"""A user's own videos of one action, aligned in time, and what an alignment is good for."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from mmsigma.apis.models import build_inference_model
from mmsigma.evaluation.alignment.kendall import METRICS, frame_distances, nearest_frames
from mmsigma.io.video import FrameReader
from mmsigma.models.gta.context_embedder import Embedded
from mmsigma.ops.label_transfer import Payload, expected_alignment, first_matches, transfer
from mmsigma.ops.soft_dtw import Path as AlignmentPath
from mmsigma.ops.soft_dtw import contrastive_cost, dtw_path
from mmsigma.utils.config import load_config
from mmsigma.visualization.activation import activation_maps

COSTS = (*METRICS, 'contrastive')
WAYS = ('path', 'nearest')
Progress = Callable[[int, int], None]


class EmbeddedVideo(NamedTuple):
    """A video as a sequence of embeddings.

    Attributes:
        name: Of the file without suffix, or of the folder of frames.
        embeddings: Of its frames (L, D), float32, on the CPU.
        fps: Frames a second.
    """

    name: str
    embeddings: Tensor
    fps: float


class Aligned(NamedTuple):
    """Two videos that are aligned.

    Attributes:
        first: The first video, of M frames.
        second: The second one, of N frames.
        cost: Of matching frame i of the first with frame j of the second, (M, N), float64.
        path: The cheapest path through them, by dynamic time warping.
        nearest: Nearest frame of the second for each of the first, (M,), the first one of equally near ones.
    """

    first: EmbeddedVideo
    second: EmbeddedVideo
    cost: Tensor
    path: AlignmentPath
    nearest: Tensor

    @property
    def mean_cost(self) -> float:
        """Mean cost of the steps of the path, by which alignments of videos of other lengths can be compared."""
        return self.path.value / len(self.path.first)

    def soft(self, gamma: float = 0.1) -> Tensor:
        """Probability (M, N) that the path visits each pair, by :func:`~mmsigma.ops.label_transfer.expected_alignment`.

        Raises:
            ValueError: If gamma is not positive.
        """
        return expected_alignment(self.cost[None], gamma)[0]

    def pairs(self, how: str = 'path') -> tuple[Tensor, Tensor]:
        """Matched frames (P,) of the first and of the second video.

        Args:
            how: ``'path'``: monotonous, each frame of both videos comes at least once; ``'nearest'``: each frame of the
                first video with the most similar one of the second, whatever the order.

        Raises:
            ValueError: If there is no such way.
        """
        if how not in WAYS:
            raise ValueError(f'how must be one of {WAYS}, got {how!r}')
        if how == 'path':
            return self.path.first, self.path.second
        return torch.arange(len(self.nearest)), self.nearest

    def matches(self, how: str = 'path') -> Tensor:
        """Frame of the second video for each frame of the first (M,); of several on the path it is the first.

        Raises:
            ValueError: If there is no such way.
        """
        return first_matches(*self.pairs(how))

    def transfer(self, payload: Payload, how: str = 'path', reduce: str = 'first') -> Payload:
        """Carry what is known about each frame of the second video to the frames of the first.

        Args:
            payload: One entry for each frame of the second video: labels, poses, sounds, names of files; array or
                tensor (N, ...), or list.
            how: See :meth:`pairs`.
            reduce: Of several frames matched with one: ``'first'``, or the ``'mean'`` of numbers.

        Returns:
            The same kind of thing with one entry for each frame of the first video.

        Raises:
            ValueError: If there is not one entry for each frame, there is no such way or reduction, or things that are
                no numbers are to be averaged.
        """
        if len(payload) != len(self.second.embeddings):
            raise ValueError(
                f'the payload has {len(payload)} entries, {self.second.name} has {len(self.second.embeddings)} frames: '
                'one for each is needed'
            )
        return transfer(payload, *self.pairs(how), reduce)

    def times(self, how: str = 'path') -> np.ndarray:
        """Moment of the second video that belongs to each frame of the first, in seconds (M,), to play its sound by."""
        return self.transfer(np.arange(len(self.second.embeddings)) / self.second.fps, how, 'mean')


def align(first: EmbeddedVideo, second: EmbeddedVideo, cost: str = 'sqeuclidean', temperature: float = 0.1) -> Aligned:
    """Align two videos that are embedded.

    Args:
        first: A video.
        second: Another one; the longer may be many times as long.
        cost: ``'sqeuclidean'`` (CARL), ``'cosine'``, or ``'contrastive'``, which GTA trains with; the latter depends on
            which video is the first.
        temperature: Of the contrastive cost.

    Raises:
        ValueError: If there is no such cost, or embeddings differ in size.
    """
    if cost not in COSTS:
        raise ValueError(f'cost must be one of {COSTS}, got {cost!r}')
    one, other = first.embeddings, second.embeddings
    if one.shape[1:] != other.shape[1:]:
        raise ValueError(f'{first.name} has embeddings of {one.shape[1]} numbers, {second.name} of {other.shape[1]}')
    metric = 'sqeuclidean' if cost == 'contrastive' else cost
    if cost == 'contrastive':
        costs = contrastive_cost(one.double()[None], other.double()[None], temperature)[0]
    else:
        costs = frame_distances(one, other, metric).clamp(min=0)
    return Aligned(first, second, costs, dtw_path(costs), nearest_frames(one, [other], metric)[0])


def anomaly_curve(video: Tensor, references: Sequence[Tensor]) -> Tensor:
    """Distance of each frame to the nearest frame of typical videos (TCC, CVPR 2019).

    Args:
        video: Embeddings (L, D).
        references: Embeddings (L_v, D) of the typical videos.

    Returns:
        Euclidean distances (L,), float64; 0 to 2 for embeddings of unit length.

    Raises:
        ValueError: If there is no reference.
    """
    if not references:
        raise ValueError('anomalies are what is unlike other videos: give one or more references')
    nearest = nearest_frames(video, references)
    pairs = zip(references, nearest, strict=True)
    return torch.stack([(video.double() - frames[n].double()).norm(dim=1) for frames, n in pairs]).amin(dim=0)


class VideoAligner:
    """Embeds the frames of videos and aligns videos of the same action.

    ::

        infer = VideoAligner('configs/gta/gta_penn_action.py', 'gta.pth')
        aligned = infer('mine.mp4', 'expert.mp4')
        aligned.transfer(labels_of_expert)               # one for each frame of mine.mp4
        infer.anomaly('mine.mp4', ['expert.mp4', 'other_expert.mp4'])

    A video is a file or a folder of frames, and may be as long as you like: frames are read and embedded a few at a
    time. One that has been embedded can be given instead.

    Args:
        config: Config of ``configs/gta``, a file or ``package::path``.
        checkpoint: Weights of the whole model; None where the config names them.
        device: Where to run; a GPU if there is one.
        options: Changes of the config, as of ``--cfg-options``.
        trust: Allow the checkpoint to execute code on loading.

    Raises:
        FileNotFoundError: If config or checkpoint do not exist.
        ValueError: If the config is of another kind of model, or needs a checkpoint and there is none.
        mmsigma.checkpoints.io.CheckpointError: If the checkpoint does not fit.
    """

    def __init__(
        self,
        config: str | Path,
        checkpoint: str | Path | None = None,
        *,
        device: str | None = None,
        options: dict[str, Any] | None = None,
        trust: bool = False,
    ) -> None:
        cfg = load_config(config, options)
        if cfg.model.type != 'GTA':
            raise ValueError(f'{config} has a model of the type {cfg.model.type}: videos are aligned by configs/gta')
        self.model = build_inference_model(cfg, checkpoint, device, trust=trust)

    def embed(self, video: str | Path | FrameReader | EmbeddedVideo, progress: Progress | None = None) -> EmbeddedVideo:
        """Embed all frames of a video.

        Args:
            video: A video file, a folder of frames, or what this method has returned, which is returned again.
            progress: Told how many frames of how many are done.

        Raises:
            FileNotFoundError: If there is no such video.
            ValueError: If it cannot be read or has no frames, or embeddings are not finite; it is named.
        """
        if isinstance(video, EmbeddedVideo):
            return video
        frames, parts, done = _reader(video), [], 0
        for part in self._stream(frames):
            if not part.embeddings.isfinite().all():
                raise ValueError(f'{frames.path} has embeddings that are not finite: the weights, or training, failed')
            parts.append(part.embeddings.cpu())
            done += len(parts[-1])
            if progress is not None:
                progress(done, len(frames))
        return EmbeddedVideo(
            frames.path.name if frames.path.is_dir() else frames.path.stem, torch.cat(parts), frames.fps
        )

    def _stream(self, frames: FrameReader) -> Iterator[Embedded]:
        def chunks() -> Iterator[Tensor]:
            for start in range(0, len(frames), self.model.chunk):
                numbers = range(start, min(start + self.model.chunk, len(frames)))
                pictures = [torch.from_numpy(frames.read(number)).movedim(-1, 0)[None] for number in numbers]
                # each a video of its own: pictures of a folder may differ in size
                data = dict(inputs=pictures, data_samples=[None] * len(pictures))
                yield torch.cat(self.model.data_preprocessor(data)['inputs'])

        return self.model.embed_stream(chunks())

    def __call__(
        self,
        first: str | Path | FrameReader | EmbeddedVideo,
        second: str | Path | FrameReader | EmbeddedVideo,
        cost: str = 'sqeuclidean',
    ) -> Aligned:
        """Align two videos of the same action, see :func:`align`.

        Raises:
            FileNotFoundError: If there is no such video.
            ValueError: If one cannot be read, has no frames or no finite embeddings, or there is no such cost.
        """
        return align(self.embed(first), self.embed(second), cost)

    def anomaly(
        self,
        video: str | Path | FrameReader | EmbeddedVideo,
        references: Sequence[str | Path | FrameReader | EmbeddedVideo],
    ) -> np.ndarray:
        """How unlike typical videos each frame is (L,), see :func:`anomaly_curve`.

        Raises:
            FileNotFoundError: If there is no such video.
            ValueError: If one cannot be embedded, or there is no reference.
        """
        others = [self.embed(reference).embeddings for reference in references]
        return anomaly_curve(self.embed(video).embeddings, others).numpy()

    def activation(self, video: str | Path | FrameReader) -> Iterator[np.ndarray]:
        """Yield for each frame what its embedding responds to (h, w), 0..1, of the neck's last convolution (GTA).

        The map is that of the frame's own slot of the context; the script of the release shows the older frame's.

        Raises:
            FileNotFoundError: If there is no such video.
            ValueError: If it cannot be read, or has no frames.
        """
        for part in self._stream(_reader(video)):
            yield from activation_maps(part.maps[:, :, -1]).cpu().numpy()


def _reader(video: str | Path | FrameReader) -> FrameReader:
    return video if isinstance(video, FrameReader) else FrameReader(video)
