"""Loading one training clip against the plain mmaction2 pipeline: time and resident memory.

    pip install -e .[benchmarks,pyav,torchcodec]
    python benchmarks/clip_loading.py FOLDER_OF_VIDEOS --out benchmarks/records/clip_loading.json

From the file to the packed sample: 16 frames at stride 4, multi-scale crop, 224 x 224; ours draws a tube mask as well.
One process, one clip at a time, decoders with one thread, each round once through all videos. Memory is what a fresh
process has more after 40 clips than before the first. Masks that follow motion are compared with the tube mask.
"""

import argparse
import importlib.util
import json
import random
import subprocess
import sys
import time
from itertools import cycle, islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import cv2
import numpy as np
import torch
from common import compare, machine, run_conditions

from mmsigma.apis.video_preparation import Form, prepare_video
from mmsigma.datasets.transforms import MotionGuidedMask, TubeMask
from mmsigma.datasets.videos.video_dataset import find_videos
from mmsigma.io.atomic import write_atomically
from mmsigma.io.decoder_process import GuardedVideoFile
from mmsigma.io.decoders import open_video
from mmsigma.io.video_container import UnreadableVideoError
from mmsigma.io.video_file import VideoFile
from mmsigma.registry import TRANSFORMS

MMACTION = 'mmaction2'
DECODERS = ('decord', 'pyav', 'torchcodec')
PACKAGES = {'pyav': 'av'}
SCALES = (1, 0.875, 0.75, 0.66)


def mmaction_steps() -> tuple[list[dict], list[dict]]:
    decode = [
        dict(type='mmaction.DecordInit', num_threads=1),
        dict(type='mmaction.SampleFrames', clip_len=16, frame_interval=4, num_clips=1),
        dict(type='mmaction.DecordDecode'),
    ]
    augment = [
        dict(
            type='mmaction.MultiScaleCrop',
            input_size=224,
            scales=SCALES,
            max_wh_scale_gap=1,
            random_crop=False,
            num_fixed_crops=13,
        ),
        dict(type='mmaction.Resize', scale=(224, 224), keep_ratio=False),
        dict(type='mmaction.FormatShape', input_format='NCTHW'),
        dict(type='mmaction.PackActionInputs'),
    ]
    return decode, augment


def our_steps(decoder: str) -> tuple[list[dict], list[dict]]:
    sampling = dict(type='SampleStridedClip', clip_len=16, frame_interval=4)
    augment = [dict(type='MultiScaleCrop', scales=SCALES), dict(type='TubeMask'), dict(type='PackVideoInputs')]
    return [dict(type='ReadClip', decoder=decoder, sampling=sampling)], augment


class Loader:
    """One pipeline; adds up the seconds spent on reading and on the rest."""

    def __init__(self, name: str) -> None:
        stages = mmaction_steps() if name == MMACTION else our_steps(name.removeprefix('ours, '))
        self.stages = [[TRANSFORMS.build(step) for step in steps] for steps in stages]
        self.seconds = [0.0, 0.0]

    def load(self, path: Path) -> None:
        results = dict(filename=str(path), label=0, start_index=0, modality='RGB')
        for number, steps in enumerate(self.stages):
            start = time.perf_counter()
            for step in steps:
                results = step(results)
            self.seconds[number] += time.perf_counter() - start


def measure(names: list[str], videos: list[Path], rounds: int) -> dict[str, np.ndarray]:
    """Median milliseconds per clip, for decoding and augmentation; the loaders take turns with every video."""
    times: dict[str, list[list[float]]] = {name: [] for name in names}
    for round_index in range(rounds + 1):
        loaders = {name: Loader(name) for name in names}
        for number, path in enumerate(videos):
            first = (number + round_index) % len(names)  # whoever comes first finds a cold cache
            for name in [*names[first:], *names[:first]]:
                random.seed(round_index)
                np.random.seed(round_index)
                loaders[name].load(path)
        for name, loader in loaders.items():
            times[name].append(loader.seconds)
    return {name: np.median(values[1:], axis=0) / len(videos) * 1e3 for name, values in times.items()}


def print_times(names: list[str], videos: list[Path], rounds: int) -> dict[str, Any]:
    times = measure(names, videos, rounds)
    print(f'\nms per clip over {len(videos)} videos, {machine()}')
    print(f'  {"":<18} {"decode":>8} {"augment":>8} {"both":>8}   speed relative to {MMACTION}')
    for name, (decode, augment) in times.items():
        ratio = times[MMACTION].sum() / (decode + augment)
        print(f'  {name:<18} {decode:8.1f} {augment:8.1f} {decode + augment:8.1f}   {ratio:.2f}x')
    return {name: dict(decode=round(decode, 1), augment=round(augment, 1)) for name, (decode, augment) in times.items()}


def print_isolation(videos: list[Path], rounds: int) -> dict[str, float]:
    """What it costs to decode in a companion process, which a crash of the decoder ends: the same frames, in turn."""
    times: dict[type, list[float]] = {VideoFile: [], GuardedVideoFile: []}
    for _ in range(rounds + 1):
        for path in videos:
            for kind, seconds in times.items():
                start = time.perf_counter()
                with kind(path) as video:
                    numbers = range(0, min(64, len(video)), 4)
                    frames = video.read(numbers)
                seconds.append(time.perf_counter() - start)
                assert len(frames) == len(numbers)
    plain, guarded = (np.median(np.reshape(seconds, (rounds + 1, -1))[1:].mean(axis=1)) for seconds in times.values())
    print(
        f'\n16 frames in this process {plain * 1e3:.1f} ms, in a companion {guarded * 1e3:.1f} ms: '
        f'{100 * (guarded / plain - 1):+.1f} %'
    )
    return dict(plain=round(plain * 1e3, 1), companion=round(guarded * 1e3, 1))


def print_masks(videos: list[Path], rounds: int) -> dict[str, float]:
    """Measure what masks cost for 16 frames of 224 x 224."""
    clips = []
    for path in videos:
        loader = Loader('ours, pyav')
        results: dict[str, Any] = dict(filename=str(path), label=0, start_index=0, modality='RGB')
        for step in [*loader.stages[0], loader.stages[1][0]]:  # read and crop
            results = step(results)
        clips.append(results['imgs'])
    masks = {'tubes': TubeMask()}
    masks |= {f'motion, {preset}': MotionGuidedMask(preset=preset) for preset in ('ultrafast', 'fast', 'medium')}
    draws = {name: lambda mask=mask: [mask(dict(imgs=clip)) for clip in clips] for name, mask in masks.items()}
    milliseconds = {name: seconds / len(clips) * 1e3 for name, seconds in compare(draws, rounds).items()}
    print(f'\nms per mask, {machine()}')
    for name, value in milliseconds.items():
        print(f'  {name:<18} {value:8.2f}')
    return {name: round(value, 2) for name, value in milliseconds.items()}


def print_prepared(names: list[str], videos: list[Path], rounds: int) -> dict[str, Any]:
    """Measure what re-encoding for training saves, with the tool's default settings."""
    with TemporaryDirectory() as folder:
        for number, path in enumerate(videos):
            prepare_video(path, Path(folder, f'{number}.mp4'), Form())
        prepared = find_videos(folder)
        megabytes = [sum(path.stat().st_size for path in paths) / 1e6 for paths in (videos, prepared)]
        print(f'\nprepared for training: {megabytes[0]:.1f} MB become {megabytes[1]:.1f} MB')
        return {'mb': [round(size, 1) for size in megabytes], 'ms_per_clip': print_times(names, prepared, rounds)}


def is_read(path: Path, decoder: str) -> bool:
    """Whether a decoder takes a video."""
    try:
        open_video(str(path), decoder)
    except UnreadableVideoError:
        return False
    return True


def resident_mb() -> float:
    pages = int(Path('/proc/self/statm').read_text().split()[1])
    return pages * 4096 / 2**20


def added_mb(name: str, videos: list[Path], num_clips: int) -> float:
    """Resident memory that a number of clips adds to this process."""
    loader = Loader(name)
    before = resident_mb()
    for path in islice(cycle(videos), num_clips):
        loader.load(path)
    return resident_mb() - before


def print_memory(names: list[str], videos: list[Path], num_clips: int, processes: int = 3) -> dict[str, float]:
    print(f'\nresident memory added by {num_clips} clips, median of {processes} processes')
    added = {}
    for name in names:
        files = [str(path) for path in videos]
        command = [sys.executable, __file__, *files, '--memory-of', name, '--memory-clips', str(num_clips)]
        runs = [subprocess.run(command, check=True, capture_output=True, text=True).stdout for _ in range(processes)]
        added[name] = round(float(np.median([float(run.split()[-1]) for run in runs])), 1)
        print(f'  {name:<18} {added[name]:8.0f} MB', flush=True)
    return added


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('folder', type=Path, nargs='+', help='folder of videos, or files')
    parser.add_argument('--rounds', type=int, default=5)
    parser.add_argument('--memory-clips', type=int, default=40)
    parser.add_argument('--memory-of', help=argparse.SUPPRESS)
    parser.add_argument('--out', type=Path, help='JSON file of the results')
    args = parser.parse_args()
    cv2.setNumThreads(0)  # as in a worker of a data loader
    torch.set_num_threads(1)
    videos = args.folder if args.folder[0].is_file() else [path for one in args.folder for path in find_videos(one)]
    if args.memory_of:
        print(added_mb(args.memory_of, videos, args.memory_clips))
        return
    usable = [decoder for decoder in DECODERS if importlib.util.find_spec(PACKAGES.get(decoder, decoder))]
    names = [MMACTION, *(f'ours, {decoder}' for decoder in usable)]
    found, videos = videos, [path for path in videos if all(is_read(path, decoder) for decoder in usable)]
    print(f'{len(videos)} of {len(found)} videos; a decoder refuses the others')
    record: dict[str, Any] = {**run_conditions(), 'videos': len(videos), 'rounds': args.rounds}
    started = time.perf_counter()
    record['ms_per_clip'] = print_times(names, videos, args.rounds)
    record['prepared'] = print_prepared(names, videos, args.rounds)
    record['ms_of_16_frames'] = print_isolation(videos, args.rounds)
    record['ms_per_mask'] = print_masks(videos, args.rounds)
    record[f'mb_of_{args.memory_clips}_clips'] = print_memory(names, videos, args.memory_clips)
    record['minutes'] = round((time.perf_counter() - started) / 60, 1)
    if args.out:
        write_atomically(args.out, lambda name: Path(name).write_text(json.dumps(record, indent=1) + '\n'))


if __name__ == '__main__':
    main()
