"""Does SIGMA learn? One variant of configs/evidence trained on real video, and what its frozen features are worth.

    python tools/cache_frames.py DATA/ut_interaction/videos DATA/videos DATA/davis16_train_240p/JPEGImages/480p \
        --out work_dirs/evidence/frames
    python benchmarks/evidence_sigma.py mlp --steps 10000 --seed 0 --data DATA

DATA, or the environment variable MMSIGMA_EVIDENCE_DATA, is a folder with ``ut_interaction``, ``davis`` and ``weights``.
Variants are the configs ``sigma_<variant>.py``, and ``random`` (the initial weights of ``mlp``) and ``lite0_itself``
(the teacher), which are only tested. A run that was stopped goes on where it was when the same command is given again.
Checkpoints of the steps of ``--test-at`` are tested, the last one always; the record is rewritten after each:
``benchmarks/records/evidence/sigma_<variant>[_<tag>]_seed<seed>.json``.
"""

import argparse
import json
import os
import time
from pathlib import Path
from typing import Any

import torch
from common import run_conditions
from evidence_scores import layers_of, probe, propagation, segmentation, ut_interaction
from mmengine.config import Config, DictAction
from mmengine.registry import init_default_scope
from torch import Tensor

from mmsigma.apis.launch import build_runner
from mmsigma.checkpoints.io import load_weights
from mmsigma.datasets.vos.sequences import find_sequences
from mmsigma.io.atomic import write_atomically
from mmsigma.registry import MODELS
from mmsigma.utils.config import load_config

ROOT = Path(__file__).parents[1]
CONFIGS, RECORDS = ROOT / 'configs' / 'evidence', ROOT / 'benchmarks' / 'records' / 'evidence'
VARIANTS = sorted(path.stem.removeprefix('sigma_') for path in CONFIGS.glob('sigma_*.py'))
TEACHER_FILE = 'weights/tf_efficientnet_lite0_in1k_fp16.pth'
TEACHER = dict(type='TimmEncoder', model_name='tf_efficientnet_lite0', stage=3)
PARTS = ('probes', 'attentive', 'propagation', 'segmentation')


def config_of(args: argparse.Namespace) -> Config:
    """Config of a variant for the steps, seed and data of the command line."""
    lines = len((args.frames / 'list.txt').read_text().splitlines())
    options = {'data_root': str(args.frames), **args.cfg_options}
    if args.variant in VARIANTS and args.variant.startswith('lite0'):
        options['teacher_weights'] = str(args.data / TEACHER_FILE)
    path = CONFIGS / f'sigma_{args.variant if args.variant in VARIANTS else "mlp"}.py'
    steps_per_epoch = lines // load_config(path, options).train_dataloader.batch_size
    cfg = load_config(path, {**options, 'epochs': max(1, round(args.steps / steps_per_epoch))})
    cfg.steps_per_epoch = steps_per_epoch
    cfg.randomness.seed, cfg.work_dir, cfg.launcher, cfg.resume = args.seed, str(args.work_dir), 'none', 'auto'
    return cfg


def train(cfg: Config, work_dir: Path) -> float:
    """Train, or go on training; the minutes that it took, those before an interruption included."""
    record = work_dir / 'minutes.json'
    minutes: float = json.loads(record.read_text()) if record.exists() else 0.0
    if (work_dir / f'epoch_{cfg.train_cfg.max_epochs}.pth').exists():
        return minutes
    started = time.perf_counter()
    try:
        build_runner(cfg).train()
    finally:
        minutes += (time.perf_counter() - started) / 60
        write_atomically(record, lambda name: Path(name).write_text(json.dumps(minutes)))
    return minutes


def encoder_of(cfg: Config, args: argparse.Namespace) -> tuple[dict[str, Any], int]:
    """Config of the encoder to test, and the side of the frames that it sees."""
    if args.variant == 'lite0_itself':
        return {**TEACHER, 'weights': str(args.data / TEACHER_FILE)}, 224
    return {**cfg.model.backbone, 'drop_path_rate': 0.0}, cfg.model.backbone.img_size


def test(
    cfg: Config, args: argparse.Namespace, state: dict[str, Tensor] | None, done: dict[str, Any]
) -> dict[str, Any]:
    """All scores of an encoder; ``done`` are those that are known already."""
    encoder, size = encoder_of(cfg, args)
    scores, started = dict(done), time.perf_counter()
    if 'probes' in args.parts and 'probes' not in done:
        torch.manual_seed(args.seed)
        backbone = MODELS.build(encoder).eval()
        if state is not None:
            backbone.load_state_dict(state)
        num_frames = cfg.model.backbone.num_frames
        sampling = dict(size=size, num_frames=num_frames, frame_interval=cfg.frame_interval, views=3)
        clips = ut_interaction(args.data / 'ut_interaction', args.frames, **sampling)
        layers = layers_of(backbone, clips.inputs)
        scores['probes'] = probe(clips, layers, seed=args.seed, attentive='attentive' in args.parts)
    davis = dict(data_root=str(args.data / 'davis'), year=2016, split=args.davis_split)
    dense = encoder if args.variant == 'lite0_itself' else {**encoder, 'dynamic_size': True}
    if 'segmentation' in args.parts and 'segmentation' not in done:
        torch.manual_seed(args.seed)
        scores['segmentation'] = segmentation(dense, state, davis, cfg.model.backbone.num_frames)
    if 'propagation' in args.parts and 'propagation' not in done:
        torch.manual_seed(args.seed)
        root = davis.pop('data_root')
        sequences = find_sequences('davis', root, **davis)[: args.sequences]
        scores['propagation'] = propagation(dense, state, sequences, tuple(args.davis_size))
    scores['minutes'] = round(done.get('minutes', 0.0) + (time.perf_counter() - started) / 60, 2)
    return scores


def backbone_state(checkpoint: Path) -> dict[str, Tensor]:
    state = load_weights(checkpoint, trust=True)  # the run's own file
    return {name.removeprefix('backbone.'): value for name, value in state.items() if name.startswith('backbone.')}


def conditions(cfg: Config, args: argparse.Namespace) -> dict[str, Any]:
    """What a reader of a record has to know."""
    return dict(
        variant=args.variant,
        tag=args.tag,
        seed=args.seed,
        **run_conditions(),
        steps=cfg.train_cfg.max_epochs * cfg.steps_per_epoch if args.variant in VARIANTS else 0,
        batch_size=cfg.train_dataloader.batch_size,
        options={name: str(value) for name, value in args.cfg_options.items()},
        davis_size=args.davis_size,
    )


def last_log(work_dir: Path) -> dict[str, float]:
    """Loss and statistics that the run wrote last."""
    for path in sorted(work_dir.glob('*/vis_data/scalars.json'), reverse=True):
        if lines := path.read_text().splitlines():
            return {name: value for name, value in json.loads(lines[-1]).items() if isinstance(value, int | float)}
    return {}


def main() -> None:
    args = parse_args()
    init_default_scope('mmsigma')
    torch.set_num_threads(args.threads)
    cfg = config_of(args)
    path = RECORDS / f'sigma_{args.variant}{f"_{args.tag}" if args.tag else ""}_seed{args.seed}.json'
    record: dict[str, Any] = conditions(cfg, args)
    old = json.loads(path.read_text()) if path.exists() else {}
    same = all(old.get(key) == record[key] for key in ('options', 'davis_size', 'steps', 'batch_size'))
    record['tests'] = old.get('tests', {}) if same else {}
    checkpoints: dict[int, Path | None] = {0: None}
    if args.variant in VARIANTS:
        record['minutes'] = round(train(cfg, args.work_dir), 2)
        record['last'] = last_log(args.work_dir)
        epochs = {max(1, round(step / cfg.steps_per_epoch)) for step in args.test_at} | {cfg.train_cfg.max_epochs}
        named = {epoch: args.work_dir / f'epoch_{epoch}.pth' for epoch in sorted(epochs)}
        if lacking := [file.name for file in named.values() if not file.exists()]:
            print(f'not tested, as these are not kept: {lacking} (keep_every is {cfg.keep_every} epochs)')
        checkpoints = {epoch * cfg.steps_per_epoch: file for epoch, file in named.items() if file.exists()}
    for step, file in checkpoints.items():
        state = backbone_state(file) if file else None
        record['tests'][str(step)] = test(cfg, args, state, record['tests'].get(str(step), {}))
        write_atomically(path, lambda name: Path(name).write_text(json.dumps(record, indent=1) + '\n'))
        print(f'{args.variant}, step {step}:', summary(record['tests'][str(step)]), flush=True)


def summary(scores: dict[str, Any]) -> dict[str, float]:
    found = {name: round(value['accuracy'], 1) for name, value in scores.get('probes', {}).items()}
    if 'propagation' in scores:
        found['J&F'] = scores['propagation']['all']['J&F']
    if 'segmentation' in scores:
        found |= {name.rpartition('/')[2]: value for name, value in scores['segmentation'].items() if 'mIoU' in name}
    return found


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('variant', choices=[*VARIANTS, 'random', 'lite0_itself'])
    parser.add_argument('--steps', type=int, default=10000)
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--data', type=Path, default=os.environ.get('MMSIGMA_EVIDENCE_DATA'))
    parser.add_argument('--frames', type=Path, default=Path('work_dirs/evidence/frames'), help='of cache_frames.py')
    parser.add_argument('--work-dir', type=Path, help='default: work_dirs/evidence/sigma_<variant>[_<tag>]_seed<seed>')
    parser.add_argument('--tag', default='', help='name of a run with other settings')
    parser.add_argument('--test-at', type=int, nargs='*', default=[], help='steps whose checkpoints are tested, too')
    parser.add_argument('--parts', nargs='*', default=list(PARTS), choices=PARTS, help='tests to make')
    parser.add_argument('--davis-split', default='val')
    parser.add_argument('--davis-size', type=int, nargs=2, default=(240, 432), help='height and width of frames')
    parser.add_argument('--sequences', type=int, help='only the first ones')
    parser.add_argument('--threads', type=int, default=torch.get_num_threads())
    parser.add_argument('--cfg-options', nargs='+', action=DictAction, default={})
    args = parser.parse_args()
    if args.data is None:
        parser.error('give --data, or set MMSIGMA_EVIDENCE_DATA')
    args.data, args.davis_size = Path(args.data), list(args.davis_size)
    name = f'sigma_{args.variant}{f"_{args.tag}" if args.tag else ""}_seed{args.seed}'
    args.work_dir = args.work_dir or Path('work_dirs/evidence') / name
    return args


if __name__ == '__main__':
    main()
