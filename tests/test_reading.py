"""A method is followed in its own folder, ``ops/`` and ``backbones/``, and the architecture page says so."""

from pathlib import Path

import pytest

from tests.reading import HOMES, NEIGHBOURS, ROOT, SHARED, measured, table


@pytest.fixture(scope='module')
def files() -> dict[tuple[str, str], list[str]]:
    return measured()


def test_methods_are_at_home_in_one_folder(files: dict[tuple[str, str], list[str]]) -> None:
    assert len(files) == 6
    for (method, what), found in files.items():
        allowed = (HOMES[method], *SHARED, *NEIGHBOURS.get((method, what), ()))
        assert [file for file in found if not file.startswith(allowed)] == [], (method, what)
        at_home = [file for file in found if file.startswith(HOMES[method])]
        assert 1 <= len(at_home) <= 5, (method, what)


def test_the_page_has_the_counts(files: dict[tuple[str, str], list[str]]) -> None:
    page = Path(ROOT / 'docs' / 'architecture.md').read_text()
    assert table(files) in page, f'docs/architecture.md should have:\n{table(files)}'
