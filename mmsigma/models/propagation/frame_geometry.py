"""Geometry between frames of any size and the cells of an encoder: resizing, padding, and labels in both directions."""

from collections.abc import Sequence
from typing import Any, Literal

import cv2
import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmsigma.models.data_preprocessor import IMAGENET_MEAN, IMAGENET_STD
from mmsigma.ops.resizing import resize_labels

Size = tuple[int, int]
ToCells = Literal['half_pixel', 'corners', 'nearest', 'pick']
ToPixels = Literal['half_pixel', 'corners', 'stretched']
_TO_CELLS: tuple[ToCells, ...] = ('half_pixel', 'corners', 'nearest', 'pick')
_TO_PIXELS: tuple[ToPixels, ...] = ('half_pixel', 'corners', 'stretched')


class FrameGeometry(nn.Module):
    """Prepares frames for an encoder, and converts labels of pixels to labels of cells and back, as protocols require.

    Normalised frames are padded to whole cells with zeros on all sides, labels by repeating the outermost pixels.
    Without padding, the last cells are cut off by the border, as convolutions with a stride have it: 854 pixels with a
    stride of 8 are 107 columns, and labels are resized from 854 to 107 and back.

    Args:
        stride: Side of a cell in pixels.
        short_side: Short side of the resized frames in pixels; None to keep the size.
        size: Size (height, width) of the resized frames, regardless of their aspect ratio; None to keep the size.
        padding: Whether to pad frames to whole cells (DUL, Mask-VOS). CRW and MAST do not; the encoder must be
            convolutional then, or sides be multiples of ``stride``.
        long_multiple: Divisor of the long side with ``short_side``; the side is rounded down. None for ``stride``.
        to_cells: Conversion of labels from pixels to cells: ``'half_pixel'`` (bilinear as in OpenCV; CRW),
            ``'corners'`` (bilinear with aligned corners; DUL, Mask-VOS), ``'nearest'`` (the pixel at the centre
            of each cell; DINO) or ``'pick'`` (every ``stride``-th pixel; MAST).
        to_pixels: Conversion of labels from cells to pixels: ``'half_pixel'``, ``'corners'``, or ``'stretched'`` (as
            ``'half_pixel'``, with the map of each object then stretched to 0..1 at the encoder's resolution; DINO).
        mean: Mean of each channel, on the scale 0..255.
        std: Standard deviation of each channel, on the scale 0..255.

    Raises:
        ValueError: If ``to_cells`` or ``to_pixels`` is unknown, or both ``short_side`` and ``size`` are given.
    """

    mean: Tensor  # (3, 1, 1)
    std: Tensor  # (3, 1, 1)

    def __init__(
        self,
        stride: int,
        *,
        short_side: int | None = None,
        size: Size | None = None,
        padding: bool = True,
        long_multiple: int | None = None,
        to_cells: ToCells = 'half_pixel',
        to_pixels: ToPixels = 'half_pixel',
        mean: Sequence[float] = IMAGENET_MEAN,
        std: Sequence[float] = IMAGENET_STD,
    ) -> None:
        super().__init__()
        if to_cells not in _TO_CELLS or to_pixels not in _TO_PIXELS:
            raise ValueError(
                f'to_cells must be one of {_TO_CELLS} and to_pixels one of {_TO_PIXELS}, '
                f'got {to_cells!r} and {to_pixels!r}'
            )
        if short_side and size:
            raise ValueError('give short_side or size, not both')
        self.stride, self.short_side, self.size, self.padding = stride, short_side, size, padding
        self.long_multiple = long_multiple or stride
        self.to_cells, self.to_pixels = to_cells, to_pixels
        self.register_buffer('mean', torch.tensor(mean).view(-1, 1, 1), persistent=False)
        self.register_buffer('std', torch.tensor(std).view(-1, 1, 1), persistent=False)

    def prepare(self, picture: npt.NDArray[Any]) -> Tensor:
        """Resize, normalise and pad a picture ``(H, W, 3)``, uint8, to an image ``(1, 3, H', W')``."""
        return self.normalize(torch.from_numpy(self.resize(picture)))

    def resize(self, picture: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Resize a picture ``(H, W, 3)``, uint8."""
        target = self._resized(picture.shape[:2])
        if target == picture.shape[:2]:
            return picture
        resized: npt.NDArray[Any] = cv2.resize(picture, target[::-1], interpolation=cv2.INTER_LINEAR)
        return resized

    def normalize(self, picture: Tensor) -> Tensor:
        """Normalise and pad a resized picture ``(H, W, 3)``, uint8, to an image ``(1, 3, H', W')``."""
        image = picture.to(self.mean.device).movedim(-1, 0).float()
        return F.pad(image.sub_(self.mean).div_(self.std), self._padding(image.shape[1:]))[None]

    def labels_of_image(self, one_hot: Tensor) -> Tensor:
        """Convert labels of a frame, ``(V, H, W)``, to labels of the prepared image, ``(V, H', W')``, float32."""
        maps = one_hot[None].float()
        target = self._resized(one_hot.shape[-2:])
        if target != tuple(one_hot.shape[-2:]):
            maps = resize_labels(maps, target)
        return F.pad(maps, self._padding(target), mode='replicate')[0]

    def labels_of_frame(self, labels: Tensor, size: Size) -> Tensor:
        """Convert soft labels of a prepared image, ``(V, H', W')``, to labels ``(V, H, W)`` of a frame of a size."""
        shape = self._resized(size)
        left, _, top, _ = self._padding(shape)
        maps = _crop(labels[None], top, left, shape)
        return maps[0] if shape == tuple(size) else F.interpolate(maps, size=size, mode='bilinear')[0]

    def labels_of_cells(self, one_hot: Tensor, dtype: torch.dtype = torch.float32) -> Tensor:
        """Convert labels of the pixels of a frame, ``(V, H, W)``, to labels of its cells, ``(h, w, V)``.

        Raises:
            ValueError: If frames are resized with ``to_cells='pick'``.
        """
        grid = self.grid(one_hot.shape[-2:])
        if any(self._padding(self._resized(one_hot.shape[-2:]))):
            # labels are padded like the frame, since background in the padding would reach the outermost cells
            maps = self.labels_of_image(one_hot)[None].to(dtype)
        else:
            maps = one_hot[None].to(dtype)  # in one step from the pixels of the frame
        if self.to_cells == 'pick':
            if self._resizes:
                raise ValueError("to_cells='pick' does not go with resized frames: set neither short_side nor size")
            maps = maps[..., :: self.stride, :: self.stride]
        elif self.to_cells == 'nearest':
            maps = resize_labels(maps, grid)
        else:
            maps = F.interpolate(maps, size=grid, mode='bilinear', align_corners=self.to_cells == 'corners')
        return maps[0].movedim(0, -1).contiguous()

    def labels_of_pixels(self, labels: Tensor, size: Size) -> Tensor:
        """Convert labels of cells, ``(h, w, V)``, to soft labels ``(V, H, W)`` of the pixels of a frame of a size."""
        maps = labels.movedim(-1, 0)[None]
        shape = self._resized(size)
        left, right, top, bottom = self._padding(shape)
        whole = (shape[0] + top + bottom, shape[1] + left + right)
        if self.to_pixels == 'stretched':
            maps = _stretch(F.interpolate(maps, size=whole, mode='bilinear', align_corners=False))
            return resize_labels(_crop(maps, top, left, shape), size)[0]
        corners = self.to_pixels == 'corners'
        if not (left or right or top or bottom):  # in one step to the pixels of the frame
            return F.interpolate(maps, size=size, mode='bilinear', align_corners=corners)[0]
        maps = _crop(F.interpolate(maps, size=whole, mode='bilinear', align_corners=corners), top, left, shape)
        if shape != tuple(size):
            maps = F.interpolate(maps, size=size, mode='bilinear', align_corners=corners)
        return maps[0]

    def grid(self, size: Sequence[int]) -> Size:
        """Return the numbers of rows and columns of cells of a frame of the given size."""
        shape = self._resized(size)
        left, right, top, bottom = self._padding(shape)
        return -(-(shape[0] + top + bottom) // self.stride), -(-(shape[1] + left + right) // self.stride)

    def points_in_cells(self, points: npt.NDArray[np.float64], size: Sequence[int]) -> npt.NDArray[np.float64]:
        """Convert points in pixels of a frame to positions in its grid of cells.

        Pixel 0 is at cell 0, without any offset of half a pixel, as in CRW.

        Args:
            points: Points (x, y) in pixels, ``(..., 2)``.
            size: Size (height, width) of the frame.

        Returns:
            Points (x, y) in cells, ``(..., 2)``.
        """
        scale, shift = self._scale_of_points(size)
        cells: npt.NDArray[np.float64] = (points + shift) * scale
        return cells

    def points_in_pixels(self, points: npt.NDArray[np.float64], size: Sequence[int]) -> npt.NDArray[np.float64]:
        """Convert positions in the grid of cells of a frame to points in its pixels; see :meth:`points_in_cells`."""
        scale, shift = self._scale_of_points(size)
        pixels: npt.NDArray[np.float64] = points / scale - shift
        return pixels

    def _scale_of_points(self, size: Sequence[int]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """Return the cells per pixel, and the padding in pixels of the frame, along x and y, ``(2,)`` each."""
        shape = self._resized(size)
        left, _, top, _ = self._padding(shape)
        resized = np.array([shape[1] / size[1], shape[0] / size[0]])
        return resized / self.stride, np.array([left, top]) / resized

    @property
    def _resizes(self) -> bool:
        return bool(self.short_side or self.size)

    def _resized(self, size: Sequence[int]) -> tuple[int, ...]:
        if self.size:
            return tuple(self.size)
        if not self.short_side:
            return tuple(size)
        rows, columns = size
        long = int(max(size) * self.short_side / min(size)) // self.long_multiple * self.long_multiple
        return (self.short_side, long) if rows <= columns else (long, self.short_side)

    def _padding(self, size: Sequence[int]) -> tuple[int, int, int, int]:
        """Return the numbers of pixels to add on the left, on the right, above and below."""
        if not self.padding:
            return 0, 0, 0, 0
        rows, columns = (-side % self.stride for side in size)
        return columns // 2, columns - columns // 2, rows // 2, rows - rows // 2


def _crop(maps: Tensor, top: int, left: int, size: Sequence[int]) -> Tensor:
    return maps[..., top : top + size[0], left : left + size[1]]


def _stretch(maps: Tensor) -> Tensor:
    """Stretch each map of ``(1, V, H, W)`` to 0..1 (DINO), except for constant ones."""
    low, high = maps.amin(dim=(2, 3), keepdim=True), maps.amax(dim=(2, 3), keepdim=True)
    return torch.where(high > low, (maps - low) / (high - low).clamp(min=1e-12), maps)
