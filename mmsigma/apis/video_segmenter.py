"""Inferencer that segments the objects of videos, given their masks in the first frame."""

import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple, overload

import numpy as np

from mmsigma.apis.frame_reduction import reduce_frame, reduced_size
from mmsigma.apis.given_masks import Mask, load_masks, reduce_mask
from mmsigma.apis.inferencer import Inferencer
from mmsigma.apis.models import has_trained_masks
from mmsigma.apis.results import VideoResult, contact_sheet, data_uri, spread
from mmsigma.io.frame_sources import FrameSource, VideoInput, open_frames
from mmsigma.io.masks import mask_ids, write_mask
from mmsigma.io.names import path_below
from mmsigma.io.video import FrameReader, write_playable
from mmsigma.models.mask_vos.mask_vos import MaskVOS
from mmsigma.ops.resizing import resize_labels
from mmsigma.visualization.overlay import draw_masks

_PLAYER_HEIGHT = 360  # pixels of the video in a notebook, at most


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


@dataclass(frozen=True, eq=False, repr=False)
class SegmentedFrames(VideoResult):
    """A segmented video in memory.

    Attributes:
        name: Name of the video.
        frames: RGB frames ``(H, W, 3)``, uint8.
        masks: Ids of every frame, ``(H, W)``, uint8.
        frame_names: Name of every frame.
        fps: Frames per second.
    """

    name: str
    frames: list[np.ndarray]
    masks: list[np.ndarray]
    frame_names: list[str]
    fps: float

    @property
    def ids(self) -> list[int]:
        """Ids of the objects."""
        return sorted(set().union(*(mask_ids(mask) for mask in self.masks)) - {0})

    @property
    def caption(self) -> str:
        return f'{len(self.frames)} frames, objects {self.ids}'

    def arrays(self) -> dict[str, np.ndarray]:
        """Return ``masks``, ``(T, H, W)``; frames of different sizes have none, but are saved like others."""
        return dict(masks=np.stack(self.masks)) if len({mask.shape for mask in self.masks}) == 1 else {}

    def table(self) -> list[list[object]]:
        """Return the number of pixels of each object in each frame."""
        rows: list[list[object]] = [['frame', 'object', 'pixels']]
        for name, mask in zip(self.frame_names, self.masks, strict=True):
            rows += [[name, number, int((mask == number).sum())] for number in self.ids]
        return rows

    def overlay(self, opacity: float = 0.5) -> list[np.ndarray]:
        """Return RGB frames ``(H, W, 3)``, uint8, with the objects drawn in."""
        return [draw_masks(*pair, opacity) for pair in zip(self.frames, self.masks, strict=True)]

    def picture(self) -> np.ndarray:
        return contact_sheet([draw_masks(self.frames[n], self.masks[n]) for n in spread(len(self.frames))])

    def save(self, folder: str | Path) -> list[Path]:
        """Write ``masks/<frame>.png`` with a palette, ``overlay.mp4``, ``table.csv`` and ``picture.png``.

        Raises:
            OSError: If a file cannot be written.
            ValueError: If frames differ in size, so that they make no video, or the folder has masks of other frames.
        """
        paths = [path_below(Path(folder, 'masks'), f'{name}.png') for name in self.frame_names]
        _refuse_others(Path(folder, 'masks'), self.frame_names)
        for path, mask in zip(paths, self.masks, strict=True):
            write_mask(path, mask)
        overlay = Path(folder, 'overlay.mp4')
        write_playable(overlay, self.overlay(), self.fps)
        return [*paths, overlay, *super().save(folder)]

    def media(self) -> str:
        height = min(_PLAYER_HEIGHT, self.frames[0].shape[0])
        with TemporaryDirectory() as folder:
            path = Path(folder, 'overlay.mp4')
            write_playable(path, self.overlay(), self.fps, height=height)
            address = data_uri(path.read_bytes(), 'video/mp4')
        return f'<video controls loop muted style="max-width:100%" src="{address}"></video>'


class VideoSegmenter(Inferencer):
    """Segment videos of any length, frame by frame.

    ::

        segment = VideoSegmenter('configs/vos/dino_vits8.py')
        segment.write('my_video.mp4', 'my_mask.png', 'results/mine')
        for frame, mask in segment('my_video.mp4', 'my_mask.png'): ...
        segment.segment(frames, first_mask)      # all masks in memory; a player in a notebook

    Args:
        config: Config of ``configs/vos`` or ``configs/mask_vos``, see :class:`Inferencer`.
        checkpoint: Weights, see :class:`Inferencer`.
        short_side: Short side of the frames that the model sees, at most; larger frames are reduced, and masks resized
            to the size of the video, with steps at their edges. None to reduce none.
        **settings: Further arguments of :class:`Inferencer`.
    """

    needs = 'new_inference_core'
    use = 'use a config of configs/vos or configs/mask_vos to segment videos'

    def __init__(
        self,
        config: str | Path,
        checkpoint: str | Path | None = None,
        *,
        short_side: int | None = None,
        **settings: Any,
    ) -> None:
        if short_side is not None and short_side < 1:
            raise ValueError(f'short_side must be positive, got {short_side}')
        super().__init__(config, checkpoint, **settings)
        self.short_side = short_side
        if self.weights is not None and isinstance(self.model, MaskVOS):
            if not has_trained_masks(self.weights, trust=settings.get('trust', False)):
                warnings.warn(
                    f'{self.weights} has not been trained on masks yet, so that its decoder finds none: segment with '
                    "its keys, as 'mmsigma::mask_vos/r18_ytvos_keys' does, or train its joint epochs",
                    stacklevel=2,
                )

    def __call__(self, video: VideoInput, masks: Mask | Mapping[int, Mask]) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield each frame ``(H, W, 3)`` with its ids ``(H, W)``, uint8.

        Args:
            video: Video, see :func:`mmsigma.io.frame_sources.open_frames`.
            masks: Mask of the first frame, or masks by frame number, of which later ones contain new objects. A mask is
                a PNG with a palette or in black and white, a ``.npy`` file, or an array of ids. A mask in black and
                white has a single object: number 1 in the first mask, the next free id in a later one.

        Raises:
            FileNotFoundError: If video or mask do not exist.
            ValueError: If a mask is invalid or empty, contains no new object, differs in size from its frame, or
                belongs to no frame.
        """
        frames, masks = open_frames(video), _by_frame(masks)
        if beyond := [number for number in masks if not 0 <= number < len(frames)]:
            raise ValueError(f'there is a mask for frame {beyond[0]}, but the video has {len(frames)} frames')
        return self._segment(frames, load_masks(masks))

    @overload
    def segment(self, video: VideoInput, masks: Mask | Mapping[int, Mask]) -> SegmentedFrames: ...

    @overload
    def segment(self, video: list[VideoInput], masks: list[Mask | Mapping[int, Mask]]) -> list[SegmentedFrames]: ...

    def segment(
        self,
        video: VideoInput | list[VideoInput],
        masks: Mask | Mapping[int, Mask] | list[Mask | Mapping[int, Mask]],
    ) -> SegmentedFrames | list[SegmentedFrames]:
        """Segment a video, or several, and keep frames and masks in memory; for long ones, see :meth:`write`.

        Args:
            video: Video, or list of videos.
            masks: Masks of its objects, see :meth:`__call__`; one per video for a list of videos.

        Raises:
            FileNotFoundError: See :meth:`__call__`.
            ValueError: If there are not as many masks as videos; see also :meth:`__call__`.
        """
        if isinstance(video, list):
            if not isinstance(masks, list) or len(masks) != len(video):
                raise ValueError(f'there are {len(video)} videos: give a list of as many masks')
            return [self.segment(*pair) for pair in zip(video, masks, strict=True)]
        if isinstance(masks, list):
            raise ValueError('a list of masks is for a list of videos: masks of one video are a dict by frame number')
        source = open_frames(video)
        frames, found = zip(*self(source, masks), strict=True)
        return SegmentedFrames(source.name, list(frames), list(found), source.names, source.fps)

    def _segment(self, frames: FrameSource, given: Mapping[int, np.ndarray]) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        core = self.model.new_inference_core()
        for number, frame in enumerate(frames):
            size, own = frame.shape[:2], given.get(number)
            seen = reduced_size(size, self.short_side)
            try:
                if own is not None and seen != size:
                    own = reduce_mask(own, size, seen)
                with self.autocast():
                    mask = core.step(reduce_frame(frame, seen), own)
            except ValueError as error:
                raise ValueError(f'{frames.name}, frame {frames.names[number]}: {error}') from error
            yield frame, mask if seen == size else resize_labels(mask, size)

    def write(
        self,
        video: VideoInput,
        masks: Mask | Mapping[int, Mask],
        out_dir: str | Path,
        *,
        opacity: float = 0.5,
        height: int | None = None,
        progress: Callable[[int, int], None] = lambda done, total: None,
    ) -> Segmented:
        """Segment a video and write ``masks/*.png`` and ``overlay.mp4``, which keeps the sound of the video.

        Args:
            video: Video, see :func:`mmsigma.io.frame_sources.open_frames`.
            masks: Masks of the objects, see :meth:`__call__`.
            out_dir: Folder to write to.
            opacity: Opacity of the objects' colours in the overlay, from 0 to 1.
            height: Height of the overlay in pixels; None for that of the video.
            progress: Function that is called with the number of finished frames and their total.

        Returns:
            Files that were written.

        Raises:
            FileNotFoundError: See :meth:`__call__`.
            ValueError: If the opacity is out of range, or the folder has masks of other frames; see also
                :meth:`__call__`.
        """
        if not 0 <= opacity <= 1:
            raise ValueError(f'opacity must be between 0 and 1, got {opacity:g}')
        started, frames, out_dir, ids = time.perf_counter(), open_frames(video), Path(out_dir), set[int]()
        source = frames.path if isinstance(frames, FrameReader) else None
        _refuse_others(out_dir / 'masks', frames.names)

        def drawn() -> Iterator[np.ndarray]:
            for number, (frame, mask) in enumerate(self(frames, masks)):
                write_mask(path_below(out_dir / 'masks', f'{frames.names[number]}.png'), mask)
                ids.update(mask_ids(mask))
                progress(number + 1, len(frames))
                yield draw_masks(frame, mask, opacity)

        write_playable(out_dir / 'overlay.mp4', drawn(), frames.fps, height=height, sound=source)
        seconds = time.perf_counter() - started
        return Segmented(len(frames), sorted(ids - {0}), out_dir / 'masks', out_dir / 'overlay.mp4', seconds)


def _by_frame(masks: Mask | Mapping[int, Mask]) -> Mapping[int, Mask]:
    return masks if isinstance(masks, Mapping) else {0: masks}


def _refuse_others(folder: Path, names: Sequence[str]) -> None:
    """Refuse a folder with masks of other frames, such as of a longer video, which nobody could tell from new ones."""
    if others := sorted(path.name for path in folder.glob('*.png') if path.stem not in set(names)):
        raise ValueError(
            f'{folder} has masks of other frames, such as {others[0]}: choose another folder, or delete it first'
        )
