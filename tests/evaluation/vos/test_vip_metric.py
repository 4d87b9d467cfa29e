"""Scores of human parts: parity with CRW, tables, masks, and what is refused."""

import csv
from pathlib import Path

import numpy as np
import pytest

from mmsigma.datasets.vos.sequences import VOSSequence, find_sequences
from mmsigma.evaluation import VIPMetric
from mmsigma.evaluation.vos.confusion import confusion_scores
from mmsigma.io.masks import read_mask
from tests.vos_data import make_vip


def copies(video: VOSSequence) -> np.ndarray:
    """The first mask, copied."""
    first = video.read_mask(0)
    return np.stack([np.where(first == 255, 0, first)] * len(video.frames))


def evaluate(metric: VIPMetric, videos: list[VOSSequence]) -> dict[str, float]:
    for video in videos:
        metric.process({}, [dict(sequence=video, pred_masks=copies(video))])
    return metric.evaluate(len(videos))


def read_csv(path: Path) -> list[dict[str, str]]:
    with open(path, newline='') as file:
        return list(csv.DictReader(file))


def test_tables_and_masks(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    videos = find_sequences('vip', make_vip(tmp_path / 'vip', dict(ant=4, bee=9)))
    metrics = evaluate(VIPMetric(str(tmp_path / 'out')), videos)
    assert metrics.keys() == {'vip/mIoU', 'vip/pixel_accuracy', 'vip/mean_accuracy'}
    printed = capsys.readouterr().out
    assert 'sun-glasses' in printed and f'{metrics["vip/mIoU"]:.1f}' in printed
    rows = {row['category']: float(row['IoU']) for row in read_csv(tmp_path / 'out/per_category.csv')}
    known = {name for name, value in rows.items() if not np.isnan(value)}
    assert len(rows) == 20 and known == {'background', 'hair', 'face'}
    assert np.mean([rows[name] for name in known]) == pytest.approx(metrics['vip/mIoU'], abs=1e-2)
    assert [row['video'] for row in read_csv(tmp_path / 'out/per_sequence.csv')] == ['bee', 'ant']  # worst first
    (row,) = read_csv(tmp_path / 'out/global.csv')
    assert float(row['mIoU']) == pytest.approx(metrics['vip/mIoU'], abs=1e-3)
    path = tmp_path / 'out/ant' / f'{videos[0].frames[3].stem}.png'
    np.testing.assert_array_equal(read_mask(path), copies(videos[0])[3])


def test_given_frames_count_or_not(tmp_path: Path) -> None:
    videos = find_sequences('vip', make_vip(tmp_path, dict(ant=4)))
    with_given = evaluate(VIPMetric(show_table=False), videos)['vip/mIoU']
    without = evaluate(VIPMetric(count_given=False, show_table=False), videos)['vip/mIoU']
    assert without < with_given < 100
    assert evaluate(VIPMetric(show_table=False), [videos[0].shortened(1)])['vip/mIoU'] == 100


def test_bad_predictions(tmp_path: Path) -> None:
    (video,) = find_sequences('vip', make_vip(tmp_path, dict(ant=2)))
    metric = VIPMetric(show_table=False)
    with pytest.raises(
        ValueError, match=r'ant, frame 000000000001: the prediction has the shape \(9, 9\), the annotation \(36,'
    ):
        metric.process({}, [dict(sequence=video, pred_masks=np.zeros((2, 9, 9), np.uint8))])
    with pytest.raises(ValueError, match='ant, .*: category 20 is predicted, but categories are 0 to 19'):
        metric.process({}, [dict(sequence=video, pred_masks=np.full((2, 36, 52), 20, np.uint8))])
    with pytest.raises(ValueError, match='no pixel has a category'):
        confusion_scores(np.zeros((20, 20), np.int64))
