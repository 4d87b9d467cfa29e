"""Pictures of segmented videos."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from mmsigma.datasets.vos.sequences import find_sequences
from mmsigma.visualization.overlay import draw_masks
from mmsigma.visualization.vos_report import draw_strip
from tests.vos_data import SIZE, draw_video, make_davis


def test_annotations_are_below_their_frames(tmp_path: Path) -> None:
    (video,) = find_sequences('davis', make_davis(tmp_path, dict(ant=5)))
    video = replace(video, masks={number: video.masks[number] for number in (0, 3)})
    strip = draw_strip(video, np.zeros((5, *SIZE), np.uint8), num_frames=5, height=SIZE[0])
    frames, masks = draw_video(5, 2)
    gap = (strip.shape[0] - 2 * SIZE[0]) // 3
    for number, frame in enumerate(frames):
        left = gap + number * (SIZE[1] + gap)
        upper, lower = (strip[top : top + SIZE[0], left : left + SIZE[1]] for top in (gap, 2 * gap + SIZE[0]))
        np.testing.assert_array_equal(upper, frame)
        np.testing.assert_array_equal(lower, draw_masks(frame, masks[number]) if number in (0, 3) else frame)
