"""Names in alphabets that matplotlib's font has, that a font of the system has, and that none has."""

from pathlib import Path

import pytest
from matplotlib.font_manager import FontEntry, findfont, fontManager

from mmsigma.visualization import fonts
from mmsigma.visualization.fonts import drawable, font_families, font_file

OWN = Path(findfont('DejaVu Sans'))


@pytest.fixture
def nothing_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fonts, '_installed', dict)


@pytest.mark.usefixtures('nothing_installed')
def test_letters_that_no_font_has() -> None:
    assert drawable('Žluťoučký κύων 7') == 'Žluťoučký κύων 7'
    assert drawable('clip_猫_01') == 'clip_?_01'
    assert font_families() == ['DejaVu Sans']
    assert font_file('猫 7') == (OWN, '? 7')
    assert font_file('chat', bold=True)[0].name == 'DejaVuSans-Bold.ttf'


def test_a_font_of_the_system(monkeypatch: pytest.MonkeyPatch) -> None:
    other = OWN.with_name('DejaVuSansMono.ttf')  # stands for one with all letters
    monkeypatch.setattr(
        fontManager, 'ttflist', [FontEntry(str(other), name='Yu Gothic'), FontEntry(str(OWN), name='x')]
    )
    monkeypatch.setattr(fonts, '_letters', lambda font: set(map(ord, '猫abc')) if font == other else {ord('a')})
    fonts._installed.cache_clear()
    try:
        assert font_families() == ['DejaVu Sans', 'Yu Gothic']
        assert drawable('猫ab犬') == '猫ab?'
        assert font_file('猫a犬') == (other, '猫a?') and font_file('a') == (OWN, 'a')
    finally:
        fonts._installed.cache_clear()
