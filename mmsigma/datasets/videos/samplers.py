"""Samplers whose state is known, so that training can be resumed at any iteration."""

from collections.abc import Iterator
from itertools import islice
from typing import Any

import numpy as np
from mmengine.dataset import DefaultSampler
from mmengine.logging import MMLogger

from mmsigma.registry import DATA_SAMPLERS


class SeededIndex(int):
    """An index into a dataset together with the seed of all randomness in this draw of the sample."""

    seed: tuple[int, ...]

    @classmethod
    def of(cls, index: int, seed: tuple[int, ...]) -> 'SeededIndex':
        self = cls(index)
        self.seed = seed
        return self


@DATA_SAMPLERS.register_module()
class SeededSampler(DefaultSampler):
    """mmengine's default sampler with indices that carry the seed (run seed, epoch, index).

    Augmentation then depends neither on the number of worker processes nor on interruptions of the run.
    """

    _skip = 0

    def skip_once(self, num_samples: int) -> None:
        """Skip the first samples of the next pass, which an interrupted run has already processed."""
        self._skip = num_samples

    def __iter__(self) -> Iterator[int]:
        start, self._skip = self._skip, 0
        for index in islice(super().__iter__(), start, None):
            yield SeededIndex.of(index, (self.seed, self.epoch, index))


@DATA_SAMPLERS.register_module()
class ClassGroupSampler(SeededSampler):
    """Sample groups of videos, each of one class, with all classes equally frequent (GTA, TCC).

    A class yields its videos in random order, then again in another, so a group may straddle both orders and contain a
    video twice. Classes with a single video are left out, since they have no pair.

    Groups are distributed to the ranks in turn: N ranks process what one rank processes with N times the groups per
    epoch and ``accumulative_counts=N``.

    Args:
        dataset: Dataset with a method ``get_data_info`` that returns a ``label``.
        group_size: Number of videos per group; it must equal the loader's ``batch_size``.
        seed: Seed of the run, equal on all ranks.
        num_groups: Number of groups per epoch and rank; None for as many as fit into the number of videos.
        **kwargs: Ignored: they concern order and number of samples, which the groups determine.

    Raises:
        ValueError: If no class has two videos, or a number is out of range.
    """

    def __init__(
        self,
        dataset: Any,
        group_size: int = 4,
        seed: int | None = None,
        num_groups: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(dataset, shuffle=True, seed=seed)
        if group_size < 2 or (num_groups is not None and num_groups < 1):
            raise ValueError(
                f'group_size must be at least 2 and num_groups at least 1, got {group_size=}, {num_groups=}'
            )
        self.group_size = group_size
        classes: dict[int, list[int]] = {}
        for index in range(len(dataset)):
            classes.setdefault(dataset.get_data_info(index)['label'], []).append(index)
        self.classes = {label: members for label, members in sorted(classes.items()) if len(members) > 1}
        if not self.classes:
            raise ValueError(
                f'no class has two videos: cannot form groups of one action from {len(dataset)} videos of '
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
        # a video drawn twice in an epoch must not be augmented alike: its seed includes its position among all draws
        places = np.arange(len(drawn)).reshape(-1, self.group_size)[self.rank :: self.world_size]
        for place in islice(places.ravel().tolist(), start, None):
            yield SeededIndex.of(drawn[place], (self.seed, self.epoch, drawn[place], place))
