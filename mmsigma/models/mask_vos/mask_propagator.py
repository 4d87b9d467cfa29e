"""Inference of Mask-VOS on one video: the memory of frames with masks, and reading from it (CVPR 2023, section 3.3)."""

from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from mmsigma.models.interfaces import VisualEncoder
from mmsigma.models.mask_vos.mask_reader import MaskReader, cells_of_masks
from mmsigma.models.mask_vos.networks import EncodedFrame
from mmsigma.ops.affinity import propagate, topk_affinity


class _Group(NamedTuple):
    """Objects that were given in the same frame, ``start``; earlier frames in memory have no masks of them."""

    start: int
    objects: slice


class MaskPropagator:
    """Segments a video frame by frame with a memory of frames in which objects were given and of the most recent ones.

    Keys are matched once for all objects that were given in the same frame. The memory keeps the decoded probabilities
    of a frame; the release keeps the masks that were read, which drift, and mixes log-odds in.

    Args:
        encoder: Visual encoder E.
        reader: Reader with the frame-mask encoder V and the mask decoder D.
        num_context: Number of recent frames to keep; 0 keeps only the frames in which objects were given.
        k: Number of memory cells to copy from.
        temperature: Divisor of the similarity.
        radius: Half-width of the window in cells, which does not apply to frames in which objects were given; None for
            no window.
        num_rounds: Number of rounds of refinement.

    Raises:
        ValueError: If ``num_context`` or ``num_rounds`` is negative.
    """

    def __init__(
        self,
        encoder: VisualEncoder,
        reader: MaskReader,
        *,
        num_context: int = 20,
        k: int = 10,
        temperature: float = 0.05,
        radius: float | None = 12,
        num_rounds: int = 3,
    ) -> None:
        if num_context < 0 or num_rounds < 0:
            raise ValueError(f'num_context and num_rounds must not be negative, got {num_context} and {num_rounds}')
        self.encoder, self.reader, self.num_context, self.num_rounds = encoder, reader, num_context, num_rounds
        self.settings: dict[str, Any] = dict(k=k, temperature=temperature, radius=radius)
        self.groups: list[_Group] = []
        self.times: list[int] = []  # numbers of the frames in memory, those in which objects were given first
        self.frame = 0
        # slots of the memory, in the order of `times`: keys (S, h, w, D), values (O, S, h, w, W), masks (O, S, h, w)
        self._keys = self._values = self._cells = torch.empty(0)

    @torch.no_grad()
    def step(self, image: Tensor, given: Tensor | None = None) -> Tensor:
        """Segment the next frame.

        Args:
            image: Normalised image ``(1, 3, H, W)``, with sides that are multiples of 8.
            given: Masks given in this frame, ``(V, H, W)``, background first; required in the first frame. In later
                ones, only the masks of new objects, which come last, are used.

        Returns:
            Probabilities of background and objects, ``(V, H, W)``, with given masks as they are.

        Raises:
            ValueError: If the first frame has no masks, or its keys are not finite.
        """
        frame = self.encoder.encode(image)
        if not frame.key.isfinite().all():
            raise ValueError(f'the keys of frame {self.frame} are not finite')
        if not self.groups:
            if given is None:
                raise ValueError('the first frame needs masks')
            labels = given.to(image.dtype)
            self.groups.append(_Group(0, slice(0, len(labels) - 1)))
        else:
            labels = self.read(image, frame)[0].softmax(dim=1)[0]
            if given is not None:
                labels = self._add_objects(labels, given.to(image.dtype))
        begins = self.groups[-1].start == self.frame
        if begins or self.num_context:
            self._remember(image, frame, labels, keep=begins)
        self.frame += 1
        return labels

    def read(self, image: Tensor, frame: EncodedFrame) -> tuple[Tensor, Tensor]:
        """Read the objects of a frame from the memory and decode their masks.

        Args:
            image: Normalised image ``(1, 3, H, W)``.
            frame: Encoding of the image.

        Returns:
            Logits of background and objects, ``(1, V, H, W)``, and the masks read from the memory, ``(O, h, w)``.
        """
        key = frame.key[0].movedim(0, -1).contiguous()  # (h, w, D)
        readouts, masks = [], []
        for group in self.groups:
            known = [slot for slot, time in enumerate(self.times) if time >= group.start]
            everything = len(known) == len(self.times)
            keys = self._keys[: len(self.times)] if everything else self._keys[known]
            num_free = sum(self.times[slot] in {one.start for one in self.groups} for slot in known)
            affinity = topk_affinity(key, keys, num_free=num_free, **self.settings)
            for number in range(group.objects.start, group.objects.stop):
                values, cells = self._values[number, : len(self.times)], self._cells[number, : len(self.times)]
                values, cells = (values, cells) if everything else (values[known], cells[known])
                readouts.append(propagate(affinity, values).movedim(-1, 0))  # (W, h, w)
                masks.append(propagate(affinity, cells[..., None])[..., 0])
        readout, coarse = torch.stack(readouts)[None], torch.stack(masks)  # (1, O, W, h, w) and (O, h, w)
        return self.reader.decode(image, frame, readout, coarse[None], self.num_rounds), coarse

    def _add_objects(self, labels: Tensor, given: Tensor) -> Tensor:
        """Add the masks of new objects to labels ``(V, H, W)``, which take precedence over the old ones."""
        known = len(labels)
        if len(given) == known:
            return labels
        self.groups.append(_Group(self.frame, slice(known - 1, len(given) - 1)))
        new = given[known:]
        free = 1 - new.sum(dim=0, keepdim=True).clamp(max=1)
        return torch.cat([labels * free, new])

    def _remember(self, image: Tensor, frame: EncodedFrame, labels: Tensor, keep: bool) -> None:
        key = frame.key[0].movedim(0, -1)
        values = self.reader.embed(image, frame, labels[None, 1:])[0].movedim(1, -1)  # (O, h, w, W)
        cells = cells_of_masks(labels[None, 1:], key.shape[:2])[0]
        slot = self._slot(keep, values.shape[0], key, values)
        self._keys[slot], self._values[:, slot], self._cells[:, slot] = key, values, cells
        if slot == len(self.times):
            self.times.append(self.frame)
        else:
            self.times[slot] = self.frame

    def _slot(self, keep: bool, num_objects: int, key: Tensor, values: Tensor) -> int:
        """Return the slot of a frame: after those to keep, in place of the oldest of the others if memory is full."""
        kept = len({group.start for group in self.groups})
        if not len(self._keys):
            slots = 1 + self.num_context
            self._keys = key.new_empty(slots, *key.shape)
            self._values = values.new_empty(num_objects, slots, *values.shape[1:])
            self._cells = values.new_empty(num_objects, slots, *values.shape[1:3])
        elif keep:
            self._make_room(num_objects)
            self.times.insert(kept - 1, self.frame)
            return kept - 1
        if len(self.times) < kept + self.num_context:
            return len(self.times)
        return min(range(kept, len(self.times)), key=self.times.__getitem__)

    def _make_room(self, num_objects: int) -> None:
        """Insert a slot before the frames that are not kept, and add rows for new objects."""
        kept = len({group.start for group in self.groups}) - 1
        more = num_objects - len(self._values)
        self._keys = torch.cat([self._keys[:kept], self._keys[:1], self._keys[kept:]])
        self._values, self._cells = (
            F.pad(torch.cat([held[:, :kept], held[:, :1], held[:, kept:]], dim=1), (0, 0) * (held.ndim - 1) + (0, more))
            for held in (self._values, self._cells)
        )
