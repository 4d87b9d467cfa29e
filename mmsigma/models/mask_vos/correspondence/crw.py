"""Correspondence scheme of CRW (NeurIPS 2020): random walks through the frames of a clip and back to their start."""

import math
from typing import Any, Literal, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmsigma.models.clip_views import ClipViews
from mmsigma.models.interfaces import PatchKeyEncoder, VisualEncoder
from mmsigma.ops.precision import at_least_float32, full_float32
from mmsigma.registry import MODELS

Nodes = Literal['patches', 'cells']


@MODELS.register_module()
class RandomWalkCorrespondence(nn.Module):
    """Scheme of CRW, whose walks pass through all frames of a clip.

    Args:
        weight: Weight of the loss.
        nodes: Nodes of the graph. ``'patches'`` are overlapping patches, randomly cropped, which are encoded separately
            and pooled, as in CRW. ``'cells'`` are cells of the keys of whole frames, which need no further encoding,
            but can infer their position from the border of the image.
        patch_size: Side of a patch in pixels (CRW: 64).
        patch_stride: Distance of neighbouring patches in pixels (CRW: 32, which gives 7 x 7 patches in 256 x 256).
        patch_scale: Range of the area that is kept of a patch.
        cell_stride: Stride of the cells that are nodes. A walk multiplies matrices of nodes by nodes.
        dropout: Share of the edges to drop (CRW: 0.1).
        temperature: Divisor of the similarities.

    Raises:
        ValueError: If ``nodes`` is unknown.
    """

    def __init__(
        self,
        weight: float = 1.0,
        nodes: Nodes = 'patches',
        *,
        patch_size: int = 64,
        patch_stride: int = 32,
        patch_scale: tuple[float, float] = (0.7, 0.9),
        cell_stride: int = 4,
        dropout: float = 0.1,
        temperature: float = 0.05,
    ) -> None:
        super().__init__()
        if nodes not in ('patches', 'cells'):
            raise ValueError(f"nodes must be 'patches' or 'cells', got {nodes!r}")
        self.weight, self.uses_keys = weight, nodes == 'cells'
        self.encoder_interface: type[VisualEncoder] = VisualEncoder if self.uses_keys else PatchKeyEncoder
        self.patches: dict[str, Any] = dict(size=patch_size, stride=patch_stride, scale=tuple(patch_scale))
        self.cell_stride, self.dropout, self.temperature = cell_stride, dropout, temperature

    def loss(self, keys: Tensor | None, clip: ClipViews, encoder: PatchKeyEncoder) -> dict[str, Tensor]:
        """Compute the loss of clips.

        Args:
            keys: Keys of the images, ``(B, T, D, h, w)``, for ``'cells'``; None for ``'patches'``.
            clip: Clips, of which second views are ignored.
            encoder: Visual encoder, for the patches.
        """
        if keys is not None:
            first, every = self.cell_stride // 2, self.cell_stride
            nodes = keys[..., first::every, first::every].flatten(3).transpose(1, 2)  # (B, D, T, N)
        else:
            patches = cut_patches(clip.images.flatten(0, 1), **self.patches)  # (B * T, N, 3, P, P)
            nodes = encoder.pooled_keys(patches.flatten(0, 1)).unflatten(0, (*clip.images.shape[:2], -1))
            nodes = nodes.permute(0, 3, 1, 2)  # (B, T, N, D) -> (B, D, T, N)
        found = random_walk_loss(nodes, self.temperature, self.dropout)
        return {'loss_walk': self.weight * found.loss, 'walk_accuracy': found.accuracy[-1].detach()}


def cut_patches(
    images: Tensor,
    size: int = 64,
    stride: int = 32,
    scale: tuple[float, float] = (0.7, 0.9),
    ratio: tuple[float, float] = (3 / 4, 4 / 3),
) -> Tensor:
    """Cut patches on a grid out of images, and resize a random crop of each to the size of the patch.

    Args:
        images: Images ``(B, C, H, W)``.
        size: Side of a patch in pixels.
        stride: Distance of neighbouring patches in pixels.
        scale: Range of the area of the crop, relative to the patch.
        ratio: Range of the aspect ratio (width / height) of the crop, which is drawn among those that fit.

    Returns:
        Patches ``(B, N, C, size, size)``, row by row.

    Raises:
        ValueError: If no patch fits into the images.
    """
    height, width = images.shape[-2:]
    if min(height, width) < size:
        raise ValueError(f'no patch of {size} x {size} fits into images of {height} x {width}')
    tops, lefts = (torch.arange(0, side - size + 1, stride).float() for side in (height, width))
    corner = torch.stack(torch.meshgrid(lefts, tops, indexing='xy'), dim=-1).flatten(0, 1)  # (N, 2), x and y
    draws = torch.rand(4, len(images), len(corner))
    area = scale[0] + draws[0] * (scale[1] - scale[0])
    low, high = area.log().clamp(min=math.log(ratio[0])), (-area.log()).clamp(max=math.log(ratio[1]))
    aspect = (low + draws[1] * (high - low)).exp()
    side = size * torch.stack([(area * aspect).sqrt(), (area / aspect).sqrt()], dim=-1)  # (B, N, 2)
    start = corner + draws[2:].movedim(0, -1) * (size - side)
    places = (torch.arange(size) + 0.5) / size
    points = start[..., None, :] + places[:, None] * side[..., None, :]  # (B, N, size, 2), coordinates along each axis
    points = 2 * points / torch.tensor([width, height]) - 1
    # the crops of an image are sampled as one grid of N * size rows: (B, N, size, size, 2) -> (B, N * size, size, 2)
    x, y = (points[..., axis] for axis in (0, 1))
    grid = torch.stack([x[:, :, None].expand(-1, -1, size, -1), y[..., None].expand(-1, -1, -1, size)], dim=-1)
    parts = F.grid_sample(images, grid.flatten(1, 2).to(images), mode='bilinear', align_corners=False)
    patches: Tensor = parts.unflatten(2, (len(corner), size)).transpose(1, 2)
    return patches


class WalkLoss(NamedTuple):
    """Result of :func:`random_walk_loss`.

    Attributes:
        loss: Mean over the walks, a scalar.
        per_walk: Losses of the walks with 2, 3, ... steps in each direction, ``(T - 2,)``.
        accuracy: Shares of nodes whose most likely return is to themselves, ``(T - 2,)``.
    """

    loss: Tensor
    per_walk: Tensor
    accuracy: Tensor


def transitions(
    query: Tensor,
    memory: Tensor,
    temperature: float = 0.05,
    dropout: float = 0.0,
    generator: torch.Generator | None = None,
) -> tuple[Tensor, Tensor]:
    """Compute the transition probabilities between the nodes of two frames.

    Args:
        query: Nodes ``(B, N, D)``, of unit length.
        memory: Nodes ``(B, M, D)``, of unit length.
        temperature: Divisor of the similarities.
        dropout: Share of the edges to drop, in each direction separately.
        generator: Random generator of the dropout, on the CPU.

    Returns:
        Probabilities of steps from query to memory, ``(B, N, M)``, and back, ``(B, M, N)``.
    """
    similarity = query @ memory.transpose(1, 2) / temperature
    both = similarity, similarity.transpose(1, 2)
    forth, back = (_drop(logits, dropout, generator).softmax(dim=2) for logits in both)
    return forth, back


def random_walk_loss(
    nodes: Tensor, temperature: float = 0.05, dropout: float = 0.0, generator: torch.Generator | None = None
) -> WalkLoss:
    """Compute the loss of walks forward in time and back that do not end where they began.

    Walks have 2 to T - 1 steps in each direction; a single step is left out, as in the release. Edges are dropped in
    each direction separately; the release, which works in place, accidentally drops them in both.

    Args:
        nodes: Nodes ``(B, D, T, N)``, of unit length.
        temperature: Divisor of the similarities.
        dropout: Share of the edges to drop, drawn for each step.
        generator: Random generator of the dropout, on the CPU.

    Raises:
        ValueError: If there are fewer than three frames.
    """
    if nodes.shape[2] < 3:
        raise ValueError(f'walks need three frames or more, got {nodes.shape[2]}')
    # T frames (B, N, D)
    frames = at_least_float32(nodes).permute(2, 0, 3, 1).unbind(0)
    with full_float32(nodes.device.type):  # products of many small probabilities
        steps = [transitions(*pair, temperature, dropout, generator) for pair in zip(frames, frames[1:], strict=False)]
        return _walk_losses(*map(list, zip(*steps, strict=True)))


def _drop(logits: Tensor, share: float, generator: torch.Generator | None) -> Tensor:
    if not share:
        return logits
    dropped = torch.rand(logits.shape, generator=generator).to(logits.device) < share
    return logits.masked_fill(dropped, -1e20)


def _walk_losses(forth: list[Tensor], back: list[Tensor]) -> WalkLoss:
    losses, accuracies = [], []
    target = torch.arange(forth[0].shape[1], device=forth[0].device)
    there = forth[0]
    for length in range(2, len(forth) + 1):
        there = there @ forth[length - 1]
        walk = there
        for step in reversed(back[:length]):
            walk = walk @ step
        likely = torch.log(walk.flatten(0, 1) + 1e-20)
        losses.append(torch.nn.functional.cross_entropy(likely, target.repeat(len(walk))))
        accuracies.append((walk.argmax(dim=2) == target).float().mean())
    return WalkLoss(torch.stack(losses).mean(), torch.stack(losses), torch.stack(accuracies))
