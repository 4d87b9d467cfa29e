"""PCK of tracked joints: parity with CRW, tables, lost joints, and what is refused."""

import csv
from pathlib import Path

import numpy as np
import pytest

from mmsigma.datasets.vos.keypoint_dataset import JHMDBDataset
from mmsigma.evaluation import PCKMetric
from mmsigma.evaluation.vos.pck import joint_errors, pck
from tests.golden_mask_vos import load_vectors
from tests.vos_data import make_jhmdb

THRESHOLDS = (0.1, 0.2, 0.3, 0.4, 0.5)


def test_equals_the_original() -> None:
    arrays = load_vectors('jhmdb_pck').arrays
    errors = []
    for video, (height, width) in enumerate(arrays['par_image_hw']):
        gt, pred = (arrays[f'in_{side}{video}_f64'].transpose(2, 1, 0) for side in ('gt', 'pred'))
        errors.append(joint_errors(pred * (width / 40, height / 40), gt))
    shares = 100 * pck(np.concatenate(errors), THRESHOLDS)
    np.testing.assert_allclose(shares, arrays['out_pck_per_joint'], rtol=1e-6)
    np.testing.assert_allclose(shares.mean(axis=1), arrays['out_pck_mean'], rtol=1e-6)


def test_the_unit_is_the_box_of_joints_that_are_not_lost() -> None:
    gt = np.array([[[0, 0], [30, 40], [300, 400]]] * 2, float)
    pred = np.array([gt[0], [[15, 0], [30, 46], [-1, -1]]])
    np.testing.assert_allclose(joint_errors(pred, gt), [[0.5, 0.2, np.nan]])
    np.testing.assert_allclose(pck(joint_errors(pred, gt), (0.2, 0.5)), [[0, 1, np.nan], [1, 1, np.nan]])
    assert np.isnan(joint_errors(np.full((2, 3, 2), -1.0), gt)).all()


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
