"""mAP against SlowFast, mmaction2 and scikit-learn."""

import numpy as np
import pytest
import torch

from mmsigma.evaluation.classification.average_precision import MultiLabelMAP, average_precision, mean_average_precision
from tests.golden_evaluation import load_case

SCENES = ('plain', 'rounded_ties', 'constant_scores', 'empty_classes', 'videos_without_labels', 'one_positive_each')


@pytest.mark.parametrize('scene', SCENES)
def test_equals_the_references(scene):
    case = load_case('charades_map')
    scores, labels = case.tensor(f'in_scores_{scene}'), case.tensor(f'in_labels_{scene}')
    result = mean_average_precision(scores, labels)
    for implementation in ('slowfast', 'mmaction2'):
        expected = float(case.arrays[f'out_{scene}__{implementation}'])
        assert result == pytest.approx(expected, abs=case.tolerance['map'])
    expected = case.arrays[f'out_{scene}__ap']
    present = case.arrays[f'in_labels_{scene}'].any(axis=0)
    per_class = average_precision(scores, labels).numpy()
    np.testing.assert_allclose(per_class[present], expected[present], atol=case.tolerance['map'])
    assert np.isnan(per_class[~present]).all()


@pytest.mark.parametrize('scene', ['plain', 'videos_without_labels'])
def test_equals_the_script_of_charades(scene):
    """Where no scores are equal, which it takes in any order, and all classes occur."""
    case = load_case('charades_map')
    scores, labels = case.tensor(f'in_scores_{scene}'), case.tensor(f'in_labels_{scene}')
    per_class, occurrences = average_precision(scores, labels), labels.double().sum(dim=0)
    tolerance = dict(rtol=0, atol=case.tolerance['map'])
    np.testing.assert_allclose(per_class, case.arrays[f'out_{scene}__charades_script_ap'], **tolerance)
    np.testing.assert_allclose(per_class.mean(), case.arrays[f'out_{scene}__charades_script'], **tolerance)
    weighted = (per_class * occurrences).sum() / occurrences.sum()
    np.testing.assert_allclose(weighted, case.arrays[f'out_{scene}__charades_script_weighted'], **tolerance)


def test_largest_score_of_views():
    case = load_case('charades_map')
    best = case.tensor('in_view_scores').amax(dim=0)
    np.testing.assert_allclose(best.numpy(), case.arrays['out_view_max'], atol=case.tolerance['view_max'])
    expected = float(case.arrays['out_view_max_map'])
    assert mean_average_precision(best, case.tensor('in_view_labels')) == pytest.approx(expected, abs=1e-9)


def test_order_of_videos_does_not_matter_even_with_ties():
    scores, labels = torch.randint(0, 4, (50, 6)).double(), torch.randint(0, 2, (50, 6))
    order = torch.randperm(50)
    torch.testing.assert_close(average_precision(scores, labels), average_precision(scores[order], labels[order]))


def test_perfect_and_worst_order():
    labels = torch.tensor([[1], [1], [0], [0]])
    rising = torch.arange(4.0)[:, None]
    assert average_precision(-rising, labels).item() == 1.0
    assert average_precision(rising, labels).item() == pytest.approx((1 / 3 + 2 / 4) / 2)


def test_bad_input_is_refused():
    with pytest.raises(ValueError, match=r'both be \(N, C\)'):
        average_precision(torch.zeros(3, 2), torch.zeros(3))
    with pytest.raises(ValueError, match='diverged'):
        average_precision(torch.full((1, 1), torch.nan), torch.ones(1, 1))
    with pytest.raises(ValueError, match='no video has a label'):
        mean_average_precision(torch.zeros(3, 2), torch.zeros(3, 2))


def test_metric_reads_samples_and_refuses_single_labels():
    metric = MultiLabelMAP()
    samples = [
        dict(pred_score=torch.tensor([0.9, 0.1, 0.3]), gt_label=torch.tensor([1.0, 0.0, 0.0])),
        dict(pred_score=torch.tensor([0.2, 0.8, 0.4]), gt_label=torch.tensor([1.0, 1.0, 0.0])),
    ]
    metric.process({}, samples)
    assert metric.evaluate(2) == {'multi_label/mAP': 100.0, 'multi_label/num_classes_present': 2.0}
    with pytest.raises(ValueError, match='x.mp4: gt_label .* is not multi-hot over'):
        metric.process({}, [dict(pred_score=torch.zeros(3), gt_label=torch.tensor([2]), filename='x.mp4')])
