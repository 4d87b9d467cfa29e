"""Lists of Something-Something V2: train.txt and val.txt.

Reads the JSON files of training, validation and labels as they are distributed; the videos are <id>.webm or any other
video <id>. For mini-SSv2, or any other part, --classes names the classes to keep, one per line, and --ids the videos.
Labels then count the classes of the file, or those that the training videos kept have.

Examples::

    python tools/dataset_converters/ssv2.py data/sthv2 --annotations data/sthv2/labels
    python tools/dataset_converters/ssv2.py data/sthv2 --classes mini_classes.txt --out data/mini_sthv2
"""

import json
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

PARTS = {'train': ('*train.json', 168_913), 'val': ('*validation.json', 24_777)}


def convert(args: Namespace) -> tuple[list[Split], list[str]]:
    path = one_file(args.annotations, '*labels.json')
    numbers = {name: int(number) for name, number in json.loads(path.read_text(encoding='utf-8')).items()}
    classes = sorted(numbers, key=numbers.__getitem__)
    if sorted(numbers.values()) != list(range(len(numbers))):
        raise ValueError(f'{path}: expected a number from 0 to {len(numbers) - 1} for each class')
    annotated = {part: read_videos(one_file(args.annotations, pattern)) for part, (pattern, _) in PARTS.items()}
    whole = not (args.classes or args.ids)
    annotated, classes = keep_part(annotated, classes, args.classes, args.ids)
    videos = index_videos(args.root, args.videos)
    splits = [match_files(part, annotated[part], videos.get, PARTS[part][1] if whole else None) for part in PARTS]
    return splits, classes


def read_videos(path: Path) -> list[tuple[str, str]]:
    """Ids and classes, which are the templates without their brackets.

    Raises:
        ValueError: If an entry has neither.
    """
    entries = json.loads(path.read_text(encoding='utf-8'))
    try:
        return [(str(entry['id']), entry['template'].replace('[', '').replace(']', '')) for entry in entries]
    except (KeyError, TypeError) as error:
        raise ValueError(f'{path}: expected a list of objects with "id" and "template"') from error


def main() -> None:
    parser = converter_parser(__doc__)
    parser.add_argument('--classes', type=Path, help='file of the classes to keep, a line each')
    parser.add_argument('--ids', type=Path, help='file of the videos to keep, an id at the start of each line')
    run_converter(parser, convert)


if __name__ == '__main__':
    main()
