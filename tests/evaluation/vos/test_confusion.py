"""Confusion of categories against the original."""

import numpy as np
import pytest

from mmsigma.evaluation.vos.confusion import confusion_matrix, confusion_scores
from tests.golden_mask_vos import load_vectors


def test_equals_the_original() -> None:
    arrays = load_vectors('vip_miou').arrays
    pairs = zip(arrays['in_pred'], arrays['in_gt'], strict=True)
    counts = sum(confusion_matrix(pred, gt, 20) for pred, gt in pairs)
    np.testing.assert_array_equal(counts, arrays['out_hist'])
    scores = confusion_scores(counts)
    np.testing.assert_allclose(scores.iou, arrays['out_iou'], rtol=1e-9)
    assert scores.mean_iou == pytest.approx(float(arrays['out_mean_iou']), rel=1e-9)
    assert scores.pixel_accuracy == pytest.approx(float(arrays['out_pixel_acc']), rel=1e-9)
    assert scores.mean_accuracy == pytest.approx(float(arrays['out_mean_acc']), rel=1e-9)


def test_what_is_nowhere_does_not_count() -> None:
    gt, pred = np.array([[0, 0, 1, 255]], np.uint8), np.array([[0, 2, 1, 1]], np.uint8)
    scores = confusion_scores(confusion_matrix(pred, gt, 4))
    np.testing.assert_array_equal(scores.iou, [0.5, 1, 0, np.nan])
    assert (scores.mean_iou, scores.mean_accuracy) == (0.5, 0.75)
    assert scores.pixel_accuracy == pytest.approx(2 / 3)
