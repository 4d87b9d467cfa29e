"""Head of VideoMAE and of the L2 ablation."""

from mmengine.model import BaseModule
from torch import Tensor

from mmsigma.registry import MODELS


@MODELS.register_module()
class RegressionHead(BaseModule):
    """Compares predictions with targets element by element.

    Args:
        in_channels: Width of predictions and targets; unused, accepted because every head is told.
        loss: Config of the loss.
    """

    def __init__(self, in_channels: int | None = None, loss: dict | None = None) -> None:
        super().__init__()
        self.loss_module = MODELS.build(loss or dict(type='FeatureMSELoss'))

    def loss(self, pred: Tensor, target: Tensor) -> dict[str, Tensor]:
        """Loss of predictions and targets, both (B, N_masked, D), and the spread of the target's features."""
        spread = target.detach().flatten(0, 1).float().std(dim=0).mean()
        return {'loss_reconstruction': self.loss_module(pred, target), 'target_std': spread}
