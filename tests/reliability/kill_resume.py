"""Campaign of kills: training is killed at random moments and resumed until it is complete, then compared bit by bit.

python -m tests.reliability.kill_resume --kills 100 --methods sigma mask_vos gta --out kill_resume.json

Every run is a process of its own, forked from one that has imported everything, and dies of SIGKILL after a random time
from its first to its last step; for Mask-VOS, some die within a round of clustering. The campaign goes through as many
whole trainings as the number of kills takes.
"""

import argparse
import json
import multiprocessing
import os
import random
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import torch
from mmengine.hooks import Hook

from mmsigma.apis.launch import build_runner
from tests.reliability.small_runs import METHODS, circumstances, make_data, small_run

_DEADLINE = 120.0  # seconds that a run may take; more is a hang


class Report(NamedTuple):
    """What a campaign did: numbers of kills and of those in a clustering round, trainings, and what went wrong."""

    method: str
    kills: int
    in_rounds: int
    trainings: int
    seconds: float
    faults: list[str]


class KillAt(Hook):
    """Kills its process at a random moment within an iteration, or after a number of videos of a clustering round."""

    priority = 'VERY_HIGH'

    def __init__(self, steps: int, delay: float) -> None:
        self.steps, self.delay, self.seen = steps, delay, 0

    def before_train_iter(self, runner, batch_idx, data_batch=None) -> None:
        if self.seen == self.steps:
            signal.signal(signal.SIGALRM, _die)  # while the step, its hooks or the writing of the checkpoint run
            signal.setitimer(signal.ITIMER_REAL, max(self.delay, 1e-4))
        self.seen += 1


def _die(*_: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _train(method: str, data: Path, folder: Path, kill: tuple[int, float] | None, videos: int | None) -> None:
    torch.set_num_threads(1)
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    os.dup2(os.open(folder / 'stderr.txt', os.O_WRONLY | os.O_CREAT | os.O_APPEND), 2)
    runner = build_runner(small_run(method, data, folder))
    if kill is not None:
        runner.register_hook(KillAt(*kill))
    if videos is not None:
        _kill_in_round(videos)
    runner.train()


def _kill_in_round(videos: int) -> None:
    """Let a round of clustering end the process after a number of videos."""
    from mmsigma.engine import reclustering

    cluster, done = reclustering._cluster_video, [0]

    def cluster_video(*args: object, **settings: object) -> tuple[str, str, int, float]:
        if done[0] == videos:
            _die()
        done[0] += 1
        return cluster(*args, **settings)

    reclustering._cluster_video = cluster_video


def run_once(target: Callable[..., None], *args: object) -> int | None:
    """Run a function in a forked process; returns its exit code, None if it hangs."""
    process = multiprocessing.get_context('fork').Process(target=target, args=args)
    process.start()
    process.join(_DEADLINE)
    if process.is_alive():
        process.kill()
        process.join()
        return None
    return process.exitcode


def campaign(method: str, kills: int, data: Path, folder: Path, *, seed: int = 0) -> Report:
    """Kill and resume trainings of a method.

    Args:
        method: One of ``METHODS``.
        kills: Number of kills.
        data: Dataset.
        folder: Folder of the runs.
        seed: Seed of the moments.

    Returns:
        The report; there are no faults if every training ended with the parameters, the optimiser's state and the
        history of the uninterrupted one.
    """
    draw, started = random.Random(seed), time.monotonic()
    (folder / 'whole').mkdir(parents=True)
    faults: list[str] = []
    if (code := run_once(_train, method, data, folder / 'whole', None, None)) != 0:
        fault = f'the uninterrupted run ended with {code}: {_errors(folder / "whole")}'
        return Report(method, 0, 0, 0, time.monotonic() - started, [fault])
    expected = last_checkpoint(folder / 'whole')
    length = expected['meta']['iter']
    done = in_rounds = trainings = 0
    while (done < kills or trainings == 0) and not faults:
        cut = folder / f'cut_{trainings}'
        cut.mkdir()
        left = min(draw.randint(2, 8), kills - done)  # kills of this training
        code: int | None = -signal.SIGKILL
        while code == -signal.SIGKILL:
            videos = draw.randrange(6) if method == 'mask_vos' and draw.random() < 0.4 else None
            kill = (draw.randrange(max(length // 3, 1)), draw.expovariate(10)) if videos is None else None
            code = run_once(_train, method, data, cut, kill if left else None, videos if left else None)
            if code == -signal.SIGKILL:
                done, left = done + 1, left - 1
                in_rounds += videos is not None
        trainings += 1
        if code != 0:
            faults.append(f'{cut.name} ended with {code} after {done} kills: {_errors(cut)}')
        elif difference := first_difference(expected, last_checkpoint(cut)):
            faults.append(f'{cut.name} differs in {difference}')
    return Report(method, done, in_rounds, trainings, time.monotonic() - started, faults)


def last_checkpoint(folder: Path) -> dict:
    """Load the checkpoint of the last iteration."""
    path = max(folder.glob('iter_*.pth'), key=lambda path: int(path.stem.rpartition('_')[2]))
    content: dict = torch.load(path, weights_only=True)
    return content


def first_difference(one: dict, other: dict) -> str:
    """Name the first entry in which two checkpoints differ; empty if they are the same bit for bit."""
    parts = ('state_dict', 'optimizer', 'param_schedulers')
    history = [content['message_hub']['log_scalars']['train/loss'][0] for content in (one, other)]
    pairs = [(part, one[part], other[part]) for part in parts if part in one] + [('history', *history)]
    while pairs:
        name, first, second = pairs.pop(0)
        if isinstance(first, dict):
            pairs += [(f'{name}.{key}', first[key], second.get(key)) for key in first]
        elif isinstance(first, list | tuple):
            pairs += [(f'{name}.{key}', *both) for key, both in enumerate(zip(first, second, strict=True))]
        elif isinstance(first, torch.Tensor):
            if not torch.equal(first, second):
                return str(name)
        elif first != second and first == first:
            return str(name)
    return ''


def _errors(folder: Path) -> str:
    lines = (folder / 'stderr.txt').read_text().strip().splitlines()
    return lines[-1] if lines else 'without a message'


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--kills', type=int, default=100, help='number of kills for each method (default: %(default)s)')
    parser.add_argument('--methods', nargs='+', choices=METHODS, default=METHODS)
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--out', type=Path, help='file to write the reports to (.json)')
    args = parser.parse_args()
    found = dict(seed=args.seed, **circumstances())
    reports = []
    with tempfile.TemporaryDirectory() as folder:
        data = make_data(Path(folder, 'data'))
        for method in args.methods:
            reports.append(campaign(method, args.kills, data, Path(folder, method), seed=args.seed)._asdict() | found)
            print(json.dumps(reports[-1]), flush=True)
            if args.out:
                args.out.write_text(json.dumps(reports, indent=1) + '\n')
    sys.exit(any(report['faults'] for report in reports))


if __name__ == '__main__':
    main()
