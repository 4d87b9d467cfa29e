"""Long runs, whose memory, open files and shared memory must not grow.

python -m tests.reliability.soak --iterations 2000 --frames 2000 --out soak.json
"""

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.hooks import Hook

from mmsigma.apis.launch import build_runner
from mmsigma.apis.video_segmenter import VideoSegmenter
from mmsigma.io.video import write_mp4
from tests.reliability.small_runs import circumstances, make_data, small_run
from tests.scripts import ROOT

GROWTH = 0.05  # of memory, from the end of the first fifth to the end, that counts as flat


def resources() -> dict[str, int]:
    """Return resident memory in MB, open files, child processes and bytes in /dev/shm of this process."""
    status = Path('/proc/self/status').read_text()
    resident = int(status.partition('VmRSS:')[2].split()[0]) // 1024
    children = Path(f'/proc/self/task/{os.getpid()}/children').read_text().split()
    shared = sum(path.stat().st_size for path in Path('/dev/shm').glob('*') if path.is_file())
    return dict(resident=resident, files=len(os.listdir('/proc/self/fd')), children=len(children), shared=shared)


class Watch(Hook):
    """Notes the resources at twenty moments of a training."""

    priority = 'LOWEST'

    def __init__(self) -> None:
        self.seen: list[dict[str, int]] = []

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None) -> None:
        if (runner.iter + 1) % max(runner.max_iters // 20, 1) == 0:
            self.seen.append(resources())


def soak_training(data: Path, folder: Path, iterations: int) -> list[dict[str, int]]:
    """Train SIGMA for a number of iterations, with two loader processes and a checkpoint every 100."""
    cfg = small_run('sigma', data, folder, num_workers=2, epochs=-(-iterations // 3))
    cfg.default_hooks.checkpoint.interval = 100
    runner = build_runner(cfg)
    watch = Watch()
    runner.register_hook(watch)
    runner.train()
    return watch.seen


def soak_segmentation(folder: Path, num_frames: int) -> list[dict[str, int]]:
    """Segment a long video of a moving square by label propagation, and note the resources at twenty moments."""
    ground = np.random.default_rng(0).integers(0, 90, (96, 128, 3), dtype=np.uint8)

    def frames() -> Iterator[np.ndarray]:
        for number in range(num_frames):
            image = ground.copy()
            left = 20 + int(40 * abs(np.sin(number / 50)))
            image[20:50, left : left + 30] = (220, 60, 40)
            yield image

    write_mp4(folder / 'long.mp4', frames(), fps=25)
    mask = np.zeros((96, 128), np.uint8)
    mask[20:50, 20:50] = 1
    seen: list[dict[str, int]] = []
    count = 0
    for _ in VideoSegmenter(ROOT / 'configs' / 'vos' / 'colour.py', device='cpu')(folder / 'long.mp4', mask):
        count += 1
        if count % max(num_frames // 20, 1) == 0:
            seen.append(resources())
    assert count == num_frames
    return seen


def growth(seen: list[dict[str, int]]) -> dict[str, float]:
    """Return by how much each resource has grown from the end of the first fifth, relative for memory."""
    first, last = seen[len(seen) // 5], seen[-1]
    relative = last['resident'] / first['resident'] - 1
    return {'resident': round(relative, 4), **{key: last[key] - first[key] for key in ('files', 'children', 'shared')}}


def flat(seen: list[dict[str, int]]) -> bool:
    """Return whether no resource has grown."""
    grown = growth(seen)
    return grown['resident'] <= GROWTH and max(grown['files'], grown['children'], grown['shared']) <= 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--iterations', type=int, default=2000, help='of training (default: %(default)s)')
    parser.add_argument('--frames', type=int, default=2000, help='of a video (default: %(default)s)')
    parser.add_argument('--out', type=Path, help='file to write the figures to (.json)')
    args = parser.parse_args()
    torch.set_num_threads(1)
    figures: dict[str, Any] = {}
    found = circumstances()
    with tempfile.TemporaryDirectory() as folder:
        data = make_data(Path(folder, 'data'))
        started = time.monotonic()
        for name, run in (
            ('training', lambda: soak_training(data, Path(folder, 'run'), args.iterations)),
            ('segmentation', lambda: soak_segmentation(Path(folder), args.frames)),
        ):
            seen = run()
            figures[name] = dict(flat=flat(seen), growth=growth(seen), first=seen[0], last=seen[-1])
            figures[name]['seconds'] = round(time.monotonic() - started)
            started = time.monotonic()
            print(name, json.dumps(figures[name]), flush=True)
    if args.out:
        args.out.write_text(json.dumps(figures | found, indent=1) + '\n')
    sys.exit(not all(part['flat'] for part in figures.values()))


if __name__ == '__main__':
    main()
