"""Heads that classify time: the order of three frames (Shuffle and Learn), and the speed of a clip (SpeedNet)."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmsigma.models.gta.losses.shuffle_and_learn import Triplets, draw_triplets, order_loss, triplet_features
from mmsigma.models.gta.losses.video_group import CompleteGroup, VideoGroup
from mmsigma.registry import MODELS


@MODELS.register_module()
class OrderHead(BaseModule):
    """Tells whether three frames of a video are in order (Shuffle and Learn, ECCV 2016, as in TCC's release).

    Args:
        in_channels: Width of the embeddings D.
        hidden: Widths of the hidden layers.
        samples_per_video: Triplets per video and step.
        shuffled_share: Probability of a shuffled one.
        init_cfg: mmengine's initialisation config.
    """

    interleaved = False

    def __init__(
        self,
        in_channels: int = 128,
        hidden: tuple[int, ...] = (128, 64),
        samples_per_video: int = 8,
        shuffled_share: float = 0.75,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        widths = (3 * in_channels, *hidden)
        layers = [nn.Sequential(nn.Linear(*pair), nn.ReLU()) for pair in zip(widths, widths[1:], strict=False)]
        self.layers = nn.Sequential(*layers, nn.Linear(widths[-1], 2))
        self.samples_per_video, self.shuffled_share = samples_per_video, shuffled_share

    def forward(self, features: Tensor) -> Tensor:
        """Logits (S, 2) for in order and shuffled, of the embeddings of three frames (S, 3 D)."""
        return self.layers(features)

    def loss(self, videos: VideoGroup, triplets: Triplets | None = None) -> dict[str, Tensor]:
        """Cross-entropy and accuracy.

        Args:
            videos: Embeddings (B, T, D), of videos with five frames or more.
            triplets: Which frames, instead of what is drawn here.

        Raises:
            ValueError: If a video has fewer frames, or they are not in the order of time; it is named.
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
    """Every video at the speed it has and at twice that, with the same number of frames.

    Half of the frames, from anywhere, so that the moment does not tell the speed; and every second one of all.

    Args:
        videos: Embeddings (B, T, D) of frames at equal distances in time.
        starts: Where the halves begin (B,), int64; drawn if None.
        names: What errors call the videos (B).

    Returns:
        Embeddings (2 B, T // 2, D), lengths (2 B,) and labels (2 B,), float: 1 where it is faster.

    Raises:
        ValueError: If a video has a single frame; it is named.
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
    """Tells whether a clip is sped up (SpeedNet, CVPR 2020), from the mean embedding of its frames.

    Frames have to be sampled at equal distances in time. Of a video with fewer frames than steps, the last one counts
    once: standing still is no speed.

    Args:
        in_channels: Width of the embeddings D.
        init_cfg: mmengine's initialisation config.
    """

    interleaved = False

    def __init__(self, in_channels: int = 128, init_cfg: dict | None = None) -> None:
        super().__init__(init_cfg)
        self.fc = nn.Linear(in_channels, 1)

    def forward(self, embeddings: Tensor, lengths: Tensor) -> Tensor:
        """Logits (B,) for being sped up, of embeddings (B, T, D) that are 0 beyond the lengths (B,)."""
        valid = torch.arange(embeddings.shape[1], device=embeddings.device) < lengths[:, None]
        return self.fc((embeddings * valid[..., None]).sum(dim=1) / lengths[:, None]).squeeze(1)

    def loss(self, videos: VideoGroup, sped_up: Tensor | None = None) -> dict[str, Tensor]:
        """Binary cross-entropy and accuracy.

        Args:
            videos: Embeddings (B, T, D).
            sped_up: Which are (B,), bool; None to make both versions of every video, see :func:`two_speeds`.

        Raises:
            ValueError: If a video has a single frame, or its frames are not at equal distances; it is named.
        """
        given = videos._replace(lengths=videos.equally_spaced()).complete(at_least=1)
        if sped_up is None:
            clips, lengths, labels = two_speeds(given, names=videos.names)
        else:
            clips, lengths, labels = given.embeddings, given.lengths, sped_up.to(given.embeddings.dtype)
        logits = self(clips, lengths)
        accuracy = ((logits.detach() > 0) == (labels > 0)).float().mean()
        return {'loss_speed': F.binary_cross_entropy_with_logits(logits, labels), 'speed_accuracy': accuracy}
