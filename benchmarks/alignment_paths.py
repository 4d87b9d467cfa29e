"""Which cost and which path align two videos best? Frames of different phases on the path, in percent.

    python benchmarks/alignment_paths.py [--data DATA]

Two tables: simulated embeddings, and real videos with phases, embedded by an ImageNet network. DATA, or the
environment variable MMSIGMA_EVIDENCE_DATA, is a folder with ``fir_phases``, ``golf_phases`` and ``weights``; without
it, only the first table is made. Both go to ``benchmarks/records/evidence/alignment_paths.json``; a table that is not
made again stays there. ``best`` is the choice of the least mean over simulated embeddings and those of training videos.

Simulated embeddings are points on a random smooth curve, which progress in the action moves along; each video has its
own offset, and its frames have noise of which neighbours share most. Noise is set to give a tau of about 69 or 22.

Frames of real videos are the feature maps of EfficientNet-Lite0, pooled to 4 x 4. Their embeddings are

* frozen: the first principal components of an action, whitened and scaled to unit length;
* learned: a small network on more components and those of 7 frames before, trained by GTA for both actions of
  ``fir_phases``. Videos of the training half are embedded by a network that has seen the other half of them.

Components, networks, and the choice of cost and path, are from the videos of ``train.txt``; those of ``val.txt`` are
tested.
"""

import argparse
import itertools
import json
import math
import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from common import run_conditions
from rich.progress import track
from torch import Tensor, nn

from mmsigma.datasets.alignment.phase_dataset import find_phases, read_phases
from mmsigma.datasets.videos.video_list import read_entries
from mmsigma.evaluation.alignment.frame_cost import Cost, PathChoice
from mmsigma.evaluation.alignment.kendall import tau_matrix
from mmsigma.evaluation.alignment.path_error import diagonal_error, path_error
from mmsigma.io.atomic import write_atomically
from mmsigma.io.video import read_frames
from mmsigma.models import TimmEncoder
from mmsigma.models.gta.losses.gta import GTALoss
from mmsigma.models.gta.losses.video_group import VideoGroup

RECORD = Path(__file__).parent / 'records' / 'evidence' / 'alignment_paths.json'
WEIGHTS = 'weights/tf_efficientnet_lite0_in1k_fp16.pth'
SETS = ('fir_phases', 'golf_phases')
SIZE, GRID, COMPONENTS = 160, 4, 8
INPUTS, CONTEXT, STEPS = 64, 7, 500  # of the learned embeddings: components, frames before, steps of training
LEARNED = ('sit_and_rise', 'lie_and_rise')  # golf_swing has three videos to train on
NOISE = {'strong': 0.9, 'weak': 2.1}
PHASES = 3
CONSTANT = 'constant pace'
# embeddings have unit length, so that the cosine cost is half the squared distance and gives the same paths
GAMMAS: dict[Cost, tuple[float, ...]] = {'sqeuclidean': (0.3, 1.0, 3.0), 'contrastive': (1.0, 3.0, 10.0)}
CHOICES = {
    f'{cost}, {name}': PathChoice(cost, **settings)
    for cost in GAMMAS
    for name, settings in (
        ('dtw', dict(path='dtw')),
        *((f'slope {pace}', dict(path='slope', max_pace=pace)) for pace in (2, 3)),
        *((f'expected {gamma:g}', dict(path='expected', gamma=gamma)) for gamma in GAMMAS[cost]),
    )
}
Video = tuple[Tensor, Tensor]  # embeddings (L, D), phases (L,)


class Scores(NamedTuple):
    """Kendall's tau times 100, and the percentage of wrong phases of each choice."""

    tau: float
    wrong: dict[str, float]


def score(*groups: list[Video], stride: int = 5) -> Scores:
    """Scores over all pairs within groups of videos of one action."""
    num_phases = int(max(labels.max() for videos in groups for _, labels in videos)) + 1
    pairs = [pair for videos in groups for pair in itertools.combinations(videos, 2)]
    found = {CONSTANT: [diagonal_error(one[1], other[1], num_phases).phase for one, other in pairs]}
    for name, choice in CHOICES.items():
        found[name] = [path_error(*pair, num_phases, choice).phase for pair in pairs]
    taus = [tau_matrix([frames for frames, _ in videos], stride).flatten() for videos in groups]
    return Scores(
        100 * float(torch.cat(taus).nanmean()), {name: 100 * statistics.mean(errors) for name, errors in found.items()}
    )


def simulate(noise: float, rng: np.random.Generator, number: int = 10, size: int = 32) -> list[Video]:
    """Draw videos of 30 to 90 frames whose three phases have random lengths and paces."""
    frequency, shift = rng.normal(0, 1.5, size), rng.uniform(0, math.tau, size)
    videos = []
    for _ in range(number):
        length = int(rng.integers(30, 91))
        progress = draw_progress(rng, length)
        shared = rng.normal(size=(length, size))
        for frame in range(1, length):
            shared[frame] = 0.9 * shared[frame - 1] + math.sqrt(1 - 0.9**2) * shared[frame]
        points = np.cos(np.outer(progress, frequency) + shift) + noise * (shared + 0.5 * rng.normal(size=size))
        videos.append((F.normalize(torch.from_numpy(points), dim=1), torch.from_numpy(np.floor(progress)).long()))
    return videos


def draw_progress(rng: np.random.Generator, length: int) -> np.ndarray:
    """Draw the progress ``(L,)`` of a video, from 0 to the number of phases; half of a phase's length is drawn."""
    shares = (1 / PHASES + rng.dirichlet(np.full(PHASES, 2.0))) / 2
    borders = np.rint(np.cumsum([0, *shares]) * length).astype(int)
    parts = []
    for phase, frames in enumerate(np.diff(borders)):
        time = np.arange(frames) / frames
        parts.append(phase + time + rng.uniform(-0.6, 0.6) * np.sin(math.tau * time) / math.tau)
    return np.concatenate(parts)


def simulated_table(seeds: int) -> dict[str, Any]:
    """Mean and standard deviation over seeds for each level of noise."""
    table: dict[str, Any] = {}
    for level, noise in NOISE.items():
        runs = [score(simulate(noise, np.random.default_rng(seed))) for seed in track(range(seeds), level)]
        spread = {name: [run.wrong[name] for run in runs] for name in (CONSTANT, *CHOICES)}
        table[level] = dict(
            noise=noise,
            tau=round(statistics.mean(run.tau for run in runs), 1),
            wrong={name: round(statistics.mean(errors), 2) for name, errors in spread.items()},
            deviation={name: round(statistics.pstdev(errors), 2) for name, errors in spread.items()},
        )
    return table


@torch.inference_mode()
def maps_of(video: Path, kept: Path, encoder: TimmEncoder) -> Tensor:
    """Pooled feature maps ``(L, C, GRID, GRID)`` of all frames, float16; kept in a file."""
    if not kept.exists():
        parts = []
        for frames in torch.from_numpy(read_frames(video)).movedim(-1, 1).split(16):
            resized = F.interpolate(frames.float() / 255, size=(SIZE, SIZE), mode='bilinear', antialias=True)
            parts.append(F.adaptive_avg_pool2d(encoder(resized), GRID).half())
        kept.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(kept, lambda name: torch.save(torch.cat(parts), name))
    maps: Tensor = torch.load(kept)
    return maps


def read_videos(data: Path, cache: Path, stride: int) -> dict[str, dict[str, list[Video]]]:
    """Feature vectors and phases of every ``stride``-th frame by action and split."""
    encoder = TimmEncoder('tf_efficientnet_lite0', str(data / WEIGHTS), stage=3, mean=(0, 0, 0), std=(255, 255, 255))
    encoder.eval()
    actions: dict[str, dict[str, list[Video]]] = {}
    for folder, split in itertools.product((data / name for name in SETS), ('train', 'val')):
        names = (folder / 'classes.txt').read_text().split()
        for entry in track(read_entries(folder / f'{split}.txt', folder), f'{folder.name}, {split}'):
            maps = maps_of(folder / entry.path, cache / folder.name / f'{Path(entry.path).stem}.pth', encoder)
            phases = find_phases(folder / 'phases', entry.path)
            assert phases is not None, entry.path
            labels = torch.from_numpy(read_phases(phases))
            videos = actions.setdefault(names[entry.label], {'train': [], 'val': []})[split]
            videos.append((maps.flatten(1).float()[::stride], labels[::stride]))
    return actions


def whitening(videos: list[Video], number: int) -> Callable[[Tensor], Tensor]:
    """The function from feature vectors to their first principal components, of variance 1 over the frames given."""
    known = torch.cat([frames for frames, _ in videos]).double()
    mean = known.mean(dim=0)
    _, sizes, directions = torch.linalg.svd(known - mean, full_matrices=False)
    project = directions[:number].T / sizes[:number] * math.sqrt(len(known))
    return lambda frames: ((frames.double() - mean) @ project).float()


def frozen(videos: dict[str, list[Video]]) -> dict[str, list[list[Video]]]:
    """Embeddings from components of the frames of the training videos, in one group per split."""
    components = whitening(videos['train'], COMPONENTS)
    return {
        split: [[(F.normalize(components(frames), dim=1), labels) for frames, labels in own]]
        for split, own in videos.items()
    }


def learned(actions: dict[str, dict[str, list[Video]]]) -> dict[str, dict[str, list[list[Video]]]]:
    """Embeddings by networks that have not seen the videos: of each half of the training videos, and of the others."""
    training = {action: actions[action]['train'] for action in LEARNED}
    halves = [train_network({action: own[half::2] for action, own in training.items()}) for half in (1, 0)]
    whole = train_network(training)

    def embedded(network: Callable[[Tensor], Tensor], videos: list[Video]) -> list[Video]:
        return [(network(frames), labels) for frames, labels in videos]

    return {
        action: {
            'train': [embedded(network, own[half::2]) for half, network in enumerate(halves)],
            'val': [embedded(whole, actions[action]['val'])],
        }
        for action, own in training.items()
    }


def train_network(actions: dict[str, list[Video]]) -> Callable[[Tensor], Tensor]:
    """Train a network with dropout by GTA; one action per step, four videos, 20 frames of each."""
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    components = whitening([video for videos in actions.values() for video in videos], INPUTS)

    def inputs(frames: Tensor) -> Tensor:
        found = components(frames)
        return torch.cat([found, found[(torch.arange(len(found)) - CONTEXT).clamp(min=0)]], dim=1)

    groups = [[inputs(frames) for frames, _ in videos] for videos in actions.values()]
    layers = (nn.Dropout(0.3), nn.Linear(2 * INPUTS, 64), nn.ReLU(), nn.Dropout(0.3), nn.Linear(64, 32))
    network, loss = nn.Sequential(*layers), GTALoss()
    optimizer = torch.optim.AdamW(network.parameters(), 1e-3, weight_decay=1e-4)
    for step in range(STEPS):
        group = groups[step % len(groups)]
        drawn = [group[number] for number in rng.choice(len(group), 4, replace=False)]
        steps = [np.sort(rng.choice(len(frames), 20, replace=False)) for frames in drawn]
        sampled = torch.stack([frames[own] for frames, own in zip(drawn, steps, strict=True)])
        optimizer.zero_grad()
        sum(loss(VideoGroup(F.normalize(network(sampled), dim=2))).values()).backward()
        optimizer.step()
    network.eval().requires_grad_(False)
    return lambda frames: F.normalize(network(inputs(frames)), dim=1)


def real_tables(data: Path, cache: Path, stride: int) -> dict[str, dict[str, Any]]:
    """Tables of frozen and of learned embeddings."""
    actions = read_videos(data, cache, stride)
    return {
        'frozen': real_table({action: frozen(videos) for action, videos in actions.items()}, stride),
        'learned': real_table(learned(actions), stride),
    }


def real_table(embedded: dict[str, dict[str, list[list[Video]]]], stride: int) -> dict[str, Any]:
    """Scores of each action and split; the choice of the least mean over actions in the training half."""
    table: dict[str, Any] = {}
    for split in ('train', 'val'):
        found = {action: score(*videos[split], stride=1) for action, videos in track(embedded.items(), split)}
        mean = {name: statistics.mean(own.wrong[name] for own in found.values()) for name in (CONSTANT, *CHOICES)}
        table[split] = dict(
            tau={action: round(own.tau, 1) for action, own in found.items()},
            wrong={name: round(value, 2) for name, value in mean.items()},
            per_action={
                action: {name: round(value, 2) for name, value in own.wrong.items()} for action, own in found.items()
            },
        )
    table['best of train'] = min(CHOICES, key=lambda name: table['train']['wrong'][name])
    return dict(table, frame_stride=stride)


def print_table(columns: dict[str, dict[str, float]]) -> None:
    print(f'| cost, path | {" | ".join(columns)} |\n|{"---|" * (len(columns) + 1)}')
    for name in (CONSTANT, *CHOICES):
        print(f'| {name} | {" | ".join(f"{column[name]:.1f}" for column in columns.values())} |')


def best_of(record: dict[str, Any]) -> str:
    """The choice of the least mean over the columns that do not test it."""
    columns = [record['simulated'][level] for level in NOISE] + [
        record[name]['train'] for name in ('frozen', 'learned')
    ]
    return min(CHOICES, key=lambda name: statistics.mean(column['wrong'][name] for column in columns))


def write_record(record: dict[str, Any]) -> None:
    RECORD.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(RECORD, lambda path: Path(path).write_text(json.dumps(record, indent=1) + '\n'))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--data', type=Path, default=os.environ.get('MMSIGMA_EVIDENCE_DATA'))
    parser.add_argument('--cache', type=Path, default=Path('work_dirs/evidence/phase_maps'), help='of feature maps')
    parser.add_argument('--seeds', type=int, default=5, help='0 keeps the table of simulated embeddings as it is')
    parser.add_argument('--frame-stride', type=int, default=2, help='of the frames of real videos')
    args = parser.parse_args()
    record: dict[str, Any] = json.loads(RECORD.read_text()) if RECORD.exists() else {}
    for make in (
        (lambda: {'simulated': simulated_table(args.seeds)}) if args.seeds else None,
        (lambda: real_tables(Path(args.data), args.cache, args.frame_stride)) if args.data else None,
    ):
        if make is None:
            continue
        started = time.perf_counter()
        tables = make()
        minutes = round((time.perf_counter() - started) / 60, 1)
        record |= {name: {**run_conditions(), 'minutes': minutes, **table} for name, table in tables.items()}
        write_record(record)
        for name, table in tables.items():
            parts = {f'{name}, {key}': value for key, value in table.items() if isinstance(value, dict)}
            print({key: part['tau'] for key, part in parts.items()})
            print_table({key: part['wrong'] for key, part in parts.items()})
    if record.keys() >= {'simulated', 'frozen', 'learned'}:
        record['best'] = best_of(record)
        write_record(record)
        print(f'best: {record["best"]}')


if __name__ == '__main__':
    main()
