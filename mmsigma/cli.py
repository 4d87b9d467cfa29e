"""The command ``mmsigma``: the tools of this framework from any folder, and what configs there are.

Only what a command needs is imported, so that ``mmsigma --help`` answers at once.
"""

import argparse
import importlib.util
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from mmsigma.utils.options import CommandParser

PACKAGE = Path(__file__).parent


class Tool(NamedTuple):
    """A script of ``tools/``."""

    script: str
    about: str


TOOLS = {
    'train': Tool('train.py', 'train the model of a config'),
    'test': Tool('test.py', 'test a checkpoint'),
    'predict': Tool('predict.py', 'predict labels, masks, counts or features of videos'),
    'extract': Tool('extract_features.py', 'store the features of videos'),
    'merge-features': Tool('merge_features.py', 'make one store of the features of several'),
    'probe': Tool('probe.py', 'train linear or attentive probes on stored features'),
    'report': Tool('report.py', 'write pages of classification, retrieval, embeddings and pseudo masks'),
    'sweep': Tool('sweep.py', 'test a checkpoint with several settings'),
    'check': Tool('check_data.py', 'check videos and lists before training'),
    'browse': Tool('browse_dataset.py', 'write pictures of what a model is trained with'),
    'prototypes': Tool('visualize_prototypes.py', 'write pictures of what the prototypes of SIGMA pick out'),
    'prepare': Tool('prepare_videos.py', 're-encode videos for training: small, with many key frames'),
    'list-shards': Tool('list_shards.py', 'list the videos of tar shards, as of WebDataset, for training'),
    'cache': Tool('cache_frames.py', 'decode videos once, reduced'),
    'cache-teacher': Tool('cache_teacher.py', "store the features of SIGMA's frozen teacher"),
    'mask': Tool('make_mask.py', 'make the first mask of a video'),
    'config': Tool('print_config.py', 'print a config with everything that it inherits'),
    'mean': Tool('mean_of_runs.py', 'mean and spread of the scores of several runs'),
    'severe': Tool('severe_report.py', 'the table of SEVERE from the results of its settings'),
    'app': Tool('app.py', 'serve a web app for videos of your own'),
    'export': Tool('model_converters/export.py', 'export a model: a folder with its config, or ONNX'),
    'download': Tool('download.py', 'download published weights, or say where they are'),
    'convert-sigma': Tool('model_converters/convert_sigma.py', 'convert checkpoints of SIGMA and VideoMAE'),
    'convert-gta': Tool('model_converters/convert_gta.py', 'convert checkpoints of GTA'),
    'demo': Tool('demo.py', 'train a small model on generated videos and show what it learned'),
    'demo-data': Tool('make_demo_dataset.py', 'render the data set of the demos'),
}
_REQUIRED = {'torch', 'mmengine', 'mmcv', 'mmaction', 'timm', 'numpy', 'cv2', 'einops', 'rich'}
SCALABLE = ('train', 'test', 'extract', 'sweep')
"""Tools that several processes can share."""
CONVERTERS = {'keras': 'convert-gta', 'tensorflow': 'convert-gta', 'folder': 'export', 'onnx': 'export'}
"""Tools that convert from or to a format; ``convert-sigma`` is that of all others."""


def run_command(argv: Sequence[str] | None = None) -> None:
    """Run a command, given as ``argv`` or on the command line."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    parser = _parser()
    if not arguments or arguments[0] in ('-h', '--help'):
        parser.print_help()
        return
    if arguments[0] == '--version':
        from mmsigma.version import __version__

        print(__version__)
        return
    name, *rest = arguments
    if name not in BUILT_IN and name not in TOOLS:
        import difflib

        close = difflib.get_close_matches(name, [*TOOLS, *BUILT_IN], 1)
        parser.error(f'there is no command {name!r}' + (f'; did you mean {close[0]!r}?' if close else ''))
    try:
        BUILT_IN[name][0](rest) if name in BUILT_IN else _run(name, rest)
        sys.stdout.flush()
    except BrokenPipeError:  # whoever reads the output has seen enough, such as "head"
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for what the interpreter still flushes
        raise SystemExit(1) from None


def _parser() -> argparse.ArgumentParser:
    width = max(map(len, TOOLS))
    lines = [f'  {name:<{width}}  {tool.about}' for name, tool in TOOLS.items()]
    lines = [f'  {name:<{width}}  {about}' for name, (_, about) in BUILT_IN.items()] + lines
    epilog = '\n'.join(
        [
            'commands:',
            *lines,
            '',
            '"mmsigma COMMAND --help" describes a command. With -n N,',
            f'{", ".join(SCALABLE[:-1])} and {SCALABLE[-1]} run on N processes, one per GPU.',
        ]
    )
    parser = CommandParser(
        'mmsigma',
        usage='mmsigma COMMAND [-n N] [arguments]',
        description='Self-supervised video representation learning: SIGMA, Mask-VOS and GTA.',
        epilog=epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        add_help=False,
    )
    return parser


def tools_folder() -> Path:
    """Return the folder of the scripts: that of the checkout, or that which the wheel brought.

    Raises:
        SystemExit: If there is neither.
    """
    for folder in (PACKAGE.parent / 'tools', PACKAGE / '.mim' / 'tools'):
        if (folder / 'train.py').is_file():
            return folder
    raise SystemExit('the scripts of mmsigma are not installed: run "pip install -e ." in its folder')


def _run(name: str, arguments: list[str]) -> None:
    script = tools_folder() / TOOLS[name].script
    if '-n' in arguments and (name in SCALABLE or arguments[0] == '-n'):
        _launch(name, script, arguments)
    sys.argv = [f'mmsigma {name}', *arguments]  # the name in its usage
    spec = importlib.util.spec_from_file_location(f'mmsigma_{script.stem}', script)
    assert spec is not None and spec.loader is not None
    tool = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = tool  # where dataclasses and pickles look
    try:
        spec.loader.exec_module(tool)
        tool.__doc__ = _in_commands(tool.__doc__ or '')
        tool.main()
    except ModuleNotFoundError as error:
        if error.name not in _REQUIRED:  # rather than a part of one, which another version lacks
            raise
        raise SystemExit(
            f'{error.name} is not installed: run "pip install -e ." in the folder of mmsigma, or "pip install mmsigma"'
        ) from error


def _in_commands(text: str) -> str:
    """Return the help of a script with commands and names of configs, as an installation has them."""
    for name, tool in TOOLS.items():
        script = re.escape(f'tools/{tool.script}')
        several = rf'(?:torchrun --nproc-per-node|bash tools/launch\.sh) (\d+) {script}(.*) --launcher pytorch'
        text = re.sub(several, rf'mmsigma {name} -n \1\2', text)
        text = re.sub(rf'(?:python )?{script}', f'mmsigma {name}', text)
    return re.sub(r'(?<!\S)configs/(\S+)\.py', r'mmsigma::\1', text)


def _launch(name: str, script: Path, arguments: list[str]) -> None:
    """Replace this process by the launcher of N processes."""
    if name not in SCALABLE:
        raise SystemExit(f'mmsigma {name} runs on one process; -n is for {", ".join(SCALABLE)}')
    place = arguments.index('-n')
    number, others = ''.join(arguments[place + 1 : place + 2]), arguments[:place] + arguments[place + 2 :]
    if not number.isdecimal():
        raise SystemExit(f'mmsigma {name} -n needs the number of processes')
    # first, as options of the config take everything that follows them
    launcher = script.parent / 'launch.sh'
    command = ['bash', str(launcher), number, str(script), '--launcher', 'pytorch', *others]
    os.environ.setdefault('PYTHON', sys.executable)
    os.execvp('bash', command)


def _convert(arguments: list[str]) -> None:
    """Run the converter of the formats that ``--from`` and ``--to`` name, or of the ending of the source."""
    parser = CommandParser(
        'mmsigma convert',
        usage='mmsigma convert SRC DST [--from FORMAT] [--to FORMAT] [options of the converter]',
        description='Convert a checkpoint. All further options are those of convert-sigma, convert-gta or export.',
        add_help=False,
    )
    known = ['sigma', 'videomae', 'mmaction2', 'hf', 'keras', 'tensorflow']
    parser.add_argument('--from', dest='origin', choices=known, help='format of SRC; names of parameters tell, too')
    targets = ['ours', 'official', 'mmaction2', 'hf', 'folder', 'onnx']
    parser.add_argument('--to', choices=targets, help='format of DST (default: ours)')
    parser.add_argument('-h', '--help', action='store_true', help='show this, or the help of the converter')
    args, rest = parser.parse_known_args(arguments)
    if args.help and not args.origin and not args.to:
        parser.print_help()
        return
    source = Path(next((word for word in rest if not word.startswith('-')), ''))
    is_bundle = source.suffix == '.index' or Path(f'{source}.index').is_file()
    origin = args.origin or ('keras' if source.suffix in ('.h5', '.hdf5') else 'tensorflow' if is_bundle else '')
    tool = CONVERTERS.get(origin) or CONVERTERS.get(args.to or '') or 'convert-sigma'
    if tool == 'convert-gta' and args.to not in (None, 'ours'):
        parser.error(f'weights of {origin} are converted to ours only; convert what was written to {args.to}')
    _run(tool, [*rest, *['--to', args.to] * bool(args.to and tool != 'convert-gta'), *['--help'] * args.help])


def _list(arguments: list[str]) -> None:
    parser = CommandParser('mmsigma list', description='Show configs, and what they are.')
    parser.add_argument('pattern', nargs='?', default='*', help="shell pattern of names, such as 'sigma/*'")
    parser.add_argument(
        '--long',
        action='store_true',
        help="show the model, the paper's results, and what it reads and whether it is there",
    )
    args = parser.parse_args(arguments)
    rows = describe_configs(args.pattern)
    if not rows:
        raise SystemExit(f"no config matches {args.pattern!r}: try 'mmsigma list', or '*{args.pattern.strip('*')}*'")
    width = max(len(name) for name, _ in rows)
    for name, about in rows:
        print(f'{name:<{width}}  {about}' if not args.long else f'{name}\n  {about}')
        if args.long:
            from mmsigma.apis.config_facts import config_facts

            root = tools_folder().parent / 'configs'
            print(*(f'    {line}' for line in config_facts(root / f'{name}.py', root).lines()), '', sep='\n')
    print(f'\n{len(rows)} config{"s" * (len(rows) > 1)}; train one with "mmsigma train mmsigma::{rows[0][0]}"')


def describe_configs(pattern: str = '*') -> list[tuple[str, str]]:
    """Return names and first sentences of the configs whose name matches a shell pattern.

    Args:
        pattern: Pattern of the name with its folder, such as ``'sigma/*'``, or of the name alone.
    """
    import fnmatch

    root = tools_folder().parent / 'configs'
    rows = []
    for path in sorted(root.rglob('*.py')):
        name = path.relative_to(root).with_suffix('').as_posix()
        if name.startswith('_base_'):
            continue
        if any(fnmatch.fnmatchcase(part, pattern) for part in (name, path.stem)):
            rows.append((name, _first_sentence(path)))
    return rows


def _first_sentence(path: Path) -> str:
    """Return the first sentence of the comment at the head of a config."""
    words: list[str] = []
    for line in path.read_text(encoding='utf-8').splitlines():
        if not line.startswith('#'):
            break
        words += line.lstrip('# ').split()
    text = ' '.join(words)
    ends = [end for end in (text.find('. '), text.find(': ')) if end > 0]
    return (text[: min(ends)] if ends else text).rstrip('.')


BUILT_IN = {
    'list': (_list, 'show the configs that come with the package'),
    'convert': (_convert, 'convert a checkpoint: runs convert-sigma, convert-gta or export'),
}
"""Commands of this file, and what they do."""
