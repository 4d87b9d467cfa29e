"""Annotations as UCFRep's, parts of videos and their labels, and what the counter gets."""

from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.io import savemat

from mmsigma.datasets import SeededIndex
from mmsigma.datasets.severe.repetition_dataset import RepetitionDataset, read_repetitions
from tests.datasets.clips import index_of, write_video

PACK = dict(type='PackRepetitionInputs')


def annotate(path: Path, bounds: list[int], kind: type = np.uint8, **changes) -> Path:
    """Write an annotation; frame numbers from 1, in as small a type as MATLAB stores them."""
    path.parent.mkdir(parents=True, exist_ok=True)
    label = dict(
        duration=kind(bounds[-1] - bounds[0] + 1),
        start_frame=kind(bounds[0]),
        end_frame=kind(bounds[-1]),
        temporal_bound_num=kind(len(bounds)),
        temporal_bound=np.array(bounds, kind)[:, None],
    )
    savemat(path, {'label': {**label, **changes}})
    return path


@pytest.fixture(scope='module')
def ucfrep(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp('ucfrep')
    for folder, name in (('HandstandPushups', 'v_HandStandPushups_g01_c01'), ('YoYo', 'v_YoYo_g01_c01')):
        (root / 'videos' / folder).mkdir(parents=True)
        write_video(root / 'videos' / folder / f'{name}.mp4', 26)
    annotate(root / 'train' / 'v_HandstandPushups_g01_c01.mat', [3, 9, 15, 21, 25])
    annotate(root / 'train' / 'v_YoYo_g01_c01.mat', [1, 11, 22], np.uint16)
    return root


def build(root: Path, random: bool, **options) -> RepetitionDataset:
    sampling = dict(type='SampleRepetitions', random=random)
    pipeline = [dict(type='ReadClip', decoder='pyav', sampling=sampling), dict(type='Letterbox', size=32), PACK]
    options = {'data_root': str(root), 'ann_file': 'train', 'data_prefix': dict(video='videos'), **options}
    return RepetitionDataset(pipeline, **options)


def test_annotations_in_bytes_are_read_as_integers(tmp_path):
    bounds = [5, 100, 190, 255]
    read = read_repetitions(annotate(tmp_path / 'a.mat', bounds))
    assert read == {'cycle_bounds': [4, 99, 189, 254], 'annotated': (4, 254)}
    assert read == read_repetitions(annotate(tmp_path / 'b.mat', bounds, np.uint16))


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        (dict(temporal_bound=np.array([[4]], np.uint8)), r'boundaries \[4\]'),
        (dict(temporal_bound=np.array([[9], [4]], np.uint8)), r'boundaries \[9, 4\]'),
        (dict(end_frame=np.uint8(1)), 'frames 3 to 1'),
    ],
)
def test_bad_annotations_are_named(tmp_path, changes, message):
    with pytest.raises(ValueError, match=rf'a\.mat.*{message}'):
        read_repetitions(annotate(tmp_path / 'a.mat', [3, 8, 12], **changes))


def test_other_files_are_named(tmp_path):
    savemat(tmp_path / 'a.mat', {'labels': 3})
    (tmp_path / 'b.mat').write_bytes(b'no MATLAB here' * 20)
    for name in ('a', 'b'):
        with pytest.raises(ValueError, match=rf'{name}\.mat is not an annotation of UCFRep'):
            read_repetitions(tmp_path / f'{name}.mat')


def test_whole_video_with_count_and_labels(ucfrep):
    item = build(ucfrep, random=False)[0]
    sample = item['data_samples']
    assert sample.gt_count == 4 and item['inputs'].shape == (3, 23, 32, 32)
    # frames 3 to 25, numbered from 1
    frames = item['inputs'][:, :, 4:28].permute(1, 2, 3, 0).numpy()
    assert [index_of(frame) for frame in frames] == list(range(2, 25))
    assert sample.next_labels[:18].tolist() == [6] * 12 + [6, 6, 5, 5, 5, 4]
    assert (sample.next_labels[18:] == -1).all() and (sample.previous_labels[:6] == -1).all()
    assert 'v_HandStandPushups_g01_c01.mp4' in sample.filename


def test_parts_are_a_function_of_the_seed(ucfrep):
    dataset = build(ucfrep, random=True, samples_per_video=3)
    assert len(dataset) == 6
    shapes = {}
    for index in range(6):
        for repeat in (0, 1):
            item = dataset[SeededIndex.of(index, (7, 0, index))]
            shapes.setdefault(index, set()).add((item['inputs'].shape[1], int(item['inputs'].sum())))
            assert repeat == 0 or len(shapes[index]) == 1
    assert len(set.union(*shapes.values())) > 3


def test_missing_videos_are_counted_and_named_or_refused(ucfrep, tmp_path, warnings_logged):
    for name in ('v_YoYo_g01_c01', 'v_Swing_g02_c03'):
        annotate(tmp_path / 'val' / f'{name}.mat', [1, 8, 16])
    options = dict(ann_file=str(tmp_path / 'val'))
    assert len(build(ucfrep, False, **options)) == 1
    assert any('1 of 2 annotated videos' in text and 'v_Swing_g02_c03' in text for text in warnings_logged)
    with pytest.raises(FileNotFoundError, match=r'1 of 2 .*v_Swing_g02_c03; .*strict=False'):
        build(ucfrep, False, strict=True, **options)
    with pytest.raises(FileNotFoundError, match='set ann_file to a folder'):
        build(ucfrep, False, ann_file='elsewhere')


def test_labels_travel_as_tensors(ucfrep):
    sample = build(ucfrep, random=True)[1]['data_samples']
    assert sample.next_labels.dtype == torch.int64 and sample.next_labels.shape == sample.previous_labels.shape


def test_two_videos_of_one_name_are_refused(tmp_path: Path) -> None:
    annotate(tmp_path / 'train' / 'v_a.mat', [3, 8, 12])
    for name in ('one/v_a.avi', 'two/V_A.mp4', 'one/other.mp4', 'two/other.mp4'):
        (tmp_path / 'videos' / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / 'videos' / name).touch()
    with pytest.raises(ValueError, match=r'one/v_a\.avi and .*two/V_A\.mp4 have the same name'):
        len(build(tmp_path, False))
    (tmp_path / 'videos/two/V_A.mp4').unlink()
    assert len(build(tmp_path, False)) == 1
