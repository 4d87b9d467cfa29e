"""UCFRep: videos of UCF101 with the boundaries of their repetitions."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mmsigma.datasets.videos.missing_videos import report_missing
from mmsigma.datasets.videos.video_dataset import VideoDataset, find_videos
from mmsigma.registry import DATASETS


@DATASETS.register_module()
class RepetitionDataset(VideoDataset):
    """Videos with cycle boundaries, as distributed with UCFRep (Zhang et al., CVPR 2020; 421 and 105 videos).

    ``ann_file`` is a folder with a ``.mat`` file per video, whose struct ``label`` has ``start_frame``, ``end_frame``
    and ``temporal_bound``, the n + 1 boundaries of n repetitions, numbered from 1. Videos are found by name, regardless
    of folder and case, because UCF101 spells ``HandstandPushups`` in two ways.

    Args:
        pipeline: Configs of the transforms.
        ann_file: Folder of annotations, relative to ``data_root``.
        samples_per_video: Number of times that each video is in the dataset, and thus of random parts per epoch.
        strict: Whether a missing video is an error, instead of being counted and named in a warning. Results on test
            sets that lack videos are not comparable.
        **kwargs: Further arguments of :class:`mmsigma.datasets.VideoDataset`.
    """

    def __init__(
        self,
        pipeline: Sequence[dict[str, Any] | Callable[..., Any]],
        ann_file: str,
        *,
        samples_per_video: int = 1,
        strict: bool = False,
        **kwargs: Any,
    ) -> None:
        self.samples_per_video, self.strict = samples_per_video, strict
        super().__init__(pipeline, ann_file, **kwargs)

    def load_data_list(self) -> list[dict[str, Any]]:
        """Read all annotations and find their videos.

        Raises:
            FileNotFoundError: If there is no annotation, or videos are missing and ``strict`` is set.
            ValueError: If an annotation cannot be parsed, or two videos have its name; the message names them.
        """
        annotations = sorted(path for path in Path(self.ann_file).glob('*.mat') if not path.name.startswith('.'))
        if not annotations:
            raise FileNotFoundError(f'no annotation in {self.ann_file}: set ann_file to a folder of UCFRep .mat files')
        folder = self.data_prefix.get('video') or '.'
        wanted, videos = {path.stem.lower() for path in annotations}, dict[str, str]()
        for path in find_videos(folder):
            if (name := path.stem.lower()) in wanted and (other := videos.setdefault(name, str(path))) != str(path):
                raise ValueError(f'{other} and {path} have the same name, by which annotations are found: remove one')
        missing = [path.stem for path in annotations if path.stem.lower() not in videos]
        report_missing(missing, len(annotations), folder, strict=self.strict)
        entries = [
            {'filename': videos[path.stem.lower()], **read_repetitions(path)}
            for path in annotations
            if path.stem.lower() in videos
        ]
        return [entry for entry in entries for _ in range(self.samples_per_video)]


def read_repetitions(path: str | Path) -> dict[str, Any]:
    """Read an annotation of UCFRep.

    Returns:
        ``cycle_bounds``, a list of n + 1 frame numbers, and ``annotated``, the first and the last frame, all numbered
        from 0.

    Raises:
        ImportError: If scipy is not installed.
        ValueError: If the file is not such an annotation.
    """
    try:
        from scipy.io import loadmat
    except ImportError as error:
        raise ImportError('annotations of UCFRep are MATLAB files: pip install scipy') from error
    try:
        label = loadmat(path)['label'][0, 0]
        # stored in the smallest unsigned type that fits: differences would wrap around
        first, last = (int(np.ravel(label[name])[0]) - 1 for name in ('start_frame', 'end_frame'))
        bounds = np.ravel(label['temporal_bound']).astype(np.int64) - 1
    except (KeyError, ValueError, IndexError, TypeError, NotImplementedError) as error:
        raise ValueError(f'{path} is not an annotation of UCFRep: {error}') from error
    if len(bounds) < 2 or (np.diff(bounds) <= 0).any() or first < 0 or last <= first:
        raise ValueError(f'{path}: frames {first + 1} to {last + 1} with boundaries {(bounds + 1).tolist()}')
    return {'cycle_bounds': bounds.tolist(), 'annotated': (first, last)}
