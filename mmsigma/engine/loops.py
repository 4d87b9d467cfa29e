"""Training loop that can be resumed in the middle of an epoch."""

import torch
from mmengine.dist import get_rank, get_world_size
from mmengine.runner import EpochBasedTrainLoop

from mmsigma.registry import LOOPS


@LOOPS.register_module()
class ResumableEpochLoop(EpochBasedTrainLoop):
    """Epoch-based training in which every iteration's randomness is a function of seed, rank and iteration.

    Nothing random has to be stored with a checkpoint, and a resumed run equals an uninterrupted one bit for bit on the
    CPU, also from a checkpoint in the middle of an epoch. The data has to be drawn by
    :class:`mmsigma.datasets.SeededSampler`. Gradients accumulated over several iterations are not stored: save at
    multiples of ``accumulative_counts``.
    """

    def run_epoch(self) -> None:
        """Run what is left of the epoch."""
        self.runner.call_hook('before_train_epoch')
        self.runner.model.train()
        done = self._iterations_done()
        if done:
            self.dataloader.sampler.skip_once(done * self.dataloader.batch_size)
        for idx, data_batch in enumerate(self.dataloader, start=done):
            torch.manual_seed(self._iteration_seed())
            self.run_iter(idx, data_batch)
        self.runner.call_hook('after_train_epoch')
        self._epoch += 1

    def _iterations_done(self) -> int:
        done = self._iter - self._epoch * len(self.dataloader)
        if 0 <= done < len(self.dataloader):
            return done
        self.runner.logger.warning(
            f'iteration {self._iter} is not in epoch {self._epoch}: the run was started with another batch size, '
            'number of processes or data set. The epoch is started anew.'
        )
        return 0

    def _iteration_seed(self) -> int:
        return (self.runner.seed * 1_000_003 + self._iter * get_world_size() + get_rank()) % 2**63
