"""Counting errors against SEVERE's."""

import pytest
from mmengine.logging import MMLogger

from mmsigma.evaluation.counting.counting_error import CountingErrorMetric, counting_error
from tests.golden_evaluation import load_case


@pytest.mark.parametrize('name', ['MAE', 'MAE_std', 'OBO', 'MAE_over', 'MAE_under'])
def test_errors_equal_the_reference(name):
    case = load_case('repcount_metric')
    errors = counting_error(case.arrays['in_pred'], case.arrays['in_gt'])
    assert errors[name] == pytest.approx(float(case.arrays[f'out_{name}']), abs=case.tolerance)


def test_errors_of_the_reference_inference():
    case = load_case('repcount_inference')
    errors = counting_error(case.arrays['out_counts'], case.arrays['in_counts'])
    for name, value in errors.items():
        assert value == pytest.approx(float(case.arrays[f'out_{name}']), abs=case.tolerance['metrics'])


def test_by_hand():
    assert counting_error([3, 5, 4], [4, 4, 4]) == pytest.approx(
        dict(MAE=1 / 6, MAE_std=(1 / 72) ** 0.5, OBO=1.0, MAE_over=0.25, MAE_under=0.25)
    )
    assert counting_error([4], [4])['MAE_over'] == 0.0


@pytest.mark.parametrize(
    ('pred', 'true', 'message'), [([1], [0], 'positive'), ([], [], 'one predicted'), ([1, 2], [1], 'one predicted')]
)
def test_bad_counts_are_refused(pred, true, message):
    with pytest.raises(ValueError, match=message):
        counting_error(pred, true)


def test_metric_reads_samples_and_names_those_without_count():
    MMLogger.get_current_instance()
    metric = CountingErrorMetric()
    metric.process({}, [dict(pred_count=3, gt_count=4), dict(pred_count=8, gt_count=4)])
    result = metric.evaluate(2)
    assert result['counting/MAE'] == 0.625 and result['counting/OBO'] == 0.5 and result['counting/num_videos'] == 2
    assert {type(value) for value in result.values()} == {float}
    with pytest.raises(ValueError, match='v_x.avi has no gt_count.*PackRepetitionInputs'):
        metric.process({}, [dict(pred_count=3, filename='v_x.avi')])
