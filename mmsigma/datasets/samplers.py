"""Sampling that knows where it is, so that training can be resumed anywhere."""

from collections.abc import Iterator
from itertools import islice

from mmengine.dataset import DefaultSampler

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
