"""Videos of actions with the phase of every frame."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from mmsigma.datasets.video_dataset import VideoDataset
from mmsigma.registry import DATASETS


@DATASETS.register_module()
class PhaseVideoDataset(VideoDataset):
    """Videos whose label is the action; adds ``action``, ``subset``, and ``frame_labels`` where there are phases.

    Args:
        phases: Folder with the phases of each video, ``<name>.npy`` (L,) or ``<name>.json`` with a list ``phases``,
            relative to ``data_root``; empty for none, which is all that training needs.
        part: ``'train'`` or ``'val'``, for the evaluation: classifiers are trained on the first.
        **kwargs: Arguments of :class:`VideoDataset`.
    """

    def __init__(self, *args, phases: str = '', part: str = 'val', **kwargs) -> None:
        self.phases, self.part = phases, part
        super().__init__(*args, **kwargs)

    def get_data_info(self, idx: int) -> dict[str, Any]:
        """What the pipeline starts from.

        Raises:
            FileNotFoundError: If a video has no phases.
        """
        info = super().get_data_info(idx)
        info.update(action=str(info['label']), subset=self.part)
        if self.phases:
            info['frame_labels'] = read_phases(Path(self.data_root or '', self.phases), Path(info['filename']).stem)
        return info


def read_phases(folder: Path, name: str) -> np.ndarray:
    """Phases (L,), int64, of the frames of a video.

    Raises:
        FileNotFoundError: If there are none.
    """
    array, record = folder / f'{name}.npy', folder / f'{name}.json'
    if array.is_file():
        return np.load(array, allow_pickle=False).astype(np.int64)
    if record.is_file():
        return np.array(json.loads(record.read_text())['phases'], np.int64)
    raise FileNotFoundError(f'no phases of {name} in {folder} (looked for {array.name} and {record.name})')
