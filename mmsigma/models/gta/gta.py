"""Embeddings of frames by aligning videos of the same action in time: GTA (CVPR 2021) and what it is compared with."""

from collections.abc import Iterable, Iterator

import torch
from mmengine.model import BaseModel
from torch import Tensor

from mmsigma.models.backbones import encode_frames
from mmsigma.models.backbones.resnet_v2 import set_train_mode
from mmsigma.models.gta.context_embedder import Embedded
from mmsigma.models.gta.losses.video_group import VideoGroup
from mmsigma.models.interfaces import ContextNeck, FrameEncoder, GroupHead, build_part
from mmsigma.registry import MODELS


@MODELS.register_module()
class GTA(BaseModel):
    """Frame encoder, context, embedder, and a loss between videos.

    ::

        maps       = backbone(frames)                      (N, C, h, w)
        embeddings = neck(maps)                            (steps, D)
        losses     = head.loss(VideoGroup(embeddings))      of videos of one action

    Args:
        backbone: Config of a frame encoder, or of a video transformer with ``dynamic_size=True``.
        neck: Config of the embedder; its width follows from the backbone.
        head: Config of the head: ``AlignmentHead`` with a loss, ``OrderHead``, ``SpeedHead``, ``TranscriptHead`` or
            ``CombinedHead``.
        data_preprocessor: Config of the preprocessor.
        train_mode: What of the backbone is trained: ``'scratch'``, ``'train_all'``, ``'only_bn'`` or ``'frozen'``.
        context_stride: Frames between those of a step; has to be that of the sampling.
        chunk: Steps that are embedded at once in testing.
        init_cfg: mmengine's initialisation config.

    Raises:
        PartError: If a part does not satisfy its protocol of :mod:`mmsigma.models.interfaces`.
    """

    backbone: FrameEncoder
    neck: ContextNeck
    head: GroupHead

    def __init__(
        self,
        backbone: dict,
        neck: dict | None = None,
        head: dict | None = None,
        data_preprocessor: dict | None = None,
        *,
        train_mode: str = 'only_bn',
        context_stride: int = 15,
        chunk: int = 25,
        init_cfg: dict | None = None,
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
        """Set the mode; a frozen backbone stays in that of testing."""
        super().train(mode)
        if self.train_mode == 'frozen':
            self.backbone.eval()
        return self

    def forward(
        self, inputs: list[Tensor], data_samples: list | None = None, mode: str = 'tensor'
    ) -> dict[str, Tensor] | list:
        """Run the model.

        Args:
            inputs: Normalised frames of each video: for ``'loss'`` those of its steps with their context, for the
                others all of them, (N_i, 3, H, W).
            data_samples: One per video, with ``steps``.
            mode: ``'loss'``; ``'tensor'`` for the embeddings of all frames of each video, (L_i, D); ``'predict'`` for
                ``data_samples`` with their ``embeddings``.
        """
        if mode == 'loss':
            return self.loss(inputs, data_samples)
        if mode not in ('tensor', 'predict'):
            raise ValueError(f"mode must be 'loss', 'predict' or 'tensor', got {mode!r}")
        embedded = [self.embed_video(frames) for frames in inputs]
        if mode == 'tensor':
            return embedded
        for sample, embeddings in zip(data_samples, embedded, strict=True):
            sample.set_field(embeddings, 'embeddings')
        return data_samples

    def loss(self, videos: list[Tensor], data_samples: list) -> dict[str, Tensor]:
        """Losses of videos of one action.

        Raises:
            ValueError: If they show several actions.
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
        """Embeddings (L, D) of all frames (L, 3, H, W) of a video, each with those before it."""
        return torch.cat([part.embeddings for part in self.embed_stream(frames.split(self.chunk))])

    @torch.no_grad()
    def embed_stream(self, chunks: Iterable[Tensor]) -> Iterator[Embedded]:
        """Embed a video of any length piece by piece; each frame is encoded once.

        Of the past the maps are kept that the context of later frames needs.

        Args:
            chunks: Frames in order, (n, 3, H, W) each.

        Yields:
            Embeddings (n, D) and last maps (n, C, num_context, h, w) of the frames of each chunk.
        """
        count, maps, begin, end = self.neck.num_context, None, 0, 0
        span = (count - 1) * self.context_stride
        for frames in chunks:
            new = encode_frames(self.backbone, frames)
            maps = new if maps is None else torch.cat([maps, new])  # of frames begin, begin + 1, ...
            offsets = torch.arange(-span, 1, self.context_stride, device=frames.device)
            steps = torch.arange(end, end + len(frames), device=frames.device)
            wanted = (steps[:, None] + offsets).clamp(min=0) - begin
            yield self.neck.embed(maps[wanted.flatten()])
            end += len(frames)
            begin = max(end - span, begin)
            maps = maps[len(maps) - (end - begin) :]
