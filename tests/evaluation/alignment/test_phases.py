"""Classification and progression of phases."""

import importlib.util

import numpy as np
import pytest

from mmsigma.evaluation.alignment.alignment_metric import AlignmentMetric
from mmsigma.evaluation.alignment.phases import (
    few_shot_classification,
    fine_grained_accuracy,
    joint_frames,
    phase_classification,
    phase_progression,
    progression_targets,
)
from tests.golden_gta import case_names, load_arrays, load_case


def golden_videos(subset: str) -> list[tuple[np.ndarray, np.ndarray]]:
    arrays = load_arrays('phase_eval')
    numbers = range(sum(name.startswith(f'shared/{subset}/') for name in arrays) // 2)
    return [tuple(arrays[f'shared/{subset}/{number}/{part}'] for part in ('embs', 'labels')) for number in numbers]


class TestPhases:
    @pytest.mark.parametrize('name', [name for name in case_names('phase_eval') if name.startswith('fraction')])
    def test_originals(self, name: str) -> None:
        case = load_case('phase_eval', name)
        train, val, fraction = golden_videos('train'), golden_videos('val'), case.params['fraction']
        for kind, allowed in (('svm', 0.01), ('linear', 0.01), ('progression', 2e-6)):
            if kind == 'progression':
                found = phase_progression(train, val, fraction)
            else:
                found = phase_classification(train, val, fraction, kind)
            expected = [float(case.arrays[f'{kind}_{subset}']) for subset in ('train', 'val')]
            np.testing.assert_allclose(found, expected, rtol=0, atol=allowed)

    def test_targets(self) -> None:
        case = load_case('phase_eval', 'progression_targets')
        for number, name in enumerate(('val0', 'val1')):
            found = progression_targets(golden_videos('val')[number][1], case.params['P'])
            np.testing.assert_allclose(found, case.arrays[name], atol=1e-12)
        np.testing.assert_allclose(
            progression_targets([0, 0, 2, 2], 3), [[-0.25, 0.25], [0, 0.5], [0.25, 0.75], [0.5, 1]]
        )

    def test_few_shots(self) -> None:
        train, val, rng = golden_videos('train'), golden_videos('val'), np.random.RandomState(42)
        for name in ('fewshot1', 'fewshot3'):
            case = load_case('phase_eval', name)
            found = few_shot_classification(train, val, case.params['shots'], case.params['episodes'], rng=rng)
            np.testing.assert_array_equal(found.episodes, case.arrays['episodes'])
            np.testing.assert_allclose(found.accuracies, case.arrays['acc'], atol=0.01)
            assert found.mean == pytest.approx(float(case.arrays['mean']), abs=0.01)
            assert found.interval == pytest.approx(float(case.arrays['ci95']), abs=0.01)

    def test_fine_labels(self) -> None:
        rng = np.random.default_rng(0)
        labels = [np.repeat([-1, 0, 1, 2, 3], 6) for _ in range(3)]
        videos = [(np.eye(5)[own + 1] + 0.05 * rng.normal(size=(30, 5)), own) for own in labels]
        videos[2][0][videos[2][1] == 3] = np.eye(5)[3]  # the last video shows the third element when it says the fourth
        found = fine_grained_accuracy(videos[:2], videos[2:], dict(vault=[0, 1], floor=[2, 3], beam=[9]))
        assert found == {'all': 0.75, 'vault': 1.0, 'floor': 0.5}

    def test_what_is_refused(self, monkeypatch: pytest.MonkeyPatch) -> None:
        train = golden_videos('train')
        for videos, message in (
            ([], 'no videos'),
            ([(np.zeros((3, 2)), np.zeros(4))], r'video 0 has embeddings \(3, 2\) and labels \(4,\)'),
            ([(np.full((3, 2), np.nan), np.zeros(3))], 'embeddings of video 0 are not finite'),
        ):
            with pytest.raises(ValueError, match=message):
                joint_frames(videos)
        with pytest.raises(ValueError, match='fraction must be within'):
            phase_classification(train, train, 0)
        with pytest.raises(ValueError, match='classifier must be one of'):
            phase_classification(train, train, 1, 'knn')
        with pytest.raises(ValueError, match='at least two phases'):
            phase_progression([(np.zeros((3, 2)), np.zeros(3))], [(np.zeros((3, 2)), np.zeros(3))])
        with pytest.raises(ValueError, match='cannot draw 11 shots from 10'):
            few_shot_classification(train, train, 11)
        with pytest.raises(ValueError, match='all labels are negative'):
            fine_grained_accuracy(*[[(np.zeros((3, 2)), np.full(3, -1))]] * 2)
        monkeypatch.setattr(importlib.util, 'find_spec', lambda name: None)
        with pytest.raises(ImportError, match='requires scikit-learn'):
            phase_classification(train, train, 1)
        with pytest.raises(ImportError, match='requires scikit-learn'):
            AlignmentMetric(('fine_grained',))
        AlignmentMetric(('kendall', 'retrieval', 'progression', 'path'))
