"""Timing of candidates against each other: interleaved rounds, medians, ratios, peak memory; conditions of a run."""

import json
import multiprocessing
import os
import platform
import resource
import statistics
import subprocess
import threading
import time
from collections.abc import Callable, Container
from multiprocessing.connection import Connection
from pathlib import Path

import torch

from mmsigma.ops import has_fast_bfloat16
from mmsigma.utils.torch_environment import set_torch_environment

RECORD_TO = 'MMSIGMA_BENCH_RECORD'


def compare(candidates: dict[str, Callable[[], object]], rounds: int = 5, warmup: int = 1) -> dict[str, float]:
    """Median seconds of every candidate; one call of each per round, so that drifts of the machine hit all alike."""
    times: dict[str, list[float]] = {name: [] for name in candidates}
    for round_index in range(warmup + rounds):
        for name, run in candidates.items():
            synchronize()
            start = time.perf_counter()
            run()
            synchronize()
            if round_index >= warmup:
                times[name].append(time.perf_counter() - start)
    return {name: statistics.median(values) for name, values in times.items()}


def compare_apart(
    makers: dict[str, Callable[[], Callable[[], object]]],
    rounds: int = 5,
    warmup: int = 1,
    *,
    as_commands: Container[str] = (),
) -> dict[str, float]:
    """Like :func:`compare`, but with every candidate, which a function makes, in a process of its own.

    Those of ``as_commands`` have the environment that the commands of mmsigma set.

    Memory that one candidate frees, and what the allocator has learnt from it, would make others faster or slower. Each
    is called twice in its turn, and the second call counts: in a run of many, caches and threads are warm.
    """
    context, lines = multiprocessing.get_context('spawn'), {}
    for name, make in makers.items():
        lines[name], theirs = context.Pipe()
        before = dict(os.environ)
        if name in as_commands:
            set_torch_environment()
        context.Process(target=_serve, args=(make, theirs, torch.get_num_threads()), daemon=True).start()
        os.environ.clear()
        os.environ.update(before)
        lines[name].recv()  # it is ready
    times: dict[str, list[float]] = {name: [] for name in makers}
    for round_index in range(warmup + rounds):
        for name, line in lines.items():
            for _ in range(2):
                line.send(True)
                seconds = line.recv()
            if round_index >= warmup:
                times[name].append(seconds)
    for line in lines.values():
        line.send(False)
    return {name: statistics.median(values) for name, values in times.items()}


def _serve(make: Callable[[], Callable[[], object]], line: Connection, threads: int) -> None:
    torch.set_num_threads(threads)
    run = make()
    line.send('ready')
    while line.recv():
        line.send(compare({'own': run}, rounds=1, warmup=0)['own'])


def without_slow_bfloat16(candidates: list[str]) -> list[str]:
    """Leave out those whose name ends in bf16 where the processor, or the part of it that is used, is slow at it."""
    as_avx2 = torch.backends.cpu.get_cpu_capability() == 'AVX2'
    if torch.cuda.is_available() or (has_fast_bfloat16('cpu') and not as_avx2):
        return candidates
    return [name for name in candidates if not name.endswith('bf16')]


def synchronize() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def print_table(title: str, medians: dict[str, float], reference: str) -> None:
    """Print medians in seconds beside the speed of one of them; bench.py, which sets RECORD_TO, records them."""
    print(f'\n{title}')
    for name, seconds in medians.items():
        print(f'  {name:<44} {seconds * 1e3:9.1f} ms   {medians[reference] / seconds:5.2f}x the speed of {reference}')
    if path := os.environ.get(RECORD_TO):
        with open(path, 'a') as file:
            file.write(json.dumps(dict(title=title, reference=reference, seconds=medians)) + '\n')


def peak_memory_mb() -> float:
    """Largest resident memory of this process so far, in MB (on a GPU, of the device)."""
    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated() / 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def own_memory_mb() -> float:
    """Memory of this process without mapped files."""
    lines = Path('/proc/self/status').read_text().splitlines()
    return next(float(line.split()[1]) / 1024 for line in lines if line.startswith('RssAnon'))


def with_peak(work: Callable[[], object]) -> tuple[float, float]:
    """Seconds that a function takes, and the megabytes of its own that the process has more at its peak."""
    before, peak, done = own_memory_mb(), [0.0], threading.Event()

    def watch() -> None:
        while not done.wait(0.005):
            peak[0] = max(peak[0], own_memory_mb())

    watcher = threading.Thread(target=watch)
    watcher.start()
    start = time.perf_counter()
    work()
    seconds = time.perf_counter() - start
    done.set()
    watcher.join()
    return seconds, max(0.0, peak[0] - before)


def run_conditions() -> dict[str, str | int]:
    """What a reader of the record of a run has to know: commit, processor, threads and version of torch."""

    def git(*command: str) -> str:
        folder = Path(__file__).parent
        run = subprocess.run(['git', *command], cwd=folder, capture_output=True, text=True, check=False)
        return run.stdout.strip()

    lines = Path('/proc/cpuinfo').read_text().splitlines() if Path('/proc/cpuinfo').exists() else []
    names = [line.partition(':')[2].strip() for line in lines if line.startswith('model name')]
    return dict(
        commit=git('rev-parse', 'HEAD') + ('+changes' if git('status', '--porcelain', '-uno') else ''),
        processor=f'{names[0] if names else platform.processor()}, {len(names) or os.cpu_count()} cores',
        threads=torch.get_num_threads(),
        torch=torch.__version__,
    )


def machine() -> str:
    if torch.cuda.is_available():
        return f'{torch.cuda.get_device_name()}, torch {torch.__version__}'
    return f'{torch.get_num_threads()} CPU threads, torch {torch.__version__}'
