"""Masks read from a memory: the released segmentation loss, rounds of refinement, and what must not matter."""

import copy

import pytest
import torch
from torch import nn

from mmsigma.checkpoints.mask_vos_names import official_name
from mmsigma.models.mask_vos.mask_propagator import MaskPropagator
from mmsigma.models.mask_vos.mask_reader import (
    MaskReader,
    cells_of_masks,
    dense_affinity,
    read,
    segmentation_loss,
    visible_objects,
)
from mmsigma.models.mask_vos.networks import EncodedFrame, FrameMaskEncoder, KeyEncoder, MaskDecoder
from mmsigma.ops.affinity import topk_affinity
from mmsigma.ops.soft_aggregation import aggregate_logits
from tests.golden_mask_vos import fill, load_vectors


@pytest.fixture(scope='module')
def networks() -> nn.ModuleDict:
    """The released ResNet-50 model with the parameters of the golden vectors."""
    parts = dict(backbone=KeyEncoder(50), reader=MaskReader(FrameMaskEncoder(50), MaskDecoder()))
    return fill(nn.ModuleDict(parts), load_vectors('seg_forward').entry['weight_tag'], rename=official_name)


@torch.no_grad()
def test_released_loss(networks: nn.ModuleDict) -> None:
    vectors = load_vectors('seg_forward')
    images, labels = vectors.tensor('in_frames'), vectors.tensor('in_labels').long()
    frames = [networks['backbone'].encode(image[None]) for image in images]
    reader = networks['reader']
    loss = segmentation_loss(reader, images[None], frames, labels, hard_coarse=True)
    assert float(loss) == pytest.approx(vectors.arrays['out_loss_main'].item(), rel=2e-3)
    first = segmentation_loss(reader, images[None, :2], frames[:2], labels[:, :2], hard_coarse=True)
    assert float(first) == pytest.approx(vectors.arrays['out_loss_frame1'].item(), rel=2e-3)
    second = 2 * float(loss) - float(first)  # the loss is the mean of both
    assert second == pytest.approx(vectors.arrays['out_loss_frame2'].item(), rel=2e-3)
    # other choices are other numbers
    soft = segmentation_loss(reader, images[None], frames, labels)
    more = segmentation_loss(reader, images[None], frames, labels, hard_coarse=True, num_rounds=2)
    none = segmentation_loss(reader, images[None], frames, labels, num_rounds=0)
    assert len({float(value) for value in (loss, soft, more, none)}) == 4


def test_affinity_is_over_the_memory() -> None:
    generator = torch.Generator().manual_seed(0)
    query, memory = torch.randn(2, 8, 3, 4, generator=generator), torch.randn(2, 2, 8, 3, 4, generator=generator)
    query, memory = nn.functional.normalize(query, dim=1), nn.functional.normalize(memory, dim=2)
    affinity = dense_affinity(query, memory)
    torch.testing.assert_close(affinity.sum(dim=1), torch.ones(2, 12))
    values = torch.randn(2, 2, 5, 3, 4, generator=generator)
    # all cells of the memory without a window: the sparse one of inference
    sparse = topk_affinity(query[0].movedim(0, -1), memory[0].movedim(1, -1), k=24, radius=None)
    cells = values[0].movedim(1, -1).reshape(24, 5)
    expected = torch.einsum('qk,qkv->qv', sparse.weights, cells[sparse.indices])
    torch.testing.assert_close(read(affinity, values)[0].flatten(1).T, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ('k', 'radius', 'frames'), [(5, None, 3), (4, 1.5, 3), (1000, 2.0, 3), (1, 0.5, 2), (3, 2.0, 1)]
)
def test_affinity_of_inference_with_gradients(k: int, radius: float | None, frames: int) -> None:
    generator = torch.Generator().manual_seed(1)
    query = nn.functional.normalize(torch.randn(2, 6, 5, 7, generator=generator, dtype=torch.float64), dim=1)
    memory = torch.randn(2, frames, 6, 5, 7, generator=generator, dtype=torch.float64)
    memory = nn.functional.normalize(memory, dim=2).requires_grad_()
    affinity = dense_affinity(query, memory, 0.1, k=k, radius=radius)
    for own, keys, found in zip(query, memory, affinity, strict=True):
        sparse = topk_affinity(own.movedim(0, -1), keys.movedim(1, -1), k=k, temperature=0.1, radius=radius)
        expected = torch.zeros(35, frames * 35, dtype=torch.float64).scatter_add_(1, sparse.indices, sparse.weights)
        torch.testing.assert_close(found.T, expected)
    assert int((affinity > 0).sum(dim=1).max()) <= k
    (slope,) = torch.autograd.grad(affinity[:, 0].square().sum(), memory)
    assert slope.isfinite().all() and (slope.any() or k == 1)  # the weight of a single cell is 1 whatever its key


def test_objects_do_not_see_each_other(networks: nn.ModuleDict) -> None:
    images = load_vectors('seg_forward').tensor('in_frames')[:1]
    reader = networks['reader']
    with torch.no_grad():
        frame = networks['backbone'].encode(images)
        masks = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(1))
        together = reader.embed(images, frame, masks)
        alone = torch.cat([reader.embed(images, frame, masks[:, [index]]) for index in range(3)], dim=1)
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize('num_rounds', [0, 1])
def test_gradients_reach_every_part(num_rounds: int) -> None:
    torch.manual_seed(0)
    encoder, reader = KeyEncoder(18), MaskReader(FrameMaskEncoder(18, fused=False), MaskDecoder())
    images, labels = torch.randn(1, 3, 3, 32, 32), torch.randint(0, 3, (1, 3, 32, 32))
    frames = [encoder.encode(image) for image in images.unbind(1)]
    segmentation_loss(reader, images, frames, labels, num_rounds=num_rounds).backward()
    for network in (encoder, reader):
        missing = [name for name, value in network.named_parameters() if value.grad is None or not value.grad.any()]
        assert missing == []


def test_more_objects_than_there_is_room_for() -> None:
    encoder, reader = KeyEncoder(18), MaskReader(FrameMaskEncoder(18, fused=False), MaskDecoder())
    images, labels = torch.zeros(1, 2, 3, 16, 16), torch.zeros(1, 2, 16, 16, dtype=torch.int64)
    labels[0, 1, 3, 3] = 4
    frames = [encoder.encode(image) for image in images.unbind(1)]
    with pytest.raises(ValueError, match='have object 4, more than segmentation.num_objects = 2: set max_objects of'):
        segmentation_loss(reader, images, frames, labels)
    assert segmentation_loss(reader, images, frames, labels, num_objects=4).isfinite()


def test_masks_on_the_grid() -> None:
    masks = torch.zeros(1, 2, 16, 16)
    masks[:, 1, :, 8:], masks[:, 0, :, :8] = 1, 1
    cells = cells_of_masks(masks, (2, 2))
    assert cells[0, 1].tolist() == [[0, 1], [0, 1]]


class TestClipsWithOneVisibleCluster:
    """Of two clips, the second has one object where there is room for two."""

    @staticmethod
    def parts() -> tuple[KeyEncoder, MaskReader, torch.Tensor, torch.Tensor]:
        torch.manual_seed(0)
        encoder, reader = KeyEncoder(18), MaskReader(FrameMaskEncoder(18), MaskDecoder())
        labels = torch.zeros(2, 3, 32, 32, dtype=torch.int64)
        labels[:, :, 4:20, 6:20] = 1
        labels[0, :, 20:30, 8:28] = 2
        return encoder, reader, torch.randn(2, 3, 3, 32, 32), labels

    def test_the_object_that_does_not_exist_is_not_embedded(self) -> None:
        encoder, reader, images, labels = self.parts()
        frames = [encoder.encode(image) for image in images.unbind(1)]
        masks: list[torch.Tensor] = []
        reader.mask_encoder.register_forward_pre_hook(lambda _, inputs: masks.append(inputs[1]))
        segmentation_loss(reader, images, frames, labels)
        assert [len(mask) for mask in masks] == [3, 3, 3, 3]  # of memory and query, for two frames
        assert all(float(mask.detach().flatten(1).amax(dim=1).min()) > 0 for mask in masks)

    def test_room_for_more_objects_changes_nothing(self) -> None:
        encoder, reader, images, labels = self.parts()
        statistics = []
        for most in (1, 4):
            network = copy.deepcopy(reader)
            frames = [encoder.encode(image) for image in images[1:].unbind(1)]
            loss = segmentation_loss(network, images[1:], frames, labels[1:], num_objects=most)
            norms = {name: value for name, value in network.state_dict().items() if 'running' in name}
            statistics.append((loss.detach(), norms))
        (one, first), (four, second) = statistics
        torch.testing.assert_close(one, four, rtol=1e-5, atol=1e-5)
        assert first and all(torch.equal(first[name], second[name]) for name in first)

    def test_it_claims_no_pixel(self) -> None:
        encoder, reader, images, labels = self.parts()
        one_hot = nn.functional.one_hot(labels, 3).movedim(-1, 2).float()
        objects = visible_objects(one_hot)
        assert [side.tolist() for side in objects] == [[0, 0, 1], [0, 1, 0]]
        frame = encoder.encode(images[:, 0])
        values = reader.embed(images[:, 0], frame, one_hot[:, 0, 1:], objects)
        assert values[1, 1].abs().max() == 0 and values[1, 0].abs().max() > 0
        shares = reader.decode(images[:, 0], frame, values, torch.rand(2, 2, 4, 4), 2, objects).softmax(dim=1)
        assert float(shares[1, 2].max()) < 1e-6 and float(shares[0, 2].max()) > 1e-3

    def test_a_clip_without_objects_has_an_empty_first_one(self) -> None:
        nothing = nn.functional.one_hot(torch.zeros(1, 2, 8, 8, dtype=torch.int64), 3).movedim(-1, 2)
        assert [side.tolist() for side in visible_objects(nothing)] == [[0], [0]]


class GuessAlone(nn.Module):
    """Encoder and decoder of a reader that passes the guess on and ignores the read-out."""

    class Encoder(nn.Module):
        def forward(self, images: torch.Tensor, masks: torch.Tensor, features: torch.Tensor) -> torch.Tensor:
            return masks

    class Decoder(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.offset = nn.Parameter(torch.zeros(()))

        def forward(self, readout: torch.Tensor, guess: torch.Tensor, *skips: torch.Tensor) -> torch.Tensor:
            return 4 * guess - 2 + self.offset


def test_the_guess_has_a_gradient() -> None:
    """Softly read masks teach the keys through the guess; assigned ones do not (release)."""
    torch.manual_seed(0)
    reader = MaskReader(GuessAlone.Encoder(), GuessAlone.Decoder())
    images, labels = torch.randn(1, 2, 3, 8, 8), torch.randint(0, 2, (1, 2, 8, 8))
    for hard in (False, True):
        keys = [torch.nn.functional.normalize(torch.randn(1, 6, 8, 8), dim=1).requires_grad_() for _ in range(2)]
        frames = [EncodedFrame(key, key, key, key) for key in keys]
        segmentation_loss(reader, images, frames, labels, num_objects=1, temperature=1.0, hard_coarse=hard).backward()
        assert all((key.grad is not None and bool(key.grad.any())) is not hard for key in keys)


def test_the_guess_is_resized_with_its_corners() -> None:
    reader = MaskReader(GuessAlone.Encoder(), GuessAlone.Decoder())
    frame = EncodedFrame(*(torch.zeros(1, 1, 2, 2) for _ in range(4)))
    coarse = torch.tensor([[[[0.0, 0.3], [0.6, 0.9]]]])
    logits = reader.decode(torch.zeros(1, 3, 4, 4), frame, torch.zeros(1, 1, 1, 4, 4), coarse)
    guess = 0.1 * torch.arange(4) + 0.2 * torch.arange(4)[:, None]  # outermost pixels are outermost cells
    torch.testing.assert_close(logits[0], aggregate_logits(4 * guess[None] - 2))


def test_rounds_of_refinement_learn_together() -> None:
    """A round's guess is the result of the one before, and has its gradient."""
    reader = MaskReader(GuessAlone.Encoder(), GuessAlone.Decoder())
    frame = EncodedFrame(*(torch.zeros(1, 1, 8, 8) for _ in range(4)))
    readout, coarse = torch.zeros(1, 1, 1, 8, 8), torch.full((1, 1, 8, 8), 0.5)
    slopes = []
    for num_rounds in (1, 2):
        logits = reader.decode(torch.zeros(1, 3, 8, 8), frame, readout, coarse, num_rounds)
        slopes.append(float(torch.autograd.grad(logits[:, 1].mean(), reader.decoder.offset)[0]))
    # the second round adds 4 times the slope of the guess, p (1 - p) d(object - background) = 2 / 4
    assert slopes == pytest.approx([1.0, 3.0])


class TestMemoryAsInTesting:
    """Three options that change the memory that the decoder is trained with."""

    @staticmethod
    def parts(number: int = 3) -> tuple[MaskReader, torch.Tensor, list[EncodedFrame], torch.Tensor]:
        """An untrained reader in evaluation mode, and a clip of two objects that move to the right."""
        torch.manual_seed(0)
        encoder = KeyEncoder(18).eval()
        reader = MaskReader(FrameMaskEncoder(18, fused=False), MaskDecoder()).eval()
        images, labels = torch.randn(1, number, 3, 32, 48), torch.zeros(1, number, 32, 48, dtype=torch.int64)
        for time in range(number):
            labels[0, time, 4:20, 6 + 2 * time : 20 + 2 * time] = 1
            labels[0, time, 18:30, 24 + 2 * time : 36 + 2 * time] = 2
        with torch.no_grad():
            frames = [encoder.encode(image) for image in images.unbind(1)]
        return reader, images, frames, labels

    def test_feedback_is_two_steps_by_hand(self) -> None:
        reader, images, frames, labels = self.parts()
        first = nn.functional.one_hot(labels[:, 0], 3).movedim(-1, 1).float()

        def step(time: int, masks: list[torch.Tensor]) -> torch.Tensor:
            """Logits of a frame, from the masks (1, 3, H, W) of all frames before it."""
            memory = torch.stack([frame.key for frame in frames[:time]], dim=1)
            affinity = dense_affinity(frames[time].key, memory)
            values = [reader.embed(images[:, past], frames[past], mask[:, 1:]) for past, mask in enumerate(masks)]
            readout = torch.stack(
                [read(affinity, torch.stack(values, dim=1)[:, :, index]) for index in range(2)], dim=1
            )
            cells = torch.stack([cells_of_masks(mask, frames[0].key.shape[-2:]) for mask in masks], dim=1)
            return reader.decode(images[:, time], frames[time], readout, read(affinity, cells)[:, 1:])

        one = step(1, [first])
        two = step(2, [first, one.softmax(dim=1)])
        losses = [nn.functional.cross_entropy(logits, labels[:, time]) for time, logits in ((1, one), (2, two))]
        expected = sum(losses) / 2
        loss = segmentation_loss(reader, images, frames, labels, feedback=True)
        torch.testing.assert_close(loss, expected, rtol=1e-5, atol=1e-6)
        taught = segmentation_loss(reader, images, frames, labels)
        assert abs(float(taught - loss)) > 1e-5
        # the gradient of the second step passes through the first prediction
        slopes = [torch.autograd.grad(value, reader.decoder.pred.weight)[0] for value in (loss, expected)]
        torch.testing.assert_close(*slopes, rtol=1e-4, atol=1e-6)
        cut = step(2, [first, step(1, [first]).softmax(dim=1).detach()])
        detached = (losses[0].detach() + nn.functional.cross_entropy(cut, labels[:, 2])) / 2
        (shorter,) = torch.autograd.grad(detached, reader.decoder.pred.weight)
        assert float((slopes[0] - shorter).abs().max()) > 1e-4

    @pytest.mark.parametrize('num_context', [0, 1, 3, 20])
    def test_training_sees_what_inference_does(self, num_context: int) -> None:
        reader, images, frames, labels = self.parts(6)
        settings = dict(k=6, radius=2.5, temperature=0.1, num_rounds=3, num_context=num_context)

        class Encoded(nn.Module):
            """Encodings that are known already, in order."""

            def __init__(self) -> None:
                super().__init__()
                self.frames = iter(frames)

            def encode(self, image: torch.Tensor) -> EncodedFrame:
                return next(self.frames)

        propagator = MaskPropagator(Encoded(), reader, **settings)
        given = nn.functional.one_hot(labels[0, 0], 3).movedim(-1, 0)
        shares = [propagator.step(image, given if time == 0 else None) for time, image in enumerate(images.unbind(1))]
        expected = [nn.functional.nll_loss(one[None].log(), labels[:, time]) for time, one in enumerate(shares)][1:]
        with torch.no_grad():
            loss = segmentation_loss(reader, images, frames, labels, feedback=True, **settings)
            other = segmentation_loss(reader, images, frames, labels, feedback=True, **{**settings, 'k': None})
        assert float(loss) == pytest.approx(float(torch.stack(expected).mean()), rel=1e-4)
        assert float(other) != pytest.approx(float(loss), rel=1e-5)

    def test_frames_that_leave_the_memory(self) -> None:
        """With one recent frame, the last but one has no influence on the loss of the last."""
        reader, images, frames, labels = self.parts(4)
        changed = labels.clone()
        changed[:, 1] = labels[:, 1].roll(9, dims=1)
        losses = {}
        for num_context in (1, None):
            with torch.no_grad():
                before, after = (
                    segmentation_loss(reader, images, frames, masks, num_context=num_context) * 3
                    - segmentation_loss(reader, images[:, :3], frames[:3], masks[:, :3], num_context=num_context) * 2
                    for masks in (labels, changed)
                )
            losses[num_context] = abs(float(before - after))
        assert losses[1] < 1e-5 < losses[None]

    def test_soft_labels(self) -> None:
        reader, images, frames, labels = self.parts()
        one_hot = nn.functional.one_hot(labels, 3).movedim(-1, 2).float()
        hard, same = (segmentation_loss(reader, images, frames, masks) for masks in (labels, one_hot))
        torch.testing.assert_close(hard, same, rtol=1e-5, atol=1e-6)
        more = segmentation_loss(reader, images, frames, one_hot, num_objects=3)  # room for one that does not exist
        torch.testing.assert_close(more, hard, rtol=1e-4, atol=1e-4)
        with pytest.raises(ValueError, match='have object 2, more than segmentation.num_objects = 1'):
            segmentation_loss(reader, images, frames, one_hot, num_objects=1)

    def test_soft_targets_have_the_cross_entropy_of_their_shares(self) -> None:
        reader = MaskReader(GuessAlone.Encoder(), GuessAlone.Decoder())
        frames = [EncodedFrame(*(torch.ones(1, 1, 8, 8) for _ in range(4)))] * 2
        shares = torch.stack([torch.full((1, 2, 8, 8), 0.7), torch.full((1, 2, 8, 8), 0.3)], dim=2)
        loss = segmentation_loss(reader, torch.zeros(1, 2, 3, 8, 8), frames, shares, num_objects=1)
        logits = torch.tensor([2 - 4 * 0.3, 4 * 0.3 - 2])  # a guess of 0.3 everywhere
        expected = -(torch.tensor([0.7, 0.3]) * logits.log_softmax(dim=0)).sum()
        torch.testing.assert_close(loss.detach(), expected, rtol=1e-5, atol=1e-6)

    @pytest.mark.parametrize('options', [dict(k=0), dict(radius=0.0), dict(num_context=-1)])
    def test_bad_values(self, options: dict) -> None:
        with pytest.raises(ValueError, match='k and radius must be positive, and num_context must not be negative'):
            segmentation_loss(*self.parts(), **options)
