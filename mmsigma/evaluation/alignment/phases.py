"""Evaluation of frame embeddings by the phases of an action: classification, progression, few-shot, fine-grained.

Videos are pairs of embeddings ``(L, D)`` and frame labels ``(L,)``, phases 0, 1, ... in temporal order. The protocols
are those of TCC, LAV, GTA and CARL.
"""

import importlib.util
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

Videos = Sequence[tuple[ArrayLike, ArrayLike]]
Classifier = Literal['svm', 'linear']
CLASSIFIERS: tuple[Classifier, ...] = ('svm', 'linear')


class Accuracy(NamedTuple):
    """Fraction of frames that are classified correctly; ``train`` is NaN if it was not requested."""

    train: float
    val: float


def joint_frames(videos: Iterable[tuple[ArrayLike, ArrayLike]]) -> tuple[np.ndarray, np.ndarray]:
    """Concatenate the frames of all videos.

    Returns:
        Embeddings ``(N, D)``, float32, and labels ``(N,)``, int64.

    Raises:
        ValueError: If there is no video, a video does not have one label per frame, or an embedding is not finite.
    """
    pairs = [(np.asarray(frames, np.float32), np.asarray(labels, np.int64)) for frames, labels in videos]
    if not pairs:
        raise ValueError('there are no videos with frame labels')
    for number, (frames, labels) in enumerate(pairs):
        if frames.ndim != 2 or labels.shape != frames.shape[:1]:
            raise ValueError(f'video {number} has embeddings {frames.shape} and labels {labels.shape}')
        if not np.isfinite(frames).all():
            raise ValueError(f'embeddings of video {number} are not finite')
    frames, labels = (np.concatenate(parts) for parts in zip(*pairs, strict=True))
    return frames, labels


def first_videos(videos: Videos, fraction: float) -> Videos:
    """Return the given fraction of videos, the first ones, but at least one.

    Raises:
        ValueError: If ``fraction`` is not within (0, 1].
    """
    if not 0 < fraction <= 1:
        raise ValueError(f'fraction must be within (0, 1], got {fraction}')
    return videos[: max(1, int(fraction * len(videos)))]


def classify_frames(
    train: tuple[np.ndarray, np.ndarray],
    val: tuple[np.ndarray, np.ndarray],
    classifier: Classifier = 'svm',
    *,
    train_score: bool = True,
) -> Accuracy:
    """Fit a scikit-learn classifier to labelled frames, and measure its accuracy.

    Args:
        train: Embeddings ``(N, D)`` and labels ``(N,)``.
        val: Embeddings ``(M, D)`` and labels ``(M,)``.
        classifier: ``'svm'`` for a support vector machine with a radial basis function and C = 1 (TCC, LAV, GTA), or
            ``'linear'`` for multinomial logistic regression (CARL).
        train_score: Whether to classify the training frames as well, which takes as long as training.

    Raises:
        ValueError: If ``classifier`` is unknown.
        ImportError: If scikit-learn is not installed.
    """
    (frames, labels), (val_frames, val_labels) = train, val
    if len(np.unique(labels)) == 1:  # scikit-learn rejects a single class
        return Accuracy(1.0, float((val_labels == labels[0]).mean()))
    model = _classifier(classifier).fit(frames, labels)
    known = float(model.score(frames, labels)) if train_score else float('nan')
    return Accuracy(known, float(model.score(val_frames, val_labels)))


def phase_classification(
    train: Videos, val: Videos, fraction: float = 1.0, classifier: Classifier = 'svm', *, train_score: bool = True
) -> Accuracy:
    """Classify the phase of each frame of one action.

    Args:
        train: Labelled videos, of which the first ``max(1, int(fraction * V))`` are used.
        val: Videos to classify, with all of their frames.
        fraction: Fraction of the training videos to use; 0.1, 0.5 and 1 in the tables.
        classifier: See :func:`classify_frames`.
        train_score: See :func:`classify_frames`.
    """
    known, asked = joint_frames(first_videos(train, fraction)), joint_frames(val)
    return classify_frames(known, asked, classifier, train_score=train_score)


def progression_targets(labels: ArrayLike, num_phases: int) -> np.ndarray:
    """Return the time since the end of each phase except the last, as a fraction of the video.

    Args:
        labels: Phases of the frames, ``(L,)``.
        num_phases: Number of phases P.

    Returns:
        Targets ``(L, P - 1)``, negative before the end of the phase. A phase that is missing counts as ended before the
        video (LAV's rule; TCC's script fails).
    """
    labels = np.asarray(labels)
    ends = [np.flatnonzero(labels == phase).max(initial=-1) for phase in range(num_phases - 1)]
    return (np.arange(len(labels))[:, None] - np.asarray(ends, np.float64)) / len(labels)


def phase_progression(train: Videos, val: Videos, fraction: float = 1.0) -> Accuracy:
    """Measure how well a linear function of the embedding predicts the time to the ends of the phases.

    Ordinary least squares are fitted per phase to the frames of the first videos; the score is the mean R^2 over
    phases.

    Args:
        train: Labelled videos, of which the first ``max(1, int(fraction * V))`` are used.
        val: Labelled videos to evaluate on.
        fraction: Fraction of the training videos to use.

    Returns:
        R^2 on the used training videos and on the validation videos, at most 1 and possibly negative.

    Raises:
        ValueError: If there are fewer than two phases.
    """
    train = first_videos(train, fraction)
    (frames, labels), (val_frames, val_labels) = joint_frames(train), joint_frames(val)
    num_phases = int(max(labels.max(), val_labels.max())) + 1
    if num_phases < 2:
        raise ValueError('phase progression needs at least two phases, but the labels have one')
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
        mean: Mean accuracy over the episodes.
        interval: Half the width of its 95 % confidence interval by Student's t; NaN for one episode.
        accuracies: Accuracy of each episode, ``(E,)``.
        episodes: Indices of the training videos of each episode, ``(E, shots)``.
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
    classifier: Classifier = 'svm',
    rng: np.random.RandomState | None = None,
) -> FewShot:
    """Classify phases with a few labelled videos, which are drawn anew for each episode.

    Args:
        train: Labelled videos.
        val: Videos to classify.
        shots: Number of videos per episode.
        num_episodes: Number of episodes.
        classifier: See :func:`classify_frames`.
        rng: Random generator of the draws; None for one with seed 42. As in TCC's script, the same generator should be
            used for all numbers of shots in turn.

    Raises:
        ValueError: If there are fewer videos than shots.
    """
    if not 1 <= shots <= len(train):
        raise ValueError(f'cannot draw {shots} shots from {len(train)} training videos')
    rng = rng or np.random.RandomState(42)
    episodes = np.stack([rng.permutation(len(train))[:shots] for _ in range(num_episodes)])
    known: dict[tuple[int, ...], float] = {}  # small sets of videos are drawn repeatedly
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
    train: Videos, val: Videos, events: Mapping[str, Iterable[int]] | None = None, classifier: Classifier = 'svm'
) -> dict[str, float]:
    """Classify fine-grained frame labels, such as FineGym's elements; frames with a negative label are left out.

    Args:
        train: Labelled videos.
        val: Videos to classify.
        events: Labels of each event (vault, floor, ...), each of which gets a classifier of its own; None for none.
        classifier: See :func:`classify_frames`.

    Returns:
        Accuracy on the validation frames: ``'all'``, and one for each event with training and validation frames.

    Raises:
        ValueError: If there are no labelled frames for training or validation.
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
        raise ValueError('no labelled frames for training or validation: all labels are negative')
    return found


def _determination(pred: np.ndarray, true: np.ndarray) -> float:
    """Return R^2 averaged over columns; a constant column counts as 1 if met exactly and 0 otherwise, as in sklearn."""
    residual, total = np.square(true - pred).sum(axis=0), np.square(true - true.mean(axis=0)).sum(axis=0)
    flat = np.where(residual == 0, 1.0, 0.0)
    return float(np.where(total > 0, 1 - residual / np.where(total > 0, total, 1), flat).mean())


def _half_interval(values: np.ndarray) -> float:
    """Return half the width of the 95 % confidence interval of the mean."""
    from scipy.stats import t  # takes long to import

    if len(values) < 2:
        return float('nan')
    return float(t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values)))


def check_classifier(name: Classifier) -> None:
    """Check that a classifier exists and scikit-learn is installed; meant to be called before embedding anything.

    Raises:
        ValueError: If ``name`` is unknown.
        ImportError: If scikit-learn is not installed.
    """
    if name not in CLASSIFIERS:
        raise ValueError(f'classifier must be one of {CLASSIFIERS}, got {name!r}')
    if importlib.util.find_spec('sklearn') is None:
        raise ImportError('classifying frames requires scikit-learn: pip install "mmsigma[alignment]"')


def _classifier(name: Classifier) -> Any:
    check_classifier(name)
    from sklearn.linear_model import LogisticRegression  # takes long to import
    from sklearn.svm import SVC

    return SVC() if name == 'svm' else LogisticRegression(max_iter=100_000)
