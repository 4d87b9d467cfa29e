"""Feature maps of the frames of a video in a file of numpy, beside a description of how they were made."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from mmsigma.io.names import path_below
from mmsigma.io.text import read_json

MAPS_DESCRIPTION = 'maps.json'
"""Name of the file that describes a folder of maps."""


class MapFolder:
    """Folder with the feature maps of videos, for each of which there is a file ``(M, h, w, D)``, float16.

    Args:
        folder: The folder.
        videos: Folder that the names of the files are relative to.

    Attributes:
        description: What is in ``maps.json``: ``every``, the number of frames from one map to the next, ``channels``,
            the number D, and what the maps were made with.

    Raises:
        FileNotFoundError: If the folder has no description.
    """

    def __init__(self, folder: str | Path, videos: str | Path) -> None:
        self.folder, self.videos = Path(folder), Path(videos)
        path = self.folder / MAPS_DESCRIPTION
        if not path.is_file():
            raise FileNotFoundError(
                f'no {MAPS_DESCRIPTION} in {folder}: write maps of your videos with mmsigma cache-teacher'
            )
        self.description: dict[str, Any] = read_json(path)

    def read(self, video: str | Path, frames: npt.NDArray[np.integer[Any]]) -> npt.NDArray[np.float16]:
        """Read the maps of some frames of a video, ``(len(frames), h, w, D)``; those next to them, if not all have one.

        Raises:
            FileNotFoundError: If there are none of this video.
            IndexError: If the video has changed, and now has frames beyond those that have maps.
        """
        path = map_file(self.folder, self.videos, video)
        if not path.is_file():
            raise FileNotFoundError(f'no maps of {video} at {path}: write them with mmsigma cache-teacher')
        maps, every = np.load(path, mmap_mode='r', allow_pickle=False), self.description['every']
        if len(frames) and frames.max() >= len(maps) * every:
            raise IndexError(
                f'{path} has maps of {len(maps) * every} frames at most, but frame {frames.max()} of {video} is asked '
                'for: it has changed; delete its maps and write them anew'
            )
        places = np.minimum((frames + every // 2) // every, len(maps) - 1)
        return np.stack([maps[place] for place in places])


def map_file(folder: str | Path, videos: str | Path, video: str | Path) -> Path:
    """Return the file of the maps of a video.

    Raises:
        ValueError: If the video is not below the folder of videos.
    """
    try:
        name = Path(video).relative_to(videos).as_posix()
    except ValueError:
        raise ValueError(
            f'{video} is not below the folder of videos {videos}, which its maps are named after'
        ) from None
    return path_below(folder, f'{name}.npy')
