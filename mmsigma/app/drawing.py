"""Masks of the objects of a video, drawn on its frames by boxes, polygons or a brush."""

from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np

from mmsigma.apis.first_mask import MAX_OBJECTS, draw_outlines
from mmsigma.io.masks import davis_palette
from mmsigma.visualization.overlay import draw_masks

BOX, POLYGON, BRUSH = SHAPES = ('Box', 'Polygon', 'Brush')
_OPAQUE = 128  # of a brush, whose edge is soft


@dataclass
class Drawing:
    """Objects that were drawn on frames of one size.

    Attributes:
        size: Height and width of the frames.
        objects: Frame and pixels, ``(H, W)``, bool, of objects 1, 2, ...
        corners: Corners ``(x, y)`` of the outline that is being drawn.
    """

    size: tuple[int, int]
    objects: list[tuple[int, np.ndarray]] = field(default_factory=list)
    corners: list[tuple[int, int]] = field(default_factory=list)

    def click(self, frame: int, place: tuple[int, int], shape: str) -> None:
        """Add a corner ``(x, y)``; the second one of a box, opposite of the first, completes it.

        Raises:
            ValueError: If the box has no pixels.
        """
        self.corners.append(place)
        if shape != BOX or len(self.corners) < 2:
            return
        (left, right), (top, bottom) = (sorted(values) for values in zip(*self.corners[-2:], strict=True))
        self.corners.clear()
        self.add_outline(frame, (left, top, right, bottom))

    def close(self, frame: int) -> None:
        """Complete a polygon.

        Raises:
            ValueError: If it has fewer than three corners.
        """
        if len(self.corners) < 3:
            raise ValueError(f'a polygon has three corners or more, and there are {len(self.corners)}: click on them')
        outline = [value for corner in self.corners for value in corner]
        self.corners.clear()
        self.add_outline(frame, outline)

    def add_outline(self, frame: int, outline: Any) -> None:
        """Add a box or polygon, see :func:`~mmsigma.apis.first_mask.draw_outlines`."""
        self.add(frame, draw_outlines(self.size, [outline]) > 0)

    def paint(self, frame: int, layers: list[np.ndarray]) -> None:
        """Add what was painted with a brush as an object.

        Args:
            frame: Number of the frame.
            layers: RGBA pictures, uint8, which may have another size than the frame.

        Raises:
            ValueError: If nothing was painted.
        """
        painted = np.zeros(self.size, bool)
        for layer in layers:
            opaque = (layer[..., 3] >= _OPAQUE).astype(np.uint8)
            painted |= cv2.resize(opaque, self.size[::-1], interpolation=cv2.INTER_NEAREST) > 0
        if not painted.any():
            raise ValueError('nothing was painted: paint over the object first')
        self.add(frame, painted)

    def add(self, frame: int, pixels: np.ndarray) -> None:
        """Add an object with some pixels, ``(H, W)``, bool.

        Raises:
            ValueError: If there are as many as a mask can have.
        """
        if len(self.objects) == MAX_OBJECTS:
            raise ValueError(f'a mask has up to {MAX_OBJECTS} objects')
        self.objects.append((frame, pixels))

    def undo(self) -> None:
        """Remove the last corner, or else the last object."""
        if self.corners:
            self.corners.pop()
        elif self.objects:
            self.objects.pop()

    def masks(self) -> dict[int, np.ndarray]:
        """Return ids ``(H, W)``, uint8, by frame; later objects cover earlier ones.

        Raises:
            ValueError: If there are none, or one is covered completely.
        """
        if not self.objects:
            raise ValueError('there is no object yet: draw one on a frame first')
        masks: dict[int, np.ndarray] = {}
        for number, (frame, pixels) in enumerate(self.objects, start=1):
            masks.setdefault(frame, np.zeros(self.size, np.uint8))[pixels] = number
        for number, (frame, _) in enumerate(self.objects, start=1):
            if not (masks[frame] == number).any():
                raise ValueError(f'later objects cover object {number} in frame {frame}: undo, and draw it after them')
        return masks

    def picture(self, frame: int, pixels: np.ndarray) -> np.ndarray:
        """Draw the objects of a frame, and the corners of the next one, over its picture ``(H, W, 3)``, uint8."""
        mask = np.zeros(self.size, np.uint8)
        for number, (place, inside) in enumerate(self.objects, start=1):
            if place == frame:
                mask[inside] = number
        drawn = draw_masks(pixels, mask)
        colour = tuple(map(int, davis_palette()[len(self.objects) + 1]))
        radius = max(2, min(self.size) // 80)
        if len(self.corners) > 1:
            cv2.polylines(drawn, [np.array(self.corners)], False, colour, max(1, radius // 2), cv2.LINE_AA)
        for corner in self.corners:
            cv2.circle(drawn, corner, radius + 1, (255, 255, 255), -1, cv2.LINE_AA)
            cv2.circle(drawn, corner, radius, colour, -1, cv2.LINE_AA)
        return drawn

    def describe(self) -> str:
        """List the objects in a line, and say how many corners the next one has."""
        frames = [f'{number} (frame {frame})' for number, (frame, _) in enumerate(self.objects, start=1)]
        text = f'Objects: {", ".join(frames)}' if frames else 'No object yet'
        return f'{text}; corners of the next: {len(self.corners)}' if self.corners else text
