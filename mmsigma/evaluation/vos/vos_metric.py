"""Scores and files of video object segmentation: J and F, tables, palette PNGs and archives to submit."""

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

from mmsigma.evaluation.vos.davis import Statistics, score_sequence, summarize
from mmsigma.io.atomic import write_atomically
from mmsigma.io.masks import VOID, mask_ids, read_stored, write_mask
from mmsigma.io.tables import write_csv
from mmsigma.registry import METRICS
from mmsigma.visualization.vos_report import write_report, write_strip


@dataclass(frozen=True)
class ObjectScores:
    """One object of one video; no tuple, as mmengine would strip those of their names."""

    video: str
    number: int
    region: Statistics
    contour: Statistics

    @property
    def sides(self) -> tuple[Statistics, Statistics]:
        """J and F."""
        return self.region, self.contour

    @property
    def mean(self) -> float:
        """J&F, a fraction."""
        return (self.region.mean + self.contour.mean) / 2


@dataclass(frozen=True)
class WrittenMask:
    """A mask that was written, and what it has to be like.

    Attributes:
        video: Name of the video.
        frame: Name of the frame, without suffix.
        size: Rows and columns of the frame.
        ids: The ids that were given in the video.
    """

    video: str
    frame: str
    size: tuple[int, int]
    ids: frozenset[int]


@METRICS.register_module()
class VOSMetric(BaseMetric):
    """J and F of DAVIS in percent, by object and over all objects; predictions are written as the servers want them.

    Reads ``sequence`` and ``pred_masks`` (T, H, W) of the samples. Written to ``out_dir``: the masks of the frames that
    are wanted, ``per_sequence.csv``, ``per_object.csv``, ``global.csv``, and ``report.html`` to look at.

    Args:
        out_dir: Folder of the results, relative to the work dir; nothing is written without.
        score: Compare with the annotation. Not possible where only first masks are public.
        archive: Also write ``<out_dir>.zip`` with a folder per video at its top level, to be submitted.
        top_folder: Folder inside the archive that holds the videos' folders (YouTube-VOS: ``Annotations``).
        show_table: Print the scores of every video.
        collect_device: Where results of several processes meet.
        prefix: Prefix of the names.
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
        collect_device: str = 'cpu',
        prefix: str | None = None,
    ) -> None:
        super().__init__(collect_device, prefix)
        if archive and not out_dir:
            raise ValueError('an archive needs out_dir')
        self.out_dir, self.score, self.archive = out_dir, score, archive
        self.top_folder, self.show_table = top_folder, show_table

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Write and score the masks of videos; a video that cannot be scored is named, and counted at the end."""
        for sample in data_samples:
            sequence, failure = sample['sequence'], sample.get('failure')
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
        """Write the masks that are wanted, then the picture of the report, and return what an archive is made of."""
        for number in sequence.wanted:
            write_mask(mask_path(out_dir, sequence, number), masks[number])
        write_strip(out_dir, sequence, masks)
        if not self.archive:
            return []
        size = sequence.read_frame(0).shape[:2]
        ids = frozenset(number for frame in sequence.given for number in mask_ids(sequence.read_mask(frame))) - {VOID}
        return [WrittenMask(sequence.name, sequence.frames[n].stem, size, ids) for n in sequence.wanted]

    @staticmethod
    def _score(sequence: Any, masks: np.ndarray) -> list[ObjectScores]:
        annotated = sorted(sequence.masks)
        scores = score_sequence((masks[n] for n in annotated), (sequence.read_mask(n) for n in annotated))
        return [ObjectScores(sequence.name, i, *pair) for i, pair in enumerate(scores.statistics(), start=1)]

    def compute_metrics(self, results: list[tuple]) -> dict[str, float]:
        """Means over the objects of all videos, and how many videos could not be scored."""
        results = sorted({name: (name, rows, files) for name, rows, files in results}.values())
        metrics: dict[str, float] = {}
        if self.archive and self.out_dir:
            if failed := [name for name, part, _ in results if part is None]:
                raise ValueError(f'there is no archive, as {len(failed)} videos were left out: {failed[:5]}')
            files = [file for *_, part in results for file in part]
            metrics['archived_masks'] = write_archive(self.out_dir, files, self.top_folder)
        videos = [name for name, *_ in results]
        if not self.score:
            if self.out_dir:
                write_report(self.out_dir, videos, {}, metrics)
            return metrics
        rows = [row for _, part, _ in results for row in part or ()]
        if not rows:
            raise ValueError('none of the videos could be scored: see the warnings above')
        metrics |= {name: 100 * value for name, value in summarize([row.sides for row in rows]).items()}
        if skipped := sum(part is None for _, part, _ in results):
            metrics['unscored_videos'] = skipped
        if self.out_dir:
            write_tables(self.out_dir, rows, metrics)
            write_report(self.out_dir, videos, by_video(rows), metrics)
        if self.show_table and is_main_process():
            Console().print(table(rows, metrics))
        return metrics


def mask_path(out_dir: str | Path, sequence: Any, number: int) -> Path:
    """Where the mask of a frame is written."""
    return Path(out_dir, sequence.name, f'{sequence.frames[number].stem}.png')


def by_video(rows: Sequence[ObjectScores]) -> dict[str, tuple[float, float, float]]:
    """J&F, J and F in percent, means over the objects of every video, worst video first."""
    means = {}
    for name in dict.fromkeys(row.video for row in rows):
        own = [row for row in rows if row.video == name]
        region, contour = (float(np.mean([getattr(row, part).mean for row in own])) for part in ('region', 'contour'))
        means[name] = (50 * (region + contour), 100 * region, 100 * contour)
    return dict(sorted(means.items(), key=lambda item: item[1][0]))


def table(rows: Sequence[ObjectScores], metrics: dict[str, float]) -> Table:
    """Scores of videos, worst first, and of all objects."""
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
    """Write the CSV files."""
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
    """Write ``<out_dir>.zip`` with the masks listed, and return their number.

    Raises:
        FileNotFoundError: If one of the masks is not there.
        ValueError: If one is not what a server takes: a palette PNG of the frame's size with ids that were given.
    """
    out_dir = Path(out_dir)
    paths = [out_dir / mask.video / f'{mask.frame}.png' for mask in masks]
    if missing := [path for path in paths if not path.is_file()]:
        raise FileNotFoundError(f'{len(missing)} of {len(paths)} masks to archive are missing, {missing[0]} for one')

    def write(name: str) -> None:
        with zipfile.ZipFile(name, 'w', zipfile.ZIP_DEFLATED) as archive:
            for path, mask in zip(paths, masks, strict=True):
                _check_written(path, mask)
                archive.write(path, str(Path(top_folder, path.relative_to(out_dir))))

    write_atomically(out_dir.with_name(f'{out_dir.name}.zip'), write)
    return len(paths)


def _check_written(path: Path, mask: WrittenMask) -> None:
    values, has_palette = read_stored(path)
    if not has_palette:
        raise ValueError(f'{path} has no palette: it was not written by this evaluation')
    if values.shape != mask.size:
        raise ValueError(f'{path} is {values.shape[0]} x {values.shape[1]}, its frame {mask.size[0]} x {mask.size[1]}')
    if unknown := set(mask_ids(values)) - {0, *mask.ids}:
        raise ValueError(f'{path} has the ids {sorted(unknown)}, but given in {mask.video} were {sorted(mask.ids)}')
