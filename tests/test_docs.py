"""Pages name what exists: files, links, modules, registered types, and every folder of the package."""

import re
from importlib import import_module
from pathlib import Path

import pytest

from mmsigma.cli import BUILT_IN, TOOLS

ROOT = Path(__file__).resolve().parents[1]
PAGES = {
    str(path.relative_to(ROOT)): path
    for path in [*ROOT.glob('*.md'), *ROOT.glob('docs/**/*.md'), *ROOT.glob('configs/**/*.md')]
}
TOP = ('mmsigma', 'configs', 'tools', 'tests', 'docs', 'demo', 'benchmarks')
FILE = re.compile(rf'(?<![\w.:/-])((?:{"|".join(TOP)})/[\w./*{{}},-]+\w)')
SOURCES = [
    f'/{path.relative_to(ROOT)}'
    for top in (*TOP, 'setup.py')
    for path in ([ROOT / top] if top.endswith('.py') else (ROOT / top).rglob('*.py'))
    if '.mim' not in path.parts
]
SOURCE = re.compile(r'`([\w/]+\.py)`')
LINK = re.compile(r'\]\((?!https?://|#|mailto:)([^)#\s]+)')
DOTTED = re.compile(r'(?<![\w./])mmsigma(?:\.\w+)+')
CONFIG = re.compile(r'mmsigma::([\w/]+?)(?:\.py)?(?![\w/.])')


def exists(pattern: str) -> bool:
    """Whether there is such a file, folder, or anything that a shell pattern with ``*`` and ``{a,b}`` stands for."""
    if brace := re.search(r'\{([^{}]*)\}', pattern):
        return all(exists(pattern.replace(brace.group(), choice, 1)) for choice in brace.group(1).split(','))
    return any(ROOT.glob(pattern.rstrip('/')))


@pytest.mark.parametrize('name', PAGES)
def test_files_and_links_are_there(name: str) -> None:
    path = PAGES[name]
    text = path.read_text()
    assert [file for file in FILE.findall(text) if not exists(file)] == []
    for file in SOURCE.findall(text):
        assert any(source.endswith(f'/{file}') for source in SOURCES), file
    assert [link for link in LINK.findall(text) if not (path.parent / link).exists()] == []
    for config in CONFIG.findall(text):
        assert config == 'my_config' or (ROOT / 'configs' / f'{config}.py').is_file(), config


@pytest.mark.parametrize('name', PAGES)
def test_links_to_headings_find_them(name: str) -> None:
    path = PAGES[name]
    for file, heading in re.findall(r'\]\((?!https?://)([^)#\s]*)#([^)\s]+)\)', path.read_text()):
        target = path.parent / file if file else path
        if target.suffix == '.md':
            assert heading in headings(target), f'{target.name} has no heading {heading}'


def headings(path: Path) -> set[str]:
    """Names by which links find the headings of a page, as Python-Markdown and as GitHub form them."""
    text = re.sub(r'^```.*?^```', '', path.read_text(), flags=re.MULTILINE | re.DOTALL)
    found = set()
    for title in re.findall(r'^#+ (.+)$', text, re.MULTILINE):
        words = re.sub(r'[^\w\s-]', '', re.sub(r'\[([^]]*)\]\([^)]*\)', r'\1', title)).strip().lower()
        found |= {re.sub(r'[-\s]+', '-', words), words.replace(' ', '-')}
    return found


@pytest.mark.parametrize('name', PAGES)
def test_tables_are_whole(name: str) -> None:
    """Every row has as many cells as the head; a page that was cut in two shows it here."""
    for table in re.findall(r'(?:^\|.*\n)+', PAGES[name].read_text(), re.MULTILINE):
        rows = [re.sub(r'`[^`]*`|\\\|', '', row) for row in table.splitlines()]
        assert all(row.rstrip().endswith('|') for row in rows), rows
        assert len({row.count('|') for row in rows}) == 1, rows


@pytest.mark.parametrize('name', PAGES)
def test_modules_and_their_members_are_there(name: str) -> None:
    for dotted in set(DOTTED.findall(PAGES[name].read_text())):
        resolve(dotted)


def resolve(dotted: str) -> object:
    """What a dotted name stands for: a module, or a member of one."""
    parts = dotted.split('.')
    for length in range(len(parts), 0, -1):
        try:
            value: object = import_module('.'.join(parts[:length]))
        except ModuleNotFoundError as error:
            if not (error.name or '').startswith('mmsigma'):
                raise
            continue
        for attribute in parts[length:]:
            value = getattr(value, attribute)
        return value
    raise ModuleNotFoundError(dotted)


def commands_of(text: str) -> list[list[str]]:
    """Words of the commands in blocks of bash that run a script or the command ``mmsigma``."""
    found = []
    for block in re.findall(r'```bash\n(.*?)```', text, re.DOTALL):
        for line in block.replace('\\\n', ' ').splitlines():
            words = line.partition(' #')[0].split()
            if words and words[0] in ('python', 'mmsigma', 'bash', '.venv/bin/python') and '<' not in line:
                found.append(words)
    return found


@pytest.mark.parametrize('name', PAGES)
def test_commands_can_be_run(name: str) -> None:
    """Their scripts, subcommands and options exist, and their videos are the demo's or the reader's own."""
    for words in commands_of(PAGES[name].read_text()):
        if words[0] == 'mmsigma':
            assert words[1] in {*TOOLS, *BUILT_IN, 'COMMAND'}, words
            scripts = [ROOT / 'tools' / TOOLS[words[1]].script] if words[1] in TOOLS else []
            scripts += list((ROOT / 'tools/model_converters').glob('*.py')) if words[1] == 'convert' else []
        else:
            scripts = [ROOT / word for word in words if word.endswith('.py') and word.startswith(('tools/', 'demo/'))]
        # converters of datasets share the options of the module that runs them
        scripts += [ROOT / 'mmsigma/datasets/videos/lists.py'] * any(
            'dataset_converters' in str(path) for path in scripts
        )
        source = "'--help'" * bool(scripts) + ''.join(path.read_text() for path in scripts)
        launcher = words[0] == 'bash'  # whose options are those of the script behind it
        for option in [word.partition('=')[0] for word in words if word.startswith('--')] if source else ():
            assert launcher or f"'{option}'" in source, f'{name}: {option} of {" ".join(words)}'
        assert not [word for word in words if word in ('dog.mp4', 'cat.mp4')], words


def test_docstrings_name_what_is_there() -> None:
    for path in sorted((ROOT / 'mmsigma').rglob('*.py')):
        if '.mim' in path.parts:
            continue
        for dotted in set(re.findall(r':(?:class|func|mod|meth|attr):`~?(mmsigma\.[\w.]+)`', path.read_text())):
            resolve(dotted)


def test_the_architecture_describes_every_folder() -> None:
    page = PAGES['docs/architecture.md'].read_text()
    tree = page.split('```')[1]
    described, parents = set(), []
    for line in tree.splitlines():
        if entry := re.match(r'( *)([\w./]+/)', line):
            del parents[len(entry.group(1)) // 2 :]
            parents.append(entry.group(2))
            described.add(''.join(parents))
        for together in re.findall(r'^ *((?:\w+/ )+\w+/)', line):
            described |= {''.join(parents[:-1]) + folder for folder in together.split()}
    folders = {
        f'{path.parent.relative_to(ROOT)}/'
        for path in (ROOT / 'mmsigma').rglob('__init__.py')
        if '.mim' not in path.parts
    }
    assert folders - described == set()
    assert {folder for folder in described if folder.startswith('mmsigma/')} - folders == set()
    assert all((ROOT / folder).is_dir() for folder in described)
