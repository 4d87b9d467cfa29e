"""What counts as a video, and what is refused."""

from pathlib import Path

import numpy as np
import pytest
import torch

from mmsigma.io.frame_array import write_frame_array
from mmsigma.io.frame_sources import FrameSource, SourceReader, open_frames
from mmsigma.io.video import FrameReader
from tests.datasets.clips import write_video
from tests.vos_data import write_frames

FRAMES = np.random.default_rng(0).integers(0, 256, (5, 6, 8, 3), dtype=np.uint8)


def contents(source: FrameSource) -> np.ndarray:
    return np.stack(list(source))


@pytest.mark.parametrize(
    'video',
    [
        FRAMES,
        FRAMES / 255,
        (FRAMES / 255).astype(np.float32),
        torch.from_numpy(FRAMES),
        torch.from_numpy(FRAMES).permute(0, 3, 1, 2),
        torch.from_numpy(FRAMES).permute(3, 0, 1, 2),
        torch.from_numpy(FRAMES).permute(3, 0, 1, 2) / 255,
    ],
    ids=['array', 'double', 'float', 'THW3', 'T3HW', '3THW', 'float tensor'],
)
def test_arrays_and_tensors_are_the_same_video(video: np.ndarray | torch.Tensor) -> None:
    source = open_frames(video, fps=10)
    np.testing.assert_array_equal(contents(source), FRAMES)
    assert (source.name, source.names[3], source.fps, len(source)) == ('frames', '00003', 10, 5)
    np.testing.assert_allclose(source.times(), [0, 0.1, 0.2, 0.3, 0.4])
    with pytest.raises(IndexError, match='frames has frames 0 to 4, but 5 is asked for'):
        source.read(5)


def test_iterators_are_used_once() -> None:
    frames = (frame for frame in FRAMES)
    np.testing.assert_array_equal(contents(open_frames(frames)), FRAMES)
    with pytest.raises(ValueError, match='the iterator has no frames; it may have been used up before'):
        open_frames(frames)
    np.testing.assert_array_equal(contents(open_frames(iter(torch.from_numpy(FRAMES)))), FRAMES)
    halves = (frame.bfloat16() for frame in torch.eye(3)[:, None, None].expand(3, 2, 2, 3))
    np.testing.assert_array_equal(contents(open_frames(halves))[1], np.broadcast_to([0, 255, 0], (2, 2, 3)))


def test_files_and_folders(tmp_path: Path) -> None:
    write_frames(tmp_path / 'my.frames', FRAMES, [f'f{number}' for number in range(5)])
    folder = open_frames(tmp_path / 'my.frames')
    np.testing.assert_array_equal(contents(folder), FRAMES)
    assert (folder.name, folder.names[-1]) == ('my.frames', 'f4')
    write_frame_array(tmp_path / 'array.npy', FRAMES, 5)
    stored = open_frames(str(tmp_path / 'array.npy'))
    np.testing.assert_array_equal(contents(stored), FRAMES)
    assert stored.name == 'array'
    video = open_frames(write_video(tmp_path / 'a.b.mp4', 4))
    assert isinstance(video, FrameReader) and (video.name, video.fps, len(video)) == ('a.b', 10, 4)
    assert open_frames(video) is video
    with pytest.raises(FileNotFoundError, match=r'no video at .*nowhere\.mp4'):
        open_frames(tmp_path / 'nowhere.mp4')


def test_ambiguous_tensors() -> None:
    for shape in ((3, 3, 6, 8), (3, 4, 6, 3), (4, 3, 6, 3)):
        with pytest.raises(ValueError, match=rf'a tensor \({shape[0]}, .* is ambiguous: axes .* which is always'):
            open_frames(torch.zeros(shape))
        if shape[3] == 3:
            assert len(open_frames(np.zeros(shape, np.uint8))) == shape[0]
    with pytest.raises(ValueError, match=r'a tensor is \(T, H, W, 3\), .* got \(4, 6, 8, 1\): repeat the grey'):
        open_frames(torch.zeros(4, 6, 8, 1))


@pytest.mark.parametrize(
    ('video', 'message'),
    [
        (FRAMES[0], r'an array is \(T, H, W, 3\), got \(6, 8, 3\): a single frame is video\[None\]'),
        (FRAMES[None], r'got \(1, 5, 6, 8, 3\): a batch is list\(videos\)'),
        (FRAMES[..., 0], r'got \(5, 6, 8\): repeat grey frames \(T, H, W\) as RGB'),
        (FRAMES.transpose(0, 3, 1, 2), r'got \(5, 3, 6, 8\): move the channels to the end'),
        (FRAMES * np.float32('nan'), r'720 values of the frames are NaN'),
        (FRAMES[..., :1], r'got \(5, 6, 8, 1\): repeat the grey channel three times'),
        (FRAMES[0, ..., 0], r'got \(6, 8\): a single grey frame is numpy.stack'),
        (FRAMES[..., :2], r'got \(5, 6, 8, 2\): colours are RGB, without an alpha channel'),
        (np.moveaxis(FRAMES, 3, 1), r'an array is \(T, H, W, 3\), got \(5, 3, 6, 8\)'),
        (FRAMES[:0], r'a video \(0, 6, 8, 3\) has no frames'),
        (FRAMES.astype(np.int64), r'got int64: convert them with astype\(uint8\)'),
        (FRAMES.astype(np.float32), r'from 0 to 1, but these are from 0 to 255: undo their normalisation'),
        (FRAMES / 255 - 0.5, 'from -0.5 to 0.5'),
        (iter([FRAMES[0], FRAMES[0, :5]]), r'frame 1 is \(5, 8, 3\), but earlier ones are \(6, 8, 3\): resize them'),
        (iter(['a.mp4']), r'frame 0 of an iterator is str, expected \(H, W, 3\)'),
    ],
)
def test_what_is_no_video(video: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        open_frames(video)  # type: ignore[arg-type]


@pytest.mark.parametrize('video', [[FRAMES], (FRAMES, FRAMES), 7, None])
def test_other_objects_are_named_with_the_remedy(video: object) -> None:
    with pytest.raises(TypeError, match='is no video: give a video file, .* a list is a batch of these'):
        open_frames(video)  # type: ignore[arg-type]


def test_a_source_as_a_reader() -> None:
    reader = SourceReader(open_frames(FRAMES, fps=12))
    assert (len(reader), reader.fps) == (5, 12)
    np.testing.assert_array_equal(reader.read([4, 0, 4]), FRAMES[[4, 0, 4]])
    reader.close()
