"""Alignment metrics against the originals' functions, SciPy and scikit-learn."""

import csv
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.logging import MMLogger
from torch import Tensor

from mmsigma.evaluation.alignment.alignment_metric import AlignmentMetric
from mmsigma.evaluation.alignment.kendall import (
    tau_matrix,
)
from mmsigma.evaluation.alignment.phases import few_shot_classification, phase_classification, phase_progression
from tests.golden_gta import load_arrays, load_case


def golden_videos(subset: str) -> list[tuple[np.ndarray, np.ndarray]]:
    arrays = load_arrays('phase_eval')
    numbers = range(sum(name.startswith(f'shared/{subset}/') for name in arrays) // 2)
    return [tuple(arrays[f'shared/{subset}/{number}/{part}'] for part in ('embs', 'labels')) for number in numbers]


def tensors(videos: list[tuple[np.ndarray, np.ndarray]]) -> list[tuple[Tensor, Tensor]]:
    return [(torch.tensor(frames), torch.tensor(labels)) for frames, labels in videos]


def samples(labelled: bool = True) -> list[dict]:
    made = []
    for action in ('jump', 'sit'):
        for subset in ('train', 'val'):
            for number, (frames, labels) in enumerate(tensors(golden_videos(subset))):
                frames = frames if action == 'sit' else frames.flip(1) * 2
                sample = dict(embeddings=frames, action=action, subset=subset, filename=f'{action}/{subset}{number}')
                made.append({**sample, 'frame_labels': labels} if labelled else sample)
    return made


def numbered_videos() -> list[dict]:
    """Twelve training videos, whose names are in another order than the list, and two others."""
    rng = np.random.default_rng(0)
    made = []
    for number in range(14):
        labels = np.arange(3).repeat(rng.integers(3, 9, 3))
        frames = (np.eye(4)[labels] * rng.normal(1, 0.4, 4) + rng.normal(0, 0.6, (len(labels), 4))).astype(np.float32)
        subset = 'train' if number < 12 else 'val'
        sample = dict(embeddings=torch.tensor(frames), frame_labels=torch.tensor(labels), subset=subset)
        made.append({**sample, 'filename': f'{subset}{number}.mp4'})
    return made


class TestOrderOfTheList:
    @staticmethod
    def reference(fraction: float) -> tuple[float, float]:
        pairs = [(video['embeddings'].numpy(), video['frame_labels'].numpy()) for video in numbered_videos()]
        train, val = pairs[:12], pairs[12:]
        return (
            100 * phase_progression(train, val, fraction).val,
            100 * phase_classification(train, val, fraction, train_score=False).val,
        )

    def test_fractions_are_of_the_first_videos_of_the_list(self) -> None:
        videos = numbered_videos()
        metric = AlignmentMetric(('classification', 'progression'), fractions=(0.25, 0.5))
        metric.process({}, videos)
        found = metric.evaluate(len(videos))
        for fraction in (0.25, 0.5):
            progression, accuracy = self.reference(fraction)
            assert found[f'alignment/progression@{fraction:g}'] == pytest.approx(progression, abs=1e-9)
            assert found[f'alignment/svm@{fraction:g}'] == pytest.approx(accuracy, abs=1e-9)
        by_name = sorted(videos, key=lambda video: video['filename'])
        other = AlignmentMetric(('progression',), fractions=(0.5,))
        other.process({}, by_name)
        assert abs(other.evaluate(14)['alignment/progression@0.5'] - self.reference(0.5)[0]) > 0.5

    def test_draws_are_from_the_list(self) -> None:
        videos = numbered_videos()
        metric = AlignmentMetric(('few_shot',), shots=(2,), num_episodes=4)
        metric.process({}, videos)
        pairs = [(video['embeddings'].numpy(), video['frame_labels'].numpy()) for video in videos]
        expected = few_shot_classification(pairs[:12], pairs[12:], 2, 4)
        assert metric.evaluate(14)['alignment/few_shot@2'] == pytest.approx(100 * expected.mean, abs=1e-9)

    def test_positions_restore_it(self) -> None:
        videos = [{**video, 'sample_idx': number} for number, video in enumerate(numbered_videos())]
        metric = AlignmentMetric(('progression',), fractions=(0.5,))
        metric.process({}, videos[::-1])
        expected = self.reference(0.5)[0]
        assert metric.evaluate(14)['alignment/progression@0.5'] == pytest.approx(expected, abs=1e-9)


class TestMetric:
    def test_scores(self) -> None:
        metric = AlignmentMetric(measures=('kendall', 'retrieval', 'classification', 'progression', 'path'))
        videos = samples()
        metric.process({}, videos[:7])
        metric.process({}, videos[7:])
        found = metric.evaluate(len(videos))
        tau = tau_matrix([frames for frames, _ in tensors(golden_videos('val'))], 5).nanmean()
        assert found['alignment/kendall_tau'] == pytest.approx(100 * float(tau))
        ap = load_case('phase_eval', 'retrieval_stride1').arrays['ap'].mean() * 100
        found_ap = [found[f'alignment/AP@{k}'] for k in (5, 10, 15)]
        assert np.mean(found_ap) == pytest.approx(ap)
        for fraction in ('0.1', '0.5', '1'):
            case = load_case('phase_eval', f'fraction{fraction}').arrays
            assert found[f'alignment/svm@{fraction}'] == pytest.approx(100 * float(case['svm_val']), abs=1)
            expected = 100 * float(case['progression_val'])
            assert found[f'alignment/progression@{fraction}'] == pytest.approx(expected, abs=1e-3)
        assert 0 < found['alignment/path_progress'] < 100 and 0 < found['alignment/path_phase'] < 100

    def test_each_action_and_fine_labels(self) -> None:
        videos = [sample for sample in samples() if sample['subset'] == 'val' or sample['filename'][-1] in '01']
        metric = AlignmentMetric(('kendall', 'fine_grained'), per_action=True, events=dict(early=[0, 1]))
        metric.process({}, videos)
        names = {'kendall_tau', 'kendall_tau/jump', 'kendall_tau/sit', 'fine_svm', 'fine_svm/early'}
        assert set(metric.evaluate(len(videos))) == {f'alignment/{name}' for name in names}

    def test_few_shots(self, warnings_logged: list[str]) -> None:
        """Of the golden videos, and of an action that has two to learn from."""
        videos = [sample for sample in samples() if sample['subset'] == 'val' or sample['action'] == 'sit']
        videos += [sample for sample in samples() if sample['filename'] in ('jump/train0', 'jump/train1')]
        metric = AlignmentMetric(('few_shot',), shots=(3, 1), num_episodes=6, per_action=True)
        metric.process({}, videos)
        found = metric.evaluate(len(videos))
        as_many = AlignmentMetric(('few_shot',), shots=2, num_episodes=2, per_action=True)
        as_many.process({}, videos)
        assert 'alignment/few_shot@2/jump' in as_many.evaluate(len(videos))
        for shots in (1, 3):
            case = load_case('phase_eval', f'fewshot{shots}')
            assert case.params['episodes'] == 6
            suffix = '/sit' if shots == 1 else ''  # three shots are of one action
            for name, array in (('few_shot', 'mean'), ('few_shot_interval', 'ci95')):
                expected = 100 * float(case.arrays[array])
                assert found[f'alignment/{name}@{shots}{suffix}'] == pytest.approx(expected, abs=1)
        for name in ('few_shot@1', 'few_shot_interval@1'):
            each = [found[f'alignment/{name}/{action}'] for action in ('sit', 'jump')]
            assert found[f'alignment/{name}'] == pytest.approx(np.mean(each)) and each[0] != each[1]
        assert 'alignment/few_shot@3/jump' not in found
        assert warnings_logged == [
            'few_shot: jump has 2 labelled training videos and is left out of the means over actions for 3 shots'
        ]

    def test_lengths_of_embeddings_do_not_matter_to_the_cosine(self) -> None:
        videos, generator = samples(), torch.Generator().manual_seed(0)
        scaled = [
            {
                **video,
                'embeddings': video['embeddings'] * (1 + torch.rand(len(video['embeddings']), 1, generator=generator)),
            }
            for video in videos
        ]
        names = {}
        for kind in ('cosine', 'sqeuclidean'):
            found = []
            for given in (videos, scaled):
                metric = AlignmentMetric(('kendall', 'retrieval', 'path'), metric=kind, path=dict(cost=kind))
                metric.process({}, given)
                found.append(metric.evaluate(len(given)))
            differs = [name for name in found[0] if abs(found[0][name] - found[1][name]) > 1e-3]
            names[kind] = {name.partition('/')[2] for name in differs}
        assert not names['cosine']
        assert {'kendall_tau', 'AP@5', 'path_progress', 'path_phase'} <= names['sqeuclidean']

    def test_no_few_shots(self, warnings_logged: list[str]) -> None:
        metric = AlignmentMetric(('few_shot',), shots=(5,), num_episodes=2)
        metric.process({}, [sample for sample in samples() if sample['subset'] == 'val'])
        assert metric.evaluate(9) == {} and 'no few_shot: this requires' in warnings_logged[0]

    def test_pictures_and_a_table(self, tmp_path: Path) -> None:
        videos = [sample for sample in samples() if sample['subset'] == 'val']
        metric = AlignmentMetric(
            ('kendall', 'retrieval'), per_action=True, ks=(5,), out_dir=str(tmp_path), num_pictures=2
        )
        metric.process({}, videos)
        found = metric.evaluate(len(videos))
        with open(tmp_path / 'per_action.csv', newline='') as file:
            rows = {row.pop('action'): row for row in csv.DictReader(file)}
        assert rows.keys() == {'jump', 'sit'} == {path.name for path in tmp_path.iterdir() if path.is_dir()}
        for action, row in rows.items():
            assert {name: float(value) for name, value in row.items()} == pytest.approx(
                {name: found[f'alignment/{name}/{action}'] for name in ('kendall_tau', 'AP@5')}, abs=1e-3
            )
            stems = sorted(Path(sample['filename']).stem for sample in videos if sample['action'] == action)[:3]
            names = {f'{stems[0]}_{other}.png' for other in stems[1:]}
            assert {path.name for path in (tmp_path / action).iterdir()} == names

    def test_events_of_finegym(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Two events whose embeddings tell their elements, but not the event; background is left out."""
        lines_logged: list[str] = []
        monkeypatch.setattr(MMLogger, 'info', lambda self, message: lines_logged.append(message))
        rng = np.random.default_rng(0)
        videos = []
        for number, (event, labels) in enumerate((('0', [0, 99, -1]), ('1', [6, 7, -1])) * 4):
            frames = np.repeat(labels, 10)
            place = torch.tensor(np.stack([frames > min(labels[:2]), frames < 0], 1) * 10.0)
            sample = dict(filename=f'{number}', action=event, subset='train' if number < 4 else 'val')
            sample['embeddings'] = place + torch.tensor(rng.normal(0, 0.1, (30, 2)))
            videos.append({**sample, 'frame_labels': torch.tensor(frames)})
        events = dict(VT=[*range(6), 99, 100], FX=list(range(6, 41)), BB=list(range(41, 74)))
        for stride in (1, 7):
            metric = AlignmentMetric(('fine_grained',), events=events, fine_stride=stride)
            metric.process({}, videos)
            found = metric.evaluate(len(videos))
            assert found.keys() == {'alignment/fine_svm', 'alignment/fine_svm/VT', 'alignment/fine_svm/FX'}
            assert found['alignment/fine_svm/VT'] == found['alignment/fine_svm/FX'] == 100
            assert 30 < found['alignment/fine_svm'] < 70
            numbers = f'learns from {4 * -(-20 // stride)} frames to classify 80'  # 10 of 30 are background
            assert any(numbers in line for line in lines_logged)

    def test_without_labels(self, warnings_logged: list[str]) -> None:
        metric = AlignmentMetric()
        metric.process({}, samples(labelled=False))
        assert set(metric.evaluate(30)) == {'alignment/kendall_tau'}
        assert 'no retrieval, classification, progression' in warnings_logged[0]

    def test_one_video(self, warnings_logged: list[str]) -> None:
        metric = AlignmentMetric(('kendall',))
        metric.process({}, samples()[-1:])
        assert metric.evaluate(1) == {} and 'requires two validation videos' in warnings_logged[0]

    def test_actions_that_are_left_out(self, warnings_logged: list[str]) -> None:
        videos = samples()
        actions = sorted({video['action'] for video in videos})
        short = [video for video in videos if video['action'] != actions[0]]
        short.append(next(video for video in videos if video['action'] == actions[0]))
        metric = AlignmentMetric(('kendall', 'retrieval'))
        metric.process({}, short)
        metric.evaluate(len(short))
        (said,) = warnings_logged
        assert said.startswith(f'kendall is the mean of {len(actions) - 1} of {len(actions)} actions, ')
        assert f'without {actions[0]}; retrieval is the mean of ' in said

    @pytest.mark.parametrize('differ', [False, True])
    def test_collapsed_networks_get_no_score(self, warnings_logged: list[str], differ: bool) -> None:
        """Nearest of equal frames are drawn by rounding, and the order of equal distances by that of the frames.

        Videos may differ; what moves in them is not seen.
        """
        measures = ('kendall', 'retrieval', 'classification', 'progression', 'path', 'few_shot')
        generator = torch.Generator().manual_seed(0)
        collapsed = []
        for video in samples():
            length, width = video['embeddings'].shape
            direction = torch.rand(width, generator=generator) if differ else torch.ones(width)
            direction = torch.nn.functional.normalize(direction, dim=0)
            noise = 1e-7 * torch.rand(length, width, generator=generator)
            collapsed.append({**video, 'embeddings': direction + noise})
        metric = AlignmentMetric(measures, shots=(1,))
        metric.process({}, collapsed)
        found = metric.evaluate(len(collapsed))
        defined = [name for name, value in found.items() if value == value]
        assert defined == ['alignment/diagonal_progress', 'alignment/diagonal_phase'] and len(found) > 10
        assert any('have the same embedding, as of a network that has collapsed' in said for said in warnings_logged)

    def test_path_is_chosen_apart_from_the_protocol(self) -> None:
        """Cost and path change the errors of the path; all that is compared with other work stays as it is."""
        measures = ('kendall', 'retrieval', 'classification', 'progression', 'path')
        found = []
        for path in (None, dict(cost='sqeuclidean', path='dtw'), dict(path='expected', cost='cosine', gamma=0.1)):
            metric = AlignmentMetric(measures, path=path)
            metric.process({}, samples())
            found.append(metric.evaluate(len(samples())))
        names = {name for name in found[0] if len({scores[name] for scores in found}) > 1}
        assert names == {'alignment/path_progress', 'alignment/path_phase'}

    def test_nothing_to_score(self) -> None:
        training = [{**video, 'subset': 'train'} for video in samples()]
        metric = AlignmentMetric(('kendall',))
        metric.process({}, training)
        with pytest.raises(ValueError, match=f"none of {len(training)} videos is of the subset 'val'"):
            metric.evaluate(len(training))

    def test_one_phase_alone_is_no_classification(self) -> None:
        videos = [{**video, 'frame_labels': torch.zeros(len(video['embeddings']), dtype=int)} for video in samples()]
        metric = AlignmentMetric(('kendall', 'retrieval', 'classification', 'few_shot'), shots=(1,))
        metric.process({}, videos)
        assert metric.evaluate(len(videos)).keys() == {'alignment/kendall_tau'}

    def test_pairs_without_a_tau_are_counted(self, warnings_logged: list[str]) -> None:
        frames = torch.arange(20.0)[:, None]
        still = torch.zeros(20, 1)
        metric = AlignmentMetric(('kendall',), stride=1)
        metric.process({}, [dict(embeddings=x, filename=str(n)) for n, x in enumerate([frames, frames + 0.1, still])])
        assert metric.evaluate(3)['alignment/kendall_tau'] == pytest.approx(100)
        assert any('kendall: 4 of 6 pairs of all have no tau' in said for said in warnings_logged)

    def test_frames_without_a_phase(self) -> None:
        videos, background = samples(), []
        for video in videos:
            extra = torch.full((5, video['embeddings'].shape[1]), 1e3)
            background.append(
                {
                    **video,
                    'embeddings': torch.cat([extra, video['embeddings']]),
                    'frame_labels': torch.cat([torch.full((5,), -1), torch.as_tensor(video['frame_labels'])]),
                }
            )
        found = []
        for given in (videos, background):
            metric = AlignmentMetric(('retrieval', 'classification', 'progression', 'path', 'few_shot'), shots=1)
            metric.process({}, given)
            found.append(metric.evaluate(len(given)))
        assert found[0] == pytest.approx(found[1], abs=1e-6) and len(found[0]) > 10

    def test_pictures_of_videos_of_one_name(self, tmp_path: Path) -> None:
        videos = [{**samples()[-1], 'filename': f'{folder}/clip.mp4', 'subset': 'val'} for folder in 'xyz']
        metric = AlignmentMetric(('kendall',), out_dir=str(tmp_path))
        metric.process({}, videos)
        metric.evaluate(3)
        pictures = sorted(path.name for path in tmp_path.rglob('*.png'))
        assert pictures == [f'{a}_clip.mp4_{b}_clip.mp4.png' for a, b in ('xy', 'xz', 'yz')]

    def test_what_is_refused(self) -> None:
        with pytest.raises(ValueError, match='measures must be among'):
            AlignmentMetric(('tau',))
        with pytest.raises(ValueError, match='strides must be positive, got 5, 1 and 0'):
            AlignmentMetric(fine_stride=0)
        for wrong in (dict(shots=()), dict(shots=(0, 5)), dict(num_episodes=1), dict(ks=0)):
            with pytest.raises(ValueError, match='ks and shots must be positive and num_episodes at least 2'):
                AlignmentMetric(**wrong)
        for name, value in dict(fractions=(0.1, 2), metric='l1', classifier='knn').items():
            with pytest.raises(ValueError, match=f'{name} must be'):
                AlignmentMetric(**{name: value})
        with pytest.raises(ValueError, match="path one of .* got 'contrastive' and 'straight'"):
            AlignmentMetric(path=dict(path='straight'))
        assert AlignmentMetric(shots=5).shots == [5]
        (video, *_) = samples()
        for wrong, message in (
            (dict(embeddings=torch.full((4, 3), torch.nan)), 'jump/train0: embeddings .* must be finite'),
            (dict(frame_labels=torch.zeros(3)), 'jump/train0 has 37 embeddings and labels'),
        ):
            with pytest.raises(ValueError, match=message):
                AlignmentMetric().process({}, [{**video, **wrong}])

    def test_means_are_over_actions_of_any_number_of_videos(self) -> None:
        videos = samples()
        more = [{**video, 'filename': f'{video["filename"]}_{n}'} for n in range(3) for video in videos]
        uneven = videos + [video for video in more if video['action'] == 'jump']
        metric = AlignmentMetric(('kendall',), per_action=True)
        metric.process({}, uneven)
        found = metric.evaluate(len(uneven))
        own = [found[f'alignment/kendall_tau/{action}'] for action in ('jump', 'sit')]
        assert found['alignment/kendall_tau'] == pytest.approx(sum(own) / 2) and abs(own[0] - own[1]) > 1


def test_progression_below_zero_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    messages: list[str] = []
    monkeypatch.setattr(MMLogger, 'info', lambda self, message, *_: messages.append(message))
    videos = numbered_videos()
    for video in videos[12:]:  # what the fit has learned is the opposite of the truth
        video['embeddings'] = -video['embeddings']
    metric = AlignmentMetric(('progression',), fractions=(1.0,))
    metric.process({}, videos)
    assert metric.evaluate(14)['alignment/progression@1'] < 0
    assert any(
        m.startswith('progression@1 below zero: a linear fit') and 'worse than their mean' in m for m in messages
    )
