"""Rendering of the demo videos: textures, outlines, backdrops, and their composition into frames and masks.

Nothing in this module knows about action classes. A :class:`Scene` is everything that is visible, a :class:`Track` is
the motion of one object; drawing both from separate random streams makes appearance independent of motion.

Lengths are in *units* of the short frame side, with the origin in the centre of the frame, x to the right and y down.
Whatever happens within half a unit of the origin therefore survives a central square crop.
"""

import colorsys
import math
from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np

FRAME_RATES = (12, 15, 24, 25, 30)
SHORT_SIDE = (96, 160)  # range in pixels
ASPECTS = (1.0, 5 / 4, 4 / 3, 3 / 2)
NUM_FRAMES = (30, 90)  # range

_SPRITE_SIDE = 160  # pixels
_SEEN_OPACITY = 0.25  # opacity above which an object is in the mask


class Track(NamedTuple):
    """Motion of one object over T frames.

    Attributes:
        centre: Position in units, ``(T, 2)``.
        linear: Rotation, size and squash as matrices, ``(T, 2, 2)``; the identity shows the object as it was drawn.
        opacity: Opacity from 0 (gone) to 1 (solid), ``(T,)``.
    """

    centre: np.ndarray
    linear: np.ndarray
    opacity: np.ndarray


class Sprite(NamedTuple):
    """A textured cut-out.

    Attributes:
        pixels: RGB and coverage, with colour premultiplied by coverage, ``(S, S, 4)``, uint8.
        radius: Half its side in units.
        sway: Idle motion that every object has, whatever its action: x and y in units and an angle in radians,
            ``(T, 3)``.
    """

    pixels: np.ndarray
    radius: float
    sway: np.ndarray


@dataclass(frozen=True)
class Scene:
    """Everything visible in a video except for its action.

    Attributes:
        size: Width and height of the frames in pixels, both even.
        fps: Frames per second.
        backdrop: Surface over which the camera moves, ``(B, B, 3)``, uint8.
        camera: Affine maps from frame to backdrop pixels, ``(T, 2, 3)``.
        sprites: Two objects; an action may use only the first one.
        noise: Standard deviation of the sensor noise in grey levels.
    """

    size: tuple[int, int]
    fps: int
    backdrop: np.ndarray
    camera: np.ndarray
    sprites: tuple[Sprite, Sprite]
    noise: float

    @property
    def num_frames(self) -> int:
        return len(self.camera)


def rotation(angle: np.ndarray | float) -> np.ndarray:
    """Return rotation matrices ``(..., 2, 2)`` for angles in radians; positive is clockwise on screen, as y is down."""
    cos, sin = np.cos(angle), np.sin(angle)
    return np.stack([np.stack([cos, -sin], -1), np.stack([sin, cos], -1)], -2)


def draw_scene(rng: np.random.Generator) -> Scene:
    """Draw everything about a video that does not depend on its action: size, length, backdrop, camera, objects."""
    short = 2 * int(rng.integers(SHORT_SIDE[0] // 2, SHORT_SIDE[1] // 2 + 1))
    long = 2 * round(short * rng.choice(ASPECTS) / 2)
    size = (long, short) if rng.random() < 0.6 else (short, long)
    num_frames = int(rng.integers(NUM_FRAMES[0], NUM_FRAMES[1] + 1))
    hue = rng.random()
    backdrop = _draw_backdrop(rng, round(1.5 * long), short, hue)
    return Scene(
        size=size,
        fps=int(rng.choice(FRAME_RATES)),
        backdrop=backdrop,
        camera=_draw_camera(rng, size, len(backdrop), num_frames),
        # hues at least a quarter turn of the colour wheel away from the backdrop: nothing is camouflaged
        sprites=(
            _draw_sprite(rng, hue + rng.uniform(0.25, 0.75), num_frames),
            _draw_sprite(rng, hue + rng.uniform(0.25, 0.75), num_frames),
        ),
        noise=rng.uniform(1, 4),
    )


def render_frame(
    scene: Scene, time: int, tracks: list[Track], rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Compose one frame.

    Args:
        scene: Scene to render.
        time: Index of the frame.
        tracks: Motion of the first ``len(tracks)`` objects; earlier ones are in front of later ones.
        rng: Random generator of the sensor noise.

    Returns:
        RGB frame ``(H, W, 3)``, uint8, and mask ``(H, W)``, uint8, in which 0 is background and object k has the id
        k + 1. A pixel belongs to an object that covers more than half of it.
    """
    width, height = scene.size
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    frame = cv2.warpAffine(scene.backdrop, scene.camera[time], scene.size, flags=flags, borderMode=cv2.BORDER_REFLECT)
    frame = frame.astype(np.float32)
    mask = np.zeros((height, width), np.uint8)
    for index in reversed(range(len(tracks))):
        opacity = float(tracks[index].opacity[time])
        layer = _place(scene.sprites[index], tracks[index], time, scene.size)
        coverage = layer[..., 3:]
        frame = frame * (1 - coverage * (opacity / 255)) + layer[..., :3] * opacity
        if opacity > _SEEN_OPACITY:
            mask[coverage[..., 0] > 127] = index + 1
    frame += rng.standard_normal(frame.shape, np.float32) * scene.noise
    return np.clip(np.rint(frame), 0, 255).astype(np.uint8), mask


def _place(sprite: Sprite, track: Track, time: int, size: tuple[int, int]) -> np.ndarray:
    """Warp a sprite to its position at ``time``; return RGB and coverage ``(H, W, 4)``, float32."""
    unit = min(size)
    *offset, angle = sprite.sway[time]
    linear = rotation(angle) @ track.linear[time]
    # shrink by area averaging first: bilinear sampling alone would alias
    radius = unit * sprite.radius * math.sqrt(abs(np.linalg.det(linear)))
    side = max(4, math.ceil(2 * radius))
    pixels = cv2.resize(sprite.pixels, (side, side), interpolation=cv2.INTER_AREA)
    linear = linear * (2 * unit * sprite.radius / side)
    centre = (track.centre[time] + offset) * unit + (np.array(size) - 1) / 2
    matrix = np.column_stack([linear, centre - linear @ np.full(2, (side - 1) / 2)])
    return cv2.warpAffine(pixels, matrix, size, flags=cv2.INTER_LINEAR).astype(np.float32)


def _draw_backdrop(rng: np.random.Generator, side: int, unit: int, hue: float) -> np.ndarray:
    """Draw a muted texture with a few cut-outs glued to it, which only motion tells from the real objects."""
    canvas = _draw_texture(rng, side, unit / rng.uniform(1.0, 2.5), hue, saturation=rng.uniform(0.1, 0.5))
    canvas = canvas.astype(np.float32)
    for _ in range(rng.integers(3, 8)):
        sprite = _draw_sprite(rng, hue + rng.uniform(0.25, 0.75), 1)
        track = Track(rng.uniform(-0.5, 0.5, (1, 2)) * side / unit, rotation(rng.uniform(0, math.tau, 1)), np.ones(1))
        # sprites are measured in units of the frame, but the canvas is larger
        scale = unit / side
        track = track._replace(centre=track.centre * scale, linear=track.linear * scale)
        layer = _place(sprite, track, 0, (side, side))
        canvas = canvas * (1 - layer[..., 3:] / 255) + layer[..., :3]
    return canvas.astype(np.uint8)


def _draw_camera(rng: np.random.Generator, size: tuple[int, int], side: int, num_frames: int) -> np.ndarray:
    """Draw a slow pan, zoom and roll over a backdrop of ``side`` pixels, as affine maps ``(T, 2, 3)``."""
    time = np.linspace(-0.5, 0.5, num_frames)
    heading = rng.uniform(0, math.tau)
    pan = np.outer(time, [math.cos(heading), math.sin(heading)]) * rng.uniform(0, 0.2)
    pan = (pan + 0.02 * _wander(rng, num_frames, 2)) * min(size)
    zoom = np.exp(time * rng.uniform(-0.15, 0.15))
    linear = rotation(time * rng.uniform(-0.15, 0.15)) * zoom[:, None, None]
    middle = (np.array(size) - 1) / 2
    return np.concatenate([linear, ((side - 1) / 2 + pan - linear @ middle)[..., None]], -1)


def _draw_sprite(rng: np.random.Generator, hue: float, num_frames: int) -> Sprite:
    texture = _draw_texture(rng, _SPRITE_SIDE, _SPRITE_SIDE / rng.uniform(1.5, 3), hue, rng.uniform(0.55, 0.95))
    outline = _draw_outline(rng)
    coverage = np.zeros((_SPRITE_SIDE, _SPRITE_SIDE), np.uint8)
    points = (outline * (_SPRITE_SIDE / 2 - 2) + (_SPRITE_SIDE - 1) / 2) * 16
    cv2.fillPoly(coverage, [np.rint(points).astype(np.int32)], 255, cv2.LINE_AA, shift=4)
    coverage = coverage[..., None]
    pixels = np.concatenate([(texture * (coverage / 255)).astype(np.uint8), coverage], -1)
    sway = _wander(rng, num_frames, 3) * [0.015, 0.015, 0.06]
    return Sprite(pixels, rng.uniform(0.17, 0.22), sway)


def _draw_outline(rng: np.random.Generator) -> np.ndarray:
    """Draw a closed outline around the origin that just fits into the unit circle, ``(P, 2)``."""
    kind = rng.choice(['polygon', 'star', 'ellipse', 'pebble'])
    angle = np.linspace(0, math.tau, 96, endpoint=False)
    radius = np.ones_like(angle)
    if kind == 'polygon':
        corners = int(rng.integers(3, 7))
        angle = (np.arange(corners) + rng.uniform(-0.2, 0.2, corners)) * math.tau / corners
        radius = rng.uniform(0.8, 1, corners)
    elif kind == 'star':
        points = 2 * int(rng.integers(4, 7))
        angle = np.arange(points) * math.tau / points
        radius = np.where(np.arange(points) % 2, rng.uniform(0.5, 0.65), 1.0)
    elif kind == 'pebble':
        for lobes in (2, 3, 5):
            radius = radius + rng.uniform(-0.4, 0.4) / lobes * np.cos(lobes * angle + rng.uniform(0, math.tau))
    outline: np.ndarray = radius[:, None] * np.stack([np.cos(angle), np.sin(angle)], -1)
    if kind == 'ellipse':
        outline = outline * [1, rng.uniform(0.55, 0.8)]
    outline = outline - outline.mean(0)
    fitted: np.ndarray = outline / np.linalg.norm(outline, axis=1).max()
    return fitted


def _draw_texture(rng: np.random.Generator, side: int, period: float, hue: float, saturation: float) -> np.ndarray:
    """Draw a random pattern in shades of one hue.

    Args:
        rng: Random generator.
        side: Side of the square image in pixels.
        period: Coarseness of the pattern in pixels.
        hue: Base hue in turns of the colour wheel.
        saturation: Saturation, 0 to 1.

    Returns:
        RGB image ``(side, side, 3)``, uint8.
    """
    kind = rng.choice(['noise', 'blobs', 'stripes', 'checker'])
    noise = _draw_noise(rng, side, period)
    rows, columns = np.mgrid[:side, :side].astype(np.float32) * (math.tau / period)
    tilt = rng.uniform(0, math.pi)
    across = columns * math.cos(tilt) + rows * math.sin(tilt) + 2 * noise
    along = rows * math.cos(tilt) - columns * math.sin(tilt) + 2 * noise
    field = {
        'noise': noise,
        'blobs': np.tanh(6 * noise),
        'stripes': np.tanh(2 * np.sin(2 * across)),
        'checker': np.tanh(4 * np.sin(along) * np.sin(across)),
    }[kind]
    # every pattern has some fine grain, so that its motion is visible everywhere
    field = np.clip(0.8 * field + 0.4 * _draw_noise(rng, side, period / 5), -1, 1)
    values = np.sort(rng.uniform(0.15, 1, 3))
    values += (0.6 - values.mean()) / 2 + [-0.15, 0, 0.15]
    shades = [
        colorsys.hsv_to_rgb((hue + rng.uniform(-0.06, 0.06)) % 1, saturation, min(max(value, 0.05), 1))
        for value in values
    ]
    ramp = np.array([np.interp(np.linspace(-1, 1, 256), [-1, 0, 1], channel) for channel in zip(*shades, strict=True)])
    levels = np.rint((field + 1) * 127.5).astype(np.uint8)
    texture: np.ndarray = np.rint(255 * ramp.T).astype(np.uint8)[levels]
    return texture


def _draw_noise(rng: np.random.Generator, side: int, period: float) -> np.ndarray:
    """Draw smooth noise of three octaves with zero mean and extremes near -1 and 1, ``(side, side)``, float32."""
    field: np.ndarray = np.zeros((side, side), np.float32)
    for octave in range(3):
        cells = math.ceil(side * 2**octave / period) + 2
        grid = rng.uniform(-1, 1, (cells, cells)).astype(np.float32)
        field += cv2.resize(grid, (side, side), interpolation=cv2.INTER_CUBIC) / 2**octave
    field -= field.mean()
    scaled: np.ndarray = field / np.abs(field).max()
    return scaled


def _wander(rng: np.random.Generator, num_frames: int, dims: int) -> np.ndarray:
    """Draw smooth aimless motion with extremes near -1 and 1, ``(num_frames, dims)``."""
    time = np.linspace(0, math.tau, num_frames)[:, None, None]
    rate, phase = rng.uniform(0.3, 1.5, (2, dims)), rng.uniform(0, math.tau, (2, dims))
    motion: np.ndarray = np.sin(time * rate + phase).mean(1)
    return motion
