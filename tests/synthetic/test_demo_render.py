"""Rendering of the demo videos: where objects are put, what covers what, and what chance decides."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from mmsigma.synthetic.demo_render import (
    ASPECTS,
    FRAME_RATES,
    NUM_FRAMES,
    SHORT_SIDE,
    Scene,
    Sprite,
    Track,
    draw_scene,
    render_frame,
    rotation,
)

WIDTH, HEIGHT = 60, 40  # a unit is 40 pixels
RED, BLUE = (200, 20, 10), (10, 20, 200)


def square(colour: tuple[int, int, int], radius: float = 0.25, num_frames: int = 1) -> Sprite:
    pixels = np.full((160, 160, 4), (*colour, 255), np.uint8)
    return Sprite(pixels, radius, np.zeros((num_frames, 3)))


@pytest.fixture
def scene() -> Scene:
    """Two squares, 20 pixels wide, on grey, without noise and with a camera that stands still."""
    camera = np.tile(np.float64([[1, 0, 10], [0, 1, 20]]), (3, 1, 1))
    backdrop = np.full((90, 90, 3), 90, np.uint8)
    sprites = (square(RED, num_frames=3), square(BLUE, num_frames=3))
    return Scene((WIDTH, HEIGHT), 12, backdrop, camera, sprites, 0.0)


def track(x: float = 0, y: float = 0, opacity: float = 1, linear: np.ndarray | None = None) -> Track:
    still = np.tile(np.eye(2) if linear is None else linear, (3, 1, 1))
    return Track(np.tile([x, y], (3, 1)).astype(float), still, np.full(3, float(opacity)))


def render(scene: Scene, *tracks: Track, time: int = 0) -> tuple[np.ndarray, np.ndarray]:
    return render_frame(scene, time, list(tracks), np.random.default_rng(0))


def box(mask: np.ndarray, number: int = 1) -> tuple[int, int, int, int]:
    """First and last column and row of an object."""
    rows, columns = np.nonzero(mask == number)
    return columns.min(), columns.max(), rows.min(), rows.max()


def test_rotation_is_clockwise_on_screen() -> None:
    np.testing.assert_allclose(rotation(np.pi / 2) @ [1, 0], [0, 1], atol=1e-12)  # from right to down
    angles = np.linspace(-4, 4, 6).reshape(2, 3)
    matrices = rotation(angles)
    assert matrices.shape == (2, 3, 2, 2)
    np.testing.assert_allclose(
        matrices @ matrices.swapaxes(-1, -2), np.broadcast_to(np.eye(2), (2, 3, 2, 2)), atol=1e-12
    )
    np.testing.assert_allclose(rotation(0.3) @ rotation(0.4), rotation(0.7))


@pytest.mark.parametrize(('x', 'y'), [(0, 0), (0.25, -0.125), (-0.5, 0.25)])
def test_places_are_in_units_from_the_centre(scene: Scene, x: float, y: float) -> None:
    frame, mask = render(scene, track(x, y))
    left, top = round(29.5 + 40 * x - 9.5), round(19.5 + 40 * y - 9.5)
    found = np.array(box(mask))
    assert np.abs(found - [left, left + 19, top, top + 19]).max() <= 1
    assert (frame[mask == 0][:10] == 90).all() and frame.shape == (HEIGHT, WIDTH, 3)
    inner = cv2.erode(mask, np.ones((5, 5), np.uint8)) == 1
    assert (frame[inner] == RED).all()


def test_size_and_direction_are_those_of_the_matrix(scene: Scene) -> None:
    wide = render(scene, track(linear=np.diag([1.5, 0.5])))[1]
    left, right, top, bottom = box(wide)
    assert abs(right - left + 1 - 30) <= 1 and abs(bottom - top + 1 - 10) <= 1
    turned = render(scene, track(linear=rotation(np.pi / 2) @ np.diag([1.5, 0.5])))[1]
    left, right, top, bottom = box(turned)
    assert abs(right - left + 1 - 10) <= 1 and abs(bottom - top + 1 - 30) <= 1


def test_earlier_objects_are_in_front(scene: Scene) -> None:
    frame, mask = render(scene, track(-0.1), track(0.1))
    assert mask[20, 30] == 1 and tuple(frame[20, 30]) == RED
    assert mask[20, 41] == 2 and tuple(frame[20, 41]) == BLUE
    assert set(np.unique(render(scene, track())[1])) == {0, 1}  # the second object has no track


@pytest.mark.parametrize(('opacity', 'seen'), [(1.0, True), (0.5, True), (0.26, True), (0.25, False), (0.0, False)])
def test_opacity_mixes_colours_and_hides_from_the_mask(scene: Scene, opacity: float, seen: bool) -> None:
    frame, mask = render(scene, track(opacity=opacity))
    np.testing.assert_allclose(frame[20, 30], (1 - opacity) * 90 + opacity * np.array(RED), atol=0.51)
    assert (mask == 1).any() == seen


def test_objects_sway_whatever_they_do(scene: Scene) -> None:
    sprite = scene.sprites[0]
    sway = np.array([[0, 0, 0], [0.1, -0.05, 0], [0, 0, np.pi / 4]])
    swaying = replace(scene, sprites=(sprite._replace(sway=sway), scene.sprites[1]))
    start, moved, turned = (box(render(swaying, track(), time=time)[1]) for time in range(3))
    assert np.abs(np.subtract(moved, start) - [4, 4, -2, -2]).max() <= 1
    assert turned[1] - turned[0] == pytest.approx(20 * np.sqrt(2), abs=2)


def test_camera_moves_the_backdrop_alone(scene: Scene) -> None:
    backdrop = np.random.default_rng(1).integers(0, 256, (90, 90, 3), np.uint8)
    camera = scene.camera.copy()
    camera[1, :, 2] += [3, -2]
    moving = replace(scene, backdrop=backdrop, camera=camera)
    (first, mask), (second, same) = (render(moving, track(), time=time) for time in range(2))
    np.testing.assert_array_equal(mask, same)
    np.testing.assert_array_equal(first[:8, :15], backdrop[20:28, 10:25])
    np.testing.assert_array_equal(second[:8, :15], backdrop[18:26, 13:28])


def test_noise_of_the_sensor(scene: Scene) -> None:
    noisy = replace(scene, noise=3.0)
    frame, _ = render(noisy)
    assert frame.std() == pytest.approx(3, rel=0.1) and frame.mean() == pytest.approx(90, abs=0.5)
    other, _ = render_frame(noisy, 0, [], np.random.default_rng(1))
    assert (frame != other).any() and np.array_equal(frame, render(noisy)[0])


def test_scenes_are_a_function_of_the_generator_and_vary() -> None:
    scenes = [draw_scene(np.random.default_rng(seed)) for seed in (*range(8), 0)]
    assert np.array_equal(scenes[0].backdrop, scenes[-1].backdrop) and scenes[0].size == scenes[-1].size
    assert np.array_equal(scenes[0].sprites[1].pixels, scenes[-1].sprites[1].pixels)
    assert len({scene.size for scene in scenes}) > 4 and len({scene.num_frames for scene in scenes}) > 4
    for scene in scenes:
        short, long = min(scene.size), max(scene.size)
        assert SHORT_SIDE[0] <= short <= SHORT_SIDE[1] and not any(side % 2 for side in scene.size)
        assert min(abs(long - short * aspect) for aspect in ASPECTS) <= 1
        assert NUM_FRAMES[0] <= scene.num_frames <= NUM_FRAMES[1] and scene.fps in FRAME_RATES
        assert scene.camera.shape == (scene.num_frames, 2, 3) and scene.backdrop.dtype == np.uint8


def test_camera_never_leaves_the_backdrop() -> None:
    for seed in range(4):
        scene = draw_scene(np.random.default_rng(seed))
        width, height = scene.size
        corners = np.array([[x, y, 1] for x in (0, width - 1) for y in (0, height - 1)])
        places = corners @ scene.camera.swapaxes(1, 2)
        assert places.min() >= 0 and places.max() <= len(scene.backdrop) - 1


def test_objects_differ_in_colour_from_the_backdrop() -> None:
    """By a quarter of the circle of hues, less the spread of each texture."""
    for seed in range(6):
        scene = draw_scene(np.random.default_rng(seed))
        around = _hue(scene.backdrop.reshape(-1, 3))
        for sprite in scene.sprites:
            pixels = sprite.pixels[sprite.pixels[..., 3] == 255][:, :3]
            apart = abs(_hue(pixels) - around)
            assert min(apart, 360 - apart) > 360 * (0.25 - 2 * 0.06)
            assert (sprite.pixels[sprite.pixels[..., 3] == 0] == 0).all()  # colour is premultiplied
            assert 0.17 <= sprite.radius <= 0.22 and sprite.sway.shape == (scene.num_frames, 3)


def _hue(colours: np.ndarray) -> float:
    """The hue most colours have, in degrees."""
    hsv = cv2.cvtColor(colours[None].astype(np.float32) / 255, cv2.COLOR_RGB2HSV)[0]
    counts, edges = np.histogram(hsv[:, 0], 90, (0, 360), weights=hsv[:, 1])
    return float(edges[counts.argmax()])
