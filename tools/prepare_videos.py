"""Re-encode videos for training: small, with many key frames, at a constant rate, without sound.

python tools/prepare_videos.py data/k400/train.txt data/k400/val.txt --out data/k400_320
python tools/prepare_videos.py my_videos --out my_videos_256 --short-side 256 --fps 15
python tools/prepare_videos.py data/k400/train.txt --out data/k400_shards --shards 1000

The folder --out gets the videos under their paths, ending in .mp4; the lists, with the new paths, without those that
could not be read, which failed.csv names; and prepared.json, the settings. What is there already is not made again.

With --shards, videos are packed into tar files, of which a cluster's file system needs few. Training reads them where
they are; lists name them as train-000012.tar/name.mp4. A shard is complete as soon as it exists.
"""

import argparse
from pathlib import Path

from mmsigma.utils.options import CommandParser


def parse_args() -> argparse.Namespace:
    summary, _, rest = __doc__.partition('\n')
    parser = CommandParser(description=summary, epilog=rest, formatter_class=argparse.RawDescriptionHelpFormatter)
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
    parser.add_argument('--shards', type=int, metavar='N', help='pack videos into tar files of N videos each')
    parser.add_argument('--copy', action='store_true', help='with --shards, pack the files as they are')
    parser.add_argument('--num-workers', type=int, default=2, help='processes; 0 for none (default: %(default)s)')
    parser.add_argument('--verbose', action='store_true', help='show tracebacks')
    args = parser.parse_args()
    if args.copy and args.shards is None:
        parser.error('--copy packs files as they are: set --shards, too')
    return args


def main() -> None:
    args = parse_args()
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from mmsigma.apis.data_check import find_sources
    from mmsigma.apis.launch import errors_in_one_line
    from mmsigma.apis.video_preparation import Form, prepare_videos, write_prepared_lists
    from mmsigma.apis.video_shards import pack_videos

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
            settings = dict(num_workers=args.num_workers, on_video=lambda result: progress.advance(task))
            if args.shards is None:
                results = prepare_videos([*found.values()], args.out, form, **settings)
            else:
                packed_form = None if args.copy else form
                results = pack_videos([*found.values()], args.out, packed_form, args.shards, **settings)
        # shards cannot be read without a list
        lists = {
            path if path.is_file() else path / f'{source.name}.csv': source
            for path, source in found.items()
            if path.is_file() or args.shards is not None
        }
        written = write_prepared_lists(lists, args.out, results)
    failed = [result for result in results if result.reason]
    print(f'{len(results) - len(failed):,} of {len(results):,} videos in {args.out}')
    for result in failed[:5]:
        print(f'  {result.source}: {result.reason}')
    for path in written:
        print(f'list {path}')


if __name__ == '__main__':
    main()
