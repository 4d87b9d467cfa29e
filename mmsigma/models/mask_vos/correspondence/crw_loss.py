"""Contrastive random walk (CRW, NeurIPS 2020)."""

from typing import NamedTuple

import torch
from torch import Tensor

from mmsigma.ops.fast_linear import full_float32


class WalkLoss(NamedTuple):
    """Result of :func:`random_walk_loss`.

    Attributes:
        loss: Mean over the walks.
        per_walk: Loss of the walks with 2, 3, ... steps forward (T - 2,).
        accuracy: Share of nodes that most likely come back to themselves (T - 2,).
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
    """Probabilities of steps from nodes of unit length (B, N, C) to others (B, M, C): (B, N, M), and back (B, M, N)."""
    similarity = query @ memory.transpose(1, 2) / temperature
    both = similarity, similarity.transpose(1, 2)
    forth, back = (_drop(logits, dropout, generator).softmax(dim=2) for logits in both)
    return forth, back


def random_walk_loss(
    nodes: Tensor, temperature: float = 0.05, dropout: float = 0.0, generator: torch.Generator | None = None
) -> WalkLoss:
    """Walks forward in time and the same way back should end where they began.

    Walks have 2 to T - 1 steps each way; a single step is left out, as in the release. Edges that are dropped are so in
    one direction only: the release drops them in both by accident, working in place.

    Args:
        nodes: Of unit length (B, C, T, N).
        temperature: Divides similarities.
        dropout: Share of edges to leave out, drawn for each step anew.
        generator: Of what is dropped.

    Raises:
        ValueError: If there are fewer than three frames.
    """
    if nodes.shape[2] < 3:
        raise ValueError(f'walks need three frames or more, got {nodes.shape[2]}')
    frames = (nodes if nodes.dtype == torch.float64 else nodes.float()).permute(2, 0, 3, 1).unbind(0)
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
