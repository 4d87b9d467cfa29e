import gc
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.datasets.clips import write_video


@pytest.fixture(scope='session')
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with six short videos, ``0.mp4`` to ``5.mp4``, of 20 to 25 frames."""
    folder = tmp_path_factory.mktemp('videos')
    for number in range(6):
        write_video(folder / f'{number}.mp4', 20 + number)
    return folder


@pytest.fixture(scope='package', autouse=True)
def _quick_garbage_collection() -> Iterator[None]:
    """mmengine collects garbage for every dataset that is made; what was imported need not be searched each time."""
    gc.freeze()
    yield
    gc.unfreeze()
