"""Object ids through a video, one frame at a time: the state between frames, and the user's ids."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from mmsigma.models.frame_geometry import FrameGeometry
from mmsigma.models.propagator import Propagator
from mmsigma.utils.masks import VOID, mask_ids


class VideoSegmenter:
    """Segments the objects given in masks in all later frames of one video. Every video needs a new one.

    Masks may come with any frame and bring new objects; ids are the user's and may have gaps. What memory it takes
    does not depend on the length of the video.

    Args:
        encode: From a prepared image (1, 3, h, w) to features of its cells (h', w', C).
        geometry: Between pictures and cells.
        propagator: Carries the labels; unused so far: it holds this video's memory.
        keep_given: Objects are where their masks say in the frames they are given in; False for what is left of those
            masks at the resolution of the cells.
    """

    def __init__(
        self,
        encode: Callable[[Tensor], Tensor],
        geometry: FrameGeometry,
        propagator: Propagator,
        keep_given: bool = True,
    ) -> None:
        self.encode, self.geometry, self.propagator = encode, geometry, propagator
        self.keep_given = keep_given
        self.ids: list[int] = []
        self.frame = 0

    @torch.no_grad()
    def step(self, picture: np.ndarray, mask: np.ndarray | None = None) -> np.ndarray:
        """Segment the next frame.

        Args:
            picture: RGB (H, W, 3), uint8.
            mask: Ids (H, W) given with this frame; those that are new are objects from here on, others and void (255)
                are ignored.

        Returns:
            Ids (H, W), uint8; 0 everywhere until there is an object.

        Raises:
            ValueError: If picture and mask do not fit, or features are not finite.
        """
        size = picture.shape[:2]
        if picture.ndim != 3 or picture.shape[2] != 3 or picture.dtype != np.uint8:
            raise ValueError(
                f'frame {self.frame} is {picture.dtype} {picture.shape}, expected uint8 (height, width, 3)'
            )
        if mask is not None and mask.shape != size:
            raise ValueError(
                f'the mask of frame {self.frame} is {mask.shape[0]} x {mask.shape[1]}, the frame {size[0]} x {size[1]}'
            )
        new = [] if mask is None else [number for number in mask_ids(mask) if number not in {0, VOID, *self.ids}]
        first = not self.ids
        self.ids += new
        self.frame += 1
        if not self.ids:
            return np.zeros(size, np.uint8)
        features = self.encode(self.geometry.prepare(picture))
        given = self._labels(mask, new).to(features.device) if new else None
        cells = None if given is None else self.geometry.labels_of_cells(given)
        labels = self.propagator.step(features, cells)
        if first and self.keep_given:
            result = np.zeros(size, np.uint8)
        else:
            channels = self.geometry.labels_of_pixels(labels, size).argmax(dim=0)
            result = np.array([0, *self.ids], np.uint8)[channels.cpu().numpy()]
        if new and self.keep_given:  # they are known to the pixel here
            result[np.isin(result, new)] = 0
            np.copyto(result, mask, where=np.isin(mask, new), casting='unsafe')
        return result

    def _labels(self, mask: np.ndarray, new: list[int]) -> Tensor:
        """One-hot labels (V, H, W) of background and all objects so far; only new ones have pixels."""
        ids = torch.tensor([-1, *(number if number in new else -1 for number in self.ids)])
        one_hot = torch.from_numpy(mask.astype(np.int64)) == ids[:, None, None]
        one_hot[0] = ~one_hot[1:].any(dim=0)
        return one_hot
