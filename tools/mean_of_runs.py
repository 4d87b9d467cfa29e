"""Average the scores of several runs, such as networks per action, or seeds.

A run is the folder of a tested model; if it was tested several times, the newest test counts.

Example::

    python tools/mean_of_runs.py work_dirs/gta_penn_action_* --scores kendall_tau svm --csv table.csv
"""

import argparse
from pathlib import Path

from mmsigma.utils.options import CommandParser


def parse_args() -> argparse.Namespace:
    summary, _, rest = __doc__.partition('\n')
    parser = CommandParser(description=summary, epilog=rest, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('runs', nargs='+', type=Path, help='work dirs of the runs')
    parser.add_argument('--scores', nargs='+', help='only scores whose names contain one of these')
    parser.add_argument('--csv', type=Path, help='file to write the table to')
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    from rich.console import Console

    from mmsigma.apis.run_means import common_scores, notes, read_runs, score_rows, score_table
    from mmsigma.io.tables import write_csv

    try:
        results = read_runs(args.runs)
        runs = {run: result.scores for run, result in results.items()}
        names = common_scores(runs, args.scores)
        rows = score_rows(runs, names)
    except (ValueError, OSError) as error:
        raise SystemExit(str(error)) from error
    Console().print(score_table(rows, names, len(runs)))
    print(*notes(results), sep='\n')
    if args.csv:
        write_csv(args.csv, [('run', *names), *((title, *row) for title, row in rows)])


if __name__ == '__main__':
    main()
