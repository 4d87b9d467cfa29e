"""SmoothDTW, forward and backward, against the double loop of its definition, ddtw and tslearn; GTA's whole loss.

    pip install -e .[benchmarks]
    python benchmarks/alignment.py

The double loop does one pair, whose time is multiplied by the number of pairs. ddtw is compared on the same costs, with
its numba backend; tslearn has Soft-DTW of squared distances, which is compared with ours of the same. Agreement is of
gradients with ours in float64. Peak memory is that of a fresh process, above what it has before.
"""

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
import torch.nn.functional as F
from common import compare, machine, print_table
from torch import Tensor

from mmsigma.models.gta.losses.gta import GTALoss
from mmsigma.models.gta.losses.lav import soft_dtw
from mmsigma.models.gta.losses.video_group import VideoGroup
from mmsigma.ops.soft_dtw import contrastive_cost, smooth_dtw, smooth_min

GAMMA = 0.1


def make_embeddings(*shape: int, seed: int = 0) -> Tensor:
    return F.normalize(torch.randn(*shape, generator=torch.Generator().manual_seed(seed)), dim=-1)


def make_cost(num_pairs: int, size: int, dtype: torch.dtype = torch.float32) -> Tensor:
    """Contrastive costs (P, T, T) of random embeddings, to be differentiated by."""
    x, y = (make_embeddings(num_pairs, size, 128, seed=seed).to(dtype) for seed in (0, 1))
    return contrastive_cost(x, y).detach().requires_grad_()


def double_loop(cost: Tensor) -> Tensor:
    """Value of one pair (M, N), one cell after the other."""
    rows, columns = cost.shape
    outside = cost.new_tensor(1e10)
    table = {(i, j): outside for i in range(rows + 1) for j in range(columns + 1) if not i or not j}
    table[0, 0] = cost.new_zeros(())
    for i in range(1, rows + 1):
        for j in range(1, columns + 1):
            before = torch.stack([table[i, j - 1], table[i - 1, j - 1], table[i - 1, j]])
            table[i, j] = cost[i - 1, j - 1] + smooth_min(before, GAMMA)
    return table[rows, columns]


def gradient(value: Tensor, inputs: Tensor) -> Tensor:
    (found,) = torch.autograd.grad(value, inputs)
    return found


def smooth_candidates(num_pairs: int, size: int) -> dict[str, Callable[[], Tensor]]:
    """Gradients of the sum of values by the costs."""
    from ddtw import smoothDTW

    cost = make_cost(num_pairs, size)
    peer = smoothDTW(gamma=GAMMA, normalization='none', backend='cpu_numba')
    return {
        'ddtw, numba': lambda: gradient(peer(C=cost) * num_pairs, cost),  # its value is a mean
        'ours': lambda: gradient(smooth_dtw(cost, GAMMA).value.sum(), cost),
    }


def soft_candidates(num_pairs: int, size: int) -> dict[str, Callable[[], Tensor]]:
    """Gradients of the sum of Soft-DTW values by the embeddings."""
    from tslearn.metrics import SoftDTWLossPyTorch

    x, y = make_embeddings(num_pairs, size, 128).requires_grad_(), make_embeddings(num_pairs, size, 128, seed=1)
    lengths = (torch.full((num_pairs,), size),) * 2
    peer = SoftDTWLossPyTorch(gamma=GAMMA)
    return {
        'tslearn, numba': lambda: gradient(peer(x, y).sum(), x),
        'ours': lambda: gradient(soft_dtw(x, y, lengths, GAMMA).sum(), x),
    }


def report(num_pairs: int, size: int, rounds: int) -> None:
    runs = smooth_candidates(num_pairs, size)
    medians = compare(runs, rounds=rounds)
    cost = make_cost(1, size)
    start = time.perf_counter()
    expected = gradient(double_loop(cost[0]), cost)
    medians = {f'double loop, one pair x {num_pairs}': num_pairs * (time.perf_counter() - start), **medians}
    print_table(f'SmoothDTW, {num_pairs} pairs of {size} x {size}', medians, 'ddtw, numba')
    exact = make_cost(num_pairs, size, torch.float64)
    reference = gradient(smooth_dtw(exact, GAMMA).value.sum(), exact)
    errors = {name: float((run() - reference).abs().max()) for name, run in runs.items()}
    errors['double loop'] = float((expected - reference[:1]).abs().max()) if num_pairs == 1 else float('nan')
    for name, error in errors.items():
        if error == error:
            print(f'  largest error of the gradient, {name:<24} {error:.1e}')
    medians = compare(soft_candidates(num_pairs, size), rounds=rounds)
    print_table(f'Soft-DTW with its squared distances, {num_pairs} pairs of {size} x {size}', medians, 'tslearn, numba')


def report_loss(rounds: int) -> None:
    """GTA's loss of a batch of the release, and with unequal lengths."""
    loss, embeddings = GTALoss(), make_embeddings(4, 20, 128).requires_grad_()

    def step(lengths: Tensor | None) -> Tensor:
        return gradient(sum(loss(VideoGroup(embeddings, lengths)).values()), embeddings)

    runs = {'20 frames each': lambda: step(None), 'of 20, 7, 13 and 1': lambda: step(torch.tensor([20, 7, 13, 1]))}
    print_table("GTA's loss, 4 videos", compare(runs, rounds=5 * rounds), '20 frames each')


def report_memory(num_pairs: int, size: int) -> None:
    code = f'from alignment import measure_memory; measure_memory({num_pairs}, {size})'
    run = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, check=True, cwd=sys.path[0])
    table = num_pairs * size * size * 4 / 2**20
    print(f'  peak memory, {num_pairs} pairs of {size} x {size}: {run.stdout.strip()} MB; one table has {table:.2f} MB')


def measure_memory(num_pairs: int, size: int) -> None:
    """Print what forward and backward add to the memory of this process at most, in MB."""
    small = make_cost(1, 4)
    gradient(smooth_dtw(small, GAMMA).value.sum(), small)
    cost = make_cost(num_pairs, size)
    before = resident_mb('VmRSS')
    Path('/proc/self/clear_refs').write_text('5')  # the peak begins anew
    gradient(smooth_dtw(cost, GAMMA).value.sum(), cost)
    print(f'{resident_mb("VmHWM") - before:.1f}')


def resident_mb(field: str) -> float:
    (line,) = (line for line in Path('/proc/self/status').read_text().splitlines() if line.startswith(field))
    return int(line.split()[1]) / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--pairs', type=int, default=8)
    parser.add_argument('--sizes', type=int, nargs='+', default=[80, 200])
    parser.add_argument('--rounds', type=int, default=9)
    args = parser.parse_args()
    os.environ.setdefault('NUMBA_NUM_THREADS', str(torch.get_num_threads()))
    print(machine())
    for size in args.sizes:
        report(args.pairs, size, args.rounds)
    report_loss(args.rounds)
    print()
    for num_pairs, size in ((8, 200), (8, 400), (8, 800)):
        report_memory(num_pairs, size)


if __name__ == '__main__':
    main()
