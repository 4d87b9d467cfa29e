"""Make lists of ImageNet-1K: train.txt and val.txt, with the classes in alphabetical order of their WordNet ids.

Training images are train/<id>/*.JPEG. Those in val/ may be in such folders as well, or all in one with --val-labels,
which is one of

* LOC_val_solution.csv of Kaggle, or any file with an image and its WordNet id in each line,
* val.txt of Caffe, with an image and its label from 0 in each line,
* ILSVRC2012_validation_ground_truth.txt of the development kit, with meta.mat beside it, whose numbers refer to another
  order of the classes.

Example::

    python tools/dataset_converters/imagenet.py data/imagenet --val-labels LOC_val_solution.csv
"""

import re
from argparse import Namespace
from pathlib import Path

from mmsigma.datasets.videos.lists import Split, converter_parser, match_files, run_converter
from mmsigma.io.text import read_lines

SUFFIXES = ('.jpeg', '.jpg', '.png')
NUM_TRAIN, NUM_VAL = 1_281_167, 50_000


def convert(args: Namespace) -> tuple[list[Split], list[str]]:
    train = args.root / 'train'
    classes = subfolders(train)
    if not classes:
        raise FileNotFoundError(
            f'no class folders in {train}: unpack the archive of each class into a folder of its own'
        )
    labels = {name: label for label, name in enumerate(classes)}
    splits = [Split('train', read_folders(args.root, 'train', labels), expected=NUM_TRAIN)]
    if args.val_labels:
        images = {path.stem: f'val/{path.name}' for path in images_in(args.root / 'val')}
        wanted = read_val_labels(args.val_labels, labels, sorted(images))
        splits.append(match_files('val', wanted, lambda name: images.get(Path(name).stem), NUM_VAL))
    else:
        splits.append(Split('val', read_folders(args.root, 'val', labels), expected=NUM_VAL))
    return splits, classes


def subfolders(folder: Path) -> list[str]:
    """List the names of the folders in a folder, sorted."""
    return sorted(path.name for path in folder.glob('*') if path.is_dir())


def images_in(folder: Path) -> list[Path]:
    """List the images in a folder, sorted."""
    return sorted(path for path in folder.glob('*') if path.suffix.lower() in SUFFIXES)


def read_folders(root: Path, part: str, labels: dict[str, int]) -> list[tuple[str, int]]:
    """List the images in the folders of the classes, with labels.

    Raises:
        ValueError: If a folder belongs to no class, or there is no image.
    """
    unknown = [name for name in subfolders(root / part) if name not in labels]
    entries = [
        (path.relative_to(root).as_posix(), label)
        for name, label in labels.items()
        for path in images_in(root / part / name)
    ]
    if unknown or not entries:
        reason = f'{unknown[:3]} do not belong to a class in train/' if unknown else 'no image in folders of classes'
        raise ValueError(f'{root / part}: {reason}; if all images are in one folder, set --val-labels')
    return entries


def read_val_labels(path: Path, labels: dict[str, int], images: list[str]) -> list[tuple[str, int]]:
    """Read images and labels in any of the three formats.

    Raises:
        ValueError: If a line is in none of them, or there are numbers without names that differ in number from
            ``images``.
    """
    lines = read_lines(path)
    if all(line.isdecimal() for line in lines):
        if len(lines) != len(images):
            raise ValueError(
                f'{path} has {len(lines)} numbers, but there are {len(images)} images: they cannot be assigned'
            )
        order = read_synsets(path.parent / 'meta.mat')
        return [(name, labels[order[int(number)]]) for name, number in zip(images, lines, strict=True)]
    entries = []
    for number, line in enumerate(lines, 1):
        named = re.match(r'([^\s,]+)[\s,]+(n\d{8}|\d+)\b', line)
        label = named and (labels.get(named[2]) if named[2].startswith('n') else int(named[2]))
        if named is not None and label is not None and label < len(labels):
            entries.append((named[1], label))
        elif number > 1 or re.search(r'\d', line):  # the titles of a table have no digits
            raise ValueError(f'{path}, line {number}: expected an image and its class, got {line!r}')
    return entries


def read_synsets(path: Path) -> dict[int, str]:
    """Read the WordNet ids by the class numbers of the development kit.

    Raises:
        FileNotFoundError: If there is no such file.
    """
    from scipy.io import loadmat

    if not path.is_file():
        raise FileNotFoundError(
            f'{path} is missing: the numbers of the ground truth refer to it, not to the alphabetical order'
        )
    synsets = loadmat(path, squeeze_me=True)['synsets']
    return {int(number): str(name) for number, name in zip(synsets['ILSVRC2012_ID'], synsets['WNID'], strict=True)}


def main() -> None:
    parser = converter_parser(__doc__)
    parser.add_argument('--val-labels', type=Path, help='labels of validation images that are all in one folder')
    run_converter(parser, convert)


if __name__ == '__main__':
    main()
