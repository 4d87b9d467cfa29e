"""Soft aggregation of independent object masks into one label distribution with a background (STM, ICCV 2019)."""

import torch
import torch.nn.functional as F
from torch import Tensor

from mmsigma.ops.precision import at_least_float32

_EPSILON = 1e-7


def aggregate(probabilities: Tensor) -> Tensor:
    """Return logits of background and objects whose softmax is the distribution of labels.

    The background probability is that no object claims the pixel, the product of ``1 - p``. The logits are log-odds of
    the probabilities, which are clamped to stay 1e-7 away from 0 and 1, where they have no gradient. Where logits of
    the objects are at hand, as in training, :func:`aggregate_logits` is exact everywhere.

    Args:
        probabilities: Independent probability of each of the O objects, ``(..., O, H, W)``.

    Returns:
        Logits ``(..., O + 1, H, W)``, the background first.
    """
    background = (1 - probabilities).prod(dim=-3, keepdim=True)
    everything = torch.cat([background, probabilities], dim=-3).clamp(_EPSILON, 1 - _EPSILON)
    return torch.log(everything / (1 - everything))


def aggregate_logits(logits: Tensor) -> Tensor:
    """Return logits of background and objects, given those of the objects' independent probabilities.

    This is :func:`aggregate` of their sigmoid without leaving the logarithm, in float32 or more: no probability is
    rounded to 0 or 1, and each pixel has a gradient, however wrong it is.

    Args:
        logits: Logits of the O objects, ``(..., O, H, W)``.

    Returns:
        Logits ``(..., O + 1, H, W)``, the background first.
    """
    logits = at_least_float32(logits)
    # Log-odds that any of the first k objects claims the pixel, with q_k = prod(1 + exp(logit)) - 1 as these odds:
    # q_k = q_(k-1) (1 + exp(logit_k)) + exp(logit_k), a sum of positive terms.
    first, *others = logits.unbind(dim=-3)
    claimed = first
    for logit in others:
        claimed = torch.logaddexp(claimed + F.softplus(logit), logit)
    return torch.cat([-claimed.unsqueeze(-3), logits], dim=-3)
