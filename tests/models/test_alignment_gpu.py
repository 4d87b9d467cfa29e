"""Losses between videos give on a GPU what they give on a CPU; skipped without one."""

import pytest
import torch

from mmsigma.models.losses.alignment import D2TWLoss, GTALoss
from mmsigma.models.losses.cycle import TCCLoss
from mmsigma.models.losses.discriminative import D3TWStarLoss, draw_kept
from mmsigma.models.losses.order import draw_triplets, triplet_features
from mmsigma.models.losses.sequences import Sequences
from mmsigma.models.losses.soft_alignment import LAVLoss, SoftDTWLoss
from mmsigma.models.losses.tcn import TCNLoss

pytestmark = [pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason='no CUDA device')]

LOSSES = {
    'gta': GTALoss(),
    'gta_all': GTALoss('all', cycle='probability', kind='logsumexp'),
    'd2tw': D2TWLoss(),
    'tcc': TCCLoss('classification'),
    'tcc_var': TCCLoss(),
    'tcn': TCNLoss(),
    'triplet': TCNLoss('triplet'),
    'soft_dtw': SoftDTWLoss(divergence=True),
    'lav': LAVLoss(),
}
LENGTHS = torch.tensor([20, 12, 6, 18])


def make_videos(device: str, seed: int = 0) -> Sequences:
    embeddings = torch.randn(4, 20, 32, generator=torch.Generator().manual_seed(seed))
    return Sequences(torch.nn.functional.normalize(embeddings, dim=2).to(device).requires_grad_(), LENGTHS.to(device))


@pytest.mark.parametrize('autocast', [False, True])
@pytest.mark.parametrize('name', LOSSES)
def test_loss_and_gradient(name: str, autocast: bool) -> None:
    found = []
    for device in ('cpu', 'cuda'):
        videos = make_videos(device)
        with torch.autocast('cuda', torch.bfloat16, enabled=autocast):
            total = sum(LOSSES[name](videos).values())
        total.backward()
        found.append((total.detach().cpu(), videos.embeddings.grad.cpu()))
    torch.testing.assert_close(*(value for value, _ in found), rtol=1e-4, atol=1e-5)
    largest = float(found[0][1].abs().max())
    torch.testing.assert_close(*(gradient for _, gradient in found), rtol=0, atol=1e-3 * largest)


def test_what_is_drawn() -> None:
    videos = make_videos('cuda')
    kept = draw_kept(LENGTHS[1:].cuda(), 20)
    assert kept.is_cuda
    assert D3TWStarLoss()(videos)['loss_discriminative'].isfinite()
    assert D3TWStarLoss()(videos, kept)['loss_discriminative'].isfinite()
    assert TCCLoss(num_cycles=9, cycle_length=3)(videos)['loss_cycle'].isfinite()
    assert triplet_features(videos.embeddings, draw_triplets(videos.lengths)).shape == (32, 96)
