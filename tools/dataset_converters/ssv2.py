"""Make lists of Something-Something V2: train.txt and val.txt.

Reads the JSON files of training, validation and labels as distributed; the videos are <id>.webm or <id> with any other
video suffix. For mini-SSv2 or another subset, --classes is a file with the classes to keep, one per line, and --ids one
with the videos. Labels then refer to the classes in the file, or to those of the remaining training videos.

Examples::

    python tools/dataset_converters/ssv2.py data/sthv2 --annotations data/sthv2/labels
    python tools/dataset_converters/ssv2.py data/sthv2 --classes mini_classes.txt --out data/mini_sthv2
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
from mmsigma.io.text import read_json

PARTS = {'train': ('*train.json', 168_913), 'val': ('*validation.json', 24_777)}


def convert(args: Namespace) -> tuple[list[Split], list[str]]:
    path = one_file(args.annotations, '*labels.json')
    numbers = {name: int(number) for name, number in read_json(path).items()}
    classes = sorted(numbers, key=numbers.__getitem__)
    if sorted(numbers.values()) != list(range(len(numbers))):
        raise ValueError(f'{path}: expected a number from 0 to {len(numbers) - 1} for each class')
    annotated = {part: read_videos(one_file(args.annotations, pattern)) for part, (pattern, _) in PARTS.items()}
    whole = not (args.classes or args.ids)
    wanted, classes = keep_part(annotated, classes, args.classes, args.ids)
    videos = index_videos(args.root, args.videos)
    splits = [match_files(part, wanted[part], videos.get, PARTS[part][1] if whole else None) for part in PARTS]
    return splits, classes


def read_videos(path: Path) -> list[tuple[str, str]]:
    """Read ids and classes, which are the templates without their brackets.

    Raises:
        ValueError: If an entry lacks either.
    """
    entries = read_json(path)
    try:
        return [(str(entry['id']), entry['template'].replace('[', '').replace(']', '')) for entry in entries]
    except (KeyError, TypeError) as error:
        raise ValueError(f'{path}: expected a list of objects with "id" and "template"') from error


def main() -> None:
    parser = converter_parser(__doc__)
    parser.add_argument('--classes', type=Path, help='file with the classes to keep, one per line')
    parser.add_argument('--ids', type=Path, help='file with the videos to keep, an id at the start of each line')
    run_converter(parser, convert)


if __name__ == '__main__':
    main()
