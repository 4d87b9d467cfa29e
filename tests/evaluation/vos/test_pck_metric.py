"""PCK of tracked joints: parity with CRW, tables, lost joints, and what is refused."""

import csv
from pathlib import Path

import numpy as np
import pytest

from mmsigma.datasets.vos.keypoint_dataset import JHMDBDataset
from mmsigma.evaluation import PCKMetric
from tests.vos_data import make_jhmdb

THRESHOLDS = (0.1, 0.2, 0.3, 0.4, 0.5)


def evaluate(metric: PCKMetric, root: Path, pred) -> dict[str, float]:
    dataset = JHMDBDataset(str(root))
    for sample in dataset:
        metric.process({}, [dict(sequence=sample['inputs'], pred_joints=pred(sample['inputs'].read_joints()))])
    return metric.evaluate(len(dataset))


def test_tables(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    root = make_jhmdb(tmp_path / 'jhmdb', {'walk/ant': 4, 'jump/bee': 12})
    metrics = evaluate(PCKMetric(str(tmp_path / 'out')), root, lambda joints: np.stack([joints[0]] * len(joints)))
    values = [metrics[f'jhmdb/PCK@{threshold}'] for threshold in THRESHOLDS]
    assert 0 < values[0] < 100 and values == sorted(values) and metrics['jhmdb/lost'] == 0
    assert 'left wrist' in capsys.readouterr().out

    def read(name: str) -> list[dict[str, str]]:
        with open(tmp_path / 'out' / name, newline='') as file:
            return list(csv.DictReader(file))

    joints = read('per_joint.csv')
    assert [row['joint'] for row in joints][:3] == ['neck', 'belly', 'face'] and len(joints) == 15
    assert np.mean([float(row['PCK@0.1']) for row in joints]) == pytest.approx(values[0], abs=1e-2)
    assert [row['video'] for row in read('per_sequence.csv')] == ['bee', 'ant']  # worst first
    (row,) = read('global.csv')
    assert float(row['PCK@0.3']) == pytest.approx(values[2], abs=1e-3)


def test_lost_joints_are_said(tmp_path: Path) -> None:
    root = make_jhmdb(tmp_path, {'walk/ant': 4})

    def lose_one(joints: np.ndarray) -> np.ndarray:
        joints[:, 14] = -1
        return joints

    metrics = evaluate(PCKMetric(show_table=False), root, lose_one)
    assert metrics['jhmdb/PCK@0.1'] == 100 and metrics['jhmdb/lost'] == pytest.approx(100 / 15)
    with pytest.raises(ValueError, match='no joint was found'):
        evaluate(PCKMetric(show_table=False), root, lambda joints: joints * 0 - 1)


def test_bad_input(tmp_path: Path) -> None:
    root = make_jhmdb(tmp_path, {'walk/ant': 4})
    with pytest.raises(ValueError, match=r'ant: joints are predicted as \(3, 15, 2\) and annotated as \(4, 15, 2\)'):
        evaluate(PCKMetric(), root, lambda joints: joints[1:])
    with pytest.raises(ValueError, match=r'thresholds must be positive, got \(0, 0.1\)'):
        PCKMetric(thresholds=(0, 0.1))


def test_videos_of_two_classes_with_one_name(tmp_path: Path) -> None:
    root = make_jhmdb(tmp_path / 'jhmdb', {'walk/ant': 4, 'jump/ant': 12})
    assert sorted(sequence.name for sequence in JHMDBDataset(str(root)).sequences) == ['jump/ant', 'walk/ant']
    metrics = evaluate(PCKMetric(str(tmp_path / 'out')), root, lambda joints: joints)
    assert metrics['jhmdb/PCK@0.1'] == 100
    with open(tmp_path / 'out/per_sequence.csv', newline='') as file:
        assert sorted(row['video'] for row in csv.DictReader(file)) == ['jump/ant', 'walk/ant']


def test_results_of_one_name_do_not_end_in_a_crash(tmp_path: Path) -> None:
    """As of a video that two processes have scored."""
    root = make_jhmdb(tmp_path / 'jhmdb', {'walk/ant': 4})
    metric = PCKMetric(show_table=False)
    evaluate(metric, root, lambda joints: joints)
    (sample,) = JHMDBDataset(str(root))
    for _ in range(2):
        metric.process({}, [dict(sequence=sample['inputs'], pred_joints=sample['inputs'].read_joints())])
    assert metric.evaluate(2)['jhmdb/PCK@0.1'] == 100
