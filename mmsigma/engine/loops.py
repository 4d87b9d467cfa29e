"""Training loop that can be resumed in the middle of an epoch, and test loop for nearest-neighbour classification."""

import os
from collections.abc import Sequence
from typing import Any

import torch
from mmengine.dataset import pseudo_collate
from mmengine.dist import all_gather_object, get_rank, get_world_size, is_main_process
from mmengine.evaluator import Evaluator
from mmengine.runner import EpochBasedTrainLoop, Runner
from mmengine.runner.base_loop import BaseLoop
from torch import Tensor
from torch.utils.data import DataLoader

from mmsigma import compat
from mmsigma.datasets import SeededSampler
from mmsigma.datasets.videos.tolerant_dataset import ReadResult, TolerantDataset
from mmsigma.engine.hooks.interruption import VALIDATION_DUE
from mmsigma.evaluation.classification.knn import knn_accuracy
from mmsigma.registry import DATASETS, LOOPS
from mmsigma.utils.progress import steps
from mmsigma.utils.seeding import seed_everything


@LOOPS.register_module()
class ResumableEpochLoop(EpochBasedTrainLoop):
    """Epoch-based training in which the randomness of each iteration is a function of seed, rank and iteration.

    No random state needs to be stored in a checkpoint, and a resumed run equals an uninterrupted one bit for bit on the
    CPU, even from a checkpoint in the middle of an epoch. The data must be drawn by
    :class:`mmsigma.datasets.SeededSampler`. Gradients accumulated over several iterations are not stored: save at
    multiples of ``accumulative_counts``.

    Args:
        runner: Runner of the loop.
        dataloader: Dataloader or its config.
        **kwargs: Further arguments of mmengine's ``EpochBasedTrainLoop``.

    Raises:
        ValueError: If the data is drawn by another sampler, or is less than a batch.
    """

    def __init__(self, runner: Runner, dataloader: DataLoader[Any] | dict[str, Any], **kwargs: Any) -> None:
        super().__init__(runner, dataloader, **kwargs)
        if self.max_epochs < 1:
            raise ValueError(f'train_cfg.max_epochs must be positive, got {self.max_epochs}')
        if not len(self.dataloader):
            share, videos = len(self.dataloader.sampler), len(self.dataloader.dataset)
            raise ValueError(
                f'train_dataloader.batch_size is {self.dataloader.batch_size}, but there are only {videos} videos, '
                f'{share} for each of {get_world_size()} processes: use a smaller batch_size, or drop_last=False'
            )
        sampler = self.dataloader.sampler
        if not isinstance(sampler, SeededSampler):
            raise ValueError(
                f'train_dataloader.sampler is {type(sampler).__name__}, which cannot resume in the middle of an epoch: '
                "set type='SeededSampler' there, or train_cfg.type='EpochBasedTrainLoop'"
            )

    def run(self) -> torch.nn.Module:
        """Train the model and return it; a validation that an interruption cut short comes first."""
        self.runner.call_hook('before_train')
        try:
            if self.runner.message_hub.runtime_info.pop(VALIDATION_DUE, False) and self.runner.val_loop is not None:
                self.runner.val_loop.run()
            while self._epoch < self._max_epochs and not self.stop_training:
                self.run_epoch()
                self._decide_current_val_interval()
                if self._validates():
                    self.runner.val_loop.run()
        finally:
            compat.end_workers(self.dataloader)
        self.runner.call_hook('after_train')
        model: torch.nn.Module = self.runner.model
        return model

    def _validates(self) -> bool:
        """Return whether the model is evaluated after this epoch."""
        if self.runner.val_loop is None or self._epoch < self.val_begin:
            return False
        return bool(self._epoch % self.val_interval == 0 or self._epoch == self._max_epochs)

    def run_epoch(self) -> None:
        """Run the rest of the epoch.

        If the checkpoint was written in the last iteration, only the end of the epoch is left: hooks after an epoch,
        such as validation, run after such a checkpoint is written.
        """
        self.runner.call_hook('before_train_epoch')
        self.runner.model.train()
        done = self._iterations_done()
        if done:
            self.dataloader.sampler.skip_once(done * self.dataloader.batch_size)
        for idx, data_batch in enumerate(self.dataloader, start=done):
            seed_everything(self._iteration_seed())
            self.run_iter(idx, data_batch)
        self.runner.call_hook('after_train_epoch')
        self._epoch += 1

    def _iterations_done(self) -> int:
        """Return how many iterations of the epoch are done, or 0 with a warning if the epoch must be restarted."""
        done: int = self._iter - self._epoch * len(self.dataloader)
        if 0 <= done <= len(self.dataloader):
            return done
        self.runner.logger.warning(
            f'iteration {self._iter} is not in epoch {self._epoch}: the run was started with another batch size, '
            'number of ranks or dataset. The epoch is restarted.'
        )
        return 0

    def _iteration_seed(self) -> int:
        """Return the seed of this iteration on this rank."""
        seed: int = self.runner.seed * 1_000_003 + self._iter * get_world_size() + get_rank()
        return seed % 2**63


@LOOPS.register_module()
class KNNTestLoop(BaseLoop):
    """Classify test videos by their nearest neighbours among the training videos, with features of a frozen model.

    The model's ``predict`` must add ``mean_features`` ``(D,)`` to the samples. Videos of the bank that cannot be read
    are left out, counted and named; an unreadable video to classify is an error, as in every test.

    Args:
        runner: Runner of the loop.
        dataloader: Dataloader of the videos to classify, one view each, or its config.
        evaluator: Unused; ``[]`` in the config.
        bank_dataloader: Config of the dataloader of labelled videos: the training set, without augmentation.
        k: Numbers of neighbours.
        temperature: Divisor of the cosine similarity in the vote.
    """

    def __init__(
        self,
        runner: Runner,
        dataloader: DataLoader[Any] | dict[str, Any],
        evaluator: Evaluator | dict[str, Any] | list[Any],
        bank_dataloader: dict[str, Any],
        k: Sequence[int] = (10, 20, 100, 200),
        temperature: float = 0.07,
    ) -> None:
        super().__init__(runner, dataloader)
        dataset = TolerantDataset(DATASETS.build(bank_dataloader['dataset']))
        bank = {**bank_dataloader, 'dataset': dataset, 'collate_fn': list}
        self.bank_dataloader = Runner.build_dataloader(bank, seed=runner.seed)
        self.k, self.temperature = tuple(k), temperature

    def run(self) -> dict[str, float]:
        """Run the test and return the metrics, see :func:`mmsigma.evaluation.classification.knn.knn_accuracy`."""
        runner = self.runner
        runner.call_hook('before_test')
        runner.model.eval()
        self._check_overlap()
        bank, bank_labels = self._features(self.bank_dataloader, is_bank=True)
        runner.call_hook('before_test_epoch')
        queries, labels = self._features(self.dataloader)
        metrics = knn_accuracy(bank, bank_labels, queries, labels, self.k, temperature=self.temperature)
        runner.call_hook('after_test_epoch', metrics=metrics)
        runner.call_hook('after_test')
        return metrics

    def _check_overlap(self) -> None:
        """Check that no video is both in the bank and to be classified, where it would find itself.

        Raises:
            ValueError: If there are such videos.
        """
        bank, asked = (
            {os.path.realpath(dataset.get_data_info(index)['filename']): None for index in range(len(dataset))}
            for dataset in (self.bank_dataloader.dataset.dataset, self.dataloader.dataset)
        )
        if shared := [path for path in asked if path in bank]:
            raise ValueError(
                f'{len(shared)} of the {len(asked)} videos to classify are also in the bank, where each finds itself: '
                f'remove them from one of the lists, for example {shared[0]}'
            )

    @torch.no_grad()
    def _features(self, loader: Any, is_bank: bool = False) -> tuple[Tensor, Tensor]:
        """Collect features ``(N, D)`` and labels ``(N,)`` of all videos from all ranks.

        Raises:
            ValueError: If no video of the bank can be read, or a video has no label.
        """
        rows: list[tuple[Tensor, int] | str] = []
        if is_bank:
            with steps('bank, batches', len(loader), silent=not is_main_process()) as advance:
                for batch in loader:
                    rows += self._bank_rows(batch)
                    advance()
        for number, batch in enumerate(() if is_bank else loader):
            self.runner.call_hook('before_test_iter', batch_idx=number, data_batch=batch)
            samples = self.runner.model.test_step(batch)
            rows += map(_labelled, samples)
            self.runner.call_hook('after_test_iter', batch_idx=number, data_batch=batch, outputs=samples)
        # the sampler distributes the videos in turn and repeats some so that all ranks have equally many
        dealt = [row for group in zip(*all_gather_object(rows), strict=True) for row in group][: len(loader.dataset)]
        failures = [row for row in dealt if isinstance(row, str)]
        known = [row for row in dealt if not isinstance(row, str)]
        if failures:
            message = f'{len(failures)} of {len(dealt)} videos of the bank cannot be read: {"; ".join(failures[:10])}'
            if not known:
                raise ValueError(message)
            self.runner.logger.warning(message)
        return torch.stack([features for features, _ in known]), torch.tensor([label for _, label in known])

    def _bank_rows(self, batch: list[ReadResult]) -> list[tuple[Tensor, int] | str]:
        """Return features and label of every video of a batch, or path and reason of those that cannot be read."""
        readable = [item.sample for item in batch if not item.reason]
        samples = iter(self.runner.model.test_step(pseudo_collate(readable)) if readable else [])
        return [f'{item.path} ({item.reason})' if item.reason else _labelled(next(samples)) for item in batch]


def _labelled(sample: Any) -> tuple[Tensor, int]:
    """Return features and label of a sample."""
    if 'gt_label' not in sample:
        raise ValueError(
            f'{sample.get("filename")} has no label: nearest-neighbour classification requires lists with labels'
        )
    return sample.mean_features.cpu(), int(sample.gt_label)
