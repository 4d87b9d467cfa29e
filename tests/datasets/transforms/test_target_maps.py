"""Maps of whole frames under the crop of a clip."""

import json
from pathlib import Path

import numpy as np
import pytest
from mmcv.transforms import Compose

from mmsigma.datasets.transforms import LoadTargetMaps
from mmsigma.io.frame_array import write_frame_array
from mmsigma.io.map_array import MAPS_DESCRIPTION
from mmsigma.registry import TRANSFORMS

HEIGHT, WIDTH, STRIDE, FRAMES = 64, 96, 16, 6


@pytest.fixture
def maps(tmp_path: Path) -> np.ndarray:
    """Maps whose channels are frame, row and column of the cell's centre in pixels, in ``tmp_path``."""
    time, row, column = np.meshgrid(np.arange(FRAMES), np.arange(4), np.arange(6), indexing='ij')
    values = np.stack([time, STRIDE * (row + 0.5), STRIDE * (column + 0.5)], axis=-1).astype(np.float16)
    (tmp_path / MAPS_DESCRIPTION).write_text(json.dumps(dict(every=1, channels=3)))
    write_frame_array(tmp_path / 'a.mp4.npy', values, FRAMES)
    return values


def load(folder: Path, box: tuple | None, grid: tuple[int, int], **more) -> np.ndarray:
    results = dict(filename='videos/a.mp4', frame_inds=np.array([1, 2, 4, 5]), original_shape=(HEIGHT, WIDTH), **more)
    if box:
        results['crop_box'] = box
    return LoadTargetMaps(str(folder), 'videos', grid).transform(results)['target_maps']


def test_cells_under_an_aligned_crop_are_taken_as_they_are(maps: np.ndarray, tmp_path: Path) -> None:
    found = load(tmp_path, (16, 32, 48, 32), (2, 3))
    assert found.dtype == np.float16
    np.testing.assert_array_equal(found, maps[[1, 4], 2:4, 1:4].reshape(2, 6, 3))


def test_whole_frames_have_all_cells(maps: np.ndarray, tmp_path: Path) -> None:
    np.testing.assert_array_equal(load(tmp_path, None, (4, 6)), maps[[1, 4]].reshape(2, 24, 3))


def test_other_crops_are_interpolated_at_the_centres_of_tubes(maps: np.ndarray, tmp_path: Path) -> None:
    """The maps are linear in the position, and so is what lies between cells, away from the border."""
    x, y, width, height = box = (20, 12, 50, 44)
    found = load(tmp_path, box, (3, 4)).reshape(2, 3, 4, 3)
    rows, columns = y + (np.arange(3) + 0.5) / 3 * height, x + (np.arange(4) + 0.5) / 4 * width
    np.testing.assert_allclose(found[0, :, :, 1], np.repeat(rows[:, None], 4, 1), atol=0.03)
    np.testing.assert_allclose(found[0, :, :, 2], np.repeat(columns[None], 3, 0), atol=0.03)
    assert (found[..., 0] == [[[1]], [[4]]]).all()


@pytest.mark.parametrize('later', [dict(type='FlipClip', prob=0.0), dict(type='MultiScaleCrop', size=32), None])
@pytest.mark.parametrize('first', [True, False])
def test_pictures_have_to_be_those_of_the_maps(
    maps: np.ndarray, tmp_path: Path, later: dict | None, first: bool
) -> None:
    """Flips are refused before and after, and crops afterwards."""
    load_maps = dict(type='LoadTargetMaps', folder=str(tmp_path), videos='videos', grid=(4, 6))
    steps = [load_maps] if later is None else [later, load_maps] if first else [load_maps, later]
    frames = [np.zeros((HEIGHT, WIDTH, 3), np.uint8)] * 4
    results = dict(filename='videos/a.mp4', frame_inds=np.array([1, 2, 4, 5]), original_shape=(HEIGHT, WIDTH))
    pipeline = Compose([TRANSFORMS.build(step) for step in [*steps, dict(type='PackVideoInputs')]])
    if later is None or (first and later['type'] == 'MultiScaleCrop'):
        assert pipeline({**results, 'imgs': frames})['data_samples'].target_maps.shape == (2, 24, 3)
    else:
        with pytest.raises(ValueError, match='target_maps are of other pictures than the clip'):
            pipeline({**results, 'imgs': frames})
