"""Regression of targets."""

from torch import Tensor, nn
from torch.nn import functional as F

from mmsigma.registry import MODELS


@MODELS.register_module()
class FeatureMSELoss(nn.Module):
    """Mean squared error over all elements, in float32: VideoMAE's loss, and SIGMA's collapsing L2 ablation."""

    def forward(self, pred: Tensor, target: Tensor) -> Tensor:
        """Compare ``pred`` and ``target``, both (B, N_masked, D)."""
        return F.mse_loss(pred.float(), target.float())
