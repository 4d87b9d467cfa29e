"""A round of space-time clustering, which creates pseudo masks of all training videos (Mask-VOS, section 3.2)."""

import zlib
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from mmengine.dist import all_gather_object, all_reduce_params, barrier, get_rank, get_world_size, is_main_process
from torch import Tensor, nn

from mmsigma.datasets.transforms.clip_sampling import step_of_rate
from mmsigma.datasets.transforms.decoding import ReadClip, UnreadableVideoError
from mmsigma.datasets.vos.pseudo_masks import PseudoMaskRounds, PseudoMasks
from mmsigma.io.decoders import VideoDecoder
from mmsigma.models.interfaces import FineKeyEncoder
from mmsigma.models.parts import require
from mmsigma.models.propagation.frame_geometry import FrameGeometry
from mmsigma.ops.clustering import assign
from mmsigma.ops.space_time_clustering import Method, cluster_videos, keep_clusters, space_time_code

_CHUNK = 8  # number of batches that are read at once


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


class _Part:
    """Sampling of ``count`` frames from ``first`` on, at a step or a rate; ``num_sampled`` is their total number."""

    def __init__(self, step: int, fps: float | None, first: int, count: int) -> None:
        self.step, self.fps, self.first, self.count = step, fps, first, count

    def __call__(self, results: dict[str, Any]) -> dict[str, Any]:
        step = step_of_rate(results, self.fps) if self.fps else self.step
        everything = np.arange(0, results['total_frames'], step)
        results['frame_inds'] = everything[self.first : self.first + self.count]
        results['num_sampled'] = len(everything)
        results['num_clips'], results['clip_len'] = 1, len(results['frame_inds'])
        return results


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
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> dict[str, Any]:
    """Cluster the videos, each rank its share, and mark the round as complete.

    Randomness depends on the seed, the round and the video, so the result does not depend on the number of ranks.

    Args:
        encoder: Module from normalised images ``(N, 3, H, W)`` to keys ``(N, D, h, w)``.
        videos: Files of the videos.
        decoder: Decoder of the videos, see :class:`mmsigma.datasets.transforms.ReadClip`.
        rounds: Rounds of the run, to which this one is written.
        number: Number of the round.
        settings: Settings of the clustering.
        seed: Seed of the run.
        epoch: Epoch in which the round is created.
        progress: Function that is called with the number of finished videos of this rank and their total.

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
    for done, video in enumerate(own, start=1):
        rows.append(_cluster_video(keys, video, decoder, rounds, number, settings, seed))
        progress(done, len(own))
    encoder.train(was_training)
    everything = [row for part in all_gather_object(rows) for row in part]
    statistics = _statistics(everything)
    if is_main_process():
        failed = sorted((video, reason) for video, reason, *_ in everything if reason)
        manifest = dict(round=number, epoch=epoch, seed=seed, settings=settings._asdict(), **statistics, failed=failed)
        rounds.finish(number, manifest)
    barrier()
    return statistics


class _Keys:
    """Keys of pictures, with the encoder and the geometry that settings ask for."""

    def __init__(self, encoder: Any, settings: ReclusterSettings) -> None:
        self.settings = settings
        self.encode, self.stride = encoder, encoder.stride
        if settings.fine:
            require(encoder, FineKeyEncoder, 'model.backbone')
            self.encode, self.stride = encoder.fine_keys, encoder.fine_stride
        self.device = next(encoder.parameters()).device

    def __call__(self, pictures: Sequence[np.ndarray]) -> Tensor:
        """Compute keys ``(N, h, w, D)`` of pictures ``(H, W, 3)`` of equal size."""
        geometry = FrameGeometry(self.stride, size=self.size(pictures[0].shape[:2])).to(self.device)
        keys: Tensor = self.encode(torch.cat([geometry.prepare(picture) for picture in pictures]))
        return keys.movedim(1, -1)

    def size(self, shape: Sequence[int]) -> tuple[int, int]:
        """Return the height and the width to which pictures of a height and a width are resized."""
        side = self.settings.size
        if not self.settings.keep_aspect:
            return side, side
        height, width = (max(round(length * side / min(shape) / self.stride), 1) * self.stride for length in shape)
        return height, width


def _cluster_video(
    keys: _Keys,
    video: str,
    decoder: VideoDecoder,
    rounds: PseudoMaskRounds,
    number: int,
    settings: ReclusterSettings,
    seed: int,
) -> tuple[str, str, int, float]:
    """Cluster one video and write the result.

    Returns:
        Path of the video, why it failed (empty if it did not), number of kept clusters, and largest share of a cluster.
    """
    try:
        features, frames = _read_and_encode(keys, video, decoder, settings)
        if len(features) < 2:
            rate = f'{settings.fps:g} a second' if settings.fps else f'a step of {settings.step}'
            raise UnreadableVideoError(video, f'it has {len(features)} frames at {rate}, 2 are required')
    except UnreadableVideoError as error:
        # training never uses this video, but looks for its masks
        empty = PseudoMasks(np.zeros((0, 1, 1), np.uint8), np.zeros(0, np.int64), np.zeros(0, np.int64))
        rounds.write_video(number, video, empty)
        return video, error.reason, 0, 0.0
    generator = torch.Generator().manual_seed(zlib.crc32(f'{seed}:{number}:{video}'.encode()))
    labels, kept, shares = cluster_frames(features, settings, generator)
    rounds.write_video(number, video, PseudoMasks(labels.byte().cpu().numpy(), frames, kept.cpu().numpy()))
    return video, '', len(kept), float(shares.max())


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
    chosen = torch.linspace(0, total - 1, min(settings.fit_frames, total)).round().long()
    (found,) = cluster_videos(
        features[chosen][None],
        settings.num_clusters,
        method=settings.method,
        max_share=settings.max_share,
        generator=generator,
        code_weight=settings.code_weight,
        num_iters=settings.num_iters,
        num_restarts=settings.num_restarts,
    )
    if len(chosen) == total:
        return found.labels, found.kept, found.shares
    code = settings.code_weight * space_time_code((total, *features.shape[1:3]), features.shape[-1]).to(features)
    points = torch.nn.functional.normalize(features, dim=-1) + code
    flat, labels = points[chosen].flatten(0, 2), found.labels.flatten()
    member = torch.nn.functional.one_hot(labels, settings.num_clusters).to(flat)
    means = member.T @ flat / member.sum(dim=0).clamp(min=1)[:, None]
    means[member.sum(dim=0) == 0] = 1e6  # clusters without cells attract none
    everything = assign(points.flatten(0, 2), means).view(features.shape[:3])
    clusters = keep_clusters(everything, settings.num_clusters, settings.max_share)
    return clusters.labels, clusters.kept, clusters.shares


@torch.no_grad()
def _read_and_encode(
    keys: _Keys, video: str, decoder: VideoDecoder, settings: ReclusterSettings
) -> tuple[Tensor, np.ndarray]:
    """Read and encode the frames of a video in chunks.

    Returns:
        Features ``(T, h, w, D)`` and frame numbers ``(T,)``.
    """
    features: list[Tensor] = []
    frames: list[np.ndarray] = []
    first, total = 0, 1
    while first < total:
        part = dict(type=_Part, step=settings.step, fps=settings.fps, first=first, count=_CHUNK * settings.batch_size)
        results = ReadClip(part, decoder)(dict(filename=video, start_index=0, modality='RGB'))
        pictures, total = results['imgs'], results['num_sampled']
        for start in range(0, len(pictures), settings.batch_size):
            features.append(keys(pictures[start : start + settings.batch_size]))
        frames.append(results['frame_inds'])
        first += len(pictures)
    return torch.cat(features), np.concatenate(frames)


def _statistics(rows: list[tuple[str, str, int, float]]) -> dict[str, Any]:
    """Summarise the results of :func:`_cluster_video` over all videos."""
    good = [row for row in rows if not row[1]]
    return dict(
        videos=len(rows),
        unreadable=len(rows) - len(good),
        without_objects=sum(row[2] == 0 for row in good),
        clusters_per_video=float(np.mean([row[2] for row in good])) if good else 0.0,
        largest_share=float(np.mean([row[3] for row in good])) if good else 0.0,
    )
