"""The page of evidence says what the records say."""

import runpy
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def test_the_page_is_that_of_the_records() -> None:
    tables = runpy.run_path(str(ROOT / 'benchmarks' / 'evidence_tables.py'))
    page = (ROOT / 'docs' / 'evidence.md').read_text()
    assert page == tables['page'](), 'run python benchmarks/evidence_tables.py'
    assert page.count('| random |') >= 2 and '| lite0_itself | 0 | 66.7 |' in page


def test_means_have_a_spread_if_there_are_several() -> None:
    tables = runpy.run_path(str(ROOT / 'benchmarks' / 'evidence_tables.py'))
    assert tables['cell']([]) == '-' and tables['cell']([2.04]) == '2.0'
    assert tables['cell']([1.0, 2.0, 3.0]) == '2.0 ± 1.0'
