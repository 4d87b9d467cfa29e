"""Charades: annotations, videos and folders of frames."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from mmsigma.datasets.severe.charades_dataset import CharadesDataset, read_charades
from tests.datasets.clips import index_of, write_video

HEADER = 'id,subject,scene,script,actions,length\n'


@pytest.fixture(scope='module')
def charades(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp('charades')
    (root / 'videos').mkdir()
    write_video(root / 'videos' / 'AAAAA.mp4', 25)  # 10 per second
    folder = root / 'frames' / 'AAAAA'
    folder.mkdir(parents=True)
    for number in range(1, 26):
        cv2.imwrite(str(folder / f'AAAAA-{number:06d}.png'), np.full((48, 64, 3), 12 + 8 * number, np.uint8))
    rows = ['AAAAA,S1,Kitchen,"A person, cooking.",c092 0.00 1.10;c147 2.00 9.90,30.5', 'BBBBB,S2,Hall,x,,12.0']
    (root / 'train.csv').write_text(HEADER + '\n'.join(rows) + '\n')
    return root


def build(root: Path, frames: bool = False, **options) -> CharadesDataset:
    sampling = dict(type='SampleCharadesClip', clip_len=4, frame_interval=2, num_clips=3)
    decoder = 'frames' if frames else 'pyav'
    pipeline = [dict(type='ReadClip', decoder=decoder, sampling=sampling), dict(type='PackVideoInputs')]
    prefix = dict(video='frames' if frames else 'videos')
    options = {'ann_file': 'train.csv', 'data_root': str(root), **options}
    return CharadesDataset(pipeline, data_prefix=prefix, frames=frames, **options)


def test_annotation(charades):
    assert read_charades(charades / 'train.csv') == {'AAAAA': [(92, 0.0, 1.1), (147, 2.0, 9.9)], 'BBBBB': []}


@pytest.mark.parametrize(('frames', 'fps'), [(False, None), (True, 10.0), (True, 40.0)])
def test_videos_and_folders_give_the_same_clips(charades, frames, fps):
    item = build(charades, frames, fps=fps)[0]
    shown = [index_of(frame) for frame in item['inputs'].flatten(2).permute(1, 2, 0).numpy()]
    assert shown == [0, 2, 4, 6, 9, 11, 13, 15, 18, 20, 22, 24]
    # at 40 frames per second the video is over before the second action begins
    assert item['data_samples'].gt_label.nonzero()[:, 0].tolist() == ([92] if fps == 40 else [92, 147])


def test_missing_videos(charades, warnings_logged):
    assert len(build(charades)) == 1
    assert any('1 of 2 annotated videos' in text and 'BBBBB' in text for text in warnings_logged)
    with pytest.raises(FileNotFoundError, match='BBBBB; set data_prefix'):
        build(charades, strict=True)
    with pytest.raises(ValueError, match='frames=True requires fps'):
        build(charades, frames=True)
    with pytest.raises(FileNotFoundError, match='Charades_v1_train.csv'):
        build(charades, ann_file='nothing.csv')


def test_bad_annotations_are_named(tmp_path):
    (tmp_path / 'a.csv').write_text(HEADER + 'AAAAA,S,K,x,c092 0.00,3\n')
    with pytest.raises(ValueError, match=r'a\.csv, line 2: expected actions .* got .c092 0\.00'):
        read_charades(tmp_path / 'a.csv')
    (tmp_path / 'b.csv').write_text('id,labels\nAAAAA,1\n')
    with pytest.raises(
        ValueError, match=r"b\.csv is not an annotation of Charades: it lacks the columns \['actions'\]"
    ):
        read_charades(tmp_path / 'b.csv')
