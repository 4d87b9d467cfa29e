"""What a masked video model learns of clips whose every property is known: linear probes of each, beside random ones.

    python benchmarks/evidence_rendered.py mlp --steps 3000
    python benchmarks/evidence_rendered.py mlp --steps 1000 --tag noise --cfg-options backdrop=noise
    python benchmarks/evidence_rendered.py lite0 --steps 3000 --data DATA

Variants are the configs ``configs/evidence/rendered_<variant>.py``, and ``random`` and ``lite0_itself`` (the teacher),
which are only tested. DATA, or the environment variable MMSIGMA_EVIDENCE_DATA, is a folder with ``weights``. A run that
was stopped goes on when the same command is given again. Probes are trained on 2,000 clips and tested on 1,000 others
that no training sees, at every checkpoint that is kept:
``benchmarks/records/evidence/rendered_<variant>[_<tag>]_seed<seed>.json``.
"""

import argparse
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from common import run_conditions
from evidence_scores import LINEAR_LRS, layers_of
from evidence_sigma import CONFIGS, RECORDS, TEACHER, TEACHER_FILE, backbone_state, last_log, train
from mmengine.config import Config, DictAction
from mmengine.registry import init_default_scope
from torch import Tensor

from mmsigma.datasets.videos.rendered_clips import FACTORS, render_clip
from mmsigma.evaluation.classification.probes import LinearProbe, train_probes
from mmsigma.io.atomic import write_atomically
from mmsigma.registry import MODELS
from mmsigma.utils.config import load_config

VARIANTS = sorted(path.stem.removeprefix('rendered_') for path in CONFIGS.glob('rendered_*.py'))
TRAIN, TEST = 2000, 1000
STEPS_PER_EPOCH = 100
UNSEEN = 1 << 30  # begins the seeds of clips for probes; those of training begin with the seed of the run


def config_of(args: argparse.Namespace) -> Config:
    """Config of a variant for the steps and the seed of the command line."""
    options = {**args.cfg_options, 'clips_per_epoch': 32 * STEPS_PER_EPOCH, 'epochs': -(-args.steps // STEPS_PER_EPOCH)}
    if args.variant in VARIANTS and args.variant.startswith('lite0'):
        options['teacher_weights'] = str(args.data / TEACHER_FILE)
    name = args.variant if args.variant in VARIANTS else 'mlp'
    cfg = load_config(CONFIGS / f'rendered_{name}.py', options)
    cfg.randomness.seed, cfg.work_dir, cfg.launcher, cfg.resume = args.seed, str(args.work_dir), 'none', 'auto'
    return cfg


def rendered(backdrop: str) -> tuple[Tensor, dict[str, Tensor]]:
    """Clips ``(3000, 1, 3, 8, 64, 64)``, uint8, and the classes ``(3000,)`` of every property."""
    clips, classes = [], []
    for number in range(TRAIN + TEST):
        frames, factors = render_clip(np.random.default_rng((UNSEEN, number)), 8, 64, backdrop)
        clips.append(torch.from_numpy(frames).permute(3, 0, 1, 2)[None])
        classes.append(factors)
    return torch.stack(clips), {name: torch.tensor([factors[name] for factors in classes]) for name in FACTORS}


def enlarged(clips: Tensor, scale: int) -> Tensor:
    """Clips ``(N, 1, 3, T, H, W)`` of frames that are larger by a factor."""
    if scale == 1:
        return clips
    parts = [
        F.interpolate(part.flatten(0, 1).transpose(1, 2).flatten(0, 1), scale_factor=scale, mode='bilinear')
        for part in clips.split(100)
    ]
    frames = torch.cat(parts).unflatten(0, (len(clips), 1, -1))
    return frames.transpose(2, 3)


def test(encoder: Any, clips: Tensor, classes: dict[str, Tensor], seed: int) -> dict[str, dict[str, float]]:
    """Scores of the mean tokens of every second block and the output."""
    # maps of a few large frames stay in the cache of the processor
    tokens = layers_of(encoder.eval(), clips, batch_size=32 if clips.shape[-1] == 64 else 2)
    return probe({name: part.mean(dim=1) for name, part in tokens.items()}, classes, seed)


def probe(layers: dict[str, Tensor], classes: dict[str, Tensor], seed: int) -> dict[str, dict[str, float]]:
    """Accuracy in percent of the best of several learning rates, by layer and property."""
    scores: dict[str, dict[str, float]] = {}
    for layer, features in layers.items():
        width, scores[layer] = features.shape[1], {}
        for name, labels in classes.items():
            parts = [(features[rows], labels[rows]) for rows in (slice(TRAIN), slice(TRAIN, None))]
            number = FACTORS[name]
            results = train_probes(
                lambda width=width, number=number: LinearProbe(width, number, 'batch'),
                *parts,
                lrs=LINEAR_LRS,
                epochs=20,
                seed=seed,
            )
            scores[layer][name] = round(max(result.top1 for result in results), 2)
    return scores


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('variant', choices=[*VARIANTS, 'random', 'lite0_itself'])
    parser.add_argument('--steps', type=int, default=1000)
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--tag', default='', help='name of a run with other settings')
    parser.add_argument('--threads', type=int, default=torch.get_num_threads())
    parser.add_argument('--data', type=Path, default=os.environ.get('MMSIGMA_EVIDENCE_DATA'))
    parser.add_argument(
        '--work-dir', type=Path, help='default: work_dirs/evidence/rendered_<variant>[_<tag>]_seed<seed>'
    )
    parser.add_argument('--cfg-options', nargs='+', action=DictAction, default={})
    args = parser.parse_args()
    if 'lite0' in args.variant and args.data is None:
        parser.error('give --data, or set MMSIGMA_EVIDENCE_DATA')
    name = f'rendered_{args.variant}{f"_{args.tag}" if args.tag else ""}_seed{args.seed}'
    args.work_dir, args.data = args.work_dir or Path('work_dirs/evidence') / name, args.data and Path(args.data)
    init_default_scope('mmsigma')
    torch.set_num_threads(args.threads)
    cfg = config_of(args)
    record: dict[str, Any] = dict(
        variant=args.variant,
        tag=args.tag,
        seed=args.seed,
        **run_conditions(),
        options={key: str(value) for key, value in args.cfg_options.items()},
        classes=FACTORS,
        tests={},
    )
    checkpoints: dict[int, Path | None] = {0: None}
    if args.variant in VARIANTS:
        record['minutes'] = round(train(cfg, args.work_dir), 2)
        record['last'] = last_log(args.work_dir)
        kept = {int(file.stem.rpartition('_')[2]): file for file in args.work_dir.glob('epoch_*.pth')}
        checkpoints = {epoch * STEPS_PER_EPOCH: kept[epoch] for epoch in sorted(kept)}
    clips, classes = rendered(cfg.backdrop)
    for step, file in checkpoints.items():
        torch.manual_seed(args.seed)
        if args.variant == 'lite0_itself':
            encoder = MODELS.build({**TEACHER, 'weights': str(args.data / TEACHER_FILE)})
        else:
            encoder = MODELS.build({**cfg.model.backbone, 'drop_path_rate': 0.0})
            encoder.init_weights()
        if file:
            encoder.load_state_dict(backbone_state(file))
        scale = 2 if args.variant == 'lite0_itself' else 1
        record['tests'][str(step)] = test(encoder, enlarged(clips, scale), classes, args.seed)
        write_atomically(
            RECORDS / f'{name}.json', lambda path: Path(path).write_text(json.dumps(record, indent=1) + '\n')
        )
        print(f'{args.variant} {args.tag}, step {step}:', record['tests'][str(step)]['out'], flush=True)


if __name__ == '__main__':
    main()
