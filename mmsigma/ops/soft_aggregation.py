"""Soft aggregation of independent object masks into one label distribution with a background (STM, ICCV 2019)."""

import torch
from torch import Tensor


def aggregate(probabilities: Tensor) -> Tensor:
    """Return logits of background and objects whose softmax is the distribution of labels.

    The background probability is that no object claims the pixel, the product of ``1 - p``. The logits are log-odds of
    the probabilities, which are clamped to stay 1e-7 away from 0 and 1.

    Args:
        probabilities: Independent probability of each of the O objects, ``(..., O, H, W)``.

    Returns:
        Logits ``(..., O + 1, H, W)``, the background first.
    """
    background = (1 - probabilities).prod(dim=-3, keepdim=True)
    everything = torch.cat([background, probabilities], dim=-3).clamp(1e-7, 1 - 1e-7)
    return torch.log(everything / (1 - everything))
