"""A round of space-time clustering, which creates pseudo masks of all training videos (Mask-VOS, section 3.2)."""

import zlib
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from mmengine.dist import all_gather_object, all_reduce_params, barrier, get_rank, get_world_size, is_main_process
from torch import Tensor, nn

from mmsigma.datasets.vos.pseudo_masks import PseudoMaskRounds, PseudoMasks
from mmsigma.engine.frame_reading import FrameResize, VideoPart, VideoParts, read_ahead
from mmsigma.io.decoders import VideoDecoder
from mmsigma.models.interfaces import FineKeyEncoder
from mmsigma.models.parts import require
from mmsigma.models.propagation.frame_geometry import FrameGeometry
from mmsigma.ops.clustering import assign
from mmsigma.ops.space_time_clustering import Method, add_space_time_code, cluster_videos, keep_clusters

_CHUNK = 8  # number of batches that are read at once
_AHEAD = 2  # number of encoded videos that wait to be clustered

Finished = tuple[str, str, int, float]
"""Path of a video, why it failed (empty if it did not), number of kept clusters, and largest share of a cluster."""


class ReclusterSettings(NamedTuple):
    """Settings of the clustering; see :func:`mmsigma.ops.space_time_clustering.cluster_videos`.

    Attributes:
        num_clusters: Number of clusters M per video.
        method: ``'kmeans'`` or ``'sinkhorn'``.
        code_weight: Weight of the space-time code.
        max_share: Largest fraction of a video that an object may cover.
        num_iters: Maximum number of k-means iterations.
        num_restarts: Number of k-means restarts.
        step: Step between clustered frames, in frames of the video; it must equal that of sampling.
        fps: Frames per second to cluster instead of every ``step``-th frame; it must equal that of sampling.
        fit_frames: Number of evenly spaced frames to which the clusters are fitted; the others are assigned to them.
        size: Side in pixels to which frames are resized, regardless of their aspect ratio.
        keep_aspect: Whether ``size`` is that of the short side alone, and the long one follows from the frame's aspect
            ratio. Both are rounded to whole cells: 256 are 32 x 57 cells of 8 pixels for frames of 854 x 480, 480 are
            60 x 107, and frames may be enlarged.
        fine: Whether to cluster the finer keys of an encoder that has some, see
            :class:`mmsigma.models.interfaces.FineKeyEncoder`.
        batch_size: Number of frames that are encoded at once.
    """

    num_clusters: int = 5
    method: Method = 'kmeans'
    code_weight: float = 0.1
    max_share: float = 0.4
    num_iters: int = 100
    num_restarts: int = 1
    step: int = 1
    fps: float | None = None
    fit_frames: int = 20
    size: int = 256
    keep_aspect: bool = False
    fine: bool = False
    batch_size: int = 8


def recluster(
    encoder: nn.Module,
    videos: list[str],
    decoder: VideoDecoder,
    rounds: PseudoMaskRounds,
    number: int,
    settings: ReclusterSettings,
    *,
    seed: int = 0,
    epoch: int = 0,
    num_workers: int = 0,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> dict[str, Any]:
    """Cluster the videos, each rank its share, and mark the round as complete.

    With workers, three things happen at once: they read and resize frames, this process encodes them, and on a CPU a
    thread of it clusters the videos before and writes them; a GPU clusters what it has encoded. Randomness depends on
    the seed, the round and the video, and clusters are computed by a single thread, so the result depends neither on
    the number of workers and threads nor on that of ranks.

    Args:
        encoder: Module from normalised images ``(N, 3, H, W)`` to keys ``(N, D, h, w)``.
        videos: Files of the videos.
        decoder: Decoder of the videos, see :class:`mmsigma.datasets.transforms.ReadClip`.
        rounds: Rounds of the run, to which this one is written.
        number: Number of the round.
        settings: Settings of the clustering.
        seed: Seed of the run.
        epoch: Epoch in which the round is created.
        num_workers: Number of processes of each rank that read. A script that uses some must guard its main part by
            ``if __name__ == '__main__'``. With 0, this process does one thing after the other.
        progress: Function that is called with the number of finished videos of this rank and their total. What it
            raises ends the round and its workers.

    Returns:
        Statistics, which are also written to the manifest: ``videos``, ``unreadable``, ``without_objects``, and, as
        means over videos, ``clusters_per_video`` and ``largest_share``.

    Raises:
        PartError: If finer keys are to be clustered, and the encoder has none.
    """
    keys = _Keys(encoder, settings)
    was_training = encoder.training
    encoder.eval()
    # ranks have norm statistics of their own: without averaging, masks would depend on the rank
    all_reduce_params([buffer for buffer in encoder.buffers() if buffer.is_floating_point()], op='mean')
    own, rows = videos[get_rank() :: get_world_size()], []
    length = _CHUNK * settings.batch_size
    parts = VideoParts(own, decoder, keys.resize, step=settings.step, fps=settings.fps, length=length)
    cluster = partial(_cluster_video, rounds=rounds, number=number, settings=settings, seed=seed)
    behind = num_workers > 0 and keys.device.type == 'cpu'
    with (
        closing(read_ahead(parts, num_workers)) as read,
        closing(_apply(cluster, _encode(keys, own, read), behind)) as finished,
    ):
        for row in finished:
            rows.append(row)
            progress(len(rows), len(own))
    encoder.train(was_training)
    places = {video: place for place, video in enumerate(videos)}
    everything = [row for part in all_gather_object(rows) for row in part]
    everything.sort(key=lambda row: places[row[0]])  # sums of the statistics depend on the order
    statistics = _statistics(everything)
    if is_main_process():
        failed = sorted((video, reason) for video, reason, *_ in everything if reason)
        manifest = dict(round=number, epoch=epoch, seed=seed, settings=settings._asdict(), **statistics, failed=failed)
        rounds.finish(number, manifest)
    barrier()
    return statistics


class _Keys:
    """Keys of resized pictures, with the encoder that settings ask for."""

    def __init__(self, encoder: Any, settings: ReclusterSettings) -> None:
        self.batch_size = settings.batch_size
        self.encode, stride = encoder, encoder.stride
        if settings.fine:
            require(encoder, FineKeyEncoder, 'model.backbone')
            self.encode, stride = encoder.fine_keys, encoder.fine_stride
        self.device = next(encoder.parameters()).device
        self.resize = FrameResize(settings.size, settings.keep_aspect, stride)
        self.geometry = FrameGeometry(stride).to(self.device)

    def __call__(self, pictures: Tensor) -> list[Tensor]:
        """Compute keys ``(n, h, w, D)`` of batches of resized pictures ``(N, H, W, 3)``, uint8."""
        keys = []
        for batch in pictures.split(self.batch_size):
            images = torch.cat([self.geometry.normalize(picture) for picture in batch.to(self.device)])
            keys.append(self.encode(images).movedim(1, -1))
        return keys


class _Video(NamedTuple):
    """Features ``(T, h, w, D)`` of the frames of a video and their numbers, or why there are none."""

    path: str
    features: Tensor
    frames: np.ndarray
    reason: str = ''


@torch.no_grad()
def _encode(keys: _Keys, videos: Sequence[str], parts: Iterable[VideoPart]) -> Iterator[_Video]:
    """Encode parts of videos, and yield each video when its last part is encoded."""
    begun: dict[int, tuple[list[Tensor], list[Tensor]]] = {}
    for part in parts:
        features, frames = begun.setdefault(part.video, ([], []))
        features += keys(part.pictures) if not part.reason else []
        frames.append(part.frames)
        if part.is_last:
            del begun[part.video]
            all_features = torch.empty(0) if part.reason else torch.cat(features)
            yield _Video(videos[part.video], all_features, torch.cat(frames).numpy(), part.reason)


def _apply(
    work: Callable[[_Video], Finished], videos: Iterable[_Video], behind: bool
) -> Generator[Finished, None, None]:
    """Apply a function to videos, in order; ``behind`` does so in a thread, while the next videos are made."""
    if not behind:
        yield from map(work, videos)
        return
    waiting: deque[Future[Finished]] = deque()
    pool = ThreadPoolExecutor(1)
    try:
        for video in videos:
            waiting.append(pool.submit(work, video))
            while waiting and (waiting[0].done() or len(waiting) > _AHEAD):
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def _cluster_video(
    video: _Video, rounds: PseudoMaskRounds, number: int, settings: ReclusterSettings, seed: int
) -> Finished:
    """Cluster one video and write the result."""
    reason = video.reason
    if not reason and len(video.features) < 2:
        rate = f'{settings.fps:g} a second' if settings.fps else f'a step of {settings.step}'
        reason = f'it has {len(video.features)} frames at {rate}, 2 are required'
    if reason:
        # training never uses this video, but looks for its masks
        empty = PseudoMasks(np.zeros((0, 1, 1), np.uint8), np.zeros(0, np.int64), np.zeros(0, np.int64))
        rounds.write_video(number, video.path, empty)
        return video.path, reason, 0, 0.0
    generator = torch.Generator().manual_seed(zlib.crc32(f'{seed}:{number}:{video.path}'.encode()))
    with _one_thread():
        labels, kept, shares = cluster_frames(video.features, settings, generator)
    rounds.write_video(number, video.path, PseudoMasks(labels.byte().cpu().numpy(), video.frames, kept.cpu().numpy()))
    return video.path, '', len(kept), float(shares.max())


@contextmanager
def _one_thread() -> Iterator[None]:
    """Let this thread compute alone: sums that several of them share depend on their number in the last bits."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def cluster_frames(
    features: Tensor, settings: ReclusterSettings, generator: torch.Generator | None = None
) -> tuple[Tensor, Tensor, Tensor]:
    """Cluster all frames of a video.

    In long videos, only some frames are clustered; the cells of the others are assigned to the nearest cluster mean.

    Args:
        features: Features of the frames, ``(T, h, w, D)``.
        settings: Settings of the clustering.
        generator: Random generator of the draws, on the CPU.

    Returns:
        Labels ``(T, h, w)``, kept clusters ``(K',)``, and the share of each cluster, ``(K,)``.
    """
    total = len(features)
    unit = F.normalize(features, dim=-1)
    chosen = torch.linspace(0, total - 1, min(settings.fit_frames, total)).round().long()
    (found,) = cluster_videos(
        unit[chosen][None],
        settings.num_clusters,
        method=settings.method,
        max_share=settings.max_share,
        generator=generator,
        code_weight=settings.code_weight,
        num_iters=settings.num_iters,
        num_restarts=settings.num_restarts,
        are_unit=True,
    )
    if len(chosen) == total:
        return found.labels, found.kept, found.shares
    points = add_space_time_code(unit, settings.code_weight)
    flat, labels = points[chosen].flatten(0, 2), found.labels.flatten()
    member = F.one_hot(labels, settings.num_clusters).to(flat)
    means = member.T @ flat / member.sum(dim=0).clamp(min=1)[:, None]
    means[member.sum(dim=0) == 0] = 1e6  # clusters without cells attract none
    everything = assign(points.flatten(0, 2), means).view(features.shape[:3])
    clusters = keep_clusters(everything, settings.num_clusters, settings.max_share)
    return clusters.labels, clusters.kept, clusters.shares


def _statistics(rows: list[Finished]) -> dict[str, Any]:
    """Summarise the results of :func:`_cluster_video` over all videos."""
    good = [row for row in rows if not row[1]]
    return dict(
        videos=len(rows),
        unreadable=len(rows) - len(good),
        without_objects=sum(row[2] == 0 for row in good),
        clusters_per_video=float(np.mean([row[2] for row in good])) if good else 0.0,
        largest_share=float(np.mean([row[3] for row in good])) if good else 0.0,
    )
