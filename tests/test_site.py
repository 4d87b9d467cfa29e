"""The site that ``make docs`` builds: strict, whole, and without requests to other hosts."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
TARGET = re.compile(r'(?:href|src)="([^"#?]+)')
LOADED = re.compile(r'<(?:script|img|link|iframe)[^>]*(?:src|href)="(https?://[^"]+|//[^"]+)"')


@pytest.fixture(scope='module')
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip('mkdocs')
    pytest.importorskip('mkdocstrings')
    folder = tmp_path_factory.mktemp('site')
    command = [sys.executable, '-m', 'mkdocs', 'build', '--strict', '-d', str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.mark.slow
def test_pages_are_whole(site: Path) -> None:
    pages = [path for path in site.rglob('*.html') if path.name != '404.html']
    assert len(pages) > 40
    for path in pages:
        text = path.read_text()
        assert LOADED.findall(text) == [], path
        for target in TARGET.findall(text):
            if not target.startswith(('http', 'mailto:', 'data:', 'javascript:')):
                assert (path.parent / target).exists(), f'{path.relative_to(site)}: {target}'


@pytest.mark.slow
def test_notebooks_are_pages(site: Path) -> None:
    for name in ('sigma', 'mask_vos', 'gta'):
        text = (site / 'tutorials' / name / 'index.html').read_text()
        assert 'run_command' in text and 'Where to go next' in text and f'href="../{name}.ipynb"' in text
        assert (site / 'tutorials' / f'{name}.ipynb').is_file()
    assert 'href="../mask_vos/"' in (site / 'tutorials' / 'sigma' / 'index.html').read_text()


@pytest.mark.slow
def test_results_and_reference_are_there(site: Path) -> None:
    assert 'vitb_k400_dino' in (site / 'configs' / 'sigma' / 'index.html').read_text()
    reference = (site / 'api' / 'index.html').read_text()
    for name in ('VideoClassifier', 'load_model', 'export_onnx', 'SIGMA'):
        assert f'.{name}"' in reference
