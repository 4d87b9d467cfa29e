"""What frame embeddings know of the phases of an action: classification, progression, few videos, fine labels.

All videos are pairs of embeddings (L, D) and labels of the frames (L,), phases 0, 1, ... in the order of time.
"""

import importlib.util
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

Videos = Sequence[tuple[ArrayLike, ArrayLike]]
CLASSIFIERS = ('svm', 'linear')


class Accuracy(NamedTuple):
    """Share of the frames that are classified right; that of training is NaN where it was not asked for."""

    train: float
    val: float


def joint_frames(videos: Iterable[tuple[ArrayLike, ArrayLike]]) -> tuple[np.ndarray, np.ndarray]:
    """Embeddings and labels of all frames, float32 (N, D) and int64 (N,).

    Raises:
        ValueError: If there is no video, a video has not one label per frame, or an embedding is not finite.
    """
    pairs = [(np.asarray(frames, np.float32), np.asarray(labels, np.int64)) for frames, labels in videos]
    if not pairs:
        raise ValueError('no videos with labels of their frames')
    for number, (frames, labels) in enumerate(pairs):
        if frames.ndim != 2 or labels.shape != frames.shape[:1]:
            raise ValueError(f'video {number} has embeddings {frames.shape} and labels {labels.shape}')
        if not np.isfinite(frames).all():
            raise ValueError(f'embeddings of video {number} are not finite')
    frames, labels = (np.concatenate(parts) for parts in zip(*pairs, strict=True))
    return frames, labels


def first_videos(videos: Videos, fraction: float) -> Videos:
    """The first of them, at least one.

    Raises:
        ValueError: If the fraction is not within (0, 1].
    """
    if not 0 < fraction <= 1:
        raise ValueError(f'fraction must be within (0, 1], got {fraction}')
    return videos[: max(1, int(fraction * len(videos)))]


def classify_frames(
    train: tuple[np.ndarray, np.ndarray],
    val: tuple[np.ndarray, np.ndarray],
    classifier: str = 'svm',
    *,
    train_score: bool = True,
) -> Accuracy:
    """Fit a classifier of scikit-learn to frames and labels, and count what it gets right.

    Args:
        train: Embeddings (N, D) and labels (N,).
        val: Embeddings (M, D) and labels (M,).
        classifier: ``'svm'``, a support vector machine with a radial basis function, C = 1 (TCC, LAV, GTA), or
            ``'linear'``, multinomial logistic regression (CARL).
        train_score: Classify the training frames, too, which takes as long as to learn from them.

    Raises:
        ValueError: If there is no such classifier.
        ImportError: If scikit-learn is not installed.
    """
    (frames, labels), (val_frames, val_labels) = train, val
    if len(np.unique(labels)) == 1:  # nothing to tell apart: scikit-learn would refuse
        return Accuracy(1.0, float((val_labels == labels[0]).mean()))
    model = _classifier(classifier).fit(frames, labels)
    known = float(model.score(frames, labels)) if train_score else float('nan')
    return Accuracy(known, float(model.score(val_frames, val_labels)))


def phase_classification(
    train: Videos, val: Videos, fraction: float = 1.0, classifier: str = 'svm', *, train_score: bool = True
) -> Accuracy:
    """Classify the phase of each frame of one action.

    Args:
        train: Labelled videos, of which the first ``max(1, int(fraction * V))`` are used.
        val: Videos to classify, all frames.
        fraction: 0.1, 0.5 and 1 in the tables.
        classifier: See :func:`classify_frames`.
        train_score: Likewise.
    """
    known, asked = joint_frames(first_videos(train, fraction)), joint_frames(val)
    return classify_frames(known, asked, classifier, train_score=train_score)


def progression_targets(labels: ArrayLike, num_phases: int) -> np.ndarray:
    """Time since the end of each phase but the last, as a share of the video.

    Args:
        labels: Of the frames (L,).
        num_phases: P.

    Returns:
        (L, P - 1), negative before the end. A phase that is missing counts as ended before the video (LAV's rule; TCC's
        script fails).
    """
    labels = np.asarray(labels)
    ends = [np.flatnonzero(labels == phase).max(initial=-1) for phase in range(num_phases - 1)]
    return (np.arange(len(labels))[:, None] - np.asarray(ends, np.float64)) / len(labels)


def phase_progression(train: Videos, val: Videos, fraction: float = 1.0) -> Accuracy:
    """How well a linear function of the embedding tells the time to the ends of the phases.

    Ordinary least squares per phase, of the frames of the first videos, and the mean over phases of R^2.

    Returns:
        R^2, at most 1 and possibly negative, on the training videos used and on the validation videos.

    Raises:
        ValueError: If there are fewer than two phases.
    """
    train = first_videos(train, fraction)
    (frames, labels), (val_frames, val_labels) = joint_frames(train), joint_frames(val)
    num_phases = int(max(labels.max(), val_labels.max())) + 1
    if num_phases < 2:
        raise ValueError('phase progression needs two phases or more, the labels have one')
    targets, val_targets = (np.concatenate([progression_targets(y, num_phases) for _, y in v]) for v in (train, val))
    centre, mean = frames.mean(axis=0, dtype=np.float64), targets.mean(axis=0)
    weights, *_ = np.linalg.lstsq(frames - centre, targets - mean, rcond=None)
    return Accuracy(
        _determination((frames - centre) @ weights + mean, targets),
        _determination((val_frames - centre) @ weights + mean, val_targets),
    )


class FewShot(NamedTuple):
    """Result of :func:`few_shot_classification`.

    Attributes:
        mean: Accuracy over the episodes.
        interval: Half the width of its 95 % confidence interval, by Student's t; NaN for one episode.
        accuracies: Of each episode.
        episodes: Training videos of each.
    """

    mean: float
    interval: float
    accuracies: np.ndarray
    episodes: np.ndarray


def few_shot_classification(
    train: Videos,
    val: Videos,
    shots: int,
    num_episodes: int = 50,
    classifier: str = 'svm',
    rng: np.random.RandomState | None = None,
) -> FewShot:
    """Classify phases with a few labelled videos, drawn anew for each episode.

    Args:
        train: Labelled videos.
        val: Videos to classify.
        shots: Videos per episode.
        num_episodes: Number of episodes.
        classifier: See :func:`classify_frames`.
        rng: What draws; with a seed of 42 by default, and to be handed on from one number of shots to the next, as in
            TCC's script.

    Raises:
        ValueError: If there are fewer videos than shots.
    """
    if not 1 <= shots <= len(train):
        raise ValueError(f'{shots} shots of {len(train)} training videos')
    rng = rng or np.random.RandomState(42)
    episodes = np.stack([rng.permutation(len(train))[:shots] for _ in range(num_episodes)])
    known: dict[tuple[int, ...], float] = {}  # few videos are drawn more than once
    accuracies, whole = [], joint_frames(val)
    for episode in episodes:
        key = tuple(sorted(episode.tolist()))
        if key not in known:
            drawn = joint_frames(train[i] for i in episode)
            known[key] = classify_frames(drawn, whole, classifier, train_score=False).val
        accuracies.append(known[key])
    values = np.asarray(accuracies)
    return FewShot(float(values.mean()), _half_interval(values), values, episodes)


def fine_grained_accuracy(
    train: Videos, val: Videos, events: Mapping[str, Iterable[int]] | None = None, classifier: str = 'svm'
) -> dict[str, float]:
    """Classify fine labels of frames, such as FineGym's elements; frames with a negative label are left out.

    Args:
        train: Labelled videos.
        val: Videos to classify.
        events: Labels that belong to each event (vault, floor, ...), each of which gets a classifier of its own.
        classifier: See :func:`classify_frames`.

    Returns:
        Accuracy on the validation frames: ``'all'``, and one for each event that has frames to train and to test with.
    """
    parts = [joint_frames(videos) for videos in (train, val)]
    every = np.unique(np.concatenate([labels for _, labels in parts]))
    groups = {'all': every[every >= 0], **{name: np.asarray(list(own)) for name, own in (events or {}).items()}}
    found = {}
    for name, own in groups.items():
        chosen = [(frames[np.isin(labels, own)], labels[np.isin(labels, own)]) for frames, labels in parts]
        if all(len(labels) for _, labels in chosen):
            found[name] = classify_frames(chosen[0], chosen[1], classifier, train_score=False).val
    if 'all' not in found:
        raise ValueError('no labelled frames to train or to test with: all labels are negative')
    return found


def _determination(pred: np.ndarray, true: np.ndarray) -> float:
    """R^2, the mean over columns; of a constant column 1 if it is met and 0 otherwise, as in scikit-learn."""
    residual, total = np.square(true - pred).sum(axis=0), np.square(true - true.mean(axis=0)).sum(axis=0)
    flat = np.where(residual == 0, 1.0, 0.0)
    return float(np.where(total > 0, 1 - residual / np.where(total > 0, total, 1), flat).mean())


def _half_interval(values: np.ndarray) -> float:
    from scipy.stats import t  # takes long to import

    if len(values) < 2:
        return float('nan')
    return float(t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values)))


def check_classifier(name: str) -> None:
    """Is there such a classifier, and scikit-learn? To be asked before embeddings are computed.

    Raises:
        ValueError: If there is no such classifier.
        ImportError: If scikit-learn is not installed.
    """
    if name not in CLASSIFIERS:
        raise ValueError(f'classifier must be one of {CLASSIFIERS}, got {name!r}')
    if importlib.util.find_spec('sklearn') is None:
        raise ImportError('classifying frames needs scikit-learn: pip install "mmsigma[alignment]"')


def _classifier(name: str) -> Any:
    check_classifier(name)
    from sklearn.linear_model import LogisticRegression  # takes long to import
    from sklearn.svm import SVC

    return SVC() if name == 'svm' else LogisticRegression(max_iter=100_000)
