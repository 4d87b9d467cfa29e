"""UCFRep: videos of UCF101 with the boundaries of their repetitions."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from mmsigma.datasets.videos.missing_videos import report_missing
from mmsigma.datasets.videos.video_dataset import VideoDataset, find_videos
from mmsigma.registry import DATASETS


@DATASETS.register_module()
class RepetitionDataset(VideoDataset):
    """Videos with cycle boundaries, as UCFRep distributes them (Zhang et al., CVPR 2020; 421 and 105 videos).

    ``ann_file`` is a folder with a ``.mat`` file per video, whose struct ``label`` has ``start_frame``, ``end_frame``
    and ``temporal_bound``, the n + 1 boundaries of n repetitions, numbered from 1. Videos are found by name, whatever
    the folder and the case of letters: UCF101 spells ``HandstandPushups`` in two ways.

    Args:
        pipeline: Configs of the transforms.
        ann_file: The folder of annotations, relative to ``data_root``.
        samples_per_video: How often each video is in the data set, for as many random parts of it per epoch.
        strict: Raise if a video is missing, instead of counting and naming those that are. Test sets that lack videos
            do not compare.
        **kwargs: Further arguments of :class:`mmsigma.datasets.VideoDataset`.
    """

    def __init__(
        self,
        pipeline: Sequence[dict | Callable],
        ann_file: str,
        *,
        samples_per_video: int = 1,
        strict: bool = False,
        **kwargs,
    ) -> None:
        self.samples_per_video, self.strict = samples_per_video, strict
        super().__init__(pipeline, ann_file, **kwargs)

    def load_data_list(self) -> list[dict]:
        """Read all annotations and find their videos.

        Raises:
            FileNotFoundError: If there is no annotation, or videos are missing and ``strict`` is set.
            ValueError: If an annotation is not understood; it is named.
        """
        annotations = sorted(Path(self.ann_file).glob('*.mat'))
        if not annotations:
            raise FileNotFoundError(f'no annotation in {self.ann_file}: set ann_file to a folder of UCFRep .mat files')
        folder = self.data_prefix.get('video') or '.'
        videos = {path.stem.lower(): str(path) for path in find_videos(folder)}
        missing = [path.stem for path in annotations if path.stem.lower() not in videos]
        report_missing(missing, len(annotations), folder, strict=self.strict)
        entries = [
            {'filename': videos[path.stem.lower()], **read_repetitions(path)}
            for path in annotations
            if path.stem.lower() in videos
        ]
        return [entry for entry in entries for _ in range(self.samples_per_video)]


def read_repetitions(path: str | Path) -> dict:
    """Read an annotation of UCFRep.

    Returns:
        ``cycle_bounds``, a list of n + 1 frame numbers, and ``annotated``, the first and last frame, all numbered
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
