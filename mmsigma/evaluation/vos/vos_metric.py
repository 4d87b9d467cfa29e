"""Evaluation of video object segmentation: J and F, tables, palette PNGs, and archives for evaluation servers."""

import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.dist import is_main_process
from mmengine.evaluator import BaseMetric
from mmengine.logging import MMLogger
from rich.console import Console
from rich.table import Table

from mmsigma.evaluation.results import RECORD, facts_of_test
from mmsigma.evaluation.vos.davis import Statistics, score_sequence, summarize
from mmsigma.evaluation.vos.names import check_name
from mmsigma.io.atomic import write_atomically
from mmsigma.io.masks import VOID, mask_ids, read_stored, write_mask
from mmsigma.io.names import path_below
from mmsigma.io.tables import write_csv
from mmsigma.registry import METRICS
from mmsigma.visualization.vos_report import write_overlay, write_report, write_strip

_USUAL_FPS = 24.0  # of overlays of frames without a rate


@dataclass(frozen=True)
class ObjectScores:
    """Scores of one object of one video; a dataclass, since mmengine turns named tuples into plain ones.

    Attributes:
        video: Name of the video.
        number: Id of the object.
        region: Statistics of J.
        contour: Statistics of F.
        frames: Numbers of the scored frames.
        overlap: J in each of them.
    """

    video: str
    number: int
    region: Statistics
    contour: Statistics
    frames: tuple[int, ...] = ()
    overlap: tuple[float, ...] = ()

    @property
    def sides(self) -> tuple[Statistics, Statistics]:
        """J and F statistics."""
        return self.region, self.contour

    @property
    def mean(self) -> float:
        """J&F as a fraction."""
        return (self.region.mean + self.contour.mean) / 2


@dataclass(frozen=True)
class WrittenMask:
    """A mask that was written, with what the server requires of it.

    Attributes:
        video: Name of the video.
        frame: Name of the frame without suffix.
        size: Height and width of the frame.
        ids: Object ids that were given in the video.
    """

    video: str
    frame: str
    size: tuple[int, int]
    ids: frozenset[int]


@METRICS.register_module()
class VOSMetric(BaseMetric):
    """J and F of DAVIS in percent, per object and over all objects, with predictions in the format of the servers.

    Reads ``sequence`` and ``pred_masks`` ``(T, H, W)`` of the samples. Writes to ``out_dir``: the masks of the wanted
    frames, ``per_sequence.csv``, ``per_object.csv``, ``global.csv``, and ``report.html`` for inspection.

    Args:
        out_dir: Folder of the results, relative to that of the log; None to write nothing.
        score: Whether to compare with the annotation, which is impossible where only the first masks are public.
        archive: Whether to write ``<out_dir>.zip`` for submission, with one folder per video at its top level.
        top_folder: Folder inside the archive that contains the folders of the videos (YouTube-VOS: ``Annotations``).
        show_table: Whether to print the scores of every video.
        fps: Frames per second, by which the report gives times in seconds; None for frame numbers.
        overlays: Whether the report has a video with the drawn masks of each video.
        collect_device: Device on which results of several ranks are collected.
        prefix: Prefix of the metric names.

    Raises:
        ValueError: If ``archive`` or ``overlays`` is set without ``out_dir``.
    """

    default_prefix = 'vos'

    def __init__(
        self,
        out_dir: str | None = None,
        *,
        score: bool = True,
        archive: bool = False,
        top_folder: str = '',
        show_table: bool = True,
        fps: float | None = None,
        overlays: bool = False,
        collect_device: str = 'cpu',
        prefix: str | None = None,
    ) -> None:
        super().__init__(collect_device, prefix)
        if (archive or overlays) and not out_dir:
            raise ValueError(f'{"archive" if archive else "overlays"}=True requires out_dir')
        self.fps, self.overlays = fps, overlays
        self.out_dir, self.score, self.archive = out_dir, score, archive
        self.top_folder, self.show_table = top_folder, show_table
        self._places: dict[str, str] = {}  # of the videos that were processed, by name

    def process(self, data_batch: Any, data_samples: Sequence[dict[str, Any]]) -> None:
        """Write and score the masks of videos; videos that cannot be scored are named here and counted at the end."""
        for sample in data_samples:
            sequence, failure = sample['sequence'], sample.get('failure')
            check_name(self._places, sequence)
            rows: list[ObjectScores] | None = []
            files: list[WrittenMask] = []
            try:
                if failure:
                    raise ValueError(failure)
                if self.out_dir:
                    files = self._write(self.out_dir, sequence, sample['pred_masks'])
                if self.score:
                    rows = self._score(sequence, sample['pred_masks'])
            except ValueError as error:
                MMLogger.get_current_instance().warning(f'{sequence.name} is left out: {error}')
                rows = None
            self.results.append((sequence.name, rows, files))

    def _write(self, out_dir: str, sequence: Any, masks: np.ndarray) -> list[WrittenMask]:
        """Write the wanted masks and the image of the report; return the contents of an archive."""
        for number in sequence.wanted:
            write_mask(mask_path(out_dir, sequence, number), masks[number])
        write_strip(out_dir, sequence, masks)
        if self.overlays:
            write_overlay(out_dir, sequence, masks, self.fps or _USUAL_FPS)
        if not self.archive:
            return []
        size = sequence.read_frame(0).shape[:2]
        ids = frozenset(number for frame in sequence.given for number in mask_ids(sequence.read_mask(frame))) - {VOID}
        return [WrittenMask(sequence.name, sequence.frames[n].stem, size, ids) for n in sequence.wanted]

    @staticmethod
    def _score(sequence: Any, masks: np.ndarray) -> list[ObjectScores]:
        annotated = sorted(sequence.masks)
        scores = score_sequence(
            (masks[n] for n in annotated),
            (sequence.read_mask(n) for n in annotated),
            skip_gaps=sequence.skip_gaps,
        )
        logger = MMLogger.get_current_instance()
        if scores.absent:
            logger.warning(
                f'{sequence.name}: the first mask has no objects {list(scores.absent)}, but one with the id '
                f'{scores.ids[-1]}. As in the official evaluation, all ids up to that count, and absent ones have '
                "perfect scores: number the objects from 1 without gaps, or use layout='folders'"
            )
        if scores.late:
            late = ', '.join(f'{i} (from frame {sequence.frames[annotated[n]].stem})' for i, n in scores.late.items())
            logger.warning(
                f'{sequence.name}: these objects appear later than the first mask, so they are not given, and count as '
                f'background or, up to the largest id, as missed: {late}'
            )
        return [
            ObjectScores(sequence.name, number, *pair, tuple(annotated[1:-1]), tuple(region.tolist()))
            for number, pair, region in zip(scores.ids, scores.statistics(), scores.region, strict=True)
        ]

    def compute_metrics(self, results: list[tuple[Any, ...]]) -> dict[str, float]:
        """Average over the objects of all videos, and count the videos that could not be scored.

        Raises:
            ValueError: If no video could be scored, or videos are missing from the archive.
        """
        # in the order of the list; a video that several ranks processed counts once
        results = list({name: (name, rows, files) for name, rows, files in results}.values())
        rows = [row for _, part, _ in results for row in part or ()]
        metrics: dict[str, float] = {}
        if self.archive and self.out_dir:
            metrics['archived_masks'] = self._write_archive(self.out_dir, results)
        if self.score:
            metrics |= self._scores(rows, num_failed=sum(part is None for _, part, _ in results))
            if self.out_dir:
                write_tables(self.out_dir, rows, metrics)
            if self.show_table and is_main_process():
                Console().print(table(rows, metrics))
        if self.out_dir:
            write_report(
                self.out_dir,
                [name for name, *_ in results],
                by_video(rows) if self.score else {},
                metrics,
                curves=_curves(rows),
                fps=self.fps,
                facts=facts_of_test(Path(self.out_dir).with_name(RECORD)),
            )
        return metrics

    def _scores(self, rows: list[ObjectScores], num_failed: int) -> dict[str, float]:
        """Average over the objects, in percent, and count the videos that could not be scored."""
        if not rows:
            raise ValueError('none of the videos could be scored: see the warnings above')
        metrics = {name: 100 * value for name, value in summarize([row.sides for row in rows]).items()}
        return metrics | ({'unscored_videos': num_failed} if num_failed else {})

    def _write_archive(self, out_dir: str, results: list[tuple[Any, ...]]) -> int:
        """Write the archive for an evaluation server, which needs the masks of every video."""
        if failed := [name for name, part, _ in results if part is None]:
            raise ValueError(
                f'no archive was written because {len(failed)} videos failed: {failed[:5]}; see the warnings above'
            )
        return write_archive(out_dir, [file for *_, part in results for file in part], self.top_folder)


def mask_path(out_dir: str | Path, sequence: Any, number: int) -> Path:
    """Return the path to which the mask of a frame is written.

    Raises:
        ValueError: If the name of the video leads out of ``out_dir``.
    """
    return path_below(out_dir, sequence.name, f'{sequence.frames[number].stem}.png')


def by_video(rows: Sequence[ObjectScores]) -> dict[str, tuple[float, float, float]]:
    """Average J&F, J and F, in percent, over the objects of each video; the worst video first."""
    means = {}
    for name in dict.fromkeys(row.video for row in rows):
        own = [row for row in rows if row.video == name]
        region, contour = (float(np.mean([getattr(row, part).mean for row in own])) for part in ('region', 'contour'))
        means[name] = (50 * (region + contour), 100 * region, 100 * contour)
    return dict(sorted(means.items(), key=lambda item: item[1][0]))


def _curves(rows: Sequence[ObjectScores]) -> dict[str, dict[int, tuple[tuple[int, ...], tuple[float, ...]]]]:
    """Return frames and J of each object, by video."""
    curves: dict[str, dict[int, tuple[tuple[int, ...], tuple[float, ...]]]] = {}
    for row in rows:
        curves.setdefault(row.video, {})[row.number] = row.frames, row.overlap
    return curves


def table(rows: Sequence[ObjectScores], metrics: dict[str, float]) -> Table:
    """Format the scores of all videos, the worst first, and of all objects."""
    result = Table(box=None)
    for title in ('video', 'objects', 'J&F', 'J', 'F'):
        result.add_column(title, justify='left' if title == 'video' else 'right')
    for name, values in by_video(rows).items():
        count = sum(row.video == name for row in rows)
        result.add_row(name, str(count), *(f'{value:.1f}' for value in values))
    result.add_section()
    means = [f'{metrics[key]:.1f}' for key in ('J&F', 'J_mean', 'F_mean')]
    result.add_row('all objects', str(len(rows)), *means, style='bold')
    return result


def write_tables(out_dir: str | Path, rows: Sequence[ObjectScores], metrics: dict[str, float]) -> None:
    """Write ``per_object.csv``, ``per_sequence.csv`` and ``global.csv``."""
    objects = [
        (row.video, row.number, *(100 * float(value) for side in row.sides for value in side))
        for row in sorted(rows, key=lambda row: row.mean)
    ]
    statistics = [f'{side}_{name}' for side in 'JF' for name in Statistics._fields]
    videos = [(name, *map(float, values)) for name, values in by_video(rows).items()]
    write_csv(Path(out_dir, 'per_object.csv'), [('video', 'object', *statistics), *objects])
    write_csv(Path(out_dir, 'per_sequence.csv'), [('video', 'J&F', 'J_mean', 'F_mean'), *videos])
    write_csv(Path(out_dir, 'global.csv'), [tuple(metrics), tuple(map(float, metrics.values()))])


def write_archive(out_dir: str | Path, masks: Sequence[WrittenMask], top_folder: str = '') -> int:
    """Write ``<out_dir>.zip`` with the listed masks.

    Args:
        out_dir: Folder of the masks.
        masks: Masks to include.
        top_folder: Folder inside the archive that contains the folders of the videos.

    Returns:
        Number of masks.

    Raises:
        FileNotFoundError: If a mask is missing.
        ValueError: If a server would reject a mask: it must be a palette PNG of the frame's size with given ids only.
    """
    out_dir = Path(out_dir)
    paths = [path_below(out_dir, mask.video, f'{mask.frame}.png') for mask in masks]
    if missing := [path for path in paths if not path.is_file()]:
        raise FileNotFoundError(
            f'{len(missing)} of {len(paths)} masks to archive are missing, for example {missing[0]}'
        )

    def write(name: str) -> None:
        with zipfile.ZipFile(name, 'w', zipfile.ZIP_DEFLATED) as archive:
            for path, mask in zip(paths, masks, strict=True):
                _check_written(path, mask)
                archive.write(path, str(Path(top_folder, path.relative_to(out_dir))))

    write_atomically(out_dir.with_name(f'{out_dir.name}.zip'), write)
    return len(paths)


def _check_written(path: Path, mask: WrittenMask) -> None:
    values, palette = read_stored(path)
    if palette is None:
        raise ValueError(f'{path} has no palette: it was not written by this evaluation')
    if values.shape != mask.size:
        raise ValueError(
            f'{path} is {values.shape[0]} x {values.shape[1]}, but its frame is {mask.size[0]} x {mask.size[1]}'
        )
    if unknown := set(mask_ids(values)) - {0, *mask.ids}:
        raise ValueError(
            f'{path} has the ids {sorted(unknown)}, but those given in {mask.video} are {sorted(mask.ids)}'
        )
