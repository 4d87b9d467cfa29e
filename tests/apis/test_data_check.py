"""One pass over data: what can be read, what it is, what occurs twice, and going on after a stop."""

import json
import shutil
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mmsigma.apis.data_check import (
    check_video,
    check_videos,
    describe_repetitions,
    describe_source,
    find_sources,
    usable_entries,
    with_unique_names,
    write_usable,
)
from mmsigma.datasets.videos.video_list import read_entries, read_video_list
from mmsigma.io.video import write_mp4
from tests.scripts import Result
from tests.vos_data import make_davis, write_frames

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Lists ``train.txt`` and ``val.txt`` that share a path and a content, a damaged file and a missing one."""
    rng = np.random.default_rng(0)
    for number in range(3):
        frames = rng.integers(0, 255, (10 + number, 32, 48, 3), dtype=np.uint8)
        write_mp4(tmp_path / f'{number} a.mp4', frames, fps=5)
    shutil.copy(tmp_path / '0 a.mp4', tmp_path / 'copy.mp4')
    (tmp_path / 'bad.mp4').write_bytes(b'garbage')
    (tmp_path / 'train.txt').write_text('0 a.mp4 0\n1 a.mp4 3\nbad.mp4 1\nmissing.mp4 1\n')
    (tmp_path / 'val.txt').write_text('copy.mp4 0\n1 a.mp4 3\n2 a.mp4\n')
    return tmp_path


def test_facts_of_a_video(folder: Path) -> None:
    for thorough in (False, True):
        facts = check_video(str(folder / '1 a.mp4'), thorough=thorough)
        assert (facts.reason, facts.num_frames, facts.size, facts.rotation) == ('', 11, (32, 48), 0)
        assert facts.seconds == pytest.approx(2.2, abs=0.01) and facts.decoder == 'any'
    assert check_video(str(folder / 'bad.mp4')).reason
    assert 'no video at' in check_video(str(folder / 'missing.mp4')).reason


def test_folders_of_images(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    write_frames(tmp_path / 'v', rng.integers(0, 255, (7, 12, 20, 3), dtype=np.uint8), [str(n) for n in range(7)])
    (source,) = find_sources(tmp_path)
    assert source.entries == [('v', (-1,))]
    facts = check_video(source.file('v'))
    assert (facts.reason, facts.num_frames, facts.size, facts.decoder) == ('', 7, (12, 20), 'frames')
    (tmp_path / 'v/6.png').write_bytes(b'no image')
    assert '6.png cannot be read as an image' in check_video(source.file('v')).reason


def test_description_and_usable_lists(folder: Path) -> None:
    sources = [find_sources(folder / f'{name}.txt')[0] for name in ('train', 'val')]
    files = [source.file(path) for source in sources for path, _ in source.entries]
    seen = []
    results = check_videos(files, folder / 'out/videos.jsonl', num_workers=0, on_video=seen.append)
    assert len(seen) == len(results) == 6
    text = '\n'.join(line for source in sources for line in describe_source(source, results))
    assert 'train: 2 of 4 videos can be read' in text and f'{folder}/bad.mp4: ' in text
    assert 'frames 10 to 11, median 10.5; 2.0 to 2.2 s' in text and 'sizes 48 x 32 (2)' in text
    assert '3 labels from 0 to 3; the most frequent: 1 (2), 0 (1), 3 (1)' in text
    assert '1 labels in between do not occur, for example [2]' in text
    assert 'val: 3 of 3 videos can be read' in text and '1 videos have no label' in text
    shared, copied = describe_repetitions(sources, results)
    assert shared == f'1 videos are both in train and val: {folder.resolve()}/1 a.mp4'
    assert copied.startswith('1 videos of train and val have the same content under other names: ')
    assert f'{folder}/0 a.mp4 = {folder}/copy.mp4' in copied
    path = write_usable(folder / 'out', sources[0], results)
    assert read_video_list(path) == [('0 a.mp4', 0), ('1 a.mp4', 3)]
    assert len(usable_entries(sources[1], results)) == 3


def test_a_stopped_check_goes_on(folder: Path) -> None:
    files, record = [str(folder / f'{number} a.mp4') for number in range(3)], folder / 'videos.jsonl'
    first = check_videos(files[:2], record, num_workers=0)
    record.write_text(record.read_text().replace('"num_frames": 11', '"num_frames": 99') + '{"path": "cut o')
    shutil.copy(folder / 'copy.mp4', files[0])
    (folder / '0 a.mp4').touch()
    results = check_videos(files, record, num_workers=1)
    assert results[files[1]].num_frames == 99  # not read again
    assert results[files[0]].stamp != first[files[0]].stamp and results[files[2]].num_frames == 12
    size = record.stat().st_size
    assert len(check_videos(files, record, num_workers=0)) == 3 and record.stat().st_size == size


def test_configs(folder: Path, tmp_path: Path) -> None:
    options = dict(data_root=str(folder), ann_file_train='train.txt', ann_file_val='val.txt')
    train, val, *_ = find_sources(ROOT / 'configs/demo/finetune_tiny_demo.py', options=options)
    assert train.name == 'train' and train.entries[0] == (str(folder / '0 a.mp4'), (0,)) and not train.problems
    assert 'val_dataloader have no label' in val.problems[0]
    root = make_davis(tmp_path / 'davis', dict(ant=3))
    (test,) = find_sources(ROOT / 'configs/vos/colour.py', options=dict(data_root=str(root)))
    assert test.entries == [(str(root / 'JPEGImages/480p/ant'), (-1,))]


def test_lists_of_the_same_name_are_numbered(folder: Path) -> None:
    sources = [find_sources(folder / f'{name}.txt')[0] for name in ('train', 'val', 'train')]
    assert [source.name for source in with_unique_names(sources)] == ['train_1', 'val', 'train_2']


def test_tool(run_tool: Callable[..., Result], folder: Path) -> None:
    command = ['tools/check_data.py', folder / 'train.txt', folder / 'val.txt', '--out', folder / 'out']
    done = run_tool(*command, '--num-workers', 0)
    assert done.status == 0, done.errors
    assert 'train: 2 of 4 videos can be read' in done.output and '1 videos are both in train and val' in done.output
    assert len(read_video_list(folder / 'out/val_usable.csv')) == 3
    assert len([json.loads(line) for line in (folder / 'out/videos.jsonl').read_text().splitlines()]) == 6
    (folder / 'val.txt').write_text('a.mp4 300 1\n')
    done = run_tool(*command, '--num-workers', 0)
    assert done.status and 'val.txt, line 1' in done.errors


def test_several_labels(run_tool: Callable[..., Result], folder: Path) -> None:
    (folder / 'train.txt').write_text('0 a.mp4 1,4\n1 a.mp4 2\n')
    with pytest.raises(ValueError, match='line 1: .*multi_class=True'):
        find_sources(folder / 'train.txt')
    options = ('--multi-class', '--num-workers', 0, '--out', folder / 'out')
    done = run_tool('tools/check_data.py', folder / 'train.txt', *options)
    assert done.status == 0 and '3 labels from 1 to 4' in done.output, done.errors
    usable = read_entries(folder / 'out/train_usable.csv', multi_class=True)
    assert [entry[:2] for entry in usable] == [('0 a.mp4', (1, 4)), ('1 a.mp4', (2,))]


@pytest.mark.parametrize('error', [RuntimeError('what no one expects'), MemoryError(), IndexError('9')])
def test_no_file_ends_the_check(folder: Path, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr('mmsigma.apis.data_check._file_facts', fail)
    assert type(error).__name__ in check_video(str(folder / '1 a.mp4')).reason


def test_a_picture_that_claims_a_huge_size(tmp_path: Path) -> None:
    write_frames(tmp_path / 'v', np.zeros((3, 12, 20, 3), np.uint8), ['0', '1', '2'])
    data = bytearray((tmp_path / 'v/1.png').read_bytes())
    data[16:24] = (100_000).to_bytes(4, 'big') * 2
    data[29:33] = zlib.crc32(data[12:29]).to_bytes(4, 'big')
    (tmp_path / 'v/1.png').write_bytes(data)
    assert '1.png cannot be read as an image' in check_video(str(tmp_path / 'v')).reason
