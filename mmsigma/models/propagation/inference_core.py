"""Inference core of video object segmentation, which keeps the state between frames and the object ids of the user."""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from mmsigma.io.masks import VOID, mask_ids


class InferenceCore:
    """Segments the objects of given masks in all later frames of one video; every video needs a new core.

    Masks may be given in any frame and bring new objects. Their ids are chosen by the user and may have gaps. The
    required memory does not depend on the length of the video.

    Args:
        carry: Function from a picture ``(H, W, 3)``, uint8, and the masks given in it, ``(V, H, W)``, bool, background
            first, or None, to soft labels of its pixels, ``(V, H, W)``. It is called once per frame from the first mask
            on, and holds the state of this video, so it must not have been called before.
        keep_given: Whether objects keep their masks in the frames in which they are given; otherwise, these are reduced
            to the resolution of the cells.
    """

    def __init__(
        self, carry: Callable[[npt.NDArray[np.uint8], Tensor | None], Tensor], keep_given: bool = True
    ) -> None:
        self.carry, self.keep_given = carry, keep_given
        self.ids: list[int] = []
        self.frame = 0

    @torch.no_grad()
    def step(
        self, picture: npt.NDArray[np.uint8], mask: npt.NDArray[np.integer[Any]] | None = None
    ) -> npt.NDArray[np.uint8]:
        """Segment the next frame.

        Args:
            picture: RGB picture ``(H, W, 3)``, uint8.
            mask: Ids given in this frame, ``(H, W)``. Those that are new become objects; known ones and void (255) are
                ignored.

        Returns:
            Ids ``(H, W)``, uint8; 0 everywhere until there is an object.

        Raises:
            ValueError: If picture and mask do not match, or features are not finite.
        """
        self._check(picture, mask)
        size = picture.shape[:2]
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
        if new and self.keep_given:  # masks are exact in the frame in which they are given
            assert mask is not None  # it has the new ids
            result[np.isin(result, new)] = 0
            np.copyto(result, mask, where=np.isin(mask, new), casting='unsafe')
        return result

    def _check(self, picture: npt.NDArray[np.uint8], mask: npt.NDArray[np.integer[Any]] | None) -> None:
        if picture.ndim != 3 or picture.shape[2] != 3 or picture.dtype != np.uint8:
            raise ValueError(
                f'frame {self.frame} is {picture.dtype} {picture.shape}, expected uint8 (height, width, 3)'
            )
        size = picture.shape[:2]
        if mask is not None and mask.shape != size:
            raise ValueError(
                f'the mask of frame {self.frame} is {mask.shape[0]} x {mask.shape[1]}, the frame {size[0]} x {size[1]}'
            )

    def _labels(self, mask: npt.NDArray[np.integer[Any]] | None, new: list[int]) -> Tensor:
        """Convert a mask to labels ``(V, H, W)``, bool, in which background and new objects alone have pixels."""
        assert mask is not None  # it has the new ids
        ids = torch.tensor([-1, *(number if number in new else -1 for number in self.ids)])
        one_hot = torch.from_numpy(mask.astype(np.int64)) == ids[:, None, None]
        one_hot[0] = ~one_hot[1:].any(dim=0)
        return one_hot
