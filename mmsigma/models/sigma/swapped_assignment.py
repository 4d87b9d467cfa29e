"""Loss of swapped Sinkhorn assignments (SIGMA, ECCV 2024, equation 7)."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from mmsigma.ops import sinkhorn, sinkhorn_labels
from mmsigma.registry import MODELS

_BLOCK_ELEMENTS = 1 << 20


class _CodeCrossEntropy(torch.autograd.Function):
    """Mean cross-entropy of codes and ``softmax(scores / temperature)``, computed in the memory of the scores.

    The gradient by the scores follows from the softmax, so it is written over the scores in the forward pass. The usual
    chain of division, log-softmax and their gradients keeps four more matrices of that size, and on a CPU the first
    access to that memory takes longer than the arithmetic.
    """

    @staticmethod
    def forward(ctx: Any, scores: Tensor, codes: Tensor, temperature: float) -> Tensor:
        grad = scores.detach()
        total = scores.new_zeros(())
        for rows in _row_blocks(scores):
            logits, code = grad[rows].mul_(1 / temperature), codes[rows]
            hard = code.ndim == 1
            index: Any = code[:, None] if hard else None
            total -= logits.gather(1, index).sum() if hard else (logits * code).sum()
            top = logits.amax(dim=1)
            torch.softmax(logits, dim=1, out=logits)
            # log-sum-exp, without a second exponential: the largest probability cannot underflow
            total += (top - logits.amax(dim=1).log_()).sum()
            if hard:
                logits.scatter_add_(1, index, logits.new_full((), -1).expand_as(index))
            else:
                logits.sub_(code)
        ctx.save_for_backward(grad)
        ctx.scale = 1 / (temperature * len(scores))
        return total / len(scores)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_output: Tensor) -> tuple[Tensor, None, None]:
        (grad,) = ctx.saved_tensors
        return grad.mul_(grad_output * ctx.scale), None, None


def _row_blocks(scores: Tensor) -> Iterator[slice]:
    rows = len(scores) if scores.is_cuda else max(1, _BLOCK_ELEMENTS // scores.shape[1])
    for start in range(0, len(scores), rows):
        yield slice(start, start + rows)


def code_cross_entropy(scores: Tensor, codes: Tensor, temperature: float) -> Tensor:
    """Compute the cross-entropy of codes and ``softmax(scores / temperature)``, averaged over samples.

    Args:
        scores: Scores ``(N, K)``, float32. They are overwritten with their gradient; pass a clone to keep them.
        codes: Prototype of every sample, ``(N,)``, int64, or soft codes ``(N, K)`` whose rows sum to 1.
        temperature: Divisor of the scores.

    Returns:
        Scalar, once differentiable with respect to ``scores``. A second backward pass raises, even with
        ``retain_graph``, because the first one scales the stored gradient in place.
    """
    if torch.compiler.is_compiling():  # which computes this in as little memory, and does not allow such tricks
        return F.cross_entropy(scores / temperature, codes)
    loss: Tensor = _CodeCrossEntropy.apply(scores, codes, temperature)
    return loss


class SwappedAssignment(NamedTuple):
    """Result of :class:`SwappedAssignmentLoss`.

    Attributes:
        loss_target: Cross-entropy of the target's scores and the prediction's codes, a scalar.
        loss_pred: Cross-entropy of the prediction's scores and the target's codes, a scalar.
        codes_target: Codes of the target, labels ``(N,)`` or soft codes ``(N, K)``.
        codes_pred: Codes of the prediction, of the same kind.
    """

    loss_target: Tensor
    loss_pred: Tensor
    codes_target: Tensor
    codes_pred: Tensor


@MODELS.register_module()
class SwappedAssignmentLoss(nn.Module):
    """Loss by which each branch predicts the Sinkhorn assignment of the other (SIGMA, equation 7).

    The loss is the sum of both cross-entropies, each a mean over tokens, without a factor of one half. Codes are
    computed over the tokens of all processes and have no gradient.

    Args:
        epsilon: Weight of the entropic regularisation of Sinkhorn (release: 0.05; 0.03 for ViT-B on SSv2).
        num_iters: Number of Sinkhorn iterations.
        temperature: Divisor of the scores in the cross-entropy.
        hard_labels: Whether to predict the most likely prototype, as the release does, instead of the soft code of the
            paper's equation.

    Raises:
        ValueError: If ``temperature`` or ``epsilon`` is not positive, or ``num_iters`` is negative.
    """

    def __init__(
        self, epsilon: float = 0.05, num_iters: int = 10, temperature: float = 0.1, hard_labels: bool = True
    ) -> None:
        super().__init__()
        if temperature <= 0 or epsilon <= 0 or num_iters < 0:
            raise ValueError(
                'temperature and epsilon must be positive and num_iters not negative, '
                f'got {temperature=}, {epsilon=}, {num_iters=}'
            )
        self.epsilon, self.num_iters, self.temperature = epsilon, num_iters, temperature
        self.assign = sinkhorn_labels if hard_labels else sinkhorn

    def forward(
        self,
        scores_target: Tensor,
        scores_pred: Tensor,
        recent_target: Tensor | None = None,
        recent_pred: Tensor | None = None,
    ) -> SwappedAssignment:
        """Compute both terms of the loss.

        Args:
            scores_target: Cosine similarities of the projection network's features, ``(N, K)``, float32; overwritten.
            scores_pred: Cosine similarities of the video model's predictions, ``(N, K)``, float32; overwritten.
            recent_target: Scores of earlier features of the projection network, ``(Q, K)``, which are assigned along
                with those of the batch, but have no loss.
            recent_pred: The same of earlier predictions.

        Returns:
            Both cross-entropies and the codes of both branches.
        """
        codes_target = self._codes(scores_target.detach(), recent_target)
        codes_pred = self._codes(scores_pred.detach(), recent_pred)
        return SwappedAssignment(
            code_cross_entropy(scores_target, codes_pred, self.temperature),
            code_cross_entropy(scores_pred, codes_target, self.temperature),
            codes_target,
            codes_pred,
        )

    def _codes(self, scores: Tensor, recent: Tensor | None) -> Tensor:
        together = scores if recent is None else torch.cat([scores, recent])
        codes: Tensor = self.assign(together, self.epsilon, self.num_iters)
        return codes[: len(scores)]
