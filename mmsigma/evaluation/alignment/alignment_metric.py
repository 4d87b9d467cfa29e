"""Metric of frame embeddings for temporal alignment, which combines the measures of TCC, GTA, CARL and LAV."""

import itertools
import re
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from mmengine.evaluator import BaseMetric
from mmengine.logging import MMLogger
from torch import Tensor

from mmsigma.evaluation.alignment.frame_cost import PathChoice
from mmsigma.evaluation.alignment.frame_retrieval import retrieval_precision
from mmsigma.evaluation.alignment.kendall import DISTANCES, Distance, tau_matrix
from mmsigma.evaluation.alignment.path_error import PathError, diagonal_error, path_error
from mmsigma.evaluation.alignment.phases import (
    Classifier,
    check_classifier,
    few_shot_classification,
    fine_grained_accuracy,
    phase_classification,
    phase_progression,
)
from mmsigma.evaluation.order import in_list_order
from mmsigma.io.names import path_below
from mmsigma.io.tables import write_csv
from mmsigma.registry import METRICS
from mmsigma.visualization.alignment import draw_alignment

MEASURES = ('kendall', 'retrieval', 'classification', 'progression', 'fine_grained', 'path', 'few_shot')


class _Video(NamedTuple):
    """What is kept of a video until the results of all videos are known."""

    action: str
    name: str
    subset: str
    frames: np.ndarray
    labels: np.ndarray  # empty if unknown
    position: int | None  # in the list; None if unknown
    fps: float | None = None  # None if unknown

    @property
    def times(self) -> np.ndarray | None:
        """Time of every frame in seconds, if the frame rate is known."""
        return np.arange(len(self.frames)) / self.fps if self.fps else None


_Subsets = dict[str, list[_Video]]  # videos of one action by subset


@METRICS.register_module()
class AlignmentMetric(BaseMetric):
    """Kendall's tau, phase classification, phase progression and retrieval of frame embeddings, all times 100.

    Every score is computed per action and averaged over actions with equal weight. A sample must have ``embeddings``
    ``(L, D)`` of all frames of a video. Optional are ``action``, its name (without it, all videos share one action);
    ``frame_labels`` ``(L,)``, phases, negative for frames to leave out, without which only Kendall's tau is computed;
    ``subset``, ``'train'`` for videos that classifiers learn from; ``filename``, for messages and images; and
    ``sample_idx``, the position in the list. Fractions, draws and support vector machines depend on the order of the
    list, which is kept; see :func:`mmsigma.evaluation.order.in_list_order`.

    Reports ``kendall_tau``, ``AP@K``, ``svm@F`` and ``progression@F`` for fractions F of the training videos and, on
    request, ``fine_svm`` (``fine_svm/EVENT``); ``path_progress`` and ``path_phase``, which are errors, with
    ``diagonal_progress`` and ``diagonal_phase``, the errors without any alignment; and ``few_shot@K``, the mean
    accuracy over episodes of a classifier of K videos, with ``few_shot_interval@K``, half the width of its 95 %
    confidence interval, averaged over actions as well.

    Args:
        measures: Measures to compute: ``'kendall'``, ``'retrieval'``, ``'classification'``, ``'progression'``,
            ``'fine_grained'``, ``'path'`` and ``'few_shot'``. Measures without data are left out with a warning, as are
            actions with too few videos or labels.
        stride: Stride of the frames for Kendall's tau; official: 5.
        retrieval_stride: Stride of the frames for retrieval.
        metric: Distance of frames for Kendall's tau and retrieval, ``'sqeuclidean'`` or ``'cosine'``.
        path: Cost and path of ``'path'`` and of the images, by the names of
            :class:`~mmsigma.evaluation.alignment.frame_cost.PathChoice`: ``dict(cost='sqeuclidean', path='dtw')`` is
            dynamic time warping of distances, as in CARL. None for the default.
        ks: Values of K for retrieval.
        fractions: Fractions of the training videos for classification and progression.
        classifier: ``'svm'`` or ``'linear'``.
        shots: Values of K for few-shot classification, used in increasing order; official: 1 to 10. As in TCC's script,
            draws continue from one K to the next, so those of a K depend on the values before it.
        num_episodes: Number of draws of K videos per action; official: 50.
        events: Labels of each event, for ``'fine_grained'``.
        fine_stride: Stride of the frames that classifiers of fine-grained labels learn from. The time of a support
            vector machine grows quadratically with their number; 20,000 take minutes.
        per_action: Whether to report every action as well.
        out_dir: Folder, relative to that of the log, of ``per_action.csv`` and of images of alignments,
            ``<action>/<video>_<video>.png``; None to write nothing.
        num_pictures: Number of pairs of validation videos to draw per action.
        collect_device: Device on which results of several ranks are collected.
        prefix: Prefix of the metric names.

    Raises:
        ValueError: If an argument is out of range.
        ImportError: If a measure requires scikit-learn, which is not installed.
    """

    default_prefix = 'alignment'

    def __init__(
        self,
        measures: Sequence[str] = MEASURES[:4],
        *,
        stride: int = 5,
        retrieval_stride: int = 1,
        metric: Distance = 'sqeuclidean',
        path: Mapping[str, Any] | None = None,
        ks: Sequence[int] = (5, 10, 15),
        fractions: Sequence[float] = (0.1, 0.5, 1.0),
        classifier: Classifier = 'svm',
        shots: Sequence[int] = tuple(range(1, 11)),
        num_episodes: int = 50,
        events: Mapping[str, Sequence[int]] | None = None,
        fine_stride: int = 1,
        per_action: bool = False,
        out_dir: str | None = None,
        num_pictures: int = 3,
        collect_device: str = 'cpu',
        prefix: str | None = None,
    ) -> None:
        super().__init__(collect_device, prefix)
        if unknown := set(measures) - set(MEASURES):
            raise ValueError(f'measures must be among {MEASURES}, got {sorted(unknown)}')
        self.measures, self.per_action = tuple(measures), per_action
        self.stride, self.retrieval_stride, self.metric = stride, retrieval_stride, metric
        self.ks, self.fractions, self.shots = (np.unique(values).tolist() for values in (ks, fractions, shots))
        self.classifier, self.events, self.num_episodes = classifier, events, num_episodes
        if min(stride, retrieval_stride, fine_stride) < 1:
            raise ValueError(f'strides must be positive, got {stride}, {retrieval_stride} and {fine_stride}')
        if metric not in DISTANCES:
            raise ValueError(f'metric must be one of {DISTANCES}, got {metric!r}')
        self.path = PathChoice(**(path or {}))
        self.path.check()
        if not all(0 < fraction <= 1 for fraction in self.fractions):
            raise ValueError(f'fractions must be within (0, 1], got {fractions}')
        if not self.ks or not self.shots or min(self.ks + self.shots) < 1 or num_episodes < 2:
            raise ValueError(
                f'ks and shots must be positive and num_episodes at least 2, got {ks}, {shots} and {num_episodes}'
            )
        if set(measures) & {'classification', 'few_shot', 'fine_grained'}:
            check_classifier(classifier)
        self.fine_stride, self.out_dir, self.num_pictures = fine_stride, out_dir, num_pictures

    def process(self, data_batch: dict[str, Any], data_samples: Sequence[dict[str, Any]]) -> None:
        """Collect the embeddings and labels of a batch of videos.

        Raises:
            ValueError: If embeddings are not finite, or their number differs from that of the labels; the message names
                the video.
        """
        for sample in data_samples:
            frames, labels = sample['embeddings'].detach().float().cpu(), sample.get('frame_labels')
            name = str(sample.get('filename', f'video {len(self.results)}'))
            if frames.ndim != 2 or not len(frames) or not frames.isfinite().all():
                raise ValueError(f'{name}: embeddings {tuple(frames.shape)} must be finite and of the shape (L, D)')
            phases = np.zeros(0, np.int64) if labels is None else torch.as_tensor(labels).cpu().numpy()
            if labels is not None and phases.shape != frames.shape[:1]:
                raise ValueError(f'{name} has {len(frames)} embeddings and labels of the shape {phases.shape}')
            action, subset = str(sample.get('action', 'all')), sample.get('subset', 'val')
            position, fps = sample.get('sample_idx'), sample.get('avg_fps')
            self.results.append(_Video(action, name, subset, frames.numpy(), phases, position, fps))

    def compute_metrics(self, results: list[tuple[Any, ...]]) -> dict[str, float]:
        """Compute the scores over all videos, including those of other ranks.

        Raises:
            ValueError: If there are no validation videos.
        """
        actions = _by_action(results)
        if not any(subsets['val'] for subsets in actions.values()):
            raise ValueError(f"none of {len(results)} videos is of the subset 'val': there is nothing to score")
        scores = {name: self._score_action(subsets) for name, subsets in actions.items()}
        metrics = {name: _mean([own[name] for own in scores.values() if name in own]) for name in _names(scores)}
        if 'fine_grained' in self.measures:  # one classifier for all actions
            train, val = (list(itertools.chain(*(own[part] for own in actions.values()))) for part in ('train', 'val'))
            metrics |= self._fine_grained(train, val)
        if self.per_action and len(actions) > 1:
            metrics |= {f'{name}/{action}': value for action, own in scores.items() for name, value in own.items()}
        self._warn_of_missing(scores, metrics)
        if self.out_dir:
            self._write(Path(self.out_dir), scores, {name: subsets['val'] for name, subsets in actions.items()})
        return {name: 100 * value for name, value in metrics.items()}

    def _score_action(self, subsets: _Subsets) -> dict[str, float]:
        """Compute the measures that are defined for one action, by name."""
        functions: dict[str, Callable[[list[_Video], list[_Video]], dict[str, float]]] = {
            'kendall': self._kendall,
            'retrieval': self._retrieval,
            'classification': self._classification,
            'progression': self._progression,
            'path': self._path,
            'few_shot': self._few_shot,
        }
        scores: dict[str, float] = {}
        for measure in self.measures:
            if measure in functions:
                scores |= functions[measure](subsets['train'], subsets['val'])
        if _is_constant(subsets['val']):
            # what a collapsed network gets is drawn by rounding and by the order of equal distances
            MMLogger.get_current_instance().warning(
                f'{subsets["val"][0].action}: all frames of a video have the same embedding, as of a network that has '
                'collapsed; its scores are undefined'
            )
            scores = {name: value if name.startswith('diagonal') else float('nan') for name, value in scores.items()}
        return scores

    def _write(self, folder: Path, scores: dict[str, dict[str, float]], actions: dict[str, list[_Video]]) -> None:
        """Write ``per_action.csv`` and draw the alignments of the first pairs of each action."""
        names = _names(scores)
        rows = [(action, *(100 * own.get(name, float('nan')) for name in names)) for action, own in scores.items()]
        write_csv(folder / 'per_action.csv', [('action', *names), *rows])
        for action, videos in actions.items():
            named = list(zip(_short_names(videos), videos, strict=True))
            for (one, x), (other, y) in itertools.islice(itertools.combinations(named, 2), self.num_pictures):
                cost, path = self.path.align(torch.from_numpy(x.frames), torch.from_numpy(y.frames))
                picture = path_below(folder, action.replace('/', '_'), f'{one}_{other}.png')
                draw_alignment(cost, path, picture, names=(one, other), times=(x.times, y.times))

    def _kendall(self, train: list[_Video], val: list[_Video]) -> dict[str, float]:
        if len(val) < 2:
            return {}
        taus = tau_matrix([torch.from_numpy(video.frames) for video in val], self.stride, self.metric)
        undefined = int(taus.isnan().sum()) - len(val)
        if undefined:
            MMLogger.get_current_instance().warning(
                f'kendall: {undefined} of {len(val) * (len(val) - 1)} pairs of {val[0].action} have no tau, since all '
                'frames of one video are nearest to the same frame of the other; they are left out of the mean'
            )
        return {'kendall_tau': float(taus.nanmean())}

    def _retrieval(self, train: list[_Video], val: list[_Video]) -> dict[str, float]:
        videos = _tensors(val)
        if len(videos) < 2 or _has_one_class(val):
            return {}
        found = retrieval_precision(videos, self.ks, stride=self.retrieval_stride, metric=self.metric)
        return {f'AP@{k}': value for k, value in found.items()}

    def _classification(self, train: list[_Video], val: list[_Video]) -> dict[str, float]:
        known, asked = _labelled(train), _labelled(val)
        if not known or not asked or _has_one_class(train + val):
            return {}
        return {
            f'{self.classifier}@{fraction:g}': phase_classification(
                known, asked, fraction, self.classifier, train_score=False
            ).val
            for fraction in self.fractions
        }

    def _progression(self, train: list[_Video], val: list[_Video]) -> dict[str, float]:
        known, asked = _labelled(train), _labelled(val)
        if not known or not asked or not max(labels.max() for _, labels in known + asked):
            return {}
        scores = {f'progression@{part:g}': phase_progression(known, asked, part).val for part in self.fractions}
        if below := [name for name, value in scores.items() if value < 0]:
            MMLogger.get_current_instance().info(
                f'{", ".join(below)} below zero: a linear fit of the embeddings predicts the times to the ends of '
                'phases worse than their mean, which has an R^2 of 0'
            )
        return scores

    def _few_shot(self, train: list[_Video], val: list[_Video]) -> dict[str, float]:
        known, asked = _labelled(train), _labelled(val)
        if not known or not asked or _has_one_class(train + val):
            return {}
        action, rng, found = train[0].action, np.random.RandomState(42), {}
        possible = [shots for shots in self.shots if shots <= len(known)]
        if len(possible) < len(self.shots):
            MMLogger.get_current_instance().warning(
                f'few_shot: {action} has {len(known)} labelled training videos and is left out of the means over '
                f'actions for {", ".join(map(str, self.shots[len(possible) :]))} shots'
            )
        # one line per action instead of a progress bar, since that of the test is still on the screen
        MMLogger.get_current_instance().info(f'few_shot: {action}, {len(possible) * self.num_episodes} draws')
        for shots in possible:
            score = few_shot_classification(known, asked, shots, self.num_episodes, self.classifier, rng)
            found.update({f'few_shot@{shots}': score.mean, f'few_shot_interval@{shots}': score.interval})
        return found

    def _fine_grained(self, train: list[_Video], val: list[_Video]) -> dict[str, float]:
        known, asked = _labelled(train), _labelled(val)
        if not known or not asked:
            return {}
        known = [(frames[:: self.fine_stride], labels[:: self.fine_stride]) for frames, labels in known]
        sizes = [sum(len(labels) for _, labels in videos) for videos in (known, asked)]
        MMLogger.get_current_instance().info(f'fine_grained: learns from {sizes[0]} frames to classify {sizes[1]}')
        found = fine_grained_accuracy(known, asked, self.events, self.classifier)
        name = f'fine_{self.classifier}'
        return {name if event == 'all' else f'{name}/{event}': value for event, value in found.items()}

    def _path(self, train: list[_Video], val: list[_Video]) -> dict[str, float]:
        videos = _tensors(val)
        if len(videos) < 2:
            return {}
        num_phases = int(max(labels.max() for _, labels in videos)) + 1
        errors = [path_error(*pair, num_phases, self.path) for pair in itertools.combinations(videos, 2)]
        plain = [diagonal_error(one[1], other[1], num_phases) for one, other in itertools.combinations(videos, 2)]
        return {
            f'{kind}_{name}': _mean([getattr(error, name) for error in own])
            for kind, own in (('path', errors), ('diagonal', plain))
            for name in PathError._fields
        }

    def _warn_of_missing(self, scores: dict[str, dict[str, float]], metrics: dict[str, float]) -> None:
        """Warn which measures are missing, and over how few actions others are averaged."""
        starts = {'retrieval': 'AP@', 'classification': f'{self.classifier}@', 'fine_grained': 'fine_'}
        found = {measure: starts.get(measure, measure) for measure in self.measures}
        parts = []
        if missing := [measure for measure, start in found.items() if not _has(metrics, start)]:
            parts.append(f'no {", ".join(missing)}')
        for measure, start in found.items():
            without = [action for action, own in scores.items() if not _has(own, start)]
            if without and measure not in (*missing, 'fine_grained'):
                count = f'{len(scores) - len(without)} of {len(scores)}'
                parts.append(f'{measure} is the mean of {count} actions, without {", ".join(without)}')
        if parts:
            MMLogger.get_current_instance().warning(
                '; '.join(parts) + ': this requires two validation videos of an action with differing frames, frame '
                "labels of two phases except for kendall, and labelled videos of the subset 'train' for classifiers"
            )


def _by_action(results: Sequence[tuple[Any, ...]]) -> dict[str, _Subsets]:
    """Group the collected results, which mmengine has turned into plain tuples, by action and subset.

    Actions are sorted by name, the videos of each in the order of the list.
    """
    groups: dict[tuple[str, str], list[_Video]] = defaultdict(list)
    for video in itertools.starmap(_Video, results):
        groups[video.action, video.subset].append(video)
    actions: dict[str, _Subsets] = defaultdict(lambda: defaultdict(list))
    for (action, subset), videos in sorted(groups.items()):
        actions[action][subset] = in_list_order(videos, lambda video: video.name, lambda video: video.position)
    return actions


def _names(scores: Mapping[str, Mapping[str, float]]) -> list[str]:
    """List the names of all scores of all actions, in order."""
    return list(dict.fromkeys(name for own in scores.values() for name in own))


def _has(scores: dict[str, float], start: str) -> bool:
    """Return whether there is a score whose name begins with ``start`` and which is not NaN."""
    return any(name.startswith(start) and value == value for name, value in scores.items())


def _is_constant(videos: list[_Video]) -> bool:
    """Return whether the embeddings of all frames of each video are equal, up to rounding in float32."""
    spread = (float(np.abs(video.frames - video.frames[:1]).max()) for video in videos if len(video.frames) > 1)
    largest = max((float(np.abs(video.frames).max()) for video in videos), default=0.0)
    return bool(videos) and all(value <= 1e-5 * largest for value in spread)


def _has_one_class(videos: list[_Video]) -> bool:
    """Return whether all labelled frames are of the same phase, so that every prediction would be right."""
    return len({int(label) for _, labels in _labelled(videos) for label in np.unique(labels)}) < 2


def _labelled(videos: list[_Video]) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return embeddings and labels of the labelled frames by video; negative labels are background."""
    kept = [(video.frames[video.labels >= 0], video.labels[video.labels >= 0]) for video in videos if len(video.labels)]
    return [(frames, labels) for frames, labels in kept if len(labels)]


def _short_names(videos: list[_Video]) -> list[str]:
    """Return names of videos for images: without folder and suffix where that is unique."""
    stems = [Path(video.name).stem for video in videos]
    return [
        stem if stems.count(stem) == 1 else re.sub(r'[^\w.-]+', '_', video.name)
        for stem, video in zip(stems, videos, strict=True)
    ]


def _tensors(videos: list[_Video]) -> list[tuple[Tensor, Tensor]]:
    return [(torch.from_numpy(frames), torch.from_numpy(labels)) for frames, labels in _labelled(videos)]


def _mean(values: list[float]) -> float:
    """Return the mean of the values that are not NaN; NaN if there are none."""
    finite = [value for value in values if value == value]
    return float(np.mean(finite)) if finite else float('nan')
