"""Rows of images of samples, by what they are."""

from typing import Any

import numpy as np
import pytest
import torch
from mmengine.structures import BaseDataElement

from mmsigma.visualization.fed_samples import FedSample, describe, fit_frame, heading, moments, rows_of
from mmsigma.visualization.overlay import draw_masks


def sample_of(inputs: Any, info: dict[str, Any] | None = None, frames: Any = (), **fields: Any) -> FedSample:
    element = BaseDataElement(metainfo=info or {})
    for name, value in fields.items():
        element.set_field(value, name)
    return FedSample(dict(inputs=inputs, data_samples=element), frames)


def clip(*shape: int) -> torch.Tensor:
    return torch.randint(256, shape, dtype=torch.uint8)


def test_frames_have_numbers_seconds_and_cycles() -> None:
    assert moments({}, [3]) == ['frame 3'] and moments(dict(avg_fps=25.0), [5]) == ['5 · 0.20 s']
    info = dict(avg_fps=10, cycle_bounds=[4, 8, 20])
    assert moments(info, np.array([3, 4, 8, 20])) == [
        '3 · 0.30 s',
        '4 · 0.40 s · cycle 1',
        '8 · 0.80 s · cycle 2',
        '20 · 2.00 s',
    ]


def test_a_clip_with_its_crop_and_mask() -> None:
    video, mask = clip(3, 4, 16, 16), torch.tensor([True] * 3 + [False] * 5)
    info = dict(
        frame_inds=np.array([2, 4, 6, 8]), avg_fps=2.0, mask_grid=(2, 2, 2), crop_box=(0, 0, 8, 8), filename='a/b.mp4'
    )
    sample = sample_of(video, info, [np.zeros((16, 16, 3), np.uint8)] * 4, mask=mask)
    original, fed, masked = rows_of(sample, columns=2)
    assert (original.title, fed.title) == ('video with its crop', 'input')
    assert masked.title == 'visible to the encoder: 3 of 8 tokens masked'
    assert fed.captions == ['2 · 1.00 s', '8 · 4.00 s'] == masked.captions
    np.testing.assert_array_equal(fed.images[1], video[:, 3].permute(1, 2, 0))
    assert (masked.images[0][:8] == 128).all() and (masked.images[0][8:, :8] == 128).all()
    np.testing.assert_array_equal(masked.images[1], fed.images[1])  # only tubes of the first frames are masked
    assert heading([sample]) == 'b.mp4' and describe(sample).startswith('a/b.mp4  frames [2, 4, 6, 8]  crop x=0')


def test_views_of_clips_have_names() -> None:
    info = dict(frame_inds=np.arange(12))
    rows = rows_of(sample_of(clip(6, 3, 4, 8, 8), info, [np.zeros((8, 8, 3), np.uint8)] * 12))
    assert [row.title for row in rows] == [
        'video, clip 1 of 3',
        'input, clip 1 of 3, crop 1 of 2',
        'input, clip 1 of 3, crop 2 of 2',
        'video, clip 2 of 3',
        'input, clip 2 of 3, crop 1 of 2',
        'input, clip 2 of 3, crop 2 of 2',
    ]
    assert rows[-1].captions == ['frame 4', 'frame 5', 'frame 6', 'frame 7']


@pytest.mark.parametrize('soft', [False, True])
def test_pseudo_masks_and_second_views(soft: bool) -> None:
    images, views = clip(3, 3, 8, 8), clip(3, 3, 8, 8)
    ids = torch.zeros(3, 8, 8, dtype=torch.uint8)
    ids[:, :4], ids[:, 4:, :2] = 1, 2
    masks = 255 * torch.nn.functional.one_hot(ids.long(), 3).movedim(-1, 1).byte() if soft else ids
    info = dict(frame_inds=np.array([0, 5, 10]), view_zoom=0.5, view_flip=True)
    fed, drawn, other = rows_of(sample_of(dict(images=images, views=views), info, pseudo_mask=masks))
    assert [row.title for row in (fed, drawn, other)] == [
        'input',
        'pseudo masks, 2 objects',
        'second view, side 0.50, flipped',
    ]
    for number in range(3):
        frame = images[number].permute(1, 2, 0).numpy()
        np.testing.assert_array_equal(drawn.images[number], draw_masks(frame, ids[number].numpy()))
        np.testing.assert_array_equal(other.images[number], views[number].permute(1, 2, 0))


def test_crops_of_one_frame_have_no_numbers() -> None:
    inputs = dict(images=clip(2, 3, 16, 16), views=clip(5, 3, 8, 8))
    video, large, small = rows_of(sample_of(inputs, dict(frame_inds=np.array([7])), [np.zeros((9, 9, 3), np.uint8)]), 3)
    assert (large.title, small.title) == ('large crops', 'small crops')
    assert [len(row.images) for row in (video, large, small)] == [1, 2, 5]
    assert video.captions == ['frame 7'] and not large.captions and not small.captions


def test_steps_are_the_last_of_their_context_and_have_phases() -> None:
    inputs, steps = clip(6, 3, 8, 8), torch.tensor([3, 6, 9])
    info = dict(
        frame_inds=np.array([0, 3, 1, 6, 4, 9]), avg_fps=10.0, num_frames=12, filename='x/golf.mp4', action='golf'
    )
    sample = sample_of(inputs, info, steps=steps, frame_labels=torch.arange(12) // 4)
    (row,) = rows_of(sample)
    assert row.title == 'golf.mp4: 3 of 12 frames, each with 1 earlier'
    assert row.captions == ['3 · 0.30 s\nphase 0', '6 · 0.60 s\nphase 1', '9 · 0.90 s\nphase 2']
    for place, image in enumerate(row.images):
        np.testing.assert_array_equal(image, inputs[2 * place + 1].permute(1, 2, 0))
    assert heading([sample, sample]) == '2 videos of golf'


def test_normalised_values_are_stretched() -> None:
    (row,) = rows_of(sample_of(torch.linspace(-2, 2, 48).view(3, 1, 4, 4)))
    assert row.images[0].min() == 0 and row.images[0].max() == 255
    with pytest.raises(ValueError, match='no picture can be drawn of inputs of the type str'):
        rows_of(sample_of('text'))


def test_frames_keep_their_shape() -> None:
    fitted = fit_frame(np.zeros((10, 20, 3), np.uint8), None, 20, 20)
    assert (fitted[:5] == 255).all() and (fitted[5:15] == 0).all() and (fitted[15:] == 255).all()
