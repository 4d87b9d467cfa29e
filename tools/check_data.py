"""Check the videos of lists, folders or configs: which can be read, what they are, and which occur twice.

python tools/check_data.py data/train.txt data/val.txt --out check
python tools/check_data.py configs/finetune/vitb_ucf101.py --out check --cfg-options data_root=data/ucf101

Writes to the folder --out: videos.jsonl, one line for each video, with which a stopped check goes on; and
<name>_usable.csv, a list of the videos of each source that can be read.
"""

import argparse
from pathlib import Path

from mmsigma.utils.options import CommandParser, OptionAction


def parse_args() -> argparse.Namespace:
    summary, _, rest = __doc__.partition('\n')
    parser = CommandParser(description=summary, epilog=rest, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('sources', nargs='+', help='configs, lists, or folders of videos')
    parser.add_argument('--root', help="folder that the paths of lists are relative to (default: the list's folder)")
    parser.add_argument(
        '--multi-class', action='store_true', help='videos of lists may have several labels, "path 1,4"'
    )
    parser.add_argument('--out', type=Path, default=Path('data_check'), help='folder of the results')
    parser.add_argument('--num-workers', type=int, default=2, help='processes; 0 for none (default: %(default)s)')
    parser.add_argument('--thorough', action='store_true', help='decode all frames instead of five of each video')
    parser.add_argument('--verbose', action='store_true', help='show tracebacks')
    parser.add_argument('--cfg-options', nargs='+', action=OptionAction, default={}, help='key=value pairs')
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from mmsigma.apis.data_check import (
        check_videos,
        describe_repetitions,
        describe_source,
        find_sources,
        with_unique_names,
        write_usable,
    )
    from mmsigma.apis.launch import errors_in_one_line

    with errors_in_one_line(' '.join(args.sources), verbose=args.verbose):
        found = [
            one
            for path in args.sources
            for one in find_sources(path, args.root, args.cfg_options, multi_class=args.multi_class)
        ]
        sources = with_unique_names(found)
        files = list(dict.fromkeys(source.file(path) for source in sources for path, _ in source.entries))
        record = args.out / ('videos_thorough.jsonl' if args.thorough else 'videos.jsonl')
        columns = TextColumn('videos'), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
        with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
            task = progress.add_task('', total=len(files))
            results = check_videos(
                files,
                record,
                num_workers=args.num_workers,
                thorough=args.thorough,
                on_video=lambda facts: progress.advance(task),
            )
        lines = [line for source in sources for line in describe_source(source, results)]
        lines += describe_repetitions(sources, results)
        written = [str(write_usable(args.out, source, results)) for source in sources]
    print('\n'.join([*lines, f'facts {record}', *(f'usable {path}' for path in written)]))


if __name__ == '__main__':
    main()
