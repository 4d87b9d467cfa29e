"""What each stage of Mask-VOS adds, trained from scratch on a folder of videos and tested on another set.

    python benchmarks/mask_vos_stages.py VIDEOS DAVIS [--year 2016] [--split val]

Frames are taken from the videos, 6 a second, 160 pixels on the short side. ``configs/demo/mask_vos_small_videos.py``
trains on them twice: as it is, correspondence and then all losses; and from the end of the correspondence stage with as
many more steps of correspondence alone, which the joint stage has to be compared with. Keys are tested by label
propagation, the whole model by its decoder; frames of 240 x 424, window halved. A run that was interrupted goes on.
"""

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import torch
from common import machine
from mmengine.registry import init_default_scope
from rich.progress import track
from vos_baselines import Segment, print_scores, static

from mmsigma.apis.launch import build_runner, enable_mixed_precision
from mmsigma.checkpoints.io import load_into_model, load_weights
from mmsigma.datasets.vos.sequences import find_sequences
from mmsigma.io.atomic import write_atomically
from mmsigma.io.video import FrameReader
from mmsigma.models.propagation.label_propagation import segment_video
from mmsigma.registry import MODELS
from mmsigma.utils.config import load_config

CONFIGS = Path(__file__).parents[1] / 'configs'
STAGED = CONFIGS / 'demo' / 'mask_vos_small_videos.py'
KEYS = CONFIGS / 'mask_vos' / 'r18_ytvos_keys.py'
RANDOM = CONFIGS / 'vos' / 'r18.py'
SHORT_SIDE, FRAMES_A_SECOND = 160, 6


def take_frames(videos: Path, out: Path) -> int:
    """Write some frames of every video, reduced, to a folder of its own; how many there are."""
    for video in track(sorted(videos.iterdir()), 'frames'):
        folder, reader = out / video.name.replace('.', '_'), FrameReader(video)
        if folder.is_dir():
            continue
        partial = folder.with_name(f'.{folder.name}')
        partial.mkdir(parents=True, exist_ok=True)
        for number in range(0, len(reader), max(round(reader.fps / FRAMES_A_SECOND), 1)):
            frame = reader.read(number)
            scale = SHORT_SIDE / min(frame.shape[:2])
            size = [max(round(side * scale), SHORT_SIDE) for side in frame.shape[1::-1]]
            reduced = cv2.resize(frame, size, interpolation=cv2.INTER_AREA)
            cv2.imwrite(str(partial / f'{number:05d}.jpg'), reduced[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 95])
        partial.rename(folder)
    return sum(1 for _ in out.glob('*/*.jpg'))


def train(frames: Path, work_dir: Path, last: int, start: Path | None = None) -> tuple[Path, float]:
    """Train until epoch ``last``, or go on training; the checkpoint, and the minutes that these epochs took.

    Args:
        frames: Folder of folders of frames.
        work_dir: Of the run.
        last: Epoch after which to stop; nothing is done where its checkpoint exists.
        start: Checkpoint to go on from with correspondence alone.
    """
    checkpoint, record = work_dir / f'epoch_{last}.pth', work_dir / f'minutes_{last}.json'
    minutes = json.loads(record.read_text()) if record.exists() else 0.0
    if checkpoint.exists():
        return checkpoint, minutes
    cfg = load_config(STAGED, {'data_root': str(frames)})
    cfg.work_dir, cfg.launcher, cfg.resume = str(work_dir), 'none', True
    cfg.default_hooks.checkpoint.update(interval=cfg.update_every, max_keep_ckpts=-1)
    cfg.train_cfg.max_epochs = last
    if start:
        cfg.custom_hooks = [hook for hook in cfg.custom_hooks if hook.type != 'ReclusterHook']
        if not (work_dir / 'last_checkpoint').exists():
            cfg.load_from = str(start)
    enable_mixed_precision(cfg)
    started = time.perf_counter()
    try:
        build_runner(cfg).train()
    finally:
        minutes += (time.perf_counter() - started) / 60
        write_atomically(record, lambda name: Path(name).write_text(json.dumps(minutes)))
    return checkpoint, minutes


def keys(config: Path, checkpoint: Path | None) -> Segment:
    """Label propagation with an encoder's keys."""
    cfg = load_config(config, {'model.geometry.size': (240, 424), 'model.propagator.radius': 6})
    return _build(cfg.model, checkpoint)


def decoder(checkpoint: Path) -> Segment:
    """The whole model."""
    cfg = load_config(STAGED, {'model.geometry': dict(size=(240, 424)), 'model.memory.radius': 6})
    return _build(cfg.model, checkpoint)


def _build(model: dict, checkpoint: Path | None) -> Segment:
    torch.manual_seed(0)
    built = MODELS.build(model).eval()
    if checkpoint:
        alone = not hasattr(built, 'reader')  # label propagation takes the encoder of more than that
        state = load_weights(checkpoint, trust=True)  # the run's own file
        load_into_model(built, state, origin=str(checkpoint), backbone_only=alone)
    built.to('cuda' if torch.cuda.is_available() else 'cpu')
    return lambda sequence: segment_video(built.new_inference_core(), sequence)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('videos', type=Path, help='folder of videos to learn from')
    parser.add_argument('davis', type=Path, help='folder of the dataset to test on')
    parser.add_argument('--year', type=int, default=2016)
    parser.add_argument('--split', default='val')
    parser.add_argument('--out', type=Path, default=Path('work_dirs/mask_vos_stages'))
    args = parser.parse_args()
    init_default_scope('mmsigma')
    frames, staged = args.out / 'frames', args.out / 'staged'
    print(f'{take_frames(args.videos, frames)} frames to learn from')
    cfg = load_config(STAGED)
    first, last = cfg.correspondence_epochs, cfg.train_cfg.max_epochs
    begun, spent = train(frames, staged, first)
    joint, joint_spent = train(frames, staged, last)
    alone, alone_spent = train(frames, args.out / 'alone', last, start=begun)
    methods: dict[str, Callable[[], Segment]] = {
        'static copy of the first mask': lambda: static,
        'random ResNet-18, 512 channels': lambda: keys(RANDOM, None),
        'random keys': lambda: keys(KEYS, None),
        f'keys, {first} epochs of correspondence ({spent:.0f} min)': lambda: keys(KEYS, begun),
        f'keys, {last} epochs of correspondence ({spent + alone_spent:.0f} min)': lambda: keys(KEYS, alone),
        f'keys, the last {last - first} with segmentation ({spent + joint_spent:.0f} min)': lambda: keys(KEYS, joint),
        'decoder of the same': lambda: decoder(joint),
    }
    sequences = find_sequences('davis', args.davis, year=args.year, split=args.split)
    print_scores(methods, sequences, f'240 x 424, {machine()}')


if __name__ == '__main__':
    main()
