"""Inferencer that segments the objects of a single video, given their masks in the first frame."""

import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from mmengine.logging import MMLogger

from mmsigma.apis.models import build_inference_model
from mmsigma.io.masks import VOID, ids_of, mask_ids, read_stored, write_mask
from mmsigma.io.names import path_below
from mmsigma.io.video import FrameReader, write_playable
from mmsigma.utils.config import load_config
from mmsigma.visualization.overlay import draw_masks

Mask = str | Path | np.ndarray


class Segmented(NamedTuple):
    """Files that were written for a video.

    Attributes:
        num_frames: Number of segmented frames.
        ids: Ids of the objects.
        masks: Folder of the masks, one palette PNG per frame.
        overlay: Video with the objects drawn in.
        seconds: Time taken in seconds.
    """

    num_frames: int
    ids: list[int]
    masks: Path
    overlay: Path
    seconds: float


class VideoSegmenter:
    """Segment videos of any length, frame by frame.

    ::

        segment = VideoSegmenter('configs/vos/dino_vits8.py')
        segment.write('dog.mp4', 'dog_first_frame.png', 'results/dog')
        for frame, mask in segment('dog.mp4', 'dog_first_frame.png'): ...

    Args:
        config: Config of ``configs/vos``, a file or ``package::path``.
        checkpoint: Weights, including official files; None if the config names them.
        device: Device to run on; None for a GPU if there is one.
        options: Changes to the config, as of ``--cfg-options``.
        trust: Whether the checkpoint may execute code while it is loaded.

    Raises:
        FileNotFoundError: If config or checkpoint do not exist.
        ValueError: If the config requires a checkpoint and none is given.
    """

    def __init__(
        self,
        config: str | Path,
        checkpoint: str | Path | None = None,
        *,
        device: str | None = None,
        options: dict[str, Any] | None = None,
        trust: bool = False,
    ) -> None:
        self.model: Any = build_inference_model(load_config(config, options), checkpoint, device, trust=trust)

    def __call__(
        self, video: str | Path | FrameReader, masks: Mask | Mapping[int, Mask]
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield each frame ``(H, W, 3)`` with its ids ``(H, W)``, uint8.

        Args:
            video: Video file, or folder of frames.
            masks: Mask of the first frame, or masks by frame number, of which later ones contain new objects. A mask is
                a PNG with a palette or in black and white, a ``.npy`` file, or an array of ids. A mask in black and
                white has a single object: number 1 in the first mask, the next free id in a later one.

        Raises:
            FileNotFoundError: If video or mask do not exist.
            ValueError: If a mask is invalid or empty, contains no new object, differs in size from its frame, or
                belongs to no frame.
        """
        frames = video if isinstance(video, FrameReader) else FrameReader(video)
        masks = _by_frame(masks)
        if beyond := [number for number in masks if not 0 <= number < len(frames)]:
            raise ValueError(f'there is a mask for frame {beyond[0]}, but the video has {len(frames)} frames')
        return self._segment(frames, load_masks(masks))

    def _segment(self, frames: FrameReader, given: Mapping[int, np.ndarray]) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        core = self.model.new_inference_core()
        for number, frame in enumerate(frames):
            yield frame, core.step(frame, given.get(number))

    def write(
        self,
        video: str | Path,
        masks: Mask | Mapping[int, Mask],
        out_dir: str | Path,
        *,
        opacity: float = 0.5,
        height: int | None = None,
        progress: Callable[[int, int], None] = lambda done, total: None,
    ) -> Segmented:
        """Segment a video and write ``masks/*.png`` and ``overlay.mp4``, which keeps the sound of the video.

        Args:
            video: Video file, or folder of frames.
            masks: Masks of the objects, see :meth:`__call__`.
            out_dir: Folder to write to.
            opacity: Opacity of the objects' colours in the overlay, from 0 to 1.
            height: Height of the overlay in pixels; None for that of the video.
            progress: Function that is called with the number of finished frames and their total.

        Returns:
            Files that were written.

        Raises:
            FileNotFoundError: See :meth:`__call__`.
            ValueError: If the opacity is out of range; see also :meth:`__call__`.
        """
        if not 0 <= opacity <= 1:
            raise ValueError(f'opacity must be between 0 and 1, got {opacity:g}')
        started, frames, out_dir, ids = time.perf_counter(), FrameReader(video), Path(out_dir), set[int]()

        def drawn() -> Iterator[np.ndarray]:
            for number, (frame, mask) in enumerate(self(frames, masks)):
                write_mask(path_below(out_dir / 'masks', f'{frames.names[number]}.png'), mask)
                ids.update(mask_ids(mask))
                progress(number + 1, len(frames))
                yield draw_masks(frame, mask, opacity)

        write_playable(out_dir / 'overlay.mp4', drawn(), frames.fps, height=height, sound=frames.path)
        seconds = time.perf_counter() - started
        return Segmented(len(frames), sorted(ids - {0}), out_dir / 'masks', out_dir / 'overlay.mp4', seconds)


def _by_frame(masks: Mask | Mapping[int, Mask]) -> Mapping[int, Mask]:
    return masks if isinstance(masks, Mapping) else {0: masks}


def load_masks(masks: Mapping[int, Mask]) -> dict[int, np.ndarray]:
    """Load the masks of a video.

    Masks in black and white get an id here: 1 if it is the first mask of all, otherwise the lowest id that no other
    mask has.

    Args:
        masks: Masks by frame number.

    Returns:
        Ids ``(H, W)``, uint8, by frame number, in the order of frames.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If a mask is invalid, has no object, or only objects of earlier masks.
    """
    loaded = {number: load_mask(masks[number]) for number in sorted(masks)}
    objects = {number: set(mask_ids(ids)) - {0, VOID} for number, (ids, _) in loaded.items()}
    taken = set[int]().union(*(objects[number] for number, (_, binary) in loaded.items() if not binary))
    known, given = set[int](), {}
    for number, (ids, binary) in loaded.items():
        if binary and known:
            own = min(set(range(1, VOID)) - taken - known)
            ids, objects[number] = ids * np.uint8(own), {own}
        if not objects[number] - known:
            raise ValueError(
                f'the mask of frame {number} has no new object: {sorted(objects[number])} were given before. Give each '
                'object a unique id, or a mask in black and white of its own'
            )
        known |= objects[number]
        given[number] = ids
    return given


def load_mask(mask: Mask) -> tuple[np.ndarray, bool]:
    """Load a mask.

    A mask is in black and white if its values are single bits, or 0 and 255 only; every non-zero value is then 1.

    Args:
        mask: File, or array ``(H, W)``.

    Returns:
        Ids ``(H, W)``, uint8, and whether the mask is in black and white.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is not a mask, or has no object.
    """
    name = 'the mask' if isinstance(mask, np.ndarray) else str(mask)
    values, palette = (mask, None) if isinstance(mask, np.ndarray) else read_stored(mask)
    ids = ids_of(values, name, palette)
    present = set(mask_ids(ids)) - {0}
    if not present:
        raise ValueError(f'{name} has no object: all pixels are background')
    binary = values.dtype == bool or present == {VOID}
    if VOID in present and not binary:
        MMLogger.get_current_instance().warning(
            f'{name}: {np.count_nonzero(ids == VOID):,} pixels have the value 255, which is void and no object; if '
            'they are one, give them another id'
        )
    return (ids > 0).astype(np.uint8) if binary else ids, binary
