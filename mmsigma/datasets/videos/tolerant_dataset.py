"""Iterating over datasets of which some videos may be damaged."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from torch.utils.data import Dataset

from mmsigma.datasets.transforms.decoding import UnreadableVideoError


class ReadResult(NamedTuple):
    """Result of reading a video.

    Attributes:
        place: Index of the video in the dataset.
        path: Path of its file.
        sample: Sample of the dataset, or None if the video cannot be read.
        reason: Error message if the video cannot be read, otherwise empty.
    """

    place: int
    path: str
    sample: Any
    reason: str


class TolerantDataset(Dataset[Any]):
    """Samples of a dataset in test mode, in which an unreadable video becomes a reason instead of an error.

    Use ``collate_fn=list`` in the loader; the caller decides how to batch the samples that could be read.

    Args:
        dataset: A :class:`mmsigma.datasets.VideoDataset`, or a dataset derived from it.
        places: Indices of the samples to read; None for all.
    """

    def __init__(self, dataset: Any, places: Sequence[int] | None = None) -> None:
        self.dataset = dataset
        self.places = range(len(dataset)) if places is None else places

    def __len__(self) -> int:
        return len(self.places)

    def __getitem__(self, index: int) -> ReadResult:
        place = self.places[index]
        path = self.dataset.get_data_info(place)['filename']
        try:
            return ReadResult(place, path, self.dataset[place], '')
        except UnreadableVideoError as error:
            return ReadResult(place, path, None, error.reason)
