"""Frames of videos, resized, augmented and normalised as GTA does."""

import pytest
import torch

from mmsigma.models import AlignmentPreprocessor
from mmsigma.models.gta.alignment_preprocessor import augment_frames
from tests.golden_gta import case_names, load_case


@pytest.mark.parametrize('name', case_names('preprocess'))
def test_preprocessing_of_the_original(name: str) -> None:
    case = load_case('preprocess', name)
    params = case.params
    frames = case.tensor('frames').movedim(-1, 1)
    (found,) = AlignmentPreprocessor(params['size'])(dict(inputs=[frames], data_samples=[None]))['inputs']
    if params['brightness'] is not None:
        plain = (found + 1) / 2
        found = augment_frames(plain, params['flip'], params['brightness'], params['contrast']).clamp(0, 1) * 2 - 1
    case.assert_close(found.movedim(1, -1), 'out', 'all')


def test_long_videos_are_prepared_in_parts() -> None:
    preprocessor = AlignmentPreprocessor(size=8)
    frames = torch.randint(256, (70, 3, 12, 10), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    (whole,) = preprocessor(dict(inputs=[frames], data_samples=[None]))['inputs']
    parts = [preprocessor(dict(inputs=[part], data_samples=[None]))['inputs'][0] for part in frames.split(7)]
    torch.testing.assert_close(whole, torch.cat(parts))
    assert len(whole) == 70


def test_brightness_and_contrast_come_to_the_same_in_either_order() -> None:
    frames = torch.rand(2, 3, 5, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    contrast_first = augment_frames(augment_frames(frames, False, 0.0, 1.4), False, 0.1, 1.0)
    torch.testing.assert_close(augment_frames(frames, False, 0.1, 1.4), contrast_first)


def test_brightness_goes_both_ways() -> None:
    preprocessor = AlignmentPreprocessor(size=4, flip=0.0, contrast=(1.0, 1.0))
    grey, means = torch.full((1, 3, 4, 4), 128, dtype=torch.uint8), []
    for seed in range(20):
        torch.manual_seed(seed)
        means.append(preprocessor(dict(inputs=[grey], data_samples=[None]), training=True)['inputs'][0].mean())
    change = (torch.stack(means) + 1) / 2 - 128 / 255
    assert change.min() < -0.06 and change.max() > 0.06 and change.abs().max() <= 32 / 255 + 1e-6
