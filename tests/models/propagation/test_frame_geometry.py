"""Frames to cells and labels back: sizes, padding, and the published ways of resizing."""

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

from mmsigma.models.propagation.frame_geometry import FrameGeometry
from mmsigma.models.propagation.label_propagation import LabelPropagation
from tests.golden_mask_vos import load_vectors


def stripes(height: int, width: int) -> torch.Tensor:
    """One-hot labels (2, H, W): object 1 is the right half."""
    right = torch.arange(width).expand(height, -1) >= width // 2
    return torch.stack([~right, right])


@pytest.mark.parametrize(
    ('settings', 'picture', 'prepared'),
    [
        ({}, (480, 854), (480, 856)),
        ({}, (45, 37), (48, 40)),
        (dict(short_side=480, long_multiple=64), (1080, 1920), (480, 832)),
        (dict(short_side=480, long_multiple=64), (1920, 1080), (832, 480)),
        (dict(short_side=48), (120, 199), (48, 72)),  # 79.6 is rounded down
        (dict(size=(560, 560)), (480, 854), (560, 560)),
    ],
)
def test_sizes(settings: dict, picture: tuple[int, int], prepared: tuple[int, int]) -> None:
    geometry = FrameGeometry(8, **settings)
    assert geometry.prepare(np.zeros((*picture, 3), np.uint8)).shape == (1, 3, *prepared)
    cells = geometry.labels_of_cells(stripes(*picture))
    assert cells.shape == (prepared[0] // 8, prepared[1] // 8, 2)
    assert geometry.labels_of_pixels(cells, picture).shape == (2, *picture)


def test_normalises_and_pads_with_the_mean_colour() -> None:
    geometry = FrameGeometry(8, mean=(10, 20, 30), std=(2, 4, 5))
    image = geometry.prepare(np.full((6, 13, 3), (14, 28, 20), np.uint8))
    assert image.shape == (1, 3, 8, 16)
    torch.testing.assert_close(image[0, :, 1:7, 1:14], torch.tensor([2.0, 2, -2])[:, None, None].expand(3, 6, 13))
    assert image[..., 0, :].abs().max() == image[..., 7, :].abs().max() == 0
    assert image[..., :1].abs().max() == image[..., 14:].abs().max() == 0


@pytest.mark.parametrize('ways', [('half_pixel', 'half_pixel'), ('corners', 'corners'), ('nearest', 'stretched')])
def test_there_and_back(ways: tuple[str, str]) -> None:
    geometry = FrameGeometry(8, to_cells=ways[0], to_pixels=ways[1])
    labels = stripes(45, 64)  # padded above and below
    there = geometry.labels_of_cells(labels)
    torch.testing.assert_close(there.sum(dim=-1), torch.ones(6, 8))
    back = geometry.labels_of_pixels(there, (45, 64)).argmax(dim=0)
    assert (back == labels[1]).float().mean() > 0.95


@pytest.mark.parametrize('way', ['half_pixel', 'corners', 'nearest', 'pick'])
def test_objects_reach_the_border_of_padded_frames(way: str) -> None:
    object_only = torch.stack([torch.zeros(8, 10), torch.ones(8, 10)])
    cells = FrameGeometry(4, to_cells=way).labels_of_cells(object_only)
    torch.testing.assert_close(cells, torch.tensor([0.0, 1.0]).expand(2, 3, 2))


def test_half_pixel_is_opencv() -> None:
    values = np.random.default_rng(0).random((5, 7)).astype(np.float32)
    labels = torch.from_numpy(values)[..., None]
    ours = FrameGeometry(8).labels_of_pixels(labels, (40, 56))[0]
    np.testing.assert_allclose(ours, cv2.resize(values, (56, 40), interpolation=cv2.INTER_LINEAR), atol=1e-5)
    one_hot = torch.from_numpy(np.random.default_rng(1).random((40, 56)) > 0.5)[None]
    cells = FrameGeometry(8).labels_of_cells(torch.cat([~one_hot, one_hot]))[..., 1]
    expected = cv2.resize(one_hot[0].numpy().astype(np.float32), (7, 5), interpolation=cv2.INTER_LINEAR)
    np.testing.assert_allclose(cells, expected, atol=1e-5)


@pytest.mark.parametrize('case', range(3))
def test_stretched_is_dino(case: int) -> None:
    vectors = load_vectors('labelprop_dino')
    soft = vectors.cells(f'out_seg{case}')
    labels = FrameGeometry(8, to_pixels='stretched').labels_of_pixels(soft, (64, 72)).argmax(dim=0)
    assert torch.equal(labels, vectors.tensor(f'out_label{case}').long())


def test_refuses_what_it_does_not_know() -> None:
    with pytest.raises(ValueError, match='to_cells must be one of'):
        FrameGeometry(8, to_cells='bilinear')
    with pytest.raises(ValueError, match='not both'):
        FrameGeometry(8, short_side=480, size=(240, 424))
    with pytest.raises(ValueError, match='does not go with resized frames'):
        FrameGeometry(4, size=(8, 8), to_cells='pick').labels_of_cells(stripes(16, 16))


@pytest.mark.parametrize(('stride', 'settings'), [(16, dict(size=(120, 208))), (16, dict(short_side=360)), (8, {})])
@pytest.mark.parametrize('way', ['half_pixel', 'corners', 'nearest'])
def test_resized_and_padded_labels_stay_in_place(stride: int, settings: dict, way: str) -> None:
    to_pixels = 'corners' if way == 'corners' else 'half_pixel'
    geometry = FrameGeometry(stride, to_cells=way, to_pixels=to_pixels, **settings)
    rows = torch.arange(470).expand(854, -1).T
    for border in (94, 376):  # a fifth from above and from below
        labels = torch.stack([rows < border, rows >= border])
        back = geometry.labels_of_pixels(geometry.labels_of_cells(labels), (470, 854)).argmax(dim=0)
        found = (back[:, 400] == 0).sum()
        cell = stride * 470 / geometry.prepare(np.zeros((470, 854, 3), np.uint8)).shape[2]
        # the nearest way takes the pixel at the centre of a cell
        assert abs(int(found) - border) <= (0.5 * cell + 1 if way == 'nearest' else 0.3 * cell), border


def test_frames_without_padding_as_in_crw() -> None:
    geometry = FrameGeometry(8, padding=False, to_cells='half_pixel', to_pixels='half_pixel')
    assert geometry.prepare(np.zeros((480, 854, 3), np.uint8)).shape == (1, 3, 480, 854)
    assert geometry.grid((480, 854)) == (60, 107)
    mask = np.zeros((480, 854), np.float32)
    mask[100:300, 801:] = 1
    one_hot = torch.from_numpy(np.stack([1 - mask, mask]))
    cells = geometry.labels_of_cells(one_hot)
    np.testing.assert_allclose(cells[..., 1], cv2.resize(mask, (107, 60), interpolation=cv2.INTER_LINEAR), atol=1e-5)
    pixels = geometry.labels_of_pixels(cells, (480, 854))
    np.testing.assert_allclose(pixels[1], cv2.resize(cells[..., 1].numpy(), (854, 480)), atol=1e-5)
    assert (pixels.argmax(dim=0).numpy() == mask).mean() > 0.995
    picked = FrameGeometry(4, padding=False, to_cells='pick').labels_of_cells(one_hot)
    assert torch.equal(picked[..., 1], one_hot[1, ::4, ::4]) and picked.shape == (120, 214, 2)


@pytest.mark.parametrize(
    ('backbone', 'settings', 'grid'),
    [
        (dict(type='ResNetEncoder', depth=18, out_stage=3, padding_mode='reflect'), {}, (6, 11)),
        (dict(type='MASTEncoder'), dict(to_cells='pick'), (12, 21)),
    ],
)
def test_convolutions_have_the_cells_of_frames_without_padding(backbone: dict, settings: dict, grid: tuple) -> None:
    model = LabelPropagation(backbone, dict(padding=False, **settings)).eval()
    picture = np.zeros((48, 83, 3), np.uint8)
    assert model.encode(model.geometry.prepare(picture)).shape[:2] == model.geometry.grid(picture.shape[:2]) == grid


def test_labels_of_a_resized_image_are_those_of_pillow() -> None:
    mask = np.random.default_rng(3).integers(0, 2, (60, 90), dtype=np.uint8)
    one_hot = torch.from_numpy(np.stack([mask == 0, mask == 1]))
    labels = FrameGeometry(8, size=(48, 64)).labels_of_image(one_hot)
    expected = np.asarray(Image.fromarray(mask).resize((64, 48), Image.Resampling.NEAREST))
    np.testing.assert_array_equal(labels[1], expected)
    stretched = FrameGeometry(8, size=(48, 64), to_pixels='stretched').labels_of_pixels(torch.rand(6, 8, 2), (60, 90))
    assert stretched.shape == (2, 60, 90) and float(stretched.max()) == 1
