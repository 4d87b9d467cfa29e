"""tools/visualize_prototypes.py on small videos."""

import shutil
from collections.abc import Callable
from pathlib import Path

import cv2
import pytest
import torch

from mmsigma.io.video import FrameReader, write_mp4
from mmsigma.registry import MODELS
from mmsigma.synthetic.demo_data import render_demo_video
from mmsigma.utils.config import load_config
from mmsigma.visualization.labelled_grid import GAP, LINE

ROOT = Path(__file__).resolve().parents[2]
CONFIG = ROOT / 'configs' / 'demo' / 'sigma_tiny_demo_mlp.py'


@pytest.fixture(scope='module')
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp('prototypes')
    torch.manual_seed(0)
    torch.save(dict(state_dict=MODELS.build(load_config(CONFIG).model).state_dict()), folder / 'sigma.pth')
    for index in range(2):
        write_mp4(folder / f'videos/v{index}.mp4', render_demo_video(index).frames, fps=12)
    return folder


@pytest.fixture
def run(run_tool: Callable, folder: Path) -> Callable:
    """Draws with the checkpoint of the folder, and returns what is written to the console, or the error."""

    def run(config: Path, *args: object, out: Path = folder / 'out', status: int = 0) -> str:
        done = run_tool('tools/visualize_prototypes.py', config, folder / 'sigma.pth', *args, '--out', out)
        assert done.status == status, done.errors
        return done.errors if status else done.output

    return run


def test_a_folder_of_videos(run: Callable, folder: Path) -> None:
    (folder / 'videos/v2.mp4').write_text('no video')
    output = run(CONFIG, folder / 'videos', '--number', 3)
    assert '2 videos drawn' in output and '1 could not be drawn:' in output and 'v2.mp4' in output
    for index in range(2):
        height, width = cv2.imread(str(folder / f'out/v{index}_prototypes.png')).shape[:2]
        # clip and 3 prototypes, 4 tubes in time
        assert (height, width) == (LINE + GAP + 4 * (LINE + 128 + GAP), 4 * (128 + GAP) + GAP)
        assert len(FrameReader(folder / f'out/v{index}_prototypes.mp4')) == 8
        assert FrameReader(folder / f'out/v{index}_features.mp4').read(0).shape[:2] == (72, 140)
    (folder / 'videos/v2.mp4').unlink()


def test_named_prototypes_and_bad_input(run: Callable, folder: Path) -> None:
    video = folder / 'videos/v0.mp4'
    output = run(CONFIG, video, '--prototypes', 7, 63)
    assert 'v0: prototypes [7, 63]' in output
    assert 'there is no prototype 64: the numbers are 0 to 63' in run(CONFIG, video, '--prototypes', 64, status=1)
    for level in (1, -1):
        assert f'there is no level {level}: the levels are 0 to 0' in run(CONFIG, video, '--level', level, status=1)
    pixels = CONFIG.with_name('sigma_tiny_demo_pixel.py')
    assert 'with a PrototypeHead to look at prototypes' in run(pixels, video, status=1)


def test_videos_of_one_name(run: Callable, folder: Path, tmp_path: Path) -> None:
    for place in ('x/dog.mp4', 'y/dog.mp4', 'y/dog.avi'):
        (tmp_path / 'videos' / place).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(folder / 'videos/v0.mp4', tmp_path / 'videos' / place)
    output = run(CONFIG, tmp_path / 'videos', '--number', 1, out=tmp_path / 'out')
    assert '3 videos drawn' in output
    for name in ('x/dog', 'y/dog.mp4', 'y/dog.avi'):
        assert (tmp_path / f'out/{name}_prototypes.png').is_file() and f'{name}: prototypes' in output


def test_the_checkpoint_of_a_run_is_enough(run_tool: Callable, folder: Path, tmp_path: Path) -> None:
    state = torch.load(folder / 'sigma.pth')['state_dict']
    torch.save(dict(state_dict=state, meta=dict(cfg=load_config(CONFIG).pretty_text)), tmp_path / 'run.pth')
    tool = ('tools/visualize_prototypes.py', tmp_path / 'run.pth')
    done = run_tool(*tool, '-', folder / 'videos/v0.mp4', '--out', tmp_path / 'out')
    assert done.status == 0 and (tmp_path / 'out/report.html').is_file(), done.errors
    done = run_tool(*tool, folder / 'sigma.pth', folder / 'videos/v0.mp4')
    assert done.status == 1 and 'leave out' in done.errors and 'or give - on the command line' in done.errors
