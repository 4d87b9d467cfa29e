"""A loss of one's own: only the direction of a feature counts."""

import torch.nn.functional as F
from torch import Tensor, nn

from mmsigma.registry import MODELS


@MODELS.register_module()
class CosineFeatureLoss(nn.Module):
    """One minus the cosine similarity, averaged over masked tubes. Losses hold no parameters.

    Args:
        eps: Smallest norm to divide by.
    """

    def __init__(self, eps: float = 1e-6) -> None:
        super().__init__()
        self.eps = eps

    def forward(self, pred: Tensor, target: Tensor) -> Tensor:
        """Compare ``pred`` and ``target``, both (B, N_masked, D), in float32."""
        return 1 - F.cosine_similarity(pred.float(), target.float(), dim=-1, eps=self.eps).mean()
