"""What the tests of the web app share: small videos, tiny models, a visitor, and a browser."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from mmsigma.app.samples import SampleVideo
from mmsigma.app.sessions import Sessions
from mmsigma.app.settings import Models, Settings
from mmsigma.io.tables import write_csv
from mmsigma.io.video import write_playable
from tests.vos_data import draw_video


class Bar:
    """Stands in for Gradio's progress bar."""

    def __init__(self) -> None:
        self.seen: list[tuple[Any, str]] = []

    def __call__(self, done: Any, *, desc: str, unit: str) -> None:
        self.seen.append((done, desc))


@pytest.fixture
def bar() -> Bar:
    return Bar()


@pytest.fixture
def request_of() -> Any:
    """A visitor, as Gradio passes one to handlers."""
    return SimpleNamespace(session_hash='visitor')


@pytest.fixture
def sessions() -> Iterator[Sessions]:
    with Sessions() as sessions:
        yield sessions


@pytest.fixture(scope='session')
def app_samples(tmp_path_factory: pytest.TempPathFactory) -> list[SampleVideo]:
    """Five videos of two squares that move, in the place of generated ones."""
    folder, samples = tmp_path_factory.mktemp('samples'), []
    for index in range(5):
        path = folder / f'squares_{index}.mp4'
        write_playable(path, draw_video(8 + index, 2, seed=index)[0], fps=4)
        labels = [('frame', 'label'), *((number, f'l{number // 3}') for number in range(8 + index))]
        write_csv(path.with_suffix('.csv'), labels)
        samples.append(SampleVideo(path, path.with_suffix('.csv'), (8, 4, 20, 14)))
    return samples


@pytest.fixture(scope='session')
def app_models(tmp_path_factory: pytest.TempPathFactory) -> Models:
    return Models(Settings(device='cpu', max_seconds=5), tmp_path_factory.mktemp('weights'))


@pytest.fixture(scope='module')
def chromium() -> Iterator[Any]:
    """A browser without a window, the one that the system has."""
    found = next(filter(None, map(shutil.which, ('chromium', 'chromium-browser', 'google-chrome'))), None)
    if found is None:
        pytest.skip('no Chromium on this machine: apt-get install chromium')
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=found, args=['--no-sandbox', '--disable-gpu'])
        yield browser
        browser.close()


@pytest.fixture
def messages_told(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Messages that a visitor gets."""
    import gradio as gr

    messages: list[str] = []
    for kind in ('Info', 'Warning'):
        monkeypatch.setattr(gr, kind, lambda message, **settings: messages.append(message))
    return messages


def paths_below(folder: Path) -> list[Path]:
    return [path for path in folder.rglob('*') if path.is_file()]
