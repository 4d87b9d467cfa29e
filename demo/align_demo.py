"""Align two videos of one action, and write a page with both side by side, the cost matrix, and all matches.

The video of both has no sound; videos of activation maps keep that of their source.

python demo/align_demo.py mine.mp4 expert.mp4 gta.pth --out results/mine
python demo/align_demo.py mine.mp4 expert.mp4 gta.pth --labels expert_phases.npy --cam --anomaly other_expert.mp4
"""

import argparse
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from rich.progress import Progress, TaskID

from mmsigma.utils.options import CommandParser, OptionAction
from mmsigma.utils.torch_environment import set_torch_environment

if TYPE_CHECKING:
    from mmsigma.apis import VideoAligner
    from mmsigma.apis.video_aligner import Aligned, Way

CONFIG = 'mmsigma::gta/gta_penn_action'


def parse_args() -> argparse.Namespace:
    parser = CommandParser(description=__doc__.splitlines()[0])
    parser.add_argument('first', help='a video file, or a folder of frames')
    parser.add_argument('second', help='video of the same action, which is played at the pace of the first')
    parser.add_argument('checkpoint', nargs='?', help='weights, unless the config names them')
    parser.add_argument('--config', help=f'one of configs/gta (default: that of the checkpoint, or {CONFIG})')
    parser.add_argument('--out', default='alignment', help='folder of the results')
    parser.add_argument(
        '--how', default='path', choices=('path', 'nearest'), help='match frames by the path or by nearest neighbours'
    )
    parser.add_argument('--cost', choices=('sqeuclidean', 'cosine', 'contrastive'), help='cost of matching two frames')
    parser.add_argument(
        '--path', choices=('dtw', 'slope', 'expected'), help='the cheapest path, the one of bounded pace, or the mean'
    )
    parser.add_argument('--labels', help='labels of the frames of the second video: .npy array, or .json with phases')
    parser.add_argument(
        '--reduce', default='first', choices=('first', 'mean'), help='how to combine labels of several frames'
    )
    parser.add_argument('--cam', action='store_true', help='write videos of activation maps')
    parser.add_argument(
        '--anomaly',
        nargs='*',
        action='extend',  # given twice, both count
        metavar='VIDEO',
        help='typical videos to compare the first with; default: the second',
    )
    parser.add_argument(
        '--height', type=int, default=240, help='height of the frames in side_by_side.mp4, in pixels (default: 240)'
    )
    parser.add_argument('--device', help='cpu or cuda')
    parser.add_argument('--verbose', action='store_true', help='show tracebacks')
    parser.add_argument('--trust-checkpoint', action='store_true', help='allow the checkpoint to execute code')
    parser.add_argument('--cfg-options', nargs='+', action=OptionAction, default={}, help='key=value pairs')
    return parser.parse_args()


def read_labels(path: str) -> np.ndarray:
    """Read an array of labels, or the phases in a JSON file of a dataset."""
    from mmsigma.datasets.alignment.phase_dataset import read_phases

    if path.endswith('.json'):
        return read_phases(Path(path))
    try:
        labels: np.ndarray = np.load(path, allow_pickle=False)
        return labels
    except ValueError as error:
        raise ValueError(f'{path} is not a plain array as written by np.save: {error}') from error


def write_table(path: Path, aligned: 'Aligned', how: 'Way', columns: dict[str, np.ndarray]) -> None:
    """Write one line per frame of the first video; columns with several numbers per frame are left out."""
    from mmsigma.io.tables import write_csv

    matches, frames = aligned.matches(how).numpy(), np.arange(len(aligned.first.embeddings))
    seconds, matched = aligned.first.seconds(), aligned.second.seconds()
    table = {
        'frame': frames,
        'seconds': seconds,
        'matched_frame': matches,
        'matched_seconds': matched[matches],
        **{name: values for name, values in columns.items() if values.ndim == 1},
    }
    write_csv(path, [tuple(table), *zip(*(values.tolist() for values in table.values()), strict=True)])


def write_results(infer: 'VideoAligner', args: argparse.Namespace, bar: Progress) -> tuple['Aligned', list[Path]]:
    """Compute and write everything that the arguments request.

    Returns:
        The alignment and the files written.
    """
    from mmsigma.apis.alignment_report import write_alignment_report
    from mmsigma.checkpoints.files import sha256_of
    from mmsigma.io.atomic import write_atomically
    from mmsigma.io.video import FrameReader, write_playable
    from mmsigma.visualization.activation import draw_activation
    from mmsigma.visualization.alignment import draw_alignment, draw_anomaly, pick_frames, side_by_side

    out, readers = Path(args.out), (FrameReader(args.first), FrameReader(args.second))
    # find errors before the long computation
    labels = None if args.labels is None else read_labels(args.labels)
    if labels is not None and len(labels) != len(readers[1]):
        raise ValueError(f'{args.labels} has {len(labels)} labels, but {args.second} has {len(readers[1])} frames')
    typical = [FrameReader(video) for video in args.anomaly or []]
    embedded, columns = [], {}
    for reader in readers:
        task = bar.add_task(f'embed {reader.path.name}', total=len(reader))
        embedded.append(infer.embed(reader, partial(_advance, bar, task)))
    chosen: dict[str, Any] = {name: getattr(args, name) for name in ('cost', 'path') if getattr(args, name)}
    aligned = infer(embedded[0], embedded[1], **chosen)
    written = [out / name for name in ('alignment.png', 'alignment.csv', 'side_by_side.mp4')]
    if labels is not None:
        columns['label'] = carried = aligned.transfer(labels, args.how, args.reduce)
        written.append(out / 'labels.npy')
        write_atomically(written[-1], lambda name: np.save(name, carried))
    if args.anomaly is not None:
        columns['anomaly'] = infer.anomaly(aligned.first, typical or [aligned.second])
        written.append(out / 'anomaly.png')
        draw_anomaly(columns['anomaly'], written[-1], times=readers[0].times(), name=aligned.first.name)
    names, pictures = (aligned.first.name, aligned.second.name), (pick_frames(readers[0]), pick_frames(readers[1]))
    times = (readers[0].times(), readers[1].times())
    draw_alignment(aligned.cost, aligned.pairs(args.how), written[0], names=names, times=times, frames=pictures)
    write_table(written[1], aligned, args.how, columns)
    played = side_by_side(*readers, aligned.matches(args.how).tolist(), height=args.height)
    write_playable(written[2], bar.track(played, len(readers[0]), description='side by side'), readers[0].fps)
    for reader, name in zip(readers, ('first', 'second'), strict=True) if args.cam else ():
        maps = bar.track(infer.activation(reader), len(reader), description=f'activation of {reader.path.name}')
        written.append(out / f'activation_{name}.mp4')
        drawn = (draw_activation(frame, activation) for activation, frame in zip(maps, reader, strict=True))
        write_playable(written[-1], drawn, reader.fps, sound=reader.path)
    facts = {
        'config': args.config or args.checkpoint or CONFIG,
        'checkpoint': args.checkpoint,
        'SHA-256 of the checkpoint': sha256_of(infer.weights),
    }
    written.append(write_alignment_report(out, aligned, args.how, written, facts))
    return aligned, written


def _advance(bar: Progress, task: TaskID, done: int, total: int) -> None:
    bar.update(task, completed=done)


def main() -> None:
    args = parse_args()
    set_torch_environment()
    from mmsigma.apis import VideoAligner
    from mmsigma.apis.launch import errors_in_one_line
    from mmsigma.apis.models import named_or_own_config

    with errors_in_one_line(args.config or args.checkpoint or CONFIG, verbose=args.verbose):
        infer = VideoAligner(
            *named_or_own_config(args.config, args.checkpoint, CONFIG, trust=args.trust_checkpoint),
            device=args.device,
            options=args.cfg_options,
            trust=args.trust_checkpoint,
        )
        with Progress() as bar:
            aligned, written = write_results(infer, args, bar)
    lengths = [len(video.embeddings) for video in (aligned.first, aligned.second)]
    print(f'{lengths[0]} frames aligned with {lengths[1]}, mean cost of a step {aligned.mean_cost:.4f}')
    print('\n'.join(map(str, written)))


if __name__ == '__main__':
    main()
