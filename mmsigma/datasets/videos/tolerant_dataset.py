"""Going through data sets of which some videos may be damaged."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from torch.utils.data import Dataset

from mmsigma.datasets.transforms.decoding import UnreadableVideoError


class ReadSample(NamedTuple):
    """What reading a video gave.

    Attributes:
        place: Of the video in the data set.
        path: Of its file.
        sample: What the data set has for it, or None if it cannot be read.
        reason: Why it cannot be read; empty if it can.
    """

    place: int
    path: str
    sample: Any
    reason: str


class ReadableSamples(Dataset):
    """Samples of a data set in test mode; a video that cannot be read becomes a reason instead of an error.

    Give ``collate_fn=list`` to the loader: how to put together what was read is for its user to say.

    Args:
        dataset: A :class:`mmsigma.datasets.VideoDataset`, or one built on it.
        places: Which samples, by default all.
    """

    def __init__(self, dataset: Dataset, places: Sequence[int] | None = None) -> None:
        self.dataset = dataset
        self.places = range(len(dataset)) if places is None else places

    def __len__(self) -> int:
        return len(self.places)

    def __getitem__(self, index: int) -> ReadSample:
        place = self.places[index]
        path = self.dataset.get_data_info(place)['filename']
        try:
            return ReadSample(place, path, self.dataset[place], '')
        except UnreadableVideoError as error:
            return ReadSample(place, path, None, error.reason)
