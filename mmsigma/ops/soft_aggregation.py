"""Masks of objects, found one by one, as one distribution over all of them and the background (STM, ICCV 2019)."""

import torch
from torch import Tensor


def aggregate(probabilities: Tensor) -> Tensor:
    """Logits of background and objects whose softmax is the distribution of labels.

    Background is what no object claims, the product of ``1 - p``; the logits are those of the probabilities, clamped to
    1e-7 from 0 and 1.

    Args:
        probabilities: Of each object by itself (..., O, H, W).

    Returns:
        (..., O + 1, H, W), the background first.
    """
    background = (1 - probabilities).prod(dim=-3, keepdim=True)
    everything = torch.cat([background, probabilities], dim=-3).clamp(1e-7, 1 - 1e-7)
    return torch.log(everything / (1 - everything))
