"""Inferencer that shows what the prototypes of a SIGMA pick out of a video."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from mmengine.config import Config
from torch import Tensor

from mmsigma.apis.inferencer import Inferencer
from mmsigma.apis.results import VideoResult
from mmsigma.datasets.transforms.spatial import resize_short_side
from mmsigma.io.frame_sources import VideoInput, open_frames
from mmsigma.io.video import write_playable
from mmsigma.visualization.labelled_grid import Row, labelled_grid
from mmsigma.visualization.masked_video import mosaic, write_picture
from mmsigma.visualization.prototypes import Grid, choose_prototypes, draw_prototypes_of, pca_colours

_FPS = 6  # of the videos: a clip is short, and has to be looked at


@dataclass(frozen=True, eq=False, repr=False)
class PrototypesOfVideo(VideoResult):
    """What some prototypes pick out of a clip.

    Attributes:
        name: Name of the video.
        clip: RGB frames ``(T, H, W, 3)``, uint8.
        grid: Token grid (T', H', W').
        scores: Similarity of tubes and prototypes, ``(N, K)``.
        tokens: Tokens of the encoder, ``(N, D)``.
        drawn: Frames with the most similar tubes of each prototype, ``(T, H, W, 3)``, uint8, by its number.
    """

    name: str
    clip: np.ndarray
    grid: Grid
    scores: Tensor
    tokens: Tensor
    drawn: dict[int, np.ndarray]

    @property
    def caption(self) -> str:
        return f'prototypes {list(self.drawn)}'

    def counts(self) -> np.ndarray:
        """Return the number of tubes whose most similar prototype each is, ``(K,)``, int64."""
        return self.scores.argmax(dim=1).bincount(minlength=self.scores.shape[1]).numpy()

    def arrays(self) -> dict[str, np.ndarray]:
        return dict(scores=self.scores.numpy())

    def picture(self) -> np.ndarray:
        """Return the clip and, below, a row for each prototype, with a frame of each tube in time."""
        tubelet, counts = len(self.clip) // self.grid[0], self.counts()
        # a prototype that stands out may be the nearest of no tube, which would look like a fault here
        uses = {number: f', nearest to {counts[number]} of {len(self.scores)} tubes' for number in self.drawn}
        titles = [f'prototype {number}{uses[number] if counts[number] else ""}' for number in self.drawn]
        rows = zip(['clip', *titles], (self.clip, *self.drawn.values()), strict=True)
        return labelled_grid([Row(title, list(frames[::tubelet])) for title, frames in rows], self.name)

    def write(self, stem: str | Path, height: int | None = None) -> list[Path]:
        """Write ``<stem>_prototypes.png`` and ``.mp4``, and ``<stem>_features.mp4``, and return these paths.

        The second video shows the encoder's features, whose principal components are red, green and blue.

        Args:
            stem: Begin of the paths.
            height: Height of the videos; None for that of their pictures.

        Raises:
            OSError: If a file cannot be written.
        """
        picture, prototypes, features = (
            Path(f'{stem}_{ending}') for ending in ('prototypes.png', 'prototypes.mp4', 'features.mp4')
        )
        write_picture(picture, self.picture())
        write_playable(prototypes, self._panels(), _FPS, height=height)
        colours = pca_colours(self.tokens, self.grid, self.clip.shape[1:3])
        colours = colours.repeat(len(self.clip) // self.grid[0], axis=0)
        pairs = (mosaic([list(pair)]) for pair in zip(self.clip, colours, strict=True))
        write_playable(features, pairs, _FPS, height=height)
        return [picture, prototypes, features]

    def _panels(self) -> Iterator[np.ndarray]:
        for number, frame in enumerate(self.clip):
            yield mosaic([[frame, *(frames[number] for frames in self.drawn.values())]])


class PrototypeViewer(Inferencer):
    """Find the tubes of a video that are most similar to prototypes (SIGMA, supplement, figures 1-2).

    ::

        view = PrototypeViewer('mmsigma::sigma/vitb_k400_dino', 'sigma.pth')
        view('my_video.mp4', prototypes=[17, 512]).write('results/mine')

    The config is one of pre-training with a ``PrototypeHead``.
    """

    needs = 'prototype_scores'
    use = 'use a config of pre-training with a PrototypeHead to look at prototypes'
    with_head = True

    @classmethod
    def suits(cls, cfg: Config) -> bool:
        return super().suits(cfg) and cfg.model.get('head', {}).get('type') == 'PrototypeHead'

    def __call__(
        self,
        video: VideoInput,
        prototypes: Sequence[int] = (),
        *,
        number: int = 6,
        top: int = 25,
        level: int = 0,
        interval: int = 4,
    ) -> PrototypesOfVideo:
        """Draw the most similar tubes of some prototypes, in a clip from the middle of a video.

        Args:
            video: Video, see :func:`mmsigma.io.frame_sources.open_frames`.
            prototypes: Prototypes to draw; none for those that stand out in the video.
            number: Number of prototypes, if none is given.
            top: Number of tubes per prototype.
            level: Level of the prototypes, if there are several.
            interval: Stride between the frames of the clip.

        Raises:
            FileNotFoundError: If there is no such video.
            ValueError: If it cannot be read, or there is no such prototype or level.
        """
        levels = len(self.model.head.prototypes)
        if not 0 <= level < levels:
            raise ValueError(f'there is no level {level}: the levels are 0 to {levels - 1}')
        frames, grid = open_frames(video), self.model.backbone.grid
        clip = read_clip(frames, self.model.backbone.input_shape[1:], interval)
        scores, tokens = self._encode(clip, level)
        if beyond := [one for one in prototypes if not 0 <= one < scores.shape[1]]:
            raise ValueError(f'there is no prototype {beyond[0]}: the numbers are 0 to {scores.shape[1] - 1}')
        chosen = list(prototypes) or choose_prototypes(scores, number, top)
        drawn = draw_prototypes_of(clip, scores, grid, chosen, top)
        return PrototypesOfVideo(frames.name, clip, grid, scores, tokens, drawn)

    @torch.no_grad()
    def _encode(self, clip: np.ndarray, level: int) -> tuple[Tensor, Tensor]:
        """Return similarities ``(N, K)`` of a clip's tubes and the prototypes, and the encoder's tokens ``(N, D)``."""
        video = torch.from_numpy(clip).permute(3, 0, 1, 2)
        with self.autocast():
            inputs = self.model.data_preprocessor(dict(inputs=[video]), False)['inputs']
            scores, tokens = self.model.prototype_scores(inputs, level)[0], self.model.backbone(inputs)[0]
        return scores.float().cpu(), tokens.float().cpu()


def read_clip(video: VideoInput, shape: tuple[int, int, int], interval: int) -> np.ndarray:
    """Read a clip ``(T, H, W, 3)``, uint8, from the middle of a video, cropped to its centre.

    Args:
        video: Video, see :func:`mmsigma.io.frame_sources.open_frames`.
        shape: Number of frames, height and width of the clip.
        interval: Stride between frames; the last one is repeated where the video is too short.

    Raises:
        ValueError: If the video cannot be read.
    """
    frames, (length, height, width) = open_frames(video), shape
    start = max(len(frames) - (length - 1) * interval - 1, 0) // 2
    numbers = [min(start + step * interval, len(frames) - 1) for step in range(length)]
    pictures = np.stack(resize_short_side([frames.read(number) for number in numbers], max(height, width)))
    top, left = (pictures.shape[1] - height) // 2, (pictures.shape[2] - width) // 2
    return pictures[:, top : top + height, left : left + width]
