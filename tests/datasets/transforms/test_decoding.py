"""Reading of clips by every decoder, and what becomes of files that cannot be read."""

import pickle
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from mmcv.transforms import BaseTransform

from mmsigma.datasets.transforms import ReadClip, UnreadableVideoError
from mmsigma.io import decoders
from mmsigma.io.decoder_process import GuardedVideoFile
from mmsigma.io.frame_sources import SourceReader, open_frames
from mmsigma.io.video_file import ChangedIndexError
from tests.datasets.clips import index_of, write_video

DECODERS = ['auto', 'decord', 'torchcodec']
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


def test_samplings_are_applied_in_turn(tmp_path: Path) -> None:
    np.random.seed(0)
    video = write_video(tmp_path / 'a.mp4')
    gaps = dict(type='SampleFramesAtGaps', num_frames=5, gaps=(2,), probabilities=(1.0,))
    orders = set()
    for _ in range(8):
        results = ReadClip([gaps, dict(type='ShuffleFrames', keep=3)])({'filename': str(video)})
        chosen = results['frame_inds'].tolist()
        assert [index_of(frame) for frame in results['imgs']] == chosen and results['clip_len'] == len(set(chosen)) == 3
        assert max(chosen) - min(chosen) <= 8 and len({number % 2 for number in chosen}) == 1
        orders.add(tuple(np.argsort(chosen).tolist()))
    assert len(orders) > 2


def test_an_open_video_instead_of_a_file() -> None:
    frames = np.random.default_rng(0).integers(0, 256, (5, 4, 6, 3), dtype=np.uint8)
    given = dict(filename='frames', reader=SourceReader(open_frames(frames, fps=7)))
    results = ReadClip(dict(type=ChooseFrames, frames=[4, 1, 1]))(given)
    np.testing.assert_array_equal(results['imgs'], frames[[4, 1, 1]])
    assert (results['total_frames'], results['avg_fps'], results['original_shape']) == (5, 7, (4, 6))
    assert 'reader' not in results  # so that samples can be sent to other processes


class TestReadClip:
    @pytest.mark.parametrize(
        ('name', 'codec', 'b_frames'),
        [('a.mp4', 'libx264', 2), ('a.mkv', 'libx264', 2), ('a.mp4', 'mpeg4', 0)],
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
        assert results['avg_fps'] == 10

    @pytest.mark.parametrize('codec', ['mpeg4', 'libx264'])
    @pytest.mark.parametrize('frames', FRAMES, ids=str)
    def test_frames_are_counted_where_time_stamps_mislead(self, tmp_path: Path, codec: str, frames: list[int]) -> None:
        """AVI with B-frames, where other decoders miss by several frames."""
        path = write_video(tmp_path / 'a.avi', codec=codec)
        assert [index_of(frame) for frame in read(path, 'auto', frames)['imgs']] == frames
        with pytest.raises(UnreadableVideoError, match=r'decord cannot be trusted with it .*avi.*: set decoder=auto'):
            read(path, 'decord', frames)

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

    def test_fault_of_the_sampling_stays_what_it_is(self, tmp_path: Path, decoder: str) -> None:
        sampling = dict(type=Fail, error=KeyError('typo'))
        with pytest.raises(KeyError, match='typo'):
            ReadClip(sampling, decoder)({'filename': str(write_video(tmp_path / 'a.mp4'))})

    def test_unknown_decoder(self) -> None:
        with pytest.raises(ValueError, match="unknown decoder 'ffmpeg': choose one of .*decord.*pyav.*torchcodec"):
            ReadClip(dict(type='SampleStridedClip'), 'ffmpeg')

    def test_frames_that_are_announced_but_not_there(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """The choice among the frames that are there is the one that another run would make."""
        path, totals = write_video(tmp_path / 'a.mp4', num_frames=9), []

        class Announcing(GuardedVideoFile):
            def __len__(self) -> int:
                return super().__len__() if totals else 20

            def read(self, numbers: Sequence[int]) -> list[np.ndarray]:
                if max(numbers) > 8:
                    raise ChangedIndexError(str(path))
                return super().read(numbers)

        class Draw(ChooseFrames):
            def transform(self, results: dict) -> dict:
                totals.append(results['total_frames'])
                return {**results, 'frame_inds': np.random.randint(results['total_frames'], size=5)}

        monkeypatch.setitem(decoders._READERS, 'pyav', Announcing)
        np.random.seed(3)
        results = ReadClip(dict(type=Draw, frames=[]), 'pyav')({'filename': str(path)})
        assert totals == [20, 9]
        np.random.seed(3)
        assert results['frame_inds'].tolist() == np.random.randint(9, size=5).tolist()
        assert [index_of(frame) for frame in results['imgs']] == results['frame_inds'].tolist()

    def test_error_survives_the_way_from_a_worker(self) -> None:
        error = pickle.loads(pickle.dumps(UnreadableVideoError('a.mp4', 'broken')))
        assert (error.filename, error.reason, str(error)) == ('a.mp4', 'broken', 'a.mp4 cannot be read: broken')

    @pytest.mark.parametrize('decoder', ['decord', 'torchcodec'], indirect=True)
    def test_real_videos_are_read_alike(self, shared_videos: list[Path], decoder: str) -> None:
        small = [path for path in shared_videos if path.stat().st_size < 1.25e6]
        assert {path.suffix for path in small} == {'.mp4', '.mkv', '.avi'}
        for path in small:
            reference = read(path, 'auto', [40, 7, 43])
            if path.suffix == '.avi':
                with pytest.raises(UnreadableVideoError, match='cannot be trusted with it'):
                    read(path, decoder, [40])
                continue
            ours = read(path, decoder, [40, 7, 43])
            assert ours['total_frames'] == reference['total_frames'], path
            np.testing.assert_array_equal(ours['imgs'], reference['imgs'], err_msg=str(path))
