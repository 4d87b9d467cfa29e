"""Charts place values where their axes say."""

import re
from xml.etree import ElementTree

import numpy as np
import pytest

from mmsigma.visualization.charts import heat_table, line_chart, scatter_chart, series_colour

SVG = '{http://www.w3.org/2000/svg}'


def points(line: ElementTree.Element) -> np.ndarray:
    return np.array([pair.split(',') for pair in line.attrib['points'].split()], float)


def test_lines_between_their_axes_with_gaps() -> None:
    values = {'a<b': ([0, 1, 2, 3, 4], [0, 0.5, np.nan, 1, 0]), 'c': ([0, 4], [0.5, 0.5])}
    root = ElementTree.fromstring(line_chart(values, xlabel='seconds', ylabel='J', ylim=(0, 1)))
    first, second, flat = map(points, root.iter(f'{SVG}polyline'))
    texts = {text.text: text.attrib for text in root.iter(f'{SVG}text')}
    assert {'seconds', 'J', 'a<b', 'c', '0', '4', '0.5'} <= texts.keys()
    assert len(first) == len(second) == 2
    x = [float(texts[str(number)]['x']) for number in (3, 4)]
    assert second[:, 0].tolist() == pytest.approx(x, abs=0.1)
    low, middle = first[0, 1], first[1, 1]
    assert middle == pytest.approx((low + second[0, 1]) / 2, abs=0.1) and flat[:, 1].tolist() == [middle, middle]


def test_a_single_value_is_a_dot() -> None:
    root = ElementTree.fromstring(line_chart({'a': ([3], [2.0])}, xlabel='frame', ylabel='J'))
    assert len(list(root.iter(f'{SVG}circle'))) == 1
    with pytest.raises(ValueError, match='no value to draw of J'):
        line_chart({'a': ([3], [np.nan])}, xlabel='frame', ylabel='J')


def test_points_have_the_colours_of_their_groups_and_names() -> None:
    places = np.array([[0.0, 0.0], [2.0, 1.0], [4.0, 2.0], [4.0, 0.0]])
    root = ElementTree.fromstring(scatter_chart(places, [0, 0, 1, -1], ['a', 'b', '<c', 'd'], {0: 'zero'}, size=124))
    *dots, mark = root.iter(f'{SVG}circle')
    assert [dot.attrib['fill'] for dot in dots] == [series_colour(0), series_colour(0), series_colour(1), 'grey']
    assert [dot[0].text for dot in dots] == ['a', 'b', '<c', 'd']
    assert [(dot.attrib['cx'], dot.attrib['cy']) for dot in dots[:3]] == [
        ('12.0', '112.0'),
        ('62.0', '62.0'),
        ('112.0', '12.0'),
    ]
    (title,) = root.iter(f'{SVG}text')
    assert title.text == 'zero' and mark.attrib['fill'] == series_colour(0)
    assert 124 < float(title.attrib['y']) < float(root.attrib['height'])  # below the points
    many = scatter_chart(places, [0, 1, 2, 3], 'abcd', dict.fromkeys(range(4), 30 * 'x'), size=560)
    texts = list(ElementTree.fromstring(many).iter(f'{SVG}text'))
    assert len({(text.attrib['x'], text.attrib['y']) for text in texts}) == 4 and texts[0].text == 17 * 'x' + '…'


def test_colours_differ() -> None:
    hues = [int(re.findall(r'\d+', series_colour(number))[0]) for number in range(20)]
    assert len(set(hues)) == 20


def test_cells_are_darker_within_their_column() -> None:
    root = ElementTree.fromstring(heat_table({'a': (1.0, 90.0), 'b<': (3.0, 80.0), 'c': (2.0, np.nan)}, ['x', 'y']))
    texts = [text.text for text in root.iter(f'{SVG}text')]
    assert texts == ['x', 'y', 'a', '1.0', '90.0', 'b<', '3.0', '80.0', 'c', '2.0']
    cells = [float(cell.attrib['fill-opacity']) for cell in root.iter(f'{SVG}rect') if 'fill-opacity' in cell.attrib]
    assert cells == [0.05, 0.55, 0.55, 0.05, 0.3]
    with pytest.raises(ValueError, match='3 columns need rows of as many values'):
        heat_table({'a': (1.0, 2.0)}, ['x', 'y', 'z'])
