"""Inferencer that labels videos with the classes of a fine-tuned or probed classifier."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, overload

import numpy as np
import torch
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.logging import MMLogger

from mmsigma.apis.features import dataset_of
from mmsigma.apis.inferencer import Inferencer, Pipeline
from mmsigma.apis.models import class_names_of_checkpoint
from mmsigma.apis.results import VideoResult
from mmsigma.datasets.videos.video_dataset import CLASSES, read_class_names
from mmsigma.io.frame_sources import VideoInput
from mmsigma.visualization.labels import draw_scores

_MAX_CLIPS = 16  # in one forward pass, if a video has fewer


@dataclass(frozen=True, eq=False, repr=False)
class Classified(VideoResult):
    """Classes of a video, the most likely one first.

    Attributes:
        name: Name of the video.
        labels: The ``top_k`` best classes, ``(k,)``, int64.
        names: Their names.
        scores: Scores of all classes, ``(C,)``, float32, the mean over clips and crops; they add up to 1 unless a video
            may have several classes.
        frames: Four frames of the middle view of those that were scored, ``(4, S, S, 3)``, uint8.
    """

    name: str
    labels: np.ndarray
    names: list[str]
    scores: np.ndarray
    frames: np.ndarray

    @property
    def label(self) -> str:
        """Name of the most likely class."""
        return self.names[0]

    @property
    def caption(self) -> str:
        found = zip(self.names, self.scores[self.labels], strict=True)
        return ', '.join(f'{name} {score:.3f}' for name, score in found)

    def arrays(self) -> dict[str, np.ndarray]:
        return dict(scores=self.scores, labels=self.labels)

    def table(self) -> list[list[object]]:
        rows = zip(self.labels.tolist(), self.names, self.scores[self.labels].tolist(), strict=True)
        titles: list[object] = ['video', 'rank', 'label', 'name', 'score']
        return [titles, *([self.name, rank, *row] for rank, row in enumerate(rows, 1))]

    def picture(self) -> np.ndarray:
        return draw_scores(self.names, self.scores[self.labels], self.frames)


class VideoClassifier(Inferencer):
    """Label videos by the clips and crops of the config's test pipeline, whose scores are averaged.

    ::

        classify = VideoClassifier('mmsigma::finetune/vitb_k400', 'k400.pth', classes='data/kinetics400/classes.txt')
        classify('my_video.mp4').label                            # 'walking'
        classify(['my_video.mp4', frames], top_k=3)[1].scores     # (400,)
        classify('my_video.mp4').save('results/mine')              # scores.npy, labels.npy, table.csv, picture.png

    Names of classes are those of ``classes``, of the checkpoint (which has them if ``classes.txt`` was beside the
    training list), of ``classes.txt`` beside the weights (as in an exported folder) or beside the lists of the config;
    otherwise, classes are named by their number.

    Args:
        config: Config of fine-tuning or probing, or checkpoint of such a run, see :class:`Inferencer`.
        checkpoint: Weights of the whole model, see :class:`Inferencer`.
        classes: Names of the classes by label, or a file with one per line.
        **settings: Further arguments of :class:`Inferencer`.

    Raises:
        ValueError: If the number of names differs from that of classes; see also :class:`Inferencer`.
    """

    needs = 'classify_views'
    use = 'use a config of configs/finetune or configs/linear to label videos'
    with_head = True

    def __init__(
        self,
        config: str | Path,
        checkpoint: str | Path | None = None,
        *,
        classes: str | Path | Sequence[str] | None = None,
        trust: bool = False,
        **settings: Any,
    ) -> None:
        super().__init__(config, checkpoint, trust=trust, **settings)
        self.pipeline = Pipeline(dataset_of(self.cfg, None)['pipeline'])
        self.classes = self._class_names(classes, trust)

    @classmethod
    def suits(cls, cfg: Config) -> bool:
        return super().suits(cfg) and bool(cfg.model.get('head'))

    def _class_names(self, classes: str | Path | Sequence[str] | None, trust: bool) -> list[str]:
        number = self.model.head.num_classes
        if classes is not None:
            names = read_class_names(Path(classes)) if isinstance(classes, str | Path) else list(classes)
            if len(names) != number:
                raise ValueError(f'classes has {len(names)} names, but the model has {number} classes: one for each')
            return names
        known = class_names_of_checkpoint(self.weights, trust=trust) if self.weights else []
        known = known or self._class_names_beside_weights() or _class_names_of_lists(self.cfg)
        if known and len(known) != number:
            MMLogger.get_current_instance().warning(
                f'{len(known)} names of classes were found for {number} classes and are not used: pass classes=...'
            )
        return known if len(known) == number else [str(label) for label in range(number)]

    def _class_names_beside_weights(self) -> list[str]:
        """Return the names in ``classes.txt`` beside the weights, as in an exported folder; empty if there is none."""
        path = Path(self.weights).with_name(CLASSES) if self.weights else None
        return read_class_names(path) if path and path.is_file() else []

    @overload
    def __call__(self, video: VideoInput, top_k: int = 5) -> Classified: ...

    @overload
    def __call__(self, video: list[VideoInput], top_k: int = 5) -> list[Classified]: ...

    def __call__(self, video: VideoInput | list[VideoInput], top_k: int = 5) -> Classified | list[Classified]:
        """Label a video, or several.

        Args:
            video: Video, or list of videos.
            top_k: Number of classes to name; at most all.

        Raises:
            mmsigma.datasets.transforms.UnreadableVideoError: If a video cannot be read.
            ValueError: If a video is invalid, or ``top_k`` is not positive.
        """
        if top_k < 1:
            raise ValueError(f'top_k must be positive, got {top_k}')
        found: list[Classified] = []
        for samples in self.pipeline.batches(video if isinstance(video, list) else [video], _MAX_CLIPS):
            with torch.no_grad(), self.autocast():
                results = self.model.test_step(pseudo_collate(samples))
            found += [
                self._result(result, _some_frames(sample['inputs']), top_k)
                for result, sample in zip(results, samples, strict=True)
            ]
        return found if isinstance(video, list) else found[0]

    def _result(self, sample: Any, frames: np.ndarray, top_k: int) -> Classified:
        scores = sample.pred_score.float().cpu()
        labels = scores.topk(min(top_k, len(scores))).indices.numpy()
        return Classified(sample.video_name, labels, [self.classes[label] for label in labels], scores.numpy(), frames)


def _some_frames(views: torch.Tensor) -> np.ndarray:
    """Return frames ``(4, H, W, 3)`` of the middle one of views ``([V,] 3, T, H, W)``, uint8."""
    view = views[len(views) // 2] if views.ndim == 5 else views
    places = torch.linspace(0, view.shape[1] - 1, 4).round().long()
    return view[:, places].permute(1, 2, 3, 0).numpy()


def _class_names_of_lists(cfg: Config) -> list[str]:
    """Return the names of the classes beside the lists of a config; empty if there are none."""
    for key in ('train_dataloader', 'test_dataloader'):
        dataset = (cfg.get(key) or {}).get('dataset')
        if isinstance(dataset, Mapping) and dataset.get('ann_file'):
            path = Path(dataset.get('data_root') or '', dataset['ann_file']).with_name(CLASSES)
            if path.is_file():
                first, last = dataset.get('label_range') or (0, None)
                return read_class_names(path)[first : None if last is None else last + 1]
    return []
