"""Queue of recent features: what it gives, what it keeps, and what it does to the codes of a small batch."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from mmsigma.models import PrototypeHead
from mmsigma.models.sigma.feature_queue import FeatureQueue
from mmsigma.ops import sinkhorn_labels


def unit(*shape: int, seed: int = 0) -> Tensor:
    return F.normalize(torch.randn(*shape, generator=torch.Generator().manual_seed(seed)), dim=-1)


def test_the_first_batch_stands_in_until_others_have_come() -> None:
    queue = FeatureQueue(6, 3)
    batches = [(unit(4, 3, seed=seed), unit(4, 3, seed=seed + 10)) for seed in range(3)]
    first = queue(*(5 * features for features in batches[0]))  # of any length
    for recent, features in zip(first, batches[0], strict=True):
        torch.testing.assert_close(recent, torch.cat([features, features[:2]]))
    queue(*batches[1])
    for recent, old, new in zip(queue(*batches[2]), batches[0], batches[1], strict=True):
        # the last two of what stood in, the four of the second batch
        torch.testing.assert_close(recent, torch.cat([torch.cat([old, old[:2], old])[-2:], new]))


def test_a_queue_goes_on_where_it_was_saved() -> None:
    queue, loaded = FeatureQueue(6, 3), FeatureQueue(6, 3)
    queue(unit(4, 3), unit(4, 3, seed=1))
    loaded.load_state_dict(queue.state_dict())
    for kept, found in zip(queue(unit(4, 3), unit(4, 3)), loaded(unit(4, 3), unit(4, 3)), strict=True):
        assert torch.equal(kept, found)


def test_features_that_are_not_finite_are_not_kept() -> None:
    queue = FeatureQueue(4, 3)
    queue(unit(4, 3), unit(4, 3).fill_(float('nan')))
    target, pred = queue(unit(4, 3), unit(4, 3))
    torch.testing.assert_close(target, unit(4, 3))
    assert torch.equal(pred, torch.zeros(4, 3))


def test_codes_are_those_of_batch_and_queue_together() -> None:
    head = PrototypeHead(8, 5, queue_length=24)
    batches = [(unit(2, 6, 8, seed=seed), unit(2, 6, 8, seed=seed + 10)) for seed in range(3)]
    seen: list = []
    forward = head.loss_module.forward
    head.loss_module.forward = lambda *scores: seen.append(forward(*scores)) or seen[-1]
    for pred, target in batches:
        head.loss(pred, target)
    for index, name in ((0, 'codes_pred'), (1, 'codes_target')):
        together = torch.cat([batches[place][index].flatten(0, 1) for place in (2, 0, 1)])
        expected = sinkhorn_labels(head.scores(together).detach())[:12]
        assert getattr(seen[2], name).tolist() == expected.tolist()
        alone = sinkhorn_labels(head.scores(batches[0][index].flatten(0, 1)).detach())
        assert getattr(seen[0], name).tolist() == alone.tolist()  # its repetition changes nothing
    head.eval()
    before = head.queue.features.clone()
    head.loss(*batches[0])
    assert torch.equal(head.queue.features, before)


def test_a_queue_only_changes_codes_and_has_no_gradient() -> None:
    heads = [PrototypeHead(8, 5, queue_length=length) for length in (0, 12)]
    heads[1].load_state_dict(heads[0].state_dict(), strict=False)
    gradients = []
    for head in heads:
        pred, target = unit(2, 6, 8).requires_grad_(), unit(2, 6, 8, seed=1).requires_grad_()
        losses = head.loss(pred, target)
        gradients.append(torch.autograd.grad(losses['loss_pred'] + losses['loss_target'], [pred, target]))
    for without, with_queue in zip(*gradients, strict=True):
        torch.testing.assert_close(without, with_queue)
    assert not heads[1].queue.features.requires_grad


def test_one_graph_with_the_same_queue() -> None:
    heads = [PrototypeHead(8, 5, queue_length=20) for _ in range(2)]
    heads[1].load_state_dict(heads[0].state_dict())
    compiled = torch.compile(heads[0].loss, backend='eager', fullgraph=True)
    for seed in range(3):
        batch = unit(2, 6, 8, seed=seed), unit(2, 6, 8, seed=seed + 10)
        torch.testing.assert_close(compiled(*batch)['loss_pred'], heads[1].loss(*batch)['loss_pred'])
    assert torch.equal(heads[0].queue.features, heads[1].queue.features)


def test_lengths() -> None:
    assert PrototypeHead(8, 5).queue is None
    with pytest.raises(ValueError, match='positive length, got -1'):
        PrototypeHead(8, 5, queue_length=-1)
