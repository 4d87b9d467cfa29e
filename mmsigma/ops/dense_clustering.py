"""From dense features of video clips to cluster maps: standardisation, PCA, upsampling, k-means (TimeTuning; SIGMA).

Feature maps of a clip are ``(T', h, w, D)``: T' maps (one per tubelet or frame) of h x w cells with D channels.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from mmsigma.ops.clustering import kmeans

Level = Literal['frame', 'clip', 'dataset']
LEVELS: tuple[Level, ...] = ('frame', 'clip', 'dataset')
GROUND_TRUTH = 'gt'
_ROWS = 1 << 14  # tokens that are converted to float64 at once


@dataclass(frozen=True)
class ClipClusterer:
    """Settings for turning features into cluster maps, for every number of clusters and every seed.

    Attributes:
        num_clusters: Numbers of clusters. ``'gt'`` stands for the number of ids in the unit's ground truth, including
            the background, at the resolution ``size``.
        seeds: Seeds of k-means. With few clips, another seed changes the mean IoU by several points.
        level: Unit that is clustered at once: ``'frame'``, ``'clip'`` or ``'dataset'``.
        size: Side of the cluster maps in pixels.
        num_components: Number of principal components kept after standardisation; None to keep the features as they
            are.
        num_iters: Maximum number of k-means iterations.
        num_restarts: Number of k-means restarts, of which the best is kept.
    """

    num_clusters: Sequence[int | str] = (GROUND_TRUTH, 6, 10)
    seeds: Sequence[int] = (0, 1, 2, 3, 4)
    level: Level = 'clip'
    size: int = 28
    num_components: int | None = 50
    num_iters: int = 50
    num_restarts: int = 5

    def __post_init__(self) -> None:
        _check_level(self.level)
        if not self.seeds or not self.num_clusters:
            raise ValueError('num_clusters and seeds need at least one entry each')
        wrong = [k for k in self.num_clusters if k != GROUND_TRUTH and not (isinstance(k, int) and 0 < k < 256)]
        if wrong or len(set(self.num_clusters)) < len(self.num_clusters):
            raise ValueError(
                f"num_clusters must be distinct numbers between 1 and 255, or 'gt', got {[*self.num_clusters]}"
            )

    def cluster(
        self, clips: Sequence[Tensor], truths: Sequence[Tensor] | None = None, ignore: int | None = None
    ) -> list[dict[int | str, Tensor]]:
        """Cluster the features of clips.

        Args:
            clips: Features of each clip, ``(T', h, w, D)``. Only with ``level='dataset'`` does it matter whether clips
                are passed one by one or together.
            truths: Ground truth of each clip, ``(T, H, W)``, required for ``'gt'``.
            ignore: Id in the ground truth that is not counted; None to count all.

        Returns:
            For each clip, a dict from the number of clusters to the maps of all S seeds, ``(S, T', H, W)``, uint8.

        Raises:
            ValueError: If ground truth is required but missing, or if shapes do not match.
        """
        maps = prepare_maps(clips, self.size, level=self.level, num_components=self.num_components)
        out: list[dict[int | str, Tensor]] = [{} for _ in clips]
        for number in self.num_clusters:
            found = [
                cluster_maps(
                    maps,
                    None if isinstance(number, str) else number,
                    truths,
                    level=self.level,
                    num_iters=self.num_iters,
                    num_restarts=self.num_restarts,
                    seed=seed,
                    ignore=ignore,
                )
                for seed in self.seeds
            ]
            for clip, runs in zip(out, zip(*found, strict=True), strict=True):
                clip[number] = torch.stack(runs)
        return out


@torch.no_grad()
def project_tokens(tokens: Tensor, num_components: int = 50) -> Tensor:
    """Standardise each dimension over all tokens and project onto the principal components, without whitening.

    The result is exact: computations are in float64, to which the tokens are converted in parts to save memory. A
    dimension that varies by no more than its rounding error becomes 0 instead of noise of unit variance.

    Args:
        tokens: Tokens ``(N, D)``, floating point.
        num_components: Number of components to keep; there are at most min(N, D).

    Returns:
        Projections ``(N, min(num_components, N, D))`` in order of decreasing variance, float64 for float64 tokens and
        float32 otherwise. Signs are arbitrary.

    Raises:
        ValueError: If ``tokens`` has another shape, is empty or is not finite, or if ``num_components`` is not
            positive.
    """
    if tokens.ndim != 2 or not len(tokens) or num_components < 1:
        raise ValueError(f'cannot project tokens of the shape {tuple(tokens.shape)} to {num_components} dimensions')
    if not tokens.isfinite().all():
        raise ValueError(f'{int((~tokens.isfinite()).any(dim=1).sum())} tokens are not finite')
    dtype = torch.promote_types(tokens.dtype, torch.float32)
    kept = min(num_components, *tokens.shape)
    mean, scale = _standardisation(tokens)
    if len(tokens) < tokens.shape[1]:
        # The Gram matrix (N, N) has the same non-zero eigenvalues as the covariance (D, D), but is smaller. Column c of
        # its eigenvectors times the square root of eigenvalue c is the projection onto component c.
        scaled = (tokens - mean) * scale
        values, vectors = torch.linalg.eigh(scaled @ scaled.T)
        projected: Tensor = (vectors * values.clamp(min=0).sqrt()).flip(1)[:, :kept].to(dtype)
        return projected
    covariance = tokens.new_zeros(len(scale), len(scale), dtype=torch.float64)  # times N
    for part in tokens.split(_ROWS):
        scaled = (part - mean) * scale
        covariance += scaled.T @ scaled
    directions = torch.linalg.eigh(covariance).eigenvectors.flip(1)[:, :kept]  # (D, kept), largest eigenvalue first
    return torch.cat([(((part - mean) * scale) @ directions).to(dtype) for part in tokens.split(_ROWS)])


def _standardisation(tokens: Tensor) -> tuple[Tensor, Tensor]:
    """Return the mean and the scale factor of each dimension, ``(D,)``, float64.

    The factor is 1 / standard deviation, or 0 where tokens differ by rounding alone.
    """
    parts = tokens.split(_ROWS)
    mean = torch.stack([part.double().sum(dim=0) for part in parts]).sum(dim=0) / len(tokens)
    squares = torch.stack([(part - mean).square().sum(dim=0) for part in parts]).sum(dim=0)
    spread = (squares / len(tokens)).sqrt()
    rounding = torch.finfo(tokens.dtype).eps * tokens.abs().amax(dim=0).double()
    return mean, torch.where(spread > rounding, 1 / spread, 0)


def upsample_maps(maps: Tensor, size: int | tuple[int, int]) -> Tensor:
    """Resize maps ``(T, h, w, D)`` to ``(T, H, W, D)`` bilinearly, with ``align_corners=False``."""
    return F.interpolate(maps.movedim(-1, 1), size=size, mode='bilinear', align_corners=False).movedim(1, -1)


@torch.no_grad()
def prepare_maps(
    clips: Sequence[Tensor],
    size: int | tuple[int, int],
    *,
    level: Level = 'clip',
    num_components: int | None = 50,
) -> list[Tensor]:
    """Project the features of clips and resize them to the resolution of the masks, ready for :func:`cluster_maps`.

    The projection is fitted to each clip, or to all clips together with ``level='dataset'``. TimeTuning fits it to
    whichever clips share a batch.

    Args:
        clips: Features of each clip, ``(T', h, w, D)``.
        size: Resolution (H, W), or the side of a square, in pixels.
        level: Unit that is clustered at once, one of ``LEVELS``.
        num_components: Number of components that :func:`project_tokens` keeps; None to keep the features as they are.

    Returns:
        Maps of each clip, ``(T', H, W, D')``.

    Raises:
        ValueError: If ``level`` is unknown, or features are not finite.
    """
    _check_level(level)
    if num_components is None:
        return [upsample_maps(clip.to(torch.promote_types(clip.dtype, torch.float32)), size) for clip in clips]
    tokens = [clip.flatten(0, 2) for clip in clips]
    if level == 'dataset':
        projected = list(project_tokens(torch.cat(tokens), num_components).split([len(part) for part in tokens]))
    else:
        projected = [project_tokens(part, num_components) for part in tokens]
    return [
        upsample_maps(part.view(*clip.shape[:3], part.shape[1]), size)
        for part, clip in zip(projected, clips, strict=True)
    ]


@torch.no_grad()
def cluster_maps(
    maps: Sequence[Tensor],
    num_clusters: int | None,
    truths: Sequence[Tensor] | None = None,
    *,
    level: Level = 'clip',
    num_iters: int = 50,
    num_restarts: int = 5,
    seed: int = 0,
    ignore: int | None = None,
) -> list[Tensor]:
    """Cluster the pixels of every unit by k-means; a unit is one map, all maps of a clip, or all clips.

    Every unit has a generator of its own with the same seed, so the result of a clip does not depend on the others.

    Args:
        maps: Features of each clip from :func:`prepare_maps`, ``(T', H, W, D)``.
        num_clusters: Number of clusters K; None for the number of ids in the unit's ground truth, including the
            background.
        truths: Ground truth of each clip, ``(T, H, W)``, required for ``num_clusters=None``. T must be a multiple of
            T': one map covers T / T' frames.
        level: Unit that is clustered at once, one of ``LEVELS``.
        num_iters: Maximum number of k-means iterations.
        num_restarts: Number of k-means restarts, of which the best is kept.
        seed: Seed of the restarts.
        ignore: Id in the ground truth that is not counted; None to count all.

    Returns:
        Cluster index of every pixel of each clip, ``(T', H, W)``, uint8.

    Raises:
        ValueError: If ``level`` is unknown, ground truth is missing or has another size, or K exceeds 255.
    """
    units = _units(maps, level)
    if num_clusters is not None:
        numbers = [num_clusters] * len(units)
    elif truths is None:
        raise ValueError('num_clusters=None takes the number of ids in the ground truth: pass truths as well')
    else:
        _check_truths(maps, truths)
        numbers = [count_ids(unit, ignore) for unit in _units(_group(maps, truths), level)]
    if max(numbers) > 255:
        raise ValueError(f'{max(numbers)} clusters do not fit into uint8 maps, at most 255 do')
    labels = []
    for unit, number in zip(units, numbers, strict=True):
        generator = torch.Generator().manual_seed(seed)
        # all pixels of the unit, (pixels, D)
        points = torch.cat([part.flatten(0, -2) for part in unit])
        found = kmeans(points, number, num_iters=num_iters, num_restarts=num_restarts, generator=generator)
        labels.append(found.labels.to(torch.uint8))
    sizes = [clip.shape[:3].numel() for clip in maps]
    parts = torch.cat(labels).split(sizes)
    return [part.view(clip.shape[:3]) for part, clip in zip(parts, maps, strict=True)]


def count_ids(truths: Sequence[Tensor], ignore: int | None = None) -> int:
    """Count the distinct ids in ground truths of any shapes, without ``ignore``; the result is at least 1."""
    found = torch.cat([truth.flatten() for truth in truths]).unique()
    return max(1, len(found) if ignore is None else int((found != ignore).sum()))


def _units(clips: Sequence[Tensor], level: Level) -> list[list[Tensor]]:
    """Group what is clustered at once, each unit as a list of tensors, in the order of clips and frames."""
    _check_level(level)
    if level == 'dataset':
        return [list(clips)]
    return [[clip] for clip in clips] if level == 'clip' else [[frame] for clip in clips for frame in clip]


def _check_level(level: Level) -> None:
    if level not in LEVELS:
        raise ValueError(f'level must be one of {LEVELS}, got {level!r}')


def _check_truths(maps: Sequence[Tensor], truths: Sequence[Tensor]) -> None:
    for clip, truth in zip(maps, truths, strict=True):
        if len(truth) % len(clip) or truth.shape[1:] != clip.shape[1:3]:
            raise ValueError(
                f'ground truth (T, H, W) = {tuple(truth.shape)} does not fit maps {tuple(clip.shape[:3])}: T must be a '
                'multiple, H and W must be equal'
            )


def _group(maps: Sequence[Tensor], truths: Sequence[Tensor]) -> list[Tensor]:
    """Group the frames that each map covers: ground truth ``(T', T / T', H, W)`` of each clip."""
    return [truth.unflatten(0, (len(clip), -1)) for clip, truth in zip(maps, truths, strict=True)]
