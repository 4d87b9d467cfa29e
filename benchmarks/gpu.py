"""What a GPU gives: training steps, teacher, Sinkhorn, propagation, soft-DTW and transfer of clips, in minutes.

    pip install -e .[benchmarks]
    python benchmarks/gpu.py --out gpu.json

Each measurement is written as soon as it is made; those for which no time is left are listed as left out. Products of
bfloat16 matrices are measured first: their rate is the peak of which each step's share is stated. It also runs on a CPU
(``--arch tiny --batch 1``), to see that it works.
"""

import argparse
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from common import compare, machine, peak_memory_mb
from pretrain_step import hf_model, our_model, tube_mask

from mmsigma.io.atomic import write_atomically
from mmsigma.models.propagation.context_propagator import ContextPropagator
from mmsigma.ops import sinkhorn, sinkhorn_labels, smooth_dtw, split_tokens

DEVICE = 'cuda' if torch.cuda.is_available() else 'cpu'
Row = dict[str, Any]
FLOPS: dict[str, int] = {}  # of a training step, by name


def save(record: Row, path: Path) -> None:
    """Write what has been measured so far."""
    write_atomically(path, lambda temporary: Path(temporary).write_text(json.dumps(record, indent=1)))


def matmul_rate(dtype: torch.dtype, size: int) -> float:
    """Return the rate of a product of square matrices, in FLOP per second."""
    factors = torch.randn(2, size, size, device=DEVICE, dtype=dtype)
    seconds = compare({'product': lambda: torch.mm(*factors)}, rounds=10, warmup=3)['product']
    return 2 * size**3 / seconds


def flops_of(run: Callable[[], Any]) -> int:
    """Count the FLOPs of products and convolutions."""
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counter:
        run()
    return int(counter.get_total_flops())


def training_steps(args: argparse.Namespace, peak: float) -> Iterator[Row]:
    """Measure forward and backward pass: pixels, SIGMA-MLP and SIGMA-DINO, eager and compiled, and transformers."""
    for precision in ('bfloat16', 'float32'):
        for compiled in (False, True):
            for name in ('hf-sdpa', 'pixel', 'mlp', 'dino'):
                if not (compiled and name == 'hf-sdpa'):
                    yield measured(training_step, args, peak, name, precision, compiled)


def training_step(args: argparse.Namespace, peak: float, name: str, precision: str, compiled: bool) -> Row:
    """Measure one kind of step, with nothing else in memory."""
    clips = torch.randn(args.batch, 3, 16, 224, 224, device=DEVICE)
    mask = tube_mask(args.batch)
    split = split_tokens(mask)
    split, mask = type(split)(*(index.to(DEVICE) for index in split)), mask.to(DEVICE)
    if name == 'hf-sdpa':
        model: Any = hf_model(args.arch, 'sdpa').to(DEVICE)
        clips = clips.transpose(1, 2).contiguous()
    else:
        model = our_model(args.arch, name).to(DEVICE)
    run = torch.compile(model.loss) if compiled else getattr(model, 'loss', None)

    def step() -> None:
        model.zero_grad()
        with torch.autocast(DEVICE, torch.bfloat16, enabled=precision == 'bfloat16'):
            if run is None:
                loss = model(clips, bool_masked_pos=mask).loss
            else:
                loss = sum(value for key, value in run(clips, split).items() if 'loss' in key)
        loss.backward()

    flops = None if compiled else flops_of(step)
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
    seconds = compare({'step': step}, args.rounds, warmup=2)['step']
    flops = FLOPS.setdefault(name, flops) if flops else FLOPS.get(name)  # not counted in compiled graphs
    return dict(
        what='training step',
        name=name,
        precision=precision,
        compiled=compiled,
        seconds=seconds,
        clips_per_second=args.batch / seconds,
        share_of_peak=flops / seconds / peak if flops else None,
        memory_mb=peak_memory_mb(),
    )


def measured(run: Callable[..., Row], args: argparse.Namespace, peak: float, *settings: Any) -> Row:
    """Return a measurement, or what went wrong: the others go on without it."""
    try:
        return run(args, peak, *settings)
    except Exception as error:  # such as too little memory, or no compiler
        return dict(
            what=run.__name__, name=' '.join(map(str, settings)), error=f'{type(error).__name__}: {error}'[:500]
        )
    finally:
        torch._dynamo.reset()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()


def teacher(args: argparse.Namespace, peak: float) -> Iterator[Row]:
    """Measure the frozen encoder of SIGMA-DINO alone."""
    clips = torch.randn(args.batch, 3, 16, 224, 224, device=DEVICE)
    target = our_model(args.arch, 'dino').to(DEVICE).target
    frames = clips[:, :, ::2].transpose(1, 2).flatten(0, 1)
    for precision in ('float32', 'amp'):
        target.precision = precision

        def encode() -> None:
            with torch.no_grad(), torch.autocast(DEVICE, torch.bfloat16):
                target.encode(frames)

        seconds = compare({'teacher': encode}, args.rounds)['teacher']
        flops = flops_of(encode)
        yield dict(
            what='teacher', name=precision, seconds=seconds, frames=len(frames), share_of_peak=flops / seconds / peak
        )


def assignments(args: argparse.Namespace, peak: float) -> Iterator[Row]:
    """Measure Sinkhorn for the tokens of a batch, against a copy of the scores: passes over the matrix."""
    scores = torch.nn.functional.normalize(torch.randn(args.batch * 1408, 256, device=DEVICE), dim=1)
    scores = scores @ torch.nn.functional.normalize(torch.randn(256, 3000, device=DEVICE), dim=0)
    candidates = {
        'copy': lambda: scores.clone(),
        'soft': lambda: sinkhorn(scores, local=True),
        'hard': lambda: sinkhorn_labels(scores, local=True),
    }
    medians = compare(candidates, args.rounds)
    for name in ('soft', 'hard'):
        passes = medians[name] / medians['copy']
        yield dict(what='Sinkhorn, 10 iterations', name=name, seconds=medians[name], copies_of_the_scores=passes)


@torch.no_grad()
def propagation(args: argparse.Namespace, peak: float) -> Iterator[Row]:
    """Measure label propagation as DINO's at 480p."""
    features = torch.nn.functional.normalize(torch.randn(12, 60, 106, 384, device=DEVICE), dim=-1)
    labels = torch.eye(4, device=DEVICE)[torch.randint(0, 4, (60, 106), device=DEVICE)]

    def run() -> None:
        propagator = ContextPropagator(num_context=7, radius=12, k=5)
        for number, frame in enumerate(features):
            propagator.step(frame, labels if number == 0 else None)

    yield dict(
        what='label propagation',
        name='60 x 106 cells',
        seconds=compare({'run': run}, args.rounds)['run'] / len(features),
    )


def soft_dtw(args: argparse.Namespace, peak: float) -> Iterator[Row]:
    """Measure SmoothDTW with gradients."""
    cost = torch.rand(32, 80, 80, device=DEVICE, requires_grad=True)
    seconds = compare({'run': lambda: smooth_dtw(cost, 0.1).value.sum().backward()}, args.rounds)['run']
    yield dict(what='SmoothDTW with gradient', name='32 pairs of 80 x 80', seconds=seconds)


def transfer(args: argparse.Namespace, peak: float) -> Iterator[Row]:
    """Measure how fast pinned uint8 clips reach the device and are normalised."""
    clips = [torch.from_numpy(np.zeros((3, 16, 224, 224), np.uint8)) for _ in range(args.batch)]
    if torch.cuda.is_available():
        clips = [clip.pin_memory() for clip in clips]
    preprocessor = our_model(args.arch, 'pixel').to(DEVICE).data_preprocessor
    seconds = compare({'run': lambda: preprocessor({'inputs': clips, 'data_samples': []}, True)}, args.rounds)['run']
    yield dict(what='transfer and normalisation', name=f'{args.batch} clips', seconds=seconds)


PARTS = (teacher, assignments, propagation, soft_dtw, transfer, training_steps)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--arch', default='base', help='size of the ViT')
    parser.add_argument('--batch', type=int, default=32, help='clips of a step')
    parser.add_argument('--rounds', type=int, default=5, help='measurements, of which the median counts')
    parser.add_argument('--budget', type=float, default=400, help='seconds after which nothing new begins')
    parser.add_argument('--matrix', type=int, default=8192 if DEVICE == 'cuda' else 1024, help='side of the matrices')
    parser.add_argument('--out', type=Path, default=Path('gpu.json'), help='JSON file of the results')
    args = parser.parse_args()
    start = time.monotonic()
    peak = matmul_rate(torch.bfloat16 if DEVICE == 'cuda' else torch.float32, args.matrix)
    settings = {key: value for key, value in vars(args).items() if key != 'out'}
    record: dict[str, Any] = dict(machine=machine(), peak_flops=peak, settings=settings, rows=[], left_out=[])
    print(f'{machine()}, matrix products at {peak / 1e12:.3g} TFLOP/s')
    for part in PARTS:
        if time.monotonic() - start > args.budget:
            record['left_out'].append(part.__name__)
            continue
        try:
            for row in part(args, peak):
                record['rows'].append(row)
                save(record, args.out)
                print(
                    '  '.join(
                        f'{key} {value:.4g}' if isinstance(value, float) else f'{value}' for key, value in row.items()
                    )
                )
                if time.monotonic() - start > args.budget:
                    record['left_out'].append(f'the rest of {part.__name__}')
                    break
        except Exception as error:  # of one part: the others go on
            record['left_out'].append(f'{part.__name__}: {error}')
            print(f'{part.__name__} failed: {error}')
    record['minutes'] = (time.monotonic() - start) / 60
    save(record, args.out)
    print(f'{record["minutes"]:.1f} minutes; left out: {record["left_out"] or "nothing"}; written to {args.out}')


if __name__ == '__main__':
    main()
