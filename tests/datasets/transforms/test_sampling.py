"""Transforms: which frames are read, with which decoder, cropped where, masked how, and packed."""

import itertools
import pickle
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch
from mmcv.transforms import BaseTransform

from mmsigma.datasets.transforms import (
    MultiScaleCrop,
    PackVideoInputs,
    PyAVDecode,
    RandomMask,
    ReadClip,
    ResizeClip,
    SampleStridedClip,
    TubeMask,
    UnreadableVideoError,
)
from mmsigma.datasets.transforms.spatial import crop_and_resize
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


class TestSampleStridedClip:
    def test_official_frames(self, golden, monkeypatch: pytest.MonkeyPatch) -> None:
        cases = [case for case in golden('frame_indices').arrays if case['kind'] == 'pretrain']
        assert {case['rate'] for case in cases} >= {2, 4}
        for case in cases:
            monkeypatch.setattr(np.random, 'randint', lambda high, case=case: case['start'])
            sample = SampleStridedClip(case['clip_len'], case['rate'])
            assert sample({'total_frames': case['num_frames']})['frame_inds'].tolist() == case['frames'], case

    def test_start_is_uniform_over_all_that_fit(self) -> None:
        sample = SampleStridedClip(clip_len=4, frame_interval=3)
        starts = Counter(int(sample({'total_frames': 20})['frame_inds'][0]) for _ in range(4500))
        assert sorted(starts) == list(range(9))
        assert all(abs(count - 500) < 100 for count in starts.values())

    @pytest.mark.parametrize('total_frames', [1, 2, 5, 63, 64, 65, 300])
    def test_stride_and_range(self, total_frames: int) -> None:
        sample = SampleStridedClip(16, 4)
        for _ in range(20):
            results = sample({'total_frames': total_frames})
            frames = results['frame_inds']
            assert len(frames) == 16 and frames.min() >= 0 and frames.max() < total_frames
            assert set(np.diff(frames)) <= ({4} if total_frames >= 64 else {4, 0})
        assert (results['clip_len'], results['frame_interval'], results['num_clips']) == (16, 4, 1)

    @pytest.mark.parametrize('settings', [dict(clip_len=0), dict(frame_interval=0)])
    def test_impossible_settings(self, settings: dict) -> None:
        with pytest.raises(ValueError, match='must be positive'):
            SampleStridedClip(**settings)


class TestCrops:
    @staticmethod
    def frames(height: int, width: int) -> list[np.ndarray]:
        return list(np.random.randint(0, 256, (3, height, width, 3), np.uint8))

    @pytest.mark.golden_cases('multi_scale_crop')
    def test_official_crops(self, golden_case: dict) -> None:
        crop, (width, height) = MultiScaleCrop(), (golden_case['image_w'], golden_case['image_h'])
        assert [side for side, same in crop.sides(width, height) if side == same] == golden_case['crop_sizes']
        boxes = {(*side, *place) for side in crop.sides(width, height) for place in crop.places(width, height, *side)}
        assert boxes == {tuple(candidate) for candidate in golden_case['candidates']}

    @pytest.mark.parametrize(('side', 'snapped'), [(221, 221), (222, 224), (226, 224), (227, 227)])
    def test_sides_close_to_the_output_are_snapped(self, side: int, snapped: int) -> None:
        assert MultiScaleCrop(224, scales=[1]).sides(320, side) == [(snapped, snapped)]

    def test_every_crop_is_drawn(self) -> None:
        crop, frames = MultiScaleCrop(size=4, scales=(1, 0.5), max_distort=1), [np.zeros((16, 24, 3), np.uint8)]
        drawn = {crop({'imgs': frames})['crop_box'] for _ in range(600)}
        sides = crop.sides(24, 16)
        assert drawn == {(*place, *side) for side in sides for place in crop.places(24, 16, *side)}

    def test_distortion_can_be_forbidden(self) -> None:
        assert MultiScaleCrop(max_distort=0).sides(320, 240) == [(240, 240), (210, 210), (180, 180), (158, 158)]

    def test_all_frames_are_cropped_alike(self) -> None:
        frames = self.frames(30, 40)
        results = MultiScaleCrop(size=16)({'imgs': frames})
        x, y, width, height = results['crop_box']
        expected = [cv2.resize(frame[y : y + height, x : x + width], (16, 16)) for frame in frames]
        np.testing.assert_array_equal(results['imgs'], expected)
        assert results['imgs'].dtype == np.uint8 and results['img_shape'] == (16, 16)

    @pytest.mark.parametrize('box', [(0, 0, 40, 30), (3, 5, 16, 16), (38, 2, 2, 9)])
    def test_crop_and_resize_is_opencv_per_frame(self, box: tuple[int, int, int, int]) -> None:
        frames, (x, y, width, height) = self.frames(30, 40), box
        expected = [cv2.resize(frame[y : y + height, x : x + width], (16, 16)) for frame in frames]
        np.testing.assert_array_equal(crop_and_resize(frames, box, 16), expected)

    def test_resize_ignores_the_aspect_ratio(self) -> None:
        frames = self.frames(30, 40)
        results = ResizeClip(20)({'imgs': frames})
        np.testing.assert_array_equal(results['imgs'], [cv2.resize(frame, (20, 20)) for frame in frames])
        assert results['img_shape'] == (20, 20)


class TestMasks:
    @staticmethod
    def assert_tubes(masks: np.ndarray, window: list[int], masked_per_frame: int) -> None:
        """What is promised of tube masks, (draws, tokens): count, constancy over time, independence of draws."""
        per_frame = masks.reshape(len(masks), window[0], -1)
        assert per_frame.shape[2] == window[1] * window[2]
        assert (per_frame.sum(2) == masked_per_frame).all()
        assert (per_frame == per_frame[:, :1]).all()
        assert all((first != second).any() for first, second in itertools.combinations(masks, 2))

    @pytest.mark.golden_cases('tube_mask')
    def test_official_promises(self, golden_case) -> None:
        arrays, case = golden_case
        self.assert_tubes(arrays[''], case['window'], case['masked_per_frame'])
        mask = TubeMask(case['window'], case['ratio'])
        self.assert_tubes(np.stack([mask({})['mask'] for _ in range(5)]), case['window'], case['masked_per_frame'])

    def test_twenty_of_196_tubes_stay_visible(self) -> None:
        mask = TubeMask()({})['mask']
        assert mask.dtype == bool and mask.shape == (1568,) and mask.sum() == 8 * 176

    @pytest.mark.parametrize('kind', [TubeMask, RandomMask])
    def test_every_place_is_masked_equally_often(self, kind: Callable) -> None:
        mask = kind((2, 3, 3), 0.6)
        share = np.mean([mask({})['mask'] for _ in range(2000)], axis=0)
        np.testing.assert_allclose(share, share.mean(), atol=0.06)

    def test_random_mask_counts_and_varies_over_time(self) -> None:
        masks = np.stack([RandomMask((4, 5, 5), 0.75)({})['mask'] for _ in range(5)])
        assert masks.shape == (5, 100) and (masks.sum(1) == 75).all()
        assert (masks[:, :25] != masks[:, 25:50]).any()

    @pytest.mark.parametrize('kind', [TubeMask, RandomMask])
    @pytest.mark.parametrize(
        ('ratio', 'message'),
        [
            (0, 'between 0 and 1'),
            (1, 'between 0 and 1'),
            (1.5, 'got 1.5'),
            (0.01, r'masks none of the tokens of a grid \(2, 3, 3\)'),
        ],
    )
    def test_impossible_ratios(self, kind: Callable, ratio: float, message: str) -> None:
        with pytest.raises(ValueError, match=message):
            kind((2, 3, 3), ratio)


class TestPack:
    @pytest.mark.parametrize('as_list', [True, False])
    def test_clip_is_uint8_with_channels_first(self, as_list: bool) -> None:
        frames = np.random.randint(0, 256, (4, 6, 5, 3), np.uint8)
        inputs = PackVideoInputs()({'imgs': list(frames) if as_list else frames})['inputs']
        assert inputs.dtype == torch.uint8 and inputs.is_contiguous()
        np.testing.assert_array_equal(inputs, frames.transpose(3, 0, 1, 2))

    def test_sample_carries_label_mask_and_metadata(self) -> None:
        mask = np.array([True, False])
        results = dict(imgs=np.zeros((1, 2, 2, 3), np.uint8), label=7, mask=mask, filename='a.mp4', failures=[], x=1)
        sample = PackVideoInputs()(results)['data_samples']
        assert sample.gt_label.tolist() == [7] and sample.mask.tolist() == [True, False]
        assert sample.metainfo == {'filename': 'a.mp4', 'failures': []}

    def test_sample_knows_the_grid_of_its_mask(self) -> None:
        results = RandomMask([1, 2, 3], 0.5)(dict(imgs=np.zeros((1, 2, 2, 3), np.uint8)))
        assert PackVideoInputs()(results)['data_samples'].metainfo == {'mask_grid': (1, 2, 3)}

    @pytest.mark.parametrize('label', [{}, {'label': -1}])
    def test_sample_without_label_and_mask(self, label: dict) -> None:
        sample = PackVideoInputs()({'imgs': np.zeros((1, 2, 2, 3), np.uint8), **label})['data_samples']
        assert not sample.keys()

    def test_other_metadata(self) -> None:
        results = dict(imgs=np.zeros((1, 2, 2, 3), np.uint8), filename='a.mp4', x=1)
        assert PackVideoInputs(meta_keys=['x'])(results)['data_samples'].metainfo == {'x': 1}
