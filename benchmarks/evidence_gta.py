"""Does GTA learn? GTA and its baselines on real videos with a phase per frame, over several seeds.

    python benchmarks/evidence_gta.py fir --data DATA [--encoder frozen] [--seeds 3]

DATA, or the environment variable MMSIGMA_EVIDENCE_DATA, is a folder with ``fir_phases``, ``golf_phases`` and
``weights``. Encoders are EfficientNet-Lite0, ``frozen``, whose maps are computed once and without augmentation, or
``only_bn``; and ``scratch``. Every method starts from the same weights and sees the same batches. Networks are trained
on the videos of ``train.txt``; scores are those of ``val.txt``, in percent. Each finished run is written to
``benchmarks/records/evidence/gta_<videos>_<encoder>.json``, and is not made again.
"""

import argparse
import json
import os
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from common import run_conditions
from kept_frames import encode_once, read_once
from mmengine.config import Config
from mmengine.registry import init_default_scope

from mmsigma.apis.launch import build_runner
from mmsigma.datasets.videos.video_list import read_entries
from mmsigma.io.atomic import write_atomically
from mmsigma.utils.config import load_config

ROOT = Path(__file__).parents[1]
CONFIGS, RECORDS = ROOT / 'configs' / 'evidence', ROOT / 'benchmarks' / 'records' / 'evidence'
WEIGHTS = 'weights/tf_efficientnet_lite0_in1k_fp16.pth'
ENCODERS = ('frozen', 'only_bn', 'scratch')
_BARE = dict(type='GTALoss', revcons=False)  # alignment in both directions without cycle consistency
LOSSES: dict[str, dict[str, Any] | None] = {
    'random': None,
    'TCC': dict(type='TCCLoss', kind='regression_mse_var'),
    'TCN': dict(type='TCNLoss', kind='n_pairs'),
    'SaL': dict(type='OrderHead'),
    'D3TW*': dict(type='D3TWStarLoss'),
    'SmoothDTW without cycle': _BARE,
    'soft-DTW without cycle': dict(_BARE, kind='logsumexp'),
    'soft-DTW with cycle': dict(type='GTALoss', kind='logsumexp'),
    'GTA': dict(type='GTALoss'),
}
NOT_OF_UNIT_LENGTH = ('TCC', 'TCN', 'SaL')  # as in their releases


def config_of(args: argparse.Namespace, method: str, seed: int, work_dir: Path) -> Config:
    """Config of a run."""
    name = f'gta_{args.videos}{"_scratch" if args.encoder == "scratch" else ""}.py'
    options: dict[str, Any] = {'data_root': str(args.data / f'{args.videos}_phases'), 'epochs': args.epochs}
    if args.encoder != 'scratch':
        options |= {'encoder_weights': str(args.data / WEIGHTS), 'train_mode': args.encoder}
    cfg = load_config(CONFIGS / name, options)
    cfg.model.neck.normalize = method not in NOT_OF_UNIT_LENGTH
    if method == 'SaL':
        cfg.model.head = dict(type='OrderHead', in_channels=cfg.model.neck.out_channels)
    elif loss := LOSSES[method]:
        cfg.model.head.loss = loss
    if method == 'TCN':
        cfg.train_dataloader.dataset.pipeline[0].sampling.positives = 5
    cfg.randomness.seed, cfg.work_dir, cfg.experiment_name, cfg.launcher = seed, str(work_dir), work_dir.name, 'none'
    cfg.custom_hooks = [hook for hook in cfg.custom_hooks if hook.type == 'NonFiniteLossHook']
    cfg.default_hooks.checkpoint.interval, cfg.log_level = 10**6, 'WARNING'
    return cfg


def evaluate(args: argparse.Namespace, method: str, seed: int) -> dict[str, float]:
    """Train by a method and test."""
    with tempfile.TemporaryDirectory() as folder:
        cfg = config_of(args, method, seed, Path(folder, 'run'))
        if args.encoder == 'frozen':
            root = Path(cfg.data_root)
            encode_once(cfg, [str(root / entry.path) for entry in read_entries(root / 'list.txt', root)])
        else:
            read_once(cfg)
        started, runner = time.perf_counter(), build_runner(cfg)
        if method != 'random':
            runner.train()
        scores = runner.test()
    minutes = (time.perf_counter() - started) / 60
    return {**{name: round(float(value), 2) for name, value in scores.items()}, 'minutes': round(minutes, 2)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('videos', choices=['fir', 'golf'])
    parser.add_argument('--encoder', choices=ENCODERS, default='frozen')
    parser.add_argument('--data', type=Path, default=os.environ.get('MMSIGMA_EVIDENCE_DATA'))
    parser.add_argument('--seeds', type=int, default=3)
    parser.add_argument('--epochs', type=int, default=8, help='of 50 steps')
    parser.add_argument('--methods', nargs='+', default=list(LOSSES), choices=list(LOSSES))
    args = parser.parse_args()
    if args.data is None:
        parser.error('give --data, or set MMSIGMA_EVIDENCE_DATA')
    args.data = Path(args.data)
    init_default_scope('mmsigma')
    path = RECORDS / f'gta_{args.videos}_{args.encoder}.json'
    record: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    if record.get('epochs') != args.epochs:
        record = dict(videos=args.videos, encoder=args.encoder, epochs=args.epochs, runs={})
    record |= run_conditions()
    for seed in range(args.seeds):
        for method in args.methods:
            done = record['runs'].setdefault(method, {})
            if str(seed) not in done:
                torch.manual_seed(seed)
                done[str(seed)] = scores = evaluate(args, method, seed)
                write_atomically(path, lambda name: Path(name).write_text(json.dumps(record, indent=1) + '\n'))
                print(f'{method}, seed {seed}: {scores}', flush=True)


if __name__ == '__main__':
    main()
