"""A newcomer types the commands of README and pages, on generated videos, and finds what the pages promise."""

import os
import re
import shutil
import sys
import time
import traceback
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
import torch

from mmsigma.io.masks import write_mask
from mmsigma.io.video import read_frames, write_mp4
from mmsigma.registry import MODELS
from mmsigma.synthetic.demo_data import make_demo_dataset, render_demo_video
from mmsigma.utils.config import load_config
from mmsigma.visualization.masked_video import write_picture
from tests.newcomer import NOT_RUN, PAGES, RUN, Run, commands, entries_of, small_words
from tests.scripts import ROOT, restored_state, run_script

SMALL_VIT = 'arch=dict(embed_dims=48, depth=1, num_heads=2)'
SAMPLE = 91  # video of the demo set that the pages name


def test_every_command_is_in_one_table() -> None:
    found = {command: entries_of(command) for command in commands()}
    assert {command: entries for command, entries in found.items() if len(entries) != 1} == {}
    used = [entry for entries in found.values() for entry in entries]
    assert [entry for entry in (*RUN, *NOT_RUN) if entry not in used] == []
    assert all(len(reason) > 10 for reason in NOT_RUN.values())


def test_reasons_name_tests_that_are_there() -> None:
    for reason in NOT_RUN.values():
        assert [path for path in re.findall(r'tests/[\w/.]*\w', reason) if not (ROOT / path).exists()] == []


@pytest.fixture(scope='module')
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout, whose configs have small transformers, with the files that the pages leave to the reader."""
    folder = tmp_path_factory.mktemp('newcomer')
    for name in ('tools', 'demo', 'docs'):
        (folder / name).symlink_to(ROOT / name)
    shutil.copytree(ROOT / 'configs', folder / 'configs')
    for path in (folder / 'configs').rglob('*.py'):
        path.write_text(re.sub(r"\barch ?= ?'(base|small)'", SMALL_VIT, path.read_text()))
    make_data(folder)
    with restored_state():
        make_checkpoints(folder)
    return folder


def make_data(folder: Path) -> None:
    """The demo set with the sample of the pages, a folder of videos, two videos of one action, and data sets."""
    demo = make_demo_dataset(folder / 'demo_data', num_videos=8, num_classes=4)
    video, name = render_demo_video(SAMPLE), f'clip_{SAMPLE:04d}'
    write_mp4(demo / 'videos' / f'{name}.mp4', video.frames, video.fps)
    for number, (frame, ids) in enumerate(zip(video.frames, video.masks, strict=True)):
        write_picture(demo / 'JPEGImages/480p' / name / f'{number:05d}.jpg', frame)
        write_mask(demo / 'Annotations/480p' / name / f'{number:05d}.png', ids)
    painted = np.where(video.masks[0][..., None] > 0, np.uint8([255, 0, 0]), np.uint8(0))
    write_picture(folder / 'painted.png', painted)
    clips = sorted((demo / 'videos').glob('*.mp4'))
    for kind in ('my_videos', 'data/kinetics400', 'data/sthv2', 'data/ucf101'):
        (folder / kind).mkdir(parents=True)
        for clip in clips[:6]:
            write_mp4(folder / kind / clip.name, read_frames(clip, range(24)), 12)
    for number, name in enumerate(('mine.mp4', 'expert.mp4')):
        write_mp4(folder / name, render_demo_video(10 * number).frames[:8], 12)
    make_lists(folder, [clip.name for clip in clips[:6]])
    (folder / 'data' / 'DAVIS').symlink_to(demo)


def make_lists(folder: Path, names: list[str]) -> None:
    lists = dict(train=names[:2], val=names[2:])
    for split, some in lists.items():
        lines = ''.join(f'{name} {label}\n' for label, name in enumerate(some))
        of_ucf101 = 'ucf101/{}_split1.txt'.format('train' if split == 'train' else 'test')
        for path in (f'kinetics400/{split}.txt', f'sthv2/{split}.txt', of_ucf101):
            (folder / 'data' / path).write_text(lines)
        (folder / 'data' / f'{split}.txt').write_text(lines.replace('clip', 'kinetics400/clip'))
        videos = folder / 'data' / 'kinetics400' / f'videos_{split}'
        videos.symlink_to('.')
        shutil.copy(folder / 'data/kinetics400' / f'{split}.txt', videos / f'kinetics400_{split}_list_videos.txt')
    for path, number in (('classes.txt', 400), ('data/sthv2/classes.txt', 174)):
        (folder / path).write_text(''.join(f'class {one}\n' for one in range(number)))


def make_checkpoints(folder: Path) -> None:
    """Files that the pages take for granted, with initial weights."""
    for name, config in {
        'sigma.pth': 'sigma/vitb_k400_mlp',
        'k400.pth': 'finetune/vitb_k400',
        'work_dirs/run/epoch_1.pth': 'finetune/vitb_ssv2',
        'gta.pth': 'gta/gta_penn_action',
    }.items():
        model = MODELS.build(load_config(folder / 'configs' / f'{config}.py').model)
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        torch.save(dict(state_dict=model.state_dict(), meta={}), folder / name)
    run_script('tools/model_converters/convert_sigma.py', 'sigma.pth', 'official.pth', '--to-official', cwd=folder)


def run(command: str, how: Run, folder: Path) -> None:
    """Run a command with its small settings; it has to end well, and to write what the table says."""
    environment, (program, *words) = small_words(command, how.small)
    script = 'mmsigma/__main__.py' if program == 'mmsigma' else words.pop(0)
    paths = [str(folder / path) for path in environment.get('PYTHONPATH', '').split(':') if path]
    began = time.time()
    with mock.patch.dict(os.environ, environment), mock.patch.object(sys, 'path', [*paths, *sys.path]):
        done = run_script(script, *words, cwd=folder)
    assert done.status == 0 and 'Traceback' not in done.output + done.errors, done.errors[-2000:]
    for pattern in how.writes:
        written = [path for path in folder.glob(pattern) if path.stat().st_mtime > began - 1]
        assert written or 'demo_data' in pattern, f'{pattern} is not there'


@pytest.mark.slow
def test_commands_do_what_the_pages_say(checkout: Path) -> None:
    failed = {}
    for command, pages in commands().items():
        (entry,) = entries_of(command)
        if not isinstance(entry, Run):
            continue
        began = time.monotonic()
        try:
            run(command, entry, checkout)
        except Exception:
            failed[f'{command}  ({", ".join(pages)})'] = traceback.format_exc(limit=-3)
        print(f'{time.monotonic() - began:5.1f} s  {command}')
    assert not failed, '\n\n'.join(f'{command}\n{reason}' for command, reason in failed.items())


def test_points_of_the_pages_are_within_the_sample() -> None:
    height, width = render_demo_video(SAMPLE).frames.shape[1:3]
    for page in PAGES:
        for block in re.findall(r'```python\n(.*?)```', page.read_text(), re.DOTALL):
            points = re.findall(r'(?:\[|, )\((\d+), (\d+)\)(?=[,\]])', block)
            assert all(int(x) < width and int(y) < height for x, y in points), page
