"""Results that tests have left in the folders of runs."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmsigma.io.text import read_json

_NO_SCORES = ('data_time', 'time')
RECORD = 'test.json'
"""Name of the file beside the scores that tells what was tested."""


@dataclass(frozen=True)
class TestResult:
    """Scores of a test and where they come from.

    Attributes:
        scores: Scores by name.
        path: File of the scores.
        config: Name of the config, such as ``severe/vitb_gym99``; empty if it is not known.
        checkpoint: Checkpoint that was tested.
        sha256: Checksum of its content.
        dataset: Settings of the dataset by dotted key.
        settings: Checksum of the settings of model, dataset and evaluation.
    """

    __test__ = False  # for pytest: the class begins with Test

    scores: dict[str, float]
    path: Path
    config: str = ''
    checkpoint: str = ''
    sha256: str = ''
    dataset: tuple[tuple[str, str], ...] = ()
    settings: str = ''

    @property
    def source(self) -> str:
        """Config, checkpoint and file, for people."""
        return f'{self.config or "unknown config"}, {self.checkpoint or "unknown checkpoint"}: {self.path}'


def newest_test(run: str | Path, *names: str) -> TestResult:
    """Read the newest test in the folder of a run, ``<run>/<time>/<time>.json``.

    Args:
        run: Folder of the run.
        *names: Scores of which it must have one; without them, any test counts.

    Raises:
        ValueError: If there is none, or if the folder contains tests of several configs, checkpoints, datasets or
            settings, of which the newest may not be the one that is meant.
    """
    found = [_read(path) for path in Path(run).glob('*/*.json') if path.stem == path.parent.name]
    results = [result for result in found if (result.scores.keys() & set(names) if names else result.scores)]
    results.sort(key=lambda result: (result.path.stat().st_mtime, result.path.name))
    if not results:
        wanted = ' or '.join(map(repr, names)) or 'score'
        raise ValueError(f'no {wanted} in {run}: has it been tested with tools/test.py --work-dir {run}?')
    kinds = {(result.config, result.settings, result.dataset, result.sha256): result for result in results}
    if len(kinds) > 1:
        sources = '; '.join(result.source for result in kinds.values())
        raise ValueError(
            f'{run} contains tests of several configs, checkpoints, datasets or settings: {sources}. Name the file '
            'that is meant'
        )
    return results[-1]


def facts_of_test(record: str | Path) -> dict[str, str]:
    """Return for a report what a test ran: config, checkpoint with its checksum, and data.

    Args:
        record: Record of the test. Without it, nothing is known.
    """
    record = Path(record)
    if not record.is_file():
        return {}
    made = _read_mapping(record)
    names = dict(config='config', checkpoint='checkpoint', sha256='SHA-256 of the checkpoint')
    facts = {title: str(made[name]) for name, title in names.items() if made.get(name) not in (None, '', 'None')}
    where = ('type', 'data_root', 'ann_file', 'layout', 'split', 'year')
    data = {key: value for key, value in dict(made.get('dataset', {})).items() if key.split('.')[-1] in where}
    return facts | ({'data': ', '.join(f'{key} {value}' for key, value in data.items())} if data else {})


def classes_of_test(record: str | Path) -> list[str]:
    """Return the names of the classes that a test knew, by label; empty if there are none, or no record."""
    record = Path(record)
    return list(map(str, _read_mapping(record).get('classes') or ())) if record.is_file() else []


def _read_mapping(path: Path) -> dict[str, Any]:
    content = read_json(path)
    if not isinstance(content, dict):
        raise ValueError(f'{path} is not a mapping of names to values')
    return content


def _read(path: Path) -> TestResult:
    scores = {name: value for name, value in _read_mapping(path).items() if name not in _NO_SCORES}
    record = path.with_name(RECORD)
    made = _read_mapping(record) if record.is_file() else {}
    return TestResult(
        scores,
        path,
        str(made.get('config', '')),
        str(made.get('checkpoint', '')),
        str(made.get('sha256', '')),
        tuple(sorted((str(key), str(value)) for key, value in dict(made.get('dataset', {})).items())),
        str(made.get('settings', '')),
    )
