"""What all inferencers share: models of configs and of checkpoints, devices, precisions, pipelines for any video."""

from pathlib import Path

import numpy as np
import pytest
import torch

from mmsigma.apis import FeatureExtractor, VideoAligner, VideoClassifier
from mmsigma.apis.inferencer import Pipeline, each, inference_dtype, name_of
from mmsigma.io.frame_sources import open_frames
from mmsigma.ops.precision import has_fast_bfloat16
from tests.datasets.clips import index_of, write_video

STEPS = [
    dict(type='ReadClip', sampling=dict(type='SampleDenseViews', clip_len=4, frame_interval=2, num_clips=1)),
    dict(type='CropViews', size=16),
    dict(type='PackVideoInputs'),
]
BRIGHT = np.stack([np.full((48, 64, 3), 20 + 8 * index, np.uint8) for index in range(9)])


def test_precisions() -> None:
    assert inference_dtype('float32', 'cpu') is None
    assert inference_dtype('bfloat16', 'cpu') is torch.bfloat16
    assert inference_dtype('auto', 'cpu') is (torch.bfloat16 if has_fast_bfloat16('cpu') else None)
    with pytest.raises(ValueError, match="'float16' is for GPUs"):
        inference_dtype('float16', 'cpu')
    with pytest.raises(ValueError, match=r"precision must be one of \('float32', .* got 'half'"):
        inference_dtype('half', 'cpu')  # type: ignore[arg-type]


def test_the_pipeline_reads_the_same_of_every_kind_of_video(tmp_path: Path) -> None:
    pipeline, path = Pipeline(STEPS), write_video(tmp_path / 'a.mp4', 9)
    files, others = (path, str(path), open_frames(path)), (BRIGHT, torch.from_numpy(BRIGHT), iter(BRIGHT))
    for video, name in [*((one, 'a') for one in files), *((one, 'frames') for one in others)]:
        sample = pipeline(video)
        assert [index_of(frame.numpy()) for frame in sample['inputs'].movedim(1, 0)] == [0, 2, 4, 6]
        assert sample['data_samples'].video_name == name


def test_pipelines_that_read_files_alone(tmp_path: Path) -> None:
    pipeline = Pipeline([dict(type='ReadImageClip', num_frames=2), *STEPS[1:]])
    with pytest.raises(ValueError, match='begins with ReadImageClip, which reads files alone'):
        pipeline(BRIGHT)


def test_batches_are_of_one_shape_and_limited() -> None:
    pipeline = Pipeline(STEPS)
    sizes = [len(batch) for batch in pipeline.batches([BRIGHT] * 5, 2)]
    assert sizes == [2, 2, 1]
    views = Pipeline([{**STEPS[0], 'sampling': {**STEPS[0]['sampling'], 'num_clips': 3}}, *STEPS[1:]])
    assert [len(batch) for batch in views.batches([BRIGHT] * 2, 2)] == [1, 1]
    assert [len(batch) for batch in views.batches([BRIGHT] * 2, 6)] == [2]


def test_names_of_videos(tmp_path: Path) -> None:
    (tmp_path / 'my.frames').mkdir()
    names = [name_of(video) for video in (tmp_path / 'my.frames', 'a/b.c.mp4', BRIGHT, torch.zeros(1), iter(BRIGHT))]
    assert names == ['my.frames', 'b.c', 'frames', 'frames', 'frames']


def test_a_list_is_a_batch() -> None:
    assert each(['a', 'bc'], lambda video: len(str(video))) == [1, 2]
    assert each('abc', lambda video: len(str(video))) == 3


def test_models_of_another_kind() -> None:
    with pytest.raises(ValueError, match='has a model of type GTA: use a config of configs/finetune or configs/linear'):
        VideoClassifier('mmsigma::gta/gta_penn_action', 'gta.pth')
    with pytest.raises(ValueError, match='has a model of type SIGMA: use a config from configs/gta'):
        VideoAligner('mmsigma::sigma/vitb_k400_mlp', 'sigma.pth')
    with pytest.raises(ValueError, match='model.type: GTA embeds every frame.*mmsigma.VideoAligner'):
        FeatureExtractor('mmsigma::gta/gta_penn_action', 'gta.pth')
    with pytest.raises(ValueError, match='vitb_k400.py requires a checkpoint'):
        FeatureExtractor('mmsigma::knn/vitb_k400', device='cpu')
