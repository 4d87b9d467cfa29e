"""Re-encode videos for training: small, with many key frames, at a constant rate, without sound.

python tools/prepare_videos.py data/k400/train.txt data/k400/val.txt --out data/k400_320
python tools/prepare_videos.py my_videos --out my_videos_256 --short-side 256 --fps 15

The folder --out gets the videos under their paths, ending in .mp4; the lists, with the new paths, without those that
could not be read, which failed.csv names; and prepared.json, the settings. What is there already is not made again.
"""

import argparse
from pathlib import Path


def parse_args() -> argparse.Namespace:
    summary, _, rest = __doc__.partition('\n')
    parser = argparse.ArgumentParser(
        description=summary, epilog=rest, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('sources', nargs='+', help='lists, or folders of videos')
    parser.add_argument('--out', type=Path, required=True, help='folder to write to')
    parser.add_argument('--root', help="folder that the paths of lists are relative to (default: the list's folder)")
    parser.add_argument('--multi-class', action='store_true', help='videos of lists may have several labels')
    parser.add_argument('--short-side', type=int, default=320, help='in pixels (default: %(default)s)')
    parser.add_argument('--fps', type=float, help='frames per second (default: as they are)')
    parser.add_argument(
        '--key-interval', type=int, default=12, help='frames from one key frame to the next (default: %(default)s)'
    )
    parser.add_argument('--crf', type=int, default=20, help='quality of H.264, 0 is best (default: %(default)s)')
    parser.add_argument('--num-workers', type=int, default=2, help='processes; 0 for none (default: %(default)s)')
    parser.add_argument('--verbose', action='store_true', help='show tracebacks')
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from mmsigma.apis.data_check import find_sources
    from mmsigma.apis.launch import errors_in_one_line
    from mmsigma.apis.video_preparation import Form, prepare_videos, write_prepared_lists

    with errors_in_one_line(' '.join(args.sources), verbose=args.verbose):
        form = Form(args.short_side, args.key_interval, args.crf, args.fps)
        found = {
            Path(path): source
            for path in args.sources
            for source in find_sources(path, args.root, multi_class=args.multi_class)
        }
        columns = TextColumn('videos'), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
        with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
            task = progress.add_task('', total=sum(len(source.entries) for source in found.values()))
            results = prepare_videos(
                [*found.values()],
                args.out,
                form,
                num_workers=args.num_workers,
                on_video=lambda result: progress.advance(task),
            )
        lists = write_prepared_lists(
            {path: source for path, source in found.items() if path.is_file()}, args.out, results
        )
    failed = [result for result in results if result.reason]
    print(f'{len(results) - len(failed):,} of {len(results):,} videos in {args.out}')
    for result in failed[:5]:
        print(f'  {result.source}: {result.reason}')
    for path in lists:
        print(f'list {path}')


if __name__ == '__main__':
    main()
