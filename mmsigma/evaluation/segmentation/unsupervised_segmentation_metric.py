"""Scores of unsupervised video object segmentation: clusters of a clip's features against its masks."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from mmengine.evaluator import BaseMetric
from mmengine.logging import MMLogger
from torch import Tensor

from mmsigma.evaluation.segmentation.cluster_matching import (
    MATCHINGS,
    background_floor,
    clustering_miou,
    match_clusters,
)
from mmsigma.io.tables import write_csv
from mmsigma.ops.dense_clustering import GROUND_TRUTH, ClusterSettings
from mmsigma.registry import METRICS

VOID = 255
Array = np.ndarray


@dataclass(frozen=True)  # mmengine takes named tuples apart
class ClipScores:
    """Scores of one clip, fractions.

    Attributes:
        name: Of the video.
        frames: Their numbers.
        num_units: What the mean is over: frames at their level, else 1.
        num_ids: Different ids in the masks, background included.
        foreground: Share of pixels that are not background.
        floor: Mean IoU of an answer that is background everywhere.
        miou: By number of clusters, the mean IoU of every seed (S,).
    """

    name: str
    frames: list[int]
    num_units: int
    num_ids: int
    foreground: float
    floor: float
    miou: dict[int | str, Array]


@dataclass(frozen=True)
class ClipFeatures:
    """What the data-set level keeps of a clip: its masks (T, H, W) and features (T', h, w, D), on the CPU."""

    name: str
    frames: list[int]
    gt: Array
    maps: Tensor


@METRICS.register_module()
class UnsupervisedSegmentationMetric(BaseMetric):
    """Clustering and over-clustering as SIGMA's and TimeTuning's tables have them, in percent.

    Clustering: as many clusters as ids, matched one to one (Hungarian). Over-clustering: a fixed larger number, each
    cluster named after the id of most of its pixels. The score of a unit is the mean IoU over the ids in its masks,
    background included; units (clips, frames) are averaged, whatever batch or process they came in. At the data-set
    level there is one unit, all clips are clustered in here, and void pixels (255) do not count.

    Reports ``clustering_mIoU`` and ``overclustering<K>_mIoU`` as means over the seeds of k-means, ``..._std``, their
    sample standard deviation, and ``background_floor``, the score of an empty answer, which over-clustering falls back
    to where no cluster is mostly object. Prints a table, and writes one line per clip to
    ``unsupervised_segmentation.csv``, at the data-set level with the clip's part of the joint answer.

    Reads ``pred_masks`` or ``dense_maps``, ``gt_masks``, ``video_name`` and ``frame_inds`` of the samples.

    Args:
        clustering: Arguments of :class:`mmsigma.ops.dense_clustering.ClusterSettings`, those of the model.
        over_matching: How clusters are named in over-clustering: ``'precision'`` or ``'iou'``.
        out_dir: Folder of the CSV file; by default that of the run's log, if there is one.
        collect_device: Where results of several processes meet.
        prefix: Prefix of the names.
    """

    default_prefix = 'segmentation'

    def __init__(
        self,
        clustering: dict | None = None,
        over_matching: str = 'precision',
        *,
        out_dir: str | None = None,
        collect_device: str = 'cpu',
        prefix: str | None = None,
    ) -> None:
        super().__init__(collect_device, prefix)
        if over_matching not in MATCHINGS[1:3]:
            raise ValueError(f'over_matching must be one of {MATCHINGS[1:3]}, got {over_matching!r}')
        self.settings = ClusterSettings(**(clustering or {}))
        self.over_matching, self.out_dir = over_matching, out_dir

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        """Score the clips of a batch, or keep their features for the data-set level.

        Raises:
            ValueError: If a sample has no masks, or the model clusters by other settings.
        """
        wanted = 'dense_maps' if self.settings.level == 'dataset' else 'pred_masks'
        for sample in data_samples:
            name = sample.get('video_name', 'a clip')
            if 'gt_masks' not in sample:
                raise ValueError(f'{name} has no gt_masks: use SegmentationClipDataset')
            if wanted not in sample or (wanted == 'pred_masks' and not self._fits(sample['pred_masks'])):
                raise ValueError(f'{name} lacks {wanted}: give model and metric the same settings of clustering')
            gt = sample['gt_masks'].cpu().numpy()
            frames = [int(number) for number in sample.get('frame_inds', range(len(gt)))]
            if wanted == 'dense_maps':
                self.results.append(ClipFeatures(name, frames, gt, sample['dense_maps'].cpu()))
            else:
                runs = {number: maps.cpu().numpy() for number, maps in sample['pred_masks'].items()}
                self.results.append(self.score_clip(name, frames, gt, runs))

    def _fits(self, runs: dict) -> bool:
        wanted = dict.fromkeys(self.settings.num_clusters, len(self.settings.seeds))
        return {number: len(maps) for number, maps in runs.items()} == wanted

    def matching(self, number: int | str) -> str:
        """How clusters are matched to ids if there are so many."""
        return 'hungarian' if number == GROUND_TRUTH else self.over_matching

    def score_clip(self, name: str, frames: list[int], gt: Array, runs: dict[int | str, Array]) -> ClipScores:
        """Scores of a clip with masks (T, H, W) and the cluster maps of all seeds (S, T, H, W), by their number."""
        level = self.settings.level
        units = list(gt) if level == 'frame' else [gt]
        miou = {
            number: np.array([clustering_miou([maps], [gt], self.matching(number), level) for maps in seeds])
            for number, seeds in runs.items()
        }
        return ClipScores(name, frames, len(units), *_describe(gt), background_floor(units), miou)

    def compute_metrics(self, results: list) -> dict[str, float]:
        """Percentages over all clips, those of other processes included."""
        results = sorted(results, key=lambda result: result.name)  # the order of processes is none
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
        self._write_csv(clips)
        metrics: dict[str, float] = {}
        for title, (mean, deviation) in rows.items():
            metrics[f'{title}_mIoU'], metrics[f'{title}_mIoU_std'] = float(mean), float(deviation)
        return {**metrics, 'background_floor': 100 * floor, 'num_clips': float(len(clips))}

    def _cluster_jointly(self, kept: Sequence[ClipFeatures]) -> tuple[list[ClipScores], dict[int | str, Array], float]:
        """Scores of clips, those of the whole by number of clusters (S,), and its floor."""
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
        clips = [
            ClipScores(
                clip.name, clip.frames, 1, *_describe(clip.gt), background_floor([clip.gt[clip.gt != VOID]]), share
            )
            for clip, share in zip(kept, shares, strict=True)
        ]
        return clips, runs, background_floor([gt[gt != VOID]])

    def table(self, rows: dict[str, tuple[float, float]], floor: float, num_clips: int) -> str:
        """Table of means and deviations by name, in percent, to print."""
        lines = [
            f'{title:<20}{self.matching(number):>12}{mean:9.1f} +- {deviation:.1f}'
            for number, (title, (mean, deviation)) in zip(self.settings.num_clusters, rows.items(), strict=True)
        ]
        seeds = len(self.settings.seeds)
        head = f'mIoU in %, {num_clips} clips, level {self.settings.level}, {seeds} seeds of k-means'
        return '\n'.join([head, *lines, f'{"all background":<20}{"":>12}{floor:9.1f}'])

    def _write_csv(self, clips: Sequence[ClipScores]) -> None:
        folder = Path(self.out_dir) if self.out_dir else _folder_of_log()
        if folder is None:
            return
        titles = [_title(number) for number in self.settings.num_clusters]
        spread = [column for title in titles for column in (title, f'{title}_std')]
        lines: list[tuple] = [('video', 'frames', 'ids', 'foreground', 'background_floor', *spread)]
        for clip in clips:
            scores = [clip.miou[number] for number in self.settings.num_clusters]
            values = [value for score in scores for value in (score.mean(), _deviation(score))]
            percent = [100 * float(value) for value in (clip.foreground, clip.floor, *values)]
            lines.append((clip.name, ' '.join(map(str, clip.frames)), clip.num_ids, *percent))
        write_csv(folder / 'unsupervised_segmentation.csv', lines, digits=2)


def _describe(gt: Array) -> tuple[int, float]:
    """Number of ids in masks, and the share that is not background; void does not count."""
    known = gt[gt != VOID]
    return len(np.unique(known)), float((known != 0).mean()) if known.size else 0.0


def _deviation(scores: Array) -> float:
    """Sample standard deviation; 0 for a single value."""
    return float(scores.std(ddof=1)) if len(scores) > 1 else 0.0


def _title(number: int | str) -> str:
    return 'clustering' if number == GROUND_TRUTH else f'overclustering{number}'


def _folder_of_log() -> Path | None:
    handlers = MMLogger.get_current_instance().handlers
    files = [handler.baseFilename for handler in handlers if isinstance(handler, logging.FileHandler)]
    return Path(files[0]).parent if files else None
