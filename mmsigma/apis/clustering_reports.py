"""Pages on clusters: the pseudo masks of a run of Mask-VOS, and what the prototypes of a SIGMA pick out."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from mmsigma.datasets.transforms import ReadClip, UnreadableVideoError
from mmsigma.datasets.vos.pseudo_masks import PseudoMaskRounds, PseudoMasks
from mmsigma.engine.hooks.recluster import ReclusterHook
from mmsigma.io.decoders import VideoDecoder
from mmsigma.io.feature_store import digest
from mmsigma.io.tables import write_csv
from mmsigma.registry import DATASETS, HOOKS
from mmsigma.utils.config import load_config
from mmsigma.visualization.masked_video import write_picture
from mmsigma.visualization.pseudo_masks import draw_pseudo_masks
from mmsigma.visualization.report import Page

_NUMBERS = {
    'clusters_per_video': 'clusters per video',
    'largest_share': 'share of the largest, mean, %',
    'without_objects': 'videos without objects',
    'unreadable': 'not readable',
}
"""What the manifest of a round says, with titles."""


def clustered_videos(run: str | Path) -> tuple[list[str], VideoDecoder, str]:
    """Return the videos that a run of Mask-VOS clusters, their decoder, and the file of its config.

    Args:
        run: Work dir of the run.

    Raises:
        FileNotFoundError: If there is no config, or no folder of the data.
        ValueError: If there are several configs, or one without ``ReclusterHook``.
    """
    configs = sorted(Path(run).glob('*.py'))
    if not configs:
        raise FileNotFoundError(f'there is no config in {run}: give the work dir of a run of Mask-VOS')
    if len(configs) > 1:
        raise ValueError(f'{run} has the configs {[path.name for path in configs]}: keep that of the run')
    cfg = load_config(configs[0])
    hooks = [hook for hook in cfg.get('custom_hooks', ()) if HOOKS.get(str(hook['type'])) is ReclusterHook]
    if not hooks:
        raise ValueError(f'{configs[0]} has no ReclusterHook: only runs of Mask-VOS have pseudo masks')
    try:
        dataset = DATASETS.build(cfg.train_dataloader.dataset)
    except FileNotFoundError as error:
        raise FileNotFoundError(
            f'{error}; paths in {configs[0]} may be relative to the folder in which the run was started: go there'
        ) from error
    names = dict.fromkeys(dataset.get_data_info(place)['filename'] for place in range(len(dataset)))
    decoder = next(step.decoder for step in dataset.pipeline.transforms if isinstance(step, ReadClip))
    return list(names), decoder, str(configs[0])


def write_rounds_report(
    out: str | Path,
    rounds: PseudoMaskRounds,
    videos: Sequence[str],
    decoder: VideoDecoder = 'auto',
    *,
    facts: Mapping[str, Any] | None = None,
    num_videos: int = 12,
) -> Path:
    """Write the numbers of all rounds, and the pseudo masks of some videos in the current one.

    Args:
        out: Folder of the page.
        rounds: Rounds of the run.
        videos: All clustered videos, as the dataset names them.
        decoder: Decoder of the videos.
        facts: What was run, by name.
        num_videos: Number of videos to show, spread over all.

    Returns:
        Path of the page.

    Raises:
        FileNotFoundError: If there is no round, or the current one lacks a video.
        ValueError: If a file of a round is damaged.
    """
    current = rounds.current()
    if current is None:
        raise FileNotFoundError(f'there is no round of pseudo masks in {rounds.folder}: train until the first one')
    page = Page('Pseudo masks', out)
    page.facts({**(facts or {}), 'videos': len(videos), 'round shown': current, **_settings(rounds, current)})
    page.heading('Rounds')
    page.table(('round', 'epoch', *_NUMBERS.values()), _rounds(rounds, current))
    shares = [_shares(video, rounds.load(current, video)) for video in videos]
    titles = ('video', 'frames', 'clusters', 'may be objects', 'their share, %')
    write_csv(page.folder / 'pseudo_masks.csv', [titles, *shares])
    page.links({'pseudo_masks.csv': 'pseudo_masks.csv'})
    page.heading('Videos')
    page.paragraph('From top to bottom: the frames, all clusters, and those that may be objects, which are trained on.')
    for place in np.unique(np.linspace(0, len(videos) - 1, num_videos).round().astype(int)).tolist():
        _, frames, clusters, kept, share = shares[place]
        note = f'{kept} of {clusters} clusters may be objects, {share:.0f} % of {frames} frames'
        _add_video(page, videos[place], rounds.load(current, videos[place]), decoder, note)
    return page.write()


def _settings(rounds: PseudoMaskRounds, number: int) -> dict[str, Any]:
    told = (rounds.manifest(number) or {}).get('settings', {})
    return (
        {'clustering': ', '.join(f'{key} {value}' for key, value in told.items() if value is not None)} if told else {}
    )


def _rounds(rounds: PseudoMaskRounds, current: int) -> list[list[Any]]:
    rows = []
    for number in range(current + 1):
        made = rounds.manifest(number) or {}  # earlier ones may have been deleted
        if made:
            values = [made.get(name, '') for name in _NUMBERS]
            values[1] = 100 * values[1] if isinstance(values[1], float) else values[1]
            rows.append([number, made.get('epoch', ''), *values])
    return rows


def _shares(video: str, masks: PseudoMasks) -> tuple[str, int, int, int, float]:
    """Return a video with its numbers of frames, clusters and those that may be objects, and their share in percent."""
    share = 100 * float(np.isin(masks.labels, masks.kept).mean()) if masks.labels.size else 0.0
    return video, len(masks.frames), len(np.unique(masks.labels)), len(masks.kept), share


def _add_video(page: Page, video: str, masks: PseudoMasks, decoder: VideoDecoder, note: str) -> None:
    name = Path(video).stem
    try:
        picture = draw_pseudo_masks(masks, video, decoder)
    except UnreadableVideoError as error:  # it may have been moved since
        page.paragraph(f'{name}: {error}')
        return
    if picture is None:
        page.paragraph(f'{name}: no frame was clustered')
        return
    path = page.folder / 'report' / f'{digest(video)}.png'
    write_picture(path, picture)
    page.figure(path, name, note)


class DrawnPrototypes(NamedTuple):
    """What a page says of the prototypes in a video.

    Attributes:
        drawn: Numbers of those that were drawn.
        counts: Number of tubes whose most similar prototype each is, ``(K,)``, int64.
    """

    drawn: list[int]
    counts: np.ndarray


def write_prototypes_report(
    out: str | Path, videos: Mapping[str, DrawnPrototypes], facts: Mapping[str, Any] | None = None
) -> Path:
    """Write as a page what :meth:`mmsigma.apis.prototype_viewer.PrototypesOfVideo.write` has drawn.

    Args:
        out: Folder of the page.
        videos: Prototypes of each video, by its name; its pictures are ``<out>/<name>_prototypes.png`` and so on.
        facts: What was run, by name.

    Returns:
        Path of the page.

    Raises:
        ValueError: If there is no video.
    """
    if not videos:
        raise ValueError('there is no video to show')
    counts = np.sum([found.counts for found in videos.values()], axis=0)
    page = Page('Prototypes', out)
    used = f'{np.count_nonzero(counts)} of {len(counts)}'
    page.facts({**(facts or {}), 'videos': len(videos), 'prototypes that are the nearest of a tube': used})
    page.heading('Most frequent')
    rows = [(int(one), 100 * float(counts[one] / counts.sum())) for one in np.argsort(-counts, kind='stable')]
    write_csv(page.folder / 'prototypes.csv', [('prototype', 'nearest of tubes, %'), *rows])
    page.table(('prototype', 'nearest of tubes, %'), [row for row in rows[:10] if row[1]])
    page.links({'prototypes.csv': 'prototypes.csv'})
    for name, found in videos.items():
        page.heading(name)
        numbers = ', '.join(map(str, found.drawn))
        note = (
            f'the clip, and below it the tubes most similar to the prototypes {numbers}. Unless they were named, they '
            'are those that stand out, far more similar to some tubes of this clip than to the others; one that is the '
            'nearest of most tubes tells nothing about them, and one that stands out may still be the nearest of none'
        )
        page.figure(f'{name}_prototypes.png', 'prototypes', note)
        page.figure(f'{name}_prototypes.mp4', 'the same, frame by frame')
        page.figure(f'{name}_features.mp4', 'features', 'principal components of the tokens as colours')
    return page.write()
