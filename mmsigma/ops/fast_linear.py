"""Linear layers that are fast on any CPU."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def linear(inputs: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Apply ``torch.nn.functional.linear``, as a 1 x 1 convolution for many float32 tokens on a CPU.

    PyTorch multiplies float32 matrices with MKL, which leaves half of the vector width of AMD processors unused, but
    convolves with oneDNN, which does not. On a Zen core with AVX-512, the convolution was measured to be 2.2 times
    faster forward and 1.9 times faster backward, with equal results up to rounding.

    Args:
        inputs: Inputs ``(..., D)``.
        weight: Weight ``(K, D)``.
        bias: Bias ``(K,)``, or None.

    Returns:
        Outputs ``(..., K)``.
    """
    if not _convolution_pays(inputs, weight):
        return F.linear(inputs, weight, bias)
    # channels last in memory, so that nothing needs to be copied
    image = inputs.reshape(1, 1, -1, inputs.shape[-1]).permute(0, 3, 1, 2)
    out = F.conv2d(image, weight[:, :, None, None], bias)
    return out.permute(0, 2, 3, 1).reshape(*inputs.shape[:-1], len(weight))


def _convolution_pays(inputs: Tensor, weight: Tensor) -> bool:
    rows = inputs.shape[:-1].numel()
    return (
        inputs.device.type == 'cpu'
        and inputs.dtype == torch.float32
        and rows >= 128
        and rows * weight.numel() >= 1 << 24
        and torch.backends.mkldnn.is_available()
        and not torch.compiler.is_compiling()
    )


class Linear(nn.Linear):
    """``nn.Linear`` that is computed by :func:`linear`."""

    def forward(self, inputs: Tensor) -> Tensor:
        """Map inputs ``(..., in_features)`` to outputs ``(..., out_features)``."""
        return linear(inputs, self.weight, self.bias)
