"""Inferencer that counts the repetitions of a movement in videos."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, overload

import numpy as np
import torch
from mmengine.structures import BaseDataElement

from mmsigma.apis.features import dataset_of
from mmsigma.apis.inferencer import Inferencer, Pipeline, each
from mmsigma.apis.results import VideoResult, contact_sheet, spread
from mmsigma.io.frame_sources import VideoInput, open_frames


@dataclass(frozen=True, eq=False, repr=False)
class RepetitionCount(VideoResult):
    """Number of repetitions in a video.

    Attributes:
        name: Name of the video.
        count: Number of repetitions.
        num_frames: Number of frames of the video.
        seconds: Length of the video in seconds.
        frames: Up to eight frames as the network sees them, ``(S, side, side, 3)``, uint8.
    """

    name: str
    count: int
    num_frames: int
    seconds: float
    frames: np.ndarray

    @property
    def caption(self) -> str:
        return f'{self.count} repetitions in {self.num_frames} frames, {self.seconds:.1f} s'

    def arrays(self) -> dict[str, np.ndarray]:
        return dict(count=np.array(self.count))

    def table(self) -> list[list[object]]:
        return [['video', 'count', 'frames', 'seconds'], [self.name, self.count, self.num_frames, self.seconds]]

    def picture(self) -> np.ndarray:
        return contact_sheet(list(self.frames))


class RepetitionCounter(Inferencer):
    """Count repetitions in whole videos with a model of repetition counting (SEVERE).

    ::

        count = RepetitionCounter('mmsigma::severe/vitb_ucfrep_sigma_dino', 'ucfrep.pth')
        count('push_ups.mp4').count
        [one.count for one in count(['push_ups.mp4', 'squats/'])]

    Frames are resized one after the other, as the config's test pipeline says. All of them are kept, at 150 kB each for
    224 pixels.
    """

    needs = 'windows'
    use = 'use configs/severe/vitb_ucfrep_sigma_dino.py or a config like it to count repetitions'
    with_head = True

    def __init__(self, config: str | Path, checkpoint: str | Path | None = None, **settings: Any) -> None:
        """Build the model; for the arguments, see :class:`Inferencer`."""
        super().__init__(config, checkpoint, **settings)
        # without the choice of annotated frames and the packing of their labels
        self.steps = Pipeline(dataset_of(self.cfg, None)['pipeline'][1:-1]).steps

    @overload
    def __call__(self, video: VideoInput) -> RepetitionCount: ...

    @overload
    def __call__(self, video: list[VideoInput]) -> list[RepetitionCount]: ...

    def __call__(self, video: VideoInput | list[VideoInput]) -> RepetitionCount | list[RepetitionCount]:
        """Count the repetitions of a video, or of several.

        Raises:
            FileNotFoundError: If there is no such video.
            ValueError: If a video cannot be read, or is invalid.
        """
        return each(video, self._count)

    def _count(self, video: VideoInput) -> RepetitionCount:
        source = open_frames(video)
        frames = np.stack([self._prepare(frame) for frame in source])
        data = dict(inputs=[torch.from_numpy(frames).permute(3, 0, 1, 2)], data_samples=[BaseDataElement()])
        with torch.no_grad(), self.autocast():
            (sample,) = self.model.test_step(data)
        seconds = len(frames) / source.fps
        return RepetitionCount(source.name, int(sample.pred_count), len(frames), seconds, frames[spread(len(frames))])

    def _prepare(self, frame: np.ndarray) -> np.ndarray:
        results: dict[str, Any] = dict(imgs=[frame], num_clips=1)
        for step in self.steps:
            results = step(results)
        prepared: np.ndarray = results['imgs'][0]
        return prepared
