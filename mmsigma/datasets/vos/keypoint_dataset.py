"""Dataset of whole videos with joint positions, for pose propagation (JHMDB)."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.structures import BaseDataElement
from torch.utils.data import Dataset

from mmsigma.io.pictures import list_frames, read_picture
from mmsigma.io.text import numbered_lines
from mmsigma.registry import DATASETS

# in the order of the annotation; right and left are from the person's point of view
JHMDB_JOINTS = (
    'neck',
    'belly',
    'face',
    'right shoulder',
    'left shoulder',
    'right hip',
    'left hip',
    'right elbow',
    'left elbow',
    'right knee',
    'left knee',
    'right wrist',
    'left wrist',
    'right ankle',
    'left ankle',
)


@dataclass(frozen=True)
class JointSequence:
    """Files of one video.

    Attributes:
        name: Name of the video.
        frames: Images in temporal order.
        joints: Annotation file of all frames.
        joint_names: Names of the joints, in the order of the annotation.
    """

    name: str
    frames: tuple[Path, ...]
    joints: Path
    joint_names: tuple[str, ...] = JHMDB_JOINTS

    def read_frame(self, number: int) -> np.ndarray:
        """Read an RGB frame ``(H, W, 3)``, uint8; see :func:`mmsigma.io.pictures.read_picture`."""
        return read_picture(self.frames[number])

    def read_joints(self) -> np.ndarray:
        """Read the joints (x, y) of all frames, in pixels from 0, ``(T, J, 2)``, float64.

        Raises:
            ValueError: If the annotation cannot be read, or has other joints or fewer frames.
        """
        joints = read_joint_positions(self.joints)
        if joints.shape[1] != len(self.joint_names) or len(joints) < len(self.frames):
            raise ValueError(
                f'{self.joints} has {joints.shape[1]} joints in {len(joints)} frames, expected '
                f'{len(self.joint_names)} in the {len(self.frames)} frames of {self.frames[0].parent}'
            )
        return joints[: len(self.frames)]


@DATASETS.register_module()
class JHMDBDataset(Dataset[Any]):
    """JHMDB (Jhuang et al. 2013): videos of a split whose joints are to be tracked from the first frame on.

    Below ``data_root``: ``splits/<class>_test_split<split>.txt`` with lines ``<video>.avi 1`` (training) or ``2``
    (test), ``Rename_Images/<class>/<video>/*.png`` and ``joint_positions/<class>/<video>/joint_positions.mat``.

    Args:
        data_root: Folder of the dataset.
        split: Number of the split, 1, 2 or 3.
        subset: ``'test'`` or ``'train'``.
        videos: Names of the videos to keep; None for all.
        max_frames: Number of frames to which every video is shortened, for quick trials; None for all.
        test_mode: Unused; accepted because evaluation configs set it.

    Raises:
        FileNotFoundError: If lists, frames or annotations are missing; the message names the videos.
        ValueError: If ``subset`` is unknown, ``videos`` contains a video that does not exist, or a list cannot be
            parsed.
    """

    metainfo = dict(task='key-point propagation')

    def __init__(
        self,
        data_root: str,
        *,
        split: int = 1,
        subset: str = 'test',
        videos: Sequence[str] | None = None,
        max_frames: int | None = None,
        test_mode: bool = True,
    ) -> None:
        if subset not in _SUBSETS:
            raise ValueError(f'subset must be one of {sorted(_SUBSETS)}, got {subset!r}')
        root = Path(data_root)
        names = _listed(root / 'splits', split, _SUBSETS[subset])
        if videos is not None:
            if unknown := set(videos) - {name for _, name in names}:
                raise ValueError(f'split {split} of {root} has no {subset} videos {sorted(unknown)}')
            names = [(kind, name) for kind, name in names if name in videos]
        names = list(dict.fromkeys(names))
        shared = Counter(name for _, name in names)
        self.sequences, missing = [], []
        for kind, name in names:
            frames = _pictures(root / 'Rename_Images' / kind / name)[:max_frames]
            joints = root / 'joint_positions' / kind / name / 'joint_positions.mat'
            if frames and joints.is_file():
                # results are kept by name, which videos of two classes may share
                own = f'{kind}/{name}' if shared[name] > 1 else name
                self.sequences.append(JointSequence(own, frames, joints))
            else:
                missing.append(f'{kind}/{name}')
        if missing:
            raise FileNotFoundError(
                f'{len(missing)} of {len(names)} videos lack frames in {root / "Rename_Images"} or joint_positions.mat '
                f'in {root / "joint_positions"}: {", ".join(missing[:5])}'
            )

    def __len__(self) -> int:
        return len(self.sequences)

    def __getitem__(self, index: int) -> dict[str, JointSequence | BaseDataElement]:
        sequence = self.sequences[index]
        return dict(inputs=sequence, data_samples=BaseDataElement(metainfo=dict(sequence=sequence)))


_SUBSETS = {'train': '1', 'test': '2'}


def read_joint_positions(path: str | Path) -> np.ndarray:
    """Read the joints (x, y) in a ``joint_positions.mat`` of JHMDB, in pixels from 0, ``(T, J, 2)``, float64.

    ``pos_img`` in the file is ``(2, J, T)`` and counts from 1.

    Raises:
        ImportError: If scipy is not installed.
        ValueError: If the file is not such an annotation.
    """
    try:
        from scipy.io import loadmat
        from scipy.io.matlab import MatReadError
    except ImportError as error:
        raise ImportError('annotations of JHMDB are MATLAB files: pip install scipy') from error
    try:
        positions = np.asarray(loadmat(path)['pos_img'], np.float64)
    except (KeyError, ValueError, TypeError, NotImplementedError, MatReadError) as error:
        raise ValueError(f'{path} is not a joint_positions.mat of JHMDB: {error}') from error
    if positions.ndim == 2:  # MATLAB drops the last dimension of a single frame
        positions = positions[..., None]
    if positions.ndim != 3 or len(positions) != 2 or not np.isfinite(positions).all():
        raise ValueError(f'{path}: pos_img is {positions.shape}, expected numbers of the shape (2, joints, frames)')
    return positions.transpose(2, 1, 0) - 1


def _listed(folder: Path, split: int, subset: str) -> list[tuple[str, str]]:
    """Read class and name of the videos of a subset, ``'1'`` or ``'2'``, from the lists of a split."""
    suffix = f'_test_split{split}.txt'
    lists = sorted(path for path in folder.glob(f'*{suffix}') if not path.name.startswith('.'))
    if not lists:
        raise FileNotFoundError(f'{folder} has no <class>{suffix}: set data_root to the folder of JHMDB')
    names = []
    for path in lists:
        for number, line in numbered_lines(path):
            video, _, chosen = line.rpartition(' ')
            if not video or chosen not in _SUBSETS.values():
                raise ValueError(
                    f'{path}, line {number}: {line!r} is not of the kind "<video>.avi 1" or "<video>.avi 2"'
                )
            if chosen == subset:
                names.append((path.name.removesuffix(suffix), video.strip().removesuffix('.avi')))
    return names


def _pictures(folder: Path) -> tuple[Path, ...]:
    return tuple(list_frames(folder)) if folder.is_dir() else ()
