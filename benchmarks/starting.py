"""Seconds until commands start, beside the imports that any program of this stack needs, and seconds of the demo.

python benchmarks/starting.py
python benchmarks/starting.py --demo   # the commands of "make demo" once it is set up, in a folder of their own
"""

import argparse
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path

from common import compare, machine, print_table

ROOT = Path(__file__).resolve().parents[1]
CONFIG = ROOT / 'configs' / 'demo' / 'sigma_tiny_demo_mlp.py'
PEER = 'import of torch, mmcv and mmengine.runner'
COMMANDS = {
    PEER: ('-c', 'import torch, mmcv, mmengine.runner'),
    'mmsigma --help': ('-m', 'mmsigma', '--help'),
    'mmsigma train --help': ('-m', 'mmsigma', 'train', '--help'),
    'model of the demo, with all imports': (
        '-c',
        'from mmsigma.apis.launch import build_runner; from mmsigma.registry import MODELS; '
        f'from mmsigma.utils.config import load_config; MODELS.build(load_config({str(CONFIG)!r}).model)',
    ),
}


def run(arguments: tuple[str, ...]) -> None:
    """Run Python with some arguments."""
    subprocess.run([sys.executable, *arguments], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)


def demo() -> None:
    """Run the commands of ``make demo``."""
    with tempfile.TemporaryDirectory() as folder:
        data = f'{folder}/data'
        run(('tools/make_demo_dataset.py', '--out', data, '--num-workers', '2'))
        options = ('--work-dir', f'{folder}/run', '--cfg-options', f'data_root={data}')
        run(('tools/train.py', str(CONFIG), *options))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--demo', action='store_true', help='also time the demo, which takes a minute')
    parser.add_argument('--rounds', type=int, default=5)
    args = parser.parse_args()
    print(machine())
    times = compare({name: partial(run, words) for name, words in COMMANDS.items()}, args.rounds)
    if args.demo:
        times['make demo'] = compare({'demo': demo}, rounds=1, warmup=0)['demo']
    print_table('start', times, PEER)


if __name__ == '__main__':
    main()
