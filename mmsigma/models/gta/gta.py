"""Learning of frame embeddings by temporal alignment of videos of the same action: GTA (CVPR 2021) and baselines."""

from collections.abc import Iterable, Iterator
from typing import Any

import torch
from mmengine.model import BaseModel
from torch import Tensor

from mmsigma.models.backbones import encode_frames
from mmsigma.models.backbones.resnet_v2 import TrainMode, set_train_mode
from mmsigma.models.gta.context_embedder import Embedded
from mmsigma.models.gta.losses.video_group import VideoGroup
from mmsigma.models.interfaces import ContextNeck, FrameEncoder, GroupHead
from mmsigma.models.parts import build_part
from mmsigma.registry import MODELS


@MODELS.register_module()
class GTA(BaseModel):
    """Frame encoder, embedder of each frame with its context, and a loss between videos (GTA, CVPR 2021).

    ::

        maps       = backbone(frames)                      (N, C, h, w)
        embeddings = neck(maps)                            (steps, D)
        losses     = head.loss(VideoGroup(embeddings))      of videos of one action

    Args:
        backbone: Config of a frame encoder, or of a video transformer with ``dynamic_size=True``.
        neck: Config of the embedder, ``ContextEmbedder`` by default; its channels follow from the backbone.
        head: Config of the head: ``AlignmentHead`` with a loss (the default), ``OrderHead``, ``SpeedHead``,
            ``TranscriptHead`` or ``CombinedHead``.
        data_preprocessor: Config of the data preprocessor, ``AlignmentPreprocessor`` by default.
        train_mode: Parameters of the backbone to train: ``'scratch'``, ``'train_all'``, ``'only_bn'`` or ``'frozen'``;
            see :func:`mmsigma.models.backbones.resnet_v2.set_train_mode`.
        context_stride: Distance in frames of the frames of a step, which has to equal that of the sampling.
        chunk: Number of frames that are embedded at once in testing.
        init_cfg: Config of MMEngine's weight initialisation.

    Raises:
        PartError: If a part does not satisfy its protocol of :mod:`mmsigma.models.interfaces`.
        ValueError: If ``train_mode`` is unknown.
    """

    backbone: FrameEncoder
    neck: ContextNeck
    head: GroupHead

    def __init__(
        self,
        backbone: dict[str, Any],
        neck: dict[str, Any] | None = None,
        head: dict[str, Any] | None = None,
        data_preprocessor: dict[str, Any] | None = None,
        *,
        train_mode: TrainMode = 'only_bn',
        context_stride: int = 15,
        chunk: int = 25,
        init_cfg: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(MODELS.build(data_preprocessor or dict(type='AlignmentPreprocessor')), init_cfg)
        self.backbone = build_part(backbone, FrameEncoder, 'model.backbone')
        set_train_mode(self.backbone, train_mode)
        width = self.backbone.embed_dims
        self.neck = build_part(
            {'type': 'ContextEmbedder', 'in_channels': width, **(neck or {})}, ContextNeck, 'model.neck'
        )
        self.head = build_part(head or dict(type='AlignmentHead'), GroupHead, 'model.head')
        self.train_mode, self.context_stride, self.chunk = train_mode, context_stride, chunk

    def train(self, mode: bool = True) -> 'GTA':
        """Set the mode, but keep a frozen backbone in evaluation mode."""
        super().train(mode)
        if self.train_mode == 'frozen':
            self.backbone.eval()
        return self

    def forward(
        self, inputs: list[Tensor], data_samples: list[Any] | None = None, mode: str = 'tensor'
    ) -> dict[str, Tensor] | list[Any]:
        """Run the model.

        Args:
            inputs: Normalised frames ``(N_i, 3, H, W)`` of each video; for ``mode='loss'``, those of its steps with
                their context, otherwise all frames.
            data_samples: Data samples, one per video, with ``steps`` and ``num_frames`` for ``mode='loss'``; ignored
                for ``mode='tensor'``.
            mode: ``'loss'``, ``'tensor'`` or ``'predict'``.

        Returns:
            For ``'loss'``, losses and statistics; for ``'tensor'``, the embeddings ``(N_i, D)`` of all frames of each
            video; for ``'predict'``, ``data_samples`` with ``embeddings``.

        Raises:
            ValueError: If the mode is unknown, or the videos show several actions in training.
        """
        if mode == 'loss':
            if data_samples is None:
                raise ValueError("mode='loss' needs data_samples")
            return self.loss(inputs, data_samples)
        if mode not in ('tensor', 'predict'):
            raise ValueError(f"mode must be 'loss', 'predict' or 'tensor', got {mode!r}")
        embedded = [self.embed_video(frames) for frames in inputs]
        if mode == 'tensor':
            return embedded
        if data_samples is None:
            raise ValueError("mode='predict' needs data_samples")
        for sample, embeddings in zip(data_samples, embedded, strict=True):
            sample.set_field(embeddings, 'embeddings')
        return data_samples

    def loss(self, videos: list[Tensor], data_samples: list[Any]) -> dict[str, Tensor]:
        """Compute losses and statistics of videos of one action; for the arguments, see :meth:`forward`.

        Raises:
            ValueError: If the videos show several actions.
        """
        actions = {sample.get('action') for sample in data_samples}
        if len(actions) > 1:
            raise ValueError(f'videos of {sorted(map(str, actions))} in one batch: use ClassGroupSampler')
        embeddings = self.neck(encode_frames(self.backbone, torch.cat(videos)))
        losses = self.head.loss(
            VideoGroup(
                embeddings.unflatten(0, (len(videos), -1)),
                steps=torch.stack([sample.steps for sample in data_samples]),
                num_frames=torch.tensor([sample.num_frames for sample in data_samples]),
                names=[str(sample.get('filename')) for sample in data_samples],
                transcripts=[sample.get('transcript') for sample in data_samples],
            )
        )
        losses['loss_weights'] = self.neck.weight_penalty()
        return losses

    def embed_video(self, frames: Tensor) -> Tensor:
        """Embed all frames ``(L, 3, H, W)`` of a video, each with its context, as ``(L, D)``."""
        return torch.cat([part.embeddings for part in self.embed_stream(frames.split(self.chunk))])

    @torch.no_grad()
    def embed_stream(self, chunks: Iterable[Tensor]) -> Iterator[Embedded]:
        """Embed a video of any length chunk by chunk.

        Each frame is encoded once. Only the past maps that the context of later frames needs are kept.

        Args:
            chunks: Chunks of normalised frames in temporal order, ``(n, 3, H, W)`` each.

        Yields:
            Embeddings ``(n, D)`` and last maps ``(n, C, num_context, h, w)`` of the frames of each chunk.
        """
        maps: Tensor | None
        count, maps, begin, end = self.neck.num_context, None, 0, 0
        span = (count - 1) * self.context_stride
        for frames in chunks:
            new = encode_frames(self.backbone, frames)
            maps = new if maps is None else torch.cat([maps, new])  # of the frames begin, begin + 1, ..., end + n - 1
            offsets = torch.arange(-span, 1, self.context_stride, device=frames.device)
            steps = torch.arange(end, end + len(frames), device=frames.device)
            # frames of each step, clamped to the first frame of the video, as indices of maps: (n, num_context)
            wanted = (steps[:, None] + offsets).clamp(min=0) - begin
            yield self.neck.embed(maps[wanted.flatten()])
            end += len(frames)
            begin = max(end - span, begin)
            maps = maps[len(maps) - (end - begin) :]
