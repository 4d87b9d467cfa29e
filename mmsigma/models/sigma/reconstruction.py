"""Regression of targets."""

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from mmsigma.registry import MODELS


class _MeanSquaredError(torch.autograd.Function):
    """Keeps the difference and scales it in place; the library's version writes three more arrays of that size."""

    @staticmethod
    def forward(ctx, pred: Tensor, target: Tensor) -> Tensor:
        difference = (pred - target).flatten()
        ctx.save_for_backward(difference)
        ctx.shape = pred.shape
        return difference.dot(difference) / len(difference)

    @staticmethod
    @once_differentiable
    def backward(ctx, grad_output: Tensor) -> tuple[Tensor, Tensor | None]:
        (difference,) = ctx.saved_tensors
        grad = difference.mul_(grad_output * (2 / len(difference))).view(ctx.shape)
        return grad, -grad if ctx.needs_input_grad[1] else None


@MODELS.register_module()
class FeatureMSELoss(nn.Module):
    """Mean squared error over all elements, in float32: VideoMAE's loss, and SIGMA's collapsing L2 ablation.

    A second backward pass, ``retain_graph`` or not, raises: the first one uses up what is kept for it.
    """

    def forward(self, pred: Tensor, target: Tensor) -> Tensor:
        """Compare ``pred`` and ``target``, both (B, N_masked, D).

        Raises:
            ValueError: If their shapes differ.
        """
        if pred.shape != target.shape:
            raise ValueError(f'predictions {tuple(pred.shape)} and targets {tuple(target.shape)} differ in shape')
        return _MeanSquaredError.apply(pred.float(), target.float())
