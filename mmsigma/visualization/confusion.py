"""Pictures of which classes are taken for which."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from mmsigma.io.atomic import write_atomically
from mmsigma.visualization.fonts import drawable, font_families

_MOST_NAMES = 40  # of classes that fit along an axis


def draw_confusion(counts: np.ndarray, out: str | Path, names: Sequence[str]) -> None:
    """Draw a confusion matrix, the share of each true class in percent.

    Args:
        counts: Numbers of samples ``(C, C)`` by true and predicted class.
        out: Image file to write.
        names: Names of the classes, which are written if there are few.

    Raises:
        OSError: If the file cannot be written.
        ValueError: If the matrix is not square, or has another number of names.
    """
    if counts.ndim != 2 or not counts.shape[0] == counts.shape[1] == len(names):
        raise ValueError(f'a confusion matrix of the shape {counts.shape} does not fit {len(names)} names')
    import matplotlib

    matplotlib.use('Agg')
    from matplotlib import pyplot

    pyplot.rcParams['font.family'] = font_families()
    shares = 100 * counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    side = min(5 + 0.22 * min(len(names), _MOST_NAMES), 14)
    figure, axis = pyplot.subplots(figsize=(side + 1, side), layout='constrained')
    picture = axis.imshow(shares, cmap='Blues', vmin=0, vmax=100, interpolation='nearest')
    axis.set(xlabel='predicted class', ylabel='true class')
    if len(names) <= _MOST_NAMES:
        places = np.arange(len(names))
        shown = [_shown(number, name[:24]) for number, name in enumerate(names)]
        axis.set_xticks(places, shown, rotation=60, ha='right', rotation_mode='anchor')
        axis.set_yticks(places, shown)
    if len(names) <= 12:
        for (row, column), share in np.ndenumerate(shares):
            colour = 'white' if share > 55 else 'black'
            axis.text(column, row, f'{share:.0f}', ha='center', va='center', color=colour, fontsize=8)
    figure.colorbar(picture, label='% of the true class', shrink=0.8)
    write_atomically(out, lambda name: figure.savefig(name, dpi=110))
    pyplot.close(figure)


def _shown(number: int, name: str) -> str:
    """Return a name, or what can be drawn of it with the number of its class."""
    text = drawable(name)
    return text if text == name else f'{number} {text}'
