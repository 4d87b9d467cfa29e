"""Make lists of Kinetics-400, -600 or -700: train.txt and val.txt, with the classes in alphabetical order.

Reads the CSV files (label, youtube_id, time_start, time_end, split). A video may be called <id> or
<id>_<start>_<end> with six digits each, in any folder. For mini-Kinetics or another subset, --classes is a file with
the classes to keep, one per line, and --ids one with the videos, by YouTube id. Labels then refer to the classes in the
file, or to those of the remaining training videos.

Examples::

    python tools/dataset_converters/kinetics.py data/kinetics400
    python tools/dataset_converters/kinetics.py data/kinetics400 --classes mini.txt --out data/mini_kinetics
"""

from argparse import Namespace
from pathlib import Path

from mmsigma.datasets.videos.lists import (
    Split,
    converter_parser,
    index_videos,
    keep_part,
    match_files,
    one_file,
    run_converter,
)
from mmsigma.io.tables import read_csv

COLUMNS = ('label', 'youtube_id', 'time_start', 'time_end')
_TIMES = len('_000000_000010')


def convert(args: Namespace) -> tuple[list[Split], list[str]]:
    annotated = {
        part: read_videos(one_file(args.annotations, f'{part}*.csv', f'*{part}*.csv')) for part in ('train', 'val')
    }
    classes = sorted({label for _, label in annotated['train']})
    wanted, classes = keep_part(annotated, classes, args.classes, args.ids, identity=lambda name: name[:-_TIMES])
    videos = index_videos(args.root, args.videos)

    def find(name: str) -> str | None:
        return videos.get(name) or videos.get(name[:-_TIMES])

    return [match_files(part, entries, find) for part, entries in wanted.items()], classes


def read_videos(path: Path) -> list[tuple[str, str]]:
    """Read names, as <id>_<start>_<end>, and classes.

    Raises:
        ValueError: If a column is missing or a time is not a number; the message names the line.
    """
    titles, rows = read_csv(path)
    if lacking := [name for name in COLUMNS if name not in titles]:
        raise ValueError(f'{path} lacks the columns {lacking}; test sets without labels cannot be listed')
    entries = []
    for place, row in rows:
        try:
            start, end = (int(float(row[name])) for name in COLUMNS[2:])
        except ValueError:
            raise ValueError(f'{place}: a time is not a number of seconds') from None
        entries.append((f'{row["youtube_id"]}_{start:06d}_{end:06d}', row['label']))
    return entries


def main() -> None:
    parser = converter_parser(__doc__)
    parser.add_argument('--classes', type=Path, help='file with the classes to keep, one per line')
    parser.add_argument('--ids', type=Path, help='file with the videos to keep, an id at the start of each line')
    run_converter(parser, convert)


if __name__ == '__main__':
    main()
