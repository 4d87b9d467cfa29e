"""What a masked video model learns of clips whose every property is known: linear probes of each, beside random ones.

    python benchmarks/evidence_rendered.py mlp --steps 1000
    python benchmarks/evidence_rendered.py mlp --steps 1000 --tag noise --cfg-options backdrop=noise

Variants are the configs ``configs/evidence/rendered_<variant>.py``, and ``random``, which is only tested. A run that
was stopped goes on when the same command is given again. Probes are trained on 2,000 clips and tested on 1,000 others
that no training sees: ``benchmarks/records/evidence/rendered_<variant>[_<tag>]_seed<seed>.json``.
"""

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from common import run_conditions
from evidence_scores import LINEAR_LRS
from evidence_sigma import RECORDS, ROOT, backbone_state, last_log, train
from mmengine.config import Config, DictAction
from mmengine.registry import init_default_scope
from torch import Tensor

from mmsigma.datasets.videos.rendered_clips import FACTORS, render_clip
from mmsigma.evaluation.classification.probes import LinearProbe, train_probes
from mmsigma.io.atomic import write_atomically
from mmsigma.models import VideoDataPreprocessor
from mmsigma.registry import MODELS
from mmsigma.utils.config import load_config

CONFIGS = ROOT / 'configs' / 'evidence'
VARIANTS = sorted(path.stem.removeprefix('rendered_') for path in CONFIGS.glob('rendered_*.py'))
TRAIN, TEST = 2000, 1000
UNSEEN = 1 << 30  # begins the seeds of clips for probes; those of training begin with the seed of the run


def config_of(args: argparse.Namespace) -> Config:
    """Config of a variant for the steps and the seed of the command line."""
    steps_per_epoch = min(100, args.steps)
    options = {**args.cfg_options, 'clips_per_epoch': 32 * steps_per_epoch, 'epochs': -(-args.steps // steps_per_epoch)}
    name = args.variant if args.variant in VARIANTS else 'mlp'
    cfg = load_config(CONFIGS / f'rendered_{name}.py', {'keep_every': 1000, **options})
    cfg.steps_per_epoch = steps_per_epoch
    cfg.randomness.seed, cfg.work_dir, cfg.launcher, cfg.resume = args.seed, str(args.work_dir), 'none', 'auto'
    return cfg


@torch.no_grad()
def features_of(encoder: Any, backdrop: str) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Mean tokens ``(3000, D)`` of every second block and the output, and the classes ``(3000,)`` of every property."""
    preprocess, found, classes = VideoDataPreprocessor(), dict[str, list[Tensor]](), []
    for number, block in enumerate(encoder.blocks, start=1):
        if number % 2 == 0:
            block.register_forward_hook(
                lambda module, inputs, out, name=f'block {number}': found.setdefault(name, []).append(out.mean(dim=1))
            )
    for start in range(0, TRAIN + TEST, 50):
        clips = []
        for number in range(start, start + 50):
            frames, factors = render_clip(np.random.default_rng((UNSEEN, number)), 8, 64, backdrop)
            clips.append(torch.from_numpy(frames).permute(3, 0, 1, 2))
            classes.append(factors)
        found.setdefault('out', []).append(encoder(preprocess({'inputs': clips})['inputs']).mean(dim=1))
    columns = {name: torch.tensor([factors[name] for factors in classes]) for name in FACTORS}
    return {name: torch.cat(parts) for name, parts in found.items()}, columns


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
    parser.add_argument('variant', choices=[*VARIANTS, 'random'])
    parser.add_argument('--steps', type=int, default=1000)
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--tag', default='', help='name of a run with other settings')
    parser.add_argument('--threads', type=int, default=torch.get_num_threads())
    parser.add_argument(
        '--work-dir', type=Path, help='default: work_dirs/evidence/rendered_<variant>[_<tag>]_seed<seed>'
    )
    parser.add_argument('--cfg-options', nargs='+', action=DictAction, default={})
    args = parser.parse_args()
    name = f'rendered_{args.variant}{f"_{args.tag}" if args.tag else ""}_seed{args.seed}'
    args.work_dir = args.work_dir or Path('work_dirs/evidence') / name
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
    )
    torch.manual_seed(args.seed)
    encoder = MODELS.build({**cfg.model.backbone, 'drop_path_rate': 0.0})
    encoder.init_weights()
    if args.variant in VARIANTS:
        record['steps'] = cfg.train_cfg.max_epochs * cfg.steps_per_epoch
        record['minutes'] = round(train(cfg, args.work_dir), 2)
        record['last'] = last_log(args.work_dir)
        state = backbone_state(args.work_dir / f'epoch_{cfg.train_cfg.max_epochs}.pth')
        encoder.load_state_dict(state)
    started = time.perf_counter()
    record['scores'] = probe(*features_of(encoder.eval(), cfg.backdrop), args.seed)
    record['minutes_of_probes'] = round((time.perf_counter() - started) / 60, 2)
    write_atomically(RECORDS / f'{name}.json', lambda path: Path(path).write_text(json.dumps(record, indent=1) + '\n'))
    for layer, scores in record['scores'].items():
        print(f'{args.variant} {args.tag} {layer}:', scores)


if __name__ == '__main__':
    main()
