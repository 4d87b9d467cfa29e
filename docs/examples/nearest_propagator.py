"""A propagator of one's own: each cell copies the label of the most similar cell of the frame before."""

import torch.nn.functional as F
from torch import Tensor

from mmsigma.registry import MODELS


@MODELS.register_module()
class NearestPropagator:
    """Carries labels from frame to frame. One is made for each video, so that it may keep what it likes.

    Args:
        blend: Share of the first frame's labels, found in the same way, in the result.
    """

    def __init__(self, blend: float = 0.5) -> None:
        self.blend = blend
        self.first: tuple[Tensor, Tensor] | None = None
        self.last: tuple[Tensor, Tensor] | None = None

    def step(self, features: Tensor, given: Tensor | None = None) -> Tensor:
        """Soft labels (h, w, V) of the next frame.

        Args:
            features: Features (h, w, C) of the frame.
            given: Labels given in it (h, w, V); needed in the first frame.

        Raises:
            ValueError: If the first frame has no labels.
        """
        cells = F.normalize(features, dim=-1)
        if self.first is None or self.last is None:
            if given is None:
                raise ValueError('the first frame needs labels')
            self.first = self.last = cells, given
            return given
        labels = self.blend * nearest(cells, *self.first) + (1 - self.blend) * nearest(cells, *self.last)
        self.last = cells, labels
        return labels


def nearest(query: Tensor, cells: Tensor, labels: Tensor) -> Tensor:
    """Labels (h, w, V) of the most similar cells (h, w, C) of another frame, for the cells of a query (h, w, C)."""
    index = (query.flatten(0, 1) @ cells.flatten(0, 1).T).argmax(dim=1)
    return labels.flatten(0, 1)[index].view(*query.shape[:2], -1)
