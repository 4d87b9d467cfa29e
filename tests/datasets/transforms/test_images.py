"""Images as clips in which nothing moves."""

import cv2
import numpy as np
import pytest

from mmsigma.datasets.transforms import (
    ReadImageClip,
    UnreadableVideoError,
)


def frames(number: int, height: int, width: int, seed: int = 0) -> list[np.ndarray]:
    generator = np.random.default_rng(seed)
    return list(generator.integers(256, size=(number, height, width, 3), dtype=np.uint8))


class TestImages:
    def test_image_as_clip(self, tmp_path) -> None:
        image = frames(1, 8, 10)[0]
        cv2.imwrite(str(tmp_path / 'a.png'), image[..., ::-1])
        results = ReadImageClip(4)({'filename': str(tmp_path / 'a.png')})
        assert len(results['imgs']) == 4
        np.testing.assert_array_equal(results['imgs'][3], image)

    def test_small_images_are_upscaled(self, tmp_path) -> None:
        cv2.imwrite(str(tmp_path / 'a.png'), frames(1, 32, 32)[0])
        for size, expected in ((224, 224), (16, 32)):
            results = ReadImageClip(2, upscale=size)({'filename': str(tmp_path / 'a.png')})
            assert results['imgs'][0].shape == (expected, expected, 3)
        assert results['original_shape'] == (32, 32)

    def test_missing_image(self) -> None:
        with pytest.raises(UnreadableVideoError, match=r'no\.png cannot be read: there is no such file'):
            ReadImageClip()({'filename': 'no.png'})
