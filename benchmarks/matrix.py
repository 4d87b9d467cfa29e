"""One encoder through all uses: what its frozen features recognise, follow, separate and order.

    python benchmarks/matrix.py --data DATA --runs work_dirs/evidence

Rows are networks that ``evidence_sigma.py`` and ``evidence_mask_vos.py`` have trained, found in the folders of their
runs; EfficientNet-Lite0 as it is, and after GTA on ``fir_phases`` has trained its normalisation layers, which is done
here; and an untrained encoder. A row whose checkpoint is not there is left out. Columns, all in percent:

    recognise  linear probe on the mean token, UT-Interaction, ten folds: accuracy
    follow     label propagation on eight sequences of DAVIS-2016: J&F
    separate   clusters of the features of these, as many as there are masks: mIoU
    order      Kendall's tau between videos of one action of FIR, of the mean token of each frame

DATA, or the environment variable MMSIGMA_EVIDENCE_DATA, is a folder with ``ut_interaction``, ``davis``,
``fir_phases`` and ``weights``. Scores are kept in ``benchmarks/records/evidence/matrix.json`` and not made again;
``docs/matrix.svg`` is drawn from it.
"""

import argparse
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import torch
from common import run_conditions
from evidence_gta import config_of as gta_config
from evidence_scores import layers_of, probe, propagation, segmentation, ut_interaction
from evidence_sigma import TEACHER, TEACHER_FILE, backbone_state
from kept_frames import frames_of, read_once
from mmengine.registry import init_default_scope
from torch import Tensor

from mmsigma.apis.launch import build_runner
from mmsigma.datasets.videos.video_list import read_entries
from mmsigma.datasets.vos.sequences import find_sequences
from mmsigma.evaluation.alignment.kendall import mean_tau
from mmsigma.io.atomic import write_text
from mmsigma.models import VideoDataPreprocessor
from mmsigma.models.backbones.frame_features import encode_frames
from mmsigma.registry import MODELS
from mmsigma.utils.config import load_config
from mmsigma.visualization.charts import heat_table

ROOT = Path(__file__).parents[1]
CONFIGS, RECORD = ROOT / 'configs' / 'evidence', ROOT / 'benchmarks' / 'records' / 'evidence' / 'matrix.json'
PICTURE = ROOT / 'docs' / 'matrix.svg'
COLUMNS = {
    'recognise': 'actions, accuracy',
    'follow': 'objects, J&F',
    'separate': 'objects, mIoU',
    'order': 'frames, tau',
}
SIDE, STRIDE = 112, 5  # of frames whose features are ordered, and between them


class Row(NamedTuple):
    """A network to test: config of the encoder, its parameters, side of the frames of the probe, and their number."""

    encoder: dict[str, Any]
    state: dict[str, Tensor] | None
    size: int = 224
    num_frames: int = 8


def rows(args: argparse.Namespace) -> Iterator[tuple[str, Row]]:
    """Yield the networks whose checkpoints are there, with their names."""
    sigma = load_config(CONFIGS / 'sigma_mlp.py').model.backbone.to_dict() | {'drop_path_rate': 0.0}
    yield 'untrained', Row(sigma, None, SIDE)
    for name, variant in (('pixels', 'pixel'), ('SIGMA, MLP', 'mlp'), ('SIGMA, frozen Lite0', 'lite0')):
        if file := newest(args.runs, f'sigma_{variant}_{args.tag}_seed0'):
            yield name, Row(sigma, backbone_state(file), SIDE)
    if file := newest(args.runs, 'mask_vos_lite0_seed0/joint'):
        keys = load_config(CONFIGS / 'mask_vos_lite0.py', {'encoder_weights': 'random'}).model.backbone.to_dict()
        yield 'Mask-VOS, keys', Row(keys, backbone_state(file))
    trained = args.runs[0] / 'gta_fir_only_bn_seed0'
    if not (file := newest(args.runs, trained.name)) and args.gta_epochs:
        train_gta(args, trained)
        file = newest(args.runs, trained.name)
    if file:
        yield 'GTA', Row({**TEACHER, 'weights': 'random'}, backbone_state(file))
    yield 'Lite0, supervised', Row({**TEACHER, 'weights': str(args.data / TEACHER_FILE)}, None)


def newest(folders: list[Path], run: str) -> Path | None:
    """The last checkpoint of a run in one of some folders."""
    for folder in folders:
        named = {int(path.stem.rpartition('_')[2]): path for path in (folder / run).glob('epoch_*.pth')}
        if named:
            return named[max(named)]
    print(f'left out: there is no {run} in {", ".join(map(str, folders))}')
    return None


def train_gta(args: argparse.Namespace, work_dir: Path) -> None:
    """Train the normalisation layers of Lite0 by GTA."""
    settings = argparse.Namespace(videos='fir', encoder='only_bn', data=args.data, epochs=args.gta_epochs)
    cfg = gta_config(settings, 'GTA', 0, work_dir)
    read_once(cfg)
    cfg.default_hooks.checkpoint.interval, cfg.log_level, cfg.resume = 1, 'INFO', 'auto'
    build_runner(cfg).train()


def tested(row: Row, args: argparse.Namespace) -> dict[str, float]:
    """The scores of a network."""
    davis = dict(year=2016, split=args.davis_split)
    torch.manual_seed(0)
    encoder = build(row.encoder, row.state)
    sampling = dict(size=row.size, num_frames=row.num_frames, frame_interval=3, views=3)
    clips = ut_interaction(args.data / 'ut_interaction', args.frames, **sampling)
    scores = {'recognise': probe(clips, layers_of(encoder, clips.inputs), attentive=False)['linear, out']['accuracy']}
    dense = {**row.encoder, 'dynamic_size': True} if 'VideoVision' in row.encoder['type'] else row.encoder
    scores['order'] = order(build(dense, row.state), args.data / 'fir_phases')
    sequences = find_sequences('davis', args.data / 'davis', **davis)
    torch.manual_seed(0)
    scores['follow'] = propagation(dense, row.state, sequences, (240, 432))['all']['J&F']
    torch.manual_seed(0)
    found = segmentation(dense, row.state, dict(data_root=str(args.data / 'davis'), **davis), row.num_frames)
    scores['separate'] = found['segmentation/clustering_mIoU']
    return {name: round(scores[name], 2) for name in COLUMNS}


def build(encoder: dict[str, Any], state: dict[str, Tensor] | None) -> Any:
    built = MODELS.build(encoder).eval()
    if state is not None:
        built.load_state_dict(state)
    return built


@torch.no_grad()
def order(encoder: Any, root: Path) -> float:
    """Mean of tau over the actions of FIR's test videos, in percent."""
    prepare, actions = VideoDataPreprocessor(), dict[str, list[Tensor]]()
    for entry in read_entries(root / 'val.txt', root):
        frames = torch.from_numpy(frames_of(str(root / entry.path))[::STRIDE].copy()).movedim(-1, 1)
        small = torch.nn.functional.interpolate(frames, size=(SIDE, SIDE), mode='bilinear', antialias=True)
        images = prepare({'inputs': small[:, :, None]})['inputs'][:, :, 0]
        features = torch.cat([encode_frames(encoder, part).mean(dim=(2, 3)) for part in images.split(32)])
        actions.setdefault(str(entry.label), []).append(features)
    return 100 * mean_tau(actions, stride=1)[0]


def picture(record: dict[str, Any]) -> str:
    """The record as a table in SVG."""
    cells = {name: [row[column] for column in COLUMNS] for name, row in record['rows'].items()}
    return heat_table(cells, [f'{name}: {what}' for name, what in COLUMNS.items()]) + '\n'


def main() -> None:
    args = parse_args()
    init_default_scope('mmsigma')
    torch.set_num_threads(args.threads)
    record: dict[str, Any] = json.loads(RECORD.read_text()) if RECORD.exists() else dict(rows={})
    for name, row in rows(args):
        if name in record['rows'] and name not in args.again:
            continue
        started = time.perf_counter()
        record['rows'][name] = tested(row, args)
        record['rows'][name]['minutes'] = round((time.perf_counter() - started) / 60, 2)
        write_text(RECORD, json.dumps({**record, 'seed': 0, **run_conditions()}, indent=1) + '\n')
        print(name, record['rows'][name], flush=True)
    write_text(PICTURE, picture(record))


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--data', type=Path, default=os.environ.get('MMSIGMA_EVIDENCE_DATA'))
    parser.add_argument('--runs', type=Path, nargs='+', default=[Path('work_dirs/evidence')], help='folders of runs')
    parser.add_argument('--frames', type=Path, default=Path('work_dirs/evidence/frames'), help='of cache_frames.py')
    parser.add_argument('--tag', default='mask90', help='of the runs of SIGMA')
    parser.add_argument('--gta-epochs', type=int, default=4, help='of 50 steps; 0 leaves GTA out')
    parser.add_argument('--davis-split', default='val')
    parser.add_argument('--again', nargs='*', default=[], help='rows to test again')
    parser.add_argument('--threads', type=int, default=torch.get_num_threads())
    args = parser.parse_args()
    if args.data is None:
        parser.error('give --data, or set MMSIGMA_EVIDENCE_DATA')
    args.data = Path(args.data)
    return args


if __name__ == '__main__':
    main()
