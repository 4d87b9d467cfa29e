"""Metric of the segmentation of human parts in videos (VIP)."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.dist import is_main_process
from mmengine.evaluator import BaseMetric
from rich.console import Console
from rich.table import Table

from mmsigma.evaluation.vos.confusion import ConfusionScores, confusion_matrix, confusion_scores
from mmsigma.evaluation.vos.names import check_name
from mmsigma.evaluation.vos.vos_metric import mask_path
from mmsigma.io.masks import write_mask
from mmsigma.io.tables import write_csv
from mmsigma.registry import METRICS

PARTS = (
    'background',
    'hat',
    'hair',
    'sun-glasses',
    'upper-clothes',
    'dress',
    'coat',
    'socks',
    'pants',
    'gloves',
    'scarf',
    'skirt',
    'torso-skin',
    'face',
    'right-arm',
    'left-arm',
    'right-leg',
    'left-leg',
    'right-shoe',
    'left-shoe',
)


@METRICS.register_module()
class VIPMetric(BaseMetric):
    """Mean IoU of human parts in percent, from one confusion matrix over all frames of all videos (VIP, as in CRW).

    Reads ``sequence`` and ``pred_masks`` ``(T, H, W)`` of the samples. All annotated frames are counted, except for
    pixels whose annotation is not a category. Writes to ``out_dir``: the masks of the wanted frames,
    ``per_category.csv``, ``per_sequence.csv`` and ``global.csv``.

    Args:
        out_dir: Folder of the results, relative to that of the log; None to write nothing.
        categories: Names of the categories, from 0.
        count_given: Whether to count the frames whose annotation is given to the method, as CRW does.
        show_table: Whether to print the scores of every category.
        collect_device: Device on which results of several ranks are collected.
        prefix: Prefix of the metric names.
    """

    default_prefix = 'vip'

    def __init__(
        self,
        out_dir: str | None = None,
        *,
        categories: Sequence[str] = PARTS,
        count_given: bool = True,
        show_table: bool = True,
        collect_device: str = 'cpu',
        prefix: str | None = None,
    ) -> None:
        super().__init__(collect_device, prefix)
        self._places: dict[str, str] = {}  # of the videos that were processed, by name
        self.out_dir, self.categories = out_dir, tuple(categories)
        self.count_given, self.show_table = count_given, show_table

    def process(self, data_batch: Any, data_samples: Sequence[dict[str, Any]]) -> None:
        """Write the masks of videos and count their pixels.

        Raises:
            ValueError: If a video could not be segmented, or a prediction has another shape than the annotation or an
                unknown category; the message names video and frame.
        """
        for sample in data_samples:
            if sample.get('failure'):
                raise ValueError(f'{sample["sequence"].name} could not be segmented: {sample["failure"]}')
            sequence, masks = sample['sequence'], sample['pred_masks']
            check_name(self._places, sequence)
            if self.out_dir:
                for number in sequence.wanted:
                    write_mask(mask_path(self.out_dir, sequence, number), masks[number])
            counts = np.zeros((len(self.categories),) * 2, np.int64)
            for number in sorted(sequence.masks):
                if number in sequence.given and not self.count_given:
                    continue
                try:
                    counts += confusion_matrix(masks[number], sequence.read_mask(number), len(self.categories))
                except ValueError as error:
                    raise ValueError(f'{sequence.name}, frame {sequence.frames[number].stem}: {error}') from error
            self.results.append((sequence.name, counts))

    def compute_metrics(self, results: list[tuple[str, np.ndarray]]) -> dict[str, float]:
        """Compute mean IoU and accuracies over the pixels of all videos.

        Raises:
            ValueError: If no pixel of any video has a category.
        """
        by_video = dict(results)  # a video that several ranks processed counts once
        scores = confusion_scores(np.sum(list(by_video.values()), axis=0))
        metrics = {
            'mIoU': 100 * scores.mean_iou,
            'pixel_accuracy': 100 * scores.pixel_accuracy,
            'mean_accuracy': 100 * scores.mean_accuracy,
        }
        if self.out_dir:
            self._write(scores, by_video, metrics)
        if self.show_table and is_main_process():
            Console().print(self._table(scores, metrics))
        return metrics

    def _table(self, scores: ConfusionScores, metrics: dict[str, float]) -> Table:
        result = Table(box=None)
        result.add_column('category')
        result.add_column('IoU', justify='right')
        for name, value in zip(self.categories, scores.iou, strict=True):
            result.add_row(name, '-' if np.isnan(value) else f'{100 * value:.1f}')
        result.add_section()
        result.add_row('mean', f'{metrics["mIoU"]:.1f}', style='bold')
        return result

    def _write(self, scores: ConfusionScores, by_video: dict[str, np.ndarray], metrics: dict[str, float]) -> None:
        categories = [(name, 100 * value) for name, value in zip(self.categories, scores.iou, strict=True)]
        # a video without annotated pixels has no score of its own
        videos = [(name, 100 * confusion_scores(counts).mean_iou) for name, counts in by_video.items() if counts.any()]
        videos.sort(key=lambda item: item[1])
        write_csv(Path(self.out_dir or '', 'per_category.csv'), [('category', 'IoU'), *categories])
        write_csv(Path(self.out_dir or '', 'per_sequence.csv'), [('video', 'mIoU'), *videos])
        write_csv(Path(self.out_dir or '', 'global.csv'), [tuple(metrics), tuple(metrics.values())])
