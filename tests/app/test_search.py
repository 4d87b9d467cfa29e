"""The tab that searches, without a browser."""

from pathlib import Path
from typing import Any

import pytest
import torch

from mmsigma.app.samples import SampleVideo
from mmsigma.app.search import SearchTab, make_index, sheet, status_of
from mmsigma.app.sessions import Sessions
from mmsigma.app.settings import Models
from tests.app.conftest import Bar


@pytest.fixture
def tab(app_models: Models, sessions: Sessions, app_samples: list[SampleVideo]) -> SearchTab:
    return SearchTab(app_models, sessions, app_samples)


def test_a_video_is_most_like_itself(tab: SearchTab, app_samples: list[SampleVideo], request_of: Any, bar: Bar) -> None:
    pictures, index, status = tab.run(str(app_samples[3].video), None, 2, None, request_of, bar)
    assert [caption for _, caption in pictures][0] == '1.000 · squares_3' and len(pictures) == 2
    assert status == '5 videos, features of 128 numbers' and bar.seen[-2:] == [
        ((5, 5), 'Reading the videos'),
        ((0, None), 'Searching'),
    ]
    torch.testing.assert_close(index.features.norm(dim=1), torch.ones(5))
    seen = len(bar.seen)
    again = tab.run(str(app_samples[2].video), [], 9, index, request_of, bar)
    assert again[1] is index and len(bar.seen) == seen + 1  # not computed again
    similarities = [float(caption.split()[0]) for _, caption in again[0]]
    assert len(similarities) == 5 and similarities == sorted(similarities, reverse=True)


def test_uploads_are_searched(
    tab: SearchTab, app_samples: list[SampleVideo], request_of: Any, bar: Bar, tmp_path: Path
) -> None:
    (tmp_path / 'text.mp4').write_text('no video')
    uploads = [str(app_samples[1].video), str(tmp_path / 'text.mp4')]
    pictures, index, status = tab.run(str(app_samples[1].video), uploads, 4, None, request_of, bar)
    assert [caption for _, caption in pictures] == ['1.000 · squares_1']
    assert status.splitlines()[1].startswith('* left out: text.mp4') and str(tmp_path) not in status
    assert status_of(index) == status
    with pytest.raises(ValueError, match='none of 1 videos could be read: text.mp4'):
        make_index(tab.models.extractor, [tmp_path / 'text.mp4'], 60, lambda done, total: None)


def test_pictures(app_samples: list[SampleVideo]) -> None:
    assert sheet(app_samples[0].video).shape == (2 * (36 + 4) + 4, 2 * (52 + 4) + 4, 3)
