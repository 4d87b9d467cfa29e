"""Linear layers as matrix products and as convolutions, forward and backward, at the sizes of a pre-training step.

python benchmarks/linear.py
"""

import argparse
from collections.abc import Callable
from functools import partial

import torch
from common import compare, machine, print_table

from mmsigma.ops import choose_cpu_linear, fastest_cpu_linear, linear

# tokens x channels x outputs: encoders of ViT-S and ViT-B, of which a tenth of the tokens is visible, and a decoder
SIZES = ((320, 384, 1536), (320, 768, 3072), (3136, 192, 768))


def make_step(kind: str, rows: int, width: int, outputs: int) -> Callable[[], object]:
    inputs, weight = (torch.randn(size, width, requires_grad=True) for size in (rows, outputs))
    bias, grad = torch.randn(outputs, requires_grad=True), torch.randn(rows, outputs)

    def step() -> object:
        choose_cpu_linear(kind)
        return torch.autograd.grad(linear(inputs, weight, bias), (inputs, weight, bias), grad)

    return step


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--rounds', type=int, default=25)
    args = parser.parse_args()
    print(f'chosen here: {fastest_cpu_linear()}')
    for size in SIZES:
        steps = {kind: make_step(kind, *size) for kind in ('matmul', 'convolution')}
        medians = compare({kind: partial(_several, step) for kind, step in steps.items()}, args.rounds, warmup=3)
        print_table(f'5 linear layers of {" x ".join(map(str, size))}, {machine()}', medians, 'matmul')


def _several(step: Callable[[], object]) -> None:
    for _ in range(5):
        step()


if __name__ == '__main__':
    main()
