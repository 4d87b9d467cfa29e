"""Names from data stay below the folder that is written to."""

from pathlib import Path

import pytest

from mmsigma.io.names import path_below


@pytest.mark.parametrize('name', ['bear', 'clip.v2', 'my clip', 'a/b', 'v_éü', '..bear', 'a..b', 'a:b', 'C: drive'])
def test_names_become_files_below(name: str) -> None:
    assert path_below('out', name, '00000.png') == Path('out') / name / '00000.png'


@pytest.mark.parametrize(
    'name',
    [
        '../x/evil',
        'a/../../evil',
        '/tmp/evil',
        '..',
        '.',
        '',
        ' ',
        './',
        'a\\..\\..\\evil',
        'C:\\evil',
        '\\evil',
        'a\0b',
    ],
)
def test_names_that_lead_outside_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match='leads out of out, or is no name of a file: rename'):
        path_below('out', name, '00000.png')
