"""Mean squared error for the regression of targets."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from mmsigma.ops import at_least_float32
from mmsigma.registry import MODELS


class _MeanSquaredError(torch.autograd.Function):
    """Mean squared error that stores the difference and scales it in place.

    The version of PyTorch writes three more arrays of that size.
    """

    @staticmethod
    def forward(ctx: Any, pred: Tensor, target: Tensor) -> Tensor:
        difference = (pred - target).flatten()
        ctx.save_for_backward(difference)
        ctx.shape = pred.shape
        return difference.dot(difference) / len(difference)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_output: Tensor) -> tuple[Tensor, Tensor | None]:
        (difference,) = ctx.saved_tensors
        grad = difference.mul_(grad_output * (2 / len(difference))).view(ctx.shape)
        return grad, -grad if ctx.needs_input_grad[1] else None


@MODELS.register_module()
class FeatureMSELoss(nn.Module):
    """Mean squared error over all elements, in float32: the loss of VideoMAE and of SIGMA's collapsing L2 ablation.

    A second backward pass raises, even with ``retain_graph``, because the first one overwrites the stored difference.
    """

    def forward(self, pred: Tensor, target: Tensor) -> Tensor:
        """Compute the error of ``pred`` and ``target``, both ``(B, N_masked, D)``, a scalar.

        Raises:
            ValueError: If their shapes differ.
        """
        if pred.shape != target.shape:
            raise ValueError(
                f'predictions {tuple(pred.shape)} and targets {tuple(target.shape)} must have the same shape'
            )
        error: Tensor = _MeanSquaredError.apply(at_least_float32(pred), at_least_float32(target))
        return error
