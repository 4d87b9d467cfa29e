"""Packing of videos into shards, going on after a stop, training on them, and lists of shards of others."""

import io
import json
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from mmsigma.apis import video_preparation
from mmsigma.apis.data_check import check_videos, describe_source, find_sources
from mmsigma.apis.video_preparation import Form, write_prepared_lists
from mmsigma.apis.video_shards import list_shards, pack_videos, plan_shards
from mmsigma.datasets import SeededSampler, VideoDataset
from mmsigma.datasets.videos.tolerant_dataset import TolerantDataset
from mmsigma.datasets.videos.video_list import read_entries
from mmsigma.io.locks import HeldError
from mmsigma.io.shards import ShardError, exists, open_bytes, shard_index
from mmsigma.io.video import read_frames
from tests.datasets.clips import write_video
from tests.scripts import Result

FORM = Form(short_side=24, key_interval=4)
NAMES = ('clips/one 1.mkv', 'bad.mp4', 'clips/two.mp4', 'clips/two.mkv', 'three.avi', 'four.mp4', 'no.mp4')


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A list of seven videos, of which one is damaged and one missing."""
    root = tmp_path / 'data'
    (root / 'clips').mkdir(parents=True)
    for number, name in enumerate(name for name in NAMES if name not in ('bad.mp4', 'no.mp4')):
        write_video(root / name, 10 + number, 'mpeg4' if name.endswith('.avi') else 'libx264')
    (root / 'bad.mp4').write_bytes(b'no video')
    (root / 'train.txt').write_text(''.join(f'{name} {label}\n' for label, name in enumerate(NAMES)))
    (root / 'classes.txt').write_text('\n'.join('abcdefg'))
    return root


def pack(data: Path, out: Path, form: Form | None = None, size: int = 3, **settings) -> tuple[list, Path]:
    (source,) = find_sources(data / 'train.txt')
    results = pack_videos([source], out, form, size, **{'num_workers': 0, **settings})
    (written,) = write_prepared_lists({data / 'train.txt': source}, out, results)
    return results, written


def dataset(root: Path, sampling: dict | None = None, **settings) -> VideoDataset:
    read = dict(type='ReadClip', sampling=sampling or dict(type='SampleStridedClip', clip_len=4, frame_interval=2))
    steps = [read, dict(type='MultiScaleCrop', size=16), dict(type='PackVideoInputs')]
    return VideoDataset(steps, 'train.txt', data_root=str(root), **settings)


def samples(data: VideoDataset, workers: int) -> list:
    loader = DataLoader(data, 1, sampler=SeededSampler(data, seed=3), num_workers=workers, collate_fn=list)
    return [batch[0] for _ in range(2) for batch in loader]


@pytest.mark.parametrize('workers', [0, 2])
def test_clips_of_shards_are_those_of_files(data: Path, tmp_path: Path, workers: int) -> None:
    """Two epochs, with replacements of a missing one, cropped at random, bit for bit."""
    there = [(name, label) for label, name in enumerate(NAMES) if name not in ('bad.mp4', 'no.mp4')]
    (data / 'train.txt').write_text(''.join(f'{name} {label}\n' for name, label in there))
    pack(data, tmp_path / 'out', size=2)
    for root in (data, tmp_path / 'out'):  # with a video that neither has
        with open(root / 'train.txt', 'a') as file:
            file.write('train-000000.tar/gone.mp4,0\n' if root != data else 'gone.mp4 0\n')
    one, other = (samples(dataset(root), workers) for root in (data, tmp_path / 'out'))
    assert len(one) == len(other) == 12
    for sample, packed in zip(one, other, strict=True):
        assert torch.equal(sample['inputs'], packed['inputs'])
        assert int(sample['data_samples'].gt_label) == int(packed['data_samples'].gt_label)
        assert len(sample['data_samples'].failures) == len(packed['data_samples'].failures)
    failures = [failure for packed in other for failure in packed['data_samples'].failures]
    assert len(failures) >= 2 and failures[0][0].endswith('out/train-000000.tar/gone.mp4')
    assert failures[0][1] == "train-000000.tar has no member 'gone.mp4'"


def test_damaged_shards_are_unreadable_videos(data: Path, tmp_path: Path) -> None:
    pack(data, tmp_path / 'out', size=9)
    shard = tmp_path / 'out/train-000000.tar'
    offset, _ = shard_index(shard).members['three.avi']
    shard.write_bytes(shard.read_bytes()[: offset + 5])
    found = [*TolerantDataset(dataset(tmp_path / 'out', test_mode=True))]
    assert [not result.reason for result in found] == [True, False, True, True, False, False]
    assert "has no member 'three.avi', and is damaged" in found[4].reason
    shard.unlink()
    with pytest.raises(FileNotFoundError, match='none of 6 videos looked for'):
        len(dataset(tmp_path / 'out'))


def test_checks_read_shards(data: Path, tmp_path: Path) -> None:
    _, written = pack(data, tmp_path / 'out')
    (files,), (packed,) = find_sources(data / 'train.txt'), find_sources(written)
    facts = [
        check_videos([one.file(path) for path, _ in one.entries], tmp_path / 'check/videos.jsonl', num_workers=0)
        for one in (files, packed)
    ]
    content, found = ({one.content for one in own.values() if not one.reason} for own in facts)
    assert content == found and len(content) == 5
    assert describe_source(packed, facts[1])[0] == 'train: 5 of 6 videos can be read'


def test_files_are_copied_as_they_are(data: Path, tmp_path: Path) -> None:
    results, written = pack(data, tmp_path / 'out')
    assert [(entry.path, entry.label) for entry in read_entries(written)] == [
        ('train-000000.tar/clips/one 1.mkv', 0),
        ('train-000000.tar/bad.mp4', 1),
        ('train-000000.tar/clips/two.mp4', 2),
        ('train-000001.tar/clips/two.mkv', 3),
        ('train-000001.tar/three.avi', 4),
        ('train-000001.tar/four.mp4', 5),
    ]
    for entry, name in zip(read_entries(written), NAMES, strict=False):
        with open_bytes(tmp_path / 'out' / entry.path) as file:
            assert file.read() == (data / name).read_bytes()
    assert [(Path(one.source).name, one.reason) for one in results if one.reason] == [
        ('no.mp4', 'there is no such file')
    ]
    assert (tmp_path / 'out/classes.txt').is_file() and shard_index(tmp_path / 'out/train-000002.tar').members == {}


def test_prepared_videos_are_those_of_files(data: Path, tmp_path: Path) -> None:
    """The same bytes; failures are known when all is there already, and nothing but a lock remains in the folder."""
    (source,) = find_sources(data / 'train.txt')
    video_preparation.prepare_videos([source], tmp_path / 'files', FORM, num_workers=0)
    first, written = pack(data, tmp_path / 'out', FORM, num_workers=1)
    again, _ = pack(data, tmp_path / 'out', FORM)
    assert first == again and [bool(result.reason) for result in first] == [
        name in ('bad.mp4', 'no.mp4') for name in NAMES
    ]
    assert [entry.label for entry in read_entries(written)] == [0, 2, 3, 4, 5]
    for entry in read_entries(written):
        shard, _, name = entry.path.partition('/')
        with open_bytes(tmp_path / 'out' / entry.path) as file:
            assert file.read() == (tmp_path / 'files' / name).read_bytes()
        assert len(read_frames(tmp_path / 'out' / entry.path)) >= 10
        stem = name.removesuffix('.mp4')
        with open_bytes(tmp_path / 'out' / shard / f'{stem}.cls') as file:
            assert int(file.read()) == entry.label
    shards = [f'train-00000{number}.tar{index}' for number in range(3) for index in ('', '.index')]
    failed = ['train-000000.failed.csv', 'train-000002.failed.csv']
    others = ['.train.lock', 'classes.txt', 'failed.csv', 'prepared.json', 'train.txt']
    assert sorted(path.name for path in (tmp_path / 'out').iterdir()) == sorted([*shards, *failed, *others])


def test_a_stopped_preparation_goes_on(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []
    prepare = video_preparation.prepare_video

    def stop_at(name: str) -> None:
        def counted(source: str, target: str, form: Form) -> int:
            if Path(source).name == name:
                raise KeyboardInterrupt
            made.append(Path(source).name)
            return prepare(source, target, form)

        monkeypatch.setattr(video_preparation, 'prepare_video', counted)

    stop_at('four.mp4')  # the last one of the second shard
    with pytest.raises(KeyboardInterrupt):
        pack(data, tmp_path / 'out', FORM)
    assert exists(tmp_path / 'out/train-000000.tar') and not exists(tmp_path / 'out/train-000001.tar')
    before = (tmp_path / 'out/train-000000.tar').stat().st_mtime_ns
    made.clear()
    stop_at('')
    pack(data, tmp_path / 'out', FORM)
    assert made == ['four.mp4', 'no.mp4'] and (tmp_path / 'out/train-000000.tar').stat().st_mtime_ns == before
    pack(data, tmp_path / 'whole', FORM)
    for number in range(3):
        name = f'train-00000{number}.tar'
        assert (tmp_path / 'out' / name).read_bytes() == (tmp_path / 'whole' / name).read_bytes()


def test_another_process_keeps_what_it_has_prepared(data: Path, tmp_path: Path) -> None:
    theirs = tmp_path / 'out/.unpacked/val-000000/four.mp4'
    theirs.parent.mkdir(parents=True)
    theirs.write_bytes(b'prepared')
    own = tmp_path / 'out/.unpacked/train-000000/x.mp4'  # of a run that was stopped after the shard was written
    own.parent.mkdir()
    own.write_bytes(b'prepared')
    pack(data, tmp_path / 'out', FORM)
    assert theirs.is_file() and not own.parent.exists()


def test_one_process_packs_a_list(data: Path, tmp_path: Path) -> None:
    (tmp_path / 'out').mkdir()
    code = 'import sys; from mmsigma.io.locks import lock; file = lock(sys.argv[1]); print("held", flush=True); input()'
    command = [sys.executable, '-c', code, str(tmp_path / 'out' / '.train.lock')]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout.readline() == 'held\n'
        with pytest.raises(HeldError, match=f'.train.lock is locked by process {other.pid}'):
            pack(data, tmp_path / 'out')
        other.communicate('\n')
    refused: list[str] = []

    def try_once(_: object) -> None:
        if not refused:
            refused.append(subprocess.run([*command], capture_output=True, text=True, input='\n').stderr)

    assert len(pack(data, tmp_path / 'out', on_video=try_once)[0]) == 7
    assert 'HeldError' in refused[0]  # what this process has locked


def test_failures_of_a_stopped_run_are_forgotten(data: Path, tmp_path: Path) -> None:
    (tmp_path / 'out').mkdir()
    (tmp_path / 'out/train-000001.failed.csv').write_text('path,reason\nthree.avi,too slow\n')
    first, _ = pack(data, tmp_path / 'out')
    again, _ = pack(data, tmp_path / 'out')
    assert first == again and [Path(one.source).name for one in again if one.reason] == ['no.mp4']


def test_labels_of_names_that_differ_in_their_ending(data: Path, tmp_path: Path) -> None:
    pack(data, tmp_path / 'out', size=9)
    found = dict(list_shards([tmp_path / 'out/train-000000.tar'], tmp_path / 'out'))
    assert found == {f'train-000000.tar/{name}': (label,) for label, name in enumerate(NAMES) if name != 'no.mp4'}


def test_shards_of_something_else(data: Path, tmp_path: Path) -> None:
    pack(data, tmp_path / 'out')
    with pytest.raises(ValueError, match=r"prepared with {'copied': True, 'shard_size': 3}, not .*choose another"):
        pack(data, tmp_path / 'out', size=4)
    (data / 'train.txt').write_text('four.mp4 0\nthree.avi 1\n')
    with pytest.raises(ValueError, match=r'train-000000\.tar has other videos than are to be packed'):
        pack(data, tmp_path / 'out')
    with pytest.raises(ValueError, match='shards have one video or more, got 0'):
        pack(data, tmp_path / 'other', size=0)
    with pytest.raises(ValueError, match='choose a folder outside of the source'):
        pack(data, data)


def test_lists_that_share_videos(data: Path, tmp_path: Path) -> None:
    (data / 'val').mkdir()
    (data / 'val/train.txt').write_text('../four.mp4 5\n')
    (data / 'val.txt').write_text('four.mp4 5\nclips/two.mp4 2\n')
    train, val, other = (find_sources(data / name)[0] for name in ('train.txt', 'val.txt', 'val/train.txt'))
    planned = plan_shards([train, val], tmp_path, 4)
    assert [(shard.path.name, len(shard.videos)) for shard in planned] == [
        ('train-000000.tar', 4),
        ('train-000001.tar', 3),
    ]
    with pytest.raises(ValueError, match='leads out of'):
        plan_shards([other], tmp_path, 4)


def write_members(path: Path, members: dict[str, bytes]) -> None:
    with tarfile.open(path, 'w') as archive:
        for member, content in members.items():
            info = tarfile.TarInfo(member)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))


def test_shards_of_others(tmp_path: Path) -> None:
    contents = {
        './a.mp4': b'1', './a.cls': b'7', 'b/c.webm': b'2', 'b/c.json': b'{"class": [1, 4], "text": "x"}',
        'd.avi': b'3', 'e.txt': b'4',
    }  # fmt: skip
    for name, members in (('0.tar', contents), ('1.tar', {'a.mp4': b'5', 'a.cls': b'cat'})):
        write_members(tmp_path / name, members)
    found = list_shards([tmp_path / '0.tar'], tmp_path, 'class')
    assert found == [('0.tar/a.mp4', (7,)), ('0.tar/b/c.webm', (1, 4)), ('0.tar/d.avi', (-1,))]
    assert list_shards([tmp_path / '0.tar'], tmp_path / 'lists')[1] == ('../0.tar/b/c.webm', (-1,))
    with pytest.raises(ShardError, match=r"1\.tar/a\.cls has no integers as labels: b'cat'"):
        list_shards([tmp_path / '1.tar'], tmp_path)
    for text in ('1.7', 'true', 'Infinity', '[1, 2.0]'):
        write_members(tmp_path / '1.tar', {'a.mp4': b'5', 'a.cls': text.encode()})
        with pytest.raises(ShardError, match=r'1\.tar/a\.cls has no integers as labels'):
            list_shards([tmp_path / '1.tar'], tmp_path)
    (tmp_path / '0.tar').write_bytes((tmp_path / '0.tar').read_bytes()[:1500])
    with pytest.raises(ShardError, match=r'0\.tar is damaged: .*; make or copy it anew'):
        list_shards([tmp_path / '0.tar'], tmp_path)


def test_tools(run_tool: Callable[..., Result], data: Path, tmp_path: Path) -> None:
    out, prepare = tmp_path / 'out', 'tools/prepare_videos.py'
    packed = run_tool(prepare, data / 'clips', '--out', out, '--shards', 2, '--copy', '--num-workers', 0)
    assert packed.status == 0, packed.errors
    assert packed.output.splitlines() == [f'3 of 3 videos in {out}', f'list {out / "clips.csv"}']
    assert json.loads((out / 'prepared.json').read_text()) == {'copied': True, 'shard_size': 2}
    listed = run_tool('tools/list_shards.py', out, '--out', tmp_path / 'all.csv')
    assert listed.status == 0, listed.errors
    assert listed.output.splitlines() == [f'3 videos of 2 shards, 0 of them with labels: {tmp_path / "all.csv"}']
    own, found = ([entry.path for entry in read_entries(path)] for path in (out / 'clips.csv', tmp_path / 'all.csv'))
    assert [f'out/{path}' for path in own] == found
    assert np.array_equal(read_frames(tmp_path / found[0]), read_frames(data / 'clips/one 1.mkv'))
    of_shards = run_tool(prepare, out, '--out', tmp_path / 'again')
    assert of_shards.status == 1 and 'list their videos with mmsigma list-shards' in of_shards.errors
    wrong = run_tool(prepare, data / 'clips', '--out', out, '--copy')
    assert wrong.status == 2 and '--copy packs files as they are: set --shards, too' in wrong.errors
