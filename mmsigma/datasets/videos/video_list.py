"""Lists of videos: the formats that are understood, and refusal of all others by file and line."""

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from mmsigma.io.frame_array import ARRAY_SUFFIX
from mmsigma.io.tables import read_csv
from mmsigma.io.text import numbered_lines

VIDEO_SUFFIXES = ('.mp4', '.avi', '.mkv', '.webm', '.mov', '.m4v', '.mpg', '.mpeg', '.wmv', '.flv', '.ts', '.3gp')
FORMATS = (
    'known are "path" and "path label" for videos, "folder label" and "folder frames label" for folders of frames, '
    'several labels "path 1,4,7" with multi_class=True, and CSV with a header of "path" and "label"'
)
_PATH_COLUMNS = ('path', 'filename', 'file', 'video', 'video_path')
_LABEL_COLUMNS = ('label', 'class', 'class_id', 'target')
# titles that may mean a label or a part of a video, although they are not known: ignoring them would be silent
_LIKE_LABEL = re.compile(
    r'.*(label|class|categor).*|(.*[^a-z])?(action|activit|target|tag|cls|gt|ground.?truth)(s|y|ies|id)?([^a-z].*)?'
)
_UNIT = '(s|secs?|seconds?|ms|msecs?|milliseconds?|t|ts|times?|timestamps?|stamp|f|frames?|frame_?idx)'
_WHOSE = '(t|ts|time|timestamp|frame|clip|seg|segment|action|event|video|trim|cut|temporal|label|gt)'
_WHERE = '(at|of|pos|position|point|idx|index|id|num|number|no|nr)'
_START, _END = '(start|starts|begin|begins|beginning|onset)', '(end|ends|ending|finish|stop|stops)'
_LIKE_SEGMENT = re.compile(
    rf'{_WHOSE}*({_START}|{_END})({_UNIT}|{_WHERE}|{_WHOSE})*|(from|to|first|last|in|out|until|offset){_UNIT}|segments?|intervals?'
)
_PAIRS = ({'from', 'to'}, {'from', 'until'}, {'in', 'out'}, {'first', 'last'}, {'t0', 't1'}, {'t1', 't2'})
_MAX_LABEL = 2**31 - 1
_SEPARATOR, _NUMBER = r'(?:[ \t]*[,;\t][ \t]*|\s+)', r'[+-]?[0-9]+'
_ENDING = '|'.join(re.escape(suffix) for suffix in (*VIDEO_SUFFIXES, ARRAY_SUFFIX))
# paths may contain blanks and commas: a quoted one ends at its quote, that of a file at its last video suffix
_QUOTED = re.compile(r'"(?P<path>(?:[^"]|"")+)"(?P<columns>.*)')
_FILE = re.compile(rf'(?P<path>.+(?:{_ENDING}))(?P<columns>(?:[\s,;].*)?)', re.IGNORECASE)
_FOLDER = re.compile(
    rf'(?P<path>[^\t]+)(?P<columns>(?:\t{_NUMBER})+)|(?P<name>.+?)(?P<numbers>(?:{_SEPARATOR}{_NUMBER})+)'
)
_LAST_NUMBER = re.compile(rf'(?P<path>.+?){_SEPARATOR}(?P<label>{_NUMBER})')


class ListedVideo(NamedTuple):
    """An entry of a list.

    Attributes:
        path: Path of a file, or of a folder of frames.
        labels: Labels; -1 alone if it has none.
        num_frames: Number of frames of a folder, if stated.
        place: File and line of the entry, for messages.
    """

    path: str
    labels: tuple[int, ...]
    num_frames: int | None
    place: str

    @property
    def label(self) -> int:
        """The first, usually the only label."""
        return self.labels[0]


def read_video_list(path: str | Path) -> list[tuple[str, int]]:
    """Read pairs of path and label from a list; the label is -1 where there is none.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: See :func:`read_entries`.
    """
    return [(entry.path, entry.label) for entry in read_entries(path)]


def read_entries(path: str | Path, folder: str | Path | None = None, *, multi_class: bool = False) -> list[ListedVideo]:
    """Read a list of videos or folders of frames.

    Args:
        path: List in one of these formats, the same in all lines: ``path``, ``path label``, ``folder frames label``, or
            CSV with a header. Columns are separated by blanks, tabs, commas or semicolons; paths may contain blanks.
        folder: Folder that the paths are relative to. It decides where a line could be read in two ways, as
            ``run 12 5``.
        multi_class: Whether a video may have several labels: ``path 1,4,7`` or ``path 1 4 7``.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the list is empty, a line has another format, a label is not an integer or out of range, or a
            path occurs twice with different labels, or if a CSV has columns of segments or of labels under titles that
            are not known; the message names file and line.
    """
    path = Path(path)
    lines = numbered_lines(path)
    if not lines:
        raise ValueError(
            f'the video list {path} is empty: write a line for each video, its path and, with labels, its label'
        )
    if delimiter := _csv_delimiter(lines[0][1]):
        entries = list(_csv_entries(path, delimiter, multi_class))
    else:
        entries = _Lines(path, lines, None if folder is None else Path(folder), multi_class).entries()
    if not entries:
        raise ValueError(f'the video list {path} has a header but no video')
    _check_repeated(entries, folder)
    return entries


def _csv_delimiter(first_line: str) -> str | None:
    for delimiter in ',;\t':
        names = {name.strip().strip('"').lower() for name in first_line.split(delimiter)}
        if names & set(_PATH_COLUMNS) and not any(name.endswith(VIDEO_SUFFIXES) for name in names):
            return delimiter
    return None


def _csv_entries(path: Path, delimiter: str, multi_class: bool) -> Iterator[ListedVideo]:
    titles, rows = read_csv(path, delimiter)
    video_title, label_title = (_only_title(path, titles, known) for known in (_PATH_COLUMNS, _LABEL_COLUMNS))
    _check_other_titles(path, [title for title in titles if title != video_title], label_title)
    assert video_title  # otherwise the first line were no header
    for place, cells in rows:
        if not (video := cells[video_title]):
            raise ValueError(f'{place}: the column {video_title!r} is empty')
        text = cells[label_title] if label_title else '-1'
        labels = re.split(r'[\s,;]+', text) if multi_class else [text]
        yield ListedVideo(video, tuple(_label(label, place) for label in labels), None, place)


def _check_other_titles(path: Path, titles: Sequence[str], label_title: str | None) -> None:
    """Check that no column that is ignored has parts of videos, or the labels if there are no others.

    Raises:
        ValueError: If one has; the message names it.
    """
    letters = {re.sub('[^a-z0-9]', '', title.lower()): title for title in titles}
    paired = set().union(*(pair for pair in _PAIRS if pair <= letters.keys()))
    cut = [
        title for name, title in letters.items() if name in paired or _LIKE_SEGMENT.fullmatch(name.rstrip('0123456789'))
    ]
    if cut:
        raise ValueError(
            f'{path}: the columns {cut} are of segments of videos, which this list cannot have: cut the videos, or '
            'remove the columns if the whole videos are meant'
        )
    unknown = [title for title in titles if _LIKE_LABEL.fullmatch(_words(title))]
    if unknown and label_title is None:
        raise ValueError(
            f'{path}: the columns {unknown} look like labels, but a column of labels is called '
            f'{", ".join(map(repr, _LABEL_COLUMNS))}: rename it, or remove it if the videos have no labels'
        )


def _words(title: str) -> str:
    """Return a title in lower case, with words that begin with capitals separated."""
    return re.sub('(?<=[a-z])(?=[A-Z])', '_', title).lower()


def _only_title(path: Path, titles: Sequence[str], known: Sequence[str]) -> str | None:
    """Return the column that has a known title, in any case; None if there is none."""
    found = [title for title in titles if title.lower() in known]
    if len(found) > 1:
        raise ValueError(f'{path}: the columns {found} mean the same: keep one of them, or rename the others')
    return found[0] if found else None


def _label(text: str, place: str) -> int:
    if not re.fullmatch(_NUMBER, text):
        raise ValueError(f'{place}: the label {text!r} is not an integer')
    if not -1 <= (label := int(text)) <= _MAX_LABEL:
        raise ValueError(f'{place}: the label {text} is out of range: labels count from 0, and -1 is an unknown one')
    return label


def _check_repeated(entries: Sequence[ListedVideo], folder: str | Path | None) -> None:
    """Check that no path has different labels."""
    first: dict[str, ListedVideo] = {}
    for entry in entries:
        known = first.setdefault(os.path.abspath(os.path.join(folder or '.', entry.path)), entry)
        if known.labels != entry.labels:
            one, other = (','.join(map(str, item.labels)) for item in (known, entry))
            raise ValueError(
                f'{entry.place}: {entry.path} has the label {other}, but {one} in {known.place.rpartition(", ")[2]}: '
                'keep one of the two lines'
            )


class _Lines:
    """Lines of a list without a header."""

    def __init__(self, path: Path, lines: Sequence[tuple[int, str]], folder: Path | None, multi_class: bool) -> None:
        self.lines = [(f'{path}, line {number}', line) for number, line in lines]
        self.folder, self.multi_class = folder, multi_class
        self.has_frames = multi_class or self._all_have_frames()

    def entries(self) -> list[ListedVideo]:
        return [self._entry(place, line) for place, line in self.lines]

    def _entry(self, place: str, line: str) -> ListedVideo:
        path, frames, columns = self._columns(place, line)
        labels = [label for column in columns for label in column.split(',')] if self.multi_class else columns
        if not (labels and all(labels)) or (len(labels) > 1 and not self.multi_class):
            raise _not_understood(place, line)
        if not re.fullmatch('[1-9][0-9]*', frames or '1') or not re.fullmatch(_NUMBER, labels[0]):
            raise _not_understood(place, line)
        numbers = tuple(_label(label, place) for label in labels)
        return ListedVideo(path, numbers, int(frames) if frames else None, place)

    def _columns(self, place: str, line: str) -> tuple[str, str | None, list[str]]:
        """Return path, number of frames if stated, and the columns of labels."""
        if match := _QUOTED.fullmatch(line) or _FILE.fullmatch(line):
            path, columns = match['path'].replace('""', '"'), _split(match['columns'])
            if len(columns) > 1 and self._is_folder(path):
                return path, columns[0], columns[1:]
            return path, None, columns or ['-1']
        if not (found := _folder_columns(line)):
            raise _not_understood(place, line)
        path, columns = found
        if len(columns) == 1:
            return path, None, columns
        if self.multi_class or (self.has_frames and len(columns) == 2):
            return path, columns[0], columns[1:]
        last = _LAST_NUMBER.fullmatch(line)
        if last and self._exists(last['path']):  # a name that ends in a number
            return last['path'], None, [last['label']]
        raise _not_understood(place, line)

    def _all_have_frames(self) -> bool:
        """Return whether two numbers follow each path: of the frames, and a label."""
        bare = [line for _, line in self.lines if not (_QUOTED.fullmatch(line) or _FILE.fullmatch(line))]
        found = [_folder_columns(line) or ('', []) for line in bare]
        if any(len(columns) != 2 for _, columns in found):
            return False
        # unless the first number belongs to the name; a sample suffices, every look-up may take a network's time
        for line, (path, _) in list(zip(bare, found, strict=True))[:: max(1, len(bare) // 100)]:
            whole = _LAST_NUMBER.fullmatch(line)
            if whole and self._exists(whole['path']) and not self._exists(path):
                return False
        return True

    def _exists(self, path: str) -> bool:
        return self.folder is not None and (self.folder / path).exists()

    def _is_folder(self, path: str) -> bool:
        return self.folder is not None and (self.folder / path).is_dir()


def _folder_columns(line: str) -> tuple[str, list[str]] | None:
    """Return path and numbers of a line whose path has no video suffix; None if it does not end in numbers."""
    match = _FOLDER.fullmatch(line)
    return match and (match['path'] or match['name'], _split(match['columns'] or match['numbers']))


def _split(columns: str) -> list[str]:
    """Split what follows a path at the separator that it begins with; labels joined by commas stay together."""
    columns = re.sub(r'\s*([,;])\s*', r'\1', columns.rstrip())
    if columns[:1] in (',', ';'):
        return columns[1:].split(columns[0])
    return columns.split()


def _not_understood(place: str, line: str) -> ValueError:
    return ValueError(f'{place}: {line!r} is not understood; {FORMATS}')
