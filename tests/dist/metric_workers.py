"""What the processes of the metrics' tests run."""

from functools import partial
from pathlib import Path

import numpy as np
import torch
from mmengine.dataset import DefaultSampler

from mmsigma.datasets.vos.keypoint_dataset import JointSequence
from mmsigma.datasets.vos.sequences import VOSSequence
from mmsigma.evaluation import (
    AccuracyMetric,
    AlignmentMetric,
    CountingErrorMetric,
    MultiLabelMAP,
    PCKMetric,
    VIPMetric,
    VOSMetric,
)

METRICS = {
    'accuracy': AccuracyMetric,
    'alignment': AlignmentMetric,
    'few_shot': partial(AlignmentMetric, ('few_shot',), shots=(1, 2), num_episodes=5),
    'progression': partial(AlignmentMetric, ('progression',), fractions=(0.5, 1.0)),
    'counting': CountingErrorMetric,
    'multi_label': MultiLabelMAP,
    'vos': VOSMetric,
    'vip': VIPMetric,
    'pck': PCKMetric,
}


class MadeUpVideo(VOSSequence):
    """A video whose annotation needs no files."""

    def read_mask(self, number: int) -> np.ndarray:
        rng = np.random.default_rng([len(self.name), number])
        return np.where(rng.random((9, 12)) < 0.5, 1, 2).astype(np.uint8)


def make_video(number: int) -> dict:
    frames = tuple(Path(f'{time}.png') for time in range(3 + number % 3))
    everything = tuple(range(len(frames)))
    video = MadeUpVideo('v' * (number + 1), frames, dict.fromkeys(everything, Path()), (0,), everything)
    pred = np.stack([video.read_mask(time // 2) for time in everything])
    return dict(sequence=video, pred_masks=pred)


class MadeUpJoints(JointSequence):
    """A person whose annotation needs no file."""

    def read_joints(self) -> np.ndarray:
        return np.random.default_rng(len(self.name)).random((len(self.frames), 15, 2)) * 50


def make_person(number: int) -> dict:
    person = MadeUpJoints('p' * (number + 1), tuple(Path(f'{time}.png') for time in range(2 + number % 3)), Path())
    pred = person.read_joints() + np.random.default_rng([number, 1]).normal(0, 9, (len(person.frames), 15, 2))
    return dict(sequence=person, pred_joints=pred)


def make_labelled_video(number: int) -> dict:
    """Two actions, each with videos to learn from and to test with."""
    generator = torch.Generator().manual_seed(number)
    phases = torch.arange(3).repeat_interleave(4 + number % 3)
    embeddings = torch.eye(3)[phases] + torch.rand(len(phases), 3, generator=generator)
    place = dict(action='ab'[number % 2], subset='train' if number % 4 < 2 else 'val', filename=f'{9 * number}.mp4')
    place['sample_idx'] = number
    return dict(embeddings=embeddings, frame_labels=phases, **place)


def make_samples(kind: str, number: int = 11) -> list[dict]:
    """Predictions as the evaluator sees them, with ties."""
    generator = torch.Generator().manual_seed(2)
    if kind in ('vos', 'vip'):
        return [make_video(index) for index in range(number)]
    if kind in ('alignment', 'few_shot', 'progression'):
        return [make_labelled_video(index) for index in range(number)]
    if kind == 'pck':
        return [make_person(index) for index in range(number)]
    if kind == 'counting':
        counts = torch.randint(1, 9, (number, 2), generator=generator).tolist()
        return [dict(pred_count=pred, gt_count=true) for pred, true in counts]
    if kind == 'accuracy':
        scores, labels = torch.rand(number, 6, generator=generator), torch.randint(6, (number, 1), generator=generator)
        return [dict(pred_score=score, gt_label=label) for score, label in zip(scores, labels, strict=True)]
    scores = torch.randint(0, 5, (number, 6), generator=generator) / 4
    labels = (torch.rand(number, 6, generator=generator) < 0.3).float()
    return [dict(pred_score=score, gt_label=label) for score, label in zip(scores, labels, strict=True)]


def evaluate(kind: str, samples: list[dict], size: int) -> dict[str, float]:
    """Metric of samples, given in two batches, and of those of the other processes."""
    metric = METRICS[kind]()
    for batch in (samples[:2], samples[2:]):
        metric.process({}, batch)
    return metric.evaluate(size)


def deal(samples: list[dict], rank: int) -> dict[str, list[dict]]:
    """What two processes may have of 11 samples: unequally many, none, or in turn with the first twice (a sampler)."""
    parts = {'8 + 3': (samples[:8], samples[8:]), '11 + 0': (samples, [])}
    parts['in turn'] = samples[::2], samples[1::2] + samples[:1]
    return {name: part[rank] for name, part in parts.items()}


def deal_by_sampler(samples: list[dict], size: int) -> list[dict]:
    """What the sampler of the test configs gives to this process, without positions in the list."""
    kept = [{key: value for key, value in sample.items() if key != 'sample_idx'} for sample in samples]
    return [kept[index] for index in DefaultSampler(range(size), shuffle=False)]


def sampler_worker(rank: int) -> dict[str, dict[str, float]]:
    """Metrics by name of samples that are dealt out by the sampler."""
    return {kind: evaluate(kind, deal_by_sampler(make_samples(kind), 11), 11) for kind in METRICS}


def metric_worker(rank: int) -> dict[tuple[str, str], dict[str, float]]:
    """Metrics by name and by how samples are dealt out."""
    dealt = {kind: deal(make_samples(kind), rank) for kind in METRICS}
    return {(kind, how): evaluate(kind, part, 11) for kind, parts in dealt.items() for how, part in parts.items()}
