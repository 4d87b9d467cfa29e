"""Base of the inferencers: which model, from which config and file, on which device, in which precision."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, ClassVar, Literal, TypeVar, get_args

import torch
from mmengine.config import Config
from mmengine.dataset import Compose
from torch import Tensor

from mmsigma.apis.models import build_inference_model, default_device, open_config
from mmsigma.datasets.transforms import ReadClip
from mmsigma.io.frame_sources import SourceReader, VideoInput, open_frames
from mmsigma.models.propagation.frame_propagation import FramePropagation
from mmsigma.ops.precision import has_fast_bfloat16
from mmsigma.registry import MODELS, TRANSFORMS

Precision = Literal['float32', 'auto', 'bfloat16', 'float16']
_Found = TypeVar('_Found')


class Inferencer:
    """A frozen model, and what it takes to run it on videos.

    A video is anything that :func:`mmsigma.io.frame_sources.open_frames` reads: a file, a folder of frames, an array,
    a tensor, an iterator of frames. A list is a batch, whose results are a list.

    Args:
        config: Config, a file or a name such as ``'mmsigma::knn/vitb_k400'``; or the checkpoint of a run, which
            contains its config.
        checkpoint: Weights, including official files; None if the config names them, or ``config`` is a checkpoint.
        device: Device to run on; None for a GPU if there is one.
        precision: ``'float32'`` computes as the config says; ``'bfloat16'`` and ``'float16'`` (on a GPU) with autocast;
            ``'auto'`` with the faster of these that the device has instructions for, if any.
        options: Changes to the config, as of ``--cfg-options``.
        trust: Whether the checkpoint may execute code while it is loaded.

    Attributes:
        needs: Method that the config's model must have.
        use: Configs of such models and what they are for, to complete the message of the error without it.
        with_head: Whether the checkpoint must contain more than the backbone.

    Raises:
        FileNotFoundError: If config or checkpoint do not exist.
        ValueError: If the config has another kind of model, or requires a checkpoint and none is given; if device or
            precision are unknown or do not go together.
        mmsigma.checkpoints.files.CheckpointError: If the checkpoint does not match the model.
    """

    needs: ClassVar[str] = ''
    use: ClassVar[str] = ''
    with_head: ClassVar[bool] = False

    def __init__(
        self,
        config: str | Path,
        checkpoint: str | Path | None = None,
        *,
        device: str | None = None,
        precision: Precision = 'float32',
        options: dict[str, Any] | None = None,
        trust: bool = False,
    ) -> None:
        device = default_device(device)
        self.dtype = inference_dtype(precision, device)
        cfg, self.weights = open_config(config, checkpoint, options, trust=trust)
        self.cfg = self.adapt(cfg)
        if not self.suits(self.cfg):
            raise ValueError(f'{config} has a model of type {self.cfg.model.type}: {self.use}')
        self.model: Any = build_inference_model(self.cfg, self.weights, device, trust=trust, with_head=self.with_head)
        self.device = torch.device(device)
        if self.dtype is not None and isinstance(self.model, FramePropagation):
            self.model.dtype = self.dtype  # it keeps its memory in this type as well, and overrides autocast

    @classmethod
    def suits(cls, cfg: Config) -> bool:
        """Return whether a config has a model of the kind that this inferencer runs."""
        return hasattr(MODELS.get(cfg.model.type), cls.needs) if cls.needs else True

    def adapt(self, cfg: Config) -> Config:
        """Return the config that the model is built from."""
        return cfg

    def autocast(self) -> AbstractContextManager[Any]:
        """Return the context in which the model runs."""
        return nullcontext() if self.dtype is None else torch.autocast(self.device.type, self.dtype)


def inference_dtype(precision: Precision, device: str) -> torch.dtype | None:
    """Return the type that a device computes in; None for what the model does by itself.

    Raises:
        ValueError: If the precision is unknown, or not one of the device.
    """
    if precision not in get_args(Precision):
        raise ValueError(f'precision must be one of {get_args(Precision)}, got {precision!r}')
    kind = torch.device(device).type
    if precision == 'float16' and kind == 'cpu':
        raise ValueError("precision 'float16' is for GPUs, since it has no instructions on processors: use 'auto'")
    if precision == 'auto':
        if kind == 'cuda' and not torch.cuda.is_bf16_supported():
            return torch.float16
        return torch.bfloat16 if has_fast_bfloat16(kind) else None
    return {'float32': None, 'bfloat16': torch.bfloat16, 'float16': torch.float16}[precision]


def each(videos: VideoInput | list[VideoInput], infer: Callable[[VideoInput], _Found]) -> _Found | list[_Found]:
    """Apply a function to a video, or to each of a list of videos."""
    return [infer(video) for video in videos] if isinstance(videos, list) else infer(videos)


def name_of(video: VideoInput) -> str:
    """Return the name of a video: that of its file without suffix, of its folder, or ``'frames'``."""
    if isinstance(video, str | Path):
        path = Path(video)
        return path.resolve().name if path.is_dir() else path.stem
    return str(getattr(video, 'name', 'frames')) if not isinstance(video, Tensor) else 'frames'


class Pipeline:
    """Transforms of a config's test pipeline, for any video.

    Args:
        steps: Configs of the transforms.
    """

    def __init__(self, steps: list[dict[str, Any]]) -> None:
        self.steps = [TRANSFORMS.build(step) for step in steps]

    def __call__(self, video: VideoInput) -> dict[str, Any]:
        """Return ``inputs`` and ``data_samples`` of a video.

        Files and folders are opened as the pipeline says, everything else by
        :func:`mmsigma.io.frame_sources.open_frames`.

        Raises:
            mmsigma.datasets.transforms.UnreadableVideoError: If a file cannot be read.
            ValueError: If the video is invalid, or is no file and the pipeline reads nothing else.
        """
        name = name_of(video)
        info: dict[str, Any] = dict(label=-1, start_index=0, modality='RGB')
        if isinstance(video, str | Path):
            info['filename'] = str(video)
        else:
            if not isinstance(self.steps[0], ReadClip):
                raise ValueError(
                    f'the pipeline of the config begins with {type(self.steps[0]).__name__}, which reads files alone: '
                    'give the path of a video, or let it begin with ReadClip'
                )
            info |= dict(filename=name, reader=SourceReader(open_frames(video)))
        sample: dict[str, Any] = Compose(self.steps)(info)
        sample['data_samples'].set_metainfo(dict(video_name=name))
        return sample

    def batches(self, videos: list[VideoInput], max_clips: int) -> Iterator[list[dict[str, Any]]]:
        """Yield the samples of consecutive videos that can be stacked, of up to ``max_clips`` clips or one video."""
        batch: list[dict[str, Any]] = []
        for sample in map(self, videos):
            shape, clips = sample['inputs'].shape, sample['inputs'][..., 0, 0, 0, 0].numel()
            if batch and (batch[0]['inputs'].shape != shape or (len(batch) + 1) * clips > max_clips):
                yield batch
                batch = []
            batch.append(sample)
        if batch:
            yield batch
