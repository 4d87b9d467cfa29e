"""Mask-VOS on one video: the released inference step, late objects, and memory that does not grow."""

import pytest
import torch
from torch import nn

from mmsigma.checkpoints.mask_vos_names import official_name
from mmsigma.models.mask_vos import mask_propagator
from mmsigma.models.mask_vos.mask_propagator import MaskPropagator
from mmsigma.models.mask_vos.mask_reader import MaskReader, cells_of_masks
from mmsigma.models.mask_vos.networks import FrameMaskEncoder, KeyEncoder, MaskDecoder
from mmsigma.ops.affinity import topk_affinity
from tests.golden_mask_vos import fill, load_vectors


@pytest.fixture(scope='module')
def small() -> tuple[KeyEncoder, MaskReader]:
    """Untrained networks."""
    torch.manual_seed(0)
    networks = KeyEncoder(18).eval(), MaskReader(FrameMaskEncoder(18, fused=False), MaskDecoder()).eval()
    return networks


def images(number: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(number, 1, 3, 32, 40, generator=torch.Generator().manual_seed(seed))


def masks(number: int) -> torch.Tensor:
    """Background and as many objects, in columns of 8 pixels (V, 32, 40)."""
    place = (torch.arange(40) // 8).expand(32, -1)
    return torch.stack([(place >= number)] + [place == index for index in range(number)])


def late_masks() -> torch.Tensor:
    """Masks of the second object alone, as they are given with a later frame (V, 32, 40)."""
    return torch.cat([torch.zeros(2, 32, 40), masks(3)[3:].float()])


def test_released_step() -> None:
    vectors = load_vectors('seg_forward')
    parts = dict(backbone=KeyEncoder(50), reader=MaskReader(FrameMaskEncoder(50), MaskDecoder()))
    model = nn.ModuleDict(parts)
    networks = fill(model, vectors.entry['weight_tag'], rename=official_name)
    memory = MaskPropagator(networks['backbone'], networks['reader'], num_rounds=1)
    frames, labels = vectors.tensor('in_frames'), vectors.tensor('in_labels')[0]
    memory.step(frames[:1], labels[0] == torch.arange(3)[:, None, None])
    with torch.no_grad():
        logits, coarse = memory.read(frames[1:2], networks['backbone'].encode(frames[1:2]))
    torch.testing.assert_close(coarse, vectors.tensor('out_infer_coarse')[1:], rtol=1e-4, atol=1e-5)
    vectors.assert_close(logits[0], 'out_infer_logits', 'logits')
    labels = memory.step(frames[1:2])
    torch.testing.assert_close(labels, logits[0].softmax(dim=0))


def test_distributions_of_labels(small: tuple) -> None:
    memory = MaskPropagator(*small, num_context=2, radius=3)
    for number, image in enumerate(images(5)):
        labels = memory.step(image, masks(2) if number == 0 else None)
        assert labels.shape == (3, 32, 40)
        torch.testing.assert_close(labels.sum(dim=0), torch.ones(32, 40))


def test_memory_does_not_grow(small: tuple) -> None:
    memory = MaskPropagator(*small, num_context=3, radius=3)
    sizes = []
    for number, image in enumerate(images(9)):
        memory.step(image, masks(1) if number == 0 else None)
        sizes.append(memory._values.numel())
    assert len(set(sizes)) == 1
    assert memory.times[0] == 0 and sorted(memory.times[1:]) == [6, 7, 8]


def test_objects_that_come_later(small: tuple) -> None:
    memory = MaskPropagator(*small, num_context=2, radius=3)
    video = images(7)
    for number, image in enumerate(video):
        given = {0: masks(1), 3: late_masks()}.get(number)
        labels = memory.step(image, given)
        assert len(labels) == (2 if number < 3 else 3)
        if number == 3:
            assert labels.argmax(dim=0)[:, 16:24].eq(2).all() and not labels[2, :, :16].any()
    assert [group.start for group in memory.groups] == [0, 3]
    assert memory.times[:2] == [0, 3] and sorted(memory.times[2:]) == [5, 6]
    # the first object is not affected by the second but where they compete
    alone = MaskPropagator(*small, num_context=2, radius=3)
    for number, image in enumerate(video[:4]):
        first = alone.step(image, masks(1) if number == 0 else None)
    again = MaskPropagator(*small, num_context=2, radius=3)
    for number, image in enumerate(video[:3]):
        again.step(image, masks(1) if number == 0 else None)
    late = again.step(video[3], late_masks())
    torch.testing.assert_close(late[:2, :, 24:], first[:, :, 24:])


def test_what_each_group_looks_at(small: tuple, monkeypatch: pytest.MonkeyPatch) -> None:
    looked = []

    def record(query: torch.Tensor, keys: torch.Tensor, **settings):
        looked.append((query, keys.clone(), settings))  # the memory goes on
        return topk_affinity(query, keys, **settings)

    monkeypatch.setattr(mask_propagator, 'topk_affinity', record)
    memory, video = MaskPropagator(*small, num_context=2, radius=3, k=5, temperature=0.1), images(7)
    with torch.no_grad():
        keys = [small[0].encode(image).key[0].movedim(0, -1) for image in video]
    # times of the frames, and how many of them have no window: those with given objects that the group knows
    expected = {
        1: [([0], 1)],
        2: [([0, 1], 1)],
        3: [([0, 1, 2], 1)],
        4: [([0, 3, 1, 2], 2), ([3], 1)],
        5: [([0, 3, 4, 2], 2), ([3, 4], 1)],
        6: [([0, 3, 4, 5], 2), ([3, 4, 5], 1)],
    }
    for number, image in enumerate(video):
        looked.clear()
        memory.step(image, {0: masks(1), 3: late_masks()}.get(number))
        assert len(looked) == len(expected.get(number, []))
        for (query, seen, settings), (times, num_free) in zip(looked, expected.get(number, []), strict=True):
            torch.testing.assert_close(query, keys[number])
            torch.testing.assert_close(seen, torch.stack([keys[time] for time in times]))
            assert settings == dict(num_free=num_free, k=5, temperature=0.1, radius=3)


def test_late_objects_are_read_from_their_own_frames(small: tuple) -> None:
    video, together = images(5), MaskPropagator(*small, num_context=2, radius=3)
    for number, image in enumerate(video[:4]):
        together.step(image, {0: masks(1), 3: late_masks()}.get(number))
    alone, own = MaskPropagator(*small, num_context=2, radius=3), late_masks()[2]
    alone.step(video[3], torch.stack([1 - own, own]))
    with torch.no_grad():
        frame = small[0].encode(video[4])
        coarse, expected = together.read(video[4], frame)[1], alone.read(video[4], frame)[1]
    assert len(coarse) == 2
    torch.testing.assert_close(coarse[1], expected[0])


def test_memory_holds_probabilities(small: tuple) -> None:
    encoder, reader = small
    memory = MaskPropagator(*small, num_context=2, radius=3)
    for number, image in enumerate(images(5)):
        labels = memory.step(image, {0: masks(1), 3: late_masks()}.get(number))
        if number not in (0, 3):
            assert ((labels > 0.1) & (labels < 0.9)).any()  # soft
        slot = memory.times.index(number)
        with torch.no_grad():
            values = reader.embed(image, encoder.encode(image), labels[None, 1:])[0]
        torch.testing.assert_close(memory._values[:, slot], values.movedim(1, -1))
        torch.testing.assert_close(memory._cells[:, slot], cells_of_masks(labels[None, 1:], (4, 5))[0])


def test_many_objects(small: tuple) -> None:
    memory = MaskPropagator(*small, num_context=1, radius=3)
    first, second = images(2)
    # squares of four pixels, some smaller than a cell alone
    place = (torch.arange(32)[:, None] // 4) * 10 + torch.arange(40) // 4
    given = torch.stack([place >= 30] + [place == number for number in range(30)])
    memory.step(first, given)
    labels = memory.step(second)
    assert labels.shape == (31, 32, 40)
    torch.testing.assert_close(labels.sum(dim=0), torch.ones(32, 40))


def test_rounds_and_bad_input(small: tuple) -> None:
    results = []
    for rounds in (0, 1, 3):
        memory = MaskPropagator(*small, num_rounds=rounds)
        first, second = images(2)
        memory.step(first, masks(1))
        results.append(memory.step(second))
    assert not torch.equal(results[0], results[1]) and not torch.equal(results[1], results[2])
    with pytest.raises(ValueError, match='the first frame needs masks'):
        MaskPropagator(*small).step(images(1)[0])
    with pytest.raises(ValueError, match='the keys of frame 0 are not finite'):
        MaskPropagator(*small).step(torch.full((1, 3, 32, 40), torch.nan), masks(1))
    with pytest.raises(ValueError, match='num_context and num_rounds must not be negative'):
        MaskPropagator(*small, num_context=-1)


def test_masks_without_a_new_object_change_nothing(small: tuple) -> None:
    memory, same = (MaskPropagator(*small, num_context=2, radius=3) for _ in range(2))
    for number, image in enumerate(images(5)):
        given = masks(1) if number == 0 else None
        torch.testing.assert_close(memory.step(image, masks(1) if number == 3 else given), same.step(image, given))
    assert memory.times == same.times


def test_first_frame_alone_in_memory(small: tuple) -> None:
    memory = MaskPropagator(*small, num_context=0, radius=3)
    for number, image in enumerate(images(3)):
        memory.step(image, masks(1) if number == 0 else None)
    assert memory.times == [0] and memory.frame == 3


def test_old_objects_lose_what_a_new_one_takes(small: tuple) -> None:
    memory = MaskPropagator(*small)
    old, new = torch.full((2, 4, 5), 0.5), torch.zeros(3, 4, 5)
    new[2, :, 3:] = 1
    found = memory._add_objects(old, new)
    assert found.shape == (3, 4, 5) and (found.sum(dim=0) == 1).all()
    assert (found[:2, :, :3] == 0.5).all() and not found[:2, :, 3:].any() and found[2, :, 3:].all()
