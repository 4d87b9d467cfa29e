"""A round of clustering of Mask-VOS as a pipeline against one step after the other, and what its parts take.

    python benchmarks/reclustering.py data/DAVIS/JPEGImages/480p [--workers 2] [--out FILE.json]

Videos are folders of pictures, cut to as many frames as a video of YouTube-VOS has on average. The encoder is a
ResNet-18 on the CPU, and then a stand-in for one on a GPU: it leaves the CPU alone for as long as a GPU would take.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from common import compare, machine, print_table, run_conditions
from torch import Tensor, nn

import mmsigma.models
from mmsigma.datasets.vos.pseudo_masks import PseudoMaskRounds, PseudoMasks
from mmsigma.engine.frame_reading import VideoParts
from mmsigma.engine.reclustering import ReclusterSettings, _Keys, cluster_frames, recluster
from mmsigma.io.atomic import write_atomically
from mmsigma.io.decoders import open_video

assert mmsigma.models
FRAMES = 27  # 94,588 frames of 3,471 videos
WIDTH = 128


class StandIn(nn.Module):
    """Keys from mean colours, after a pause as long as a GPU would take."""

    stride = 8

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self.seconds = seconds
        self.proj = nn.Conv2d(3, WIDTH, 1)

    def forward(self, images: Tensor) -> Tensor:
        time.sleep(self.seconds * len(images))
        return F.normalize(self.proj(F.avg_pool2d(images, 8)), dim=1)


def cut(source: Path, target: Path, number: int) -> list[str]:
    """Links to the first frames of some videos."""
    for video in sorted(folder for folder in source.iterdir() if folder.is_dir())[:number]:
        (target / video.name).mkdir()
        for picture in sorted(video.iterdir())[:FRAMES]:
            (target / video.name / picture.name).symlink_to(picture.resolve())
    return sorted(str(video) for video in target.iterdir())


@torch.no_grad()
def measure_parts(video: str, encoder: nn.Module, folder: Path) -> dict[str, float]:
    """Milliseconds a frame of every part of a video."""
    settings = ReclusterSettings()
    keys = _Keys(encoder, settings)
    frames = open_video(video, 'frames').read(range(FRAMES))
    (part,) = VideoParts([video], 'frames', keys.resize, length=FRAMES)
    batch = torch.cat([keys.geometry.normalize(picture) for picture in part.pictures[: settings.batch_size]])
    features = torch.cat(keys(part.pictures))
    labels, kept, _ = cluster_frames(features, settings)
    masks = PseudoMasks(labels.byte().numpy(), part.frames.numpy(), kept.numpy())
    rounds = PseudoMaskRounds(folder)
    works: dict[str, tuple[int, Callable[[], Any]]] = {
        'read': (FRAMES, lambda: open_video(video, 'frames').read(range(FRAMES))),
        'resize': (FRAMES, lambda: [keys.resize(frame) for frame in frames]),
        'normalise': (FRAMES, lambda: [keys.geometry.normalize(picture) for picture in part.pictures]),
        'encode': (len(batch), lambda: keys.encode(batch)),
        'cluster': (FRAMES, lambda: cluster_frames(features, settings, torch.Generator().manual_seed(0))),
        'write': (FRAMES, lambda: rounds.write_video(0, video, masks)),
    }
    return {name: 1e3 * compare({name: work}, 5)[name] / number for name, (number, work) in works.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('folder', type=Path)
    parser.add_argument('--videos', type=int, default=8)
    parser.add_argument('--workers', type=int, default=2)
    parser.add_argument('--rounds', type=int, default=3)
    parser.add_argument('--pause', type=float, default=0.5, help='milliseconds a frame of the stand-in for a GPU')
    parser.add_argument('--skip-cpu', action='store_true', help='leave out the encoder on the CPU')
    parser.add_argument('--out', type=Path, help='JSON file of the results')
    args = parser.parse_args()
    print(machine())
    torch.manual_seed(0)
    encoder = mmsigma.models.KeyEncoder(depth=18, key_dims=WIDTH).eval()
    record: dict[str, Any] = {**run_conditions(), 'videos': args.videos, 'frames': FRAMES, 'workers': args.workers}
    with tempfile.TemporaryDirectory() as name:
        (Path(name) / 'videos').mkdir()
        videos = cut(args.folder, Path(name) / 'videos', args.videos)
        record['ms_per_frame'] = measure_parts(videos[0], encoder, Path(name) / 'written')
        print({part: round(value, 2) for part, value in record['ms_per_frame'].items()})
        rounds = PseudoMaskRounds(Path(name) / 'rounds')
        for title, chosen in {'ResNet-18 on the CPU': encoder, 'stand-in for a GPU': StandIn(args.pause / 1e3)}.items():
            if args.skip_cpu and chosen is encoder:
                continue

            def cluster(num_workers: int, chosen: nn.Module = chosen) -> None:
                recluster(chosen, videos, 'frames', rounds, 0, ReclusterSettings(), num_workers=num_workers)

            candidates = {'one after the other': lambda: cluster(0), 'pipeline': lambda: cluster(args.workers)}
            medians = compare(candidates, args.rounds)
            print_table(f'{title}, {len(videos)} videos', medians, 'one after the other')
            record[title] = dict(seconds=medians, ratio=medians['one after the other'] / medians['pipeline'])
    if args.out:
        write_atomically(args.out, lambda path: Path(path).write_text(json.dumps(record, indent=1) + '\n'))


if __name__ == '__main__':
    main()
