"""Metric of joints that are tracked through videos (JHMDB)."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.dist import is_main_process
from mmengine.evaluator import BaseMetric
from rich.console import Console
from rich.table import Table

from mmsigma.evaluation.vos.names import check_name
from mmsigma.evaluation.vos.pck import joint_errors, pck
from mmsigma.io.tables import write_csv
from mmsigma.registry import METRICS


@METRICS.register_module()
class PCKMetric(BaseMetric):
    """Percentage of correct key-points: joints found within a fraction of the person's size, mean over joints (CRW).

    Reads ``sequence`` and ``pred_joints`` ``(T, J, 2)`` of the samples; see
    :func:`mmsigma.evaluation.vos.pck.joint_errors`. Each joint is scored over all videos. Lost joints do not count, so
    losing them improves the score: ``lost`` is their percentage. Writes to ``out_dir``: ``per_joint.csv``,
    ``per_sequence.csv`` and ``global.csv``.

    Args:
        out_dir: Folder of the results, relative to that of the log; None to write nothing.
        thresholds: Largest errors of a correct joint, as fractions of the person's size.
        show_table: Whether to print the scores of every joint.
        collect_device: Device on which results of several ranks are collected.
        prefix: Prefix of the metric names.

    Raises:
        ValueError: If there is no threshold, or one is not positive.
    """

    default_prefix = 'jhmdb'

    def __init__(
        self,
        out_dir: str | None = None,
        *,
        thresholds: Sequence[float] = (0.1, 0.2, 0.3, 0.4, 0.5),
        show_table: bool = True,
        collect_device: str = 'cpu',
        prefix: str | None = None,
    ) -> None:
        super().__init__(collect_device, prefix)
        if not thresholds or min(thresholds) <= 0:
            raise ValueError(f'thresholds must be positive, got {tuple(thresholds)}')
        self.out_dir, self.thresholds, self.show_table = out_dir, tuple(thresholds), show_table
        self._places: dict[str, str] = {}  # of the videos that were processed, by name

    def process(self, data_batch: Any, data_samples: Sequence[dict[str, Any]]) -> None:
        """Compare the joints of videos with their annotation.

        Raises:
            ValueError: If a prediction has other frames or joints than the annotation, or two videos have one name;
                the message names the video.
        """
        for sample in data_samples:
            sequence = sample['sequence']
            check_name(self._places, sequence)
            try:
                errors = joint_errors(sample['pred_joints'], sequence.read_joints())
            except ValueError as error:
                raise ValueError(f'{sequence.name}: {error}') from error
            self.results.append((sequence.name, errors, tuple(sequence.joint_names)))

    def compute_metrics(self, results: list[tuple[str, np.ndarray, tuple[str, ...]]]) -> dict[str, float]:
        """Compute PCK over the joints of all videos.

        Raises:
            ValueError: If no joint was found in any frame.
        """
        by_video = {name: errors for name, errors, _ in results}  # a video that several ranks processed counts once
        errors = np.concatenate(list(by_video.values()))
        shares = 100 * pck(errors, self.thresholds)
        if np.isnan(shares).all():
            raise ValueError('no joint was found in any frame but the first ones')
        means = np.nanmean(shares, axis=1).tolist()
        metrics = {f'PCK@{threshold:g}': mean for threshold, mean in zip(self.thresholds, means, strict=True)}
        metrics['lost'] = 100 * float(np.isnan(errors).mean())
        names = results[0][2]
        if self.out_dir:
            self._write(names, shares, by_video, metrics)
        if self.show_table and is_main_process():
            Console().print(self._table(names, shares, metrics))
        return metrics

    @property
    def _titles(self) -> list[str]:
        return [f'PCK@{threshold:g}' for threshold in self.thresholds]

    def _table(self, names: Sequence[str], shares: np.ndarray, metrics: dict[str, float]) -> Table:
        result = Table(box=None)
        result.add_column('joint')
        for title in self._titles:
            result.add_column(title, justify='right')
        for name, values in zip(names, shares.T, strict=True):
            result.add_row(name, *('-' if np.isnan(value) else f'{value:.1f}' for value in values))
        result.add_section()
        result.add_row('mean', *(f'{metrics[title]:.1f}' for title in self._titles), style='bold')
        return result

    def _write(
        self, names: Sequence[str], shares: np.ndarray, by_video: dict[str, np.ndarray], metrics: dict[str, float]
    ) -> None:
        joints = [(name, *values) for name, values in zip(names, shares.T.tolist(), strict=True)]
        videos = []
        for name, errors in by_video.items():
            found = errors[~np.isnan(errors)]
            if len(found):  # over all joints at once: a video has too few frames to score each joint
                videos.append((name, *(100 * float((found <= threshold).mean()) for threshold in self.thresholds)))
        videos.sort(key=lambda row: row[1:])
        folder = Path(self.out_dir or '')
        write_csv(folder / 'per_joint.csv', [('joint', *self._titles), *joints])
        write_csv(folder / 'per_sequence.csv', [('video', *self._titles), *videos])
        write_csv(folder / 'global.csv', [tuple(metrics), tuple(metrics.values())])
