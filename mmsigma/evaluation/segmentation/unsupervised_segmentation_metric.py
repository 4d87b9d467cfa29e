"""Metric of unsupervised video object segmentation: clusters of features against masks (TimeTuning; SIGMA)."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.evaluator import BaseMetric
from mmengine.logging import MMLogger
from torch import Tensor

from mmsigma.evaluation.order import in_list_order
from mmsigma.evaluation.results import RECORD, facts_of_test
from mmsigma.evaluation.segmentation.cluster_matching import (
    MATCHINGS,
    Matching,
    background_floor,
    clustering_miou,
    match_clusters,
)
from mmsigma.io.masks import VOID
from mmsigma.io.tables import write_csv
from mmsigma.ops.dense_clustering import GROUND_TRUTH, ClipClusterer
from mmsigma.registry import METRICS
from mmsigma.visualization.segmentation_report import (
    ScoredClip,
    cluster_picture_name,
    write_cluster_picture,
    write_segmentation_report,
)

Array = np.ndarray


@dataclass(frozen=True)  # not a named tuple, which mmengine would take apart
class ClipScores:
    """Scores of one clip, as fractions.

    Attributes:
        name: Name of the video.
        frames: Frame numbers.
        num_units: Number of units that the mean is over: frames at the frame level, else 1.
        num_ids: Number of distinct ids in the masks, including the background.
        foreground: Fraction of pixels that are not background.
        floor: Mean IoU of a prediction that is background everywhere.
        miou: Mean IoU of every seed, ``(S,)``, by number of clusters.
        position: Position of the video in the list; None if it is not known.
    """

    name: str
    frames: list[int]
    num_units: int
    num_ids: int
    foreground: float
    floor: float
    miou: dict[int | str, Array]
    position: int | None = None


@dataclass(frozen=True)
class ClipFeatures:
    """What is kept of a clip at the dataset level: masks ``(T, H, W)`` and features ``(T', h, w, D)``, on the CPU."""

    name: str
    frames: list[int]
    gt: Array
    maps: Tensor
    position: int | None = None


@METRICS.register_module()
class UnsupervisedSegmentationMetric(BaseMetric):
    """Clustering and over-clustering as in the tables of SIGMA and TimeTuning, in percent.

    Clustering uses as many clusters as there are ids, matched one to one (Hungarian). Over-clustering uses a fixed,
    larger number, with each cluster named after the id of most of its pixels. The score of a unit is the mean IoU over
    the ids in its masks, including the background. Units (clips or frames) have the same weight, whatever their batch
    or rank. At the dataset level, there is a single unit, all clips are clustered in this metric, and void pixels (255)
    do not count.

    Reports ``clustering_mIoU`` and ``overclustering<K>_mIoU`` as means over the seeds of k-means, ``..._std``, their
    sample standard deviation, and ``background_floor``, the score of an empty prediction, to which over-clustering
    falls back where no cluster is mostly object. Prints a table, and writes one line per clip to
    ``unsupervised_segmentation.csv``, and ``report.html`` with pictures for inspection; at the dataset level, they are
    of the clip's part of the joint prediction.

    Reads ``pred_masks`` or ``dense_maps``, ``gt_masks``, ``video_name``, ``frame_inds`` and ``sample_idx``, the
    position in the list, of the samples.

    Args:
        clustering: Arguments of :class:`mmsigma.ops.dense_clustering.ClipClusterer`, equal to those of the model.
        over_matching: Matching of clusters in over-clustering, ``'precision'`` or ``'iou'``.
        out_dir: Folder of these files; None for that of the run's log, if there is one.
        collect_device: Device on which results of several ranks are collected.
        prefix: Prefix of the metric names.

    Raises:
        ValueError: If ``over_matching`` is unknown.
    """

    default_prefix = 'segmentation'

    def __init__(
        self,
        clustering: dict[str, Any] | None = None,
        over_matching: Matching = 'precision',
        *,
        out_dir: str | None = None,
        collect_device: str = 'cpu',
        prefix: str | None = None,
    ) -> None:
        super().__init__(collect_device, prefix)
        if over_matching not in MATCHINGS[1:3]:
            raise ValueError(f'over_matching must be one of {MATCHINGS[1:3]}, got {over_matching!r}')
        self.settings = ClipClusterer(**(clustering or {}))
        self.over_matching, self.out_dir = over_matching, out_dir

    def process(self, data_batch: dict[str, Any], data_samples: Sequence[dict[str, Any]]) -> None:
        """Score the clips of a batch, or collect their features at the dataset level.

        Raises:
            ValueError: If a sample has no masks, or the settings of the model differ.
        """
        wanted = 'dense_maps' if self.settings.level == 'dataset' else 'pred_masks'
        for sample in data_samples:
            name = sample.get('video_name', 'a clip')
            if 'gt_masks' not in sample:
                raise ValueError(f'{name} has no gt_masks: use SegmentationClipDataset')
            if wanted not in sample or (wanted == 'pred_masks' and not self._fits(sample['pred_masks'])):
                raise ValueError(f'{name} lacks {wanted}: set the same clustering for model and metric')
            gt, position = sample['gt_masks'].cpu().numpy(), sample.get('sample_idx')
            frames = [int(number) for number in sample.get('frame_inds', range(len(gt)))]
            if wanted == 'dense_maps':
                self.results.append(ClipFeatures(name, frames, gt, sample['dense_maps'].cpu(), position))
            else:
                runs = {number: maps.cpu().numpy() for number, maps in sample['pred_masks'].items()}
                self._draw(name, frames, gt, runs)
                self.results.append(replace(self.score_clip(name, frames, gt, runs), position=position))

    def _fits(self, runs: dict[str, Any]) -> bool:
        """Return whether the model's maps have the numbers of clusters and seeds of this metric."""
        wanted = dict.fromkeys(self.settings.num_clusters, len(self.settings.seeds))
        return {number: len(maps) for number, maps in runs.items()} == wanted

    def matching(self, number: int | str) -> Matching:
        """Return how clusters are matched to ids for a number of clusters."""
        return 'hungarian' if number == GROUND_TRUTH else self.over_matching

    def score_clip(self, name: str, frames: list[int], gt: Array, runs: dict[int | str, Array]) -> ClipScores:
        """Score a clip.

        Args:
            name: Name of the video.
            frames: Frame numbers.
            gt: Masks ``(T, H, W)``.
            runs: Cluster maps of all seeds, ``(S, T, H, W)``, by number of clusters.
        """
        level = self.settings.level
        units = list(gt) if level == 'frame' else [gt]
        miou = {
            number: np.array([clustering_miou([maps], [gt], self.matching(number), level) for maps in seeds])
            for number, seeds in runs.items()
        }
        return ClipScores(name, frames, len(units), *_describe(gt), background_floor(units), miou)

    def compute_metrics(self, results: list[Any]) -> dict[str, float]:
        """Compute percentages over all clips, including those of other ranks."""
        results = in_list_order(results, lambda result: result.name, lambda result: result.position)
        if self.settings.level == 'dataset':
            clips, runs, floor = self._cluster_jointly(results)
        else:
            clips = results
            weights = np.array([clip.num_units for clip in clips])
            runs = {
                number: np.average([clip.miou[number] for clip in clips], axis=0, weights=weights)
                for number in self.settings.num_clusters
            }
            floor = float(np.average([clip.floor for clip in clips], weights=weights))
        rows = {_title(number): (100 * scores.mean(), 100 * _deviation(scores)) for number, scores in runs.items()}
        print(self.table(rows, 100 * floor, len(clips)))
        self._write(clips, rows, 100 * floor)
        metrics: dict[str, float] = {}
        for title, (mean, deviation) in rows.items():
            metrics[f'{title}_mIoU'], metrics[f'{title}_mIoU_std'] = float(mean), float(deviation)
        return {**metrics, 'background_floor': 100 * floor, 'num_clips': float(len(clips))}

    def _cluster_jointly(self, kept: Sequence[ClipFeatures]) -> tuple[list[ClipScores], dict[int | str, Array], float]:
        """Cluster all clips together; return scores per clip, joint scores ``(S,)`` by cluster number, and floor."""
        truths = [clip.gt for clip in kept]
        found = self.settings.cluster([clip.maps for clip in kept], list(map(torch.from_numpy, truths)), ignore=VOID)
        gt, ends = np.concatenate(truths), np.cumsum([len(truth) for truth in truths])[:-1]
        runs: dict[int | str, Array] = {}
        shares: list[dict[int | str, Array]] = [{} for _ in kept]
        for number in self.settings.num_clusters:
            scores = []
            for seed in range(len(self.settings.seeds)):
                pred = [
                    clip[number][seed].repeat_interleave(len(truth) // clip[number].shape[1], dim=0).numpy()
                    for clip, truth in zip(found, truths, strict=True)
                ]
                scores.append(match_clusters(np.concatenate(pred), gt, self.matching(number), ignore=VOID))
            runs[number] = np.array([score.miou for score in scores])
            parts = zip(*(np.split(score.relabelled, ends) for score in scores), strict=True)
            for share, part, truth in zip(shares, parts, truths, strict=True):
                share[number] = np.array([match_clusters(maps, truth, 'none', ignore=VOID).miou for maps in part])
        for clip, part in zip(kept, found, strict=True):
            times = len(clip.gt) // len(clip.maps)  # frames of a map
            self._draw(
                clip.name,
                clip.frames,
                clip.gt,
                {number: maps.repeat_interleave(times, dim=1).numpy() for number, maps in part.items()},
            )
        clips = [
            ClipScores(
                clip.name, clip.frames, 1, *_describe(clip.gt), background_floor([clip.gt[clip.gt != VOID]]), share
            )
            for clip, share in zip(kept, shares, strict=True)
        ]
        return clips, runs, background_floor([gt[gt != VOID]])

    def table(self, rows: dict[str, tuple[float, float]], floor: float, num_clips: int) -> str:
        """Format means and standard deviations by name, in percent."""
        lines = [
            f'{title:<20}{self.matching(number):>12}{mean:9.1f} +- {deviation:.1f}'
            for number, (title, (mean, deviation)) in zip(self.settings.num_clusters, rows.items(), strict=True)
        ]
        seeds = len(self.settings.seeds)
        head = f'mIoU in %, {num_clips} clips, level {self.settings.level}, {seeds} seeds of k-means'
        return '\n'.join([head, *lines, f'{"all background":<20}{"":>12}{floor:9.1f}'])

    @property
    def _folder(self) -> Path | None:
        return Path(self.out_dir) if self.out_dir else _folder_of_log()

    def _draw(self, name: str, frames: list[int], gt: Array, runs: dict[int | str, Array]) -> None:
        """Write the picture of a clip, with the clusters of the first seed."""
        if folder := self._folder:
            maps = {_title(number): seeds[0] for number, seeds in runs.items()}
            write_cluster_picture(folder, name, frames, gt, maps)

    def _write(self, clips: Sequence[ClipScores], rows: dict[str, tuple[float, float]], floor: float) -> None:
        """Write the table of clips and the page."""
        folder = self._folder
        if folder is None:
            return
        titles = [_title(number) for number in self.settings.num_clusters]
        spread = [column for title in titles for column in (title, f'{title}_std')]
        lines: list[tuple[Any, ...]] = [('video', 'frames', 'ids', 'foreground', 'background_floor', *spread)]
        for clip in clips:
            scores = [clip.miou[number] for number in self.settings.num_clusters]
            values = [value for score in scores for value in (score.mean(), _deviation(score))]
            percent = [100 * float(value) for value in (clip.foreground, clip.floor, *values)]
            lines.append((clip.name, ' '.join(map(str, clip.frames)), clip.num_ids, *percent))
        write_csv(folder / 'unsupervised_segmentation.csv', lines, digits=2)
        shown = [
            ScoredClip(
                cluster_picture_name(clip.name, clip.frames),
                clip.name,
                {_title(number): 100 * float(scores.mean()) for number, scores in clip.miou.items()},
            )
            for clip in clips
        ]
        write_segmentation_report(folder, rows, floor, shown, facts_of_test(folder / RECORD))


def _describe(gt: Array) -> tuple[int, float]:
    """Return the number of ids in masks and the fraction of pixels that are not background, both without void."""
    known = gt[gt != VOID]
    return len(np.unique(known)), float((known != 0).mean()) if known.size else 0.0


def _deviation(scores: Array) -> float:
    """Return the sample standard deviation; 0 for a single value."""
    return float(scores.std(ddof=1)) if len(scores) > 1 else 0.0


def _title(number: int | str) -> str:
    return 'clustering' if number == GROUND_TRUTH else f'overclustering{number}'


def _folder_of_log() -> Path | None:
    """Return the folder of the run's log file, if there is one."""
    handlers = MMLogger.get_current_instance().handlers
    files = [handler.baseFilename for handler in handlers if isinstance(handler, logging.FileHandler)]
    return Path(files[0]).parent if files else None
