"""Pages on what a classifier gets right, which videos are alike, and where they lie in the space of features."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from mmengine.logging import MMLogger
from torch import Tensor

from mmsigma.evaluation.classification.accuracy import mean_class_accuracy, topk_correct
from mmsigma.evaluation.classification.knn import check_spread
from mmsigma.io.feature_store import Features, digest
from mmsigma.io.pictures import PICTURES, read_picture
from mmsigma.io.tables import write_csv
from mmsigma.io.video import FrameReader
from mmsigma.ops.dense_clustering import project_tokens
from mmsigma.visualization.charts import scatter_chart
from mmsigma.visualization.confusion import draw_confusion
from mmsigma.visualization.masked_video import write_picture
from mmsigma.visualization.report import Page

_MOST_POINTS = 3000  # of a map, which a browser still draws at once
_THUMBNAIL = 120  # pixels
_QUERIES = 256  # that are compared with all other videos at once


def write_classification_report(
    out: str | Path,
    scores: Tensor,
    labels: Tensor,
    *,
    names: Sequence[str] = (),
    videos: Sequence[str] = (),
    facts: Mapping[str, Any] | None = None,
    num_examples: int = 12,
) -> Path:
    """Write accuracies, the confusion matrix, the best and the worst classes, and the surest mistakes.

    Args:
        out: Folder of the page.
        scores: Scores ``(N, C)``.
        labels: Labels ``(N,)``, int64.
        names: Names of the classes; empty for their numbers.
        videos: Files of the samples, ``(N,)``, of which the page shows some; empty for none.
        facts: What was run, by name.
        num_examples: Number of mistakes to show.

    Returns:
        Path of the page.

    Raises:
        ValueError: If there is no sample, or numbers do not fit each other.
    """
    if not len(labels) or len(scores) != len(labels) or len(videos) not in (0, len(labels)):
        raise ValueError(f'there are {len(scores)} scores, {len(labels)} labels and {len(videos)} videos')
    num_classes = scores.shape[1]
    classes = class_names(names, num_classes)
    predicted = scores.argmax(dim=1)
    correct = predicted == labels
    counts = torch.bincount(labels * num_classes + predicted, minlength=num_classes**2).view(num_classes, -1).numpy()
    page = Page('Classification', out)
    page.facts({**(facts or {}), 'videos': len(labels), 'classes': num_classes})
    accuracies = {f'top-{k}': topk_correct(scores, labels, k) for k in (1, 5) if k < num_classes}
    rows = [(f'{name} accuracy, %', 100 * float(hits.double().mean())) for name, hits in accuracies.items()]
    mean = 100 * mean_class_accuracy(correct, labels, num_classes)
    page.table(('metric', 'value'), [*rows, ('mean accuracy of the classes, %', mean)], digits=2)
    page.heading('Confusion')
    draw_confusion(counts, Path(out, 'report', 'confusion.png'), classes)
    page.figure('report/confusion.png', 'confusion matrix', 'share of the videos of each class, %')
    _add_classes(page, counts, classes)
    if videos and not bool(correct.all()):
        page.heading('Surest mistakes')
        sure = scores.softmax(dim=1).amax(dim=1) if bool((scores < 0).any()) else scores.amax(dim=1)
        wrong = torch.nonzero(~correct).ravel()
        chosen = wrong[sure[wrong].argsort(descending=True)[:num_examples]].tolist()
        page.sheet(
            (
                _thumbnail(out, videos[n]),
                Path(videos[n]).name,
                f'{classes[labels[n]]} as {classes[predicted[n]]}, {100 * float(sure[n]):.0f} %',
            )
            for n in chosen
        )
    return page.write()


def _add_classes(page: Page, counts: np.ndarray, classes: Sequence[str]) -> None:
    """Add the accuracy of every class, the worst first, as tables and as a file."""
    rows = []
    for number in np.flatnonzero(counts.sum(axis=1)).tolist():
        own, others = counts[number], np.where(np.arange(len(counts)) == number, 0, counts[number])
        confused = f'{classes[int(others.argmax())]} ({others.max()})' if others.any() else ''
        rows.append((classes[number], int(own.sum()), 100 * float(own[number] / own.sum()), confused))
    rows.sort(key=lambda row: (row[2], row[0]))
    titles = ('class', 'videos', 'accuracy, %', 'most often taken for')
    write_csv(page.folder / 'per_class.csv', [titles, *rows])
    if len(rows) > 20:
        page.heading('Worst classes')
        page.table(titles, rows[:10])
        page.heading('Best classes')
        page.table(titles, rows[:-11:-1])
    page.heading('All classes')
    page.links({'per_class.csv': 'per_class.csv'})
    page.table(titles, rows)


def write_retrieval_report(
    out: str | Path,
    queries: Features,
    bank: Features | None = None,
    *,
    names: Sequence[str] = (),
    facts: Mapping[str, Any] | None = None,
    num_queries: int = 8,
    num_nearest: int = 9,
) -> Path:
    """Write the nearest videos of some queries by cosine similarity, as sheets of pictures, and the recall over all.

    Args:
        out: Folder of the page.
        queries: Features ``(N, D)`` of the videos to ask with.
        bank: Features of the videos to search; None for those of the queries, each without itself.
        names: Names of the classes; empty for their numbers.
        facts: What was run, by name.
        num_queries: Number of queries to show, spread over all.
        num_nearest: Number of nearest videos to show.

    Returns:
        Path of the page.

    Raises:
        ValueError: If features are not one vector per video, all equal, or too few.
    """
    searched = bank or queries
    for features in (queries, searched):
        _check(features)
    most = len(searched.paths) - (bank is None)
    cosines, places = nearest_videos(queries.features, bank and bank.features, min(max(num_nearest, 10), most))
    page = Page('Retrieval', out)
    page.facts({**(facts or {}), 'queries': len(queries.paths), 'videos searched': most})
    labelled = bool((queries.labels >= 0).all() and (searched.labels >= 0).all())
    if labelled:
        hits = searched.labels[places] == queries.labels[:, None]
        ranks = [k for k in (1, 5, 10) if k <= hits.shape[1]]
        shares = [(f'a video of the class among the {k} nearest', hits[:, :k].any(1).double().mean()) for k in ranks]
        page.table(('metric', '%'), [(name, 100 * float(share)) for name, share in shares])
    classes = class_names(names, int(torch.cat([queries.labels, searched.labels]).max()) + 1)
    for query in np.unique(np.linspace(0, len(queries.paths) - 1, num_queries).round().astype(int)).tolist():
        path, label = queries.paths[query], int(queries.labels[query])
        items = [(_thumbnail(out, path), Path(path).name, f'query{_class(classes, label)}')]
        found = zip(places[query].tolist(), cosines[query].tolist(), strict=True)
        for place, cosine in list(found)[:num_nearest]:
            other = searched.paths[place]
            note = f'cosine {cosine:.4f}{_class(classes, int(searched.labels[place]))}'
            items.append((_thumbnail(out, other), Path(other).name, note))
        page.heading(Path(path).name)
        page.sheet(items, mark_first=True)
    return page.write()


def nearest_videos(queries: Tensor, bank: Tensor | None, number: int) -> tuple[Tensor, Tensor]:
    """Find the nearest videos of each query by the cosine of their features, some queries at a time.

    Args:
        queries: Features ``(N, D)``.
        bank: Features ``(M, D)`` of the videos to search; None for the queries, each without itself.
        number: Number of videos to find, at most M, or N - 1.

    Returns:
        Cosines ``(N, number)``, in decreasing order, and places in the bank, int64.
    """
    normalised = F.normalize(queries.float(), dim=1)
    searched = normalised if bank is None else F.normalize(bank.float(), dim=1)
    parts = []
    for start in range(0, len(queries), _QUERIES):
        cosines = normalised[start : start + _QUERIES] @ searched.T
        if bank is None:
            cosines.diagonal(start).fill_(-torch.inf)
        parts.append(cosines.topk(number, dim=1))
    return torch.cat([part.values for part in parts]), torch.cat([part.indices for part in parts])


def write_embedding_report(
    out: str | Path,
    features: Features,
    *,
    names: Sequence[str] = (),
    facts: Mapping[str, Any] | None = None,
    seed: int = 0,
) -> Path:
    """Write a map of videos in which near ones have similar features, in the colours of their classes.

    Args:
        out: Folder of the page.
        features: Features ``(N, D)``.
        names: Names of the classes; empty for their numbers.
        facts: What was run, by name.
        seed: Seed of t-SNE.

    Returns:
        Path of the page.

    Raises:
        ValueError: If features are not one vector per video, all equal, or fewer than four.
    """
    _check(features)
    if len(features.paths) < 4:
        raise ValueError(f'a map of {len(features.paths)} videos says nothing: extract the features of more')
    chosen = np.unique(np.linspace(0, len(features.paths) - 1, _MOST_POINTS).round().astype(int))
    points, method = embed_in_plane(F.normalize(features.features[chosen].float(), dim=1), seed)
    labels = features.labels[chosen].numpy()
    classes = class_names(names, int(features.labels.max()) + 1)
    page = Page('Map of features', out)
    page.facts({**(facts or {}), 'videos shown': f'{len(chosen)} of {len(features.paths)}', 'method': method})
    texts = [f'{Path(features.paths[n]).name}{_class(classes, int(features.labels[n]))}' for n in chosen]
    present = sorted(set(labels[labels >= 0].tolist()))
    titles = {number: classes[number] for number in present} if len(present) <= 40 else {}
    note = 'one point per video; point at it for its name. Axes have no unit'
    page.chart(scatter_chart(points, labels, texts, titles), 'map', note)
    rows = [(n, c, *map(float, p)) for n, c, p in zip((features.paths[n] for n in chosen), labels, points, strict=True)]
    write_csv(page.folder / 'map.csv', [('video', 'label', 'x', 'y'), *rows])
    page.links({'map.csv': 'map.csv'})
    return page.write()


def embed_in_plane(features: Tensor, seed: int = 0) -> tuple[np.ndarray, str]:
    """Map features ``(N, D)`` to the plane, ``(N, 2)``, and say how: by t-SNE, or by PCA without scikit-learn."""
    try:
        from sklearn.manifold import TSNE
    except ImportError:
        method = 'the two principal components; t-SNE requires scikit-learn (pip install scikit-learn)'
        MMLogger.get_current_instance().warning(f'the map shows {method}')
        return project_tokens(features, 2).numpy(), method
    perplexity = min(30.0, (len(features) - 1) / 3)
    points = TSNE(2, perplexity=perplexity, init='pca', random_state=seed).fit_transform(features.numpy())
    return points, f't-SNE of cosine geometry, perplexity {perplexity:.0f}, seed {seed}'


def class_names(names: Sequence[str], number: int) -> list[str]:
    """Return the names of classes, or their numbers.

    Raises:
        ValueError: If there are names, but fewer than classes.
    """
    if names and len(names) < number:
        raise ValueError(f'there are names of {len(names)} classes, but {number} classes: name all of them')
    return list(names) or [str(label) for label in range(number)]


def _class(classes: Sequence[str], label: int) -> str:
    if label < 0:
        return ''
    return f', class {label}' if classes[label] == str(label) else f', {classes[label]}'


def _check(features: Features) -> None:
    if features.features.ndim != 2:
        raise ValueError(
            f'features of the shape {tuple(features.features.shape)} are not one vector per video: extract them with '
            '--pooling mean'
        )
    if len(features.paths) < 2:
        raise ValueError(f'there are features of {len(features.paths)} videos: at least two are required')
    check_spread(features.features, 'the store')


def _thumbnail(out: str | Path, video: str) -> Path:
    """Write the middle frame of a video, or an image, small, below the folder of a page, and return its path."""
    path = Path(out, 'report', 'thumbnails', f'{digest(video)}.jpg')
    if not path.is_file():
        write_picture(path, _small_frame(video))
    return path


def _small_frame(video: str) -> np.ndarray:
    try:
        if Path(video).suffix.lower() in PICTURES:
            frame = read_picture(video)
        else:
            reader = FrameReader(video)
            frame = reader.read(len(reader) // 2)
    except (OSError, ValueError):  # the numbers do not depend on it; the picture says so
        frame = np.full((_THUMBNAIL, _THUMBNAIL * 4 // 3, 3), 160, np.uint8)
        cv2.putText(frame, 'not readable', (8, 64), cv2.FONT_HERSHEY_SIMPLEX, 0.6, (0, 0, 0), 1, cv2.LINE_AA)
        return frame
    width = max(round(frame.shape[1] * _THUMBNAIL / frame.shape[0]), 1)
    return cv2.resize(frame, (width, _THUMBNAIL), interpolation=cv2.INTER_AREA)
