"""A sample is a video."""

from pathlib import Path

import numpy as np
import pytest

from mmsigma.datasets import VOSDataset
from mmsigma.io.masks import write_mask
from tests.vos_data import SIZE, make_davis, make_youtube_vos


class TestDataset:
    def test_one_sample_is_one_video(self, tmp_path: Path) -> None:
        dataset = VOSDataset('davis', str(make_davis(tmp_path, dict(ant=3, bee=4))))
        assert len(dataset) == 2
        sample = dataset[1]
        assert sample['inputs'].name == sample['data_samples'].sequence.name == 'bee'

    def test_some_videos_and_some_frames(self, tmp_path: Path) -> None:
        root = make_youtube_vos(tmp_path)
        (sample,) = VOSDataset('youtube_vos', str(root), videos=['ab12'], max_frames=6)
        video = sample['inputs']
        assert (len(video.frames), video.given, video.wanted, sorted(video.masks)) == (6, (0, 5), (0, 5), [0, 5])
        with pytest.raises(ValueError, match=r"has no videos \['cd'\]; it has \['ab12'\]"):
            VOSDataset('youtube_vos', str(root), videos=['cd'])

    def test_rgb_masks_are_refused(self, tmp_path: Path) -> None:
        import cv2

        root = make_davis(tmp_path, dict(ant=3))
        path = root / 'Annotations/480p/ant/00000.png'
        cv2.imwrite(str(path), np.full((*SIZE, 3), (0, 0, 128), np.uint8))
        with pytest.raises(ValueError, match='00000.png has the mode RGB: its pixels are colours'):
            VOSDataset('davis', str(root))[0]['inputs'].read_mask(0)
        write_mask(path, np.ones(SIZE, np.uint8))
        assert VOSDataset('davis', str(root))[0]['inputs'].read_mask(0).all()
