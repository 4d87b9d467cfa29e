"""Clips and their views, normalised and stacked."""

import numpy as np

from mmsigma.datasets.transforms import (
    PackClipViews,
)
from mmsigma.models.mask_vos.clip_views_preprocessor import ClipViewsPreprocessor


def test_clips_without_views() -> None:
    packed = PackClipViews()(dict(imgs=[np.full((8, 8, 3), 9, np.uint8)] * 2, filename='a', frame_inds=np.arange(2)))
    assert set(packed['inputs']) == {'images'}
    data = dict(inputs={'images': [packed['inputs']['images']]}, data_samples=[packed['data_samples']])
    clip = ClipViewsPreprocessor((1, 1, 1), (2, 2, 2))(data)['inputs']
    assert clip.images.shape == (1, 2, 3, 8, 8) and (clip.images == 4).all()
    assert clip.views is None and clip.back is None
