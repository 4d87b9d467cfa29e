"""Pages that show results: one look for all of them, for small and large screens, light and dark.

A page is one HTML file without scripts. Pictures and videos are files below its folder, which it refers to by relative
links, so that the folder can be moved.
"""

import html
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

from mmsigma.io.atomic import write_text

_STYLE = """
:root { color-scheme: light dark; --text: #1c1e21; --back: #fff; --line: #d5d8dc; --soft: #f3f4f6; --dim: #5b6168;
  --accent: #0b62c4 }
@media (prefers-color-scheme: dark) { :root { --text: #e4e6ea; --back: #15171a; --line: #3a3e44; --soft: #202327;
  --dim: #a3a9b1; --accent: #79b4ff } }
* { box-sizing: border-box }
body { margin: 0; color: var(--text); background: var(--back); font: 16px/1.5 system-ui, sans-serif }
main { max-width: 76rem; margin: 0 auto; padding: 1rem }
h1 { font-size: 1.6rem; line-height: 1.2 } h2 { font-size: 1.2rem; margin: 2rem 0 .5rem } a { color: var(--accent) }
h1, h2, dd, figcaption, p, td:first-child { overflow-wrap: anywhere }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .15rem 1rem } dt { color: var(--dim) } dd { margin: 0 }
.scroll { overflow-x: auto } table { border-collapse: collapse; font-variant-numeric: tabular-nums }
td, th { padding: .2rem .7rem; text-align: right; border-bottom: 1px solid var(--line) }
td:first-child, th:first-child { text-align: left; min-width: 9rem } th { color: var(--dim); font-weight: 600 }
figure { margin: 1.2rem 0 } figcaption { margin-bottom: .3rem }
img, video, svg { display: block; max-width: 100%; height: auto } video { min-width: min(20rem, 100%);
  min-height: 10rem; max-height: 80vh; object-position: top }
.sheet { display: grid; grid-template-columns: repeat(auto-fill, minmax(9.5rem, 1fr)); gap: .8rem }
.sheet figure { margin: 0; padding: .4rem; background: var(--soft); border-radius: .4rem; font-size: .8rem }
.sheet img { width: 100%; aspect-ratio: 4 / 3; object-fit: contain } .first { outline: 2px solid var(--accent) }
svg text { fill: var(--text); font-size: 12px } svg .axis { stroke: var(--line) } .dim, footer { color: var(--dim) }
@media (max-width: 30rem) { dl { display: block } dd { margin-bottom: .4rem } svg text { font-size: 17px }
  td, th { padding: .2rem .35rem; font-size: .8rem } td:first-child, th:first-child { min-width: 5rem }
  main > figure { overflow-x: auto } main > figure img { max-width: 44rem } }
"""


class Page:
    """A page of results, to which parts are added in the order in which they appear.

    All texts are shown as they are: none is read as HTML.

    Args:
        title: Title of the page.
        folder: Folder of the page, which contains the files that it shows.
    """

    def __init__(self, title: str, folder: str | Path) -> None:
        self.title, self.folder = title, Path(folder)
        self.parts: list[str] = []

    def heading(self, text: str) -> None:
        """Add a heading."""
        self.parts.append(f'<h2>{html.escape(text)}</h2>')

    def paragraph(self, text: str) -> None:
        """Add a paragraph."""
        self.parts.append(f'<p>{html.escape(text)}</p>')

    def facts(self, facts: Mapping[str, Any]) -> None:
        """Add names with their values: what was run, on what, and how."""
        rows = (f'<dt>{html.escape(name)}</dt><dd>{html.escape(str(value))}</dd>' for name, value in facts.items())
        self.parts.append(f'<dl>{"".join(rows)}</dl>')

    def table(self, titles: Sequence[str], rows: Iterable[Sequence[Any]], digits: int = 1) -> None:
        """Add a table, which scrolls sideways where it does not fit.

        Args:
            titles: Titles of the columns.
            rows: Cells; floats are rounded.
            digits: Digits after the point.
        """

        def line(cells: Sequence[Any], tag: str) -> str:
            texts = (f'{cell:.{digits}f}' if isinstance(cell, float) else str(cell) for cell in cells)
            return f'<tr>{"".join(f"<{tag}>{html.escape(text)}</{tag}>" for text in texts)}</tr>'

        body = ''.join(line(row, 'td') for row in rows)
        self.parts.append(f'<div class="scroll"><table>{line(titles, "th")}{body}</table></div>')

    def links(self, files: Mapping[str, str | Path]) -> None:
        """Add links to files by their text."""
        made = (f'<a href="{self._link(path)}">{html.escape(text)}</a>' for text, path in files.items())
        self.parts.append(f'<p>{" · ".join(made)}</p>')

    def figure(self, path: str | Path, name: str, note: str = '') -> None:
        """Add a picture, or a player if it is a video, below its name.

        On a phone, a wide picture scrolls sideways, so that what is written in it can be read.
        """
        self.parts.append(self._figure(path, name, note))

    def chart(self, svg: str, name: str, note: str = '') -> None:
        """Add a chart of :mod:`mmsigma.visualization.charts` below its name."""
        self.parts.append(f'<figure><figcaption>{_caption(name, note)}</figcaption>{svg}</figure>')

    def sheet(self, items: Iterable[tuple[str | Path, str, str]], *, mark_first: bool = False) -> None:
        """Add pictures beside each other, as many in a row as fit: (file, name, note) each."""
        figures = [self._figure(path, name, note) for path, name, note in items]
        if mark_first and figures:
            figures[0] = figures[0].replace('<figure>', '<figure class="first">', 1)
        self.parts.append(f'<div class="sheet">{"".join(figures)}</div>')

    def write(self, name: str = 'report.html') -> Path:
        """Write the page, atomically, with the date, and return its path."""
        title, date = html.escape(self.title), datetime.now().astimezone().strftime('%Y-%m-%d %H:%M %Z')
        text = (
            f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
            f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{_STYLE}</style></head>\n'
            f'<body><main><h1>{title}</h1>\n{chr(10).join(self.parts)}\n<footer><p>Written on {date}.</p></footer>'
            '</main></body></html>\n'
        )
        path = self.folder / name
        write_text(path, text)
        return path

    def _figure(self, path: str | Path, name: str, note: str) -> str:
        link = self._link(path)
        shown = (
            f'<video src="{link}" controls muted playsinline preload="metadata"></video>'
            if Path(path).suffix == '.mp4'
            else f'<a href="{link}"><img src="{link}" alt="{html.escape(name)}" loading="lazy"></a>'
        )
        return f'<figure><figcaption>{_caption(name, note)}</figcaption>{shown}</figure>'

    def _link(self, path: str | Path) -> str:
        """Return a relative link to a file below the folder of the page; relative paths are taken from there."""
        path = Path(path)
        inside = path.relative_to(self.folder) if path.is_relative_to(self.folder) else path
        return html.escape(quote(inside.as_posix()))


def _caption(name: str, note: str) -> str:
    return f'<b>{html.escape(name)}</b>' + (f' <span class="dim">{html.escape(note)}</span>' if note else '')
