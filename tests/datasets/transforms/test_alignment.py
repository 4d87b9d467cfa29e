"""Steps of videos with their context, and labels of frames."""

import numpy as np
import pytest

from mmsigma.datasets.transforms import PackAlignmentInputs, SampleAlignmentSteps, SampleAllFrames
from mmsigma.datasets.transforms.alignment import context_frames, resample_phases, transcript_of
from tests.golden_gta import case_names, load_case


@pytest.mark.parametrize('name', case_names('sampling'))
def test_context_of_the_original(name: str) -> None:
    case = load_case('sampling', name)
    params = case.params
    if 'steps' in case:
        steps = case.arrays['steps']
    else:
        steps = np.arange(params['start'], params['start'] + params['num_steps'])
    # in its evaluation, steps beyond the end are clamped one later
    total = params['seq_len'] + ('steps' not in case)
    found = context_frames(steps, params['num_context'], params['stride'], total)
    assert found.tolist() == case.arrays['indices'].tolist()


class TestSteps:
    def test_random(self) -> None:
        np.random.seed(0)
        sampling = SampleAlignmentSteps(num_steps=5, num_context=2, context_stride=3)
        seen = set()
        for _ in range(100):
            results = sampling(dict(total_frames=12))
            steps = results['steps']
            assert (np.diff(steps) > 0).all() and steps[0] >= 1 and steps[-1] <= 11
            assert results['frame_inds'].tolist() == context_frames(steps, 2, 3, 12).tolist()
            seen.update(steps.tolist())
        assert seen == set(range(1, 12))

    def test_short_videos_repeat_their_last_frame(self) -> None:
        steps = SampleAlignmentSteps(num_steps=5, num_context=1)(dict(total_frames=3))['steps']
        assert steps.tolist() == [0, 1, 2, 2, 2]
        assert SampleAlignmentSteps(num_steps=5)(dict(total_frames=5))['steps'].tolist() == [0, 1, 2, 3, 4]

    def test_stride(self) -> None:
        steps = SampleAlignmentSteps(num_steps=4, sampling='stride')(dict(total_frames=43))['steps']
        assert steps.tolist() == [1, 11, 21, 31]
        with pytest.raises(ValueError, match="sampling must be 'random' or 'stride'"):
            SampleAlignmentSteps(sampling='even')

    def test_stride_from_a_random_start(self) -> None:
        np.random.seed(0)
        sampling = SampleAlignmentSteps(num_steps=4, sampling='stride', stride=3)
        drawn = np.stack([sampling(dict(total_frames=15))['steps'] for _ in range(60)])
        assert (np.diff(drawn) == 3).all() and set(drawn[:, 0]) == {0, 1, 2, 3}
        assert sampling(dict(total_frames=8))['steps'].tolist() == [0, 3, 6, 7]
        for wrong in (dict(stride=3), dict(sampling='stride', stride=0), dict(num_steps=0), dict(offset=-1)):
            with pytest.raises(ValueError, match='positive'):
                SampleAlignmentSteps(**wrong)

    def test_first_frame(self) -> None:
        np.random.seed(0)
        sampling = SampleAlignmentSteps(num_steps=4, num_context=1, offset=0)
        assert {step for _ in range(50) for step in sampling(dict(total_frames=6))['steps'].tolist()} == set(range(6))
        assert sampling(dict(total_frames=4))['steps'].tolist() == [0, 1, 2, 3]

    def test_positives_come_before_each_distance_as_often(self) -> None:
        np.random.seed(1)
        steps = SampleAlignmentSteps(num_steps=6000, num_context=1, positives=5)(dict(total_frames=8000))['steps']
        anchors, gaps = steps[::2], steps[::2] - steps[1::2]
        assert len(steps) == 12000 and (np.diff(anchors) > 0).all()
        distances, counts = np.unique(gaps[anchors >= 5], return_counts=True)
        assert distances.tolist() == [1, 2, 3, 4, 5] and counts.min() > 1100 and counts.max() < 1300
        early = SampleAlignmentSteps(num_steps=400, num_context=1, positives=5)(dict(total_frames=3))['steps']
        assert set(map(tuple, early.reshape(-1, 2).tolist())) == {(0, 0), (1, 0), (2, 0), (2, 1)}

    def test_packed(self) -> None:
        results = SampleAllFrames()(dict(total_frames=3, filename='a', action='2', frame_labels=np.array([0, 0, 1])))
        packed = PackAlignmentInputs()({**results, 'imgs': [np.zeros((4, 6, 3), np.uint8)] * 3})
        sample = packed['data_samples']
        assert packed['inputs'].shape == (3, 3, 4, 6)
        assert sample.steps.tolist() == [0, 1, 2] and sample.frame_labels.tolist() == [0, 0, 1]
        assert (sample.num_frames, sample.action) == (3, '2') and sample.transcript.tolist() == [0, 1]


def test_phases_of_another_frame_rate() -> None:
    phases = np.arange(9) // 3
    assert resample_phases(phases, 9).tolist() == phases.tolist()
    assert resample_phases(phases, 4).tolist() == phases[[0, 2, 4, 6]].tolist()
    longer = resample_phases(phases, 20)
    kept = np.arange(9) * 20 // 9  # the frames that CARL keeps
    assert longer[kept].tolist() == phases.tolist() and (np.diff(longer) >= 0).all() and len(longer) == 20
    results = dict(total_frames=4, filename='a', frame_inds=np.arange(4), frame_labels=phases)
    results['imgs'] = [np.zeros((4, 6, 3), np.uint8)] * 4
    with pytest.raises(ValueError, match='a has 4 frames but 9 frame labels: set resample_phases=True'):
        PackAlignmentInputs()(dict(results))
    assert PackAlignmentInputs(resample_phases=True)(results)['data_samples'].frame_labels.tolist() == [0, 0, 1, 2]


def test_transcripts() -> None:
    for labels, expected in (
        ([2, 2, 0, 0, 0, 2], [2, 0, 2]),
        ([-1, 5, 5, -1, 5, 7, -1], [5, 7]),  # background does not make a label begin anew
        ([-1, -1], []),
    ):
        assert transcript_of(np.array(labels)).tolist() == expected


def test_transcripts_of_several_actions() -> None:
    results = dict(total_frames=3, filename='a', frame_inds=np.arange(3), frame_labels=np.array([0, 0, 2]), label=4)
    results['imgs'] = [np.zeros((4, 6, 3), np.uint8)] * 3
    packed = PackAlignmentInputs(phases_per_action=3)(results)['data_samples']
    assert packed.transcript.tolist() == [12, 14] and packed.frame_labels.tolist() == [0, 0, 2]
    with pytest.raises(ValueError, match='a has the phase 2: phases_per_action must be at least 3'):
        PackAlignmentInputs(phases_per_action=2)(results)
    with pytest.raises(ValueError, match='a has no action label in the list'):
        PackAlignmentInputs(phases_per_action=3)(dict(results, label=-1))
    background = dict(results, frame_labels=np.full(3, -1))
    assert PackAlignmentInputs(phases_per_action=3)(background)['data_samples'].transcript.tolist() == []
