"""Accuracies: parity with SEVERE's script, and what makes them wrong elsewhere."""

import pytest
import torch
from mmaction.structures import ActionDataSample

from mmsigma.evaluation.classification.accuracy import AccuracyMetric, mean_class_accuracy, topk_correct
from tests.golden_evaluation import load_case


@pytest.mark.parametrize('name', ['balanced', 'long_tail', 'absent_class'])
def test_official_accuracies(name: str) -> None:
    case = load_case('class_accuracy')
    logits, labels = case.tensor(f'in_logits_{name}'), case.tensor(f'in_labels_{name}').long()
    for k in (1, 5):
        correct = topk_correct(logits, labels, k)
        assert 100 * correct.double().mean().item() == pytest.approx(
            case.arrays[f'out_{name}__top{k}'].item(), abs=1e-4
        )
        ours = 100 * mean_class_accuracy(correct, labels, logits.shape[1])
        assert ours == pytest.approx(case.arrays[f'out_{name}__mean_class_top{k}_severe'].item(), abs=1e-4)
        assert abs(ours - case.arrays[f'out_{name}__sigma_cumulative_top{k}'].item()) > 0.1


def test_label_beyond_the_classes() -> None:
    with pytest.raises(ValueError, match='label 3 does not fit 3 classes'):
        mean_class_accuracy(torch.tensor([True]), torch.tensor([3]), 3)


def sample(scores: list[float], label: int | None) -> dict:
    data = ActionDataSample()
    data.set_field(torch.tensor(scores), 'pred_score')
    if label is not None:
        data.set_gt_label(label)
    return data.to_dict()


def test_metric_in_percent() -> None:
    metric = AccuracyMetric(topk=(1, 2))
    metric.process({}, [sample([0.7, 0.2, 0.1], 0), sample([0.1, 0.5, 0.4], 2)])
    metric.process({}, [sample([0.2, 0.3, 0.5], 0)])
    metrics = metric.evaluate(size=3)
    assert metrics == pytest.approx({'acc/top1': 100 / 3, 'acc/top2': 200 / 3, 'acc/mean_class': 100 / 6})


def test_score_that_is_not_a_number() -> None:
    with pytest.raises(ValueError, match='a video has a nan score'):
        AccuracyMetric().process({}, [sample([0.5, float('nan')], 1)])


def test_video_without_label() -> None:
    with pytest.raises(ValueError, match='has no label'):
        AccuracyMetric().process({}, [sample([1.0], None)])
