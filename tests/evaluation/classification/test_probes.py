"""Probes on stored features."""

import math

import pytest
import torch
import torch.nn.functional as F

from mmsigma.evaluation.classification.probes import LinearProbe, _batch_sizes, evaluate_probe, train_probes
from mmsigma.io.feature_store import StoredRows


def blobs(per_class: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    centres = torch.randn(3, 8, generator=torch.Generator().manual_seed(0)) * 3
    labels = torch.arange(3).repeat(per_class)
    noise = torch.randn(len(labels), 8, generator=torch.Generator().manual_seed(seed))
    return centres[labels] + noise, labels


def sweep(**settings) -> list:
    settings = dict(lrs=(1e-2, 1e-9), weight_decays=(0.0, 0.1), epochs=20, batch_size=16) | settings
    return train_probes(lambda: LinearProbe(8, 3), blobs(20, 1), blobs(10, 2), **settings)


def test_every_setting_is_trained_on_its_own() -> None:
    results = sweep()
    assert [(result.lr, result.weight_decay) for result in results] == [
        (1e-2, 0.0),
        (1e-2, 0.1),
        (1e-9, 0.0),
        (1e-9, 0.1),
    ]
    assert results[0].top1 > 95 and results[0].train_loss < 0.5
    assert results[2].train_loss == pytest.approx(torch.tensor(3.0).log().item(), abs=1e-3)
    alone = sweep(lrs=(1e-2,), weight_decays=(0.1,))
    assert alone[0] == pytest.approx(results[1], abs=1e-6)


def test_is_adamw_with_a_cosine() -> None:
    # classes in unequal numbers: otherwise the gradient of the bias is rounding error, which Adam makes large
    features, labels = (part[:25] for part in blobs(10, 1))
    probe = LinearProbe(8, 3, 'none')

    def build() -> LinearProbe:
        torch.nn.init.zeros_(probe.fc.weight)
        return probe

    reference = LinearProbe(8, 3, 'none')
    torch.nn.init.zeros_(reference.fc.weight)
    train_probes(
        build, (features, labels), (features, labels), lrs=(0.1,), weight_decays=(0.05,), epochs=4, batch_size=30
    )
    optimizer = torch.optim.AdamW(reference.parameters(), lr=0.1, betas=(0.9, 0.999), weight_decay=0.05)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 4)
    for _ in range(4):
        optimizer.zero_grad()
        F.cross_entropy(reference(features), labels).backward()
        optimizer.step()
        scheduler.step()
    torch.testing.assert_close(probe.fc.weight, reference.fc.weight, atol=1e-5, rtol=1e-4)


def test_progress_and_repetition() -> None:
    seen = []
    first = sweep(epochs=3, progress=lambda done, total: seen.append((done, total)))
    assert seen == [(1, 3), (2, 3), (3, 3)]
    assert first == sweep(epochs=3) != sweep(epochs=3, seed=1)


@pytest.mark.parametrize('norm', ['layer', 'batch', 'none'])
def test_norms(norm: str) -> None:
    probe = LinearProbe(8, 3, norm)
    names = {name for name, _ in probe.named_parameters()}
    assert names == {'fc.weight', 'fc.bias'} | ({'norm.weight', 'norm.bias'} if norm == 'layer' else set())
    with pytest.raises(ValueError, match="norm must be one of .*, got 'group'"):
        LinearProbe(8, 3, 'group')


def test_bad_features() -> None:
    with pytest.raises(ValueError, match='both required, got 0 and'):
        train_probes(lambda: LinearProbe(8, 3), (torch.empty(0, 8), torch.empty(0)), blobs(1, 0))
    broken, labels = blobs(2, 0)
    broken[0, 0] = torch.inf
    with pytest.raises(ValueError, match='1 features of the training set are not finite'):
        train_probes(lambda: LinearProbe(8, 3), (broken, labels), blobs(1, 0))
    with pytest.raises(ValueError, match='1 features of the validation set are not finite'):
        train_probes(lambda: LinearProbe(8, 3), blobs(1, 0), (broken, labels))


def test_features_on_the_disk_give_the_same_probes() -> None:
    features, labels = blobs(20, 1)
    parts = features[:7], features[7:8], features[8:]
    stored = StoredRows([lambda part=part: part for part in parts], [*map(len, parts)])
    results = [
        train_probes(lambda: LinearProbe(8, 3), (rows, labels), (rows, labels), lrs=(1e-2,), epochs=3, batch_size=16)
        for rows in (features, stored)
    ]
    assert results[0] == results[1]


def test_batch_norm_if_a_single_feature_is_left() -> None:
    features, labels = (part[:33] for part in blobs(20, 1))
    (result,) = train_probes(
        lambda: LinearProbe(8, 3, 'batch'), (features, labels), blobs(10, 2), lrs=(1e-1,), epochs=20, batch_size=16
    )
    assert result.top1 > 95


@pytest.mark.parametrize(
    ('total', 'sizes'), [(32, [16, 16]), (33, [16, 17]), (34, [16, 16, 2]), (17, [17]), (16, [16]), (1, [1]), (5, [5])]
)
def test_every_feature_is_in_one_batch(total: int, sizes: list[int]) -> None:
    assert _batch_sizes(total, 16) == sizes


@pytest.mark.parametrize(
    ('changes', 'error', 'message'),
    [
        (dict(epochs=0), ValueError, 'epochs and batch_size must be positive'),
        (dict(batch_size=0), ValueError, 'epochs and batch_size must be positive'),
        (dict(lrs=(float('nan'),)), ValueError, 'not negative and finite'),
        (
            dict(lrs=(1e30, 1e35)),
            FloatingPointError,
            r'all probes have diverged: the learning rates \[1e\+30, 1e\+35\]',
        ),
    ],
)
def test_probes_that_learn_nothing(changes: dict, error: type, message: str) -> None:
    generator = torch.Generator().manual_seed(0)
    features, labels = torch.randn(20, 4, generator=generator), torch.arange(20) % 2
    settings = dict(lrs=(1e-2,), epochs=4, batch_size=8, **{})
    with pytest.raises(error, match=message):
        train_probes(lambda: torch.nn.Linear(4, 2), (features, labels), (features, labels), **{**settings, **changes})


def test_a_probe_that_diverges_does_not_cost_the_others() -> None:
    generator = torch.Generator().manual_seed(0)
    data = torch.randn(20, 4, generator=generator), torch.arange(20) % 2
    diverged, fine = train_probes(lambda: torch.nn.Linear(4, 2), data, data, lrs=(1e30, 1e-2), epochs=4, batch_size=8)
    assert all(math.isnan(value) for value in (diverged.top1, diverged.top5, diverged.mean_class))
    (alone,) = train_probes(lambda: torch.nn.Linear(4, 2), data, data, lrs=(1e-2,), epochs=4, batch_size=8)
    assert fine == alone and fine.top1 > 0


def test_features_and_classes_that_tell_nothing() -> None:
    labels = torch.arange(20) % 2
    with pytest.raises(ValueError, match='all 20 features of the training set are equal'):
        train_probes(lambda: torch.nn.Linear(4, 2), (torch.ones(20, 4), labels), (torch.ones(20, 4), labels))
    features = torch.rand(20, 4)
    with pytest.raises(ValueError, match='none of the 20 videos to classify is of a class of the training set'):
        train_probes(lambda: torch.nn.Linear(4, 4), (features, labels), (features, labels + 2))


def test_a_warm_up_begins_at_zero() -> None:
    """The only step of the warm-up has no effect, and the first one after it has that of the whole rate."""
    probe = LinearProbe(8, 3, 'none')
    features, labels = blobs(10, 1)
    for epochs, moves in ((1, False), (2, True)):
        before = probe.fc.weight.detach().clone()
        train_probes(
            lambda: probe,
            (features, labels),
            (features, labels),
            lrs=(0.1,),
            epochs=epochs,
            batch_size=30,
            warmup_epochs=1,
        )
        assert torch.equal(probe.fc.weight, before) is not moves


def test_the_loss_is_the_mean_over_features() -> None:
    """Of batches of eight and two features, from which the probe learns nothing."""
    probe = LinearProbe(8, 3, 'none')
    torch.nn.init.normal_(probe.fc.weight)
    features, labels = blobs(4, 1)
    data = (features[:10], labels[:10])
    (result,) = train_probes(lambda: probe, data, data, lrs=(0.0,), epochs=1, batch_size=8)
    expected = F.cross_entropy(probe(data[0]), data[1])
    assert result.train_loss == pytest.approx(float(expected), rel=1e-5)


def test_evaluation_does_not_depend_on_batches() -> None:
    probe = LinearProbe(8, 3, 'batch')
    torch.nn.init.normal_(probe.fc.weight)
    features, labels = blobs(10, 1)
    probe(5 * features)  # statistics of other features
    order = labels.argsort()  # batches of one class
    found = [evaluate_probe(probe.train(), features[order], labels[order], 3, size) for size in (30, 10, 3)]
    assert found[0] == found[1] == found[2] and probe.norm.num_batches_tracked == 1
