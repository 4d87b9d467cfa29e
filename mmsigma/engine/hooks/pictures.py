"""Hook that draws images of a training run."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmengine.visualization import LocalVisBackend
from torch.utils.data import IterableDataset

from mmsigma.datasets import SeededIndex, flatten_collate
from mmsigma.engine.sharding import is_sharded
from mmsigma.io.atomic import make_folder
from mmsigma.io.pictures import read_picture
from mmsigma.registry import HOOKS
from mmsigma.visualization.fed_samples import FedSample, heading, rows_of
from mmsigma.visualization.labelled_grid import Row, labelled_grid
from mmsigma.visualization.masked_video import draw_curves, write_picture
from mmsigma.visualization.prototypes import prototype_rows

_COLUMNS = 8  # frames per row
_MIN_SIDE = 128  # pixels; smaller frames are enlarged by an integer factor


@HOOKS.register_module()
class PicturesHook(Hook):
    """Write images to ``<log_dir>/pictures``: what the model is fed, prototypes if it has any, and curves.

    They are also sent to TensorBoard or Weights & Biases if the run has such a backend.

    The clips are the same throughout a run and are drawn with seeds of their own. The model stays in training mode,
    which makes no difference here, as targets have neither dropout nor statistics that are updated.

    Args:
        interval: Number of epochs between images; they are also written at the end.
        num_clips: Number of clips per image.
        num_prototypes: Number of prototypes per image.
    """

    priority = 'VERY_LOW'

    def __init__(self, interval: int = 50, num_clips: int = 8, num_prototypes: int = 6) -> None:
        self.interval, self.num_clips, self.num_prototypes = interval, num_clips, num_prototypes

    def after_train_epoch(self, runner: Runner) -> None:
        if self.every_n_epochs(runner, self.interval) or self.is_last_train_epoch(runner):
            folder = Path(runner.log_dir) / 'pictures'
            self.draw(runner, folder)
            if is_main_process():
                send_pictures(runner, sorted(folder.glob('*.png')))

    def draw(self, runner: Runner, folder: Path) -> None:
        """Draw all images into ``folder``, in the main process; a sharded model computes in all of them."""
        model = getattr(runner.model, 'module', runner.model)
        if not is_main_process() and not is_sharded(model):
            return
        samples = self._samples(runner.train_dataloader.dataset)
        scores = None
        if samples and hasattr(getattr(model, 'head', None), 'prototypes'):
            with torch.no_grad():
                batch = flatten_collate([sample.packed for sample in samples])
                inputs = model.data_preprocessor(batch)['inputs']
                scores = model.prototype_scores(inputs).float().cpu()
        if not is_main_process():
            return
        make_folder(folder)
        try:
            rows = [row for sample in samples[: self.num_clips // 2] for row in _titled(sample)]
            picture = labelled_grid(rows, min_side=_MIN_SIDE)
        except ValueError as error:  # a dataset of the user's own
            runner.logger.warning(f'{folder / "inputs.png"} is not drawn: {error}')
        else:
            write_picture(folder / 'inputs.png', picture)
        if scores is not None:
            rows = prototype_rows(samples, scores, model.backbone.grid, self.num_prototypes, _COLUMNS)
            write_picture(folder / 'prototypes.png', labelled_grid(rows, min_side=_MIN_SIDE))
        scalars = {
            name.removeprefix('train/'): buffer.data[0]
            for name, buffer in runner.message_hub.log_scalars.items()
            if name.startswith('train/')
        }
        draw_curves(scalars, folder / 'curves.png')

    def _samples(self, dataset: Any) -> list[FedSample]:
        if isinstance(dataset, IterableDataset):
            return []
        step = max(1, len(dataset) // self.num_clips)
        indices = range(0, min(len(dataset), self.num_clips * step), step)
        items = (dataset[SeededIndex.of(index, (0, 0, index))] for index in indices)
        # one sample of each clip, also with repeated augmentation
        return [FedSample(item[0] if isinstance(item, list) else item) for item in items]


def _titled(sample: FedSample) -> list[Row]:
    """Return rows of a sample whose titles name it.

    Raises:
        ValueError: If nothing is known of how to draw it.
    """
    if not isinstance(sample.packed, dict) or not {'inputs', 'data_samples'} <= sample.packed.keys():
        raise ValueError(f'a sample needs "inputs" and "data_samples", this is {type(sample.packed).__name__}')
    rows = rows_of(sample, _COLUMNS)
    return rows if sample.is_of_steps else [row._replace(title=f'{heading([sample])}: {row.title}') for row in rows]


def send_pictures(runner: Runner, paths: Sequence[Path]) -> None:
    """Send image files to the trackers of a run, by their names and the current step; most runs have none."""
    for backend in runner.visualizer._vis_backends.values():
        if isinstance(backend, LocalVisBackend):  # it would write them once more
            continue
        for path in paths:
            backend.add_image(path.stem, read_picture(path), step=runner.iter)
