"""Masks that users give of the frames of a video: their files, their ids, and their size where frames are reduced."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from mmengine.logging import MMLogger

from mmsigma.io.masks import VOID, ids_of, mask_ids, read_stored
from mmsigma.ops.resizing import resize_labels

Mask = str | Path | np.ndarray


def load_masks(masks: Mapping[int, Mask]) -> dict[int, np.ndarray]:
    """Load the masks of a video.

    Masks in black and white get an id here: 1 if it is the first mask of all, otherwise the lowest id that no other
    mask has.

    Args:
        masks: Masks by frame number.

    Returns:
        Ids ``(H, W)``, uint8, by frame number, in the order of frames.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If a mask is invalid, has no object, or only objects of earlier masks.
    """
    loaded = {number: load_mask(masks[number]) for number in sorted(masks)}
    objects = {number: set(mask_ids(ids)) - {0, VOID} for number, (ids, _) in loaded.items()}
    taken = set[int]().union(*(objects[number] for number, (_, binary) in loaded.items() if not binary))
    known, given = set[int](), {}
    for number, (ids, binary) in loaded.items():
        if binary and known:
            own = min(set(range(1, VOID)) - taken - known)
            ids, objects[number] = ids * np.uint8(own), {own}
        if not objects[number] - known:
            raise ValueError(
                f'the mask of frame {number} has no new object: {sorted(objects[number])} were given before. Give each '
                'object a unique id, or a mask in black and white of its own'
            )
        known |= objects[number]
        given[number] = ids
    return given


def load_mask(mask: Mask) -> tuple[np.ndarray, bool]:
    """Load a mask.

    A mask is in black and white if its values are single bits, or 0 and 255 only; every non-zero value is then 1.

    Args:
        mask: File, or array ``(H, W)``, also a tensor or an image of Pillow.

    Returns:
        Ids ``(H, W)``, uint8, and whether the mask is in black and white.

    Raises:
        FileNotFoundError: If there is no such file.
        TypeError: If it is neither file nor array.
        ValueError: If it is not a mask, or has no object.
    """
    if hasattr(mask, '__array__') or hasattr(mask, '__array_interface__'):
        mask = np.asarray(mask)
    elif not isinstance(mask, str | Path):
        raise TypeError(f'a mask is a file or an array (H, W) of ids, got {type(mask).__name__}')
    name = 'the mask' if isinstance(mask, np.ndarray) else str(mask)
    values, palette = (mask, None) if isinstance(mask, np.ndarray) else read_stored(mask)
    ids = ids_of(values, name, palette)
    present = set(mask_ids(ids)) - {0}
    if not present:
        raise ValueError(f'{name} has no object: all pixels are background')
    binary = values.dtype == bool or present == {VOID}
    if VOID in present and not binary:
        MMLogger.get_current_instance().warning(
            f'{name}: {np.count_nonzero(ids == VOID):,} pixels have the value 255, which is void and no object; if '
            'they are one, give them another id'
        )
    return (ids > 0).astype(np.uint8) if binary else ids, binary


def reduce_mask(mask: npt.NDArray[Any], frame_size: tuple[int, int], size: tuple[int, int]) -> npt.NDArray[Any]:
    """Reduce the ids ``(H, W)`` that are given in a frame.

    Args:
        mask: Ids.
        frame_size: Height and width of the frame.
        size: Those that it is reduced to.

    Raises:
        ValueError: If the mask is not of the frame's size, or an object is too small to be left.
    """
    if mask.shape != frame_size:
        raise ValueError('the mask is {} x {}, the frame {} x {}'.format(*mask.shape, *frame_size))
    small: npt.NDArray[Any] = resize_labels(mask, size)
    if lost := sorted(set(mask_ids(mask)) - set(mask_ids(small)) - {0, VOID}):
        raise ValueError(
            f'object {lost[0]} has {np.count_nonzero(mask == lost[0])} pixels, none of which is left in frames of '
            f'{size[1]} x {size[0]}: draw it larger, or reduce frames less'
        )
    return small
