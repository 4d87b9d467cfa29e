"""Tests of one checkpoint under several values of an option of its config, each of which is made once."""

import argparse
import gc
import hashlib
import json
import time
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.dist import broadcast_object_list, is_main_process
from rich.console import Console
from rich.table import Column, Table

from mmsigma import __version__
from mmsigma.apis.launch import apply_arguments, build_runner, errors_in_one_line, prepare_test
from mmsigma.apis.work_dir import default_work_dir, folder_name
from mmsigma.checkpoints.files import sha256_of
from mmsigma.io.atomic import write_text
from mmsigma.io.tables import write_csv
from mmsigma.utils.config import load_config
from mmsigma.utils.options import CommandParser, OptionAction
from mmsigma.utils.preflight import check_config


def parse_value(option: str, text: str) -> Any:
    """What ``--cfg-options option=text`` would give the option."""
    parser = CommandParser()
    parser.add_argument('--cfg-options', nargs='+', action=OptionAction)
    return parser.parse_args(['--cfg-options', f'{option}={text}']).cfg_options[option]


def identity(cfg: Config, weights: str) -> str:
    """What a result depends on: the finished config, the checkpoint and the version of this package."""

    content = json.dumps([cfg.to_dict(), weights, __version__], sort_keys=True, default=repr)
    return hashlib.sha256(content.encode()).hexdigest()


def read_result(path: Path, expected: str) -> dict[str, float] | None:
    """The scores of a finished test of the same config and checkpoint, as all processes see them."""
    found = [None]
    if is_main_process() and path.is_file():
        try:
            content = json.loads(path.read_text())
            found[0] = content['scores'] if content['identity'] == expected else None
        except (json.JSONDecodeError, KeyError, TypeError):
            pass  # not of this tool: tested again
    broadcast_object_list(found)
    return found[0]


def folder_of(checkpoint: str | None, weights: str, work_dir: Path) -> Path:
    """The folder of all results of a checkpoint, whose name ends in a part of its checksum."""
    if checkpoint is None:
        return work_dir
    digest = hashlib.sha256(weights.encode()).hexdigest()[:8]
    return next(work_dir.glob(f'*_{digest}'), work_dir / f'{Path(checkpoint).stem}_{digest}')


def run_test(cfg: Config, folder: Path) -> dict[str, float]:
    """Scores of a test whose results go into a folder."""
    cfg.work_dir = str(folder)
    cfg.experiment_name = f'{folder.name}_{time.time_ns()}'  # each has loggers of its own
    metrics = build_runner(cfg).test()
    gc.collect()
    torch.cuda.empty_cache()
    return {name: float(value) for name, value in metrics.items()}


def names_of_scores(results: dict[str, dict[str, float]]) -> list[str]:
    return list(dict.fromkeys(name for scores in results.values() for name in scores))


def write_table(option: str, results: dict[str, dict[str, float]], path: Path) -> None:
    """Write the scores of each value as CSV and JSON."""

    names = names_of_scores(results)
    rows = [[value, *(scores.get(name, '') for name in names)] for value, scores in results.items()]
    write_csv(Path(f'{path}.csv'), [[option, *names], *rows])
    text = json.dumps([{option: value, **scores} for value, scores in results.items()], indent=1)
    write_text(f'{path}.json', text + '\n')


def table_of(option: str, results: dict[str, dict[str, float]], wanted: list[str] | None) -> Table:
    """The scores of each value; ``wanted``, for those whose names have one of these in them."""
    names = [name for name in names_of_scores(results) if not wanted or any(part in name for part in wanted)]
    table = Table(Column(option, overflow='fold'), *(name.rpartition('/')[2] for name in names))
    for value, scores in results.items():
        table.add_row(value, *(f'{scores[name]:.2f}' if name in scores else '-' for name in names))
    return table


def sweep(args: argparse.Namespace) -> None:
    """Test all values that have not been, and print the table.

    Raises:
        ValueError: If a value is given twice, or a config has faults; nothing is tested then.
        OSError: If there is no config or checkpoint.
    """

    if twice := sorted({value for value in args.values if args.values.count(value) > 1}):
        raise ValueError(f'{args.option}={twice[0]} is given twice')
    weights, tests = sha256_of(args.checkpoint), []
    work_dir = folder_of(args.checkpoint, weights, args.work_dir or default_work_dir(args.config) / 'sweeps')
    for text in args.values:
        cfg = load_config(args.config, {**args.cfg_options, args.option: parse_value(args.option, text)})
        tests.append((text, cfg, identity(cfg, weights)))
        prepare_test(cfg, args.checkpoint)
        check_config(cfg)
    console, results, path = Console(quiet=not is_main_process()), {}, work_dir / args.option
    for number, (text, cfg, expected) in enumerate(tests, 1):
        name = f'{args.option}={text}'
        folder = work_dir / folder_name(args.option, text)
        scores = None if args.again else read_result(folder / 'result.json', expected)
        console.rule(f'{number} of {len(tests)}: {name}{", tested before" if scores is not None else ""}')
        if scores is None:
            with errors_in_one_line(f'{args.config}, {name}', verbose=args.verbose):
                apply_arguments(cfg, args)
                scores = run_test(cfg, folder)
                write_result(folder / 'result.json', expected, scores)
        results[text] = scores
        if is_main_process():
            write_table(args.option, results, path)
    console.print(table_of(args.option, results, args.scores))
    console.print(f'{path}.csv, {path}.json', highlight=False, soft_wrap=True)


def write_result(path: Path, identity: str, scores: dict[str, float]) -> None:
    """Declare a test finished."""

    text = json.dumps(dict(identity=identity, scores=scores), indent=1)
    if is_main_process():
        write_text(path, text + '\n')
