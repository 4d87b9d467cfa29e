"""Retrieval of frames of the same phase: AP@K (CARL, CVPR 2022; a variant from LAV)."""

from collections.abc import Sequence

import torch
from torch import Tensor

from mmsigma.evaluation.alignment.kendall import Distance, frame_distances

_BLOCK_ELEMENTS = 1 << 23  # elements of a block of distances


@torch.no_grad()
def retrieval_precision(
    videos: Sequence[tuple[Tensor, Tensor]],
    ks: Sequence[int] = (5, 10, 15),
    *,
    stride: int = 1,
    metric: Distance = 'sqeuclidean',
    within: bool = False,
) -> dict[int, float]:
    """Compute the fraction of the K nearest frames that have the query's phase, averaged over frames, then videos.

    Args:
        videos: Embeddings ``(L, D)`` and labels ``(L,)`` of the videos of one action.
        ks: Values of K; with fewer frames than K, all frames count.
        stride: Stride of the frames used in all videos.
        metric: See :func:`mmsigma.evaluation.alignment.kendall.frame_distances`.
        within: Whether to search in the query's own video, including the query (LAV), instead of in all others (CARL).
            The results are higher and not comparable.

    Returns:
        Fraction for each K.

    Raises:
        ValueError: If there is no video, no other video to search in, or embeddings are not finite.
    """
    if bad := [number for number, (frames, _) in enumerate(videos) if not frames.isfinite().all()]:
        raise ValueError(f'embeddings of {len(bad)} of {len(videos)} videos are not finite, first of video {bad[0]}')
    if len(videos) < (1 if within else 2):
        raise ValueError(f'retrieval needs another video of the action to search in, got {len(videos)} in total')
    strided = [(frames[::stride], labels[::stride]) for frames, labels in videos]
    totals = torch.zeros(len(ks), dtype=torch.float64)
    for number, (queries, labels) in enumerate(strided):
        gallery = [strided[number]] if within else strided[:number] + strided[number + 1 :]
        frames, phases = (torch.cat(parts) for parts in zip(*gallery, strict=True))
        most = min(max(ks), len(frames))
        rows = max(1, _BLOCK_ELEMENTS // len(frames))
        hits = []
        for start in range(0, len(queries), rows):
            distances = frame_distances(queries[start : start + rows], frames, metric)
            nearest = distances.topk(most, dim=1, largest=False).indices
            hits.append(phases[nearest] == labels[start : start + rows, None])
        found = torch.cat(hits).double()
        totals += torch.stack([found[:, :k].mean().cpu() for k in ks])
    return dict(zip(ks, (totals / len(strided)).tolist(), strict=True))
