"""Hook that counts videos that could not be read."""

from typing import Any

import torch
from mmengine.dist import all_reduce, get_world_size
from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmsigma.registry import HOOKS


@HOOKS.register_module()
class BadVideoHook(Hook):
    """Name every video that :class:`mmsigma.datasets.VideoDataset` had to replace, and stop a run with too many.

    Args:
        max_share: Largest tolerated fraction of draws whose video failed, over all ranks.
        min_draws: Number of draws before the fraction is checked.
        interval: Number of iterations between checks.

    Raises:
        ValueError: If ``max_share`` is no fraction.
    """

    priority = 'LOW'

    def __init__(self, max_share: float = 0.05, min_draws: int = 200, interval: int = 50) -> None:
        if not 0 <= max_share <= 1:
            raise ValueError(f'max_share is a fraction from 0 to 1, got {max_share}')
        self.max_share, self.min_draws, self.interval = max_share, min_draws, interval
        self.draws = self.failed = 0
        self.reasons: dict[str, str] = {}

    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: dict[str, Any] | None = None,
        outputs: dict[str, Any] | None = None,
    ) -> None:
        assert data_batch is not None  # training iterations have one
        for sample in data_batch['data_samples']:
            failures = sample.metainfo.get('failures', ())
            self.draws += 1 + len(failures)
            self.failed += len(failures)
            for filename, reason in failures:
                if filename not in self.reasons:
                    runner.logger.warning(f'skipped an unreadable video: {filename} ({reason})')
                self.reasons[filename] = reason
        if self.every_n_train_iters(runner, self.interval):
            self._judge(runner)

    def after_train(self, runner: Runner) -> None:
        self._judge(runner)
        if self.reasons:
            runner.logger.warning(
                f'{len(self.reasons)} unreadable videos were replaced {self.failed} times in {self.draws} draws; '
                'the log names them'
            )

    def _judge(self, runner: Runner) -> None:
        """Stop the run if the fraction of failed draws over all ranks is too large.

        Raises:
            OSError: If it is.
        """
        # all ranks must come to the same conclusion, or the others would wait for the one that stopped
        totals = torch.tensor([self.draws, self.failed], dtype=torch.float64)
        if get_world_size() > 1:
            totals = totals.to(next(runner.model.parameters()).device)
            all_reduce(totals)
        draws, failed = totals.tolist()
        if draws >= self.min_draws and failed > self.max_share * draws:
            examples = '\n  '.join(f'{name}: {reason}' for name, reason in list(self.reasons.items())[:5])
            raise OSError(
                f'{failed:.0f} of {draws:.0f} draws met a video that cannot be read, more than the tolerated '
                f'{self.max_share:.0%} (BadVideoHook.max_share); check data_root. For example:\n  {examples}'
            )
