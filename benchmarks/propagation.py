"""Propagating labels to one frame against a dense search in chunks of queries.

    python benchmarks/propagation.py [--height 60 --width 107 --channels 128 --frames 21]

Both keep the 10 most similar cells of the first frame and, inside a radius of 12 cells, of the previous frames; the
labels they give have to be the same. Extra memory is measured in fresh processes: add ``--memory``.
"""

import argparse
import subprocess
import sys
from collections.abc import Callable

import torch
import torch.nn.functional as F
from common import compare, machine, print_table
from torch import Tensor

from mmsigma.ops.affinity import propagate, topk_affinity

SETTINGS = dict(k=10, radius=12.0, temperature=0.05)


def dense_in_chunks(query: Tensor, memory: Tensor, labels: Tensor, chunk: int = 256) -> Tensor:
    """All similarities of a chunk of queries at once, cells outside the window masked."""
    height, width, channels = query.shape
    keys, values = memory.reshape(-1, channels), labels.reshape(-1, labels.shape[-1])
    y, x = torch.arange(height * width) // width, torch.arange(height * width) % width
    out = []
    for part in torch.arange(height * width).split(chunk):
        similarity = query.view(-1, channels)[part] @ keys.T
        far = (y[part, None] - y) ** 2 + (x[part, None] - x) ** 2 >= SETTINGS['radius'] ** 2
        similarity.view(len(part), len(memory), -1)[:, 1:].masked_fill_(far[:, None], -torch.inf)
        best, cells = similarity.topk(SETTINGS['k'], dim=1)
        weights = (best / SETTINGS['temperature']).softmax(dim=1)
        out.append((weights[..., None] * values[cells]).sum(dim=1))
    return torch.cat(out).view(height, width, -1)


def tiled(query: Tensor, memory: Tensor, labels: Tensor) -> Tensor:
    return propagate(topk_affinity(query, memory, **SETTINGS), labels)


METHODS: dict[str, Callable[[Tensor, Tensor, Tensor], Tensor]] = {'dense in chunks': dense_in_chunks, 'ours': tiled}


def make_inputs(height: int, width: int, channels: int, frames: int) -> tuple[Tensor, Tensor, Tensor]:
    torch.manual_seed(0)
    first = F.normalize(torch.randn(height, width, channels), dim=-1)
    noise = torch.randn(frames + 1, height, width, channels) * 0.05
    features = F.normalize(first + noise, dim=-1)
    labels = F.one_hot(torch.randint(3, (frames, height, width)), 3).float()
    return features[-1], features[:-1], labels


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--height', type=int, default=60)
    parser.add_argument('--width', type=int, default=107)
    parser.add_argument('--channels', type=int, default=128)
    parser.add_argument('--frames', type=int, default=21)
    parser.add_argument('--rounds', type=int, default=5)
    parser.add_argument('--memory', action='store_true', help='measure peak memory instead of time')
    args = parser.parse_args()
    sizes = (args.height, args.width, args.channels, args.frames)
    if args.memory:
        for name in METHODS:
            code = (
                f'import propagation as p, common; x = p.make_inputs{sizes}; base = common.peak_memory_mb(); '
                f'p.METHODS[{name!r}](*x); print("  {name:<20}", round(common.peak_memory_mb() - base), "MB extra")'
            )
            subprocess.run([sys.executable, '-c', code], check=True, cwd=sys.path[0])
        return
    inputs = make_inputs(*sizes)
    torch.testing.assert_close(tiled(*inputs), dense_in_chunks(*inputs), atol=1e-5, rtol=1e-4)
    runs = {name: (lambda method=method: method(*inputs)) for name, method in METHODS.items()}
    title = f'labels of one frame, {args.height} x {args.width} cells, {args.frames} frames, {machine()}'
    print_table(title, compare(runs, args.rounds), 'dense in chunks')


if __name__ == '__main__':
    main()
