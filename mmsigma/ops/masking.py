"""Splitting the tokens of masked video models into visible and masked ones, and cutting videos into tubes."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor


class TokenSplit(NamedTuple):
    """Indices of the visible and the masked tokens, each in token order.

    Attributes:
        visible: Indices ``(B, N_visible)``, int64.
        masked: Indices ``(B, N_masked)``, int64.
    """

    visible: Tensor
    masked: Tensor


@torch.compiler.disable  # type: ignore[untyped-decorator]  # PyTorch leaves it without annotations
def split_tokens(mask: Tensor) -> TokenSplit:
    """Convert a boolean mask into index lists, once per step, for which a GPU waits; see also :func:`stack_splits`.

    Gathering by index keeps shapes static and avoids further synchronisation with the device, which boolean indexing
    would cause at every use.

    Args:
        mask: Boolean mask ``(B, N)``, True where a token is masked. All samples must mask the same number of tokens.

    Returns:
        Indices of the visible and the masked tokens.

    Raises:
        ValueError: If ``mask`` has another type or shape, masks unequal numbers of tokens, or leaves no token visible
            or none masked.
    """
    if mask.dtype != torch.bool or mask.ndim != 2:
        raise ValueError(f'mask must be boolean with the shape (B, N), got {mask.dtype} {tuple(mask.shape)}')
    counts = mask.sum(dim=1).tolist()
    _check_counts(counts, mask.shape[1])
    num_visible = mask.shape[1] - counts[0]
    order = mask.byte().argsort(dim=1, stable=True)
    return TokenSplit(order[:, :num_visible], order[:, num_visible:])


def stack_splits(splits: Sequence[TokenSplit]) -> TokenSplit:
    """Stack the indices of single samples, ``(N_visible,)`` and ``(N_masked,)``, without a look at their values.

    Args:
        splits: One per sample.

    Returns:
        Indices of the visible and the masked tokens of all samples.

    Raises:
        ValueError: If the samples mask unequal numbers of tokens, or leave no token visible or none masked.
    """
    _check_counts([len(split.masked) for split in splits], len(splits[0].masked) + len(splits[0].visible))
    return TokenSplit(*(torch.stack(indices) for indices in zip(*splits, strict=True)))


def _check_counts(counts: list[int], num_tokens: int) -> None:
    if len(set(counts)) != 1:
        raise ValueError(f'all samples must mask the same number of tokens, got {counts}')
    if not 0 < counts[0] < num_tokens:
        raise ValueError(f'{counts[0]} of {num_tokens} tokens are masked: some must be visible and some masked')


def every_slot(values: Tensor, num_slots: int, every: int) -> Tensor:
    """Select those of masked tokens that lie in every ``every``-th slot of time.

    Args:
        values: Values of masked tokens in token order, ``(B, N_masked, ...)``, with equally many tokens in each slot,
            which tube masks have.
        num_slots: Number of slots of time.
        every: Distance between the selected slots; the first one is selected.

    Returns:
        Values of the selected tokens, ``(B, N_selected, ...)``.
    """
    selected: Tensor = values.unflatten(1, (num_slots, -1))[:, ::every]
    return selected.flatten(1, 2)


def gather_tokens(tokens: Tensor, index: Tensor) -> Tensor:
    """Select tokens of each sample by index.

    Args:
        tokens: Tokens ``(B, N, D)``; ``(1, N, D)`` or ``(N, D)`` for a table shared by all samples.
        index: Indices of the tokens, ``(B, M)``, int64.

    Returns:
        Selected tokens ``(B, M, D)``.
    """
    if tokens.ndim == 2 or tokens.shape[0] == 1 != index.shape[0]:
        return tokens.reshape(-1, tokens.shape[-1])[index]
    # whole rows are copied, which is twice as fast as gathering elements
    batch, num_tokens, width = tokens.shape
    first = torch.arange(0, batch * num_tokens, num_tokens, device=index.device)
    rows = tokens.reshape(-1, width).index_select(0, (index + first[:, None]).flatten())
    return rows.view(batch, -1, width)


def patchify(video: Tensor, tubelet_size: int, patch_size: int, index: Tensor | None = None) -> Tensor:
    """Cut a video into flattened tubes, in (t, h, w) order.

    Args:
        video: Video ``(B, C, T, H, W)``.
        tubelet_size: Number of frames per tube.
        patch_size: Side of a tube in pixels.
        index: Indices of the tubes to cut out, ``(B, M)``, int64; None for all N. Only their pixels are read.

    Returns:
        Tubes ``(B, M or N, C * tubelet_size * patch_size ** 2)``, flattened in (C, t, p, p) order like the kernel of a
        3-D convolution.

    Raises:
        ValueError: If the video cannot be cut evenly.
    """
    batch, channels, frames, height, width = video.shape
    if frames % tubelet_size or height % patch_size or width % patch_size:
        raise ValueError(
            f'a clip of {frames} x {height} x {width} (T, H, W) cannot be cut into tubes of '
            f'{tubelet_size} x {patch_size} x {patch_size}'
        )
    depth, rows, columns = frames // tubelet_size, height // patch_size, width // patch_size
    if index is None:
        cut = video.reshape(batch, channels, depth, tubelet_size, rows, patch_size, columns, patch_size)
        return cut.permute(0, 2, 4, 6, 1, 3, 5, 7).reshape(batch, depth * rows * columns, -1)
    # A tube consists of runs of `patch_size` pixels, which are numbered as they lie in memory and copied as a whole:
    # `first` (B, M) is the first run of each tube, `inside` (C, t, p) the offsets of its other runs from it.
    device = index.device
    clip, channel = torch.arange(batch, device=device)[:, None], torch.arange(channels, device=device)[:, None, None]
    frame, line = torch.arange(tubelet_size, device=device)[:, None], torch.arange(patch_size, device=device)
    t, h, w = index // (rows * columns), index // columns % rows, index % columns
    first = ((clip * channels * frames + t * tubelet_size) * height + h * patch_size) * columns + w
    inside = ((channel * frames + frame) * height + line) * columns
    runs = first[..., None] + inside.flatten()
    return video.reshape(-1, patch_size).index_select(0, runs.flatten()).view(*index.shape, -1)


def nearest_tubes(
    features: Tensor, prototypes: Tensor, grid: tuple[int, int, int], k: int = 25
) -> tuple[Tensor, Tensor, Tensor]:
    """Find the tubes of a clip that are most similar to each prototype (SIGMA, supplement: 25 of one video).

    Args:
        features: Features of the tubes in (t, h, w) order, ``(N, D)``, of any length.
        prototypes: Prototypes ``(K, D)``, of any length.
        grid: Token grid (T, H, W) with T * H * W = N.
        k: Number of tubes per prototype.

    Returns:
        Cosine similarities ``(K, k)`` in decreasing order, token indices ``(K, k)``, and their positions (t, y, x) in
        the grid, ``(K, k, 3)``.
    """
    scores = F.normalize(prototypes, dim=-1) @ F.normalize(features, dim=-1).T
    similarity, index = scores.topk(k, dim=1)
    _, height, width = grid
    return similarity, index, torch.stack([index // (height * width), index // width % height, index % width], dim=-1)
