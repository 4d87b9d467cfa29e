"""Hook of MkDocs: notebooks and pages outside of docs/ become pages, and links to them work as in the repository.

Pages of ``docs/`` link to READMEs of configs, to configs, scripts and sources; READMEs of configs link back. On the
site, ``docs/x.md`` is ``x.md``, a file of the root is ``project/FILE``, and every other file keeps its path. Notebooks
are rendered here: mkdocs-jupyter loads scripts from other hosts, and does not let this hook see their links.
"""

import json
import os
import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parents[1]
_LINK = re.compile(r'\[([^\[\]]*)\]\((?!https?://|#|mailto:)([^)#\s]+)([^)\s]*)\)')
_FURTHER = ['README.md', 'CHANGELOG.md', 'CONTRIBUTING.md', 'SECURITY.md']


def site_path(path: str) -> str:
    """Return the path on the site of a file, given by its path in the repository."""
    if path.startswith('docs/'):
        return re.sub(r'\.ipynb$', '.md', path.removeprefix('docs/'))
    return path if '/' in path else f'project/{path}'


def repository_path(uri: str) -> str:
    """Return the path in the repository of a file of the site, the inverse of :func:`site_path`."""
    if uri.startswith('project/'):
        return uri.removeprefix('project/')
    return uri if (ROOT / uri).is_file() and '/' in uri and not (ROOT / 'docs' / uri).is_file() else f'docs/{uri}'


def links_of(path: str) -> list[str]:
    """Return what a page links to, by paths in the repository; a folder stands for its README."""
    return [_target(path, link) for _, link, _ in _LINK.findall((ROOT / path).read_text(encoding='utf-8'))]


def _target(path: str, link: str) -> str:
    target = os.path.normpath(Path(path).parent / link)
    readme = f'{target}/README.md'
    return readme if (ROOT / readme).is_file() else target


def notebook_page(path: str) -> str:
    """Return a notebook, given by its path in the repository, as Markdown that begins with its title."""
    cells = json.loads((ROOT / path).read_text(encoding='utf-8'))['cells']
    parts = [
        source if cell['cell_type'] == 'markdown' else f'```python\n{source}\n```'
        for cell, source in ((cell, ''.join(cell['source'])) for cell in cells)
    ]
    title, _, rest = parts[0].partition('\n')
    download = f'<p><a href="../{Path(path).name}" download>Download this page as a notebook</a></p>'
    return '\n\n'.join([title, download, rest, *parts[1:]])


def on_files(files: Files, config: Any) -> Files:
    """Add the notebooks as pages, the pages outside of docs/, and what pages link to."""
    notebooks = [f'docs/{file.src_uri}' for file in files if file.src_uri.endswith('.ipynb')]
    for path in notebooks:
        files.append(File.generated(config, site_path(path), content=notebook_page(path)))
    pages = [*notebooks, *(f'docs/{file.src_uri}' for file in files if file.src_uri.endswith('.md'))]
    pages = [page for page in pages if (ROOT / page).is_file()]
    pages += [*_FURTHER, *(path.relative_to(ROOT).as_posix() for path in sorted(ROOT.glob('configs/*/README.md')))]
    wanted = {*pages, *(link for page in pages for link in links_of(page))}
    for path in sorted(wanted):
        if not path.startswith('docs/') and (ROOT / path).is_file():
            files.append(File.generated(config, site_path(path), abs_src_path=str(ROOT / path)))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Let links lead to the places of their targets on the site; one to a folder without a README becomes text."""
    path = repository_path(page.file.src_uri)

    def replace(match: re.Match[str]) -> str:
        text, link, anchor = match.groups()
        target = _target(path, link)
        if (ROOT / target).is_dir():
            return text
        return f'[{text}]({os.path.relpath(site_path(target), Path(page.file.src_uri).parent)}{anchor})'

    return _LINK.sub(replace, markdown)
