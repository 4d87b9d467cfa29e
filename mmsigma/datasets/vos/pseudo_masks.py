"""Pseudo masks on disk: one folder per round of clustering, complete or absent, and a pointer to the current round."""

import hashlib
import json
import zlib
from pathlib import Path
from typing import Any, NamedTuple
from zipfile import BadZipFile

import numpy as np
from mmcv.transforms import BaseTransform

from mmsigma.datasets.transforms.spatial import resize_frames
from mmsigma.io.atomic import write_atomically
from mmsigma.io.names import path_below
from mmsigma.ops.resizing import resize_labels
from mmsigma.registry import TRANSFORMS

_MANIFEST, _CURRENT = 'manifest.json', 'current.json'
_REMEDY = 'resume from a checkpoint of {epoch} or earlier, or copy the round from a backup'


class PseudoMasks(NamedTuple):
    """Clusters of one video.

    Attributes:
        labels: Cluster of every cell of the frames, ``(T, h, w)``, uint8.
        frames: Numbers of the frames in the video, ``(T,)``, increasing.
        kept: Clusters that may be objects; empty if the video is to be left out until the next round.
    """

    labels: np.ndarray
    frames: np.ndarray
    kept: np.ndarray


class PseudoMaskRounds:
    """The rounds of clustering of a run.

    Args:
        folder: Folder of the rounds.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)

    def path(self, number: int) -> Path:
        """Return the folder of a round."""
        return self.folder / f'round_{number:03d}'

    def video_path(self, number: int, video: str) -> Path:
        """Return the file of a video's clusters, whose name includes a hash of the video's path."""
        digest = hashlib.sha256(video.encode()).hexdigest()[:16]
        return path_below(self.path(number), f'{Path(video).stem}_{digest}.npz')

    def write_video(self, number: int, video: str, masks: PseudoMasks) -> None:
        """Write the clusters of a video, atomically."""

        def write(name: str) -> None:
            with open(name, 'wb') as file:
                np.savez_compressed(file, **masks._asdict())

        write_atomically(self.video_path(number, video), write)

    def finish(self, number: int, manifest: dict[str, Any]) -> None:
        """Mark a round as complete and make it the current one.

        Args:
            number: Number of the round.
            manifest: Settings and results of the round, such as its epoch.
        """
        text = json.dumps(manifest, indent=1)
        write_atomically(self.path(number) / _MANIFEST, lambda name: Path(name).write_text(text))
        self.use(number)

    def use(self, number: int) -> None:
        """Make a complete round the current one."""
        text = json.dumps(dict(round=number))
        write_atomically(self.folder / _CURRENT, lambda name: Path(name).write_text(text))

    def use_none(self) -> None:
        """Make no round current, whatever an earlier run has left."""
        (self.folder / _CURRENT).unlink(missing_ok=True)

    def manifest(self, number: int) -> dict[str, Any] | None:
        """Read the manifest of a finished round; None if it is not finished.

        Raises:
            ValueError: If the manifest is damaged, so that it is unknown whether the round is finished.
        """
        folder, remedy = self.path(number), _REMEDY.format(epoch='the epoch in which the round began')
        return _read_json(folder / _MANIFEST, f'delete the folder {folder} and {remedy}')

    def current(self) -> int | None:
        """Return the number of the current round, or None.

        Raises:
            ValueError: If the file that contains it is damaged.
        """
        found = _read_json(self.folder / _CURRENT, 'delete it and resume the run, which writes it again')
        return None if found is None else found['round']

    def load(self, number: int, video: str) -> PseudoMasks:
        """Read the clusters of a video.

        Raises:
            FileNotFoundError: If the round has none for this video.
            ValueError: If the file is damaged.
        """
        path = self.video_path(number, video)
        if not path.is_file():
            raise FileNotFoundError(
                f'round {number} has no pseudo masks of {video} ({path}): use the list of videos that the round was '
                f'made from or, if the file was lost, {self._remedy(number)}'
            )
        try:
            with np.load(path) as file:
                masks = PseudoMasks(file['labels'], file['frames'], file['kept'])
            if len(masks.labels) != len(masks.frames):
                raise ValueError(f'it has labels of {len(masks.labels)} frames, but {len(masks.frames)} frame numbers')
        except (OSError, ValueError, KeyError, EOFError, BadZipFile, zlib.error) as error:
            raise ValueError(f'the pseudo masks {path} are damaged ({error}): {self._remedy(number)}') from error
        return masks

    def _remedy(self, number: int) -> str:
        """Return what to do about a damaged round, for messages."""
        made = self.manifest(number) or {}
        epoch = f'epoch {made["epoch"]}' if 'epoch' in made else 'the epoch in which the round began'
        return f'delete the folder {self.path(number)} and {_REMEDY.format(epoch=epoch)}'


def _read_json(path: Path, remedy: str) -> dict[str, Any] | None:
    """Read a JSON file about a round, with its number under ``round``; None if there is no file."""
    if not path.is_file():
        return None
    try:
        found = json.loads(path.read_text())
        return {**found, 'round': int(found['round'])}
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f'{path} is damaged ({error}): {remedy}') from error


@TRANSFORMS.register_module()
class LoadPseudoMasks(BaseTransform):
    """Load the clusters of the frames of a clip, from the round that is current when the clip is drawn.

    Required keys: ``filename``, ``frame_inds``, ``imgs``. Added keys: ``pseudo_mask``, uint8 ``(T, H, W)``, which is
    cluster + 1 where the cluster may be an object and 0 elsewhere; None before the first round and for videos without
    objects. With ``soft``, it is uint8 ``(T, H, W, V)``, the share of the background and of each cluster that may be an
    object, on the scale 0..255.

    Args:
        folder: Folder of the rounds; if None, the hook that creates them sets it.
        soft: Whether the cells of the clusters are interpolated bilinearly, so that outlines are soft and without
            steps. Otherwise each pixel belongs to the cluster of its cell.
    """

    def __init__(self, folder: str | None = None, soft: bool = False) -> None:
        self.folder, self.soft = folder, soft

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Load the masks.

        Raises:
            ValueError: If a frame was not clustered.
        """
        rounds = PseudoMaskRounds(self.folder) if self.folder else None
        number = rounds.current() if rounds else None
        results['pseudo_mask'] = None
        if rounds is None or number is None:
            return results
        masks = rounds.load(number, results['filename'])
        if not len(masks.kept):
            return results
        wanted = np.ravel(results['frame_inds'])
        places = np.searchsorted(masks.frames, wanted).clip(max=len(masks.frames) - 1)
        if (masks.frames[places] != wanted).any():
            apart = int(np.diff(masks.frames).min(initial=10**9))
            raise ValueError(
                f'{results["filename"]}: frames {wanted.tolist()} were drawn, but clustered frames are {apart} apart: '
                'set the same step for sampling and reclustering'
            )
        labels, size = masks.labels[places], results['imgs'][0].shape[:2]
        if self.soft:
            results['pseudo_mask'] = resize_frames([*_shares(labels, masks.kept)], size, antialias=True)
            return results
        table = np.zeros(256, np.uint8)
        table[masks.kept] = masks.kept + 1
        results['pseudo_mask'] = resize_labels(table[labels], size)
        return results


def _shares(labels: np.ndarray, kept: np.ndarray) -> np.ndarray:
    """Return the maps of the background and of kept clusters, uint8 ``(T, h, w, V)``, 0 or 255, of cells' labels."""
    objects = labels[..., None] == kept
    return 255 * np.concatenate([~objects.any(axis=-1, keepdims=True), objects], axis=-1).astype(np.uint8)


@TRANSFORMS.register_module()
class ChooseTargets(BaseTransform):
    """Turn some of the clusters visible in the first frame into objects 1, 2, ..., and the rest into background.

    Modified keys: ``pseudo_mask``; None if no cluster is visible. Soft masks, see :class:`LoadPseudoMasks`, become
    ``(T, H, W, max_objects + 1)``; maps of objects that do not exist are 0.

    Args:
        max_objects: Maximum number of objects, which are drawn at random.
        min_share: Smallest fraction of the first frame's pixels at which a cluster counts as visible.
    """

    def __init__(self, max_objects: int = 2, min_share: float = 0.005) -> None:
        self.max_objects, self.min_share = max_objects, min_share

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        masks = results.get('pseudo_mask')
        if masks is None:
            return results
        soft = masks.ndim == 4
        if soft:
            shares = masks[0, ..., 1:].mean(axis=(0, 1)) / 255
        else:
            shares = np.bincount(masks[0].ravel(), minlength=256)[1:] / masks[0].size
        seen = np.flatnonzero(shares >= self.min_share) + 1
        if not len(seen):
            results['pseudo_mask'] = None
            return results
        chosen = np.random.permutation(seen)[: self.max_objects]
        if soft:
            objects = masks[..., chosen]
            rest = (255 - objects.sum(axis=-1, keepdims=True, dtype=np.int64)).clip(min=0).astype(np.uint8)
            missing = np.zeros((*masks.shape[:3], self.max_objects - len(chosen)), np.uint8)
            results['pseudo_mask'] = np.concatenate([rest, objects, missing], axis=-1)
            return results
        table = np.zeros(256, np.uint8)
        table[chosen] = np.arange(1, len(chosen) + 1)
        results['pseudo_mask'] = table[masks]
        return results
