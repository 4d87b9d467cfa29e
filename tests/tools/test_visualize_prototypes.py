"""tools/visualize_prototypes.py on small videos."""

import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import pytest
import torch

from mmsigma.datasets.demo_data import render_demo_video
from mmsigma.registry import MODELS
from mmsigma.utils.config import load_config
from mmsigma.utils.video import FrameReader, write_mp4

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


def run(folder: Path, *args: str, check: bool = True) -> subprocess.CompletedProcess:
    command = [sys.executable, str(ROOT / 'tools/visualize_prototypes.py'), *args, '--out', str(folder / 'out')]
    return subprocess.run(command, capture_output=True, text=True, check=check)


def test_a_folder_of_videos(folder: Path) -> None:
    (folder / 'videos/v2.mp4').write_text('no video')
    done = run(folder, str(CONFIG), str(folder / 'sigma.pth'), str(folder / 'videos'), '--number', '3')
    assert '2 videos drawn' in done.stdout and '1 could not be:' in done.stdout and 'v2.mp4' in done.stdout
    for index in range(2):
        height, width = cv2.imread(str(folder / f'out/v{index}_prototypes.png')).shape[:2]
        assert (height, width) == (4 * (64 + 4) + 4, 4 * (64 + 4) + 4)  # clip and 3 prototypes, 4 tubes in time
        assert len(FrameReader(folder / f'out/v{index}_prototypes.mp4')) == 8
        assert FrameReader(folder / f'out/v{index}_features.mp4').read(0).shape[:2] == (72, 140)
    (folder / 'videos/v2.mp4').unlink()


def test_named_prototypes_and_bad_input(folder: Path) -> None:
    video = str(folder / 'videos/v0.mp4')
    done = run(folder, str(CONFIG), str(folder / 'sigma.pth'), video, '--prototypes', '7', '63')
    assert 'v0: prototypes [7, 63]' in done.stdout
    failed = run(folder, str(CONFIG), str(folder / 'sigma.pth'), video, '--prototypes', '64', check=False)
    assert failed.returncode == 1 and 'there is no prototype 64: there are 64' in failed.stderr
    for level in ('1', '-1'):
        failed = run(folder, str(CONFIG), str(folder / 'sigma.pth'), video, '--level', level, check=False)
        assert failed.returncode == 1 and f'there is no level {level}: there are 1' in failed.stderr
    pixels = CONFIG.with_name('sigma_tiny_demo_pixel.py')
    failed = run(folder, str(pixels), str(folder / 'sigma.pth'), video, check=False)
    assert failed.returncode == 1 and 'has no prototypes' in failed.stderr


def test_videos_of_one_name(folder: Path, tmp_path: Path) -> None:
    for place in ('x/dog.mp4', 'y/dog.mp4', 'y/dog.avi'):
        (tmp_path / 'videos' / place).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(folder / 'videos/v0.mp4', tmp_path / 'videos' / place)
    done = run(tmp_path, str(CONFIG), str(folder / 'sigma.pth'), str(tmp_path / 'videos'), '--number', '1')
    assert '3 videos drawn' in done.stdout
    for name in ('x/dog', 'y/dog.mp4', 'y/dog.avi'):
        assert (tmp_path / f'out/{name}_prototypes.png').is_file() and f'{name}: prototypes' in done.stdout
