"""Table of how each way of reading fares with the generated videos, in Markdown.

python -m tests.robustness.table
"""

import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from tests.robustness.catalogue import Outcome, cases_by_kind, outcomes
from tests.robustness.contract import READS, RIGHT, Reader, available


def row(kind: str, found: dict[str, Sequence[Outcome]]) -> str:
    """Write a row: how many keep the contract, and how many of them were read whole."""
    cells = []
    for results in found.values():
        kept = [outcome for outcome in results if not outcome.result.startswith('WRONG')]
        right = sum(outcome.result == RIGHT for outcome in kept)
        cells.append(f'{len(kept)} of {len(results)} ({right})')
    return f'| {kind} | {" | ".join(cells)} |'


def main() -> int:
    """Print the table, and every break of the contract to standard error; returns how many there are."""
    names = [name for name in READS if available(name)]
    total: dict[str, list[Outcome]] = {name: [] for name in names}
    lines = [f'| videos | {" | ".join(names)} |', f'|---|{"---|" * len(names)}']
    slowest = 0.0
    with tempfile.TemporaryDirectory() as folder, Reader() as reader:
        for kind, cases in cases_by_kind().items():
            found: dict[str, Sequence[Outcome]] = {}
            for name in names:
                found[name], started = [], time.perf_counter()
                for outcome in outcomes(name, cases, Path(folder, kind), reader):
                    slowest = max(slowest, time.perf_counter() - started)
                    found[name].append(outcome)
                    if outcome.result.startswith('WRONG'):
                        print(f'{name}, {kind}, {outcome.case.name!a}: {outcome.result}', file=sys.stderr)
                    started = time.perf_counter()
                total[name] += found[name]
            lines.append(row(kind, found))
    lines.append(row('**all**', dict(total)))
    print('\n'.join(lines), f'\nSlowest video: {slowest:.1f} s.', sep='\n')
    return sum(outcome.result.startswith('WRONG') for results in total.values() for outcome in results)


if __name__ == '__main__':
    sys.exit(bool(main()))
