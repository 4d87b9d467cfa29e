"""Nearest neighbours: parity of votes and accuracies, blocks, and the mistakes of others."""

import pytest
import torch

import mmsigma.evaluation.classification.knn as knn
from mmsigma.evaluation.classification.knn import knn_accuracy, knn_votes
from tests.golden_evaluation import load_case


@pytest.mark.parametrize('block', [1 << 24, 2000], ids=['at_once', 'in_blocks'])
def test_predictions_of_dino(monkeypatch: pytest.MonkeyPatch, block: int) -> None:
    monkeypatch.setattr(knn, '_BLOCK_ELEMENTS', block)
    case = load_case('knn_classifier')
    bank, bank_labels, query, labels = (
        case.tensor(f'in_{name}') for name in ('bank', 'bank_labels', 'query', 'query_labels')
    )
    ks = case.arrays['in_k'].tolist()
    votes = knn_votes(bank, bank_labels.long(), query, ks, temperature=case.arrays['in_temperature'].item())
    assert list(votes) == ks == [1, 10, 20, 100, 200]
    for k in ks:
        assert torch.equal(votes[k].argmax(dim=1), case.tensor(f'out_pred_k{k}').long())
    ranking = votes[200].topk(5, dim=1).indices
    assert torch.equal(ranking, case.tensor('out_ranking5_k200').long())
    accuracy = knn_accuracy(bank, bank_labels.long(), query, labels.long(), ks)
    expected = case.arrays['out_top1_top5']
    assert [accuracy[f'knn{k}_top1'] for k in ks] == pytest.approx(expected[:, 0].tolist(), abs=1e-9)
    assert accuracy['knn200_top5'] == pytest.approx(expected[-1, 1], abs=1e-9)
    assert 'knn1_top5' not in accuracy


@pytest.mark.golden_cases('knn_vote')
def test_votes_of_the_release(golden_case) -> None:
    arrays, case = golden_case
    bank, labels, query = (torch.from_numpy(arrays[name]) for name in ('bank', 'bank_labels', 'query'))
    votes = knn_votes(bank, labels, query, [case['k']], num_classes=case['classes'], temperature=case['temperature'])
    assert votes[case['k']].argmax(dim=1).tolist() == arrays['ranked_classes'][:, 0].tolist()


def test_length_of_features_does_not_matter() -> None:
    bank, query, labels = torch.randn(30, 4), torch.randn(8, 4), torch.randint(3, (30,))
    scaled = knn_votes(bank * torch.rand(30, 1).add(0.1), labels, query * 7, [5])
    torch.testing.assert_close(knn_votes(bank, labels, query, [5])[5], scaled[5], rtol=1e-4, atol=1e-4)


def test_more_neighbours_than_there_are() -> None:
    bank, labels = torch.randn(6, 4), torch.tensor([0, 0, 1, 1, 2, 2])
    votes = knn_votes(bank, labels, torch.randn(3, 4), [6, 100])
    torch.testing.assert_close(votes[6], votes[100])


def test_top_5_needs_votes_for_five_classes() -> None:
    bank = torch.eye(7)
    found = knn_accuracy(bank, torch.arange(7), bank[:3] + 0.1, torch.arange(3), [4, 5])
    assert set(found) == {'knn4_top1', 'knn5_top1', 'knn5_top5'} and found['knn5_top5'] == 100


def test_the_nearest_wins_at_any_temperature() -> None:
    angles = torch.tensor([30.0, 10.0, 5.0]).deg2rad()
    bank = torch.stack([angles.cos(), angles.sin()], dim=1)
    votes = knn_votes(bank, torch.tensor([0, 0, 1]), torch.tensor([[1.0, 0.0]]), [3], temperature=1e-3)[3]
    assert votes.isfinite().all() and votes.argmax().item() == 1


@pytest.mark.parametrize(
    ('bank', 'labels', 'message'),
    [
        (torch.empty(0, 4), torch.empty(0, dtype=torch.long), '0 features and 0 labels'),
        (torch.randn(3, 4), torch.tensor([0, 1]), '3 features and 2 labels'),
        (torch.tensor([[float('nan')], [1.0]]), torch.tensor([0, 1]), '1 features of the bank are not finite'),
    ],
)
def test_bad_bank(bank: torch.Tensor, labels: torch.Tensor, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        knn_votes(bank, labels, torch.randn(2, bank.shape[1]), [1])


def test_what_tells_nothing_of_videos_is_not_scored() -> None:
    equal, labels = torch.ones(6, 4), torch.tensor([0, 1, 0, 1, 0, 1])
    for features in (equal, equal * 0, equal + 1e-9):
        with pytest.raises(ValueError, match='all 6 features of the bank are equal, as of a network'):
            knn_accuracy(features, labels, torch.rand(3, 4), torch.tensor([0, 1, 1]))
    with pytest.raises(ValueError, match='none of the 3 videos to classify is of a class of the training set'):
        knn_accuracy(torch.rand(6, 4), labels, torch.rand(3, 4), torch.tensor([2, 3, 2]))


@pytest.mark.parametrize('settings', [dict(k=(0,)), dict(k=()), dict(temperature=0.0), dict(temperature=float('nan'))])
def test_settings_out_of_range(settings: dict) -> None:
    with pytest.raises(ValueError, match='k and temperature must be positive'):
        knn_votes(torch.rand(6, 4), torch.arange(6) % 2, torch.rand(3, 4), **settings)
