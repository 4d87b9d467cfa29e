"""The tab of prototypes, without a browser."""

from pathlib import Path
from typing import Any

from mmsigma.app.prototypes import PrototypesTab
from mmsigma.app.samples import SampleVideo
from mmsigma.app.sessions import Sessions
from mmsigma.app.settings import Models
from mmsigma.io.pictures import read_picture
from mmsigma.io.video import FrameReader
from mmsigma.visualization.labelled_grid import GAP, LINE
from tests.app.conftest import Bar


def test_prototypes(
    app_models: Models, sessions: Sessions, app_samples: list[SampleVideo], request_of: Any, bar: Bar
) -> None:
    tab = PrototypesTab(app_models, sessions, app_samples[0])
    picture, prototypes, features, summary = tab.run(str(app_samples[0].video), 3, 20, 1, request_of, bar)
    assert 'the tubes most similar to prototypes ' in summary and 'stand out among 64' in summary
    assert read_picture(picture).shape == (LINE + GAP + 4 * (LINE + 128 + GAP), 4 * (128 + GAP) + GAP, 3)
    assert len(FrameReader(prototypes)) == len(FrameReader(features)) == 8
    assert Path(picture).is_relative_to(sessions.root) and bar.seen[-1][0] == (2, 3)
