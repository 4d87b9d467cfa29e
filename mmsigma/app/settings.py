"""What the web app is started with, and the models that it runs."""

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from threading import Lock
from typing import Any, TypeVar

import torch
from mmengine.config import Config

from mmsigma.apis import FeatureExtractor, VideoAligner, VideoSegmenter, load_model
from mmsigma.apis.inferencer import Inferencer
from mmsigma.apis.models import open_config
from mmsigma.apis.prototype_viewer import PrototypeViewer

_Kind = TypeVar('_Kind', bound=Inferencer)


@dataclass(frozen=True)
class Chosen:
    """A model of the app.

    Attributes:
        config: Config, a file or a name; or the checkpoint of a run.
        checkpoint: Weights; None for those that the config names or contains, or else initial ones.
    """

    config: str
    checkpoint: str | None = None


@dataclass(frozen=True)
class Settings:
    """What the app is started with.

    Attributes:
        segment: Model that segments.
        align: Model that aligns.
        search: Model whose features are searched.
        prototypes: Model whose prototypes are shown.
        videos: Folder of videos to search; None for generated ones.
        max_upload: Size of an uploaded file, at most, such as ``'200mb'``.
        max_seconds: Length of a video, at most.
        short_side: Short side of the frames that are segmented, at most; larger ones are reduced.
        device: Device to run on; None for a GPU if there is one.
        trust: Whether checkpoints may execute code while they are loaded.
    """

    segment: Chosen = Chosen('mmsigma::vos/resnet10t')
    align: Chosen = Chosen('mmsigma::demo/gta_tiny_demo')
    search: Chosen = Chosen('mmsigma::demo/sigma_tiny_demo_mlp')
    prototypes: Chosen = Chosen('mmsigma::demo/sigma_tiny_demo_mlp')
    videos: Path | None = None
    max_upload: str = '200mb'
    max_seconds: float = 60.0
    short_side: int = 360
    device: str | None = None
    trust: bool = False


@dataclass
class Models:
    """The inferencers of the app, each built when it is first needed.

    Attributes:
        settings: Which models.
        folder: Temporary folder, for initial weights.
    """

    settings: Settings
    folder: Path
    _weights: dict[Chosen, str] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)  # visitors may need their first models at once

    @cached_property
    def segmenter(self) -> VideoSegmenter:
        return self._build(VideoSegmenter, self.settings.segment, short_side=self.settings.short_side)

    @cached_property
    def aligner(self) -> VideoAligner:
        return self._build(VideoAligner, self.settings.align)

    @cached_property
    def extractor(self) -> FeatureExtractor:
        return self._build(FeatureExtractor, self.settings.search)

    @cached_property
    def viewer(self) -> PrototypeViewer:
        return self._build(PrototypeViewer, self.settings.prototypes)

    def _build(self, kind: type[_Kind], chosen: Chosen, **own: Any) -> _Kind:
        settings = self.settings
        with self._lock:
            return kind(chosen.config, self._weights_of(chosen), device=settings.device, trust=settings.trust, **own)

    def _weights_of(self, chosen: Chosen) -> str | None:
        """Return the file of a model's weights; initial ones are written to one, the same at each start."""
        cfg, weights = open_config(chosen.config, chosen.checkpoint, trust=self.settings.trust)
        if not _is_initial(cfg, weights):
            return chosen.checkpoint
        if chosen not in self._weights:
            path = self.folder / f'initial_{len(self._weights)}.pth'
            with torch.random.fork_rng():
                torch.manual_seed(0)
                torch.save(dict(state_dict=load_model(chosen.config, device='cpu').state_dict()), path)
            self._weights[chosen] = str(path)
        return self._weights[chosen]

    def describe(self, use: str) -> str:
        """Say in Markdown what the model of a use, ``'segment'`` for one, has learned.

        Raises:
            FileNotFoundError: If the config or the weights do not exist.
        """
        chosen: Chosen = getattr(self.settings, use)
        cfg, weights = open_config(chosen.config, chosen.checkpoint, trust=self.settings.trust)
        if weights is not None and not Path(weights).is_file():
            raise FileNotFoundError(f'there is no checkpoint {weights}')
        name = Path(chosen.config).name if Path(chosen.config).is_file() else chosen.config
        if _is_initial(cfg, weights):
            return (
                f'⚠️ **Initial weights** of `{name}`, which have learned nothing: results show how this works, and no '
                f'more. With trained ones: `mmsigma app --{use} CONFIG CHECKPOINT`'
            )
        if cfg.model.get('backbone', {}).get('type') == 'ColourEncoder':
            return (
                f'⚠️ **No trained network**: objects are followed by their colours alone (`{name}`). With a trained '
                f'one: `mmsigma app --{use} CONFIG CHECKPOINT`'
            )
        if weights == chosen.config:  # the checkpoint of a run
            return f'{cfg.model.type} of `{Path(weights).parent.name}/{name}`'
        own = weights is None or weights == cfg.get('default_weights')
        return f'Config `{name}` and its weights' if own else f'Config `{name}`, weights `{Path(str(weights)).name}`'


def _is_initial(cfg: Config, weights: str | Path | None) -> bool:
    return weights is None and not cfg.get('weights_in_config', False)
