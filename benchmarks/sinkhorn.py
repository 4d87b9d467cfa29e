"""Sinkhorn assignment against POT's torch solver: time, agreement and peak memory.

    pip install -e .[benchmarks]
    python benchmarks/sinkhorn.py

POT solves the same problem (uniform marginals, cost -scores, the same regularisation and number of iterations) and
returns the transport plan; its rows, times the number of samples, are our codes. Agreement is with a float64 reference
that stores everything. Peak memory is measured for one candidate at a time, each in a fresh process.
"""

import argparse
import subprocess
import sys
from collections.abc import Callable

import torch
import torch.nn.functional as F
from common import compare, machine, peak_memory_mb, print_table
from torch import Tensor

from mmsigma.ops import sinkhorn, sinkhorn_labels

EPSILON = 0.05


def make_scores(num_samples: int, num_prototypes: int, dim: int = 256) -> Tensor:
    """Cosine similarities (N, K) of random features and prototypes that share a few directions."""
    torch.manual_seed(0)
    device = 'cuda' if torch.cuda.is_available() else 'cpu'
    centres = torch.randn(64, dim, device=device)
    features = centres[torch.randint(64, (num_samples,), device=device)] + torch.randn(num_samples, dim, device=device)
    prototypes = centres[torch.randint(64, (num_prototypes,), device=device)]
    prototypes = prototypes + torch.randn(num_prototypes, dim, device=device)
    return F.normalize(features, dim=1) @ F.normalize(prototypes, dim=1).T


def pot(scores: Tensor, num_iters: int) -> Tensor:
    rows, columns = (scores.new_full((size,), 1 / size) for size in scores.shape)
    import ot  # POT, of the extra `benchmarks`

    return ot.sinkhorn(rows, columns, -scores, EPSILON, numItermax=num_iters, stopThr=0, warn=False)


def candidates(scores: Tensor, num_iters: int) -> dict[str, Callable[[], Tensor]]:
    return {
        'POT, soft': lambda: pot(scores, num_iters),
        'POT, hard': lambda: pot(scores, num_iters).argmax(dim=1),
        'ours, soft': lambda: sinkhorn(scores, EPSILON, num_iters),
        'ours, hard': lambda: sinkhorn_labels(scores, EPSILON, num_iters),
        'one exp of the matrix': lambda: torch.exp(scores / EPSILON),
    }


def reference(scores: Tensor, num_iters: int) -> Tensor:
    """Codes (N, K) in float64, by scaling the matrix in the log domain."""
    log_plan = scores.double() / EPSILON
    for _ in range(num_iters):
        log_plan = log_plan.log_softmax(dim=0)
        log_plan = log_plan.log_softmax(dim=1)
    return log_plan.exp()


def print_agreement(scores: Tensor, num_iters: int) -> None:
    wanted = reference(scores, num_iters)
    run = candidates(scores, num_iters)
    print(f'\nagreement with float64 after {num_iters} iterations')
    for name, codes in (('POT', run['POT, soft']() * len(scores)), ('ours', run['ours, soft']())):
        difference = (codes - wanted).abs().max().item()
        same = (codes.argmax(dim=1) == wanted.argmax(dim=1)).float().mean().item()
        print(f'  {name:<12} same label {same:8.3%}   largest difference {difference:.1e}')
    same = (run['ours, hard']() == wanted.argmax(dim=1)).float().mean().item()
    print(f'  {"ours, hard":<12} same label {same:8.3%}')


def print_memory(name: str, shape: tuple[int, int], num_iters: int) -> None:
    """Memory that one candidate needs on top of the scores, as a multiple of them."""
    device = 'cuda' if torch.cuda.is_available() else 'cpu'
    scores = torch.empty(shape, device=device).uniform_(-1, 1)  # in place: nothing before it needed more memory
    run = candidates(scores, num_iters)[name]
    before = peak_memory_mb()
    result = run()
    extra, unit = peak_memory_mb() - before, scores.nbytes / 2**20
    print(f'  {name:<28} {extra:8.0f} MB above the scores = {extra / unit:4.2f}x their {unit:.0f} MB', flush=True)
    del result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--shape', type=int, nargs=2, default=(3000, 4000), help='samples and prototypes')
    parser.add_argument('--iters', type=int, nargs='+', default=(3, 10), help='numbers of iterations')
    parser.add_argument('--rounds', type=int, default=9)
    parser.add_argument('--memory-shape', type=int, nargs=2, default=(56_320, 3000), help='40 clips x 1408 tubes')
    parser.add_argument('--memory-of', help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.memory_of:
        print_memory(args.memory_of, args.memory_shape, args.iters[0])
        return
    scores = make_scores(*args.shape)
    for iters in args.iters:
        medians = compare(candidates(scores, iters), args.rounds)
        size = ' x '.join(map(str, args.shape))
        for kind in ('soft', 'hard'):
            chosen = {name: value for name, value in medians.items() if name.endswith(kind) or name.startswith('one')}
            print_table(f'{kind} codes, {size}, {iters} iterations, {machine()}', chosen, f'POT, {kind}')
        print_agreement(scores, iters)
    print(f'\npeak memory, {" x ".join(map(str, args.memory_shape))}, {args.iters[-1]} iterations')
    for name in candidates(scores, 1):
        options = ['--memory-shape', *map(str, args.memory_shape), '--iters', str(args.iters[-1])]
        subprocess.run([sys.executable, __file__, '--memory-of', name, *options], check=True)


if __name__ == '__main__':
    main()
