"""Activation maps: where in a frame a network responds (GTA, CVPR 2021, supplement, figure 2)."""

import cv2
import numpy as np
from torch import Tensor


def activation_maps(maps: Tensor) -> Tensor:
    """Average feature maps over channels and stretch each to 0..1, as for class activation maps.

    Args:
        maps: Outputs of a convolution, ``(N, C, h, w)``.

    Returns:
        Activations ``(N, h, w)``, float32; 0 where a frame's map is constant.
    """
    means = maps.float().mean(dim=1)
    low, high = means.amin(dim=(1, 2), keepdim=True), means.amax(dim=(1, 2), keepdim=True)
    return (means - low) / (high - low).clamp(min=1e-12)


def draw_activation(frame: np.ndarray, activation: np.ndarray, opacity: float = 0.5) -> np.ndarray:
    """Overlay an activation map on its frame, from blue for 0 to red for 1.

    Args:
        frame: RGB frame ``(H, W, 3)``, uint8.
        activation: Activation of the whole frame, ``(h, w)``, 0..1.
        opacity: Opacity of the colours.

    Returns:
        RGB image ``(H, W, 3)``, uint8.
    """
    height, width = frame.shape[:2]
    enlarged = cv2.resize(np.asarray(activation, np.float32), (width, height), interpolation=cv2.INTER_LINEAR)
    levels = (enlarged.clip(0, 1) * 255).round().astype(np.uint8)
    colours = cv2.cvtColor(cv2.applyColorMap(levels, cv2.COLORMAP_JET), cv2.COLOR_BGR2RGB)
    return cv2.addWeighted(frame, 1 - opacity, colours, opacity, 0)
