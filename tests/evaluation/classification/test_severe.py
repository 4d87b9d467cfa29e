"""The mean over SEVERE's settings."""

import pytest

from mmsigma.evaluation.classification.severe import PUBLISHED, SETTINGS, severe_mean
from tests.golden_evaluation import load_case


@pytest.mark.parametrize('row', range(3))
def test_mean_equals_the_table(row):
    case = load_case('severe_mean')
    mean = severe_mean(case.arrays['in_table'][row].tolist())
    assert mean == pytest.approx(case.arrays['out_mean'][row], abs=case.tolerance['mean'])
    assert mean == pytest.approx(case.arrays['out_published'][row], abs=case.tolerance['published'])


@pytest.mark.parametrize(
    ('name', 'mean'), [('VideoMAE', 57.4), ('MGMAE', 58.8), ('SIGMA-MLP', 61.5), ('SIGMA-DINO', 64.3)]
)
def test_published_rows_have_the_published_mean(name, mean):
    assert severe_mean(PUBLISHED[name]) == pytest.approx(mean, abs=0.051)


def test_there_is_no_mean_with_a_gap():
    assert severe_mean([*PUBLISHED['MGMAE'][:7], None]) is None
    with pytest.raises(ValueError, match='got 7 values'):
        severe_mean(PUBLISHED['MGMAE'][:7])
    assert len(SETTINGS) == 8
