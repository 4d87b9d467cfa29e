"""Videos inside of tar files: the same frames as of files, and clear words where something is wrong."""

import io
import json
import os
import tarfile
from pathlib import Path

import numpy as np
import pytest

from mmsigma.io import shards
from mmsigma.io.decoders import open_video
from mmsigma.io.shards import (
    Packed,
    ShardError,
    exists,
    file_on_disk,
    find_member,
    open_bytes,
    shard_index,
    split_path,
    write_shard,
)
from mmsigma.io.sound import Sound
from mmsigma.io.video import FrameReader, frame_times, read_frames
from mmsigma.io.video_file import UnreadableVideoError, VideoFile
from tests.datasets.clips import write_video

NAMES = ('clips/one 1.mp4', 'two.avi', 'three.webm', 'four.mkv')


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """Videos of several formats; without times, as AVI, frames are counted."""
    folder = tmp_path / 'files'
    (folder / 'clips').mkdir(parents=True)
    for number, name in enumerate(NAMES):
        codec = {'.avi': 'mpeg4', '.webm': 'libvpx-vp9'}.get(Path(name).suffix, 'libx264')
        write_video(folder / name, 10 + number, codec, b_frames=0)
    return folder


@pytest.fixture
def shard(files: Path, tmp_path: Path) -> Path:
    path = tmp_path / 'shards' / 'a.tar'
    write_shard(path, [Packed(name, str(files / name), (number,)) for number, name in enumerate(NAMES)])
    return path


@pytest.mark.parametrize('name', NAMES)
@pytest.mark.parametrize('decoder', ['auto', 'pyav', 'decord'])
def test_frames_are_those_of_the_file(files: Path, shard: Path, name: str, decoder: str) -> None:
    if decoder == 'decord':
        pytest.importorskip('decord')
        if name == 'two.avi':
            with pytest.raises(UnreadableVideoError, match=r'a\.tar/two\.avi cannot be read: decord cannot be trusted'):
                open_video(shard / name, 'decord')
            return
    assert np.array_equal(read_frames(shard / name, [7, 1, 9, 1], decoder), read_frames(files / name, [7, 1, 9, 1]))
    assert np.array_equal(frame_times(shard / name), frame_times(files / name))


def test_frames_from_start_to_end(files: Path, shard: Path) -> None:
    reader = FrameReader(shard / NAMES[0])
    assert reader.name == 'one 1' and np.array_equal(np.stack([*reader]), read_frames(files / NAMES[0]))
    with VideoFile(shard / NAMES[3]) as video:
        assert video.description == VideoFile(files / NAMES[3]).description and video.is_plain
    with pytest.raises(FileNotFoundError, match=r'no video at .*a\.tar/five\.mp4'):
        FrameReader(shard / 'five.mp4')
    Sound(shard / NAMES[0], None)  # it has none, but is found


def test_bytes_are_those_of_the_file(files: Path, shard: Path) -> None:
    content = (files / NAMES[0]).read_bytes()
    with open_bytes(shard / NAMES[0]) as file:
        assert file.read() == content
        assert file.seek(-5, os.SEEK_END) == len(content) - 5 and file.read(9) == content[-5:]
        assert file.seek(3) == 3 and file.seek(2, os.SEEK_CUR) == 5 == file.tell() and file.read(4) == content[5:9]
        assert file.seek(10**6) == 10**6 and file.read() == b''
        with pytest.raises(ValueError, match='there is no place -1'):
            file.raw.seek(-1)
    with open_bytes(files / NAMES[0]) as file:
        assert file.read() == content


def test_a_closed_member_reads_no_other_file(shard: Path) -> None:
    member = find_member(shard / NAMES[0])
    assert member is not None
    file = member.open()
    file.close()
    with open(shard, 'rb'), pytest.raises((OSError, ValueError)):  # it gets the number of the closed one
        file.readinto(bytearray(8))


def test_what_a_path_is(shard: Path) -> None:
    assert split_path(shard / 'x/y.mp4') == (shard, 'x/y.mp4') and split_path(shard) is None
    assert find_member(shard.parent / 'a.mp4') is None and file_on_disk('a/b.mp4') == Path('a/b.mp4')
    assert file_on_disk(shard / NAMES[0]) == shard
    assert exists(shard / NAMES[0]) and exists(shard) and not exists(shard / 'no.mp4') and not exists('no.tar/no.mp4')
    (shard.parent / 'folder.tar').mkdir()
    (shard.parent / 'folder.tar/b.tar').write_bytes(shard.read_bytes())
    assert split_path(shard.parent / 'folder.tar/c.mp4') is None
    assert exists(shard.parent / 'folder.tar/b.tar/two.avi')


def test_webdataset_finds_labels(files: Path, tmp_path: Path) -> None:
    labels = ((3,), (-1,), (1, 4), (0,))
    videos = [Packed(name, str(files / name), own) for name, own in zip(NAMES, labels, strict=True)]
    write_shard(tmp_path / 'a.tar', videos)
    write_shard(tmp_path / 'b.tar', videos)
    assert (tmp_path / 'a.tar').read_bytes() == (tmp_path / 'b.tar').read_bytes()
    with tarfile.open(tmp_path / 'a.tar') as archive:
        others = {name: archive.extractfile(name).read() for name in archive.getnames() if name not in NAMES}
    assert others == {'clips/one 1.cls': b'3', 'three.json': b'{"label": [1, 4]}', 'four.cls': b'0'}


def test_shards_are_packed_anew_from_shards(files: Path, shard: Path, tmp_path: Path) -> None:
    write_shard(tmp_path / 'b.tar', [Packed('other.avi', str(shard / 'two.avi'))])
    with open_bytes(tmp_path / 'b.tar/other.avi') as file:
        assert file.read() == (files / 'two.avi').read_bytes()


def test_a_shard_is_whole_or_not_there(files: Path, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        write_shard(tmp_path / 'a.tar', [Packed('a.mp4', str(files / NAMES[0])), Packed('b.mp4', 'no.mp4')])
    assert [path.name for path in tmp_path.iterdir()] == ['files']


class TestIndex:
    def test_it_is_read_once(self, shard: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        noted = json.loads(Path(f'{shard}.index').read_text())
        with tarfile.open(shard) as archive:
            places = {info.name: [info.offset_data, info.size] for info in archive}
        assert noted['members'] == places and noted['damage'] == ''
        monkeypatch.setattr(shards.tarfile, 'open', None)  # another process has the note alone
        shards._index.cache_clear()
        assert exists(shard / NAMES[0])

    def test_it_follows_the_shard(self, files: Path, shard: Path) -> None:
        write_shard(shard, [Packed('new.mp4', str(files / NAMES[0]))])
        assert set(shard_index(shard).members) == {'new.mp4'}
        Path(f'{shard}.index').write_text('{"stamp": "1 2"')  # cut off
        shards._index.cache_clear()
        assert set(shard_index(shard).members) == {'new.mp4'}
        assert json.loads(Path(f'{shard}.index').read_text())['members'].keys() == {'new.mp4'}

    def test_folders_that_are_only_read(self, shard: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def refuse(*_: object) -> None:
            raise PermissionError

        Path(f'{shard}.index').unlink()
        shards._index.cache_clear()
        monkeypatch.setattr(shards, 'write_text', refuse)
        assert exists(shard / NAMES[0]) and not Path(f'{shard}.index').exists()

    def test_shards_of_others(self, tmp_path: Path) -> None:
        """GNU format, names that begin with a dot, long ones, links and two members of one name."""
        long = f'{"x" * 150}.mp4'
        with tarfile.open(tmp_path / 'a.tar', 'w', format=tarfile.GNU_FORMAT) as archive:
            for name, content in (('./a.mp4', b'old'), (long, b'long'), ('./a.mp4', b'new')):
                info = tarfile.TarInfo(name)
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))
            link = tarfile.TarInfo('link.mp4')
            link.type, link.linkname = tarfile.SYMTYPE, '/etc/passwd'
            archive.addfile(link)
        assert set(shard_index(tmp_path / 'a.tar').members) == {'a.mp4', long}
        for name, content in (('a.mp4', b'new'), (long, b'long')):
            with open_bytes(tmp_path / 'a.tar' / name) as file:
                assert file.read() == content

    def test_names_do_not_lead_out_of_the_shard_and_hard_links_are_members(self, tmp_path: Path) -> None:
        with tarfile.open(tmp_path / 'a.tar', 'w') as archive:
            info = tarfile.TarInfo('x/../../secret.mp4')
            info.size = 4
            archive.addfile(info, io.BytesIO(b'mine'))
            for name, target in (('again.mp4', 'x/../../secret.mp4'), ('gone.mp4', 'other.mp4')):
                link = tarfile.TarInfo(name)
                link.type, link.linkname = tarfile.LNKTYPE, target
                archive.addfile(link)
        assert [*shard_index(tmp_path / 'a.tar').members] == ['secret.mp4', 'again.mp4']
        with open_bytes(tmp_path / 'a.tar/again.mp4') as file:
            assert file.read() == b'mine'


class TestDamage:
    def cut(self, shard: Path, size: int) -> Path:
        cut = shard.with_name('cut.tar')
        cut.write_bytes(shard.read_bytes()[:size])
        return cut

    def test_names_that_are_not_utf8(self, tmp_path: Path) -> None:
        with tarfile.open(tmp_path / 'old.tar', 'w', format=tarfile.GNU_FORMAT, encoding='latin-1') as archive:
            info = tarfile.TarInfo('caf\xe9.mp4')
            info.size = 3
            archive.addfile(info, io.BytesIO(b'abc'))
        assert list(shard_index(tmp_path / 'old.tar').members) == ['caf\xe9.mp4']
        with open_bytes(tmp_path / 'old.tar' / 'caf\xe9.mp4') as file:
            assert file.read(3) == b'abc'

    def test_what_is_there_is_read(self, files: Path, shard: Path) -> None:
        """Of a shard that was cut off inside of a member, or between two, the members before are right."""
        offset, _ = shard_index(shard).members['three.webm']
        for size in (offset + 100, offset, offset - 512):
            cut = self.cut(shard, size)
            assert np.array_equal(read_frames(cut / 'two.avi'), read_frames(files / 'two.avi'))
            with pytest.raises(UnreadableVideoError, match=r"cut\.tar/three\.webm cannot .*cut\.tar has no member 'th"):
                open_video(cut / 'three.webm')
            with pytest.raises(ShardError, match="no member 'three.webm', and is damaged: .*; make or copy it anew"):
                open_bytes(cut / 'three.webm')

    def test_damaged_headers(self, shard: Path) -> None:
        content, (offset, _) = bytearray(shard.read_bytes()), shard_index(shard).members['three.webm']
        content[offset - 512 : offset] = os.urandom(512)
        shard.write_bytes(content)
        with pytest.raises(ShardError, match=r'damaged: it breaks off after \d members'):
            find_member(shard / 'three.webm')

    @pytest.mark.parametrize('content', [b'', b'no tar file' * 200])
    def test_other_files(self, tmp_path: Path, content: bytes) -> None:
        (tmp_path / 'a.tar').write_bytes(content)
        with pytest.raises(UnreadableVideoError, match=r'a\.tar/a\.mp4 cannot be read: a\.tar is not an uncompressed'):
            open_video(tmp_path / 'a.tar/a.mp4')

    def test_nothing_there(self, shard: Path) -> None:
        with pytest.raises(FileNotFoundError):
            open_video(shard.with_name('no.tar') / 'a.mp4')
        with pytest.raises(UnreadableVideoError, match="has no member 'a.mp4'$"):
            open_video(shard / 'a.mp4')
        with pytest.raises(UnreadableVideoError, match='decoded frames are not read from shards'):
            open_video(shard / 'a.npy')
        os.mkfifo(shard.with_name('pipe.tar'))
        with pytest.raises(ShardError, match=r'pipe\.tar is no file'):
            find_member(shard.with_name('pipe.tar') / 'a.mp4')
