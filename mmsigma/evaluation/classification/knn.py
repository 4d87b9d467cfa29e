"""Weighted nearest-neighbour classification of frozen features (DINO; Wu et al. 2018)."""

import math
from collections.abc import Iterable, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from mmsigma.evaluation.classification.accuracy import topk_correct
from mmsigma.io.feature_store import StoredRows

_BLOCK_ELEMENTS = 1 << 24  # elements of a block of similarities, or of features that are checked at once


@torch.no_grad()
def knn_votes(
    bank: Tensor,
    bank_labels: Tensor,
    queries: Tensor,
    k: Sequence[int] = (10, 20, 100, 200),
    *,
    num_classes: int | None = None,
    temperature: float = 0.07,
) -> dict[int, Tensor]:
    """Compute the votes of the nearest neighbours: sums of exp((cosine - largest cosine) / temperature) per class.

    The factor that is common to all votes of a query changes no order, and keeps them finite at any temperature.
    Queries are processed in blocks, so that not all similarities to the bank are in memory at once.

    Args:
        bank: Features of the training set, ``(N, D)``, of any length.
        bank_labels: Classes of the bank, ``(N,)``, int64.
        queries: Features to classify, ``(M, D)``.
        k: Numbers of neighbours; those above N use all.
        num_classes: Number of classes C; None for the largest label plus one.
        temperature: Divisor of the cosine similarity.

    Returns:
        For every ``k``, votes ``(M, C)``, float64; 0 for classes without neighbours.

    Raises:
        ValueError: If the bank is empty, a value is not finite, all features are equal, the numbers of labels and
            features differ, or ``k`` or ``temperature`` is not positive.
    """
    if min(k, default=0) < 1 or not 0 < temperature < math.inf:
        raise ValueError(f'k and temperature must be positive, got {list(k)} and {temperature}')
    if not len(bank) or len(bank) != len(bank_labels):
        raise ValueError(f'the bank has {len(bank)} features and {len(bank_labels)} labels')
    check_finite(bank, 'the bank')
    check_finite(queries, 'the queries')
    check_spread(bank, 'the bank')
    num_classes = num_classes or int(bank_labels.max()) + 1
    bank, queries = F.normalize(bank.float(), dim=1), F.normalize(queries.float(), dim=1)
    most = min(max(k), len(bank))
    votes = {number: torch.zeros(len(queries), num_classes, dtype=torch.float64, device=bank.device) for number in k}
    rows = max(1, _BLOCK_ELEMENTS // len(bank))
    for start in range(0, len(queries), rows):
        similarity, nearest = (queries[start : start + rows] @ bank.T).topk(most, dim=1)
        similarity = similarity.double()
        weights, labels = ((similarity - similarity[:, :1]) / temperature).exp(), bank_labels[nearest]
        for number, table in votes.items():
            table[start : start + rows].scatter_add_(1, labels[:, :number], weights[:, :number])
    return votes


def check_finite(features: Tensor | StoredRows, name: str) -> None:
    """Check features ``(N, ...)``.

    Raises:
        ValueError: If some are not finite; the message has their number.
    """
    if bad := sum(int((~part.isfinite()).flatten(1).any(dim=1).sum()) for part in _blocks(features)):
        raise ValueError(f'{bad} features of {name} are not finite')


def _blocks(features: Tensor | StoredRows) -> Iterable[Tensor]:
    return features.split(max(1, _BLOCK_ELEMENTS // max(1, math.prod(features.shape[1:]))))


def check_spread(features: Tensor | StoredRows, name: str) -> None:
    """Check that features ``(N, ...)`` differ, so that they can tell anything of their videos.

    Raises:
        ValueError: If they are all equal, up to rounding.
    """
    ranges = [torch.aminmax(part, dim=0) for part in _blocks(features)]
    low = torch.stack([part.min for part in ranges]).amin(dim=0)
    high = torch.stack([part.max for part in ranges]).amax(dim=0)
    if len(features) > 1 and bool((high - low).amax() <= 1e-6 * torch.maximum(high.abs(), low.abs()).amax()):
        raise ValueError(f'all {len(features)} features of {name} are equal, as of a network that has collapsed')


def check_classes(known: Tensor, asked: Tensor) -> None:
    """Check that classes ``(N,)`` that were learnt are among those asked for, ``(M,)``.

    Raises:
        ValueError: If none is, as with lists that number their classes differently.
    """
    if not bool(torch.isin(asked, known).any()):
        raise ValueError(
            f'none of the {len(asked)} videos to classify is of a class of the training set: do both lists number '
            'their classes alike?'
        )


def knn_accuracy(
    bank: Tensor,
    bank_labels: Tensor,
    queries: Tensor,
    labels: Tensor,
    k: Sequence[int] = (10, 20, 100, 200),
    **settings: Any,
) -> dict[str, float]:
    """Compute top-1 accuracy in percent for every ``k``, and top-5 where enough classes get votes.

    Top-5 is reported if there are more than five classes and every query has neighbours of at least five, since classes
    without votes tie at zero.

    Args:
        bank: Features of the training set, ``(N, D)``.
        bank_labels: Classes of the bank, ``(N,)``.
        queries: Features to classify, ``(M, D)``.
        labels: Classes of the queries, ``(M,)``.
        k: Numbers of neighbours.
        **settings: Further arguments of :func:`knn_votes`.

    Returns:
        Accuracies by name, such as ``knn20_top1``.

    Raises:
        ValueError: If there is nothing to classify, the bank has a single class or none that is asked for, or
            :func:`knn_votes` fails.
    """
    if not len(queries) or len(queries) != len(labels):
        raise ValueError(f'there are {len(queries)} features and {len(labels)} labels to classify')
    if len(bank_labels) and bool((bank_labels == bank_labels[0]).all()):
        raise ValueError(
            f'all {len(bank_labels)} videos of the bank are of class {int(bank_labels[0])}: nothing to choose from'
        )
    check_classes(bank_labels, labels)
    settings.setdefault('num_classes', int(max(bank_labels.max(), labels.max())) + 1)
    metrics = {}
    for number, votes in knn_votes(bank, bank_labels, queries, k, **settings).items():
        metrics[f'knn{number}_top1'] = 100 * float(topk_correct(votes, labels, 1).double().mean())
        if votes.shape[1] > 5 and int((votes > 0).sum(dim=1).min()) >= 5:
            metrics[f'knn{number}_top5'] = 100 * float(topk_correct(votes, labels, 5).double().mean())
    return metrics
