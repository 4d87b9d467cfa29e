"""Align two videos of one action; writes them side by side, the table of costs, and what belongs to each frame.

python demo/align_demo.py mine.mp4 expert.mp4 gta.pth --out results/mine
python demo/align_demo.py mine.mp4 expert.mp4 gta.pth --labels expert_phases.npy --cam --anomaly other_expert.mp4
"""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from mmengine.config import DictAction
from rich.progress import Progress

if TYPE_CHECKING:
    from mmsigma.apis import VideoAligner
    from mmsigma.apis.video_aligner import Aligned

CONFIG = 'configs/gta/gta_penn_action.py'


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('first', help='a video file, or a folder of frames')
    parser.add_argument('second', help='another one of the same action, which is played in the time of the first')
    parser.add_argument('checkpoint', nargs='?', help='weights, where the config does not name them')
    parser.add_argument('--config', default=CONFIG, help='one of configs/gta')
    parser.add_argument('--out', default='alignment', help='folder of the results')
    parser.add_argument('--how', default='path', choices=('path', 'nearest'), help='by the path, or nearest frames')
    parser.add_argument('--labels', help='what is known of each frame of the second: array .npy, or phases .json')
    parser.add_argument('--reduce', default='first', choices=('first', 'mean'), help='of labels of several frames')
    parser.add_argument('--cam', action='store_true', help='videos of what embeddings respond to')
    parser.add_argument(
        '--anomaly', nargs='*', metavar='VIDEO', help='how unlike these each frame of the first is; the second alone'
    )
    parser.add_argument('--device', help='cpu or cuda')
    parser.add_argument('--verbose', action='store_true', help='whole tracebacks')
    parser.add_argument('--trust-checkpoint', action='store_true', help='allow the checkpoint to execute code')
    parser.add_argument('--cfg-options', nargs='+', action=DictAction, default={}, help='key=value pairs')
    return parser.parse_args()


def read_labels(path: str) -> np.ndarray:
    """The array of a file that holds no objects, or the phases in a JSON file of a data set."""
    from mmsigma.datasets.alignment.phase_dataset import read_phases

    if path.endswith('.json'):
        return read_phases(Path(path))
    try:
        return np.load(path, allow_pickle=False)
    except ValueError as error:
        raise ValueError(f'{path} has no plain array, as np.save writes it: {error}') from error


def write_table(path: Path, aligned: 'Aligned', how: str, columns: dict[str, np.ndarray]) -> None:
    """Write a line for each frame of the first video; what has several numbers for a frame is left out."""
    from mmsigma.io.tables import write_csv

    matches, frames = aligned.matches(how).numpy(), np.arange(len(aligned.first.embeddings))
    table = {
        'frame': frames,
        'seconds': frames / aligned.first.fps,
        'matched_frame': matches,
        'matched_seconds': matches / aligned.second.fps,
        **{name: values for name, values in columns.items() if values.ndim == 1},
    }
    write_csv(path, [tuple(table), *zip(*(values.tolist() for values in table.values()), strict=True)])


def write_results(infer: 'VideoAligner', args: argparse.Namespace, bar: Progress) -> tuple['Aligned', list[Path]]:
    """Do all that the arguments ask for; returns the alignment and the files."""
    from mmsigma.io.atomic import write_atomically
    from mmsigma.io.video import FrameReader, write_mp4
    from mmsigma.visualization.activation import draw_activation
    from mmsigma.visualization.alignment import draw_alignment, draw_anomaly, pick_frames, side_by_side

    out, readers = Path(args.out), (FrameReader(args.first), FrameReader(args.second))
    # what can be wrong is found before the long work
    labels = None if args.labels is None else read_labels(args.labels)
    if labels is not None and len(labels) != len(readers[1]):
        raise ValueError(f'{args.labels} has {len(labels)} labels, and {args.second} {len(readers[1])} frames')
    typical = [FrameReader(video) for video in args.anomaly or []]
    embedded, columns = [], {}
    for reader in readers:
        task = bar.add_task(f'embed {reader.path.name}', total=len(reader))
        embedded.append(infer.embed(reader, lambda done, total, task=task: bar.update(task, completed=done)))
    aligned = infer(*embedded)
    written = [out / name for name in ('alignment.png', 'alignment.csv', 'side_by_side.mp4')]
    if labels is not None:
        columns['label'] = carried = aligned.transfer(labels, args.how, args.reduce)
        written.append(out / 'labels.npy')
        write_atomically(written[-1], lambda name: np.save(name, carried))
    if args.anomaly is not None:
        columns['anomaly'] = infer.anomaly(aligned.first, typical or [aligned.second])
        written.append(out / 'anomaly.png')
        draw_anomaly(columns['anomaly'], written[-1], fps=readers[0].fps, name=aligned.first.name)
    names, pictures = (aligned.first.name, aligned.second.name), (pick_frames(readers[0]), pick_frames(readers[1]))
    draw_alignment(aligned.cost, aligned.pairs(args.how), written[0], names=names, frames=pictures)
    write_table(written[1], aligned, args.how, columns)
    played = side_by_side(*readers, aligned.matches(args.how).tolist())
    write_mp4(written[2], bar.track(played, len(readers[0]), description='side by side'), readers[0].fps)
    for reader, name in zip(readers, ('first', 'second'), strict=True) if args.cam else ():
        maps = bar.track(infer.activation(reader), len(reader), description=f'activation of {reader.path.name}')
        written.append(out / f'activation_{name}.mp4')
        drawn = (draw_activation(frame, activation) for activation, frame in zip(maps, reader, strict=True))
        write_mp4(written[-1], drawn, reader.fps)
    return aligned, written


def main() -> None:
    args = parse_args()
    from mmsigma.apis import VideoAligner
    from mmsigma.apis.launch import errors_in_one_line

    with errors_in_one_line(args.config, verbose=args.verbose):
        infer = VideoAligner(
            args.config,
            args.checkpoint,
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
