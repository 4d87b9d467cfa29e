"""Does Mask-VOS learn? What each of its stages adds on real videos, tested on the eight sequences of DAVIS-2016.

    python tools/cache_frames.py DATA/davis16_train_240p/JPEGImages/480p DATA/videos \
        --short-side 240 --out work_dirs/evidence/vos_frames
    python benchmarks/evidence_mask_vos.py lite0 --data DATA

DATA, or the environment variable MMSIGMA_EVIDENCE_DATA, is a folder with ``davis`` and ``weights``; masks of the
training videos are not used. ``configs/evidence/mask_vos_<variant>.py`` is trained on correspondence first. Each other
stage goes on from there for the same number of steps, with correspondence alone or with all losses, or from a joint
stage with the memory of testing. Keys are tested by label propagation, and the whole model by its decoder, both with
the memory of the paper. A run that was stopped goes on where it was; the record,
``benchmarks/records/evidence/mask_vos_<variant>_seed<seed>.json``, is rewritten after each stage.
"""

import argparse
import json
import os
from pathlib import Path
from typing import Any, NamedTuple

import torch
from common import run_conditions
from evidence_scores import propagation, segmented
from evidence_sigma import TEACHER, TEACHER_FILE, last_log, train
from mmengine.config import Config, DictAction
from mmengine.registry import init_default_scope

from mmsigma.checkpoints.io import load_into_model, load_weights
from mmsigma.datasets.vos.sequences import VOSSequence, find_sequences
from mmsigma.io.atomic import write_atomically
from mmsigma.models import LabelPropagation
from mmsigma.registry import MODELS
from mmsigma.utils.config import load_config

ROOT = Path(__file__).parents[1]
CONFIGS, RECORDS = ROOT / 'configs' / 'evidence', ROOT / 'benchmarks' / 'records' / 'evidence'
FIRST = 'correspondence'
SIZE = (240, 424)


class Stage(NamedTuple):
    """What is trained, for a number of epochs with each loss, further variables of the config, and the stage before.

    A stage that goes on from a joint one uses its pseudo masks.
    """

    losses: str
    options: dict[str, Any]
    after: str = FIRST


STAGES = {
    FIRST: Stage('correspondence', {}),
    'longer correspondence': Stage('correspondence', {}),
    'joint': Stage('joint', {}),
    'joint, memory of testing': Stage('joint', dict(tested_memory=True)),
    'joint, finer masks': Stage('joint', dict(cluster_size=480, keep_aspect=True, soft_masks=True)),
    'joint, memory of testing and finer masks': Stage(
        'joint', dict(tested_memory=True, cluster_size=480, keep_aspect=True, soft_masks=True)
    ),
    'memory of testing after finer masks': Stage(
        'joint',
        dict(tested_memory=True, cluster_size=480, keep_aspect=True, soft_masks=True),
        after='joint, finer masks',
    ),
    'memory of testing, rate that decays': Stage(
        'joint',
        dict(tested_memory=True, cluster_size=480, keep_aspect=True, soft_masks=True, decayed=True),
        after='memory of testing after finer masks',
    ),
}


def config_of(args: argparse.Namespace, name: str) -> Config:
    """Config of a stage."""
    stage = STAGES[name]
    epochs = epochs_of(args, name)
    options: dict[str, Any] = dict(
        data_root=str(args.frames.resolve()),
        ann_file_train=shortened_list(args.frames, args.share),
        correspondence_epochs=epochs if stage.losses == 'correspondence' else 0,
        joint_epochs=epochs if stage.losses == 'joint' else 0,
        update_every=epochs,
        step=args.step,
        **stage.options,
    )
    if name != FIRST and stage.after != FIRST:
        while STAGES[stage.after].after != FIRST:
            stage = STAGES[stage.after]
        options['rounds'] = str(folder_of(args, stage.after) / 'rounds')
    if args.variant.startswith('lite0'):
        options['encoder_weights'] = str(args.data / TEACHER_FILE)
    cfg = load_config(CONFIGS / f'mask_vos_{args.variant}.py', {**options, **dict(args.cfg_options)})
    cfg.randomness.seed, cfg.launcher, cfg.resume = args.seed, 'none', 'auto'
    cfg.work_dir = str(folder_of(args, name))
    if name != FIRST:
        before = STAGES[name].after
        cfg.load_from = str(folder_of(args, before) / f'epoch_{epochs_of(args, before)}.pth')
        cfg.trust_checkpoints = True  # the run's own file
    cfg.default_hooks.checkpoint.interval = 1
    return cfg


def epochs_of(args: argparse.Namespace, name: str) -> int:
    if name == FIRST:
        return int(args.correspondence)
    if STAGES[name].options.get('decayed'):
        return int(args.decayed)
    return int(args.joint if STAGES[name].after == FIRST else args.further)


def folder_of(args: argparse.Namespace, name: str) -> Path:
    folder: Path = args.work_dir / name.replace(', ', '_').replace(' ', '_')
    return folder


def shortened_list(frames: Path, share: int) -> str:
    """Write a list of every ``share``-th line of the frames' list, which is an epoch; its name."""
    if share == 1:
        return 'list.txt'
    lines = (frames / 'list.txt').read_text().splitlines(keepends=True)[::share]
    name = f'list_of_every_{share}.txt'
    write_atomically(frames / name, lambda path: Path(path).write_text(''.join(lines)))
    return name


def keys(cfg: Config, checkpoint: Path | None) -> LabelPropagation:
    """Label propagation with the keys of a model, and the memory of its decoder."""
    memory = {name: value for name, value in cfg.model.memory.items() if name != 'num_rounds'}
    model = LabelPropagation(cfg.model.backbone, geometry=dict(size=SIZE), propagator=memory).eval()
    return load(model, checkpoint, backbone_only=True)


def decoder(cfg: Config, checkpoint: Path) -> Any:
    """The whole model, on frames of the size of the keys' test."""
    return load(MODELS.build({**cfg.model, 'geometry': dict(size=SIZE)}).eval(), checkpoint, backbone_only=False)


def load(model: Any, checkpoint: Path | None, *, backbone_only: bool) -> Any:
    if checkpoint:
        state = load_weights(checkpoint, trust=True)  # the run's own file
        load_into_model(model, state, origin=str(checkpoint), backbone_only=backbone_only)
    return model


def baselines(args: argparse.Namespace, sequences: list[VOSSequence], done: dict[str, Any]) -> dict[str, Any]:
    """J&F of what has not learnt from these videos: the keys of a new projection, and the network's own maps."""
    cfg = config_of(args, FIRST)
    found = dict(done)
    if 'untrained keys' not in found:
        torch.manual_seed(args.seed)
        found['untrained keys'] = segmented(keys(cfg, None), sequences)
    if args.variant.startswith('lite0') and 'maps of the start' not in found:
        teacher = {**TEACHER, 'weights': str(args.data / TEACHER_FILE)}
        found['maps of the start'] = propagation(teacher, None, sequences, (240, 432))
        found['maps, untrained'] = propagation({**TEACHER, 'weights': 'random'}, None, sequences, (240, 432))
    return found


def main() -> None:
    args = parse_args()
    init_default_scope('mmsigma')
    torch.set_num_threads(args.threads)
    sequences = find_sequences('davis', args.data / 'davis', year=2016, split=args.davis_split)[: args.sequences]
    path = RECORDS / f'mask_vos_{args.variant}{f"_{args.tag}" if args.tag else ""}_seed{args.seed}.json'
    settings = {name: getattr(args, name) for name in ('variant', 'tag', 'seed', 'correspondence', 'joint', 'share')}
    settings |= dict(step=args.step, options={name: str(value) for name, value in args.cfg_options.items()})
    record: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    if any(record.get(name) != value for name, value in settings.items()):
        record = dict(**settings, baselines={}, stages={})
    record |= run_conditions()

    def save() -> None:
        write_atomically(path, lambda name: Path(name).write_text(json.dumps(record, indent=1) + '\n'))

    for name in args.stages:
        cfg = config_of(args, name)
        last = cfg.train_cfg.max_epochs
        done = record['stages'].setdefault(name, {})
        done['minutes'] = round(train(cfg, Path(cfg.work_dir)), 2)
        done['last'], done['after'] = last_log(Path(cfg.work_dir)), STAGES[name].after
        checkpoint = Path(cfg.work_dir, f'epoch_{last}.pth')
        if 'keys' not in done:
            done['keys'] = segmented(keys(cfg, checkpoint), sequences)
            print(f'{name}, keys: {done["keys"]["all"]}', flush=True)
        if STAGES[name].losses == 'joint' and 'decoder' not in done:
            done['decoder'] = segmented(decoder(cfg, checkpoint), sequences)
            print(f'{name}, decoder: {done["decoder"]["all"]}', flush=True)
        save()
    record['baselines'] = baselines(args, sequences, record['baselines'])
    save()


def parse_args() -> argparse.Namespace:
    variants = sorted(path.stem.removeprefix('mask_vos_') for path in CONFIGS.glob('mask_vos_*.py'))
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('variant', choices=variants)
    parser.add_argument('--data', type=Path, default=os.environ.get('MMSIGMA_EVIDENCE_DATA'))
    parser.add_argument('--frames', type=Path, default=Path('work_dirs/evidence/vos_frames'), help='of cache_frames.py')
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--stages', nargs='+', default=list(STAGES), choices=list(STAGES))
    parser.add_argument('--correspondence', type=int, default=6, help='epochs of the first stage')
    parser.add_argument('--joint', type=int, default=3, help='epochs of each stage after it')
    parser.add_argument('--further', type=int, default=4, help='epochs of each stage after a joint one')
    parser.add_argument('--decayed', type=int, default=6, help='epochs of the stage whose learning rate decays')
    parser.add_argument('--share', type=int, default=8, help='an epoch is every so-manieth frame of the list')
    parser.add_argument('--step', type=int, default=4, help='between frames, for learning and clustering')
    parser.add_argument('--tag', default='', help='name of a run with other settings')
    parser.add_argument('--work-dir', type=Path)
    parser.add_argument('--davis-split', default='val')
    parser.add_argument('--sequences', type=int, help='test only the first ones')
    parser.add_argument('--threads', type=int, default=torch.get_num_threads())
    parser.add_argument('--cfg-options', nargs='+', action=DictAction, default={})
    args = parser.parse_args()
    if args.data is None:
        parser.error('give --data, or set MMSIGMA_EVIDENCE_DATA')
    args.data = Path(args.data)
    name = f'mask_vos_{args.variant}{f"_{args.tag}" if args.tag else ""}_seed{args.seed}'
    args.work_dir = (args.work_dir or Path('work_dirs/evidence') / name).resolve()
    return args


if __name__ == '__main__':
    main()
