"""Features of a frozen teacher, computed once for all frames of the training videos."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from mmengine.config import Config
from mmengine.logging import MMLogger
from rich.progress import track
from torch import Tensor

from mmsigma.datasets.videos.video_dataset import VideoDataset
from mmsigma.io.atomic import make_folder, write_text
from mmsigma.io.decoders import VideoReader, open_video
from mmsigma.io.frame_array import write_frame_array
from mmsigma.io.map_array import MAPS_DESCRIPTION, map_file
from mmsigma.io.text import read_json
from mmsigma.io.video_file import UnreadableVideoError
from mmsigma.models import FrozenEncoderTarget
from mmsigma.registry import DATASETS, MODELS

FRAMES_AT_ONCE = 16


@torch.no_grad()
def write_teacher_maps(
    cfg: Config, out: str | Path, *, every: int = 1, short_side: int | None = None, device: str | None = None
) -> tuple[int, int]:
    """Write the maps of the frozen teacher of a config for the frames of its training videos; those present are kept.

    Frames are whole, with both sides rounded to multiples of the teacher's stride.

    Args:
        cfg: Config of SIGMA with a ``FrozenEncoderTarget``.
        out: Folder to write to, with a file of each video; see :class:`mmsigma.io.map_array.MapFolder`.
        every: Number of frames from one map to the next.
        short_side: Short side in pixels to which frames are resized for the teacher; None for the ``img_size`` of the
            target, or as they are without it.
        device: Device of the teacher, the first GPU by default.

    Returns:
        Numbers of videos with maps, and of videos that could not be read.

    Raises:
        ValueError: If the config has no frozen teacher or no ``VideoDataset``, ``every`` is not positive, the folder
            has maps that were made differently, or no video can be read.
    """
    if every < 1:
        raise ValueError(f'every must be positive, got {every}')
    if cfg.model.get('target', {}).get('type') not in ('FrozenEncoderTarget', 'mmsigma.FrozenEncoderTarget'):
        raise ValueError(
            'model.target of the config is no FrozenEncoderTarget: there is no teacher whose maps to write'
        )
    place = torch.device(device or ('cuda' if torch.cuda.is_available() else 'cpu'))
    target: FrozenEncoderTarget = MODELS.build(cfg.model.target).to(place).eval()
    prepare = MODELS.build(cfg.model.get('data_preprocessor') or dict(type='VideoDataPreprocessor')).to(place)
    short_side = short_side or (min(target.img_size) if target.img_size else None)
    _describe(Path(out), every, short_side, target, cfg.model.target)
    dataset = DATASETS.build({**cfg.train_dataloader.dataset, 'pipeline': []})
    if not isinstance(dataset, VideoDataset):
        raise ValueError(f'maps are of the videos of a VideoDataset, but the config trains on {type(dataset).__name__}')
    videos = sorted({dataset.get_data_info(index)['filename'] for index in range(len(dataset))})
    root, done, failed = dataset.data_prefix.get('video') or '.', 0, 0
    for video in track(videos, 'videos'):
        path = map_file(out, root, video)
        try:
            if not path.exists():
                reader = open_video(video)
                numbers = range(0, len(reader), every)
                maps = _maps_of(reader, numbers, target, prepare, short_side)
                make_folder(path.parent)
                write_frame_array(path, maps, len(numbers))
            done += 1
        except (OSError, UnreadableVideoError) as error:
            MMLogger.get_current_instance().warning(f'{video} has no maps: {error}')
            failed += 1
    if not done:
        raise ValueError(f'none of {failed} videos in {root} can be read')
    return done, failed


def _describe(
    out: Path, every: int, short_side: int | None, target: FrozenEncoderTarget, config: dict[str, Any]
) -> None:
    """Write what the maps are made with, or check that those present are made with the same."""
    kept = ('model_name', 'weights', 'stage', 'encoder', 'model_kwargs', 'precision')
    teacher = {name: config[name] for name in kept if name in config}
    wanted = dict(every=every, short_side=short_side, channels=target.out_channels, teacher=teacher)
    wanted = json.loads(json.dumps(wanted, default=str))
    if (path := out / MAPS_DESCRIPTION).is_file():
        present = read_json(path)
        if different := [
            f'{key}: {present.get(key)} there, {wanted[key]} now' for key in wanted if present.get(key) != wanted[key]
        ]:
            raise ValueError(
                f'{out} has maps that were made differently ({"; ".join(different)}): choose another folder'
            )
    else:
        make_folder(out)
        write_text(path, json.dumps(wanted, indent=1) + '\n')


def _maps_of(
    reader: VideoReader, numbers: range, target: FrozenEncoderTarget, prepare: Any, short_side: int | None
) -> Iterator[npt.NDArray[np.float16]]:
    """Encode frames of a video by number, as maps ``(h, w, D)``, and close the video."""
    try:
        for start in range(0, len(numbers), FRAMES_AT_ONCE):
            frames = reader.read(list(numbers[start : start + FRAMES_AT_ONCE]))
            clip = torch.from_numpy(np.stack(frames)).permute(3, 0, 1, 2)  # (3, n, H, W)
            images = prepare(dict(inputs=[clip]))['inputs'][0].transpose(0, 1)
            maps = target.maps(_resized(images, target.encoder.stride, short_side))
            yield from maps.permute(0, 2, 3, 1).half().cpu().numpy()
    finally:
        reader.close()


def _resized(images: Tensor, stride: int, short_side: int | None) -> Tensor:
    """Resize images ``(n, 3, H, W)`` to a short side, both sides multiples of a stride."""
    scale = short_side / min(images.shape[-2:]) if short_side else 1.0
    size = [max(1, round(side * scale / stride)) * stride for side in images.shape[-2:]]
    if size == list(images.shape[-2:]):
        return images
    return F.interpolate(images, size=size, mode='bilinear', antialias=True)
