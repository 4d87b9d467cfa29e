"""Locating frames and masks of video segmentation datasets: DAVIS, YouTube-VOS, VIP, or plain folders."""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from mmsigma.io.masks import VOID, mask_ids, read_mask
from mmsigma.io.names import path_below
from mmsigma.io.pictures import PICTURES, list_frames, list_pictures, read_picture
from mmsigma.io.text import read_json, read_lines


@dataclass(frozen=True)
class VOSSequence:
    """Files of one video.

    Attributes:
        name: Name of the video.
        frames: Images in temporal order.
        masks: Annotation of each annotated frame, by frame number.
        given: Numbers of the frames whose annotation a method may see; objects may appear in later ones.
        wanted: Numbers of the frames whose segmentation is to be kept.
        binary: Whether every non-zero value of a mask is object 1 (DAVIS-2016).
        skip_gaps: Whether only the ids that occur are objects; otherwise, as in DAVIS, all up to the largest are.
    """

    name: str
    frames: tuple[Path, ...]
    masks: dict[int, Path]
    given: tuple[int, ...]
    wanted: tuple[int, ...]
    binary: bool = False
    skip_gaps: bool = True

    def read_frame(self, number: int) -> np.ndarray:
        """Read an RGB frame ``(H, W, 3)``, uint8; see :func:`mmsigma.io.pictures.read_picture`."""
        return read_picture(self.frames[number])

    def read_mask(self, number: int) -> np.ndarray:
        """Read the object ids ``(H, W)``, uint8, 255 where void; see :func:`mmsigma.io.masks.read_mask`."""
        return read_mask(self.masks[number], binary=self.binary)

    def shortened(self, num_frames: int) -> 'VOSSequence':
        """Return the sequence of its first ``num_frames`` frames."""
        masks = {number: path for number, path in self.masks.items() if number < num_frames}
        given, wanted = (tuple(n for n in part if n < num_frames) for part in (self.given, self.wanted))
        return replace(self, frames=self.frames[:num_frames], masks=masks, given=given, wanted=wanted)


def find_sequences(layout: str, root: str | Path, **settings: Any) -> list[VOSSequence]:
    """Find the videos of a dataset.

    Args:
        layout: Folder layout: ``'davis'``, ``'youtube_vos'``, ``'vip'`` or ``'folders'``.
        root: Folder of the dataset.
        **settings: Arguments of the layout, see :func:`davis`, :func:`youtube_vos`, :func:`vip` and :func:`folders`.

    Raises:
        FileNotFoundError: If the folder has another layout, or videos or first masks are missing; the message names
            them.
        ValueError: If the layout is unknown, a list or annotation has another form or contains a name that leads out of
            the folder, or a folder has two images of the same stem, or other images than the frames of one video.
    """
    if layout not in _FINDERS:
        raise ValueError(f'layout must be one of {sorted(_FINDERS)}, got {layout!r}')
    return _FINDERS[layout](Path(root), **settings)


def davis(root: Path, year: int | str = 2017, split: str = 'val', resolution: str = '480p') -> list[VOSSequence]:
    """Find the sequences of DAVIS in ``ImageSets/<year>/<split>.txt``; those of 2016 have one object.

    Args:
        root: Folder with ``ImageSets``, ``JPEGImages`` and ``Annotations``.
        year: 2016 or 2017.
        split: Name of the list: ``train``, ``val`` or ``test-dev``.
        resolution: ``480p`` or ``Full-Resolution``.
    """
    names = dict.fromkeys(map(_listed_name, read_lines(_need(root / 'ImageSets' / str(year) / f'{split}.txt'))))
    places = {
        name: (path_below(root / 'JPEGImages' / resolution, name), path_below(root / 'Annotations' / resolution, name))
        for name in names
    }
    return _first_frame_given(places, root, binary=str(year) == '2016', dense=True)


def folders(
    root: Path, frames: str = 'JPEGImages', masks: str = 'Annotations', binary: bool = False
) -> list[VOSSequence]:
    """Find a folder of frames for each video and a folder of the same name for its masks, which must have the first.

    Args:
        root: Folder with both.
        frames: Name of the folder that contains the folders of frames.
        masks: Name of the folder that contains the folders of masks.
        binary: Whether masks are in black and white, with a single object per video.
    """
    folders = (path for path in _need(root / frames).iterdir() if path.is_dir())
    videos = sorted(path for path in folders if not path.name.startswith('.'))
    return _first_frame_given({path.name: (path, root / masks / path.name) for path in videos}, root, binary=binary)


def youtube_vos(root: Path, split: str = 'valid', all_frames: bool = True) -> list[VOSSequence]:
    """Find the videos of YouTube-VOS 2018 or 2019, in which each object is given by its first mask, in any frame.

    Args:
        root: Folder with ``<split>`` and, for ``all_frames``, ``<split>_all_frames``.
        split: ``train``, ``valid`` or ``test``.
        all_frames: Whether to use all frames, 30 per second, instead of every fifth. Segmentations of the frames that
            ``meta.json`` lists are kept in either case.
    """
    meta = _read_meta(_need(root / split / 'meta.json'))
    pictures = _need(root / (f'{split}_all_frames' if all_frames else split) / 'JPEGImages')
    sequences, missing = [], []
    for name, video in sorted(meta.items()):
        frames = _list_frames(path_below(pictures, name))
        numbers = {path.stem: number for number, path in enumerate(frames)}
        annotated = _list_pictures(root / split / 'Annotations' / name)
        masks = {numbers[path.stem]: path for path in annotated if path.stem in numbers}
        listed = {frame for item in video['objects'].values() for frame in item.get('frames', ())}
        whole = len(masks) == len(annotated) and not listed - numbers.keys()
        if not masks or not whole or (split != 'train' and not _all_objects(video, masks)):
            missing.append(name)
            continue
        wanted = tuple(sorted(numbers[frame] for frame in listed)) or tuple(range(len(frames)))
        # training videos are annotated in every frame, but only the first mask of each object is ever used as given
        sequences.append(VOSSequence(name, frames, masks, tuple(sorted(masks)), wanted))
    _complain(missing, len(meta), root)
    return sequences


def vip(root: Path, split: str = 'val') -> list[VOSSequence]:
    """Find the videos of VIP (Zhou et al. 2018) in ``lists/<split>_videos.txt``, with body parts as ids 1 to 19.

    All parts in the first frame are given.

    Args:
        root: Folder with ``lists``, frames in ``videos/<video>`` or ``Images/<video>``, and labels in
            ``Category_ids/<video>`` or ``Annotations/Category_ids/<video>``.
        split: Name of the list: ``train`` or ``val``.
    """
    names = read_lines(_need(root / 'lists' / f'{split}_videos.txt'))
    pictures = _need_one(root, 'videos', 'Images')
    labels = _need_one(root, 'Category_ids', 'Annotations/Category_ids')
    return _first_frame_given({name: (path_below(pictures, name), path_below(labels, name)) for name in names}, root)


_FINDERS: dict[str, Callable[..., list[VOSSequence]]] = {
    'davis': davis,
    'folders': folders,
    'vip': vip,
    'youtube_vos': youtube_vos,
}


# the lists of DAVIS-2016 contain the files of every frame, those of 2017 the sequences
_ENDING = '|'.join(map(re.escape, sorted(PICTURES)))
_LISTED_FRAME = re.compile(rf'/?\S.*?/(?P<name>[^/]+)/[^/]+?(?:{_ENDING})(?:\s.*)?', re.IGNORECASE)


def _listed_name(line: str) -> str:
    """Return the name of the sequence in a line of a list of DAVIS: the whole line, or the folder of its first file."""
    match = _LISTED_FRAME.fullmatch(line)
    return match['name'] if match else line.strip('/').removeprefix('JPEGImages/480p/')


def _read_meta(path: Path) -> dict[str, Any]:
    """Read the videos of ``meta.json`` of YouTube-VOS.

    Raises:
        ValueError: If it has another form; the message names the video.
    """
    meta = read_json(path)
    videos: dict[str, Any] | None = meta.get('videos') if isinstance(meta, dict) else None
    if not isinstance(videos, dict):
        raise ValueError(f'{path} is not the meta.json of YouTube-VOS: it has no object "videos"')
    for name, video in videos.items():
        objects = video.get('objects') if isinstance(video, dict) else None
        if not isinstance(objects, dict) or not all(
            re.fullmatch('[0-9]+', number) and 0 < int(number) < VOID and isinstance(item, dict)
            for number, item in objects.items()
        ):
            raise ValueError(f'{path}: the video {name!r} has no "objects" with ids from 1 to {VOID - 1}')
    return videos


def _all_objects(video: dict[str, Any], masks: dict[int, Path]) -> bool:
    """Return whether each object of a video of YouTube-VOS occurs in one of the masks."""
    present = {number for path in masks.values() for number in mask_ids(read_mask(path))}
    return {int(number) for number in video['objects']} <= present


def _first_frame_given(
    places: dict[str, tuple[Path, Path]], root: Path, binary: bool = False, dense: bool = False
) -> list[VOSSequence]:
    """Build sequences from folders of frames and masks; ``dense`` ones have the first mask alone or all masks."""
    sequences, missing = [], []
    for name, (pictures, annotations) in places.items():
        frames = _list_frames(pictures)
        numbers = {path.stem: number for number, path in enumerate(frames)}
        annotated = _list_pictures(annotations)
        masks = {numbers[path.stem]: path for path in annotated if path.stem in numbers}
        whole = not dense or len(annotated) in (1, len(frames)) and len(masks) == len(annotated)
        if 0 in masks and whole:
            sequences.append(VOSSequence(name, frames, masks, (0,), tuple(range(len(frames))), binary, not dense))
        else:
            missing.append(name)
    _complain(missing, len(places), root)
    return sequences


def _list_pictures(folder: Path) -> tuple[Path, ...]:
    return tuple(list_pictures(folder)) if folder.is_dir() else ()


def _list_frames(folder: Path) -> tuple[Path, ...]:
    return tuple(list_frames(folder)) if folder.is_dir() else ()


def _need(path: Path) -> Path:
    if path.exists():
        return path
    if lists := sorted(found.stem for found in path.parent.glob('*.txt')) if path.suffix == '.txt' else []:
        raise FileNotFoundError(f'{path} does not exist; of the lists there, {", ".join(lists)}, name one as split')
    raise FileNotFoundError(f'{path} does not exist: set data_root to the folder of the dataset')


def _need_one(root: Path, *names: str) -> Path:
    for name in names:
        if (root / name).is_dir():
            return root / name
    raise FileNotFoundError(f'{root} has no {" or ".join(names)}: set data_root to the folder of the dataset')


def _complain(missing: list[str], total: int, root: Path) -> None:
    if missing:
        shown = ', '.join(missing[:5]) + (', ...' if len(missing) > 5 else '')
        raise FileNotFoundError(
            f'{len(missing)} of {total} videos below {root} lack frames or masks, for example the first mask: {shown}'
        )
    if not total:
        raise FileNotFoundError(f'there are no videos below {root}')
