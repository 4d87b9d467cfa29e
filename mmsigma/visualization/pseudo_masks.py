"""Images of pseudo masks (Mask-VOS, supplement, figures S1 to S4)."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from mmsigma.datasets.transforms.decoding import ReadClip, UnreadableVideoError
from mmsigma.datasets.vos.pseudo_masks import PseudoMaskRounds, PseudoMasks
from mmsigma.io.decoders import VideoDecoder
from mmsigma.ops.resizing import resize_labels
from mmsigma.visualization.masked_video import mosaic, write_picture
from mmsigma.visualization.overlay import draw_masks


class _Frames:
    """Sampling of frames with given numbers."""

    def __init__(self, numbers: np.ndarray) -> None:
        self.numbers = numbers

    def __call__(self, results: dict[str, Any]) -> dict[str, Any]:
        results['frame_inds'], results['num_clips'], results['clip_len'] = self.numbers, 1, len(self.numbers)
        return results


def draw_round(
    rounds: PseudoMaskRounds,
    number: int,
    videos: Sequence[str],
    decoder: VideoDecoder,
    columns: int = 5,
    height: int = 160,
) -> list[Path]:
    """Draw frames of videos, see :func:`draw_pseudo_masks`.

    Args:
        rounds: Rounds of the run.
        number: Number of the round.
        videos: Files of the videos.
        decoder: Decoder of the videos, see :class:`mmsigma.datasets.transforms.ReadClip`.
        columns: Number of frames per video.
        height: Height of the frames in pixels.

    Returns:
        Image files, in the folder of the round; videos that cannot be read have none.
    """
    pictures = []
    for video in videos:
        try:
            picture = draw_pseudo_masks(rounds.load(number, video), video, decoder, columns, height)
        except UnreadableVideoError:
            continue
        if picture is not None:
            path = rounds.path(number) / 'pictures' / f'{rounds.video_path(number, video).stem}.png'
            write_picture(path, picture)
            pictures.append(path)
    return pictures


def draw_pseudo_masks(
    masks: PseudoMasks, video: str, decoder: VideoDecoder, columns: int = 5, height: int = 160
) -> np.ndarray | None:
    """Draw frames of a video in three rows: as they are, with all clusters, and with those that may be objects.

    Args:
        masks: Clusters of the video.
        video: File of the video.
        decoder: Decoder of the video, see :class:`mmsigma.datasets.transforms.ReadClip`.
        columns: Number of frames.
        height: Height of the frames in pixels.

    Returns:
        RGB image ``(H, W, 3)``, uint8; None if no frame was clustered.

    Raises:
        UnreadableVideoError: If the video cannot be read.
    """
    if not len(masks.frames):
        return None
    places = np.unique(np.linspace(0, len(masks.frames) - 1, columns).round().astype(int))
    results = ReadClip(dict(type=_Frames, numbers=masks.frames[places]), decoder)(
        dict(filename=video, start_index=0, modality='RGB')
    )
    rows: list[list[np.ndarray]] = [[], [], []]
    for frame, labels in zip(results['imgs'], masks.labels[places], strict=True):
        size = (max(round(frame.shape[1] * height / frame.shape[0]), 1), height)
        frame = cv2.resize(np.asarray(frame), size, interpolation=cv2.INTER_AREA)
        clusters = resize_labels(labels + 1, size[::-1])
        objects = np.where(np.isin(clusters, masks.kept + 1), clusters, 0).astype(np.uint8)
        for row, image in zip(rows, (frame, draw_masks(frame, clusters), draw_masks(frame, objects)), strict=True):
            row.append(image)
    return mosaic(rows)
