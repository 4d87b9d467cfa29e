"""What a model is fed, drawn as in the first epoch of a run: frames, crops, masks, views and pseudo masks."""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmcv.transforms import Compose
from mmengine.config import Config
from mmengine.logging import MMLogger
from mmengine.registry import init_default_scope

from mmsigma import compat
from mmsigma.datasets.alignment.phase_dataset import find_phases, read_phases
from mmsigma.datasets.transforms.alignment import resample_phases
from mmsigma.datasets.vos.pseudo_masks import LoadPseudoMasks, PseudoMaskRounds
from mmsigma.io.video import write_playable
from mmsigma.registry import DATA_SAMPLERS, DATASETS, MODELS
from mmsigma.utils.preflight import ConfigError
from mmsigma.utils.seeding import seeded_numpy
from mmsigma.visualization.fed_samples import FedSample, describe, fit_frame, heading, rows_of
from mmsigma.visualization.labelled_grid import Row, labelled_grid
from mmsigma.visualization.masked_video import write_picture

SPLITS = ('train', 'val', 'test')


class Recorder:
    """A pipeline that keeps the frames as they were decoded, and the results before they are packed."""

    def __init__(self, pipeline: Any) -> None:
        self.transforms = pipeline.transforms
        self.frames: list[np.ndarray] = []
        self.results: dict[str, Any] = {}

    def __call__(self, results: dict[str, Any]) -> dict[str, Any]:
        self.frames, self.results = list(results.get('imgs', ())), results
        for step in self.transforms:
            results = step(results)
            if 'imgs' in results:
                self.frames = self.frames or list(results['imgs'])
                self.results = results
        return results


class FedSamples:
    """The data of a config, drawn as in the first epoch.

    Args:
        cfg: Config.
        split: ``'train'``, ``'val'`` or ``'test'``.
        rounds: Folder of pseudo masks to draw, see ``PseudoMaskRounds``.

    Raises:
        ConfigError: If pseudo masks are asked for, and no transform reads them.
        FileNotFoundError: If there are none.
    """

    def __init__(self, cfg: Config, split: str, rounds: Path | None = None) -> None:
        init_default_scope(cfg.get('default_scope', 'mmsigma'))
        for handler in MMLogger.get_current_instance().handlers:
            handler.addFilter(compat.DropKnownNoise())
        self.loader = cfg[f'{split}_dataloader']
        self.dataset = DATASETS.build(self.loader.dataset)
        self.recorders = [_record(leaf) for leaf in _leaves(self.dataset) if hasattr(leaf, 'pipeline')]
        self.seed = cfg.get('randomness', {}).get('seed') or 0
        self.phases = _phase_folder(cfg)
        self.preprocessor = None
        settings = (cfg.get('model') or {}).get('data_preprocessor') or {}
        if split == 'train' and str(settings.get('type')).endswith('MotionGuidedPreprocessor'):
            self.preprocessor = MODELS.build(settings)
        if rounds:
            self._use(rounds)

    def _use(self, rounds: Path) -> None:
        readers = [
            step for recorder in self.recorders for step in recorder.transforms if isinstance(step, LoadPseudoMasks)
        ]
        if not readers:
            raise ConfigError('--rounds: none of its transforms reads pseudo masks')
        folder = rounds / 'rounds' if (rounds / 'rounds').is_dir() else rounds
        if PseudoMaskRounds(folder).current() is None:
            raise FileNotFoundError(f'--rounds: there is no round of pseudo masks in {folder}')
        for step in readers:
            step.folder = str(folder)

    def groups(self, number: int) -> Iterator[tuple[int, list[FedSample]]]:
        """Yield ``number`` groups of samples that belong on one picture, with the index of the first."""
        settings = self.loader.get('sampler') or {}
        if not str(settings.get('type')).endswith('ClassGroupSampler'):
            places = np.linspace(0, len(self.dataset) - 1, min(number, len(self.dataset))).astype(int)
            for index in places.tolist():
                yield index, self._draw(index, (self.seed, 0, index))
            return
        sampler = DATA_SAMPLERS.build(dict(settings, dataset=self.dataset, seed=self.seed))
        sampler.num_groups = number
        drawn = iter(sampler)
        while group := list(islice(drawn, sampler.group_size)):
            yield int(group[0]), [sample for index in group for sample in self._draw(int(index), index.seed)]

    def _draw(self, index: int, seed: tuple[int, ...]) -> list[FedSample]:
        """Draw what a dataset has at an index: one sample, or several of a video that is augmented several times."""
        for recorder in self.recorders:
            recorder.frames, recorder.results = [], {}
        with seeded_numpy(seed), torch.random.fork_rng(devices=[]):
            torch.manual_seed(abs(hash(seed)))
            packed = self.dataset[index]
            for one in packed if isinstance(packed, list) else [packed]:
                if self.preprocessor is not None:
                    data = dict(inputs=[one['inputs']], data_samples=[one['data_samples']])
                    one['data_samples'] = self.preprocessor(data, training=True)['data_samples'][0]
        used = next((recorder for recorder in self.recorders if recorder.results), Recorder(Compose([])))
        if isinstance(packed, list):
            read, known = used.results.get('frame_inds'), {'avg_fps': used.results.get('avg_fps')}
            return [  # the recorder has the last draw, whose frames are those of all if one clip is cut several times
                FedSample(one, used.frames if _same(one['data_samples'].get('frame_inds'), read) else (), known)
                for one in packed
            ]
        self._add_phases(packed['data_samples'])
        return [FedSample(packed, used.frames, used.results)]

    def _add_phases(self, fed: Any) -> None:
        """Add the phases of a video to align, which training may do without, from where the test finds them."""
        if 'steps' not in fed or 'frame_labels' in fed or self.phases is None:
            return
        if path := find_phases(self.phases, fed.filename):
            fed.set_field(torch.from_numpy(resample_phases(read_phases(path), fed.num_frames)), 'frame_labels')


def _same(numbers: Any, others: Any) -> bool:
    return numbers is not None and others is not None and np.array_equal(np.ravel(numbers), np.ravel(others))


def _phase_folder(cfg: Config) -> Path | None:
    test = (cfg.get('test_dataloader') or {}).get('dataset') or {}
    named = [part for part in test.get('datasets', [test]) if part.get('phases')]
    return Path(named[0].get('data_root', ''), named[0]['phases']) if named else None


def _leaves(dataset: Any) -> Iterator[Any]:
    """Yield the datasets that others are made of."""
    parts = getattr(dataset, 'datasets', None) or [getattr(dataset, 'dataset', None)]
    if parts == [None]:
        yield dataset
        return
    for part in parts:
        yield from _leaves(part)


def _record(dataset: Any) -> Recorder:
    if hasattr(dataset, 'full_init'):
        dataset.full_init()
    recorder = dataset.pipeline = Recorder(dataset.pipeline)
    return recorder


def write_group(
    folder: Path, index: int, samples: list[FedSample], *, columns: int, playing: dict[str, Any] | None = None
) -> Path:
    """Write samples that belong together as an image, or as a video; return its path.

    Args:
        folder: Folder to write to.
        index: Index of the first sample, with which the name begins.
        samples: The samples.
        columns: Number of frames in an image.
        playing: ``fps`` and ``height`` of a video; None for an image.
    """
    stem = Path(describe(samples[0]).split('  ')[0]).stem.replace(' ', '_')
    path = folder / f'{index:06d}_{stem}'
    if playing is None:
        path = path.with_name(f'{path.name}.png')
        rows = [row for sample in samples for row in rows_of(sample, columns)]
        write_picture(path, labelled_grid(rows, heading(samples)))
        return path
    path = path.with_name(f'{path.name}.mp4')
    rows = [row for sample in samples for row in rows_of(sample)]
    write_playable(path, _played(rows, heading(samples)), playing['fps'], height=playing['height'])
    return path


def _played(rows: list[Row], title: str) -> Iterator[np.ndarray]:
    """Yield frames in which the rows play side by side; shorter rows are slower."""
    length = max(len(row.images) for row in rows)
    size = rows[0].images[0].shape[:2]
    for time in range(length):
        places = [time * len(row.images) // length for row in rows]
        shown = (np.asarray(row.images[place]) for row, place in zip(rows, places, strict=True))
        panels = [fit_frame(image, None, *size) for image in shown]
        moment = rows[0].captions[places[0]].replace('\n', ' · ') if rows[0].captions else ''
        yield labelled_grid([Row(moment, panels, [row.title for row in rows])], title)


def choose_split(cfg: Config, split: str | None) -> str:
    """Return the split to show.

    Raises:
        ConfigError: If the config has no such data.
    """
    present = [name for name in SPLITS if cfg.get(f'{name}_dataloader')]
    wanted = split or next(iter(present), 'train')
    if wanted not in present:
        others = f': it has --split {" and ".join(present)}' if present else ', nor any other data'
        raise ConfigError(f'it has no {wanted}_dataloader{others}')
    if split is None and wanted != 'train':
        print(f'there is no training data: this is the data for {wanted}')
    return wanted
