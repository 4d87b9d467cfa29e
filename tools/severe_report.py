"""Collect the eight results of the SEVERE benchmark in the table of the paper, with their mean.

Each result is given as SETTING=PLACE, where SETTING is one of ssv2, gym99, ucf1k, gym1k, fxs1, ubs1, ucfrep and
charades, and PLACE is a number, the folder of a run (whose newest test counts), or a JSON or YAML file: either the one
that a test writes, or numbers by setting. Accuracies and mAP are in percent, the counting error is a fraction.

Examples::

    python tools/severe_report.py ssv2=work_dirs/severe/vitb_ssv2 gym99=work_dirs/severe/vitb_gym99 ucfrep=0.171
    python tools/severe_report.py --results numbers.yml --name 'My model' --markdown table.md --csv table.csv
"""

import argparse
from pathlib import Path

from mmsigma.utils.options import CommandParser


def parse_args() -> argparse.Namespace:
    summary, _, rest = __doc__.partition('\n')
    parser = CommandParser(description=summary, epilog=rest, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('runs', nargs='*', metavar='SETTING=PLACE', help='result of one setting')
    parser.add_argument('--results', type=Path, help='JSON or YAML file of numbers by setting')
    parser.add_argument('--name', default='this model', help='name of the row (default: %(default)s)')
    parser.add_argument('--markdown', type=Path, help='file to write the table to')
    parser.add_argument('--csv', type=Path, help='file to write the table to')
    parser.add_argument('--no-published', action='store_true', help='leave out the rows of the paper')
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    from mmsigma.apis.severe_table import KEYS, Results, gather, severe_cells, to_csv, to_markdown
    from mmsigma.evaluation.classification.severe import PUBLISHED
    from mmsigma.io.atomic import write_text

    try:
        row = gather(args.runs, args.results)
        rows: dict[str, Results] = {}
        if not args.no_published:
            rows = {f'{name} (paper)': list(values) for name, values in PUBLISHED.items()}
        cells = severe_cells({**rows, args.name: row})
        for path, text in ((args.markdown, to_markdown(cells)), (args.csv, to_csv(cells))):
            if path:
                write_text(path, text)
    except (ValueError, OSError) as error:
        raise SystemExit(str(error)) from error
    print(to_markdown(cells), end='')
    if missing := [key for key, value in zip(KEYS, row, strict=True) if value is None]:
        print(f'\nNo mean: {len(missing)} of 8 results are missing ({", ".join(missing)}).')


if __name__ == '__main__':
    main()
