"""Fonts for names in pictures: matplotlib's own, and those of the system for alphabets that it lacks."""

from functools import cache
from pathlib import Path

# what common systems have for Chinese, Japanese, Korean, Arabic, Hindi and others; the first that is installed is used
_FAMILIES = (
    'Noto Sans CJK SC',
    'Noto Sans CJK JP',
    'Noto Sans SC',
    'Noto Sans JP',
    'Noto Sans KR',
    'Source Han Sans SC',
    'WenQuanYi Micro Hei',
    'WenQuanYi Zen Hei',
    'Droid Sans Fallback',
    'Microsoft YaHei',
    'Yu Gothic',
    'Malgun Gothic',
    'PingFang SC',
    'Hiragino Sans',
    'Apple SD Gothic Neo',
    'Arial Unicode MS',
    'Noto Sans Arabic',
    'Noto Sans Devanagari',
    'Nirmala UI',
)


def font_families() -> list[str]:
    """Return families of installed fonts for matplotlib's ``font.family``, its own first."""
    return ['DejaVu Sans', *_installed()]


def drawable(text: str) -> str:
    """Return a text in which ``?`` stands for each character that no font has, instead of an empty box."""
    fonts = [_own_font(), *_installed().values()]
    return ''.join(letter if any(ord(letter) in _letters(font) for font in fonts) else '?' for letter in text)


def font_file(text: str, *, bold: bool = False) -> tuple[Path, str]:
    """Return a font for all of a text, and the text, with ``?`` for what it lacks if there is none."""
    fonts = [_own_font(bold), *_installed().values()]
    wanted = set(map(ord, text))
    best = max(fonts, key=lambda font: len(wanted & _letters(font)))  # the first of equals
    return best, ''.join(letter if ord(letter) in _letters(best) else '?' for letter in text)


def _own_font(bold: bool = False) -> Path:
    import matplotlib

    return Path(matplotlib.get_data_path(), 'fonts', 'ttf', 'DejaVuSans-Bold.ttf' if bold else 'DejaVuSans.ttf')


@cache
def _installed() -> dict[str, Path]:
    """Return the files of the installed families, in our order."""
    from matplotlib.font_manager import fontManager

    files = {entry.name: Path(entry.fname) for entry in reversed(fontManager.ttflist)}
    return {family: files[family] for family in _FAMILIES if family in files}


@cache
def _letters(font: Path) -> frozenset[int]:
    from matplotlib.ft2font import FT2Font

    return frozenset(FT2Font(str(font)).get_charmap())
