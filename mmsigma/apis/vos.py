"""Objects of a user's own video, from a mask in its first frame."""

import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from mmsigma.apis.features import build_inference_model
from mmsigma.utils.config import load_config
from mmsigma.utils.masks import VOID, ids_of, mask_ids, read_stored, write_mask
from mmsigma.utils.video import FrameReader, write_mp4
from mmsigma.visualization.overlay import draw_masks

Mask = str | Path | np.ndarray


class Segmented(NamedTuple):
    """What was written about a video.

    Attributes:
        num_frames: Frames segmented.
        ids: Ids of the objects.
        masks: Folder of the masks, a palette PNG each.
        overlay: Video with the objects drawn in.
        seconds: Time taken.
    """

    num_frames: int
    ids: list[int]
    masks: Path
    overlay: Path
    seconds: float


class VOSInferencer:
    """Segments videos of any length, frame by frame.

    ::

        segment = VOSInferencer('configs/vos/dino_vits8.py')
        segment.write('dog.mp4', 'dog_first_frame.png', 'results/dog')
        for frame, mask in segment('dog.mp4', 'dog_first_frame.png'): ...

    Args:
        config: Config of ``configs/vos``, a file or ``package::path``.
        checkpoint: Weights, official files included; None where the config names them.
        device: Where to run; a GPU if there is one.
        options: Changes of the config, as of ``--cfg-options``.
        trust: Allow the checkpoint to execute code on loading.

    Raises:
        FileNotFoundError: If config or checkpoint do not exist.
        ValueError: If the config needs a checkpoint and there is none.
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
        self.model = build_inference_model(load_config(config, options), checkpoint, device, trust=trust)

    def __call__(
        self, video: str | Path | FrameReader, masks: Mask | Mapping[int, Mask]
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield each frame (H, W, 3) with its ids (H, W), uint8.

        Args:
            video: A video file, or a folder of frames.
            masks: Mask of the first frame, or masks by frame number, the later ones with objects that are new. PNG with
                a palette or black and white, ``.npy``, or an array of ids. One that is black and white has a single
                object: number 1 in the first mask, the next free id in a later one.

        Raises:
            FileNotFoundError: If video or mask do not exist.
            ValueError: If a mask is none, is empty, brings no new object, does not fit its frame, or belongs to no
                frame.
        """
        frames = video if isinstance(video, FrameReader) else FrameReader(video)
        masks = _by_frame(masks)
        if beyond := [number for number in masks if not 0 <= number < len(frames)]:
            raise ValueError(f'there is a mask for frame {beyond[0]}, but the video has {len(frames)} frames')
        return self._segment(frames, load_masks(masks))

    def _segment(self, frames: FrameReader, given: Mapping[int, np.ndarray]) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        segmenter = self.model.new_segmenter()
        for number, frame in enumerate(frames):
            yield frame, segmenter.step(frame, given.get(number))

    def write(
        self,
        video: str | Path,
        masks: Mask | Mapping[int, Mask],
        out_dir: str | Path,
        *,
        opacity: float = 0.5,
        progress: Callable[[int, int], None] = lambda done, total: None,
    ) -> Segmented:
        """Segment a video and write ``masks/*.png`` and ``overlay.mp4``.

        Args:
            video: A video file, or a folder of frames.
            masks: As of a call.
            out_dir: Folder to write to.
            opacity: Of the objects' colours in the overlay.
            progress: Told how many frames of how many are done.
        """
        started, frames, out_dir, ids = time.perf_counter(), FrameReader(video), Path(out_dir), set[int]()

        def drawn() -> Iterator[np.ndarray]:
            for number, (frame, mask) in enumerate(self(frames, masks)):
                write_mask(out_dir / 'masks' / f'{frames.names[number]}.png', mask)
                ids.update(mask_ids(mask))
                progress(number + 1, len(frames))
                yield draw_masks(frame, mask, opacity)

        write_mp4(out_dir / 'overlay.mp4', drawn(), frames.fps)
        seconds = time.perf_counter() - started
        return Segmented(len(frames), sorted(ids - {0}), out_dir / 'masks', out_dir / 'overlay.mp4', seconds)


def _by_frame(masks: Mask | Mapping[int, Mask]) -> Mapping[int, Mask]:
    return masks if isinstance(masks, Mapping) else {0: masks}


def load_masks(masks: Mapping[int, Mask]) -> dict[int, np.ndarray]:
    """Ids (H, W), uint8, of the masks of a video by frame number, in the order of frames.

    Black and white masks get ids here: the first mask of all has object 1, every later one the lowest id that no other
    mask has.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If one is no mask, has no object, or has none that is not in an earlier one.
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
                'object an id of its own, or one black and white mask'
            )
        known |= objects[number]
        given[number] = ids
    return given


def load_mask(mask: Mask) -> tuple[np.ndarray, bool]:
    """Ids (H, W), uint8, of a file or an array, and whether it is black and white.

    That are those of one bit, and those that hold nothing but 0 and 255; what is not 0 is then 1.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is no mask, or has no object.
    """
    name = 'the mask' if isinstance(mask, np.ndarray) else str(mask)
    values, has_palette = (mask, False) if isinstance(mask, np.ndarray) else read_stored(mask)
    ids = ids_of(values, name, has_palette=has_palette)
    present = set(mask_ids(ids)) - {0}
    if not present:
        raise ValueError(f'{name} has no object: all of it is background')
    binary = values.dtype == bool or present == {VOID}
    return (ids > 0).astype(np.uint8) if binary else ids, binary
