"""Swapped prediction of Sinkhorn assignments (SIGMA, ECCV 2024, Eq. 7)."""

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from mmsigma.ops import sinkhorn, sinkhorn_labels
from mmsigma.registry import MODELS

_BLOCK_ELEMENTS = 1 << 20


class _CodeCrossEntropy(torch.autograd.Function):
    """Mean cross-entropy of ``scores / temperature`` against codes, in the memory of the scores.

    The gradient with respect to the scores is known as soon as the softmax is; it is written where the scores were.
    The usual chain (division, log-softmax, its gradient) keeps four more matrices of that size, and on a CPU the first
    touch of that memory costs more time than the arithmetic.
    """

    @staticmethod
    def forward(ctx, scores: Tensor, codes: Tensor, temperature: float) -> Tensor:
        grad = scores.detach()
        total = scores.new_zeros(())
        for rows in _row_blocks(scores):
            logits, code = grad[rows].mul_(1 / temperature), codes[rows]
            hard = code.ndim == 1
            index = code[:, None] if hard else None
            total -= logits.gather(1, index).sum() if hard else (logits * code).sum()
            top = logits.amax(dim=1)
            torch.softmax(logits, dim=1, out=logits)
            # the log-sum-exp without a second exponential; the largest probability cannot underflow
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
    def backward(ctx, grad_output: Tensor) -> tuple[Tensor, None, None]:
        (grad,) = ctx.saved_tensors
        return grad.mul_(grad_output * ctx.scale), None, None


def _row_blocks(scores: Tensor) -> Iterator[slice]:
    rows = len(scores) if scores.is_cuda else max(1, _BLOCK_ELEMENTS // scores.shape[1])
    for start in range(0, len(scores), rows):
        yield slice(start, start + rows)


def code_cross_entropy(scores: Tensor, codes: Tensor, temperature: float) -> Tensor:
    """Cross-entropy between codes and ``softmax(scores / temperature)``, averaged over samples.

    Args:
        scores: (N, K), float32. Overwritten: they hold the gradient afterwards. Pass a clone to keep them.
        codes: Prototype of every sample (N,), int64, or soft codes (N, K) whose rows sum to 1.
        temperature: Divides the scores.

    Returns:
        A scalar; differentiable once, with respect to ``scores``. A second backward pass, ``retain_graph`` or not,
        raises, because the first one scales the gradient where it is stored.
    """
    return _CodeCrossEntropy.apply(scores, codes, temperature)


class SwappedAssignment(NamedTuple):
    """Cross-entropy of each branch against the other's codes, and the codes of each."""

    loss_target: Tensor
    loss_pred: Tensor
    codes_target: Tensor
    codes_pred: Tensor


@MODELS.register_module()
class SwappedAssignmentLoss(nn.Module):
    """Each branch predicts the Sinkhorn assignment of the other.

    The sum of both cross-entropies, each a mean over tokens, without a factor of one half. Codes are computed over the
    tokens of all processes and carry no gradient.

    Args:
        epsilon: Entropic regularisation of Sinkhorn (release: 0.05; 0.03 for ViT-B on SSv2).
        num_iters: Sinkhorn iterations.
        temperature: Divides the scores in the cross-entropy.
        hard_labels: Predict the most likely prototype, as the release does, instead of the soft code of the paper's
            formula.
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

    def forward(self, scores_target: Tensor, scores_pred: Tensor) -> SwappedAssignment:
        """Compute both terms.

        Args:
            scores_target: Cosine scores of the projection network's features (N, K), float32; overwritten.
            scores_pred: Cosine scores of the video model's predictions (N, K), float32; overwritten.

        Returns:
            Both cross-entropies and the codes, labels (N,) or soft codes (N, K).
        """
        codes_target = self.assign(scores_target.detach(), self.epsilon, self.num_iters)
        codes_pred = self.assign(scores_pred.detach(), self.epsilon, self.num_iters)
        return SwappedAssignment(
            code_cross_entropy(scores_target, codes_pred, self.temperature),
            code_cross_entropy(scores_pred, codes_target, self.temperature),
            codes_target,
            codes_pred,
        )
