"""Text files that others wrote: their encoding and line ends, and errors that name the file and the line."""

import codecs
import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

# UTF-32 first: its little-endian mark begins with that of UTF-16
_MARKS = (
    (codecs.BOM_UTF8, 'utf-8'),
    (codecs.BOM_UTF32_LE, 'utf-32-le'),
    (codecs.BOM_UTF32_BE, 'utf-32-be'),
    (codecs.BOM_UTF16_LE, 'utf-16-le'),
    (codecs.BOM_UTF16_BE, 'utf-16-be'),
)


def read_text(path: str | Path) -> str:
    r"""Read a text in UTF-8, or in UTF-16 or UTF-32 with a byte order mark; every line ends with ``\n``.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it has another encoding, or is no text; the message names file and line.
    """
    data = Path(path).read_bytes()
    mark, encoding = next((item for item in _MARKS if data.startswith(item[0])), (b'', 'utf-8'))
    data = data[len(mark) :]
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        line = len(re.findall('\r\n?|\n', data[: error.start].decode(encoding, 'replace'))) + 1
        raise ValueError(
            f'{path}, line {line} is not {encoding.upper()} text (byte 0x{data[error.start]:02x}): save the file as '
            f'UTF-8; if it is in Latin-1: iconv -f latin1 -t utf-8 {path}'
        ) from None
    if '\0' in text:
        raise ValueError(f'{path} is no text, or UTF-16 without a byte order mark: save it as UTF-8')
    return re.sub('\r\n?', '\n', text)


def numbered_lines(path: str | Path) -> list[tuple[int, str]]:
    """Read the non-empty lines of a text file, without surrounding blanks, and their numbers from 1.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it cannot be read as text; see :func:`read_text`.
    """
    # not str.splitlines, which also splits at characters that names may contain
    lines = enumerate(map(str.strip, read_text(path).split('\n')), 1)
    return [(number, line) for number, line in lines if line]


def read_lines(path: str | Path) -> list[str]:
    """Read the non-empty lines of a text file, without surrounding blanks.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is empty, or cannot be read as text; see :func:`read_text`.
    """
    lines = [line for _, line in numbered_lines(path)]
    if not lines:
        raise ValueError(f'{path} is empty')
    return lines


def read_json(path: str | Path) -> Any:
    """Read a JSON file.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is no JSON, or an object has a key twice; the message names file and line or key.
    """

    def unique(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
        content: dict[str, Any] = {}
        for key, value in pairs:
            if key in content:
                raise ValueError(f'{path} has the key {key!r} twice: keep one of them')
            content[key] = value
        return content

    text = read_text(path)
    try:
        return json.loads(text, object_pairs_hook=unique)
    except json.JSONDecodeError as error:
        raise ValueError(f'{path}, line {error.lineno} is not JSON: {error.msg}') from error
    except RecursionError as error:
        raise ValueError(f'{path} is nested too deeply') from error
    except ValueError as error:  # a key that is there twice, or a number of thousands of digits
        reason = str(error).splitlines()[0]
        raise ValueError(reason if str(path) in reason else f'{path} is not JSON: {reason}') from error
