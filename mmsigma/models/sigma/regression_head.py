"""Regression head of VideoMAE (NeurIPS 2022) and of the L2 ablation of SIGMA (ECCV 2024)."""

from typing import Any

from mmengine.model import BaseModule
from torch import Tensor

from mmsigma.registry import MODELS


@MODELS.register_module()
class RegressionHead(BaseModule):
    """Compares predictions with targets element by element.

    Args:
        in_channels: Number of channels of predictions and targets; ignored, accepted because SIGMA passes it to every
            head.
        loss: Config of the loss, ``FeatureMSELoss`` by default.
    """

    def __init__(self, in_channels: int | None = None, loss: dict[str, Any] | None = None) -> None:
        super().__init__()
        self.loss_module = MODELS.build(loss or dict(type='FeatureMSELoss'))

    def loss(self, pred: Tensor, target: Tensor) -> dict[str, Tensor]:
        """Compute the loss ``loss_reconstruction`` of predictions and targets, both ``(B, N_masked, D)``.

        For a learnt target, ``target_std`` is the mean standard deviation of its channels, which is 0 once the target
        has collapsed.
        """
        out = {'loss_reconstruction': self.loss_module(pred, target)}
        if target.requires_grad:
            out['target_std'] = target.detach().flatten(0, 1).float().std(dim=0).mean()
        return out
