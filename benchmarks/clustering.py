"""Space-time clustering of one video as a round of Mask-VOS does it: seconds, and memory above that of the features.

    python benchmarks/clustering.py [--frames 20 80]

Frames of 32 x 32 cells with 128 features, 5 clusters, found in 20 frames; the space-time code is included.
"""

import argparse
import statistics
import time

import torch
import torch.nn.functional as F
from common import machine, peak_memory_mb

from mmsigma.engine.reclustering import ReclusterSettings, cluster_frames

SIDE, WIDTH = 32, 128


def make_features(num_frames: int, seed: int = 0) -> torch.Tensor:
    """Keys (T, h, w, D) of unit length of blurred regions that move, which take tens of iterations."""
    generator = torch.Generator().manual_seed(seed)
    looks = torch.randn(12, WIDTH, generator=generator)
    coarse = torch.randint(12, (num_frames, 8, 8), generator=generator)[..., None].expand(-1, -1, -1, 4)
    regions = coarse.flatten(2).repeat_interleave(4, dim=1)
    noise = torch.randn(num_frames, SIDE, SIDE, WIDTH, generator=generator)
    return F.normalize(looks[regions] + 2 * noise, dim=-1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--frames', type=int, nargs='+', default=[20, 80])
    parser.add_argument('--rounds', type=int, default=9)
    args = parser.parse_args()
    settings = ReclusterSettings()
    print(machine())
    for number in args.frames:
        features = make_features(number)
        before, seconds = peak_memory_mb(), []
        for seed in range(args.rounds + 1):
            started = time.perf_counter()
            cluster_frames(features, settings, torch.Generator().manual_seed(seed))
            seconds.append(time.perf_counter() - started)
        median, longest = statistics.median(seconds[1:]), max(seconds[1:])
        print(f'{number} frames: {median:.3f} s, at most {longest:.3f} s, {peak_memory_mb() - before:.0f} MB more')


if __name__ == '__main__':
    main()
