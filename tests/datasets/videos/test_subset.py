"""SEVERE's fixed small training sets."""

import numpy as np
import pytest

from mmsigma.datasets.videos.subset import fixed_subset
from tests.golden_evaluation import load_case


def test_ucf_equals_the_reference():
    case = load_case('severe_subset_1000')
    labels = case.arrays['in_labels']
    chosen = fixed_subset(labels, int(case.arrays['in_num_examples']), int(case.arrays['in_seed']))
    np.testing.assert_array_equal(chosen, case.arrays['out_indices'])
    np.testing.assert_array_equal(labels[chosen], case.arrays['out_labels'])
    np.testing.assert_array_equal(fixed_subset(labels), chosen)


def test_every_class_gives_the_same_number_if_it_can():
    labels = np.repeat([4, 0, 7], [10, 2, 5])
    chosen = fixed_subset(labels, num_examples=10)
    assert np.bincount(labels[chosen]).tolist() == [2, 0, 0, 0, 4, 0, 0, 4]
    assert len(np.unique(chosen)) == len(chosen) == 10
    assert labels[chosen].tolist() == sorted(labels[chosen])


def test_global_generator_is_left_alone():
    np.random.seed(3)
    expected = np.random.rand()
    np.random.seed(3)
    fixed_subset([0, 0, 1, 1], 2)
    assert np.random.rand() == expected


def test_another_list_is_another_subset():
    assert len(fixed_subset([0, 0, 1, 1], 2, expected=4)) == 2
    with pytest.raises(ValueError, match='a list of 5 videos, but this one has 4, .*--keep-missing'):
        fixed_subset([0, 0, 1, 1], 2, expected=5)


@pytest.mark.parametrize('labels', [[], [0, -1, 1]])
def test_unknown_labels_are_refused(labels):
    with pytest.raises(ValueError, match='every video has a label'):
        fixed_subset(labels)
