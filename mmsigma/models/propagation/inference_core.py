"""Object ids through a video, one frame at a time: the state between frames, and the user's ids."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from mmsigma.io.masks import VOID, mask_ids


class InferenceCore:
    """Segments the objects given in masks in all later frames of one video. Every video needs a new one.

    Masks may come with any frame and bring new objects; ids are the user's and may have gaps. What memory it takes
    does not depend on the length of the video.

    Args:
        carry: From a picture (H, W, 3), uint8, and the masks given with it, background first (V, H, W), bool, or None,
            to soft labels (V, H, W) of its pixels. Called once a frame from the first mask on, unused so far: what it
            remembers is this video's.
        keep_given: Objects are where their masks say in the frames they are given in; False for what is left of those
            masks at the resolution of the cells.
    """

    def __init__(self, carry: Callable[[np.ndarray, Tensor | None], Tensor], keep_given: bool = True) -> None:
        self.carry, self.keep_given = carry, keep_given
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
        labels = self.carry(picture, self._labels(mask, new) if new else None)
        if first and self.keep_given:
            result = np.zeros(size, np.uint8)
        else:
            result = np.array([0, *self.ids], np.uint8)[labels.argmax(dim=0).cpu().numpy()]
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
