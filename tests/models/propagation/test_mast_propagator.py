"""The memory of MAST through whole clips: which frames it looks at, what it feeds back, and objects that come late."""

import pytest
import torch
import torch.nn.functional as F

from mmsigma.models import LabelPropagation
from mmsigma.models.propagation import mast_propagator as module
from mmsigma.models.propagation.mast_propagator import MASTPropagator
from tests.golden_mask_vos import load_vectors
from tests.models.propagation.test_label_propagation import overlap
from tests.vos_data import draw_video


def one_hot(labels: torch.Tensor, num_channels: int) -> torch.Tensor:
    return F.one_hot(labels.long(), num_channels).float()


def run(propagator: MASTPropagator, num_frames: int, monkeypatch: pytest.MonkeyPatch, given=None) -> list[list[int]]:
    """Propagate noise, and say which gaps each frame was compared over."""
    seen = []

    def record(query, memory, labels, gaps, **settings):
        seen.append(gaps)
        return original(query, memory, labels, gaps, **settings)

    original = module.propagate_windows
    monkeypatch.setattr(module, 'propagate_windows', record)
    torch.manual_seed(0)
    for number in range(num_frames):
        labels = one_hot(torch.randint(2, (4, 5)), 2) if number in (given or (0,)) else None
        propagator.step(torch.randn(4, 5, 3), labels)
    return seen


def test_memory_is_two_fixed_and_three_recent_frames(monkeypatch: pytest.MonkeyPatch) -> None:
    propagator = MASTPropagator(radius=1)
    seen = run(propagator, 30, monkeypatch)
    frames = [[number - gap for gap in gaps] for number, gaps in enumerate(seen, start=1)]
    assert frames[:6] == [[0], [0, 1], [0, 2], [0, 1, 3], [0, 2, 4], [0, 1, 3, 5]]  # no frame twice
    assert frames[6] == [0, 2, 4, 5, 6] and frames[-1] == [0, 5, 24, 26, 28]
    assert len(propagator._memory) == 2 + 5


def test_one_step_is_that_of_the_original() -> None:
    vectors = load_vectors('labelprop_mast')
    labels = one_hot(vectors.tensor('in_ref_labels')[:, ::4, ::4], 7)
    propagator = MASTPropagator(lasting=(0, 1, 2), recent=(1,), radius=vectors.entry['window_radius'])
    propagator._begin(labels[0])
    propagator.streams[0][1].fill_(1)
    propagator._memory = dict(enumerate(zip(vectors.cells('in_ref_feats'), labels, strict=True)))
    propagator.frame = 3
    soft = propagator.step(vectors.cells('in_tar_feat'))
    vectors.assert_close(soft.movedim(-1, -3), 'out_soft0')
    # what is fed back is picked from the labels at full resolution, as those given are
    kept, expected = propagator._memory[3][1], vectors.tensor('out_label0')[::4, ::4]
    assert torch.equal(kept.argmax(dim=-1), expected.long())
    assert set(kept.unique().tolist()) == {0.0, 1.0}
    assert (soft.argmax(dim=-1) != expected).any()


def test_a_still_video_keeps_its_labels() -> None:
    torch.manual_seed(0)
    frame = 30 * F.normalize(torch.randn(8, 9, 16), dim=-1)
    labels = one_hot(torch.randint(3, (8, 9)), 3)
    propagator = MASTPropagator(radius=3, stride=1)
    propagator.step(frame, labels)
    for _ in range(40):
        soft = propagator.step(frame)
    assert torch.equal(soft.argmax(dim=-1), labels.argmax(dim=-1))


def test_objects_may_come_late(monkeypatch: pytest.MonkeyPatch) -> None:
    frames, masks = draw_video(12, num_objects=2)
    model = LabelPropagation(
        dict(type='ColourEncoder', stride=2),
        dict(mean=(0, 0, 0), std=(255, 255, 255), to_cells='pick'),
        dict(type='MASTPropagator', radius=4, stride=2),
    )
    encode = model.encode
    # colours have to differ more for a softmax without temperature
    monkeypatch.setattr(model, 'encode', lambda image: 12 * F.normalize(encode(image), dim=-1))
    propagator = model.new_propagator()
    monkeypatch.setattr(model, 'new_propagator', lambda: propagator)
    segmenter = model.new_inference_core()
    given = {0: masks[0] % 2, 4: masks[4]}
    pred = [segmenter.step(frame, given.get(number)) for number, frame in enumerate(frames)]
    assert [start for start, _ in propagator.streams] == [0, 4]
    assert {0, 4, 5, 9} <= propagator._memory.keys()
    assert all(overlap(pred[-1], masks[-1], number) > 0.6 for number in (1, 2))
    assert 2 not in pred[3] and overlap(pred[4], masks[4], 2) == 1


def test_bad_input() -> None:
    propagator = MASTPropagator()
    with pytest.raises(ValueError, match='first frame needs labels'):
        propagator.step(torch.randn(4, 4, 2))
    propagator.step(torch.randn(4, 4, 2), torch.rand(4, 4, 2))
    with pytest.raises(ValueError, match=r'features \(4, 5, 2\) after \(4, 4, 2\)'):
        propagator.step(torch.randn(4, 5, 2))
    with pytest.raises(ValueError, match='the features of frame 1 are not finite'):
        propagator.step(torch.full((4, 4, 2), torch.nan))
    with pytest.raises(ValueError, match=r'recent must be numbers of frames back, 1 or more, got \(0, 1\)'):
        MASTPropagator(recent=(0, 1))
    with pytest.raises(ValueError, match='radius must be positive, got 0'):
        MASTPropagator(radius=0)
    with pytest.raises((KeyError, ValueError), match='NoPropagator'):
        LabelPropagation(dict(type='MASTEncoder'), propagator=dict(type='NoPropagator'))
