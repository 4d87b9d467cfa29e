"""Retrieval of frames of the same phase: AP@K (CARL, CVPR 2022, and LAV's variant)."""

from collections.abc import Sequence

import torch
from torch import Tensor

from mmsigma.evaluation.alignment.kendall import frame_distances

_BLOCK_ELEMENTS = 1 << 23


@torch.no_grad()
def retrieval_precision(
    videos: Sequence[tuple[Tensor, Tensor]],
    ks: Sequence[int] = (5, 10, 15),
    *,
    stride: int = 1,
    metric: str = 'sqeuclidean',
    within: bool = False,
) -> dict[int, float]:
    """Share of the K nearest frames that are of the query's phase, the mean over frames, then over videos.

    Args:
        videos: Embeddings (L, D) and labels (L,) of the videos of one action.
        ks: Which K; with fewer frames than K, all count.
        stride: Take every so manieth frame of all videos.
        metric: See :func:`mmsigma.evaluation.alignment.kendall.frame_distances`.
        within: Search in the query's own video, the query included (LAV), instead of in all others (CARL). Its numbers
            are higher and not to be compared.

    Returns:
        A fraction for each K.

    Raises:
        ValueError: If there is no video, or no other to search in.
    """
    if len(videos) < (1 if within else 2):
        raise ValueError(f'{len(videos)} videos of an action: retrieval needs another one to search in')
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
