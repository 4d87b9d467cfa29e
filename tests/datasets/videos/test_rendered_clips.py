"""Rendered clips: what is drawn is what is shown, independently of everything else."""

import math

import numpy as np
import pytest
import torch

from mmsigma.datasets.videos.rendered_clips import _SPEEDS, FACTORS, RenderedClips, render_clip
from mmsigma.datasets.videos.samplers import SeededIndex


def changed(frames: np.ndarray, seed: int, size: int) -> list[np.ndarray]:
    """Where the shape is in every frame: coordinates (y, x) of what differs from the plain backdrop."""
    corner = frames[0, 0, 0].astype(int)
    return [np.argwhere(abs(frame.astype(int) - corner).max(axis=-1) > 2) for frame in frames]


@pytest.mark.parametrize('direction', range(8))
def test_it_moves_as_it_says(direction: int) -> None:
    size = 96
    frames, factors = render_clip(
        np.random.default_rng(3), 8, size, 'plain', direction=direction, speed=2, position=4, shape=1, texture=0
    )
    centres = np.array([(place.min(axis=0) + place.max(axis=0)) / 2 for place in changed(frames, 3, size)])
    moved = (centres[-1] - centres[0]) / 7 / size
    angle = math.tau * direction / 8
    assert math.hypot(*moved) == pytest.approx(_SPEEDS[2], rel=0.25)
    assert moved @ np.array([math.sin(angle), math.cos(angle)]) > 0.95 * math.hypot(*moved)
    assert abs(centres.mean(axis=0) / size - 0.5).max() < 0.1
    assert factors['direction'] == direction and set(factors) == set(FACTORS)


def test_phases_are_quarters_of_a_pulse() -> None:
    """Growing at the widest, shrinking and so on: the sizes around the middle of the clip tell the quarter."""
    for phase in range(4):
        frames, _ = render_clip(
            np.random.default_rng(0), 8, 96, 'plain', phase=phase, shape=1, position=4, speed=0, texture=4
        )
        sizes = np.array([len(place) for place in changed(frames, 0, 96)])
        middle, slope = sizes[3:5].mean() - sizes.mean(), sizes[-1] - sizes[0]
        assert (slope > 0) == (phase in (0, 3)), (phase, sizes)
        if phase in (1, 2):
            assert slope < 0
        del middle


def test_properties_are_independent_and_uniform() -> None:
    rng = np.random.default_rng(0)
    drawn = [render_clip(rng, 1, 16)[1] for _ in range(1200)]
    for name, number in FACTORS.items():
        counts = np.bincount([factors[name] for factors in drawn], minlength=number)
        assert abs(counts / len(drawn) - 1 / number).max() < 0.05
    pairs = np.zeros((6, 8))
    for factors in drawn:
        pairs[factors['texture'], factors['direction']] += 1
    assert pairs.min() > 8  # 25 expected


@pytest.mark.parametrize('backdrop', ['texture', 'noise', 'plain'])
def test_the_same_seed_is_the_same_clip(backdrop: str) -> None:
    first, second = (render_clip(np.random.default_rng((0, 1, 2)), 4, 32, backdrop)[0] for _ in range(2))
    assert first.shape == (4, 32, 32, 3) and np.array_equal(first, second)
    spread = first[:, :2, :2].reshape(-1, 3).std(axis=0).max()
    assert (spread == 0) == (backdrop == 'plain')
    assert backdrop != 'noise' or 1 < spread < 6


def test_no_clip_is_seen_twice() -> None:
    pipeline = [dict(type='TubeMask', grid=(2, 4, 4), mask_ratio=0.75), dict(type='PackVideoInputs')]
    dataset = RenderedClips(pipeline, length=5, num_frames=4, size=32)
    assert len(dataset) == 5
    one, other, again = (dataset[SeededIndex.of(3, (0, epoch, 3))] for epoch in (0, 1, 0))
    assert one['inputs'].shape == (3, 4, 32, 32)
    assert not torch.equal(one['inputs'], other['inputs'])
    assert torch.equal(one['inputs'], again['inputs'])
    assert torch.equal(one['data_samples'].mask, again['data_samples'].mask)
    assert dataset[0]['data_samples'].filename == 'rendered clip 0'
