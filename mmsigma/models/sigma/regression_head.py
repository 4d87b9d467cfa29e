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
        """Loss of predictions and targets, both (B, N_masked, D).

        For a target that is learnt, ``target_std`` tells how far its features spread: 0 once they have collapsed.
        """
        out = {'loss_reconstruction': self.loss_module(pred, target)}
        if target.requires_grad:
            out['target_std'] = target.detach().flatten(0, 1).float().std(dim=0).mean()
        return out
