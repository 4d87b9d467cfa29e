"""JHMDB: files found where its authors put them, joints counted from 0, and what is missing or damaged named."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat

from mmsigma.datasets import JHMDBDataset
from mmsigma.datasets.vos.keypoint_dataset import read_joint_positions
from tests.vos_data import draw_video, make_jhmdb


def test_videos_of_a_split(tmp_path: Path) -> None:
    dataset = JHMDBDataset(str(make_jhmdb(tmp_path, {'walk/ant': 4, 'jump/cow': 3, 'walk/bee': 5})))
    assert [sample['inputs'].name for sample in dataset] == ['cow', 'ant', 'bee']  # by class, then as listed
    video = dataset[1]['inputs']
    assert dataset[1]['data_samples'].sequence == video
    assert [path.stem for path in video.frames] == ['00001', '00002', '00003', '00004']
    np.testing.assert_array_equal(video.read_frame(2), draw_video(4, 3, seed=0)[0][2])
    joints = video.read_joints()
    assert joints.shape == (4, 15, 2)
    # x, y from 0, and all move to the right
    np.testing.assert_array_equal(joints[0, :4], [[10, 6], [14, 6], [18, 6], [10, 11]])
    np.testing.assert_array_equal(joints[3] - joints[0], [[3, 0]] * 15)


def test_some_videos_and_some_frames(tmp_path: Path) -> None:
    root = str(make_jhmdb(tmp_path, {'walk/ant': 4, 'jump/cow': 3}))
    (sample,) = JHMDBDataset(root, videos=['ant'], max_frames=2)
    assert len(sample['inputs'].frames) == len(sample['inputs'].read_joints()) == 2
    with pytest.raises(ValueError, match=r"split 1 of .* has no test videos \['bee'\]"):
        JHMDBDataset(root, videos=['bee'])
    with pytest.raises(FileNotFoundError, match='2 of 2 videos lack frames .*: jump/left_out, walk/left_out'):
        JHMDBDataset(root, subset='train')


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match='splits has no <class>_test_split1.txt: set data_root'):
        JHMDBDataset(str(tmp_path))
    root = make_jhmdb(tmp_path, {'walk/ant': 4, 'walk/bee': 4, 'jump/cow': 3})
    shutil.rmtree(root / 'Rename_Images/walk/ant')
    (root / 'joint_positions/jump/cow/joint_positions.mat').unlink()
    with pytest.raises(FileNotFoundError, match='2 of 3 videos lack frames .* jump/cow, walk/ant'):
        JHMDBDataset(str(root))
    with pytest.raises(ValueError, match=r"subset must be one of \['test', 'train'\], got 'val'"):
        JHMDBDataset(str(root), subset='val')
    (root / 'splits/walk_test_split1.txt').write_text('ant.avi\n')
    with pytest.raises(ValueError, match="walk_test_split1.txt, line 1: 'ant.avi' is not of the kind"):
        JHMDBDataset(str(root))


def test_damaged_annotations_are_named(tmp_path: Path) -> None:
    path = tmp_path / 'joint_positions.mat'
    path.write_bytes(b'no matrix')
    with pytest.raises(ValueError, match=r'joint_positions.mat is not a joint_positions.mat of JHMDB'):
        read_joint_positions(path)
    savemat(path, {'pos_world': np.zeros((2, 15, 3))})
    with pytest.raises(ValueError, match='pos_img'):
        read_joint_positions(path)
    savemat(path, {'pos_img': np.zeros((3, 15, 4))})
    with pytest.raises(ValueError, match=r'pos_img is \(3, 15, 4\), expected numbers of the shape \(2, joints, fra'):
        read_joint_positions(path)
    savemat(path, {'pos_img': np.ones((2, 15, 1))})
    assert read_joint_positions(path).shape == (1, 15, 2)


def test_annotation_has_to_fit_the_frames(tmp_path: Path) -> None:
    root = make_jhmdb(tmp_path, {'walk/ant': 4})
    path = root / 'joint_positions/walk/ant/joint_positions.mat'
    savemat(path, {'pos_img': np.ones((2, 15, 3))})
    with pytest.raises(ValueError, match='has 15 joints in 3 frames, expected 15 in the 4 frames of .*ant'):
        JHMDBDataset(str(root))[0]['inputs'].read_joints()
    savemat(path, {'pos_img': np.ones((2, 13, 4))})
    with pytest.raises(ValueError, match='has 13 joints in 4 frames'):
        JHMDBDataset(str(root))[0]['inputs'].read_joints()
