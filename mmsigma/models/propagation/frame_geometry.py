"""Between pictures of any size and the cells of an encoder: resizing, padding, labels to cells and back."""

from collections.abc import Sequence

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmsigma.models.data_preprocessor import IMAGENET_MEAN, IMAGENET_STD

Size = tuple[int, int]
_TO_CELLS = ('half_pixel', 'corners', 'nearest', 'pick')
_TO_PIXELS = ('half_pixel', 'corners', 'stretched')


class FrameGeometry(nn.Module):
    """Prepares frames for an encoder, and carries labels from pixels to its cells and back, as a protocol wants it.

    Normalised frames are padded with zeros to whole cells, on both sides; labels alike, by repeating the outermost.

    Args:
        stride: Side of a cell in pixels.
        short_side: Resize frames so that the short side has this many pixels.
        size: Resize frames to (height, width), whatever their shape.
        long_multiple: With ``short_side``, the other side becomes a multiple of this, rounded down; by default
            ``stride``.
        to_cells: How the labels given in pixels become labels of cells: ``'half_pixel'`` (bilinear, as OpenCV; CRW),
            ``'corners'`` (bilinear, corners aligned; DUL, Mask-VOS), ``'nearest'`` (DINO) or ``'pick'`` (every
            ``stride``-th pixel; MAST).
        to_pixels: How labels of cells become labels of pixels: ``'half_pixel'``, ``'corners'``, or ``'stretched'``
            (as ``'half_pixel'``, each object's map then stretched to 0..1, at the encoder's resolution; DINO).
        mean: Per-channel mean on the 0..255 scale.
        std: Per-channel standard deviation on the 0..255 scale.

    Raises:
        ValueError: If a choice is unknown, or both ``short_side`` and ``size`` are given.
    """

    def __init__(
        self,
        stride: int,
        *,
        short_side: int | None = None,
        size: Size | None = None,
        long_multiple: int | None = None,
        to_cells: str = 'half_pixel',
        to_pixels: str = 'half_pixel',
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
        self.stride, self.short_side, self.size = stride, short_side, size
        self.long_multiple = long_multiple or stride
        self.to_cells, self.to_pixels = to_cells, to_pixels
        self.register_buffer('mean', torch.tensor(mean).view(-1, 1, 1), persistent=False)
        self.register_buffer('std', torch.tensor(std).view(-1, 1, 1), persistent=False)

    def prepare(self, picture: np.ndarray) -> Tensor:
        """Resize, normalise and pad a picture (H, W, 3), uint8, to (1, 3, h, w)."""
        target = self._resized(picture.shape[:2])
        if target != picture.shape[:2]:
            picture = cv2.resize(picture, target[::-1], interpolation=cv2.INTER_LINEAR)
        image = torch.from_numpy(picture).to(self.mean.device).movedim(-1, 0).float()
        return F.pad(image.sub_(self.mean).div_(self.std), self._padding(target))[None]

    def labels_of_image(self, one_hot: Tensor) -> Tensor:
        """Labels (V, H, W) of a frame's pixels as labels of the prepared image's (V, h, w), float32."""
        maps = one_hot[None].float()
        target = self._resized(one_hot.shape[-2:])
        if target != tuple(one_hot.shape[-2:]):
            maps = F.interpolate(maps, size=target, mode='nearest')
        return F.pad(maps, self._padding(target), mode='replicate')[0]

    def labels_of_frame(self, labels: Tensor, size: Size) -> Tensor:
        """The reverse: soft labels (V, h, w) of a prepared image's pixels as (V, H, W) of a frame of this size."""
        shape = self._resized(size)
        left, _, top, _ = self._padding(shape)
        maps = _crop(labels[None], top, left, shape)
        return maps[0] if shape == tuple(size) else F.interpolate(maps, size=size, mode='bilinear')[0]

    def labels_of_cells(self, one_hot: Tensor, dtype: torch.dtype = torch.float32) -> Tensor:
        """Labels (V, H, W) of a frame's pixels as labels of its cells (h, w, V)."""
        grid = self.grid(one_hot.shape[-2:])
        target = self._resized(one_hot.shape[-2:])
        if any(self._padding(target)):
            # labels go the way of the frame; background in the padding would reach the outermost cells
            maps = self.labels_of_image(one_hot)[None].to(dtype)
        else:
            maps = one_hot[None].to(dtype)
        if self.to_cells == 'pick':
            if self._resizes:
                raise ValueError("to_cells='pick' does not go with resized frames")
            maps = maps[..., :: self.stride, :: self.stride]
        elif self.to_cells == 'nearest':
            maps = F.interpolate(maps, size=grid, mode='nearest')
        else:
            maps = F.interpolate(maps, size=grid, mode='bilinear', align_corners=self.to_cells == 'corners')
        return maps[0].movedim(0, -1).contiguous()

    def labels_of_pixels(self, labels: Tensor, size: Size) -> Tensor:
        """Labels of cells (h, w, V) as soft labels (V, H, W) of the pixels of a frame of this size."""
        maps = labels.movedim(-1, 0)[None]
        shape = self._resized(size)
        left, right, top, bottom = self._padding(shape)
        whole = (shape[0] + top + bottom, shape[1] + left + right)
        if self.to_pixels == 'stretched':
            maps = _stretch(F.interpolate(maps, size=whole, mode='bilinear', align_corners=False))
            return F.interpolate(_crop(maps, top, left, shape), size=size, mode='nearest')[0]
        corners = self.to_pixels == 'corners'
        if not (left or right or top or bottom):  # straight to the pixels of the frame
            return F.interpolate(maps, size=size, mode='bilinear', align_corners=corners)[0]
        maps = _crop(F.interpolate(maps, size=whole, mode='bilinear', align_corners=corners), top, left, shape)
        if shape != tuple(size):
            maps = F.interpolate(maps, size=size, mode='bilinear', align_corners=corners)
        return maps[0]

    def grid(self, size: Size) -> Size:
        """Rows and columns of the cells of a frame of this size."""
        shape = self._resized(size)
        left, right, top, bottom = self._padding(shape)
        return (shape[0] + top + bottom) // self.stride, (shape[1] + left + right) // self.stride

    def points_in_cells(self, points: np.ndarray, size: Size) -> np.ndarray:
        """Points (x, y), (..., 2), in pixels of a frame of this size, as places in its grid of cells.

        Pixel 0 is cell 0, and no half pixel is added anywhere, as in CRW.
        """
        scale, shift = self._scale_of_points(size)
        return (points + shift) * scale

    def points_in_pixels(self, points: np.ndarray, size: Size) -> np.ndarray:
        """The reverse of :meth:`points_in_cells`."""
        scale, shift = self._scale_of_points(size)
        return points / scale - shift

    def _scale_of_points(self, size: Size) -> tuple[np.ndarray, np.ndarray]:
        shape = self._resized(size)
        left, _, top, _ = self._padding(shape)
        resized = np.array([shape[1] / size[1], shape[0] / size[0]])
        return resized / self.stride, np.array([left, top]) / resized

    @property
    def _resizes(self) -> bool:
        return bool(self.short_side or self.size)

    def _resized(self, size: Size) -> Size:
        if self.size:
            return tuple(self.size)
        if not self.short_side:
            return tuple(size)
        rows, columns = size
        long = int(max(size) * self.short_side / min(size)) // self.long_multiple * self.long_multiple
        return (self.short_side, long) if rows <= columns else (long, self.short_side)

    def _padding(self, size: Size) -> tuple[int, int, int, int]:
        """Pixels to add left, right, above and below."""
        rows, columns = (-side % self.stride for side in size)
        return columns // 2, columns - columns // 2, rows // 2, rows - rows // 2


def _crop(maps: Tensor, top: int, left: int, size: Size) -> Tensor:
    return maps[..., top : top + size[0], left : left + size[1]]


def _stretch(maps: Tensor) -> Tensor:
    """Each map of (1, V, H, W) stretched to 0..1 (DINO); one that is the same everywhere stays as it is."""
    low, high = maps.amin(dim=(2, 3), keepdim=True), maps.amax(dim=(2, 3), keepdim=True)
    return torch.where(high > low, (maps - low) / (high - low).clamp(min=1e-12), maps)
