"""How the memory of what may become large grows with its size.

    python benchmarks/memory_growth.py --out benchmarks/records/memory_growth.json

Every number is of a process of its own: memory that it has at its peak beyond what it had before, without the inputs.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from common import machine, run_conditions, with_peak
from propagation import SETTINGS, make_inputs
from stored_features import make_store
from torch import Tensor

from mmsigma.io.atomic import write_atomically
from mmsigma.models.propagation.context_propagator import ContextPropagator
from mmsigma.ops import sinkhorn, sinkhorn_labels
from mmsigma.ops.affinity import propagate, topk_affinity
from mmsigma.ops.soft_dtw import smooth_dtw

# memory that was freed goes back to the system at once, and is not counted
ENVIRONMENT = {**os.environ, 'MALLOC_MMAP_THRESHOLD_': '65536', 'MALLOC_TRIM_THRESHOLD_': '65536'}


def soft_codes(tokens: int) -> Callable[[], object]:
    scores = torch.rand(tokens, 3000)
    return lambda: sinkhorn(scores)


def hard_codes(tokens: int) -> Callable[[], object]:
    scores = torch.rand(tokens, 3000)
    return lambda: sinkhorn_labels(scores)


def references(frames: int) -> Callable[[], object]:
    query, memory, labels = make_inputs(60, 107, 128, frames)
    return lambda: propagate(topk_affinity(query, memory, **SETTINGS), labels)


def video_length(frames: int) -> Callable[[], object]:
    def features() -> Tensor:
        return F.normalize(torch.randn(15, 27, 64), dim=-1)

    def run() -> None:
        propagator = ContextPropagator(num_context=7)
        labels = F.one_hot(torch.randint(3, (15, 27)), 3).float()
        propagator.step(features(), labels)
        for _ in range(frames - 1):
            propagator.step(features())

    return run


def alignment(length: int) -> Callable[[], object]:
    cost = torch.rand(8, length, length, requires_grad=True)
    return lambda: smooth_dtw(cost, 0.1).value.sum().backward()


def stored_videos(videos: int) -> Callable[[], object]:
    return make_store(tempfile.mkdtemp(), videos, 10_000).open_rows


MEASURED: dict[str, tuple[Callable[[int], Callable[[], object]], tuple[int, ...]]] = {
    'Sinkhorn, soft codes: tokens x 3,000 prototypes': (soft_codes, (2000, 8000, 32000)),
    'Sinkhorn, hard codes: tokens x 3,000 prototypes': (hard_codes, (2000, 8000, 32000)),
    'labels of a frame: references of 60 x 107 cells': (references, (2, 7, 21)),
    'propagator: frames of the video': (video_length, (10, 40, 160)),
    'SmoothDTW of 8 pairs, with gradient: frames': (alignment, (50, 200, 800)),
    'store that is opened: videos': (stored_videos, (10_000, 100_000, 400_000)),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--one', nargs=2, help=argparse.SUPPRESS)
    parser.add_argument('--out', type=Path, help='JSON file of the results')
    args = parser.parse_args()
    if args.one:
        build, size = MEASURED[args.one[0]][0], int(args.one[1])
        build(min(MEASURED[args.one[0]][1]))()  # what is needed once, such as compiled kernels and threads
        run = build(size)
        print(with_peak(run)[1])
        return
    print(machine())
    record: dict[str, Any] = {**run_conditions(), 'mb': {}}
    for name, (_, sizes) in MEASURED.items():
        found = {}
        for size in sizes:
            command = [sys.executable, __file__, '--one', name, str(size)]
            run = subprocess.run(command, check=True, capture_output=True, text=True, env=ENVIRONMENT)
            found[str(size)] = round(float(run.stdout.split()[-1]), 1)
        record['mb'][name] = found
        print(f'{name:<50}', '  '.join(f'{size}: {mb} MB' for size, mb in found.items()), flush=True)
    if args.out:
        write_atomically(args.out, lambda name: Path(name).write_text(json.dumps(record, indent=1) + '\n'))


if __name__ == '__main__':
    main()
