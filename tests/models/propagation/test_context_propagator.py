"""Label propagation through clips: parity with CRW and Mask-VOS, objects that appear later, and bounded memory."""

import pytest
import torch
import torch.nn.functional as F

from mmsigma.models.propagation import context_propagator
from mmsigma.models.propagation.context_propagator import ContextPropagator
from mmsigma.ops.affinity import topk_affinity
from tests.golden_mask_vos import load_vectors


def upsample(labels: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    """Soft labels (h, w, V) as (V, H, W), corners aligned."""
    return F.interpolate(labels.movedim(-1, 0)[None], size=size, mode='bilinear', align_corners=True)[0]


def downsample(labels: torch.Tensor, num_channels: int, size: tuple[int, int]) -> torch.Tensor:
    one_hot = F.one_hot(labels.long(), num_channels).movedim(-1, 0).float()
    return F.interpolate(one_hot[None], size=size, mode='bilinear', align_corners=True)[0].movedim(0, -1)


@pytest.mark.parametrize('case', range(2))
def test_crw(case: int) -> None:
    vectors = load_vectors('labelprop_crw_test')
    settings = vectors.entry['cases'][case]
    features = F.normalize(vectors.cells('in_feats'), dim=-1)
    propagator = ContextPropagator(
        settings['context_frames'], k=settings['topk'], radius=settings['radius'], temperature=settings['temperature']
    )
    given = vectors.cells('in_first_soft_label')
    for number, frame in enumerate(features):
        soft = propagator.step(frame, given if number == 0 else None)
        torch.testing.assert_close(soft, vectors.cells(f'out_soft{case}')[number], atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize('case', range(2))
def test_mask_vos(case: int) -> None:
    vectors = load_vectors('labelprop_sequence')
    settings = vectors.entry['cases'][case]
    features = vectors.cells('in_feats')
    size = vectors.arrays['in_first_label'].shape
    propagator = ContextPropagator(
        settings['context_frames'], k=settings['topk'], radius=settings['radius'], temperature=settings['temperature']
    )
    given = downsample(vectors.tensor('in_first_label'), 3, features.shape[1:3])
    index, confidence = vectors.tensor(f'out_case{case}_index'), vectors.tensor(f'out_case{case}_chan1')
    for number, frame in enumerate(features):
        soft = upsample(propagator.step(frame, given if number == 0 else None), size)
        if number:  # the first frame is as it was given
            assert torch.equal(soft.argmax(dim=0), index[number].long())
            torch.testing.assert_close(soft[1, ::4, ::4], confidence[number], atol=1e-5, rtol=1e-4)


def test_object_that_appears_later() -> None:
    vectors = load_vectors('labelprop_late_object')
    entry, features = vectors.entry, vectors.cells('in_embeddings')
    late, size = int(vectors.arrays['par_late_frame']), vectors.arrays['in_first_label'].shape
    propagator = ContextPropagator(
        entry['context_frames'], k=entry['topk'], radius=entry['radius'], temperature=entry['temperature']
    )
    given = {
        0: downsample(vectors.tensor('in_first_label'), entry['label_channels'], features.shape[1:3]),
        late: downsample(vectors.tensor('in_late_label'), entry['label_channels'], features.shape[1:3]),
    }
    for number, frame in enumerate(features):
        soft = upsample(propagator.step(frame, given.get(number)), size)
        if number:
            expected = vectors.tensor('out_index')[number]
            assert torch.equal(soft.argmax(dim=0), expected.long()), number
            confidence = vectors.tensor('out_conf')[number]
            torch.testing.assert_close(soft.amax(dim=0)[::4, ::4], confidence, atol=1e-5, rtol=1e-4)
    assert len(propagator.streams) == 2


def test_memory_does_not_grow() -> None:
    propagator = ContextPropagator(3, radius=2)
    features = F.normalize(torch.randn(30, 5, 6, 4), dim=-1)
    propagator.step(features[0], torch.rand(5, 6, 2))
    held = propagator._features.numel() + propagator._labels.numel()
    for frame in features[1:]:
        propagator.step(frame)
    assert propagator._features.numel() + propagator._labels.numel() == held == 4 * 30 * (4 + 2)


def test_a_still_video_keeps_its_labels() -> None:
    frame = F.normalize(torch.randn(8, 9, 16), dim=-1)
    labels = F.one_hot(torch.randint(3, (8, 9)), 3).float()
    for repeat_first in (True, False):
        propagator = ContextPropagator(4, k=2, radius=3, repeat_first=repeat_first)
        propagator.step(frame, labels)
        for _ in range(6):
            soft = propagator.step(frame)
        assert torch.equal(soft.argmax(dim=-1), labels.argmax(dim=-1))


def test_every_frame_is_used_once(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    def record(query: torch.Tensor, memory: torch.Tensor, **settings) -> object:
        seen.append(memory[:, 0, 0, 0].tolist())  # the frames' numbers
        return topk_affinity(query, memory, **settings)

    monkeypatch.setattr(context_propagator, 'topk_affinity', record)
    propagator = ContextPropagator(3, k=2, radius=3, similarity='dot', repeat_first=False)
    for number in range(6):
        propagator.step(torch.full((4, 5, 2), float(number)), torch.rand(4, 5, 2) if number == 0 else None)
    assert [sorted(frames) for frames in seen] == [[0], [0, 1], [0, 1, 2], [0, 1, 2, 3], [0, 2, 3, 4]]


def test_bad_input() -> None:
    propagator = ContextPropagator()
    with pytest.raises(ValueError, match='first frame needs labels'):
        propagator.step(torch.randn(4, 4, 2))
    propagator.step(torch.randn(4, 4, 2), torch.rand(4, 4, 2))
    with pytest.raises(ValueError, match=r'features \(4, 5, 2\) after \(4, 4, 2\)'):
        propagator.step(torch.randn(4, 5, 2))
    with pytest.raises(ValueError, match='num_context must be positive'):
        ContextPropagator(0)
