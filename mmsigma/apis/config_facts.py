"""What a config trains or tests, what it is expected to reach, and whether what it needs is there."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from mmsigma.utils.config import load_config

_PARTS = ('model', 'default_weights', 'load_from', 'train_dataloader', 'val_dataloader', 'test_dataloader')
_FILES = ('weights', 'default_weights', 'load_from', 'checkpoint', 'ann_file', 'data_root')


class Need(NamedTuple):
    """A file or folder that a config reads.

    Attributes:
        key: Where the config names it, such as ``model.target.weights``.
        path: The file or folder; for weights that timm downloads, the name of the network.
        there: Whether it exists; None for what is downloaded.
    """

    key: str
    path: str
    there: bool | None

    def __str__(self) -> str:
        state = {True: 'there', False: 'not there', None: 'downloaded at first'}[self.there]
        return f'{self.path}, {state} ({self.key})'


class ConfigFacts(NamedTuple):
    """Facts of a config.

    Attributes:
        method: Class of its model.
        expected: Results of the paper, such as ``'Fine-tuning on SSv2: Top 1 Accuracy 71.1'``.
        needs: What it reads, without doubles.
    """

    method: str
    expected: list[str]
    needs: list[Need]

    def lines(self) -> Iterator[str]:
        """Yield the facts as lines for people."""
        yield f'model     {self.method}'
        yield from (f'paper     {result}' for result in self.expected)
        yield from (f'needs     {need}' for need in self.needs)


def config_facts(path: Path, root: Path) -> ConfigFacts:
    """Return the facts of a config.

    Args:
        path: Config.
        root: Folder of the configs, to whose folders the ``metafile.yml`` with results belong.

    Raises:
        mmsigma.utils.preflight.ConfigError: If it cannot be loaded.
    """
    cfg = load_config(path)
    needs: dict[str, Need] = {}
    for key, value in _walk({name: cfg[name] for name in _PARTS if cfg.get(name)}):
        name = key.rpartition('.')[2]
        if name in _FILES and isinstance(value, str) and value not in ('', 'random'):
            need = Need(key, 'weights of timm', None) if value == 'hub' else Need(key, value, Path(value).exists())
            needs.setdefault(need.path, need)
    return ConfigFacts(str(cfg.model.type), _expected(path, root), list(needs.values()))


def _walk(node: Any, key: str = '') -> Iterator[tuple[str, Any]]:
    """Yield keys and values of a config, and of a list with the data_root beside it joined to its name."""
    if isinstance(node, Mapping):
        folder = node.get('data_root') or ''
        for name, value in node.items():
            below = f'{key}.{name}'.lstrip('.')
            if name == 'ann_file' and isinstance(value, str) and value:
                yield below, str(Path(folder, value))
            else:
                yield from _walk(value, below)
    elif isinstance(node, list | tuple):
        for number, value in enumerate(node):
            yield from _walk(value, f'{key}.{number}')
    else:
        yield key, node


def _expected(path: Path, root: Path) -> list[str]:
    """Return the results of the paper for a config, from the metafile of its folder."""
    metafile = path.with_name('metafile.yml')
    if not metafile.is_file():
        return []
    own = path.relative_to(root.parent).as_posix()
    found = []
    for model in yaml.safe_load(metafile.read_text(encoding='utf-8'))['Models']:
        if model['Config'] != own:
            continue
        options = ' '.join(f'{key}={value}' for key, value in (model.get('Options') or {}).items())
        for result in model.get('Paper Results', ()):
            scores = ', '.join(f'{name} {score:g}' for name, score in result['Metrics'].items())
            told = model['Name'] if not options else options
            what = f'{result["Task"]} on {result["Dataset"]}' + f' ({told})' * (told != path.stem)
            found.append(f'{what}: {scores}')
    return found
