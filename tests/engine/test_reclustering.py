"""A round of clustering on videos that are too short or cannot be read, and at a rate."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from mmsigma.datasets import PseudoMaskRounds, VideoDataset
from mmsigma.engine import reclustering
from mmsigma.engine.reclustering import ReclusterSettings, cluster_frames, recluster
from mmsigma.io.video import write_mp4
from tests.engine.fakes import Colours
from tests.ops.test_space_time_clustering import two_of_a_kind
from tests.vos_data import draw_video, write_frames


def folders(root: Path, **lengths: int) -> list[str]:
    for name, length in lengths.items():
        write_frames(root / name, draw_video(length)[0], [f'{number:03d}' for number in range(length)])
    return [str(root / name) for name in lengths]


def cluster(videos: list[str], decoder: str, tmp_path: Path, **settings) -> tuple[PseudoMaskRounds, dict]:
    rounds = PseudoMaskRounds(tmp_path / 'rounds')
    chosen = ReclusterSettings(num_clusters=3, size=32, max_share=0.6, num_iters=10, **settings)
    statistics = recluster(Colours(), videos, decoder, rounds, 0, chosen)
    return rounds, statistics


def test_single_frames_are_named_and_counted(tmp_path: Path) -> None:
    videos = folders(tmp_path / 'videos', ant=6, bee=1, cow=5)
    (tmp_path / 'videos' / 'cow' / '002.png').write_bytes(b'no picture')
    rounds, statistics = cluster(videos, 'frames', tmp_path)
    assert (statistics['videos'], statistics['unreadable']) == (3, 2)
    failed = dict(json.loads((rounds.path(0) / 'manifest.json').read_text())['failed'])
    assert failed == {
        videos[1]: 'it has 1 frames at a step of 1, 2 are required',
        videos[2]: '002.png cannot be read as an image',
    }
    assert len(rounds.load(0, videos[0]).labels) == 6
    assert [rounds.load(0, video).kept.tolist() for video in videos[1:]] == [[], []]  # no part in the second loss


def test_single_frames_are_replaced_in_training(tmp_path: Path) -> None:
    folders(tmp_path, ant=6, bee=1)
    reads = dict(type='ReadClip', decoder='frames', sampling=dict(type='SampleCorrespondingFrames'))
    pipeline = [reads, dict(type='ScaleCropFlip', size=32, short_side=(32, 36)), dict(type='PackClipViews')]
    dataset = VideoDataset(pipeline, data_prefix=dict(video=str(tmp_path)), folders=True)
    np.random.seed(0)
    sample = dataset[1]['data_samples']
    assert Path(sample.filename).name == 'ant'
    (first, *_) = sample.failures
    assert first == (str(tmp_path / 'bee'), 'it has 1 frames at a step of 1, 2 are required')


@pytest.mark.parametrize(('rate', 'expected'), [(24, [0, 3, 6, 9]), (8, list(range(11)))])
def test_frames_at_a_rate(rate: int, expected: list[int], tmp_path: Path) -> None:
    video = str(tmp_path / 'video.mp4')
    write_mp4(video, draw_video(11)[0], fps=rate)
    rounds, statistics = cluster([video], 'decord', tmp_path, fps=8)
    assert statistics['unreadable'] == 0 and rounds.load(0, video).frames.tolist() == expected


def test_every_round_and_video_has_a_seed_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    videos, seeds = folders(tmp_path / 'videos', ant=3, bee=3), []

    def record(features: torch.Tensor, settings: ReclusterSettings, generator: torch.Generator) -> tuple:
        seeds.append(generator.initial_seed())
        return cluster_frames(features, settings, generator)

    monkeypatch.setattr(reclustering, 'cluster_frames', record)
    rounds, settings = PseudoMaskRounds(tmp_path / 'rounds'), ReclusterSettings(size=32, num_iters=2)
    for number, seed in ((0, 0), (1, 0), (0, 1), (0, 0)):
        recluster(Colours(), videos, 'frames', rounds, number, settings, seed=seed)
    assert len(set(seeds)) == 6 and seeds[:2] == seeds[6:]


def test_everything_is_background(tmp_path: Path) -> None:
    videos = folders(tmp_path / 'videos', ant=4)
    rounds = PseudoMaskRounds(tmp_path / 'rounds')
    statistics = recluster(Colours(), videos, 'frames', rounds, 0, ReclusterSettings(size=32, max_share=0.01))
    assert (statistics['without_objects'], statistics['unreadable'], statistics['clusters_per_video']) == (1, 0, 0)
    assert not len(rounds.load(0, videos[0]).kept)


@pytest.mark.parametrize('fit_frames', [6, 20])
def test_place_separates_what_looks_the_same(fit_frames: int) -> None:
    features = two_of_a_kind(15)
    settings = ReclusterSettings(num_clusters=3, fit_frames=fit_frames, num_restarts=5)
    labels, kept, shares = cluster_frames(features, settings, torch.Generator().manual_seed(0))
    assert (labels == labels[0, 0]).all() and sorted(labels[0, 0].tolist()) == [0, 1, 2]
    assert kept.tolist() == [0, 1, 2] and shares.tolist() == pytest.approx([1 / 3] * 3)
    # without the code the two cannot be told apart
    labels, *_ = cluster_frames(features, settings._replace(code_weight=0.0), torch.Generator().manual_seed(0))
    assert not (labels == labels[0, 0]).all()


def test_frames_beyond_those_clustered() -> None:
    generator = torch.Generator().manual_seed(0)
    looks = torch.nn.functional.normalize(torch.randn(3, 12, generator=generator), dim=1)
    truth = torch.zeros(9, 6, 6, dtype=torch.int64)
    truth[:, :2, :2], truth[:, 4:, 4:] = 1, 2
    features = looks[truth] + 0.01 * torch.randn(9, 6, 6, 12, generator=generator)
    settings = ReclusterSettings(num_clusters=3, fit_frames=4, num_restarts=4)
    labels, kept, shares = cluster_frames(features, settings, torch.Generator().manual_seed(1))
    assert labels.shape == (9, 6, 6) and len(kept) == 2 and shares.max() == pytest.approx(28 / 36)
    pairs = {(int(a), int(b)) for a, b in zip(labels.flatten(), truth.flatten(), strict=True)}
    assert len(pairs) == 3


def test_the_encoder_is_in_evaluation_mode_and_then_as_before(tmp_path: Path) -> None:
    """Its norms have the statistics of training, not those of the frames of one video."""
    modes = []

    class Watched(Colours):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            modes.append(self.training)
            return super().forward(images)

    encoder = Watched().train()
    settings = ReclusterSettings(num_clusters=3, size=32, num_iters=3)
    recluster(
        encoder, folders(tmp_path / 'videos', ant=6), 'frames', PseudoMaskRounds(tmp_path / 'rounds'), 0, settings
    )
    assert modes and not any(modes) and encoder.training
