"""What packets announce, what decoding gives, and which frames are sound."""

from pathlib import Path

import av
import numpy as np
import pytest

from mmsigma.io.video_container import open_container
from mmsigma.io.video_file import UnreadableVideoError, VideoFile
from mmsigma.io.video_index import Index, decode, index_of_frames, index_of_packets
from tests.io.odd_videos import decoded, with_packets, write


def index_of(path: Path) -> Index:
    container, stream = open_container(path, 1)
    try:
        return index_of_packets(container, stream)
    finally:
        container.close()


def test_whole_files(tmp_path: Path) -> None:
    index = index_of(write(tmp_path / 'a.mp4'))
    assert len(index.stamps) == index.num_packets == 40 and index.keys == [0, 12, 24, 36]
    assert index.is_reordered and not (index.starts_late or index.has_open_groups or index.is_counted)
    assert not index_of(write(tmp_path / 'b.mp4', bf='0')).is_reordered
    assert index_of(write(tmp_path / 'c.avi')).stamps == []  # its times are those of decoding


def test_a_start_between_key_frames_is_counted(tmp_path: Path) -> None:
    """Single frames have the numbers that they have from start to end, also behind a key frame."""
    whole = write(tmp_path / 'whole.mkv')
    path = with_packets(whole, tmp_path / 'a.mkv', lambda number, packet: None if number < 5 else packet)
    assert index_of(path).starts_late
    expected = decoded(path)
    with VideoFile(path) as video:
        assert len(video) == len(expected) < 35
        for number in (20, 0, 27):
            np.testing.assert_array_equal(video.read([number])[0], expected[number])


def test_clocks_that_jump_are_not_sorted(tmp_path: Path) -> None:
    parts = [
        write(tmp_path / f'{name}.ts', stamps=lambda number, start=start: number + start)
        for name, start in [('late', 1000), ('early', 0)]
    ]
    path = tmp_path / 'joined.ts'
    path.write_bytes(b''.join(part.read_bytes() for part in parts))
    expected = decoded(path)
    with VideoFile(path) as video:
        assert len(video) == len(expected)
        np.testing.assert_array_equal(video.read([3, 60]), [expected[3], expected[60]])


def test_what_follows_a_damaged_frame_is_not_sound(tmp_path: Path) -> None:
    """Up to the next key frame; what decoders fill in is no frame of the video."""
    path = write(tmp_path / 'a.mp4', bf='0')
    expected, data = decoded(path), bytearray(path.read_bytes())
    with av.open(str(path)) as file:
        hurt = [packet for packet in file.demux(video=0) if packet.size][15]
    data[hurt.pos + 5 : hurt.pos + hurt.size] = b'\xff' * (hurt.size - 5)
    path.write_bytes(data)
    container, stream = open_container(path, 1)
    sound = [is_sound for frame, is_sound in decode(container.demux(stream))]
    container.close()
    again = next(key for key in index_of(path).keys if key > 15)
    assert sound[:15] == [True] * 15 and sound[again - 40 :] == [True] * (40 - again) and sum(sound) == 55 - again
    with VideoFile(path) as video:
        assert len(video) == 40  # numbers remain those of the times
        for number in (14, again, 39):
            np.testing.assert_array_equal(video.read([number])[0], expected[number])
        for number in (15, 16, again - 1):
            with pytest.raises(UnreadableVideoError, match=f'it is damaged: frame {number} of 40 cannot be decoded'):
                video.read([number])


def test_frames_without_times_are_counted() -> None:
    class Frame:
        pts = None

    index = index_of_frames(
        [(Frame(), True), (None, False), (Frame(), False)], Index([], [], True, False, False), has_times=True
    )
    assert index.stamps == [0, 1] and index.is_counted and index.is_checked
