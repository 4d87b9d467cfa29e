"""Heads that classify the order of three frames (Shuffle and Learn, ECCV 2016) or speed (SpeedNet, CVPR 2020)."""

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmsigma.models.gta.losses.shuffle_and_learn import Triplets, draw_triplets, order_loss, triplet_features
from mmsigma.models.gta.losses.video_group import CompleteGroup, VideoGroup
from mmsigma.registry import MODELS


@MODELS.register_module()
class OrderHead(BaseModule):
    """Head that classifies whether three frames are in order (Shuffle and Learn, as in the release of TCC).

    Args:
        in_channels: Number D of channels of the embeddings.
        hidden: Numbers of channels of the hidden layers.
        samples_per_video: Number of triplets per video and training step.
        shuffled_share: Probability that a triplet is shuffled.
        init_cfg: Config of MMEngine's weight initialisation.
    """

    interleaved = False

    def __init__(
        self,
        in_channels: int = 128,
        hidden: tuple[int, ...] = (128, 64),
        samples_per_video: int = 8,
        shuffled_share: float = 0.75,
        init_cfg: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(init_cfg)
        widths = (3 * in_channels, *hidden)
        layers = [nn.Sequential(nn.Linear(*pair), nn.ReLU()) for pair in zip(widths, widths[1:], strict=False)]
        self.layers = nn.Sequential(*layers, nn.Linear(widths[-1], 2))
        self.samples_per_video, self.shuffled_share = samples_per_video, shuffled_share

    def forward(self, features: Tensor) -> Tensor:
        """Compute logits ``(S, 2)`` for ordered and shuffled from the embeddings of triplets, ``(S, 3 D)``."""
        logits: Tensor = self.layers(features)
        return logits

    def loss(self, videos: VideoGroup, triplets: Triplets | None = None) -> dict[str, Tensor]:
        """Compute cross-entropy and accuracy.

        Args:
            videos: Embeddings ``(B, T, D)`` of videos with at least five frames.
            triplets: Triplets of frames; None to draw them.

        Raises:
            ValueError: If a video has fewer frames, or frames that are not in temporal order; the message names it.
        """
        videos.check_order()
        given = videos.complete(at_least=1)
        if triplets is None:
            triplets = draw_triplets(given.lengths, self.samples_per_video, self.shuffled_share, names=videos.names)
        logits = self(triplet_features(given.embeddings, triplets))
        accuracy = (logits.detach().argmax(dim=1) == triplets.shuffled).float().mean()
        return {'loss_order': order_loss(logits, triplets), 'order_accuracy': accuracy}


def two_speeds(
    videos: CompleteGroup, starts: Tensor | None = None, names: Sequence[str] | None = None
) -> tuple[Tensor, Tensor, Tensor]:
    """Make two clips of each video, at its own and at twice its speed, with equal numbers of frames.

    The slow clip is half of the frames in a row, at a random position, so that its moment does not reveal the speed.
    The fast one is every second frame.

    Args:
        videos: Embeddings ``(B, T, D)`` of frames at equal distances in time.
        starts: First frames of the slow clips, ``(B,)``, int64; None to draw them.
        names: Names of the B videos in errors.

    Returns:
        Embeddings ``(2 B, T // 2, D)``, those of slow clips first, lengths ``(2 B,)``, and labels ``(2 B,)``, float,
        which are 1 for fast clips.

    Raises:
        ValueError: If a video has a single frame; the message names it.
    """
    if int(videos.lengths.min()) < 2:
        shortest = int(videos.lengths.argmin())
        video = names[shortest] if names else f'video {shortest} of the group'
        raise ValueError(f'{video}: one frame has no second speed, raise num_steps or leave the video out')
    half, lengths = videos.embeddings.shape[1] // 2, videos.lengths
    if starts is None:
        room = lengths - lengths // 2 + 1
        starts = (torch.rand(len(lengths)).to(lengths.device) * room).long()
    rows = (starts[:, None] + torch.arange(half, device=lengths.device)).clamp(max=videos.embeddings.shape[1] - 1)
    slow = videos.embeddings.gather(1, rows[..., None].expand(-1, -1, videos.embeddings.shape[2]))
    clips = torch.cat([slow, videos.embeddings[:, : 2 * half : 2]])
    labels = torch.arange(len(clips), device=clips.device) >= len(videos.lengths)
    return clips, (lengths // 2).repeat(2), labels.to(clips.dtype)


@MODELS.register_module()
class SpeedHead(BaseModule):
    """Head that classifies whether a clip is sped up from the mean embedding of its frames (SpeedNet, CVPR 2020).

    Frames have to be sampled at equal distances in time. If a video has fewer frames than steps, the repeated last
    frame counts once, as a still frame has no speed.

    Args:
        in_channels: Number D of channels of the embeddings.
        init_cfg: Config of MMEngine's weight initialisation.
    """

    interleaved = False

    def __init__(self, in_channels: int = 128, init_cfg: dict[str, Any] | None = None) -> None:
        super().__init__(init_cfg)
        self.fc = nn.Linear(in_channels, 1)

    def forward(self, embeddings: Tensor, lengths: Tensor) -> Tensor:
        """Compute logits ``(B,)`` of being sped up from embeddings ``(B, T, D)`` and lengths ``(B,)``."""
        valid = torch.arange(embeddings.shape[1], device=embeddings.device) < lengths[:, None]
        logits: Tensor = self.fc((embeddings * valid[..., None]).sum(dim=1) / lengths[:, None]).squeeze(1)
        return logits

    def loss(self, videos: VideoGroup, sped_up: Tensor | None = None) -> dict[str, Tensor]:
        """Compute binary cross-entropy and accuracy.

        Args:
            videos: Embeddings ``(B, T, D)``.
            sped_up: Which videos are sped up, ``(B,)``, bool; None to make clips of both speeds of every video, see
                :func:`two_speeds`.

        Raises:
            ValueError: If a video has a single frame, or frames that are not at equal distances; the message names it.
        """
        given = videos._replace(lengths=videos.equally_spaced()).complete(at_least=1)
        if sped_up is None:
            clips, lengths, labels = two_speeds(given, names=videos.names)
        else:
            clips, lengths, labels = given.embeddings, given.lengths, sped_up.to(given.embeddings.dtype)
        logits = self(clips, lengths)
        accuracy = ((logits.detach() > 0) == (labels > 0)).float().mean()
        return {'loss_speed': F.binary_cross_entropy_with_logits(logits, labels), 'speed_accuracy': accuracy}
