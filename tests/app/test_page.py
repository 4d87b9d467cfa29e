"""The page in a real browser: every tab at the width of a desk and of a phone."""

import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mmsigma.app import page as app_page
from mmsigma.app.page import serve
from mmsigma.app.samples import SampleVideo
from mmsigma.app.settings import Settings
from mmsigma.io.video import FrameReader, write_playable
from tests.app.conftest import paths_below
from tests.vos_data import draw_video

pytestmark = pytest.mark.slow
WIDTHS = (1280, 400)
PLAYS = 'video => video.readyState > 0 && video.duration > 0 && video.videoWidth > 0'


@pytest.fixture(scope='module')
def address(app_samples: list[SampleVideo]) -> Iterator[str]:
    """The app, with short videos of squares as its samples."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(app_page, 'make_samples', lambda folder, number: app_samples)
        settings = Settings(device='cpu', max_seconds=20, max_upload='1mb')
        with serve(settings, port=None) as address:
            yield address


@pytest.fixture(params=WIDTHS)
def tabs(request: pytest.FixtureRequest, chromium: Any, address: str) -> Iterator[Any]:
    """The page, which must neither be wider than the screen, nor ask for anything elsewhere, nor have errors."""
    page = chromium.new_page(viewport=dict(width=request.param, height=900))
    page.set_default_timeout(60_000)
    elsewhere: list[str] = []
    errors: list[str] = []
    page.on('request', lambda one: elsewhere.append(one.url))
    page.on('pageerror', lambda error: errors.append(str(error)))
    page.goto(address)
    page.locator('#segment-sample').wait_for()
    yield page
    fits = page.evaluate('document.documentElement.scrollWidth <= window.innerWidth')
    page.close()  # also after a failure: a page that is left draws on
    assert fits and not errors
    assert not [url for url in elsewhere if not url.startswith((address, 'data:', 'blob:'))]


def wait_for_video(page: Any, place: str) -> None:
    page.wait_for_function(
        f'(() => {{ const v = document.querySelector("{place} video"); return v && ({PLAYS})(v) }})()'
    )


def choose(page: Any, tab: str) -> None:
    page.get_by_role('tab', name=tab).click()
    page.locator(f'#{tab.lower()}-sample').click()


def add_second_object(page: Any) -> None:
    page.get_by_text('Objects: 1 (frame 0)').wait_for()
    picture = page.locator('#segment-picture img')
    picture.wait_for()
    box = picture.bounding_box()
    scale = box['width'] / 52, box['height'] / 36
    if box['height'] * 52 > box['width'] * 36 + 52:  # as CSS fits it
        scale = scale[0], scale[0]
    for x, y in ((9, 18), (20, 28)):
        picture.click(position=dict(x=x * scale[0], y=y * scale[1]))
        # a browser takes no click while it loads the picture with the corner
        page.get_by_text('corners of the next: 1' if x == 9 else 'Objects: 1 (frame 0), 2 (frame 0)').wait_for()


def test_segment(tabs: Any, tmp_path: Path) -> None:
    choose(tabs, 'Segment')
    add_second_object(tabs)
    tabs.get_by_text('Objects: 1 (frame 0), 2 (frame 0)').wait_for()
    tabs.locator('#segment-run').click()
    wait_for_video(tabs, '#segment-overlay')
    tabs.get_by_text('8 frames, objects [1, 2]').wait_for()
    with tabs.expect_download() as download:
        tabs.locator('#segment-masks').click()
    assert download.value.suggested_filename == 'squares_0_masks.zip'
    download.value.save_as(tmp_path / 'masks.zip')
    with zipfile.ZipFile(tmp_path / 'masks.zip') as archive:
        assert archive.namelist() == [f'masks/{number:05d}.png' for number in range(8)]


@pytest.mark.parametrize('tabs', [1280], indirect=True)
def test_two_visitors_at_once(tabs: Any, chromium: Any, address: str) -> None:
    other = chromium.new_page()
    other.set_default_timeout(60_000)
    other.goto(address)
    for page in (tabs, other):
        choose(page, 'Segment')
    add_second_object(tabs)
    tabs.get_by_text('Objects: 1 (frame 0), 2 (frame 0)').wait_for()
    for page in (tabs, other):
        page.locator('#segment-run').click()
    tabs.get_by_text('8 frames, objects [1, 2]').wait_for()
    other.get_by_text('8 frames, objects [1]').wait_for()
    wait_for_video(tabs, '#segment-overlay')
    other.close()
    tabs.locator('#segment-run').click()  # what has gone with the other visitor is not this one's
    tabs.get_by_text('8 frames, objects [1, 2]').wait_for()


def test_brush(tabs: Any) -> None:
    choose(tabs, 'Segment')
    tabs.get_by_text('Objects: 1 (frame 0)').wait_for()
    tabs.get_by_label('Brush').check()
    canvas = tabs.locator('#segment-editor canvas').first
    canvas.wait_for()
    tabs.wait_for_timeout(1500)  # until the frame is in it
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    middle = box['x'] + box['width'] / 2, box['y'] + box['height'] / 2
    tabs.mouse.move(*middle)
    tabs.mouse.down()
    tabs.mouse.move(middle[0] + 30, middle[1] + 10, steps=4)
    tabs.mouse.up()
    tabs.wait_for_timeout(500)
    tabs.get_by_role('button', name='Add object').click()
    tabs.get_by_text('Objects: 1 (frame 0), 2 (frame 0)').wait_for()


def test_align(tabs: Any) -> None:
    choose(tabs, 'Align')
    wait_for_video(tabs, '#align-second')
    tabs.locator('#align-run').click()
    wait_for_video(tabs, '#align-played')
    tabs.get_by_text('0.00 s of the first video matches').wait_for()
    slider = tabs.locator('#align-first-slider input[type=number]')
    slider.fill('7')
    slider.blur()
    tabs.get_by_text('1.75 s of the first video matches').wait_for()
    tabs.locator('#align-carry').click()
    tabs.get_by_role('gridcell', name='l3').or_(tabs.get_by_text('l3', exact=True)).first.wait_for()


def test_search(tabs: Any) -> None:
    choose(tabs, 'Search')
    wait_for_video(tabs, '#search-query')
    tabs.locator('#search-run').click()
    tabs.get_by_text('1.000 · squares_0').wait_for()
    assert tabs.locator('#search-found img').count() == 4


def test_prototypes(tabs: Any) -> None:
    choose(tabs, 'Prototypes')
    wait_for_video(tabs, '#prototypes-video')
    tabs.get_by_text('Initial weights').first.wait_for()
    tabs.locator('#prototypes-run').click()
    for place in ('#prototypes-played', '#prototypes-features'):
        wait_for_video(tabs, place)
    tabs.get_by_text('the tubes most similar to prototypes').wait_for()


@pytest.mark.parametrize('tabs', [400], indirect=True)
def test_cancelling_and_limits(tabs: Any, tmp_path: Path) -> None:
    upload = tabs.locator('#segment-video input[type=file]')
    write_playable(tmp_path / 'long.mp4', draw_video(21)[0], fps=1)
    upload.set_input_files(tmp_path / 'long.mp4')
    tabs.get_by_text('long.mp4 lasts 21 s, and videos may last up to 20 s here').wait_for()
    tabs.locator('#segment-video button[aria-label=Clear]').click()
    write_playable(tmp_path / 'busy.mp4', (frame.repeat(8, 0).repeat(8, 1) for frame in draw_video(70)[0]), fps=8)
    upload.set_input_files(tmp_path / 'busy.mp4')
    tabs.get_by_text('No object yet.').wait_for()
    picture = tabs.locator('#segment-picture img')
    picture.wait_for()
    picture.click(position=dict(x=40, y=20))
    tabs.get_by_text('corners of the next: 1').wait_for()
    picture.click(position=dict(x=120, y=90))
    tabs.get_by_text('Objects: 1 (frame 0)').wait_for()
    tabs.locator('#segment-run').click()
    tabs.get_by_text('/70 frames').wait_for()
    tabs.locator('#segment-stop').click()
    tabs.get_by_text('Segmenting: cancelled after').wait_for()
    assert tabs.locator('#segment-overlay video').count() == 0
    (tmp_path / 'large.mp4').write_bytes(bytes(2_000_000))
    tabs.locator('#segment-video button[aria-label=Clear]').click()
    upload.set_input_files(tmp_path / 'large.mp4')
    tabs.get_by_text('size').first.wait_for()


def test_nothing_is_left_behind(
    app_samples: list[SampleVideo], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(app_page, 'make_samples', lambda folder, number: app_samples)
    monkeypatch.setattr(tempfile, 'tempdir', str(tmp_path))
    with serve(Settings(device='cpu'), port=None) as address:
        assert address.startswith('http://127.0.0.1:')
    assert paths_below(tmp_path) == [] and len(FrameReader(app_samples[0].video)) == 8


def test_no_videos_to_search(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app_page, 'make_samples', lambda *_: pytest.fail('samples were made first'))
    with (
        pytest.raises(FileNotFoundError, match='none.pth: give --videos a folder'),
        serve(Settings(videos=Path('none.pth')), port=None),
    ):
        pass
