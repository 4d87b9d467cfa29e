"""Grids of images with a heading, a title above every row and a caption below every image."""

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from mmsigma.visualization.fonts import font_file

GAP = 6  # pixels between images
_TEXT = 12  # height of letters in pixels
LINE = 18  # pixels of a line of text


class Row(NamedTuple):
    """A row of images.

    Attributes:
        title: What the images are.
        images: RGB images of one size, ``(H, W, 3)``, uint8.
        captions: Text below each image, of one line or several; empty for none.
    """

    title: str
    images: Sequence[np.ndarray]
    captions: Sequence[str] = ()


def labelled_grid(rows: Sequence[Row], heading: str = '', *, min_side: int = 112) -> np.ndarray:
    """Arrange rows of images below each other; rows may differ in the size and number of their images.

    Args:
        rows: Rows of images.
        heading: Text at the top.
        min_side: Images with a shorter short side, in pixels, are enlarged by an integer factor, row by row.

    Returns:
        RGB image ``(H, W, 3)``, uint8. Text that does not fit ends with an ellipsis.

    Raises:
        ValueError: If there is no image, a row has another number of captions, or its images differ in size.
    """
    for title, images, captions in rows:
        if captions and len(captions) != len(images):
            raise ValueError(f'row {title!r} has {len(captions)} captions of {len(images)} images')
        if len({image.shape for image in images}) > 1:
            raise ValueError(f'the images of row {title!r} differ in size: {[image.shape for image in images]}')
    rows = [
        row._replace(images=[_enlarged(image, min_side) for image in row.images]) for row in rows if len(row.images)
    ]
    if not rows:
        raise ValueError('there is no image to arrange')
    lines = [max((caption.count('\n') + 1 for caption in row.captions), default=0) for row in rows]
    heights = [LINE + row.images[0].shape[0] + LINE * count + GAP for row, count in zip(rows, lines, strict=True)]
    width = max(len(row.images) * (row.images[0].shape[1] + GAP) for row in rows) + GAP
    top = LINE + GAP if heading else GAP
    canvas = Image.new('RGB', (width, top + sum(heights)), 'white')
    draw = ImageDraw.Draw(canvas)
    if heading:
        _write(draw, (GAP, GAP // 2), heading, width - 2 * GAP, bold=True)
    for row, height in zip(rows, heights, strict=True):
        _draw_row(canvas, draw, row, top)
        top += height
    return np.asarray(canvas)


def text_line(text: str, width: int) -> np.ndarray:
    """Draw a line of text on white, ``(LINE, width, 3)``, uint8; text that does not fit ends with an ellipsis."""
    canvas = Image.new('RGB', (width, LINE), 'white')
    _write(ImageDraw.Draw(canvas), (GAP // 2, 1), text, width - GAP)
    return np.asarray(canvas)


def _draw_row(canvas: Image.Image, draw: ImageDraw.ImageDraw, row: Row, top: int) -> None:
    _write(draw, (GAP, top), row.title, canvas.width - 2 * GAP)
    for number, image in enumerate(row.images):
        left = GAP + number * (image.shape[1] + GAP)
        canvas.paste(Image.fromarray(np.ascontiguousarray(image)), (left, top + LINE))
        if row.captions:
            for place, line in enumerate(row.captions[number].split('\n'), start=1):
                _write(draw, (left, top + LINE * place + image.shape[0]), line, image.shape[1], grey=True)


def _enlarged(image: np.ndarray, min_side: int) -> np.ndarray:
    factor = max(1, -(-min_side // min(image.shape[:2])))
    return image.repeat(factor, axis=0).repeat(factor, axis=1)


def _write(
    draw: ImageDraw.ImageDraw, place: tuple[int, int], text: str, width: int, *, bold: bool = False, grey: bool = False
) -> None:
    path, text = font_file(text, bold=bold)
    font = _font(path)
    if draw.textlength(text, font) > width:
        while text and draw.textlength(text + '…', font) > width:
            text = text[:-1]
        text += '…'
    draw.text(place, text, fill=(90, 90, 90) if grey else (0, 0, 0), font=font)


@cache
def _font(path: Path) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(str(path), _TEXT)
