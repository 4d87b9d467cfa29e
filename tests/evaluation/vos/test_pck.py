"""PCK against the original."""

import numpy as np

from mmsigma.evaluation.vos.pck import joint_errors, pck
from tests.golden_mask_vos import load_vectors

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
