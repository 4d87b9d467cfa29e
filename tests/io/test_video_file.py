"""Frames of files are those that decoding from start to end gives, whatever the container does with times."""

import os
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from mmsigma.io.video_file import ChangedIndexError, UnreadableVideoError, VideoFile
from tests.io.odd_videos import decoded, picture, shifted, turn, with_packets, write


def assert_is_what_decoding_gives(path: Path, seed: int = 0) -> VideoFile:
    """Whole and in random order, with repetitions."""
    expected = decoded(path)
    video = VideoFile(path)
    assert len(video) == len(expected)
    for numbers in (range(len(expected)), np.random.default_rng(seed).integers(len(expected), size=12).tolist(), [7]):
        for number, frame in zip(numbers, video.read(list(numbers)), strict=True):
            np.testing.assert_array_equal(frame, expected[number], err_msg=f'{path.name}, frame {number}')
    for number, frame in enumerate(video):  # reading others in between changes nothing
        np.testing.assert_array_equal(frame, expected[number], err_msg=f'{path.name}, frame {number} in order')
        other = len(expected) - 1 - number
        np.testing.assert_array_equal(video.read([other])[0], expected[other])
    assert number == len(expected) - 1
    return video


@pytest.mark.parametrize(
    ('name', 'codec'),
    [
        ('a.mp4', 'libx264'),
        ('a.mkv', 'libx264'),
        ('a.mov', 'mpeg4'),
        ('a.avi', 'mpeg4'),
        ('a.avi', 'libx264'),
        ('a.ts', 'libx264'),
        ('a.mpg', 'mpeg2video'),
        ('a.webm', 'libvpx'),
        ('a.webm', 'libvpx-vp9'),
        ('a.flv', 'flv'),
        ('a.mkv', 'ffv1'),
        ('a.mp4', 'mjpeg'),
    ],
)
def test_containers_and_codecs(tmp_path: Path, name: str, codec: str) -> None:
    pix_fmt = 'yuvj420p' if codec == 'mjpeg' else 'yuv420p'
    video = assert_is_what_decoding_gives(write(tmp_path / name, codec=codec, pix_fmt=pix_fmt))
    assert len(video) == 40 and video.fps == pytest.approx(25)
    np.testing.assert_allclose(video.times(), np.arange(40) / 25, atol=2e-3)


def test_edit_list(tmp_path: Path) -> None:
    """The start of a video is cut off without encoding it anew: its frames are stored, but not shown."""
    whole = write(tmp_path / 'whole.mp4')
    cut = with_packets(whole, tmp_path / 'cut.mp4', lambda number, packet: shifted(packet, -9))
    video = assert_is_what_decoding_gives(cut)
    assert len(video) == 31 and not video.is_plain
    assert 'edit list' in video.description


def test_variable_frame_rate(tmp_path: Path) -> None:
    stamps = [0, 1, 2, 5, 9, 10, 20, 21, 22, 30]
    path = write(tmp_path / 'a.mp4', 10, stamps=stamps.__getitem__, time_base=Fraction(1, 30), fps=30)
    video = assert_is_what_decoding_gives(path)
    np.testing.assert_allclose(video.times(), np.array(stamps) / 30, atol=1e-3)


def test_late_start(tmp_path: Path) -> None:
    path = write(tmp_path / 'a.ts', stamps=lambda number: number + 1000)
    np.testing.assert_allclose(assert_is_what_decoding_gives(path).times(), np.arange(40) / 25, atol=1e-3)


def test_equal_times(tmp_path: Path) -> None:
    whole = write(tmp_path / 'whole.mkv', bf='0')

    def halve(number: int, packet: av.Packet) -> av.Packet:
        step = int(Fraction(1, 25) / packet.time_base)
        packet.pts = packet.dts = packet.pts // (2 * step) * 2 * step
        return packet

    path = with_packets(whole, tmp_path / 'twice.mkv', halve)
    video = assert_is_what_decoding_gives(path)
    assert len(video) == 40 and not video.is_plain


@pytest.mark.parametrize(('degrees', 'turns'), [(90, 1), (180, 2), (-90, 3)])
def test_rotation(tmp_path: Path, degrees: int, turns: int) -> None:
    matrix = {90: (0, -1, 1, 0), 180: (-1, 0, 0, -1), -90: (0, 1, -1, 0)}[degrees]
    path = turn(write(tmp_path / 'a.mp4', 5), matrix)
    stored, shown = decoded(path)[3], VideoFile(path).read([3])[0]
    np.testing.assert_array_equal(shown, np.rot90(stored, turns))
    assert shown.flags['C_CONTIGUOUS']


def test_lost_frames_are_not_replaced(tmp_path: Path) -> None:
    """The file announces 40 frames, of which the decoder gives fewer: numbers are those of the frames there are."""
    whole = write(tmp_path / 'whole.mkv', bf='0', g='40')
    path = with_packets(whole, tmp_path / 'a.mkv', lambda number, packet: None if number < 10 else packet)
    expected = decoded(path)
    video = VideoFile(path)
    if len(video) != len(expected):
        with pytest.raises(ChangedIndexError):
            video.read(list(range(len(video))))
    assert len(video) == len(expected)
    for frame, other in zip(video.read(list(range(len(expected)))), expected, strict=True):
        np.testing.assert_array_equal(frame, other)


def test_seeks_instead_of_decoding_everything(tmp_path: Path) -> None:
    path = write(tmp_path / 'a.mp4', 49)
    video, shown = VideoFile(path), []
    decode = video._picture
    video._picture = lambda frame: shown.append(frame.pts) or decode(frame)
    assert [int(frame[-1, 0, 1]) for frame in video.read([48, 2, 48])] == pytest.approx(
        [int(picture(number)[-1, 0, 1]) for number in (48, 2, 48)], abs=3
    )
    assert len(shown) == 2


@pytest.mark.parametrize('name', ['a.mp4', 'a.ts'])
def test_iteration_goes_on_after_other_reads(tmp_path: Path, name: str) -> None:
    path = write(tmp_path / name, codec='libx264')
    expected, video, between = decoded(path), VideoFile(path), {0: 39, 4: 5, 17: 2, 39: 0}
    for number, frame in enumerate(video):
        np.testing.assert_array_equal(frame, expected[number], err_msg=str(number))
        if number in between:
            np.testing.assert_array_equal(video.read([between[number]])[0], expected[between[number]])
        if number == 20:
            assert len(video.times()) == 40
        if number == 30:
            assert len(list(video)) == 40
    assert number == 39


def test_numbers_out_of_range(tmp_path: Path) -> None:
    video = VideoFile(write(tmp_path / 'a.mp4', 5))
    assert video.read([]) == []
    for wrong in (-1, 5):
        with pytest.raises(IndexError, match='a.mp4 has frames 0 to 4, but'):
            video.read([0, wrong])


def test_what_is_no_video(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        VideoFile(tmp_path / 'missing.mp4')
    with pytest.raises(UnreadableVideoError, match='it is a folder, not a file'):
        VideoFile(tmp_path)
    os.mkfifo(tmp_path / 'pipe.mp4')
    with pytest.raises(UnreadableVideoError, match='it is a pipe or device, not a file'):
        VideoFile(tmp_path / 'pipe.mp4')
    (tmp_path / 'text.mp4').write_text('no video')
    with pytest.raises(UnreadableVideoError, match='text.mp4 cannot be read: Invalid data'):
        VideoFile(tmp_path / 'text.mp4')
    with av.open(str(tmp_path / 'sound.mp4'), 'w') as file:
        stream = file.add_stream('aac', rate=8000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), 'fltp', 'mono')
        frame.sample_rate = 8000
        file.mux(stream.encode(frame))
        file.mux(stream.encode(None))
    with pytest.raises(UnreadableVideoError, match='it has no video stream'):
        VideoFile(tmp_path / 'sound.mp4')
