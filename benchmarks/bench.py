"""Run the benchmarks as the processor is, and as one that has AVX2 at most; write both to a record and a table.

    make bench
    python benchmarks/bench.py [--only sinkhorn alignment]

The instructions of oneDNN, of PyTorch's own kernels, of MKL and of numba are limited by environment variables, of which
the second is checked to have taken effect; on a processor without AVX-512 both columns are the same run. Ratios of
medians within one run are comparable, seconds are not. The record is ``benchmarks/records/speed_<processor>.json``; the
tables of all records are between the marks of ``docs/performance.md``.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from common import RECORD_TO, run_conditions

from mmsigma.io.atomic import write_atomically

ROOT = Path(__file__).resolve().parents[1]
RECORDS, PAGE = ROOT / 'benchmarks' / 'records', ROOT / 'docs' / 'performance.md'
SCRIPTS = {
    'sinkhorn': ['--iters', '10', '--rounds', '7', '--memory-shape', '300', '300'],
    'kmeans': [],
    'alignment': ['--sizes', '80'],
    'propagation': [],
    'linear': [],
    'davis_metrics': [],
    'shared_cores': [],
    'starting': ['--demo'],
    'pretrain_step': [
        *('--rounds', '3', '--candidates', 'hf-sdpa', 'hf-sdpa-commands'),
        *('ours-pixel', 'ours-mlp', 'ours-pixel-bf16', 'ours-mlp-bf16'),
    ],
    'finetune_step': ['--arch', 'small', '--rounds', '3'],
}
AS_AVX2 = {
    'ONEDNN_MAX_CPU_ISA': 'AVX2',
    'ATEN_CPU_CAPABILITY': 'avx2',
    'MKL_ENABLE_INSTRUCTIONS': 'AVX2',
    'NUMBA_CPU_NAME': 'haswell',
}
BEGIN, END = '<!-- speed: begin -->\n', '<!-- speed: end -->\n'


def capability(environment: dict[str, str]) -> str:
    """Instructions that PyTorch's kernels use in an environment, such as AVX2 or AVX512."""
    code = 'import torch; print(torch.backends.cpu.get_cpu_capability())'
    run = subprocess.run([sys.executable, '-c', code], env=environment, capture_output=True, text=True, check=True)
    return run.stdout.strip()


def run(script: str, environment: dict[str, str]) -> dict[str, Any]:
    """Tables and minutes of a script."""
    with tempfile.TemporaryDirectory() as folder:
        path, started = Path(folder, 'tables'), time.perf_counter()
        command = [sys.executable, str(Path(__file__).with_name(f'{script}.py')), *SCRIPTS[script]]
        subprocess.run(command, env={**environment, RECORD_TO: str(path)}, check=True)
        tables = [json.loads(line) for line in path.read_text().splitlines()]
    return dict(minutes=round((time.perf_counter() - started) / 60, 1), tables=tables)


def measure(only: list[str]) -> None:
    """Run the scripts and write the record, after each of them."""
    conditions = run_conditions()
    name = re.sub(r'\W+', '_', f'{conditions["processor"]} {torch.backends.cpu.get_cpu_capability()}').lower()
    path = RECORDS / f'speed_{name}.json'
    record: dict[str, Any] = json.loads(path.read_text()) if path.exists() else dict(runs={})
    own = capability(dict(os.environ))
    environments = {own: dict(os.environ)}
    if own != 'AVX2':
        environments['AVX2'] = {**os.environ, **AS_AVX2}
        if (found := capability(environments['AVX2'])) != 'AVX2':
            raise SystemExit(f'ATEN_CPU_CAPABILITY=avx2 has no effect: kernels use {found}')
    for script in only:
        for instructions, environment in environments.items():
            found = {**conditions, **run(script, environment)}
            record['runs'].setdefault(script, {})[instructions] = found
            write_atomically(path, lambda file: Path(file).write_text(json.dumps(record, indent=1) + '\n'))
    write_page()


def tables() -> str:
    """Tables of all records: milliseconds, and speed relative to the peer that is named first."""
    lines = []
    for path in sorted(RECORDS.glob('speed_*.json')):
        record = json.loads(path.read_text())
        for script, runs in record['runs'].items():
            instructions = list(runs)
            first = runs[instructions[0]]
            place = f'{first["processor"]}, {first["threads"]} threads, torch {first["torch"].partition("+")[0]}'
            head = ' | '.join(f'{name}, ms | speed' for name in instructions)
            lines += [f'\n`benchmarks/{script}.py`, {place}:\n', f'| | {head} |', '|---' * (2 * len(runs) + 1) + '|']
            for number, table in enumerate(first['tables']):
                lines.append(f'| **{table["title"]}** |' + ' |' * 2 * len(runs))
                for candidate in table['seconds']:
                    cells = []
                    for one in runs.values():
                        found, reference = one['tables'][number]['seconds'], one['tables'][number]['reference']
                        if candidate in found:
                            cells += [f'{found[candidate] * 1e3:.1f}', f'{found[reference] / found[candidate]:.2f}x']
                        else:
                            cells += ['-', '-']  # left out there, such as bfloat16 without its instructions
                    lines.append(f'| {candidate} | ' + ' | '.join(cells) + ' |')
    return '\n'.join([*lines, *memory_table()]).lstrip('\n') + '\n'


def memory_table() -> list[str]:
    """Table of the record of memory_growth.py: megabytes at three sizes of each."""
    record = json.loads((RECORDS / 'memory_growth.json').read_text())
    lines = ['\n`benchmarks/memory_growth.py`, MB at the peak beyond inputs, at growing sizes:\n']
    lines += ['| | small | medium | large |', '|---|---|---|---|']
    for name, found in record['mb'].items():
        lines.append(f'| {name} | ' + ' | '.join(f'{int(size):,}: {mb:.1f}' for size, mb in found.items()) + ' |')
    return lines


def page() -> str:
    """The page of performance with the tables of today's records."""
    text = PAGE.read_text()
    before, after = text[: text.index(BEGIN) + len(BEGIN)], text[text.index(END) :]
    return f'{before}\n{tables()}\n{after}'


def write_page() -> None:
    content = page()
    write_atomically(PAGE, lambda file: Path(file).write_text(content))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--only', nargs='+', default=list(SCRIPTS), choices=list(SCRIPTS))
    measure(parser.parse_args().only)


if __name__ == '__main__':
    main()
