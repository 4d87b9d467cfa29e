"""Videos of actions with the phase of every frame."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.logging import MMLogger

from mmsigma.datasets.alignment.segment_index import read_index
from mmsigma.datasets.videos.video_dataset import VIDEO_SUFFIXES, VideoDataset, check_some_exist
from mmsigma.registry import DATASETS

MISSING = ('error', 'keep', 'drop')


@DATASETS.register_module()
class PhaseVideoDataset(VideoDataset):
    """Videos whose label is the action; adds ``action``, ``subset``, and ``frame_labels`` where there are phases.

    A list that ends in ``.json`` is an index of pieces, see :mod:`mmsigma.datasets.alignment.segment_index`: its videos
    come with labels of their frames, and with ``name`` and ``piece_frames``, which :class:`ReadClip` reads instead of
    whole files.

    Actions are called by the names of ``classes.txt`` beside the list, a line per label, as converters write it; those
    of an index, whose labels may be of another kind, and those without a name by their numbers.

    Args:
        phases: Folder with the phases of each video, ``<name>.npy`` (L,) or ``<name>.json`` with a list ``phases``,
            relative to ``data_root``, where the name may have the suffix of the video or not; empty for none, which is
            all that training needs but for that of ``TranscriptHead``.
        part: ``'train'`` or ``'val'``, for the evaluation: classifiers are trained on the first.
        missing_phases: What becomes of videos without phases: ``'error'``, ``'keep'`` or ``'drop'``, the last two with
            a warning that counts them.
        **kwargs: Arguments of :class:`VideoDataset`.
    """

    def __init__(self, *args, phases: str = '', part: str = 'val', missing_phases: str = 'error', **kwargs) -> None:
        if missing_phases not in MISSING:
            raise ValueError(f'missing_phases must be one of {MISSING}, got {missing_phases!r}')
        self.phases, self.part, self.missing_phases = phases, part, missing_phases
        self.class_names: list[str] = []
        super().__init__(*args, **kwargs)

    def load_data_list(self) -> list[dict]:
        """Read the list, the index, or scan the folder.

        Raises:
            FileNotFoundError: If there is nothing to read, or videos lack phases.
            ValueError: If a line or an entry is not understood, two classes have one name, or two videos one file of
                phases; it is named.
        """
        if str(self.ann_file).endswith('.json') and Path(self.ann_file).is_file():
            folder = Path(self.data_prefix.get('video') or '.')
            chosen = self._choose([(video, video.label) for video in read_index(self.ann_file)])
            check_some_exist(Path(self.ann_file), folder, [video.path for video, _ in chosen])
            return [{'filename': str(folder / video.path), 'label': label, 'video': video} for video, label in chosen]
        entries = super().load_data_list()
        if self.ann_file and (path := Path(self.ann_file).with_name('classes.txt')).is_file():
            self.class_names = read_class_names(path)[self.label_range[0] if self.label_range else 0 :]
        return self._with_phases(entries) if self.phases else entries

    def _with_phases(self, entries: list[dict]) -> list[dict]:
        folder, owners, missing = self._phase_folder(), {}, []
        for entry in entries:
            path = find_phases(folder, entry['filename'])
            if path is None:
                missing.append(entry)
            elif (other := owners.setdefault(path, entry['filename'])) != entry['filename']:
                raise ValueError(f'{other} and {entry["filename"]} would both have the phases of {path}: rename one')
        if not missing:
            return entries
        some = ', '.join(Path(entry['filename']).name for entry in missing[:5])
        if self.missing_phases == 'error' or len(missing) == len(entries) and self.missing_phases == 'drop':
            raise FileNotFoundError(
                f'no phases of {len(missing)} of {len(entries)} videos in {folder}, {some} among them (looked for .npy '
                "and .json); missing_phases='drop' leaves such videos out, 'keep' does without their phases"
            )
        done = 'are left out' if self.missing_phases == 'drop' else 'have none'
        MMLogger.get_current_instance().warning(
            f'no phases of {len(missing)} of {len(entries)} videos, which {done}: {some}'
        )
        without = {id(entry) for entry in missing} if self.missing_phases == 'drop' else ()
        return [entry for entry in entries if id(entry) not in without]

    def _phase_folder(self) -> Path:
        return Path(self.data_root or '', self.phases)

    def replacement(self, index: int) -> int:
        """Another video of the same action; a group has to be of one."""
        label = super().get_data_info(index)['label']
        same = [
            other for other in range(len(self)) if super(PhaseVideoDataset, self).get_data_info(other)['label'] == label
        ]
        others = [other for other in same if other != index] or same
        return others[int(np.random.randint(len(others)))]

    def get_data_info(self, idx: int) -> dict[str, Any]:
        """What the pipeline starts from."""
        info = super().get_data_info(idx)
        label = info['label']
        name = self.class_names[label] if 0 <= label < len(self.class_names) else ''
        info.update(action=name or str(label), subset=self.part)
        if video := info.pop('video', None):
            info.update(name=video.name, piece_frames=video.frames(), frame_labels=video.labels())
        elif self.phases and (path := find_phases(self._phase_folder(), info['filename'])):
            info['frame_labels'] = read_phases(path)
        return info


def read_class_names(path: Path) -> list[str]:
    """Names of classes, by label.

    Raises:
        ValueError: If two have the same, and could not be told apart.
    """
    names = [line.strip() for line in path.read_text(encoding='utf-8-sig').splitlines()]
    if twice := sorted({name for name in names if name and names.count(name) > 1}):
        raise ValueError(f'{path} has {twice[0]!r} twice: give each class a name of its own')
    return names


def find_phases(folder: Path, video: str | Path) -> Path | None:
    """The file with the phases of a video, ``.npy`` or ``.json``, or None.

    It has the name of the video; without suffix, if that is one of a video: folders of frames may have dots.
    """
    path = Path(video)
    names = [path.name, path.stem] if path.suffix.lower() in VIDEO_SUFFIXES else [path.name]
    found = (folder / f'{name}{ending}' for name in names for ending in ('.npy', '.json'))
    return next((candidate for candidate in found if candidate.is_file()), None)


def read_phases(path: Path) -> np.ndarray:
    """Phases (L,), int64, of the frames of a video.

    Raises:
        ValueError: If the file has something else.
    """
    try:
        if path.suffix == '.npy':
            phases = np.load(path, allow_pickle=False)
        else:
            phases = np.array(json.loads(path.read_text())['phases'])
        if phases.ndim != 1 or not len(phases) or not np.array_equal(phases, phases.astype(np.int64)):
            raise ValueError(f'values {phases.dtype} of the shape {phases.shape}')
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f'{path} has no phases, a whole number for each frame: {error}') from error
    return phases.astype(np.int64)
