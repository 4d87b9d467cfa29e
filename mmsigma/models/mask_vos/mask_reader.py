"""Reading masks of a query frame from a memory of frames with masks (Mask-VOS, section 3.3)."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmsigma.models.interfaces import MaskEncoder, ObjectDecoder
from mmsigma.models.mask_vos.networks import EncodedFrame
from mmsigma.ops.soft_aggregation import aggregate


def dense_affinity(query: Tensor, memory: Tensor, temperature: float = 0.05) -> Tensor:
    """Weights of all cells of a memory for each cell of a query frame, which add up to 1 (equation 6).

    Args:
        query: Keys (B, D, h, w), of unit length.
        memory: Keys (B, M, D, h, w), of unit length.
        temperature: Divides the similarity.

    Returns:
        (B, M * h * w, h * w).
    """
    memory = memory.transpose(1, 2).flatten(2)
    return (memory.transpose(1, 2) @ query.flatten(2) / temperature).softmax(dim=1)


def read(affinity: Tensor, values: Tensor) -> Tensor:
    """Weighted means (B, C, h, w) of what the cells of a memory hold, ``values`` (B, M, C, h, w) (equations 7, 8)."""
    cells = values.transpose(1, 2).flatten(2)
    return (cells @ affinity).unflatten(2, values.shape[-2:])


def cells_of_masks(masks: Tensor, size: Sequence[int]) -> Tensor:
    """Masks (B, V, H, W) on the grid of the features: bilinear, corners aligned, as in the release."""
    return F.interpolate(masks, size=tuple(size), mode='bilinear', align_corners=True)


class MaskReader(nn.Module):
    """Embeds frames with masks for the memory, and decodes what is read from it, for all objects of a frame at once.

    Args:
        mask_encoder: V.
        decoder: D.
    """

    def __init__(self, mask_encoder: MaskEncoder, decoder: ObjectDecoder) -> None:
        super().__init__()
        self.mask_encoder, self.decoder = mask_encoder, decoder

    def embed(self, images: Tensor, frame: EncodedFrame, masks: Tensor) -> Tensor:
        """Embeddings (B, O, 512, h, w) of the objects of frames.

        Args:
            images: Normalised (B, 3, H, W).
            frame: Of the same frames.
            masks: Of the objects (B, O, H, W), in 0..1.
        """
        number = masks.shape[1]
        values = self.mask_encoder(
            images.repeat_interleave(number, dim=0),
            masks.flatten(0, 1)[:, None],
            frame.features.repeat_interleave(number, dim=0),
        )
        return values.unflatten(0, (-1, number))

    def decode(
        self, images: Tensor, frame: EncodedFrame, readout: Tensor, coarse: Tensor, num_rounds: int = 1
    ) -> Tensor:
        """Masks of the objects of frames, refined in rounds (section 3.3, recurrent refinement).

        The first round guesses what was read as masks, each further one what the last one decoded. None at all decodes
        the read-out alone.

        Args:
            images: Normalised (B, 3, H, W).
            frame: Of the same frames.
            readout: What the memory holds of the objects (B, O, 512, h, w).
            coarse: Masks read from the memory (B, O, h, w).
            num_rounds: Rounds.

        Returns:
            Logits of background and objects (B, O + 1, H, W).
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
        masks = self.decoder(readout.flatten(0, 1), guess.flatten(0, 1), *skips).sigmoid()
        return aggregate(masks.unflatten(0, readout.shape[:2])[:, :, 0])


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
    """Each frame but the first is segmented from those before it with their pseudo masks (equation 10).

    Args:
        reader: Of masks.
        images: Normalised (B, T, 3, H, W).
        frames: Encoded, T of them.
        labels: Pseudo masks (B, T, H, W), int64, ids up to ``num_objects``.
        num_objects: O; a clip may have fewer.
        temperature: Of the affinity.
        num_rounds: Of refinement.
        hard_coarse: The masks that are read become one object per cell, without gradient, as in the release; the paper
            keeps them soft.

    Returns:
        Mean over the frames of the cross-entropy of pixels.

    Raises:
        ValueError: If there are more objects in the labels.
    """
    if (highest := int(labels.max())) > num_objects:
        raise ValueError(
            f'pseudo masks have object {highest}, more than segmentation.num_objects = {num_objects}: set max_objects '
            'of ChooseTargets to the same number'
        )
    one_hot = F.one_hot(labels, num_objects + 1).movedim(-1, 2).to(images.dtype)  # (B, T, O + 1, H, W)
    keys = torch.stack([frame.key for frame in frames], dim=1)
    size = keys.shape[-2:]
    cells = torch.stack([cells_of_masks(masks, size) for masks in one_hot.unbind(1)], dim=1)
    values: list[Tensor] = []
    losses = []
    for time in range(1, len(frames)):
        values.append(reader.embed(images[:, time - 1], frames[time - 1], one_hot[:, time - 1, 1:]))
        affinity = dense_affinity(keys[:, time], keys[:, :time], temperature)
        memory = torch.stack(values, dim=1)  # (B, M, O, 512, h, w)
        readout = read(affinity, memory.flatten(2, 3)).unflatten(1, memory.shape[2:4])
        coarse = read(affinity, cells[:, :time])
        if hard_coarse:
            coarse = F.one_hot(coarse.detach().argmax(dim=1), num_objects + 1).movedim(-1, 1).to(images.dtype)
        logits = reader.decode(images[:, time], frames[time], readout, coarse[:, 1:], num_rounds)
        losses.append(F.cross_entropy(logits, labels[:, time]))
    return torch.stack(losses).mean()
