"""Training of probes on stored features, with many learning rates in one pass over the videos."""

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple, TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmsigma.evaluation.classification.accuracy import mean_class_accuracy, topk_correct
from mmsigma.evaluation.classification.knn import check_classes, check_finite, check_spread
from mmsigma.io.feature_store import StoredRows

Rows = Tensor | StoredRows
"""Features in memory, or on the disk."""
_T = TypeVar('_T')


class ProbeResult(NamedTuple):
    """Result of one setting of a sweep; accuracies in percent."""

    lr: float
    weight_decay: float
    top1: float
    top5: float
    mean_class: float
    train_loss: float


class LinearProbe(nn.Module):
    """Normalisation and linear layer on pooled features ``(N, D)``.

    Args:
        in_channels: Width of the features D.
        num_classes: Number of classes C.
        norm: ``'layer'`` for a trained layer norm (SIGMA), ``'batch'`` for a batch norm without parameters (MAE), or
            ``'none'``.

    Raises:
        ValueError: If ``norm`` is unknown.
    """

    def __init__(self, in_channels: int, num_classes: int, norm: str = 'layer') -> None:
        super().__init__()
        norms: dict[str, Callable[[], nn.Module]] = {
            'layer': lambda: nn.LayerNorm(in_channels, eps=1e-6),
            'batch': lambda: nn.BatchNorm1d(in_channels, eps=1e-6, affine=False),
            'none': nn.Identity,
        }
        if norm not in norms:
            raise ValueError(f'norm must be one of {sorted(norms)}, got {norm!r}')
        self.norm = norms[norm]()
        self.fc = nn.Linear(in_channels, num_classes)
        nn.init.trunc_normal_(self.fc.weight, std=2e-5)
        nn.init.zeros_(self.fc.bias)

    def forward(self, features: Tensor) -> Tensor:
        """Map features ``(N, D)`` to logits ``(N, C)``."""
        logits: Tensor = self.fc(self.norm(features))
        return logits


def train_probes(
    build: Callable[[], nn.Module],
    train: tuple[Rows, Tensor],
    val: tuple[Rows, Tensor],
    *,
    lrs: Sequence[float] = (5e-3, 3e-3, 1e-3, 3e-4, 1e-4),
    weight_decays: Sequence[float] = (0.05,),
    epochs: int = 30,
    batch_size: int = 128,
    warmup_epochs: float = 0,
    num_classes: int | None = None,
    seed: int = 0,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[ProbeResult]:
    """Train one probe per setting, all on the same batches, and evaluate each.

    The optimiser is AdamW with a cosine schedule to zero, per step. Every probe starts from the same weights. All
    results are returned: if the best is picked by its validation score, that choice should be stated with the number.

    Args:
        build: Function that creates a probe, a module from features ``(B, ...)`` to logits ``(B, C)``.
        train: Features ``(N, ...)`` and labels ``(N,)``. Probes are trained on the device of the labels. Features that
            are elsewhere, also on the disk, are sent there batch by batch, each read while the one before is used.
        val: Features ``(M, ...)`` and labels ``(M,)``.
        lrs: Learning rates, not scaled by the batch size.
        weight_decays: Weight decays, each combined with every learning rate.
        epochs: Number of passes over the training features.
        batch_size: Number of features per step. The last, smaller batch is used as well; a single remaining feature,
            for which batch norm is undefined, joins the batch before it.
        warmup_epochs: Length of the linear warm-up from zero, in epochs.
        num_classes: Number of classes C for the mean class accuracy; None for the largest label plus one.
        seed: Seed of the weights and of the order of features.
        progress: Function that is called after every epoch with the number of finished epochs and their total.

    Returns:
        One result per setting, in the order of ``itertools.product(lrs, weight_decays)``; the accuracies of a probe
        that has diverged are NaN.

    Raises:
        ValueError: If there are no features, some are not finite, all are equal, all training videos are of one class
            or none is of a class that is asked for, or a setting is out of range.
        FloatingPointError: If all probes have diverged.
    """
    features, labels = train
    if min(epochs, batch_size) < 1 or not all(0 <= value < math.inf for value in (*lrs, *weight_decays)):
        raise ValueError(
            'epochs and batch_size must be positive, lrs and weight_decays not negative and finite, '
            f'got {epochs}, {batch_size}, {list(lrs)} and {list(weight_decays)}'
        )
    _check_data(train, val)
    settings = list(itertools.product(lrs, weight_decays))
    probes = []
    for _ in settings:
        torch.manual_seed(seed)
        probes.append(build().to(labels.device))
    groups = [
        dict(params=list(probe.parameters()), lr=lr, base_lr=lr, weight_decay=decay)
        for probe, (lr, decay) in zip(probes, settings, strict=True)
    ]
    optimizer = torch.optim.AdamW(groups, betas=(0.9, 0.999), eps=1e-8)
    sizes = _batch_sizes(len(features), batch_size)
    steps_per_epoch = len(sizes)
    generator = torch.Generator().manual_seed(seed)
    losses = torch.zeros(len(probes))
    for epoch in range(epochs):
        losses.zero_()
        for step, (batch, targets) in enumerate(_batches(train, sizes, generator), epoch * steps_per_epoch):
            factor = _cosine(step, epochs * steps_per_epoch, warmup_epochs * steps_per_epoch)
            for group in optimizer.param_groups:
                group['lr'] = group['base_lr'] * factor
            step_losses = torch.stack([F.cross_entropy(probe(batch), targets) for probe in probes])
            optimizer.zero_grad()
            step_losses.sum().backward()  # probes share no parameter, so each gets its own gradient
            optimizer.step()
            losses += step_losses.detach().cpu() * len(targets) / len(features)
        progress(epoch + 1, epochs)
    num_classes = num_classes or int(max(labels.max(), val[1].max())) + 1
    results = [
        ProbeResult(*setting, *evaluate_probe(probe, *val, num_classes, batch_size), float(loss))
        for setting, probe, loss in zip(settings, probes, losses, strict=True)
    ]
    if all(math.isnan(result.top1) for result in results):
        raise FloatingPointError(f'all probes have diverged: the learning rates {list(lrs)} are too large')
    return results


def _check_data(train: tuple[Rows, Tensor], val: tuple[Rows, Tensor]) -> None:
    """Check features and labels; see :func:`train_probes` for the errors."""
    features, labels = train
    if not len(features) or not len(val[0]):
        raise ValueError(
            f'training and validation features are both required, got {len(features)} and {len(val[0])} of them'
        )
    check_finite(features, 'the training set')
    check_finite(val[0], 'the validation set')
    if bool((labels == labels[0]).all()):
        raise ValueError(f'all {len(labels)} training videos are of class {int(labels[0])}: there is nothing to learn')
    check_spread(features, 'the training set')
    check_classes(labels, val[1])


@torch.no_grad()
def evaluate_probe(
    probe: nn.Module, features: Rows, labels: Tensor, num_classes: int, batch_size: int = 128
) -> tuple[float, float, float]:
    """Compute top-1, top-5 and mean class accuracy, in percent, on features ``(M, ...)`` with labels ``(M,)``.

    They are NaN if the probe's logits are not finite.
    """
    probe.eval()
    parts = _ahead(part.to(labels.device) for part in features.split(batch_size))
    logits = torch.cat([probe(part.float()) for part in parts])
    if not logits.isfinite().all():
        return (math.nan,) * 3
    first = topk_correct(logits, labels, 1)
    top5 = topk_correct(logits, labels, 5)
    mean_class = mean_class_accuracy(first, labels, num_classes)
    return 100 * float(first.double().mean()), 100 * float(top5.double().mean()), 100 * mean_class


def _batch_sizes(total: int, batch_size: int) -> list[int]:
    """Return the sizes of the batches of an epoch, without a batch of one feature."""
    whole, rest = divmod(total, batch_size)
    if whole and rest == 1:
        return [batch_size] * (whole - 1) + [batch_size + 1]
    return [batch_size] * whole + [rest] * (rest > 0)


def _batches(
    train: tuple[Rows, Tensor], sizes: list[int], generator: torch.Generator
) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield features, float32, and labels of an epoch in random order."""
    features, labels = train
    order = torch.randperm(sum(sizes), generator=generator).split(sizes)
    device = features.device if isinstance(features, Tensor) else torch.device('cpu')
    read = ((features[rows.to(device)].to(labels.device), rows) for rows in order)
    for batch, rows in _ahead(read):
        yield batch.float(), labels[rows.to(labels.device)]


def _ahead(values: Iterator[_T]) -> Iterator[_T]:
    """Yield values, each of which is computed in a thread while the one before it is used."""
    with ThreadPoolExecutor(1) as pool:
        coming = pool.submit(next, values, None)
        while (value := coming.result()) is not None:
            coming = pool.submit(next, values, None)
            yield value


def _cosine(step: int, total: int, warmup: float) -> float:
    """Return the factor of the learning rate after ``step`` of ``total`` steps."""
    if step < warmup:
        return step / warmup
    return 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1, total - warmup)))
