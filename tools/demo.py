"""Train a small model on generated videos and show what it learned; minutes on a CPU.

``sigma`` pre-trains on them and draws what it was fed and what its prototypes pick out, ``vos`` learns correspondence
and segments a video with it, ``align`` learns to align two videos. What is there already is not made again.

Examples::

    python tools/demo.py sigma
    mmsigma demo vos --out my_demo
"""

import argparse
import subprocess
import sys
from pathlib import Path

from mmsigma.utils.options import CommandParser

Step = tuple[Path | None, list[str]]
"""A file that shows that the step is done, or None to do it always, and the command without ``mmsigma``."""


def parse_args() -> argparse.Namespace:
    summary, _, rest = __doc__.partition('\n')
    parser = CommandParser(description=summary, epilog=rest, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('name', choices=['sigma', 'vos', 'align'], help='demo')
    parser.add_argument('--out', type=Path, default=Path('mmsigma_demo'), help='folder (default: %(default)s)')
    return parser.parse_args()


def steps_of(name: str, out: Path) -> list[Step]:
    """Return the steps of a demo that writes to a folder."""
    data, run, results = out / 'data', out / name, out / f'{name}_results'
    make = (None, ['demo-data', '--out', str(data)])  # which leaves complete videos as they are
    train = ['train', '--work-dir', str(run), '--resume', 'auto']
    if name == 'sigma':
        config, last = 'mmsigma::demo/sigma_tiny_demo_mlp', run / 'epoch_15.pth'
        view = ['prototypes', config, str(last), str(data / 'videos' / 'clip_0091.mp4'), '--out', str(results)]
        return [make, (last, [*train, config, '--cfg-options', f'data_root={data}']), (None, view)]
    if name == 'vos':
        options, last = [f'data_root={data / "videos"}', 'joint_epochs=0'], run / 'epoch_2.pth'
        frames, masks = (data / folder / '480p' / 'clip_0091' for folder in ('JPEGImages', 'Annotations'))
        segment = ['predict', 'mmsigma::mask_vos/r18_ytvos_keys', str(last), str(frames)]
        segment += ['--mask', str(masks / '00000.png'), '--out', str(results)]
        segment += ['--cfg-options', 'model.geometry.short_side=400', 'model.propagator.radius=8']
        return [
            make,
            (last, [*train, 'mmsigma::demo/mask_vos_tiny_demo', '--cfg-options', *options]),
            (None, segment),
        ]
    data, last = out / 'align_data', run / 'epoch_20.pth'
    videos = [str(data / 'videos' / f'clip_{number}.mp4') for number in ('0363', '0373')]
    config = 'mmsigma::demo/gta_tiny_demo'
    return [
        (None, ['demo-data', '--out', str(data), '--num-videos', '480', '--num-classes', '4']),
        (last, [*train, config, '--cfg-options', f'data_root={data}']),
        (None, ['predict', config, str(last), *videos, '--out', str(results)]),
    ]


def main() -> None:
    args = parse_args()
    for done, command in steps_of(args.name, args.out):
        if done is not None and done.exists():
            print(f'{done} is there already')
            continue
        print('mmsigma', *command, flush=True)
        failed = subprocess.run([sys.executable, '-m', 'mmsigma', *command], check=False).returncode
        if failed:
            raise SystemExit(failed)
    print(f'The results are in {args.out / f"{args.name}_results"}, those of training in {args.out / args.name}')


if __name__ == '__main__':
    main()
