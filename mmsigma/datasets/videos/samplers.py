"""Sampling that knows where it is, so that training can be resumed anywhere."""

from collections.abc import Iterator
from itertools import islice
from typing import Any

import numpy as np
from mmengine.dataset import DefaultSampler
from mmengine.logging import MMLogger

from mmsigma.registry import DATA_SAMPLERS


class SeededIndex(int):
    """An index into a data set together with the seed of what is random about this draw of it."""

    seed: tuple[int, ...]

    @classmethod
    def of(cls, index: int, seed: tuple[int, ...]) -> 'SeededIndex':
        self = cls(index)
        self.seed = seed
        return self


@DATA_SAMPLERS.register_module()
class SeededSampler(DefaultSampler):
    """mmengine's sampler whose indices carry the seed (run seed, epoch, index).

    Augmentation then depends neither on the number of workers nor on how often a run was interrupted.
    """

    _skip = 0

    def skip_once(self, num_samples: int) -> None:
        """Leave out the first samples of the next pass: those that an interrupted run has already seen."""
        self._skip = num_samples

    def __iter__(self) -> Iterator[int]:
        start, self._skip = self._skip, 0
        for index in islice(super().__iter__(), start, None):
            yield SeededIndex.of(index, (self.seed, self.epoch, index))


@DATA_SAMPLERS.register_module()
class ClassGroupSampler(SeededSampler):
    """Groups of videos of one class each, every class as often as any other (GTA, TCC).

    A class gives its videos in a random order, and then again in another, so that a group may straddle both and hold a
    video twice. Classes with a single video have none to compare it with and are left out.

    Groups are dealt out to the processes in turn: N processes step through what one process does with N times the
    groups of an epoch and ``accumulative_counts=N``.

    Args:
        dataset: Has ``get_data_info`` with a ``label``.
        group_size: Videos of a group; the loader's ``batch_size``.
        seed: Of the run; the same on all processes.
        num_groups: Groups of an epoch on each process; by default as many as fit into the number of videos.
        **kwargs: Ignored: order and number of what is drawn are as said above.

    Raises:
        ValueError: If no class has two videos, or a group has fewer; the classes are counted.
    """

    def __init__(
        self,
        dataset: Any,
        group_size: int = 4,
        seed: int | None = None,
        num_groups: int | None = None,
        **kwargs,
    ) -> None:
        super().__init__(dataset, shuffle=True, seed=seed)
        if group_size < 2 or (num_groups is not None and num_groups < 1):
            raise ValueError(f'a group has two videos or more, an epoch one group: got {group_size=}, {num_groups=}')
        self.group_size = group_size
        classes: dict[int, list[int]] = {}
        for index in range(len(dataset)):
            classes.setdefault(dataset.get_data_info(index)['label'], []).append(index)
        self.classes = {label: members for label, members in sorted(classes.items()) if len(members) > 1}
        if not self.classes:
            raise ValueError(
                f'no class has two videos: groups of one action cannot be made of {len(dataset)} videos of '
                f'{len(classes)} classes'
            )
        if single := sorted(classes.keys() - self.classes.keys()):
            MMLogger.get_current_instance().warning(f'{len(single)} classes with one video are left out: {single[:10]}')
        self.num_groups = num_groups or max(len(dataset) // group_size // self.world_size, 1)

    def __len__(self) -> int:
        return self.num_groups * self.group_size

    def __iter__(self) -> Iterator[int]:
        start, self._skip = self._skip, 0
        rng = np.random.default_rng([self.seed, self.epoch])
        queues: dict[int, list[int]] = {label: [] for label in self.classes}
        drawn: list[int] = []
        for _ in range(self.num_groups * self.world_size):
            label = int(rng.choice(list(self.classes)))
            while len(queues[label]) < self.group_size:
                queues[label] += rng.permutation(self.classes[label]).tolist()
            drawn += queues[label][: self.group_size]
            queues[label] = queues[label][self.group_size :]
        # a video that comes twice in an epoch is not sampled alike: its seed has its place among all that are drawn
        places = np.arange(len(drawn)).reshape(-1, self.group_size)[self.rank :: self.world_size]
        for place in islice(places.ravel().tolist(), start, None):
            yield SeededIndex.of(drawn[place], (self.seed, self.epoch, drawn[place], place))
