"""A round of space-time clustering: pseudo masks of all training videos from the features of the model as it is."""

import zlib
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch
from mmengine.dist import all_gather_object, all_reduce_params, barrier, get_rank, get_world_size, is_main_process
from torch import Tensor, nn

from mmsigma.datasets.transforms.clip_sampling import step_of_rate
from mmsigma.datasets.transforms.decoding import ReadClip, UnreadableVideoError
from mmsigma.datasets.vos.pseudo_masks import PseudoMaskRounds, PseudoMasks
from mmsigma.models.propagation.frame_geometry import FrameGeometry
from mmsigma.ops.clustering import assign
from mmsigma.ops.space_time_clustering import cluster_videos, keep_clusters, space_time_code

_CHUNK = 8  # batches that are read at once


class ClusterSettings(NamedTuple):
    """How videos are clustered; see :func:`mmsigma.ops.space_time_clustering.cluster_videos`.

    Attributes:
        num_clusters: M.
        method: ``'kmeans'`` or ``'sinkhorn'``.
        code_weight: Of the space-time code.
        max_share: Largest share of a video that an object may have.
        num_iters: Most iterations.
        num_restarts: Starts.
        step: Every so many frames of a video are clustered; the same as in sampling.
        fps: So many frames a second in place of every ``step``-th; the same as in sampling.
        fit_frames: The clusters are found in so many of them, evenly spaced; the others are assigned to them.
        size: Frames are resized to this side, whatever their shape.
        batch_size: Frames encoded at once.
    """

    num_clusters: int = 5
    method: str = 'kmeans'
    code_weight: float = 0.1
    max_share: float = 0.4
    num_iters: int = 100
    num_restarts: int = 1
    step: int = 1
    fps: float | None = None
    fit_frames: int = 20
    size: int = 256
    batch_size: int = 8


class _Part:
    """Sampling of some of the frames at a step, or at a rate; ``num_sampled`` says how many there are in all."""

    def __init__(self, step: int, fps: float | None, first: int, count: int) -> None:
        self.step, self.fps, self.first, self.count = step, fps, first, count

    def __call__(self, results: dict) -> dict:
        step = step_of_rate(results, self.fps) if self.fps else self.step
        everything = np.arange(0, results['total_frames'], step)
        results['frame_inds'] = everything[self.first : self.first + self.count]
        results['num_sampled'] = len(everything)
        results['num_clips'], results['clip_len'] = 1, len(results['frame_inds'])
        return results


def recluster(
    encoder: nn.Module,
    videos: list[str],
    decoder: str | dict,
    rounds: PseudoMaskRounds,
    number: int,
    settings: ClusterSettings,
    *,
    seed: int = 0,
    epoch: int = 0,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> dict[str, Any]:
    """Cluster the videos, each process its share, and declare the round complete.

    Randomness depends on the seed, the round and the video, so that the result is that of one process.

    Args:
        encoder: From normalised images (N, 3, H, W) to keys (N, D, h, w).
        videos: Their files.
        decoder: Of videos, as of :class:`mmsigma.datasets.transforms.ReadClip`.
        rounds: Where the round is written.
        number: Of the round.
        settings: Of the clustering.
        seed: Of the run.
        epoch: In which the round is made.
        progress: Told how many videos of how many of this process are done.

    Returns:
        Statistics, which the manifest holds too: ``videos``, ``unreadable``, ``without_objects``, and, as means over
        videos, ``clusters_per_video`` and ``largest_share``.
    """
    was_training = encoder.training
    encoder.eval()
    # statistics of norms are each process's own: without this, masks would depend on who makes them
    all_reduce_params([buffer for buffer in encoder.buffers() if buffer.is_floating_point()], op='mean')
    geometry = FrameGeometry(encoder.stride, size=(settings.size, settings.size))
    geometry.to(next(encoder.parameters()).device)
    own, rows = videos[get_rank() :: get_world_size()], []
    for done, video in enumerate(own, start=1):
        rows.append(_cluster_video(encoder, geometry, video, decoder, rounds, number, settings, seed))
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


def _cluster_video(
    encoder: nn.Module,
    geometry: FrameGeometry,
    video: str,
    decoder: str | dict,
    rounds: PseudoMaskRounds,
    number: int,
    settings: ClusterSettings,
    seed: int,
) -> tuple[str, str, int, float]:
    """Cluster and write one video; returns its name, why it failed, how many clusters are kept, the largest share."""
    try:
        features, frames = _read_and_encode(encoder, geometry, video, decoder, settings)
        if len(features) < 2:
            rate = f'{settings.fps:g} a second' if settings.fps else f'a step of {settings.step}'
            raise UnreadableVideoError(video, f'{len(features)} frames at {rate}, 2 are needed')
    except UnreadableVideoError as error:
        # never drawn in training either, but looked for
        empty = PseudoMasks(np.zeros((0, 1, 1), np.uint8), np.zeros(0, np.int64), np.zeros(0, np.int64))
        rounds.write_video(number, video, empty)
        return video, error.reason, 0, 0.0
    generator = torch.Generator().manual_seed(zlib.crc32(f'{seed}:{number}:{video}'.encode()))
    labels, kept, shares = cluster_frames(features, settings, generator)
    rounds.write_video(number, video, PseudoMasks(labels.byte().cpu().numpy(), frames, kept.cpu().numpy()))
    return video, '', len(kept), float(shares.max())


def cluster_frames(
    features: Tensor, settings: ClusterSettings, generator: torch.Generator | None = None
) -> tuple[Tensor, Tensor, Tensor]:
    """Cluster all frames of a video (T, h, w, D): labels (T, h, w), clusters kept, share of each.

    Of long videos some frames are clustered, and the cells of the others get the cluster with the nearest mean.
    """
    total = len(features)
    chosen = torch.linspace(0, total - 1, min(settings.fit_frames, total)).round().long()
    arguments = dict(code_weight=settings.code_weight, num_iters=settings.num_iters, num_restarts=settings.num_restarts)
    (found,) = cluster_videos(
        features[chosen][None],
        settings.num_clusters,
        method=settings.method,
        max_share=settings.max_share,
        generator=generator,
        **arguments,
    )
    if len(chosen) == total:
        return found.labels, found.kept, found.shares
    code = settings.code_weight * space_time_code((total, *features.shape[1:3]), features.shape[-1]).to(features)
    points = torch.nn.functional.normalize(features, dim=-1) + code
    flat, labels = points[chosen].flatten(0, 2), found.labels.flatten()
    member = torch.nn.functional.one_hot(labels, settings.num_clusters).to(flat)
    means = member.T @ flat / member.sum(dim=0).clamp(min=1)[:, None]
    means[member.sum(dim=0) == 0] = 1e6  # of clusters without cells
    everything = assign(points.flatten(0, 2), means).view(features.shape[:3])
    clusters = keep_clusters(everything, settings.num_clusters, settings.max_share)
    return clusters.labels, clusters.kept, clusters.shares


@torch.no_grad()
def _read_and_encode(
    encoder: nn.Module, geometry: FrameGeometry, video: str, decoder: str | dict, settings: ClusterSettings
) -> tuple[Tensor, np.ndarray]:
    """Features (T, h, w, D) of the frames of a video, and their numbers (T,); few frames are held at once."""
    features: list[Tensor] = []
    frames: list[np.ndarray] = []
    first, total = 0, 1
    while first < total:
        part = dict(type=_Part, step=settings.step, fps=settings.fps, first=first, count=_CHUNK * settings.batch_size)
        results = ReadClip(part, decoder)(dict(filename=video, start_index=0, modality='RGB'))
        pictures, total = results['imgs'], results['num_sampled']
        for start in range(0, len(pictures), settings.batch_size):
            images = [geometry.prepare(picture) for picture in pictures[start : start + settings.batch_size]]
            features.append(encoder(torch.cat(images)).movedim(1, -1))
        frames.append(results['frame_inds'])
        first += len(pictures)
    return torch.cat(features), np.concatenate(frames)


def _statistics(rows: list[tuple[str, str, int, float]]) -> dict[str, Any]:
    good = [row for row in rows if not row[1]]
    return dict(
        videos=len(rows),
        unreadable=len(rows) - len(good),
        without_objects=sum(row[2] == 0 for row in good),
        clusters_per_video=float(np.mean([row[2] for row in good])) if good else 0.0,
        largest_share=float(np.mean([row[3] for row in good])) if good else 0.0,
    )
