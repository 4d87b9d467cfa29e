"""Dense features of video clips to cluster maps: standardisation, PCA, upsampling, k-means (TimeTuning; SIGMA)."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from mmsigma.ops.clustering import kmeans

LEVELS = ('frame', 'clip', 'dataset')
GROUND_TRUTH = 'gt'
_ROWS = 1 << 14


@dataclass(frozen=True)
class ClusterSettings:
    """How features become cluster maps, once for every number of clusters and every seed.

    Attributes:
        num_clusters: Numbers of clusters; ``'gt'`` stands for as many as the unit's ground truth has ids, background
            included, at the resolution ``size``.
        seeds: Of k-means. Another seed moves the mean IoU of few clips by several points.
        level: What is clustered as one: ``'frame'``, ``'clip'`` or ``'dataset'``.
        size: Side of the cluster maps.
        num_components: Dimensions kept by PCA after standardising; None for the features as they are.
        num_iters: Iterations of k-means at most.
        num_restarts: Starts of k-means, of which the best counts.
    """

    num_clusters: Sequence[int | str] = (GROUND_TRUTH, 6, 10)
    seeds: Sequence[int] = (0, 1, 2, 3, 4)
    level: str = 'clip'
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
            raise ValueError(f"num_clusters are different numbers from 1 to 255, or 'gt'; got {[*self.num_clusters]}")

    def cluster(
        self, clips: Sequence[Tensor], truths: Sequence[Tensor] | None = None, ignore: int | None = None
    ) -> list[dict[int | str, Tensor]]:
        """Cluster the features of clips.

        Args:
            clips: Features of each clip (T', h, w, D). One by one or together makes a difference at the data-set level
                only.
            truths: Ground truth of each clip (T, H, W), needed for ``'gt'``.
            ignore: An id that does not count.

        Returns:
            For each clip, by number of clusters, the maps of all seeds (S, T', H, W), uint8.

        Raises:
            ValueError: If ground truth is needed but not there, or something does not fit.
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
    """Standardise every dimension over all tokens, and keep the directions of the largest variance, unwhitened.

    Exact, by float64, into which no more than a part of many tokens is brought at once. A dimension that varies by no
    more than its rounding becomes 0 instead of noise of unit variance.

    Args:
        tokens: (N, D), floating point.
        num_components: Directions to keep; no more than N or D are there.

    Returns:
        (N, min(num_components, N, D)), float64 for such tokens and float32 for others, by falling variance. Signs are
        arbitrary.

    Raises:
        ValueError: If the shape is another, some tokens are not finite, or ``num_components`` is not positive.
    """
    if tokens.ndim != 2 or not len(tokens) or num_components < 1:
        raise ValueError(f'cannot project tokens of the shape {tuple(tokens.shape)} to {num_components} dimensions')
    if not tokens.isfinite().all():
        raise ValueError(f'{int((~tokens.isfinite()).any(dim=1).sum())} tokens are not finite')
    dtype = torch.promote_types(tokens.dtype, torch.float32)
    kept = min(num_components, *tokens.shape)
    mean, scale = _standardisation(tokens)
    if len(tokens) < tokens.shape[1]:  # the smaller of two matrices with the same eigenvalues
        scaled = (tokens - mean) * scale
        values, vectors = torch.linalg.eigh(scaled @ scaled.T)
        return (vectors * values.clamp(min=0).sqrt()).flip(1)[:, :kept].to(dtype)
    covariance = tokens.new_zeros(len(scale), len(scale), dtype=torch.float64)
    for part in tokens.split(_ROWS):
        scaled = (part - mean) * scale
        covariance += scaled.T @ scaled
    directions = torch.linalg.eigh(covariance).eigenvectors.flip(1)[:, :kept]
    return torch.cat([(((part - mean) * scale) @ directions).to(dtype) for part in tokens.split(_ROWS)])


def _standardisation(tokens: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and factor of every dimension (D,), float64; the factor is 0 where tokens differ by rounding alone."""
    parts = tokens.split(_ROWS)
    mean = torch.stack([part.double().sum(dim=0) for part in parts]).sum(dim=0) / len(tokens)
    squares = torch.stack([(part - mean).square().sum(dim=0) for part in parts]).sum(dim=0)
    spread = (squares / len(tokens)).sqrt()
    rounding = torch.finfo(tokens.dtype).eps * tokens.abs().amax(dim=0).double()
    return mean, torch.where(spread > rounding, 1 / spread, 0)


def upsample_maps(maps: Tensor, size: int | tuple[int, int]) -> Tensor:
    """Bilinear resize of maps (T, h, w, D) to (T, H, W, D); pixels have areas, as by ``align_corners=False``."""
    return F.interpolate(maps.movedim(-1, 1), size=size, mode='bilinear', align_corners=False).movedim(1, -1)


@torch.no_grad()
def prepare_maps(
    clips: Sequence[Tensor],
    size: int | tuple[int, int],
    *,
    level: str = 'clip',
    num_components: int | None = 50,
) -> list[Tensor]:
    """Features of clips as :func:`cluster_maps` takes them: projected, then brought to the resolution of the masks.

    The projection is fitted to each clip, for ``level='dataset'`` to all of them together. TimeTuning fits it to
    whatever clips share a batch.

    Args:
        clips: Features of each clip (T', h, w, D).
        size: Resolution (H, W), or the side of a square.
        level: One of ``LEVELS``.
        num_components: Dimensions that :func:`project_tokens` keeps; None for the features as they are.

    Returns:
        For each clip (T', H, W, D').

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
    level: str = 'clip',
    num_iters: int = 50,
    num_restarts: int = 5,
    seed: int = 0,
    ignore: int | None = None,
) -> list[Tensor]:
    """Cluster the pixels of every unit, that is, of a map, of the maps of a clip, or of all clips, by k-means.

    Every unit draws from its own generator of the same seed: what comes out for a clip does not depend on the others.

    Args:
        maps: Features of each clip (T', H, W, D), from :func:`prepare_maps`.
        num_clusters: K; None for the number of ids in the unit's ground truth, background included.
        truths: Ground truth of each clip (T, H, W) for ``num_clusters=None``, with T a multiple of T': a map stands for
            T / T' frames.
        level: One of ``LEVELS``.
        num_iters: Iterations of k-means at most.
        num_restarts: Starts of k-means, of which the best counts.
        seed: Of the starts.
        ignore: An id that does not count.

    Returns:
        Cluster of every pixel, for each clip (T', H, W), uint8.

    Raises:
        ValueError: If ``level`` is unknown, ground truth is lacking or of another size, or K is above 255.
    """
    units = _units(maps, level)
    if num_clusters is not None:
        numbers = [num_clusters] * len(units)
    elif truths is None:
        raise ValueError('the number of clusters is that of the ids in the ground truth, but there is none')
    else:
        _check_truths(maps, truths)
        numbers = [count_ids(unit, ignore) for unit in _units(_group(maps, truths), level)]
    if max(numbers) > 255:
        raise ValueError(f'{max(numbers)} clusters do not fit uint8 maps')
    labels = []
    for unit, number in zip(units, numbers, strict=True):
        generator = torch.Generator().manual_seed(seed)
        points = torch.cat([part.flatten(0, -2) for part in unit])
        found = kmeans(points, number, num_iters=num_iters, num_restarts=num_restarts, generator=generator)
        labels.append(found.labels.to(torch.uint8))
    sizes = [clip.shape[:3].numel() for clip in maps]
    parts = torch.cat(labels).split(sizes)
    return [part.view(clip.shape[:3]) for part, clip in zip(parts, maps, strict=True)]


def count_ids(truths: Sequence[Tensor], ignore: int | None = None) -> int:
    """Number of different ids in ground truths of any shapes, without ``ignore``; at least 1."""
    found = torch.cat([truth.flatten() for truth in truths]).unique()
    return max(1, len(found) if ignore is None else int((found != ignore).sum()))


def _units(clips: Sequence[Tensor], level: str) -> list[list[Tensor]]:
    """What is clustered as one, each as a list of tensors, in the order of clips and frames."""
    _check_level(level)
    if level == 'dataset':
        return [list(clips)]
    return [[clip] for clip in clips] if level == 'clip' else [[frame] for clip in clips for frame in clip]


def _check_level(level: str) -> None:
    if level not in LEVELS:
        raise ValueError(f'level must be one of {LEVELS}, got {level!r}')


def _check_truths(maps: Sequence[Tensor], truths: Sequence[Tensor]) -> None:
    for clip, truth in zip(maps, truths, strict=True):
        if len(truth) % len(clip) or truth.shape[1:] != clip.shape[1:3]:
            raise ValueError(
                f'ground truth (T, H, W) = {tuple(truth.shape)} does not fit maps {tuple(clip.shape[:3])}: T has to be '
                'a multiple, H and W the same'
            )


def _group(maps: Sequence[Tensor], truths: Sequence[Tensor]) -> list[Tensor]:
    """Ground truths (T', T / T', H, W): the frames that every map stands for."""
    return [truth.unflatten(0, (len(clip), -1)) for clip, truth in zip(maps, truths, strict=True)]
