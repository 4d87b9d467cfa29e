"""Decoders behind one interface: folders of images, and decoders that are trusted with plain files alone."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from mmsigma.datasets.transforms import ReadClip
from mmsigma.io import decoders
from mmsigma.io.decoders import FolderReader, open_video
from mmsigma.io.video_file import UnreadableVideoError
from tests.io.odd_videos import decoded, write


def picture(level: int, size: tuple[int, int] = (6, 8)) -> np.ndarray:
    """RGB, with another value in each channel."""
    return np.full((*size, 3), (level, level + 1, level + 2), np.uint8)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Images 0 to 11, of levels 0, 10, ..., whose names are not padded."""
    for number in range(12):
        cv2.imwrite(str(tmp_path / f'img_{number}.png'), picture(10 * number)[..., ::-1])
    return tmp_path


class TestFolders:
    def test_images_in_the_order_of_their_numbers(self, folder: Path) -> None:
        reader = open_video(folder)
        assert len(reader) == 12 and reader.fps == 0
        frames = reader.read([11, 2, 2, 0])
        np.testing.assert_array_equal(frames, [picture(level) for level in (110, 20, 20, 0)])

    def test_each_image_is_read_once(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        read, names = decoders.read_picture, []
        monkeypatch.setattr(decoders, 'read_picture', lambda path: names.append(path.name) or read(path))
        FolderReader(folder).read([3, 3, 1, 3])
        assert names == ['img_1.png', 'img_3.png']

    def test_clips_of_several_views(self, folder: Path) -> None:
        sampling = dict(type='SampleDenseViews', clip_len=2, frame_interval=4, num_clips=2)
        results = ReadClip(sampling)(dict(filename=str(folder)))
        levels = [int(frame[0, 0, 0]) // 10 for frame in results['imgs']]
        assert levels == results['frame_inds'].ravel().tolist() and len(levels) == 4
        assert results['img_shape'] == results['original_shape'] == (6, 8)

    def test_what_is_no_image(self, folder: Path) -> None:
        (folder / 'img_3.png').write_bytes(b'no image')
        reader = FolderReader(folder)
        with pytest.raises(UnreadableVideoError, match=r'cannot be read: img_3\.png cannot be read as an image$'):
            reader.read([2, 3])
        assert len(reader.read([2, 4])) == 2  # only what is asked for is read

    def test_images_of_unequal_size(self, folder: Path) -> None:
        cv2.imwrite(str(folder / 'img_5.png'), picture(0, (6, 10)))
        message = r'all images of a video must have the same size: img_1\.png is 8 x 6, img_5\.png is 10 x 6'
        with pytest.raises(UnreadableVideoError, match=message):
            FolderReader(folder).read([5, 1])

    def test_no_images_at_all(self, tmp_path: Path) -> None:
        with pytest.raises(UnreadableVideoError, match='the folder has no images'):
            open_video(tmp_path)
        with pytest.raises(UnreadableVideoError, match='nowhere'):
            open_video(tmp_path / 'nowhere', 'frames')

    def test_a_file_in_place_of_a_folder(self, tmp_path: Path) -> None:
        (tmp_path / 'a.mp4').touch()
        with pytest.raises(UnreadableVideoError, match=r'it is a file, but decoder=frames .* set decoder=auto'):
            open_video(tmp_path / 'a.mp4', 'frames')


class TestPlainFiles:
    def test_decord_is_trusted_with_plain_files(self, tmp_path: Path) -> None:
        path = write(tmp_path / 'a.mp4')
        expected = decoded(path)
        reader = open_video(path, 'decord')
        assert len(reader) == 40 and reader.fps == 25
        np.testing.assert_array_equal(reader.read([30, 3, 3]), [expected[number] for number in (30, 3, 3)])

    @pytest.mark.parametrize(
        ('name', 'codec', 'what'), [('a.ts', 'libx264', 'h264 in mpegts'), ('a.mkv', 'ffv1', 'ffv1 in matroska')]
    )
    def test_and_with_no_others(self, tmp_path: Path, name: str, codec: str, what: str) -> None:
        path = write(tmp_path / name, codec=codec)
        with pytest.raises(UnreadableVideoError, match=rf'decord cannot be trusted with it \({what}.*decoder=auto'):
            open_video(path, 'decord')
        np.testing.assert_array_equal(open_video(path).read([9]), [decoded(path)[9]])

    def test_files_that_are_not_there(self, tmp_path: Path) -> None:
        for decoder in ('auto', 'pyav', 'decord'):
            with pytest.raises(FileNotFoundError, match='no video at .*missing.mp4'):
                open_video(tmp_path / 'missing.mp4', decoder)
        with pytest.raises(ValueError, match="unknown decoder 'opencv': choose one of"):
            open_video(tmp_path / 'missing.mp4', 'opencv')

    @pytest.mark.parametrize(
        ('name', 'options', 'what'),
        [
            ('hevc', dict(codec='libx265', **{'x265-params': 'log-level=none'}), 'cannot be trusted'),
            ('b_frames', dict(codec='mpeg4', bf='2'), 'cannot be trusted'),
            ('fragments', dict(muxing={'movflags': 'frag_keyframe+empty_moov'}), 'cannot be trusted'),
            ('open', {'g': '8', 'bf': '3', 'x264-params': 'open-gop=1:b-adapt=0'}, '(other frames|cannot be trusted)'),
        ],
    )
    def test_where_decord_gives_neighbours(self, tmp_path: Path, name: str, options: dict, what: str) -> None:
        path = write(tmp_path / f'{name}.mp4', 24, **options)
        with pytest.raises(UnreadableVideoError, match=rf'decord.*{what}.*decoder=auto'):
            open_video(path, 'decord')
