"""Reading the masks of a query frame from a memory of frames with masks (Mask-VOS, CVPR 2023, section 3.3)."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmsigma.models.interfaces import MaskEncoder, ObjectDecoder
from mmsigma.models.mask_vos.networks import EncodedFrame
from mmsigma.ops.precision import at_least_float32, full_float32
from mmsigma.ops.soft_aggregation import aggregate_logits

Objects = tuple[Tensor, Tensor]
"""Indices of clips and of their objects, ``(N,)`` each, int64: the N objects that there are."""

_NO_OBJECT = -1e4  # logit of pixels of objects that do not exist, finite in half precision


def dense_affinity(
    query: Tensor, memory: Tensor, temperature: float = 0.05, *, k: int | None = None, radius: float | None = None
) -> Tensor:
    """Compute the affinity of each cell of a query frame to all cells of a memory (equation 6).

    With ``k`` and ``radius``, it is that of :func:`mmsigma.ops.affinity.topk_affinity`, which inference uses, with
    gradients and as a whole matrix, for training.

    Args:
        query: Keys of the query frame, ``(B, D, h, w)``, of unit length.
        memory: Keys of the M frames in memory, ``(B, M, D, h, w)``, of unit length.
        temperature: Divisor of the similarity.
        k: Number of cells of the memory with a weight, the most similar ones; None for all.
        radius: Half-width of the window in cells, distances strictly below it, which does not apply to the first frame
            in memory; None for no window.

    Returns:
        Weights ``(B, M * h * w, h * w)`` of at least float32, whose columns sum to 1.
    """
    size, num_frames = query.shape[-2:], memory.shape[1]
    # (B, M, D, h, w) -> (B, D, M * h * w)
    memory = at_least_float32(memory).transpose(1, 2).flatten(2)
    with full_float32(query.device.type):  # the temperature magnifies errors, and the exponential does again
        logits = memory.transpose(1, 2) @ at_least_float32(query).flatten(2) / temperature
        if radius is not None and num_frames > 1:
            logits = logits.masked_fill(_outside(size, num_frames, radius, query.device), -torch.inf)
        if k is not None and k < logits.shape[1]:
            least = logits.detach().topk(k, dim=1).values[:, -1:]  # of those to keep
            logits = logits.masked_fill(logits < least, -torch.inf)
        return logits.softmax(dim=1)


def _outside(size: Sequence[int], num_frames: int, radius: float, device: torch.device) -> Tensor:
    """Return which cells of a memory are outside the window of each query cell, ``(M * h * w, h * w)``."""
    rows, columns = (torch.arange(side, device=device) for side in size)
    places = torch.cartesian_prod(rows, columns)  # (h * w, 2)
    far = (places[:, None] - places).square().sum(dim=-1) >= radius**2
    return torch.cat([torch.zeros_like(far), far.repeat(num_frames - 1, 1)])


def read(affinity: Tensor, values: Tensor) -> Tensor:
    """Read from a memory (equations 7 and 8).

    Args:
        affinity: Weights ``(B, M * h * w, h * w)`` of :func:`dense_affinity`.
        values: Values of the cells in memory, ``(B, M, C, h, w)``.

    Returns:
        Weighted means of the values, ``(B, C, h, w)``.
    """
    cells = values.transpose(1, 2).flatten(2)  # (B, C, M * h * w)
    means: Tensor = (cells @ affinity.to(cells.dtype)).unflatten(2, values.shape[-2:])
    return means


def cells_of_masks(masks: Tensor, size: Sequence[int]) -> Tensor:
    """Resize masks ``(B, V, H, W)`` to ``size``, bilinearly with aligned corners, as in the release."""
    return F.interpolate(masks, size=tuple(size), mode='bilinear', align_corners=True)


class MaskReader(nn.Module):
    """Embeds frames with masks for the memory, and decodes what is read from it, for all objects of a frame at once.

    Args:
        mask_encoder: Frame-mask encoder V.
        decoder: Mask decoder D.
    """

    def __init__(self, mask_encoder: MaskEncoder, decoder: ObjectDecoder) -> None:
        super().__init__()
        self.mask_encoder, self.decoder = mask_encoder, decoder

    def embed(self, images: Tensor, frame: EncodedFrame, masks: Tensor, objects: Objects | None = None) -> Tensor:
        """Embed the objects of frames.

        Args:
            images: Normalised images ``(B, 3, H, W)``.
            frame: Encoding of the images.
            masks: Masks of the objects, ``(B, O, H, W)``, in 0..1.
            objects: Which objects there are, see :data:`Objects`; None for all.

        Returns:
            Embeddings ``(B, O, W, h, w)``, zero for objects that do not exist.
        """
        # objects are folded into the batch, (N, ...), with the objects of a frame next to each other
        rows, columns = objects or _all_objects(masks)
        values = self.mask_encoder(images[rows], masks[rows, columns][:, None], frame.features[rows])
        return _unfold(values, (rows, columns), masks.shape[:2])

    def decode(
        self,
        images: Tensor,
        frame: EncodedFrame,
        readout: Tensor,
        coarse: Tensor,
        num_rounds: int = 1,
        objects: Objects | None = None,
    ) -> Tensor:
        """Decode the masks of the objects of frames in rounds of refinement (section 3.3, recurrent refinement).

        The guess of the first round are the masks read from the memory, that of each further round the decoded masks of
        the round before. Without any round, the read-out is decoded without a guess.

        Args:
            images: Normalised images ``(B, 3, H, W)``.
            frame: Encoding of the images.
            readout: Embeddings of the objects read from the memory, ``(B, O, W, h, w)``.
            coarse: Masks read from the memory, ``(B, O, h, w)``.
            num_rounds: Number of rounds.
            objects: Which objects there are, see :data:`Objects`; None for all.

        Returns:
            Logits of background and objects, ``(B, O + 1, H, W)``; objects that do not exist claim no pixel.
        """
        objects = objects or _all_objects(readout)
        skips = [skip[objects[0]] for skip in (frame.skip8, frame.skip4)]
        guess = F.interpolate(coarse, size=images.shape[-2:], mode='bilinear', align_corners=True)
        logits = None
        for _ in range(num_rounds):
            if logits is not None:
                guess = logits.softmax(dim=1)[:, 1:]
            logits = self._decode_once(readout, self.embed(images, frame, guess, objects), skips, objects)
        return self._decode_once(readout, torch.zeros_like(readout), skips, objects) if logits is None else logits

    def _decode_once(self, readout: Tensor, guess: Tensor, skips: list[Tensor], objects: Objects) -> Tensor:
        # (B, O, ...) -> (N, ...), decoded to (N, 1, H, W), aggregated from (B, O, H, W)
        masks = self.decoder(readout[objects], guess[objects], *skips)
        return aggregate_logits(_unfold(masks, objects, readout.shape[:2], fill=_NO_OBJECT)[:, :, 0])


def _all_objects(maps: Tensor) -> Objects:
    """Return the indices of all objects of maps ``(B, O, ...)``, those of a clip next to each other."""
    batch, number = maps.shape[:2]
    rows = torch.arange(batch, device=maps.device).repeat_interleave(number)
    return rows, torch.arange(number, device=maps.device).repeat(batch)


def _unfold(values: Tensor, objects: Objects, shape: Sequence[int], fill: float = 0.0) -> Tensor:
    """Return values ``(N, ...)`` of objects as ``(B, O, ...)``, with a constant where there is no object."""
    maps = values.new_full((*shape, *values.shape[1:]), fill)
    return maps.index_put(objects, values)


def visible_objects(one_hot: Tensor) -> Objects:
    """Return the objects of clips that have a pixel in any frame; of a clip without objects, the first.

    Others must not be embedded: a clip with a single cluster has an empty mask for the second object, which would enter
    the statistics of the batch norms.

    Args:
        one_hot: Labels ``(B, T, O + 1, H, W)``, one-hot, the background first.
    """
    seen = one_hot[:, :, 1:].amax(dim=(1, 3, 4)) > 0  # (B, O)
    seen[:, 0] |= ~seen.any(dim=1)
    rows, columns = seen.nonzero(as_tuple=True)
    return rows, columns


def segmentation_loss(
    reader: MaskReader,
    images: Tensor,
    frames: Sequence[EncodedFrame],
    labels: Tensor,
    *,
    num_objects: int = 2,
    temperature: float = 0.05,
    num_rounds: int = 1,
    hard_coarse: bool = False,
    feedback: bool = False,
    k: int | None = None,
    radius: float | None = None,
    num_context: int | None = None,
) -> Tensor:
    """Segment each frame but the first from the frames before it and their masks (equation 10).

    Objects that no frame of a clip shows are left out, see :func:`visible_objects`. By default, the memory is that of
    the release: every cell of all frames, with their pseudo masks. With ``feedback``, and ``num_rounds``, ``k``,
    ``radius`` and ``num_context`` of :class:`mmsigma.models.mask_vos.mask_propagator.MaskPropagator`, the decoder is
    trained on what it is tested on.

    Args:
        reader: Reader of masks.
        images: Normalised images ``(B, T, 3, H, W)``.
        frames: Encodings of the T frames.
        labels: Pseudo masks ``(B, T, H, W)``, int64, with ids up to ``num_objects``; or soft ones,
            ``(B, T, V, H, W)``, shares of the background and of up to ``num_objects`` objects, which sum to 1.
        num_objects: Largest number O of objects of a clip.
        temperature: Temperature of the affinity.
        num_rounds: Number of rounds of refinement.
        hard_coarse: Whether each cell of the masks read from the memory is assigned to one object, without gradient, as
            in the release; the paper keeps them soft.
        feedback: Whether the memory holds the decoded masks of frames other than the first, with their gradient, as in
            STM and STCN, whose strategy the paper follows; the release's holds their pseudo masks.
        k: Number of memory cells to read from; None for all.
        radius: Half-width of the window in cells, see :func:`dense_affinity`; None for no window.
        num_context: Number of recent frames in memory besides the first; None for all.

    Returns:
        Cross-entropy of the pixels, averaged over the frames, a scalar.

    Raises:
        ValueError: If the labels have more objects, or ``k``, ``radius`` or ``num_context`` is out of range.
    """
    if (
        (k is not None and k < 1)
        or (radius is not None and radius <= 0)
        or (num_context is not None and num_context < 0)
    ):
        raise ValueError(
            f'k and radius must be positive, and num_context must not be negative, got {k}, {radius} and {num_context}'
        )
    given = _shares(labels, num_objects).to(images.dtype)  # (B, T, O + 1, H, W)
    objects = visible_objects(given)
    values, cells, losses = [], [], []
    masks = given[:, 0]
    for time in range(1, len(frames)):
        values.append(reader.embed(images[:, time - 1], frames[time - 1], masks[:, 1:], objects))
        cells.append(cells_of_masks(masks, frames[0].key.shape[-2:]))
        recent = time - 1 if num_context is None else min(num_context, time - 1)
        held = [0, *range(time - recent, time)]
        keys = torch.stack([frames[slot].key for slot in held], dim=1)
        affinity = dense_affinity(frames[time].key, keys, temperature, k=k, radius=radius)
        memory = torch.stack([values[slot] for slot in held], dim=1)  # (B, M, O, W, h, w)
        # objects and channels are read together: (B, M, O * W, h, w) -> (B, O * W, h, w) -> (B, O, W, h, w)
        readout = read(affinity, memory.flatten(2, 3)).unflatten(1, memory.shape[2:4])
        coarse = read(affinity, torch.stack([cells[slot] for slot in held], dim=1))  # (B, O + 1, h, w)
        if hard_coarse:
            coarse = F.one_hot(coarse.detach().argmax(dim=1), num_objects + 1).movedim(-1, 1).to(images.dtype)
        logits = reader.decode(images[:, time], frames[time], readout, coarse[:, 1:], num_rounds, objects)
        target = labels[:, time] if labels.ndim == 4 else given[:, time].to(logits.dtype)
        losses.append(F.cross_entropy(logits, target))
        masks = logits.softmax(dim=1).to(images.dtype) if feedback else given[:, time]
    return torch.stack(losses).mean()


def _shares(labels: Tensor, num_objects: int) -> Tensor:
    """Return the shares of background and objects in pixels, ``(B, T, O + 1, H, W)``, of labels, see above."""
    highest = int(labels.max()) if labels.ndim == 4 else labels.shape[2] - 1
    if highest > num_objects:
        raise ValueError(
            f'pseudo masks have object {highest}, more than segmentation.num_objects = {num_objects}: set max_objects '
            'of ChooseTargets to the same number'
        )
    if labels.ndim == 4:
        return F.one_hot(labels, num_objects + 1).movedim(-1, 2)
    return F.pad(labels, (0, 0, 0, 0, 0, num_objects - highest))
