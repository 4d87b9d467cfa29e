"""Video files and folders of pictures, frame by frame."""

from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from mmsigma.io.pictures import list_pictures
from mmsigma.io.video import FrameReader, frame_times, read_frames, write_mp4, write_playable
from tests.io.odd_videos import decoded, write


def gradient(number: int, size: tuple[int, int] = (48, 64)) -> np.ndarray:
    frame = np.zeros((*size, 3), np.uint8)
    frame[..., 0] = 8 * number
    frame[..., 2] = np.linspace(0, 255, size[1])
    return frame


def test_reads_what_was_written(tmp_path: Path) -> None:
    write_mp4(tmp_path / 'a.mp4', (gradient(number) for number in range(20)), fps=12.5)
    reader = FrameReader(tmp_path / 'a.mp4')
    assert (len(reader), reader.fps, reader.names[:2]) == (20, 12.5, ['00000', '00001'])
    for number, frame in enumerate(reader):
        assert np.abs(frame.astype(int) - gradient(number)).mean() < 4
    assert np.abs(reader.read(3).astype(int) - gradient(3)).mean() < 4


def test_folder_of_pictures(tmp_path: Path) -> None:
    for number in (2, 0, 1):
        cv2.imwrite(str(tmp_path / f'f{number}.png'), gradient(number)[..., ::-1])
    (tmp_path / 'notes.txt').write_text('no picture')
    reader = FrameReader(tmp_path, fps=5)
    assert (len(reader), reader.fps, reader.names) == (3, 5, ['f0', 'f1', 'f2'])
    assert reader.name == tmp_path.name
    np.testing.assert_array_equal(np.stack(list(reader)), np.stack([gradient(number) for number in range(3)]))
    (tmp_path / 'f1.png').write_bytes(b'damaged')
    with pytest.raises(ValueError, match='f1.png cannot be read as an image'):
        list(reader)


def test_numbers_in_names_count_as_numbers(tmp_path: Path) -> None:
    names = ['0', '1', '2', '10', '11', 'b1_9', 'b1_10', 'b02_1']
    for name in names[::-1]:
        cv2.imwrite(str(tmp_path / f'{name}.png'), gradient(1))
    assert [path.stem for path in list_pictures(tmp_path)] == names
    assert [path.stem for path in list_pictures(tmp_path, {'10', '2'})] == ['2', '10']
    for name in names[:5]:
        (tmp_path / f'{name}.png').unlink()
    assert FrameReader(tmp_path).names == names[5:]


def test_a_frame_that_is_there_twice(tmp_path: Path) -> None:
    for name in ('00000.jpg', '00000.png', '00001.jpg'):
        cv2.imwrite(str(tmp_path / name), gradient(1))
    with pytest.raises(ValueError, match='has both 00000.jpg and 00000.png: keep one image per frame'):
        FrameReader(tmp_path)
    assert [path.name for path in list_pictures(tmp_path, {'00001'})] == ['00001.jpg']


def test_what_is_no_video(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match='no video at .*missing.mp4'):
        FrameReader(tmp_path / 'missing.mp4')
    (tmp_path / 'text.mp4').write_text('no video')
    with pytest.raises(ValueError, match='text.mp4 cannot be read: Invalid data'):
        FrameReader(tmp_path / 'text.mp4')
    (tmp_path / 'empty').mkdir()
    with pytest.raises(ValueError, match='empty cannot be read: it has no frames'):
        FrameReader(tmp_path / 'empty')


def test_a_video_is_written_as_a_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / 'a.mp4'
    write_mp4(path, [gradient(0)] * 3, fps=5)
    before = path.read_bytes()
    with pytest.raises(ValueError, match=r'frame 1 of .*a.mp4 is \(20, 64, 3\), but earlier frames are \(48, 64, 3\)'):
        write_mp4(path, [gradient(0), gradient(1, (20, 64))], fps=5)
    with pytest.raises(ValueError, match='no frame to write'):
        write_mp4(path, [], fps=5)
    assert path.read_bytes() == before


def test_frames_of_a_file_and_of_a_folder(tmp_path: Path) -> None:
    path = write(tmp_path / 'a.mkv', 20)
    expected = decoded(path)
    np.testing.assert_array_equal(read_frames(path), expected)
    np.testing.assert_array_equal(read_frames(path, [7, 0, 7]), [expected[7], expected[0], expected[7]])
    folder = tmp_path / 'frames'
    folder.mkdir()
    for number in range(3):
        cv2.imwrite(str(folder / f'{number}.png'), gradient(number)[..., ::-1])
    np.testing.assert_array_equal(read_frames(folder, [2]), [gradient(2)])
    with pytest.raises(IndexError, match='a.mkv has frames 0 to 19'):
        read_frames(path, [20])


def test_times(tmp_path: Path) -> None:
    path = write(tmp_path / 'a.mp4', 20)
    np.testing.assert_allclose(frame_times(path), np.arange(20) / 25, atol=1e-4)
    np.testing.assert_allclose(FrameReader(path).times(), np.arange(20) / 25, atol=1e-4)


def test_any_order_of_reading(tmp_path: Path) -> None:
    path = write(tmp_path / 'a.mp4', 30)
    expected, reader = decoded(path), FrameReader(path)
    for number in (0, 1, 2, 7, 3, 4, 29, 0, 1, 28, 29):
        np.testing.assert_array_equal(reader.read(number), expected[number], err_msg=str(number))


def test_times_may_be_asked_for_while_frames_are_read(tmp_path: Path) -> None:
    path = write(tmp_path / 'a.mp4', 40)
    expected, reader = decoded(path), FrameReader(path)
    for number in range(40):
        np.testing.assert_array_equal(reader.read(number), expected[number], err_msg=str(number))
        assert len(reader.times()) == 40


class TestPlayable:
    """What browsers need: H.264 in 4:2:0, with the index before the pictures."""

    @pytest.mark.parametrize(('size', 'stored'), [((48, 64), (48, 64)), ((47, 63), (48, 64))])
    def test_frames_are_there(self, size: tuple[int, int], stored: tuple[int, int], tmp_path: Path) -> None:
        path = tmp_path / 'new' / 'a.mp4'
        write_playable(path, (gradient(number, size) for number in range(20)), fps=12.5)
        with av.open(str(path)) as file:
            (stream,) = file.streams
            assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ('h264', 'yuv420p')
            assert float(stream.average_rate) == 12.5 and (stream.height, stream.width) == stored
        data = path.read_bytes()
        assert 0 < data.index(b'moov') < data.index(b'mdat')
        reader = FrameReader(path)
        assert len(reader) == 20
        for number, frame in enumerate(reader):
            difference = abs(frame[: size[0], : size[1]].astype(int) - gradient(number, size))
            assert difference.mean() < 4

    def test_height_is_an_option(self, tmp_path: Path) -> None:
        write_playable(tmp_path / 'a.mp4', [gradient(0, (96, 130))] * 3, fps=25, height=48)
        assert read_frames(tmp_path / 'a.mp4').shape == (3, 48, 66, 3)

    @pytest.mark.parametrize(('fps', 'height'), [(0.0, None), (float('nan'), None), (8.0, 0), (8.0, -5)])
    def test_rates_and_heights_that_are_none(self, fps: float, height: int | None, tmp_path: Path) -> None:
        with pytest.raises(ValueError, match='frame rate and height must be positive'):
            write_playable(tmp_path / 'a.mp4', np.zeros((2, 8, 8, 3), np.uint8), fps, height=height)
        assert not (tmp_path / 'a.mp4').exists()

    def test_nothing_is_left_of_what_fails(self, tmp_path: Path) -> None:
        with pytest.raises(ValueError, match=r'frame 1 of .*a.mp4 is \(20, 64, 3\), but earlier frames are'):
            write_playable(tmp_path / 'a.mp4', [gradient(0), gradient(1, (20, 64))], fps=5)
        for name in ('a.gif', 'a'):
            with pytest.raises(ValueError, match=f'{name} must end in .mp4'):
                write_playable(tmp_path / name, [gradient(0)], fps=5)
        with pytest.raises(ValueError, match='no frame to write'):
            write_playable(tmp_path / 'a.mp4', [], fps=5)
        assert list(tmp_path.iterdir()) == []


def test_frames_in_order_and_others_in_between(tmp_path: Path) -> None:
    frames = [np.full((16, 16, 3), 6 * number, np.uint8) for number in range(40)]
    write_playable(tmp_path / 'a.mp4', frames, fps=10)
    video = FrameReader(tmp_path / 'a.mp4')
    for number in range(40):  # more than are read ahead
        others = number, 39, number // 2
        shades = [round(float(video.read(other).mean())) for other in others]
        assert shades == pytest.approx([6 * other for other in others], abs=3)
        assert len(video.times()) == 40
