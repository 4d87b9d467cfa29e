"""Results of inferencers: arrays with names, which can be saved, opened and seen in a notebook."""

import base64
import html
import importlib
import io
import sys
from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageShow

from mmsigma.io.atomic import write_atomically
from mmsigma.io.tables import write_csv
from mmsigma.visualization.masked_video import mosaic, write_picture

_SHOWN, _COLUMNS, _HEIGHT = 8, 4, 240  # frames of a sheet, in a row of it, and the pixels of their height


class VideoResult(ABC):
    """What an inferencer found in a video.

    Attributes:
        name: Name of the video.
    """

    name: str

    def __repr__(self) -> str:
        return f'{type(self).__name__}({self.name}: {self.caption})'

    @property
    @abstractmethod
    def caption(self) -> str:
        """The result in one line, without the name of the video."""

    @abstractmethod
    def arrays(self) -> dict[str, np.ndarray]:
        """Return the arrays of the result by name."""

    def table(self) -> list[list[object]]:
        """Return rows of cells, beginning with the titles of the columns; empty if there are none."""
        return []

    def picture(self) -> np.ndarray | None:
        """Return an RGB picture ``(H, W, 3)``, uint8, of the result; None if there is none."""
        return None

    def save(self, folder: str | Path) -> list[Path]:
        """Write each array as ``<array>.npy``, the table as ``table.csv``, and the picture as ``picture.png``.

        Args:
            folder: Folder to write to, which is created if necessary; files of these names are replaced.

        Returns:
            Files that were written.

        Raises:
            OSError: If a file cannot be written.
        """
        folder, paths = Path(folder), []
        for name, array in self.arrays().items():
            paths.append(folder / f'{name}.npy')
            write_atomically(paths[-1], partial(np.save, arr=array))
        if rows := self.table():
            paths.append(folder / 'table.csv')
            write_csv(paths[-1], rows, digits=6)
        if (picture := self.picture()) is not None:
            paths.append(folder / 'picture.png')
            write_picture(paths[-1], picture)
        return paths

    def show(self) -> None:
        """Display the result in a notebook; elsewhere, print the caption and open the picture in a viewer.

        Raises:
            OSError: If there is a picture, but no program that shows it.
        """
        if _in_notebook():
            importlib.import_module('IPython.display').display(self)  # there is one, if this is a notebook
            return
        print(f'{self.name}: {self.caption}')
        if (picture := self.picture()) is not None and not ImageShow.show(Image.fromarray(picture), self.name):
            raise OSError('no program that shows pictures was found: write them with save(folder)')

    def _repr_html_(self) -> str:
        caption = f'<figcaption>{html.escape(f"{self.name}: {self.caption}")}</figcaption>'
        return f'<figure style="margin:0">{self.media()}{caption}</figure>'

    def media(self) -> str:
        """Return the picture as HTML that needs no other file."""
        picture = self.picture()
        if picture is None:
            return ''
        data = io.BytesIO()
        Image.fromarray(picture).save(data, 'png')
        return f'<img style="max-width:100%" src="{data_uri(data.getvalue(), "image/png")}">'


def data_uri(data: bytes, kind: str) -> str:
    """Return bytes as an address that contains them."""
    return f'data:{kind};base64,{base64.b64encode(data).decode("ascii")}'


def contact_sheet(frames: Sequence[np.ndarray]) -> np.ndarray:
    """Arrange frames ``(H, W, 3)``, uint8, in rows of four; those that are higher than 240 pixels are reduced.

    Args:
        frames: RGB frames; all are resized to the size of the first.
    """
    height, width = frames[0].shape[:2]
    scale = min(1, _HEIGHT / height)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    shown = [cv2.resize(frame, size, interpolation=cv2.INTER_AREA) for frame in frames]
    return mosaic([shown[start : start + _COLUMNS] for start in range(0, len(shown), _COLUMNS)])


def spread(length: int) -> list[int]:
    """Return up to eight numbers that are evenly spread from the first to the last of a sequence."""
    return sorted(set(np.linspace(0, length - 1, _SHOWN).round().astype(int).tolist()))


def _in_notebook() -> bool:
    module = sys.modules.get('IPython')
    shell = module.get_ipython() if module else None
    return hasattr(shell, 'kernel')
