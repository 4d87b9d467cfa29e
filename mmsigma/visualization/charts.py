"""Charts as SVG, which follow the colours of the page that they are in."""

import html
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

_WIDTH, _HEIGHT = 640, 220
_LEFT, _RIGHT, _TOP, _BOTTOM = 46, 12, 24, 40  # margins in pixels


def series_colour(number: int) -> str:
    """Return a colour by number, readable on light and dark, as CSS; neighbours differ as much as possible."""
    return f'hsl({number * 137.5 % 360:.0f} 62% 50%)'


def line_chart(
    series: Mapping[str, tuple[Sequence[float] | np.ndarray, Sequence[float] | np.ndarray]],
    *,
    xlabel: str,
    ylabel: str,
    ylim: tuple[float, float] | None = None,
) -> str:
    """Draw lines with a legend.

    Args:
        series: Positions and values of each line, by name; nan leaves a gap.
        xlabel: What is along the horizontal axis, with its unit.
        ylabel: What is along the vertical axis, with its unit.
        ylim: Range of the vertical axis; None for that of the values.

    Returns:
        SVG element.

    Raises:
        ValueError: If there is no finite value.
    """
    xs = np.concatenate([np.asarray(x, float) for x, _ in series.values()]) if series else np.empty(0)
    ys = np.concatenate([np.asarray(y, float) for _, y in series.values()]) if series else np.empty(0)
    if not np.isfinite(ys).any():
        raise ValueError(f'there is no value to draw of {ylabel}')
    low, high = ylim or (float(np.nanmin(ys)), float(np.nanmax(ys)))
    frame = _Frame((float(xs.min()), float(xs.max())), (low, high))
    parts = [frame.axes(xlabel, ylabel)]
    for number, (name, (x, y)) in enumerate(series.items()):
        colour = series_colour(number)
        for run in _runs(np.asarray(x, float), np.asarray(y, float)):
            points = ' '.join(f'{px:.1f},{py:.1f}' for px, py in map(frame.place, *run))
            mark = f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>'
            parts.append(
                mark
                if len(run[0]) > 1
                else f'<circle cx="{points.split(",")[0]}" cy="{points.split(",")[1]}" r="2" fill="{colour}"/>'
            )
        place = f'x="{_LEFT + 8 + 90 * (number % 6)}" y="{_HEIGHT + 14 + 16 * (number // 6)}"'
        parts.append(f'<text {place} style="fill: {colour}">{html.escape(name)}</text>')
    return _svg(parts, _HEIGHT + 20 + 16 * ((len(series) - 1) // 6))


def scatter_chart(
    points: np.ndarray,
    groups: Sequence[int] | np.ndarray,
    names: Sequence[str],
    titles: Mapping[int, str] | None = None,
    size: int = 560,
) -> str:
    """Draw points in the colours of their groups; pointing at one shows its name.

    Args:
        points: Positions ``(N, 2)``.
        groups: Number of each point's group, ``(N,)``; negative for none, which is grey.
        names: Name of each point.
        titles: Names of groups for a legend, by number.
        size: Side of the chart in pixels.

    Returns:
        SVG element.

    Raises:
        ValueError: If there is no point.
    """
    if not len(points):
        raise ValueError('there is no point to draw')
    low, high = points.min(axis=0), points.max(axis=0)
    places = 12 + (points - low) / np.maximum(high - low, 1e-12) * (size - 24)
    radius = 5 if len(points) <= 300 else 3
    marks = []
    for (x, y), group, name in zip(places.tolist(), map(int, groups), names, strict=True):
        fill = series_colour(group) if group >= 0 else 'grey'
        place = f'cx="{x:.1f}" cy="{size - y:.1f}" r="{radius}"'
        marks.append(f'<circle {place} fill="{fill}" fill-opacity=".75"><title>{html.escape(name)}</title></circle>')
    columns, titles = max(1, size // 180), titles or {}
    for number, (group, title) in enumerate(titles.items()):
        left, top = 8 + number % columns * (size // columns), size + 20 + 18 * (number // columns)
        marks.append(f'<circle cx="{left}" cy="{top - 4}" r="5" fill="{series_colour(group)}"/>')
        marks.append(f'<text x="{left + 10}" y="{top}">{html.escape(_shortened(title, 18))}</text>')
    return _svg(marks, size + (10 + 18 * -(-len(titles) // columns) if titles else 0), size)


def heat_table(rows: Mapping[str, Sequence[float]], columns: Sequence[str]) -> str:
    """Draw numbers as a table whose cells are the darker the larger the number is within its column.

    Args:
        rows: Values of each row, by its name; nan leaves a cell empty.
        columns: Titles of the columns.

    Returns:
        SVG element on a white ground, which is readable by itself.

    Raises:
        ValueError: If there is no row, or a row has another number of values than there are columns.
    """
    values = np.array(list(rows.values()), float).reshape(len(rows), -1)
    if values.shape != (len(rows), len(columns)) or not rows:
        raise ValueError(f'{len(columns)} columns need rows of as many values, got {values.shape}')
    left, width, height = 10 + 7 * max(map(len, rows)), 150, 28
    size = left + width * len(columns), height * (len(rows) + 1)
    parts = [f'<rect width="{size[0]}" height="{size[1]}" fill="white"/>']
    for column, title in enumerate(columns):
        parts.append(_cell_text(left + (column + 0.5) * width, 18, title, 'middle'))
    low = np.nanmin(values, axis=0)
    spread = np.nanmax(values, axis=0) - low
    for row, name in enumerate(rows):
        top = height * (row + 1)
        parts.append(_cell_text(6, top + 18, name, 'start'))
        for number in np.flatnonzero(np.isfinite(values[row])).tolist():
            value = values[row, number]
            share = (value - low[number]) / max(spread[number], 1e-12)
            place = f'x="{left + number * width}" y="{top}" width="{width - 2}" height="{height - 2}"'
            parts.append(f'<rect {place} fill="#2a6fbb" fill-opacity="{0.05 + 0.5 * share:.2f}"/>')
            parts.append(_cell_text(left + (number + 0.5) * width, top + 18, f'{value:.1f}', 'middle'))
    return _svg(parts, size[1], size[0])


def _cell_text(x: float, y: float, text: str, anchor: str) -> str:
    style = 'font-family="sans-serif" font-size="13" fill="black"'
    return f'<text x="{x:g}" y="{y:g}" text-anchor="{anchor}" {style}>{html.escape(text)}</text>'


def _shortened(text: str, most: int) -> str:
    return text if len(text) <= most else f'{text[: most - 1]}…'


class _Frame:
    """Axes of a chart, and where values are in it."""

    def __init__(self, x: tuple[float, float], y: tuple[float, float]) -> None:
        self.x, self.y = _widened(x), _widened(y)

    def place(self, x: float, y: float) -> tuple[float, float]:
        across, up = ((value - low) / (high - low) for value, (low, high) in ((x, self.x), (y, self.y)))
        return _LEFT + across * (_WIDTH - _LEFT - _RIGHT), _HEIGHT - _BOTTOM - up * (_HEIGHT - _TOP - _BOTTOM)

    def axes(self, xlabel: str, ylabel: str) -> str:
        from matplotlib.ticker import MaxNLocator

        parts = []
        (left, bottom), (right, top) = self.place(self.x[0], self.y[0]), self.place(self.x[1], self.y[1])
        for value in _within(MaxNLocator(4).tick_values(*self.y), self.y):
            y = self.place(self.x[0], value)[1]
            parts.append(f'<line class="axis" x1="{left:.1f}" x2="{right:.1f}" y1="{y:.1f}" y2="{y:.1f}"/>')
            parts.append(f'<text x="{left - 6:.1f}" y="{y + 4:.1f}" text-anchor="end">{value:g}</text>')
        for value in _within(MaxNLocator(8).tick_values(*self.x), self.x):
            x = self.place(value, self.y[0])[0]
            parts.append(f'<text x="{x:.1f}" y="{bottom + 16:.1f}" text-anchor="middle">{value:g}</text>')
        parts.append(f'<text x="{right:.1f}" y="{bottom + 32:.1f}" text-anchor="end">{html.escape(xlabel)}</text>')
        parts.append(f'<text x="{left:.1f}" y="{top - 8:.1f}">{html.escape(ylabel)}</text>')
        return ''.join(parts)


def _widened(limits: tuple[float, float]) -> tuple[float, float]:
    low, high = limits
    return (low, high) if high > low else (low - 0.5, low + 0.5)


def _within(values: Iterable[float], limits: tuple[float, float]) -> list[float]:
    return [float(value) for value in values if limits[0] - 1e-9 <= value <= limits[1] + 1e-9]


def _runs(x: np.ndarray, y: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return the parts of a line between gaps."""
    known = np.flatnonzero(np.isfinite(y))
    parts = np.split(known, np.flatnonzero(np.diff(known) > 1) + 1)
    return [(x[part], y[part]) for part in parts if len(part)]


def _svg(parts: Sequence[str], height: int, width: int = _WIDTH) -> str:
    return (
        f'<svg viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img" '
        f'xmlns="http://www.w3.org/2000/svg">{"".join(parts)}</svg>'
    )
