"""Dataset of whole videos for video object segmentation."""

from collections.abc import Sequence
from typing import Any

from mmengine.structures import BaseDataElement
from torch.utils.data import Dataset

from mmsigma.datasets.vos.sequences import VOSSequence, find_sequences
from mmsigma.registry import DATASETS


@DATASETS.register_module()
class VOSDataset(Dataset[Any]):
    """Whole videos with the masks of their objects, one sample each; nothing is read before the model asks for it.

    Args:
        layout: Folder layout: ``'davis'``, ``'youtube_vos'``, ``'vip'`` or ``'folders'``; see
            :func:`mmsigma.datasets.vos.sequences.find_sequences`.
        data_root: Folder of the dataset.
        videos: Names of the videos to keep; None for all.
        max_frames: Number of frames to which every video is shortened, for quick trials; None for all.
        test_mode: Unused; accepted because evaluation configs set it.
        **settings: Arguments of the layout, such as ``year`` and ``split``.

    Raises:
        FileNotFoundError: If files are missing.
        ValueError: If ``videos`` contains a video that does not exist.
    """

    metainfo = dict(task='video object segmentation')

    def __init__(
        self,
        layout: str,
        data_root: str,
        *,
        videos: Sequence[str] | None = None,
        max_frames: int | None = None,
        test_mode: bool = True,
        **settings: Any,
    ) -> None:
        self.sequences = find_sequences(layout, data_root, **settings)
        if videos is not None:
            known = {sequence.name: sequence for sequence in self.sequences}
            if unknown := [name for name in videos if name not in known]:
                raise ValueError(f'{data_root} has no videos {unknown}; it has {sorted(known)[:10]}')
            self.sequences = [known[name] for name in videos]
        if max_frames is not None:
            self.sequences = [sequence.shortened(max_frames) for sequence in self.sequences]

    def __len__(self) -> int:
        return len(self.sequences)

    def __getitem__(self, index: int) -> dict[str, VOSSequence | BaseDataElement]:
        sequence = self.sequences[index]
        return dict(inputs=sequence, data_samples=BaseDataElement(metainfo=dict(sequence=sequence)))
