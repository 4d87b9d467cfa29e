"""Reading of clips by every decoder, and what becomes of files that cannot be read."""

import pickle
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from mmcv.transforms import BaseTransform

from mmsigma.datasets.transforms import (
    PyAVDecode,
    ReadClip,
    UnreadableVideoError,
)
from tests.datasets.clips import index_of, write_video

DECODERS = ['decord', 'pyav', 'torchcodec']
FRAMES = [[0, 1, 2], [9, 16, 23, 27], [27], [5, 5, 5], [20, 3, 11, 3]]


class ChooseFrames(BaseTransform):
    """Sampling for tests: frames as told."""

    def __init__(self, frames: list[int]) -> None:
        self.frames = frames

    def transform(self, results: dict) -> dict:
        return {**results, 'frame_inds': np.array(self.frames)}


class Fail(BaseTransform):
    """Raises what it is told to."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def transform(self, results: dict) -> dict:
        raise self.error


@pytest.fixture(params=DECODERS)
def decoder(request: pytest.FixtureRequest) -> str:
    if request.param == 'torchcodec':
        try:
            import torchcodec.decoders  # noqa: F401
        except (ImportError, RuntimeError) as error:
            pytest.skip(f'torchcodec is not usable here: {str(error).splitlines()[0]}')
    return request.param


def read(path: Path, decoder: str | dict, frames: list[int]) -> dict:
    return ReadClip(dict(type=ChooseFrames, frames=frames), decoder)({'filename': str(path)})


class TestReadClip:
    @pytest.mark.parametrize(
        ('name', 'codec', 'b_frames'),
        [('a.mp4', 'libx264', 2), ('a.mkv', 'libx264', 2), ('a.mp4', 'mpeg4', 0), ('a.avi', 'mpeg4', 0)],
    )
    @pytest.mark.parametrize('frames', FRAMES, ids=str)
    def test_reads_the_frames_asked_for(
        self, tmp_path: Path, decoder: str, name: str, codec: str, b_frames: int, frames: list[int]
    ) -> None:
        results = read(write_video(tmp_path / name, codec=codec, b_frames=b_frames), decoder, frames)
        assert [index_of(frame) for frame in results['imgs']] == frames
        assert {(frame.shape, frame.dtype) for frame in results['imgs']} == {((48, 64, 3), np.dtype(np.uint8))}
        assert results['total_frames'] == 28
        assert results['img_shape'] == results['original_shape'] == (48, 64)
        assert 'video_reader' not in results

    @pytest.mark.parametrize('codec', ['mpeg4', 'libx264'])
    @pytest.mark.parametrize('frames', FRAMES, ids=str)
    def test_pyav_counts_frames_where_time_stamps_mislead(self, tmp_path: Path, codec: str, frames: list[int]) -> None:
        """AVI with B-frames, where the other decoders miss by several frames."""
        results = read(write_video(tmp_path / 'a.avi', codec=codec), 'pyav', frames)
        assert [index_of(frame) for frame in results['imgs']] == frames

    @pytest.mark.parametrize('content', [b'', b'no video at all' * 100, None], ids=['empty', 'garbage', 'missing'])
    def test_unreadable_file_is_named(self, tmp_path: Path, decoder: str, content: bytes | None) -> None:
        path = tmp_path / 'bad.mp4'
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(UnreadableVideoError, match='bad.mp4 cannot be read: .') as info:
            read(path, decoder, [0])
        assert info.value.filename == str(path) and '\n' not in info.value.reason

    def test_truncated_file_is_named(self, tmp_path: Path, decoder: str) -> None:
        path = write_video(tmp_path / 'cut.mp4')
        path.write_bytes(path.read_bytes()[:1500])
        with pytest.raises(UnreadableVideoError, match='cut.mp4 cannot be read'):
            read(path, decoder, [0])

    @pytest.mark.parametrize('step', ['open', 'decode'])
    def test_every_error_of_a_decoder_means_unreadable(self, step: str) -> None:
        found = SimpleNamespace(transform=lambda results: {**results, 'total_frames': 3})
        steps = dict.fromkeys(['open', 'decode'], dict(type=lambda: found.transform))
        steps[step] = dict(type=Fail, error=AssertionError('first line\nsecond line'))
        with pytest.raises(UnreadableVideoError, match='x.mp4 cannot be read: first line$'):
            read(Path('x.mp4'), steps, [0])

    @pytest.mark.parametrize('error', [ImportError('no decoder installed'), MemoryError()])
    def test_faults_of_the_machine_stay_what_they_are(self, error: Exception) -> None:
        with pytest.raises(type(error)):
            read(Path('x.mp4'), dict(open=dict(type=Fail, error=error), decode=dict(type='PyAVDecode')), [0])

    def test_fault_of_the_sampling_stays_what_it_is(self, tmp_path: Path, decoder: str) -> None:
        sampling = dict(type=Fail, error=KeyError('typo'))
        with pytest.raises(KeyError, match='typo'):
            ReadClip(sampling, decoder)({'filename': str(write_video(tmp_path / 'a.mp4'))})

    def test_video_without_frames(self) -> None:
        class Empty(BaseTransform):
            def transform(self, results: dict) -> dict:
                return {**results, 'total_frames': 0}

        with pytest.raises(UnreadableVideoError, match='x.mp4 cannot be read: it has no frames'):
            read(Path('x.mp4'), dict(open=dict(type=Empty), decode=dict(type=Empty)), [0])

    def test_unknown_decoder(self) -> None:
        with pytest.raises(ValueError, match="unknown decoder 'ffmpeg': choose one of .*decord.*pyav.*torchcodec"):
            ReadClip(dict(type='SampleStridedClip'), 'ffmpeg')

    def test_frames_that_the_decoder_drops_are_replaced(self) -> None:
        class Container:
            format = SimpleNamespace(name='matroska')
            streams = SimpleNamespace(video=['stream'])

            def seek(self, stamp: int, **kwargs) -> None:
                self.start = stamp

            def decode(self, stream: str) -> list:
                present = [index for index in range(8) if index not in (0, 3, 4)]
                return [SimpleNamespace(pts=10 * i, to_ndarray=lambda i=i, **_: np.full((2, 2, 3), i)) for i in present]

            def close(self) -> None:
                pass

        results = {'video_reader': (Container(), list(range(0, 80, 10))), 'frame_inds': np.array([0, 1, 2, 3, 4, 7])}
        frames = PyAVDecode()(results)['imgs']
        assert [int(frame[0, 0, 0]) for frame in frames] == [1, 1, 2, 2, 2, 7]

    def test_error_survives_the_way_from_a_worker(self) -> None:
        error = pickle.loads(pickle.dumps(UnreadableVideoError('a.mp4', 'broken')))
        assert (error.filename, error.reason, str(error)) == ('a.mp4', 'broken', 'a.mp4 cannot be read: broken')

    @pytest.mark.parametrize('decoder', ['pyav', 'torchcodec'], indirect=True)
    def test_real_videos_are_read_alike(self, shared_videos: list[Path], decoder: str) -> None:
        small = [path for path in shared_videos if path.stat().st_size < 1.25e6]
        assert {path.suffix for path in small} == {'.mp4', '.mkv', '.avi'}
        for path in small:
            frames = [40, 7, 43]
            ours, reference = (read(path, name, frames) for name in (decoder, 'decord'))
            assert ours['total_frames'] == reference['total_frames'], path
            if path.suffix != '.avi':  # its B-frames are counted differently
                np.testing.assert_array_equal(ours['imgs'], reference['imgs'], err_msg=str(path))
