"""Videos to segment, one sample each."""

from collections.abc import Sequence

from mmengine.structures import BaseDataElement
from torch.utils.data import Dataset

from mmsigma.datasets.vos.sequences import FrameSequence, find_sequences
from mmsigma.registry import DATASETS


@DATASETS.register_module()
class VOSDataset(Dataset):
    """Whole videos with the masks of their objects; nothing is read before the model asks for it.

    Args:
        layout: How the folder is laid out: ``'davis'``, ``'youtube_vos'``, ``'vip'``, ``'folders'``; see
            :func:`mmsigma.datasets.vos.sequences.find_sequences`.
        data_root: Folder of the data set.
        videos: Names of the videos to keep; all by default.
        max_frames: Keep only so many frames of every video, to try things out.
        test_mode: Unused; evaluation configs have it.
        **settings: Arguments of the layout, such as ``year`` and ``split``.

    Raises:
        FileNotFoundError: If something is missing.
        ValueError: If a video to keep does not exist.
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
        **settings,
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

    def __getitem__(self, index: int) -> dict[str, FrameSequence | BaseDataElement]:
        sequence = self.sequences[index]
        return dict(inputs=sequence, data_samples=BaseDataElement(metainfo=dict(sequence=sequence)))
