"""A round of clustering on videos that are too short or cannot be read, and at a rate."""

import json
import multiprocessing
from pathlib import Path

import numpy as np
import pytest
import torch

from mmsigma.datasets import LoadPseudoMasks, PseudoMaskRounds, VideoDataset
from mmsigma.engine import reclustering
from mmsigma.engine.reclustering import ReclusterSettings, cluster_frames, recluster
from mmsigma.evaluation.vos.davis import contour_accuracy, region_similarity
from mmsigma.io.video import write_mp4
from mmsigma.models.parts import PartError
from tests.davis import ROOT, read_davis_mask, requires_davis
from tests.engine.fakes import Colours
from tests.ops.test_space_time_clustering import two_of_a_kind
from tests.vos_data import SIZE, draw_video, write_frames


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


def test_workers_change_nothing_and_end_with_the_round(tmp_path: Path) -> None:
    """Neither do threads. Of the videos, one has several parts, one cannot be read, and one is too short."""
    videos = folders(tmp_path / 'videos', ant=20, bee=1, cow=5, dog=9)
    (tmp_path / 'videos' / 'cow' / '002.png').write_bytes(b'no picture')
    settings = ReclusterSettings(num_clusters=3, size=32, fit_frames=6, batch_size=1)  # parts of 8 frames
    results, calls, threads = [], [], torch.get_num_threads()
    before = set(multiprocessing.active_children())
    try:
        for number, num_workers in enumerate((0, 2)):
            torch.set_num_threads(number + 1)
            rounds = PseudoMaskRounds(tmp_path / f'rounds_{number}')
            statistics = recluster(
                Colours(),
                videos,
                'frames',
                rounds,
                0,
                settings,
                num_workers=num_workers,
                progress=lambda *n: calls.append(n),
            )
            manifest = json.loads((rounds.path(0) / 'manifest.json').read_text())
            masks = [tuple(array.tobytes() for array in rounds.load(0, video)) for video in videos]
            results.append((statistics, manifest, masks))
            assert torch.get_num_threads() == number + 1
    finally:
        torch.set_num_threads(threads)
    assert results[0] == results[1] and results[0][0]['unreadable'] == 2
    assert calls == 2 * [(done, 4) for done in (1, 2, 3, 4)]

    def interrupt(done: int, total: int) -> None:
        raise SystemExit(143)

    with pytest.raises(SystemExit):
        recluster(Colours(), videos, 'frames', rounds, 1, settings, num_workers=1, progress=interrupt)
    assert set(multiprocessing.active_children()) == before and rounds.manifest(1) is None


def test_errors_of_clustering_in_the_background(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise ValueError('features are not finite')

    monkeypatch.setattr(reclustering, 'cluster_frames', fail)
    with pytest.raises(ValueError, match='features are not finite'):
        recluster(
            Colours(),
            folders(tmp_path / 'videos', ant=3, bee=3),
            'frames',
            PseudoMaskRounds(tmp_path / 'rounds'),
            0,
            ReclusterSettings(size=32),
            num_workers=1,
        )


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


class FineColours(Colours):
    """Mean colours of cells of 8 and of 4 pixels."""

    embed_dims, fine_stride = 3, 4

    def fine_keys(self, images: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.avg_pool2d(images, 4) * self.scale


@pytest.mark.parametrize(
    ('shape', 'size', 'grid'),
    [
        ((480, 854), 256, (32, 57)),
        ((240, 427), 256, (32, 57)),
        ((1080, 1920), 256, (32, 57)),
        ((480, 854), 480, (60, 107)),
        ((854, 480), 256, (57, 32)),
        ((300, 300), 256, (32, 32)),
        ((100, 400), 130, (16, 65)),  # sides are whole cells
    ],
)
def test_cells_at_the_aspect_ratio_of_frames(shape: tuple[int, int], size: int, grid: tuple[int, int]) -> None:
    def cells(encoder: Colours, **settings: bool) -> tuple[int, ...]:
        keys = reclustering._Keys(encoder, ReclusterSettings(size=size, **settings))
        (found,) = keys(torch.from_numpy(keys.resize(np.zeros((*shape, 3), np.uint8)))[None])
        return found.shape[1:]

    assert cells(Colours(), keep_aspect=True) == (*grid, 3)
    rows, columns, _ = cells(FineColours(), keep_aspect=True, fine=True)
    assert rows >= 2 * grid[0] and columns >= 2 * grid[1] - 1
    assert cells(Colours()) == (-(-size // 8), -(-size // 8), 3)


def test_videos_of_all_shapes_in_one_round(tmp_path: Path) -> None:
    """Each has its own grid, and their masks are found at the places of their objects."""
    videos = folders(tmp_path / 'videos', ant=6)
    frames, masks = draw_video(6)
    write_frames(tmp_path / 'videos' / 'high', frames.swapaxes(1, 2), [f'{number:03d}' for number in range(6)])
    rounds, _ = cluster([*videos, str(tmp_path / 'videos' / 'high')], 'frames', tmp_path, keep_aspect=True)
    assert rounds.load(0, videos[0]).labels.shape == (6, 4, 6)  # 36 x 52 pixels are 32 x 46, and then whole cells
    assert rounds.load(0, str(tmp_path / 'videos' / 'high')).labels.shape == (6, 6, 4)
    fine = ReclusterSettings(num_clusters=2, size=64, max_share=0.6, keep_aspect=True, fine=True, code_weight=0.0)
    recluster(FineColours(), videos, 'frames', rounds, 0, fine)
    found = LoadPseudoMasks(str(rounds.folder))(
        dict(filename=videos[0], frame_inds=np.arange(6), imgs=[np.zeros((*SIZE, 3), np.uint8)] * 6)
    )['pseudo_mask']
    assert (
        min(region_similarity((one > 0).astype(np.uint8), true, 1)[0] for one, true in zip(found, masks, strict=True))
        > 0.7
    )


def test_encoders_without_finer_keys(tmp_path: Path) -> None:
    with pytest.raises(
        PartError, match="Colours has no 'embed_dims', 'fine_stride', 'fine_keys', which FineKeyEncoder"
    ):
        cluster(folders(tmp_path, ant=2), 'frames', tmp_path, fine=True)


@pytest.fixture(scope='module')
def true_masks(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[np.ndarray]]:
    """Every tenth mask of the sequences of DAVIS, as videos in black and white."""
    found = {}
    for annotations in sorted((ROOT / 'Annotations/480p').iterdir()):
        numbers = range(0, len([*annotations.glob('*.png')]), 10)
        folder = tmp_path_factory.mktemp(annotations.name)
        found[str(folder / 'video')] = [read_davis_mask(annotations.name, number) for number in numbers]
        pictures = [np.repeat(255 * mask[..., None], 3, axis=2) for mask in found[str(folder / 'video')]]
        write_frames(folder / 'video', np.stack(pictures), [f'{number:05d}' for number in numbers])
    return found


@requires_davis
@pytest.mark.parametrize(
    ('settings', 'grid', 'hard', 'soft'),
    [
        (dict(), (32, 32), 82.3, 83.7),
        (dict(keep_aspect=True), (32, 57), 91.1, 91.8),
        (dict(keep_aspect=True, size=480), (60, 107), 95.6, 96.1),
    ],
)
def test_true_masks_through_the_grids(
    settings: dict, grid: tuple[int, int], hard: float, soft: float, true_masks: dict, tmp_path: Path
) -> None:
    """J&F in percent of clusters that are the true masks, as a network that told them apart perfectly would have."""
    rounds = PseudoMaskRounds(tmp_path)
    chosen = ReclusterSettings(num_clusters=2, code_weight=0.0, max_share=1.0, num_restarts=2, **settings)
    recluster(Colours(), [*true_masks], 'frames', rounds, 0, chosen)
    scores: dict[bool, list[float]] = {False: [], True: []}
    for video, masks in true_masks.items():
        labels = rounds.load(0, video).labels
        assert labels.shape == (len(masks), *grid)
        outside = np.bincount(labels[:, :2, :2].ravel()).argmax()  # the cluster in the corner is the background
        for is_soft, found in scores.items():
            results = dict(filename=video, frame_inds=np.arange(len(masks)), imgs=masks)
            shares = LoadPseudoMasks(str(tmp_path), soft=is_soft)(results)['pseudo_mask']
            objects = shares[..., 2 - outside] > 127 if is_soft else shares == 2 - outside
            for one, true in zip(objects.astype(np.uint8), masks, strict=True):
                found.append((region_similarity(one, true, 1)[0] + contour_accuracy(one, true, 1)[0]) / 2)
    assert (100 * np.mean(scores[False]), 100 * np.mean(scores[True])) == pytest.approx((hard, soft), abs=0.2)
