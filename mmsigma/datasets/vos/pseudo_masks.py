"""Pseudo masks on disk: a folder per round of clustering, complete or not there, and which of them counts."""

import hashlib
import json
import zlib
from pathlib import Path
from typing import NamedTuple
from zipfile import BadZipFile

import numpy as np
from mmcv.transforms import BaseTransform

from mmsigma.io.atomic import write_atomically
from mmsigma.registry import TRANSFORMS

_MANIFEST, _CURRENT = 'manifest.json', 'current.json'
_REMEDY = 'resume from a checkpoint of {epoch} or earlier, or copy the round from elsewhere'


class PseudoMasks(NamedTuple):
    """Clusters of one video.

    Attributes:
        labels: Cluster of every cell of the frames, uint8 (T, h, w).
        frames: Their numbers in the video (T,), rising.
        kept: Clusters that may be objects; none where the video is to be left out until the next round.
    """

    labels: np.ndarray
    frames: np.ndarray
    kept: np.ndarray


class PseudoMaskRounds:
    """The rounds of a run.

    Args:
        folder: Where they are.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)

    def path(self, number: int) -> Path:
        """Folder of a round."""
        return self.folder / f'round_{number:03d}'

    def video_path(self, number: int, video: str) -> Path:
        """File of a video's clusters; named by its path, which may hold anything."""
        digest = hashlib.sha256(video.encode()).hexdigest()[:16]
        return self.path(number) / f'{Path(video).stem}_{digest}.npz'

    def write_video(self, number: int, video: str, masks: PseudoMasks) -> None:
        """Write the clusters of a video."""

        def write(name: str) -> None:
            with open(name, 'wb') as file:
                np.savez_compressed(file, **masks._asdict())

        write_atomically(self.video_path(number, video), write)

    def finish(self, number: int, manifest: dict) -> None:
        """Declare a round complete and make it the one that counts."""
        text = json.dumps(manifest, indent=1)
        write_atomically(self.path(number) / _MANIFEST, lambda name: Path(name).write_text(text))
        self.use(number)

    def use(self, number: int) -> None:
        """Make a complete round the one that counts."""
        text = json.dumps(dict(round=number))
        write_atomically(self.folder / _CURRENT, lambda name: Path(name).write_text(text))

    def use_none(self) -> None:
        """Let no round count, whatever an earlier run has left."""
        (self.folder / _CURRENT).unlink(missing_ok=True)

    def manifest(self, number: int) -> dict | None:
        """What a finished round was made with; None if it was not finished.

        Raises:
            ValueError: If its manifest is damaged, which leaves that open.
        """
        folder, remedy = self.path(number), _REMEDY.format(epoch='the epoch in which the round began')
        return _read_json(folder / _MANIFEST, f'delete the folder {folder} and {remedy}')

    def current(self) -> int | None:
        """The round that counts, if there is one.

        Raises:
            ValueError: If the file that says so is damaged.
        """
        found = _read_json(self.folder / _CURRENT, 'delete it and resume the run, which writes it again')
        return None if found is None else found['round']

    def load(self, number: int, video: str) -> PseudoMasks:
        """Clusters of a video.

        Raises:
            FileNotFoundError: If they are not there.
            ValueError: If the file is damaged.
        """
        path = self.video_path(number, video)
        if not path.is_file():
            raise FileNotFoundError(
                f'round {number} has no pseudo masks of {video} ({path}): with the list of videos that the round was '
                f'made of, or, if the file was lost, {self._remedy(number)}'
            )
        try:
            with np.load(path) as file:
                masks = PseudoMasks(file['labels'], file['frames'], file['kept'])
            if len(masks.labels) != len(masks.frames):
                raise ValueError(f'labels of {len(masks.labels)} frames, numbers of {len(masks.frames)}')
        except (OSError, ValueError, KeyError, EOFError, BadZipFile, zlib.error) as error:
            raise ValueError(f'the pseudo masks {path} are damaged ({error}): {self._remedy(number)}') from error
        return masks

    def _remedy(self, number: int) -> str:
        made = self.manifest(number) or {}
        epoch = f'epoch {made["epoch"]}' if 'epoch' in made else 'the epoch in which the round began'
        return f'delete the folder {self.path(number)} and {_REMEDY.format(epoch=epoch)}'


def _read_json(path: Path, remedy: str) -> dict | None:
    """What a file says about a round, its number for one; None if there is no file."""
    if not path.is_file():
        return None
    try:
        found = json.loads(path.read_text())
        return {**found, 'round': int(found['round'])}
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f'{path} is damaged ({error}): {remedy}') from error


@TRANSFORMS.register_module()
class LoadPseudoMasks(BaseTransform):
    """Clusters of the frames of a clip, in the round that counts when the clip is drawn.

    Required keys: ``filename``, ``frame_inds``, ``imgs``. Added keys: ``pseudo_mask``, uint8 (T, H, W), the cluster + 1
    of every pixel if it may be an object and 0 elsewhere; None before the first round and for videos without objects.

    Args:
        folder: Of the rounds; the hook that makes them fills it in if it is None.
    """

    def __init__(self, folder: str | None = None) -> None:
        self.folder = folder

    def transform(self, results: dict) -> dict:
        """Load the masks.

        Raises:
            ValueError: If a frame was not clustered.
        """
        rounds = PseudoMaskRounds(self.folder) if self.folder else None
        number = rounds.current() if rounds else None
        results['pseudo_mask'] = None
        if number is None:
            return results
        masks = rounds.load(number, results['filename'])
        if not len(masks.kept):
            return results
        wanted = np.ravel(results['frame_inds'])
        places = np.searchsorted(masks.frames, wanted).clip(max=len(masks.frames) - 1)
        if (masks.frames[places] != wanted).any():
            apart = int(np.diff(masks.frames).min(initial=10**9))
            raise ValueError(
                f'{results["filename"]}: frames {wanted.tolist()} are drawn, but those clustered are {apart} apart: '
                'set the same step for sampling and reclustering'
            )
        table = np.zeros(256, np.uint8)
        table[masks.kept] = masks.kept + 1
        height, width = results['imgs'][0].shape[:2]
        rows, columns = (
            np.arange(side) * cells // side for side, cells in zip((height, width), masks.labels.shape[1:], strict=True)
        )
        results['pseudo_mask'] = table[masks.labels[places]][:, rows[:, None], columns]
        return results


@TRANSFORMS.register_module()
class ChooseTargets(BaseTransform):
    """Some of the clusters that are seen in the first frame become objects 1, 2, ..., the rest background.

    Modified keys: ``pseudo_mask``; None if no cluster is seen.

    Args:
        max_objects: How many at most (2), drawn by chance.
        min_share: Of the first frame's pixels that a cluster needs to be seen.
    """

    def __init__(self, max_objects: int = 2, min_share: float = 0.005) -> None:
        self.max_objects, self.min_share = max_objects, min_share

    def transform(self, results: dict) -> dict:
        masks = results.get('pseudo_mask')
        if masks is None:
            return results
        shares = np.bincount(masks[0].ravel(), minlength=256)[1:] / masks[0].size
        seen = np.flatnonzero(shares >= self.min_share) + 1
        if not len(seen):
            results['pseudo_mask'] = None
            return results
        chosen = np.random.permutation(seen)[: self.max_objects]
        table = np.zeros(256, np.uint8)
        table[chosen] = np.arange(1, len(chosen) + 1)
        results['pseudo_mask'] = table[masks]
        return results
