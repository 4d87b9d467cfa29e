"""J&F of methods that have learnt nothing, beside a trained model: what label propagation itself is worth.

    python benchmarks/vos_baselines.py DAVIS --year 2016 --split val [--native] [--model CONFIG CHECKPOINT] ...

Frames are resized to 240 x 424 and the window is halved, so that a CPU is enough; ``--native`` keeps both. The random
networks are drawn from seed 0.
"""

import argparse
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from common import machine
from mmengine.registry import init_default_scope

from mmsigma.checkpoints.io import load_into_model, load_weights
from mmsigma.datasets.vos.sequences import VOSSequence, find_sequences
from mmsigma.evaluation.vos.davis import score_sequence, summarize
from mmsigma.registry import MODELS
from mmsigma.utils.config import load_config

CONFIGS = Path(__file__).parents[1] / 'configs' / 'vos'
BASELINES = {
    'Lab colour, mean of a cell': ('colour', {'model.backbone.parts': 1}),
    'Lab colour, 4 x 4 parts of a cell': ('colour', {}),
    'ResNet-18, random': ('r18', {}),
    'ResNet-18 stage 3, random': ('r18', {'model.backbone.out_stage': 3}),
    'ViT-S/16, random, DINO protocol': ('vitb', {'arch': 'small'}),
}
Segment = Callable[[VOSSequence], Iterator[np.ndarray]]


def static(sequence: VOSSequence) -> Iterator[np.ndarray]:
    """The first mask in every frame."""
    return iter([sequence.read_mask(0)] * len(sequence.frames))


def build(config: str | Path, options: dict, checkpoint: str | None, native: bool) -> Segment:
    """The segmentation by a config's model."""
    cfg = load_config(config, options)
    if not native:
        geometry = cfg.model.setdefault('geometry', {})
        geometry.pop('long_multiple', None)
        if geometry.pop('short_side', None):
            geometry['size'] = (240, 416)  # a multiple of 16
        else:
            geometry['size'] = (240, 424)
        cfg.model.propagator.radius = cfg.model.propagator.get('radius', 12) / 2
    torch.manual_seed(0)
    model = MODELS.build(cfg.model).eval()
    if checkpoint:
        load_into_model(model, load_weights(checkpoint), origin=checkpoint, backbone_only=True)
    return model.to('cuda' if torch.cuda.is_available() else 'cpu').segment


def print_scores(methods: dict[str, Callable[[], Segment]], sequences: list[VOSSequence], conditions: str) -> None:
    """Score methods, each built when it is its turn, and print a table of all sequences."""
    frames = sum(len(one.frames) for one in sequences)
    print(f'{len(sequences)} videos, {frames} frames, {conditions}')
    print('| method | ' + ' | '.join(one.name for one in sequences) + ' | J&F | J | F | s/frame |')
    print('|---' * (len(sequences) + 5) + '|')
    for name, prepare in methods.items():
        segment, started, cells, everything = prepare(), time.perf_counter(), [], []
        for sequence in sequences:
            gt = (sequence.read_mask(number) for number in range(len(sequence.frames)))
            statistics = score_sequence(segment(sequence), gt).statistics()
            cells.append(summarize(statistics)['J&F'])
            everything += statistics
        total = summarize(everything)
        numbers = [*cells, total['J&F'], total['J_mean'], total['F_mean']]
        seconds = (time.perf_counter() - started) / frames
        print(
            f'| {name} | ' + ' | '.join(f'{100 * value:.1f}' for value in numbers) + f' | {seconds:.2f} |', flush=True
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('davis', type=Path, help='folder of the dataset')
    parser.add_argument('--year', type=int, default=2017)
    parser.add_argument('--split', default='val')
    parser.add_argument('--videos', nargs='+', help='some of the videos')
    parser.add_argument('--native', action='store_true', help='480p instead of 240 x 424')
    parser.add_argument('--methods', nargs='+', choices=['static', *BASELINES], help='some of the baselines')
    parser.add_argument(
        '--model', nargs=2, action='append', default=[], metavar=('CONFIG', 'CHECKPOINT'), help='a trained model'
    )
    args = parser.parse_args()
    init_default_scope('mmsigma')
    sequences = find_sequences('davis', args.davis, year=args.year, split=args.split)
    sequences = [one for one in sequences if not args.videos or one.name in args.videos]
    methods: dict[str, Callable[[], Segment]] = {'static': lambda: static}
    for name, (config, options) in BASELINES.items():
        methods[name] = lambda config=config, options=options: build(
            CONFIGS / f'{config}.py', options, None, args.native
        )
    if args.methods:
        methods = {name: methods[name] for name in args.methods}
    for config, checkpoint in args.model:
        methods[f'{Path(config).stem}, {Path(checkpoint).name}'] = lambda config=config, checkpoint=checkpoint: build(
            config, {}, checkpoint, args.native
        )
    print_scores(methods, sequences, f'{"480p" if args.native else "240 x 424"}, {machine()}')


if __name__ == '__main__':
    main()
