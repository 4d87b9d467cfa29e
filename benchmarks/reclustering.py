"""A round of clustering of Mask-VOS as a pipeline against one step after the other, and what its parts take.

    python benchmarks/reclustering.py data/DAVIS/JPEGImages/480p [--workers 2] [--out FILE.json]

Videos are folders of pictures, cut to as many frames as a video of YouTube-VOS has on average, and enlarged to the size
of these. In rounds, what a GPU would do is replaced by pauses that leave the CPU alone for as long.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import torch
import torch.nn.functional as F
from common import compare, machine, print_table, run_conditions
from torch import Tensor, nn

import mmsigma.models
from mmsigma.datasets.vos.pseudo_masks import PseudoMaskRounds, PseudoMasks
from mmsigma.engine import reclustering
from mmsigma.engine.frame_reading import VideoParts
from mmsigma.engine.reclustering import ReclusterSettings, _Keys, cluster_frames, recluster
from mmsigma.io.atomic import write_atomically
from mmsigma.io.decoders import open_video

FRAMES = 27  # 94,588 frames of 3,471 videos
SIZE = 1280, 720


class StandIn(nn.Module):
    """Mean colours, after a pause as long as an encoder on a GPU would take."""

    stride = 8

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self.seconds = seconds
        self.scale = nn.Parameter(torch.ones(()))

    def forward(self, images: Tensor) -> Tensor:
        time.sleep(self.seconds * len(images))
        return F.avg_pool2d(images, 8) * self.scale


def pause_to_cluster(features: Tensor, *_: object, seconds: float) -> tuple[Tensor, Tensor, Tensor]:
    """Labels by brightness, after a pause as long as k-means on a GPU would take."""
    time.sleep(seconds)
    labels = (features.mean(dim=-1) > 0).long()
    return labels, torch.tensor([0, 1]), torch.tensor([0.5, 0.5])


def cut(source: Path, target: Path, number: int) -> list[str]:
    """Write the first frames of the videos, enlarged, and link to them until there are as many videos as wanted."""
    videos = sorted(folder for folder in source.iterdir() if folder.is_dir())[:number]
    for video in videos:
        (target / video.name).mkdir()
        for picture in sorted(video.iterdir())[:FRAMES]:
            cv2.imwrite(str(target / video.name / picture.name), cv2.resize(cv2.imread(str(picture)), SIZE))
    for place in range(len(videos), number):
        (target / f'again_{place}').symlink_to(target / videos[place % len(videos)].name)
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
    parser.add_argument('--videos', type=int, default=40)
    parser.add_argument('--workers', type=int, default=2)
    parser.add_argument('--rounds', type=int, default=3)
    parser.add_argument('--encode', type=float, default=2.0, help='pause of the encoder, in milliseconds a frame')
    parser.add_argument('--cluster', type=float, default=50.0, help='pause of k-means, in milliseconds a video')
    parser.add_argument('--out', type=Path, help='JSON file of the results')
    args = parser.parse_args()
    print(machine())
    torch.manual_seed(0)
    encoder = mmsigma.models.KeyEncoder(depth=18, key_dims=128).eval()
    options = {name: value for name, value in vars(args).items() if name not in ('folder', 'out')}
    record: dict[str, Any] = {**run_conditions(), **options, 'frames': FRAMES, 'size': SIZE}
    with tempfile.TemporaryDirectory() as name:
        (Path(name) / 'videos').mkdir()
        videos = cut(args.folder, Path(name) / 'videos', args.videos)
        record['ms_per_frame'] = measure_parts(videos[0], encoder, Path(name) / 'written')
        print({part: round(value, 2) for part, value in record['ms_per_frame'].items()}, flush=True)
        reclustering.cluster_frames = partial(pause_to_cluster, seconds=args.cluster / 1e3)
        rounds, pauses = PseudoMaskRounds(Path(name) / 'rounds'), StandIn(args.encode / 1e3)

        def cluster(num_workers: int) -> None:
            recluster(pauses, videos, 'frames', rounds, 0, ReclusterSettings(), num_workers=num_workers)

        candidates = {'one after the other': lambda: cluster(0), 'pipeline': lambda: cluster(args.workers)}
        medians = compare(candidates, args.rounds)
        print_table(f'a round of {len(videos)} videos', medians, 'one after the other')
        record |= dict(seconds=medians, ratio=medians['one after the other'] / medians['pipeline'])
    if args.out:
        write_atomically(args.out, lambda path: Path(path).write_text(json.dumps(record, indent=1) + '\n'))


if __name__ == '__main__':
    main()
