"""The tab that segments, without a browser."""

import zipfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
import numpy as np
import pytest

from mmsigma.app.drawing import BOX, BRUSH
from mmsigma.app.samples import SampleVideo
from mmsigma.app.segment import SegmentTab
from mmsigma.app.sessions import Cancelled, Sessions
from mmsigma.app.settings import Models, Settings
from mmsigma.io.masks import read_mask
from mmsigma.io.video import FrameReader, write_playable
from tests.app.conftest import Bar, paths_below
from tests.vos_data import draw_video


@pytest.fixture
def tab(app_models: Models, sessions: Sessions, app_samples: list[SampleVideo]) -> SegmentTab:
    return SegmentTab(app_models, sessions, app_samples[0])


def click(tab: SegmentTab, scene: Any, *place: int) -> None:
    tab.click(scene, BOX, SimpleNamespace(index=[scene.zoom * side for side in place]))


def test_two_objects_of_two_frames(
    tab: SegmentTab, app_samples: list[SampleVideo], request_of: Any, bar: Bar, tmp_path: Path
) -> None:
    scene, picture, canvas, objects, slider = tab.open(str(app_samples[1].video))
    assert (
        scene.zoom == 18
        and picture.shape == (36 * 18, 52 * 18, 3)
        and slider.maximum == 8
        and objects == 'No object yet.'
    )
    click(tab, scene, 8, 4), click(tab, scene, 20, 14)
    scene, picture, *_ = tab.move(scene, 4)
    np.testing.assert_array_equal(picture[::18, ::18], FrameReader(scene.video).read(4))
    assert scene.frame == 4
    layer = np.zeros((36, 52, 4), np.uint8)
    layer[18:28, 12:24, 3] = 255
    assert tab.add(scene, BRUSH, dict(layers=[layer]))[3] == 'Objects: 1 (frame 0), 2 (frame 4).'
    overlay, masks, file, summary = tab.run(scene, request_of, bar)
    assert summary.startswith('9 frames, objects [1, 2], ') and bar.seen[-1] == ((9, 9), 'Segmenting')
    assert len(FrameReader(overlay)) == 9 and file.value['path'].endswith('squares_1_overlay.mp4')
    with zipfile.ZipFile(masks.value['path']) as archive:
        assert archive.namelist() == [f'masks/{number:05d}.png' for number in range(9)]
        archive.extractall(tmp_path)
    found = np.stack([read_mask(tmp_path / f'masks/{number:05d}.png') for number in range(9)])
    assert set(np.unique(found[:4])) == {0, 1} and set(np.unique(found[4:])) == {0, 1, 2}
    truth = draw_video(9, 2, seed=1)[1]  # what is drawn is kept as it was drawn
    np.testing.assert_array_equal(found[0] == 1, truth[0] == 1)
    np.testing.assert_array_equal(found[4] == 2, truth[4] == 2)


def test_samples_come_with_a_box(tab: SegmentTab, app_samples: list[SampleVideo]) -> None:
    scene, *_, objects, _ = tab.open(str(app_samples[0].video))
    assert objects == 'Objects: 1 (frame 0).' and scene.drawing.masks()[0].sum() == 120
    assert tab.undo(scene)[3] == 'No object yet.'


def test_cancelling_leaves_no_video(tab: SegmentTab, app_samples: list[SampleVideo], request_of: Any) -> None:
    scene, *_ = tab.open(str(app_samples[0].video))

    def stop(done: Any, **about: Any) -> None:
        if done[0] == 3:
            tab.sessions.cancel(request_of)

    with pytest.raises(Cancelled, match='Segmenting: cancelled after 3 of 8 frames'):
        tab.run(scene, request_of, stop)
    assert not [path for path in paths_below(tab.sessions.root) if path.suffix == '.mp4']


def test_large_frames_are_reduced(
    app_samples: list[SampleVideo], sessions: Sessions, request_of: Any, bar: Bar, tmp_path: Path
) -> None:
    models = Models(Settings(device='cpu', short_side=36), tmp_path)
    tab = SegmentTab(models, sessions, app_samples[0])
    write_playable(tmp_path / 'large.mp4', draw_video(3, 1)[0].repeat(4, 1).repeat(4, 2), fps=4)
    scene, picture, _, objects, _ = tab.open(str(tmp_path / 'large.mp4'))
    assert picture.shape == (36 * 18, 52 * 18, 3) and 'Frames of 208 x 144 are reduced to 52 x 36' in objects
    click(tab, scene, 8, 4), click(tab, scene, 20, 14)
    assert scene.pixels.shape == (36, 52, 3) and tab.move(scene, 1)[1].shape == (36 * 18, 52 * 18, 3)
    overlay, masks, _, summary = tab.run(scene, request_of, bar)
    assert 'the masks to download have the full size' in summary
    assert FrameReader(overlay).read(0).shape == (36, 52, 3)
    with zipfile.ZipFile(masks.value['path']) as archive:
        archive.extractall(tmp_path)
    found, (height, width) = read_mask(tmp_path / 'masks/00000.png'), (144, 208)
    assert found.shape == (height, width)
    np.testing.assert_array_equal(found, scene.drawing.masks()[0].repeat(4, 0).repeat(4, 1))


def test_what_is_missing(tab: SegmentTab, app_samples: list[SampleVideo], request_of: Any, bar: Bar) -> None:
    assert tab.open(None)[:2] == (None, None)
    with pytest.raises(ValueError, match='choose a video first'):
        tab.run(None, request_of, bar)
    scene, *_ = tab.open(str(app_samples[1].video))
    with pytest.raises(ValueError, match='there is no object yet'):
        tab.run(scene, request_of, bar)
    with pytest.raises(ValueError, match='a box is added by clicks'):
        tab.add(scene, BOX, None)


def test_no_click_is_lost_while_one_is_worked_on(tab: SegmentTab) -> None:
    with gr.Blocks() as page:
        tab.build()
    kinds = {kind: one for one in page.config['dependencies'] for _, kind in one['targets']}
    assert kinds['select']['trigger_mode'] == 'multiple' and kinds['release']['trigger_mode'] == 'always_last'
