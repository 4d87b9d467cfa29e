"""Dataset of action videos with the phase of every frame, for temporal alignment."""

from pathlib import Path
from typing import Any, Literal

import numpy as np
from mmengine.logging import MMLogger

from mmsigma.datasets.alignment.segment_index import read_segment_index
from mmsigma.datasets.videos.video_dataset import VideoDataset, check_some_exist
from mmsigma.datasets.videos.video_list import VIDEO_SUFFIXES
from mmsigma.io.text import read_json
from mmsigma.registry import DATASETS

Missing = Literal['error', 'keep', 'drop']
MISSING: tuple[Missing, ...] = ('error', 'keep', 'drop')


@DATASETS.register_module()
class PhaseVideoDataset(VideoDataset):
    """Videos whose label is the action; samples have ``action``, ``subset``, and ``frame_labels`` if phases are known.

    A list that ends in ``.json`` is an index of segments, see :mod:`mmsigma.datasets.alignment.segment_index`. Its
    videos come with frame labels, ``name`` and ``segment_frames``, which :class:`ReadClip` reads instead of whole
    files.

    Actions are named after the lines of ``classes.txt`` beside the list, one per label, as the converters write it.
    Those of an index, whose labels may be of another kind, and those without a name are named by their number.

    Args:
        phases: Folder with the phases of each video, relative to ``data_root``: ``<name>.npy`` ``(L,)`` or
            ``<name>.json`` with a list ``phases``, where the name may include the suffix of the video. Empty for none:
            training does not need phases, except with ``TranscriptHead``.
        part: Value of ``subset`` for the evaluation, ``'train'`` or ``'val'``; classifiers are trained on the former.
        missing_phases: Treatment of videos without phases: ``'error'``, ``'keep'`` or ``'drop'``, the last two with a
            warning that counts them.
        **kwargs: Arguments of :class:`VideoDataset`.

    Raises:
        ValueError: If ``missing_phases`` is unknown.
    """

    def __init__(
        self, *args: Any, phases: str = '', part: str = 'val', missing_phases: Missing = 'error', **kwargs: Any
    ) -> None:
        if missing_phases not in MISSING:
            raise ValueError(f'missing_phases must be one of {MISSING}, got {missing_phases!r}')
        self.phases, self.part, self.missing_phases = phases, part, missing_phases
        super().__init__(*args, **kwargs)

    def load_data_list(self) -> list[dict[str, Any]]:
        """Read the list or the index, or scan the folder.

        Raises:
            FileNotFoundError: If there is nothing to read, or videos lack phases.
            ValueError: If a line or an entry cannot be parsed, two classes have the same name, or two videos share a
                file of phases; the message names them.
        """
        if str(self.ann_file).endswith('.json') and Path(self.ann_file).is_file():
            folder = Path(self.data_prefix.get('video') or '.')
            chosen = self._choose([(video, video.label) for video in read_segment_index(self.ann_file)])
            check_some_exist(Path(self.ann_file), folder, [video.path for video, _ in chosen])
            return [{'filename': str(folder / video.path), 'label': label, 'video': video} for video, label in chosen]
        entries = super().load_data_list()
        return self._with_phases(entries) if self.phases else entries

    def _with_phases(self, entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
        folder, missing = self._phase_folder(), []
        owners: dict[Path, str] = {}  # video of each file of phases
        for entry in entries:
            path = find_phases(folder, entry['filename'])
            if path is None:
                missing.append(entry)
            elif (other := owners.setdefault(path, entry['filename'])) != entry['filename']:
                raise ValueError(
                    f'{other} and {entry["filename"]} would share the phases in {path}: rename one of them'
                )
        if not missing:
            return entries
        some = ', '.join(Path(entry['filename']).name for entry in missing[:5])
        if self.missing_phases == 'error' or len(missing) == len(entries) and self.missing_phases == 'drop':
            raise FileNotFoundError(
                f'no phases of {len(missing)} of {len(entries)} videos in {folder}, for example {some} (looked for '
                '.npy '
                "and .json); missing_phases='drop' leaves such videos out, 'keep' uses them without phases"
            )
        done = 'are left out' if self.missing_phases == 'drop' else 'are used without'
        MMLogger.get_current_instance().warning(
            f'no phases of {len(missing)} of {len(entries)} videos, which {done}: {some}'
        )
        without = {id(entry) for entry in missing} if self.missing_phases == 'drop' else ()
        return [entry for entry in entries if id(entry) not in without]

    def _phase_folder(self) -> Path:
        return Path(self.data_root or '', self.phases)

    def replacement(self, index: int) -> int:
        """Return the index of another video of the same action, since all videos of a group must share their action."""
        label = super().get_data_info(index)['label']
        same = [
            other for other in range(len(self)) if super(PhaseVideoDataset, self).get_data_info(other)['label'] == label
        ]
        others = [other for other in same if other != index] or same
        return others[int(np.random.randint(len(others)))]

    def get_data_info(self, idx: int) -> dict[str, Any]:
        """Return the entry that the pipeline starts from."""
        info: dict[str, Any] = super().get_data_info(idx)
        label = info['label']
        name = self.class_names[label] if 0 <= label < len(self.class_names) else ''
        info.update(action=name or str(label), subset=self.part)
        if video := info.pop('video', None):
            info.update(name=video.name, segment_frames=video.frames(), frame_labels=video.labels())
        elif self.phases and (path := find_phases(self._phase_folder(), info['filename'])):
            info['frame_labels'] = read_phases(path)
        return info


def find_phases(folder: Path, video: str | Path) -> Path | None:
    """Locate the ``.npy`` or ``.json`` file with the phases of a video; None if there is none.

    It has the name of the video, or the name without a video suffix. Other suffixes are kept, since folders of frames
    may have dots in their names.
    """
    path = Path(video)
    names = [path.name, path.stem] if path.suffix.lower() in VIDEO_SUFFIXES else [path.name]
    found = (folder / f'{name}{ending}' for name in names for ending in ('.npy', '.json'))
    return next((candidate for candidate in found if candidate.is_file()), None)


def read_phases(path: Path) -> np.ndarray:
    """Read the phases of the frames of a video, ``(L,)``, int64.

    Raises:
        ValueError: If the file contains anything but one integer per frame.
    """
    try:
        if path.suffix == '.npy':
            phases: np.ndarray = np.load(path, allow_pickle=False)
        else:
            phases = np.array(read_json(path)['phases'])
        if phases.ndim != 1 or not len(phases) or not np.array_equal(phases, phases.astype(np.int64)):
            raise ValueError(f'found {phases.dtype} of the shape {phases.shape}')
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f'{path} does not contain phases, one integer per frame: {error}') from error
    return phases.astype(np.int64)
