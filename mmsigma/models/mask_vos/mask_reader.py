"""Reading the masks of a query frame from a memory of frames with masks (Mask-VOS, CVPR 2023, section 3.3)."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmsigma.models.interfaces import MaskEncoder, ObjectDecoder
from mmsigma.models.mask_vos.networks import EncodedFrame
from mmsigma.ops.precision import at_least_float32, full_float32
from mmsigma.ops.soft_aggregation import aggregate_logits


def dense_affinity(query: Tensor, memory: Tensor, temperature: float = 0.05) -> Tensor:
    """Compute the affinity of each cell of a query frame to all cells of a memory (equation 6).

    Args:
        query: Keys of the query frame, ``(B, D, h, w)``, of unit length.
        memory: Keys of the M frames in memory, ``(B, M, D, h, w)``, of unit length.
        temperature: Divisor of the similarity.

    Returns:
        Weights ``(B, M * h * w, h * w)`` of at least float32, whose columns sum to 1.
    """
    # (B, M, D, h, w) -> (B, D, M * h * w)
    memory = at_least_float32(memory).transpose(1, 2).flatten(2)
    with full_float32(query.device.type):  # the temperature magnifies errors, and the exponential does again
        return (memory.transpose(1, 2) @ at_least_float32(query).flatten(2) / temperature).softmax(dim=1)


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

    def embed(self, images: Tensor, frame: EncodedFrame, masks: Tensor) -> Tensor:
        """Embed the objects of frames.

        Args:
            images: Normalised images ``(B, 3, H, W)``.
            frame: Encoding of the images.
            masks: Masks of the objects, ``(B, O, H, W)``, in 0..1.

        Returns:
            Embeddings ``(B, O, 512, h, w)``.
        """
        # objects are folded into the batch, (B * O, ...), with the objects of a frame next to each other
        number = masks.shape[1]
        values = self.mask_encoder(
            images.repeat_interleave(number, dim=0),
            masks.flatten(0, 1)[:, None],
            frame.features.repeat_interleave(number, dim=0),
        )
        embeddings: Tensor = values.unflatten(0, (-1, number))
        return embeddings

    def decode(
        self, images: Tensor, frame: EncodedFrame, readout: Tensor, coarse: Tensor, num_rounds: int = 1
    ) -> Tensor:
        """Decode the masks of the objects of frames in rounds of refinement (section 3.3, recurrent refinement).

        The guess of the first round are the masks read from the memory, that of each further round the decoded masks of
        the round before. Without any round, the read-out is decoded without a guess.

        Args:
            images: Normalised images ``(B, 3, H, W)``.
            frame: Encoding of the images.
            readout: Embeddings of the objects read from the memory, ``(B, O, 512, h, w)``.
            coarse: Masks read from the memory, ``(B, O, h, w)``.
            num_rounds: Number of rounds.

        Returns:
            Logits of background and objects, ``(B, O + 1, H, W)``.
        """
        number = readout.shape[1]
        skips = [skip.repeat_interleave(number, dim=0) for skip in (frame.skip8, frame.skip4)]
        guess = F.interpolate(coarse, size=images.shape[-2:], mode='bilinear', align_corners=True)
        logits = None
        for _ in range(num_rounds):
            if logits is not None:
                guess = logits.softmax(dim=1)[:, 1:]
            logits = self._decode_once(readout, self.embed(images, frame, guess), skips)
        return self._decode_once(readout, torch.zeros_like(readout), skips) if logits is None else logits

    def _decode_once(self, readout: Tensor, guess: Tensor, skips: list[Tensor]) -> Tensor:
        # (B, O, ...) -> (B * O, ...), decoded to (B * O, 1, H, W), aggregated from (B, O, H, W)
        masks = self.decoder(readout.flatten(0, 1), guess.flatten(0, 1), *skips)
        return aggregate_logits(masks.unflatten(0, readout.shape[:2])[:, :, 0])


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
) -> Tensor:
    """Segment each frame but the first from the frames before it and their pseudo masks (equation 10).

    Args:
        reader: Reader of masks.
        images: Normalised images ``(B, T, 3, H, W)``.
        frames: Encodings of the T frames.
        labels: Pseudo masks ``(B, T, H, W)``, int64, with ids up to ``num_objects``.
        num_objects: Largest number O of objects of a clip.
        temperature: Temperature of the affinity.
        num_rounds: Number of rounds of refinement.
        hard_coarse: Whether each cell of the masks read from the memory is assigned to one object, without gradient, as
            in the release; the paper keeps them soft.

    Returns:
        Cross-entropy of the pixels, averaged over the frames, a scalar.

    Raises:
        ValueError: If the labels have more objects.
    """
    if (highest := int(labels.max())) > num_objects:
        raise ValueError(
            f'pseudo masks have object {highest}, more than segmentation.num_objects = {num_objects}: set max_objects '
            'of ChooseTargets to the same number'
        )
    one_hot = F.one_hot(labels, num_objects + 1).movedim(-1, 2).to(images.dtype)  # (B, T, O + 1, H, W)
    keys = torch.stack([frame.key for frame in frames], dim=1)
    size = keys.shape[-2:]
    cells = torch.stack([cells_of_masks(masks, size) for masks in one_hot.unbind(1)], dim=1)  # (B, T, O + 1, h, w)
    values: list[Tensor] = []
    losses = []
    for time in range(1, len(frames)):
        values.append(reader.embed(images[:, time - 1], frames[time - 1], one_hot[:, time - 1, 1:]))
        affinity = dense_affinity(keys[:, time], keys[:, :time], temperature)
        memory = torch.stack(values, dim=1)  # (B, M, O, 512, h, w)
        # objects and channels are read together: (B, M, O * 512, h, w) -> (B, O * 512, h, w) -> (B, O, 512, h, w)
        readout = read(affinity, memory.flatten(2, 3)).unflatten(1, memory.shape[2:4])
        coarse = read(affinity, cells[:, :time])  # (B, O + 1, h, w)
        if hard_coarse:
            coarse = F.one_hot(coarse.detach().argmax(dim=1), num_objects + 1).movedim(-1, 1).to(images.dtype)
        logits = reader.decode(images[:, time], frames[time], readout, coarse[:, 1:], num_rounds)
        losses.append(F.cross_entropy(logits, labels[:, time]))
    return torch.stack(losses).mean()
