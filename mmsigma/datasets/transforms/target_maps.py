"""Stored feature maps of a frozen teacher, cropped like the clip."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from mmcv.transforms import BaseTransform

from mmsigma.datasets.transforms.spatial import Box
from mmsigma.io.map_array import MapFolder
from mmsigma.registry import TRANSFORMS


@TRANSFORMS.register_module()
class LoadTargetMaps(BaseTransform):
    """Add the teacher's features of a frame of each tubelet, from maps of whole frames that ``cache-teacher`` wrote.

    The cells of the maps that lie under the crop are interpolated bilinearly at the centres of the clip's tubes; of a
    crop whose edges are those of cells, with tubes as large as cells, they are taken as they are. The teacher has then
    seen whole frames, unlike that of SIGMA, which sees crops. It stands after the crop, and there is no flip;
    ``PackVideoInputs`` checks both.

    Required keys: ``filename``, ``frame_inds``, ``original_shape``. Optional keys: ``crop_box``, without which frames
    are whole. Added keys: ``target_maps`` ``(T', h * w, D)``, float16, and ``target_box``, the crop that they are of.

    Args:
        folder: Folder of the maps.
        videos: Folder of the videos, by which they are named.
        grid: Token grid (h, w) of a frame of the clip.
        tubelet_size: Number of frames of a tube.
        frame: Frame of a tubelet whose features are taken, counted from 0.
    """

    def __init__(
        self, folder: str, videos: str, grid: tuple[int, int] = (14, 14), tubelet_size: int = 2, frame: int = 0
    ) -> None:
        self.folder, self.videos = folder, videos
        self.grid, self.tubelet_size, self.frame = tuple(grid), tubelet_size, frame
        self._maps: MapFolder | None = None

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Add the features.

        Raises:
            FileNotFoundError: If there are no maps of the video.
            IndexError: If the video has more frames than its maps are of.
            ValueError: If the video is not below the folder of videos.
        """
        if self._maps is None:  # in the loader's worker, so that configs can be read where there are no maps
            self._maps = MapFolder(self.folder, self.videos)
        frames = np.asarray(results['frame_inds']).ravel()[self.frame :: self.tubelet_size]
        maps = torch.from_numpy(self._maps.read(results['filename'], frames)).permute(0, 3, 1, 2)  # (T', D, h, w)
        height, width = results['original_shape']
        results['target_box'] = results.get('crop_box')
        box = results['target_box'] or (0, 0, width, height)
        cells = _cells_under(maps.float(), box, (height, width), self.grid)
        results['target_maps'] = cells.flatten(2).transpose(1, 2).half().contiguous().numpy()
        return results

    def __repr__(self) -> str:
        return f'LoadTargetMaps(folder={str(Path(self.folder))!r}, grid={self.grid}, tubelet_size={self.tubelet_size})'


def _cells_under(maps: torch.Tensor, box: Box, shape: tuple[int, int], grid: tuple[int, ...]) -> torch.Tensor:
    """Interpolate maps ``(T, D, h, w)`` of frames of a shape at the centres of the cells of a grid over a box."""
    x, y, width, height = box
    rows = (y + (torch.arange(grid[0]) + 0.5) / grid[0] * height) / shape[0]
    columns = (x + (torch.arange(grid[1]) + 0.5) / grid[1] * width) / shape[1]
    places = torch.stack(torch.broadcast_tensors(columns[None], rows[:, None]), dim=-1)  # (h, w, 2), in 0..1
    wanted = (2 * places - 1).expand(len(maps), -1, -1, -1)
    return F.grid_sample(maps, wanted, mode='bilinear', padding_mode='border', align_corners=False)
