"""What the prototypes of a SIGMA pick out, by program."""

from pathlib import Path

import numpy as np
import pytest
import torch

from mmsigma.apis.prototype_viewer import PrototypeViewer, read_clip
from mmsigma.io.video import FrameReader
from mmsigma.registry import MODELS
from mmsigma.utils.config import load_config
from mmsigma.visualization.labelled_grid import GAP, LINE
from tests.vos_data import draw_video

CONFIG = Path(__file__).resolve().parents[2] / 'configs' / 'demo' / 'sigma_tiny_demo_mlp.py'
FRAMES = draw_video(30, 2)[0]


@pytest.fixture(scope='module')
def view(tmp_path_factory: pytest.TempPathFactory) -> PrototypeViewer:
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp('weights') / 'sigma.pth'
    torch.save(dict(state_dict=MODELS.build(load_config(CONFIG).model).state_dict()), path)
    return PrototypeViewer(CONFIG, path, device='cpu')


def test_the_tubes_that_are_shown_are_the_most_similar(view: PrototypeViewer) -> None:
    found = view(FRAMES, [5, 9], top=7)
    assert list(found.drawn) == [5, 9] and found.caption == 'prototypes [5, 9]'
    assert found.scores.shape == (4 * 8 * 8, 64) and found.tokens.shape == (256, 128)
    for prototype, frames in found.drawn.items():
        # everything else is a quarter as bright; an outline is brighter than that in any case
        bright = (frames != found.clip // 4).any(axis=3).reshape(4, 2, 8, 8, 8, 8).any(axis=(1, 3, 5))
        assert set(np.flatnonzero(bright)) == set(found.scores[:, prototype].topk(7).indices.tolist())


def test_files(view: PrototypeViewer, tmp_path: Path) -> None:
    found = view(FRAMES, number=2)
    picture, prototypes, features = found.write(tmp_path / 'squares')
    assert picture.name == 'squares_prototypes.png' and found.picture().shape == (
        LINE + GAP + 3 * (LINE + 128 + GAP),
        4 * (128 + GAP) + GAP,
        3,
    )
    assert len(FrameReader(prototypes)) == len(FrameReader(features)) == 8
    assert {path.name for path in found.save(tmp_path)} == {'scores.npy', 'picture.png'}


def test_the_clip_is_from_the_middle() -> None:
    frames = np.zeros((30, 20, 40, 3), np.uint8) + np.arange(30, dtype=np.uint8)[:, None, None, None]
    clip = read_clip(frames, (5, 10, 10), 4)
    assert clip.shape == (5, 10, 10, 3) and clip[:, 0, 0, 0].tolist() == [6, 10, 14, 18, 22]
    assert read_clip(frames[:6], (4, 10, 10), 4)[:, 0, 0, 0].tolist() == [0, 4, 5, 5]


def test_what_is_not_there(view: PrototypeViewer) -> None:
    with pytest.raises(ValueError, match='there is no prototype 64: the numbers are 0 to 63'):
        view(FRAMES, [64])
    with pytest.raises(ValueError, match='there is no level 1: the levels are 0 to 0'):
        view(FRAMES, level=1)
    with pytest.raises(ValueError, match='use a config of pre-training with a PrototypeHead'):
        PrototypeViewer(CONFIG.with_name('sigma_tiny_demo_pixel.py'), 'none.pth')
