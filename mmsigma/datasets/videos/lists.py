"""Conversion of the annotations of public datasets to lists for :class:`mmsigma.datasets.VideoDataset`."""

import argparse
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from mmsigma.datasets.videos.video_dataset import find_videos
from mmsigma.io.atomic import write_text
from mmsigma.io.text import read_lines
from mmsigma.utils.options import CommandParser


@dataclass(frozen=True)
class Split:
    """A list to write: ``<name>.txt``, and ``<name>_missing.txt`` if some of its videos are missing.

    Args:
        name: File name without suffix.
        entries: Path, relative to the root, and label of every video that was found.
        missing: Names of the videos that were not found.
        expected: Number of videos in the published dataset, found or not; None if unknown.
        every: ``entries`` and ``missing`` together, the latter by name instead of path, in the order of the annotation.
    """

    name: str
    entries: list[tuple[str, int]]
    missing: list[str] = field(default_factory=list)
    expected: int | None = None
    every: list[tuple[str, int]] = field(default_factory=list)

    @property
    def total(self) -> int:
        """Number of videos in the annotation, found or not."""
        return len(self.entries) + len(self.missing)

    def __str__(self) -> str:
        text = f'{self.name}: {len(self.entries):,} files'
        if (num_classes := len({label for _, label in self.entries})) > 1:
            text += f', {num_classes:,} classes'
        if self.missing:
            text += f'; {len(self.missing):,} of {self.total:,} missing, listed in {self.name}_missing.txt'
        if self.expected not in (None, self.total):
            text += f'; the annotation lists {self.total:,}, published are {self.expected:,}'
        return text


def match_files(
    name: str,
    wanted: Iterable[tuple[str, int]],
    find: Callable[[str], str | None],
    expected: int | None = None,
) -> Split:
    """Find the files of annotated names, in the order of the annotation.

    Args:
        name: Name of the list.
        wanted: Names and labels.
        find: Function from a name to its path, or to None; :func:`index_videos` makes such look-ups cheap.
        expected: Published number of names; None if unknown.
    """
    found = [(key, find(key), label) for key, label in wanted]
    entries = [(path, label) for _, path, label in found if path is not None]
    missing = [key for key, path, _ in found if path is None]
    return Split(name, entries, missing, expected, [(path or key, label) for key, path, label in found])


def index_videos(root: Path, folder: str = '', key: Callable[[Path], str] = lambda path: path.stem) -> dict[str, str]:
    """Index all videos below a folder.

    Args:
        root: Folder that paths are relative to.
        folder: Folder below ``root`` to search.
        key: Function from a path to its key.

    Returns:
        Paths by key.

    Raises:
        FileNotFoundError: If there is no such folder.
        ValueError: If it contains no video, or two with the same key; the message names them.
    """
    index: dict[str, str] = {}
    for path in find_videos(root / folder):
        place = path.relative_to(root).as_posix()
        if (other := index.setdefault(key(path), place)) != place:
            raise ValueError(
                f'{root / other} and {root / place} have the same name: remove one, or set --videos to the folder of '
                'the videos'
            )
    return index


def one_file(folder: Path, *patterns: str) -> Path:
    """Return the only file in a folder that matches the first of several patterns that has a match.

    Raises:
        FileNotFoundError: If no pattern matches, or several files match the same pattern; the message names them.
    """
    for pattern in patterns:
        found = sorted(path for path in folder.glob(pattern) if not path.name.startswith('.'))
        if len(found) > 1:
            names = ', '.join(path.name for path in found)
            raise FileNotFoundError(f'several files in {folder} match {pattern}: {names}; keep one of them')
        if found:
            return found[0]
    raise FileNotFoundError(f'no {" or ".join(patterns)} in {folder}; set --annotations to the folder of the files')


def keep_part(
    annotated: dict[str, list[tuple[str, str]]],
    classes: Sequence[str],
    class_file: Path | None = None,
    id_file: Path | None = None,
    identity: Callable[[str], str] = str,
) -> tuple[dict[str, list[tuple[str, int]]], list[str]]:
    """Number the classes of annotated names, and keep a part of both on request.

    Args:
        annotated: Names and classes of each split.
        classes: All classes in the order of their labels.
        class_file: File with the classes to keep, in the order of their new labels; None for all.
        id_file: File with the names to keep, each at the start of a line; None for all. Without ``class_file``,
            classes that lose all of their training videos are left out.
        identity: Function from a name to its form in ``id_file``.

    Returns:
        Names and labels of each split, and the classes kept.

    Raises:
        ValueError: If a class is unknown, or no name is in ``id_file``.
    """
    if unknown := {label for entries in annotated.values() for _, label in entries}.difference(classes):
        raise ValueError(f'{len(unknown)} classes have no label, for example {sorted(unknown)[:3]}')
    if id_file:
        annotated = _with_ids(annotated, id_file, identity)
        left = {label for _, label in annotated['train']}
        classes = [name for name in classes if name in left]
    if class_file:
        chosen = read_lines(class_file)
        if unknown := set(chosen).difference(classes):
            raise ValueError(f'{class_file}: no videos of {len(unknown)} classes, for example {sorted(unknown)[:3]}')
        classes = chosen
    numbers = {name: number for number, name in enumerate(classes)}
    wanted = {
        part: [(name, numbers[label]) for name, label in entries if label in numbers]
        for part, entries in annotated.items()
    }
    return wanted, list(classes)


def _with_ids(
    annotated: dict[str, list[tuple[str, str]]], id_file: Path, identity: Callable[[str], str]
) -> dict[str, list[tuple[str, str]]]:
    """Keep the names whose id begins a line of a file."""
    kept = {line.split()[0] for line in read_lines(id_file)}
    chosen = {part: [entry for entry in entries if identity(entry[0]) in kept] for part, entries in annotated.items()}
    if not chosen['train']:
        raise ValueError(f'no training video has an id of {id_file}')
    return chosen


def write_lists(
    out: Path,
    splits: Sequence[Split],
    classes: Sequence[str] = (),
    *,
    strict: bool = False,
    lists: bool = True,
    keep_missing: bool = False,
) -> None:
    """Write the lists, ``classes.txt`` with one class name per label, and the names of missing files.

    Args:
        out: Folder to write to.
        splits: Lists to write.
        classes: Class names by label.
        strict: Whether even a single missing file is an error.
        lists: Whether to write the lists, or only the other files.
        keep_missing: Whether missing files remain in the lists, by name, so that subsets chosen by position are those
            of the authors.

    Raises:
        FileNotFoundError: If nothing of a split was found, or anything is missing and ``strict`` is set. In this case,
            no list is written, only the names of missing files.
        ValueError: If a label has no class.
    """
    _write_missing(out, splits)
    for split in splits:
        _check_split(out, split, classes, strict)
    for split in splits if lists else ():
        entries = split.every if keep_missing and split.missing else split.entries
        _write_lines(out / f'{split.name}.txt', [f'{path} {label}' for path, label in entries])
    if classes:
        _write_lines(out / 'classes.txt', classes)


def _check_split(out: Path, split: Split, classes: Sequence[str], strict: bool) -> None:
    if split.missing and (strict or not split.entries):
        raise FileNotFoundError(
            f'{len(split.missing):,} of {split.total:,} files of {split.name} are missing, '
            f'for example {", ".join(split.missing[:3])}; all are in {out / split.name}_missing.txt. '
            'Set --videos to the folder of the videos' + (', or leave out --strict' if split.entries else '')
        )
    wrong = [entry for entry in split.entries if classes and not 0 <= entry[1] < len(classes)]
    if wrong:
        raise ValueError(f'{split.name}: {len(classes)} classes, but {wrong[0][0]} has label {wrong[0][1]}')


def _write_missing(out: Path, splits: Sequence[Split]) -> None:
    for split in splits:
        path = out / f'{split.name}_missing.txt'
        if split.missing:
            _write_lines(path, split.missing)
        else:
            path.unlink(missing_ok=True)  # left by an earlier run


def _write_lines(path: Path, lines: Sequence[str]) -> None:
    text = ''.join(f'{line}\n' for line in lines)
    write_text(path, text)


def converter_parser(description: str, annotations: str = 'annotations') -> argparse.ArgumentParser:
    """Create the parser with the arguments that all converters share.

    Args:
        description: Docstring of the converter: its first line is the summary, the rest is shown after the arguments.
        annotations: Folder, below the root, in which the dataset usually keeps its annotations.
    """
    summary, _, rest = description.partition('\n')
    parser = CommandParser(description=summary, epilog=rest, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('root', type=Path, help='folder of the dataset, data_root of the configs')
    parser.add_argument('--annotations', type=Path, help=f'folder of the annotations (default: ROOT/{annotations})')
    parser.add_argument('--videos', default='', help='folder of the videos below ROOT (default: anywhere below)')
    parser.add_argument(
        '--out', type=Path, help='folder for the lists, then data_root; paths are relative to it (default: ROOT)'
    )
    parser.add_argument('--strict', action='store_true', help='fail if any file is missing')
    parser.set_defaults(default_annotations=annotations)
    return parser


def run_converter(
    parser: argparse.ArgumentParser,
    convert: Callable[[argparse.Namespace], tuple[list[Split], Sequence[str]]],
    *,
    write: bool = True,
) -> None:
    """Parse the arguments, convert, and write and describe the lists.

    Args:
        parser: Parser from :func:`converter_parser`.
        convert: Function from arguments to splits and class names.
        write: Whether to write the lists, or only class names and the names of missing files.

    Raises:
        SystemExit: With a message, on any error.
    """
    if write:
        parser.add_argument(
            '--keep-missing',
            action='store_true',
            help='keep missing files in the lists, at their position: fixed subsets need it',
        )
    args = parser.parse_args()
    args.annotations = args.annotations or args.root / args.default_annotations
    out: Path = args.out or args.root
    try:
        splits, classes = convert(args)
        if args.out:
            splits = [_relative_to(out, args.root, split) for split in splits]
        keep = write and args.keep_missing
        write_lists(out, splits, classes, strict=args.strict, lists=write, keep_missing=keep)
    except (OSError, ValueError, KeyError, ImportError) as error:
        raise SystemExit(str(error.args[0] if isinstance(error, KeyError) else error)) from error
    note = f'lists in {out}' if write else 'nothing to convert: the dataset class reads this format'
    print('\n'.join([*map(str, splits), note]))


def _relative_to(out: Path, root: Path, split: Split) -> Split:
    """Make the paths of a split, which are relative to ``root``, relative to ``out``."""
    way = Path(os.path.relpath(root.resolve(), out.resolve()))

    def move(entries: list[tuple[str, int]]) -> list[tuple[str, int]]:
        return [((way / path).as_posix(), label) for path, label in entries]

    return replace(split, entries=move(split.entries), every=move(split.every))
