"""Alignment of videos, and losses between them, give on a GPU what they give on a CPU; skipped without one."""

import copy

import pytest
import torch
from mmengine.structures import BaseDataElement
from torch.autograd import DeviceType
from torch.profiler import ProfilerActivity, profile

from mmsigma.models import GTA
from mmsigma.models.gta.losses.d3tw import D3TWStarLoss, draw_kept
from mmsigma.models.gta.losses.gta import D2TWLoss, GTALoss
from mmsigma.models.gta.losses.lav import LAVLoss, SoftDTWLoss
from mmsigma.models.gta.losses.shuffle_and_learn import draw_triplets, triplet_features
from mmsigma.models.gta.losses.tcc import TCCLoss
from mmsigma.models.gta.losses.tcn import TCNLoss
from mmsigma.models.gta.losses.video_group import VideoGroup
from mmsigma.models.gta.transcript_head import TranscriptHead
from mmsigma.ops.soft_dtw import smooth_dtw

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


def make_videos(device: str, seed: int = 0) -> VideoGroup:
    embeddings = torch.randn(4, 20, 32, generator=torch.Generator().manual_seed(seed))
    return VideoGroup(torch.nn.functional.normalize(embeddings, dim=2).to(device).requires_grad_(), LENGTHS.to(device))


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


def test_order_of_labels() -> None:
    torch.manual_seed(0)
    head, found = TranscriptHead(5, 32), []
    for device in ('cpu', 'cuda'):
        own, labels = copy.deepcopy(head).to(device), torch.tensor([3, 0, 4]).to(device)
        torch.manual_seed(1)
        terms = own.loss(make_videos(device)._replace(transcripts=[labels] * 4))
        terms['loss_transcript'].backward()
        found.append((terms['loss_transcript'].detach().cpu(), own.fc.weight.grad.cpu()))
    for values in zip(*found, strict=True):
        torch.testing.assert_close(*values, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize('kind', ['smoothmin', 'logsumexp'])
def test_tables_and_gradients(kind: str) -> None:
    found, cost = [], torch.rand(5, 33, 70, generator=torch.Generator().manual_seed(0))
    lengths = torch.tensor([33, 1, 20, 33, 7]), torch.tensor([70, 9, 70, 1, 31])
    for device in ('cpu', 'cuda'):
        own = cost.to(device).requires_grad_()
        aligned = smooth_dtw(own, 0.1, kind=kind, lengths=lengths)
        aligned.value.sum().backward()
        found.append((aligned.value.detach().cpu(), own.grad.cpu()))
    torch.testing.assert_close(*(value for value, _ in found), rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(*(gradient for _, gradient in found), rtol=0, atol=2e-3)


def test_launches_are_per_diagonal_not_per_cell_or_pair() -> None:
    def launches(pairs: int, length: int) -> int:
        cost = torch.rand(pairs, length, length, device='cuda', requires_grad=True)
        with profile(activities=[ProfilerActivity.CPU, ProfilerActivity.CUDA]) as seen:
            smooth_dtw(cost, 0.1).value.sum().backward()
            torch.cuda.synchronize()
        return sum(event.device_type == DeviceType.CUDA for event in seen.events())

    launches(1, 3)  # what happens but once
    one, eight, longer = launches(1, 20), launches(8, 20), launches(1, 40)
    assert 39 < one < 20 * 39 and eight < 1.2 * one and longer < 2.4 * one


def test_a_training_step_and_a_stream() -> None:
    torch.manual_seed(0)
    neck = dict(conv_channels=(8,), fc_channels=(8,), out_channels=6, dropout=0.0)
    model = GTA(dict(type='ResNetEncoder', out_stage=3), neck, train_mode='train_all', context_stride=4)
    videos = [torch.randn(12, 3, 32, 32) for _ in range(3)]
    samples = [
        BaseDataElement(steps=torch.arange(6), metainfo=dict(action='a', num_frames=6, filename=f'v{number}'))
        for number in range(3)
    ]
    found = []
    with torch.backends.cudnn.flags(allow_tf32=False):
        for device in ('cpu', 'cuda'):
            own = copy.deepcopy(model).to(device)
            terms = own.loss([video.to(device) for video in videos], samples)
            sum(value for name, value in terms.items() if 'loss' in name).backward()
            gradient = own.neck.out.weight.grad.cpu()
            own.load_state_dict(model.state_dict())  # without the statistics of the step
            embeddings = own.eval().embed_video(videos[0].to(device)).cpu()
            found.append((terms['loss_cycle'].detach().cpu(), gradient, embeddings))
    for values in zip(*found, strict=True):
        scale = float(values[0].abs().max())
        torch.testing.assert_close(*values, rtol=1e-3, atol=1e-3 * scale)
