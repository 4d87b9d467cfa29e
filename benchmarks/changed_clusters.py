"""How much the pseudo masks of Mask-VOS change from one round of clustering to the next, on real videos.

    python benchmarks/changed_clusters.py CONFIG CHECKPOINT CHECKPOINT ... --videos FOLDER [--out FILE.json]

The checkpoints are of one run, the older first; CONFIG is that of the run. Clusters of a video are paired one to one
such that most cells agree. For scale, the last checkpoint is clustered from another random start.
"""

import argparse
import json
import tempfile
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from common import run_conditions
from mmengine.registry import init_default_scope
from scipy.optimize import linear_sum_assignment

from mmsigma.checkpoints.io import load_into_model, load_weights
from mmsigma.datasets.vos.pseudo_masks import PseudoMaskRounds
from mmsigma.engine.reclustering import ReclusterSettings, recluster
from mmsigma.io.atomic import write_atomically
from mmsigma.registry import MODELS
from mmsigma.utils.config import load_config


def clusters(encoder: Any, videos: list[str], settings: ReclusterSettings, seed: int) -> list[np.ndarray]:
    """Labels ``(T, h, w)`` of each video."""
    with tempfile.TemporaryDirectory() as folder:
        rounds = PseudoMaskRounds(folder)
        recluster(encoder, videos, 'auto', rounds, 0, settings, seed=seed)
        return [rounds.load(0, video).labels for video in videos]


def agreement(one: np.ndarray, other: np.ndarray, number: int) -> float:
    """Share of cells with the same cluster, once clusters are paired."""
    table = np.bincount(one.ravel().astype(int) * number + other.ravel(), minlength=number**2).reshape(number, number)
    rows, columns = linear_sum_assignment(-table)
    return float(table[rows, columns].sum() / table.sum())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('config')
    parser.add_argument('checkpoints', nargs='+', type=Path)
    parser.add_argument('--videos', type=Path, required=True, help='folder of folders of frames')
    parser.add_argument('--number', type=int, help='of videos; all by default')
    parser.add_argument('--step', type=int, default=4, help='between frames')
    parser.add_argument('--out', type=Path, help='JSON file of the results')
    args = parser.parse_args()
    init_default_scope('mmsigma')
    backbone = load_config(args.config).model.backbone
    backbone.encoder.weights = 'random'  # those of the checkpoints follow
    encoder: Any = MODELS.build(backbone)
    videos = [str(path) for path in sorted(args.videos.iterdir()) if path.is_dir()][: args.number]
    settings, found = ReclusterSettings(step=args.step), []
    for path in args.checkpoints:
        state = load_weights(path, trust=True)  # the run's own file
        state = {name.removeprefix('backbone.'): value for name, value in state.items() if name.startswith('backbone.')}
        load_into_model(encoder, state, origin=str(path))
        found.append((path.stem, clusters(encoder, videos, settings, seed=0)))
    found.append(('another start', clusters(encoder, videos, settings, seed=1)))
    record: dict[str, Any] = {**run_conditions(), 'videos': len(videos), 'clusters': settings.num_clusters, 'pairs': []}
    for (one, before), (other, after) in pairwise(found):
        shares = torch.tensor([agreement(*pair, settings.num_clusters) for pair in zip(before, after, strict=True)])
        row = dict(
            pair=f'{one}, {other}',
            agreement_percent=round(100 * float(shares.mean()), 1),
            videos_above_95_percent=round(100 * float((shares > 0.95).double().mean()), 1),
            videos_above_90_percent=round(100 * float((shares > 0.9).double().mean()), 1),
        )
        print(row, flush=True)
        record['pairs'].append(row)
    if args.out:
        write_atomically(args.out, lambda name: Path(name).write_text(json.dumps(record, indent=1) + '\n'))


if __name__ == '__main__':
    main()
