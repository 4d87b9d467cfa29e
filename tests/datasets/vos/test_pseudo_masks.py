"""Rounds of pseudo masks on disk, and what is loaded of them."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from mmsigma.datasets import (
    ChooseTargets,
    LoadPseudoMasks,
    PseudoMaskRounds,
)
from mmsigma.datasets.transforms import (
    PackClipViews,
)
from mmsigma.datasets.vos.pseudo_masks import PseudoMasks


def ramps(size: tuple[int, int] = (64, 96), count: int = 3) -> list[np.ndarray]:
    """Frames whose channels are x and y."""
    frame = np.zeros((*size, 3), np.uint8)
    frame[..., 0], frame[..., 1] = np.arange(size[1]) * 2, np.arange(size[0])[:, None] * 2
    return [frame] * count


@pytest.fixture
def rounds(tmp_path: Path) -> PseudoMaskRounds:
    """Two rounds of a video with 10 frames, of which every second is clustered; and a video without objects."""
    rounds = PseudoMaskRounds(tmp_path)
    labels = np.zeros((5, 2, 3), np.uint8)
    labels[:, 0, 2], labels[:, 1, 0] = 1, 2
    for number, kept in enumerate(([1, 2], [2])):
        rounds.write_video(number, 'a b/v.mp4', PseudoMasks(labels, np.arange(0, 10, 2), np.array(kept)))
        rounds.write_video(number, 'w.mp4', PseudoMasks(labels, np.arange(0, 10, 2), np.array([], np.int64)))
        rounds.finish(number, dict(round=number))
    return rounds


def load(rounds: PseudoMaskRounds, video: str = 'a b/v.mp4', frames: tuple[int, ...] = (0, 2, 8)) -> np.ndarray | None:
    results = dict(filename=video, frame_inds=np.array(frames), imgs=ramps((8, 12), len(frames)))
    return LoadPseudoMasks(str(rounds.folder))(results)['pseudo_mask']


class TestPseudoMasks:
    def test_the_round_that_counts(self, rounds: PseudoMaskRounds) -> None:
        masks = load(rounds)
        assert masks.shape == (3, 8, 12)
        assert (masks[:, 4:, :4] == 3).all() and np.count_nonzero(masks) == 3 * 16
        rounds.use(0)
        assert (load(rounds)[:, :4, 8:] == 2).all() and np.count_nonzero(load(rounds)) == 3 * 32
        assert rounds.manifest(1) and rounds.manifest(2) is None and rounds.current() == 0

    def test_clusters_are_enlarged_like_an_image(self, tmp_path: Path) -> None:
        labels = np.random.default_rng(0).integers(0, 5, (1, 32, 32), dtype=np.uint8)
        rounds = PseudoMaskRounds(tmp_path)
        rounds.write_video(0, 'v.mp4', PseudoMasks(labels, np.array([0]), np.arange(5)))
        rounds.finish(0, {})
        results = dict(filename='v.mp4', frame_inds=np.array([0]), imgs=[np.zeros((107, 183, 3), np.uint8)])
        masks = LoadPseudoMasks(str(tmp_path))(results)['pseudo_mask']
        expected = Image.fromarray(labels[0] + 1).resize((183, 107), Image.Resampling.NEAREST)
        np.testing.assert_array_equal(masks[0], expected)

    def test_nothing_to_load(self, rounds: PseudoMaskRounds, tmp_path: Path) -> None:
        assert load(rounds, 'w.mp4') is None
        assert load(PseudoMaskRounds(tmp_path / 'none')) is None

    def test_what_does_not_fit_is_named(self, rounds: PseudoMaskRounds) -> None:
        with pytest.raises(ValueError, match='frames .0, 3. were drawn, but clustered frames are 2 apart'):
            load(rounds, frames=(0, 3))
        with pytest.raises(FileNotFoundError, match='round 1 has no pseudo masks of x.mp4'):
            load(rounds, 'x.mp4')

    @pytest.mark.parametrize('share', [0.0, 0.3, 0.7, 0.99])
    def test_damaged_masks(self, rounds: PseudoMaskRounds, share: float) -> None:
        path = rounds.video_path(1, 'a b/v.mp4')
        content = path.read_bytes()
        path.write_bytes(content[: int(share * len(content))])
        with pytest.raises(ValueError, match=r'v_.*npz are damaged .*delete the folder .*round_001 and resume from a'):
            load(rounds)
        middle = len(content) // 4
        path.write_bytes(
            content[:middle] + bytes(byte ^ 255 for byte in content[middle : middle + 40]) + content[middle + 40 :]
        )
        with pytest.raises(ValueError, match='are damaged'):
            load(rounds)

    def test_masks_of_other_frames(self, rounds: PseudoMaskRounds) -> None:
        masks = PseudoMasks(np.zeros((4, 2, 3), np.uint8), np.arange(5), np.array([0]))
        rounds.write_video(1, 'a b/v.mp4', masks)
        with pytest.raises(ValueError, match='labels of 4 frames, but 5 frame numbers'):
            load(rounds)

    @pytest.mark.parametrize('content', ['', '{"round": ', '[]', '{"epoch": 3}', '{"round": null}'])
    def test_damaged_manifest(self, rounds: PseudoMaskRounds, content: str) -> None:
        (rounds.path(1) / 'manifest.json').write_text(content)
        with pytest.raises(ValueError, match=r'round_001/manifest.json is damaged .*: delete the folder .*_001 and'):
            rounds.manifest(1)
        assert rounds.manifest(0)
        (rounds.folder / 'current.json').write_text(content)
        with pytest.raises(ValueError, match='current.json is damaged .*: delete it and resume the run'):
            load(rounds)
        (rounds.folder / 'current.json').unlink()
        assert load(rounds) is None and rounds.current() is None

    def test_targets(self) -> None:
        masks = np.zeros((3, 20, 20), np.uint8)
        for cluster in range(1, 5):
            masks[:, 4 * cluster : 4 * cluster + 2] = cluster
        masks[0, 0, 0] = 9  # a single pixel is not seen
        np.random.seed(0)
        chosen = set()
        for _ in range(40):
            found = ChooseTargets(max_objects=2)(dict(pseudo_mask=masks.copy()))['pseudo_mask']
            assert set(np.unique(found)) == {0, 1, 2}
            chosen.add(tuple(int(masks[0][found[0] == number].max()) for number in (1, 2)))
        assert len(chosen) == 12  # ordered pairs of four clusters
        assert ChooseTargets()(dict(pseudo_mask=np.zeros((3, 9, 9), np.uint8)))['pseudo_mask'] is None
        assert ChooseTargets()(dict(pseudo_mask=None))['pseudo_mask'] is None

    def test_packed(self) -> None:
        results = dict(imgs=ramps((8, 8)), views=ramps((8, 8)), filename='a', frame_inds=np.arange(3))
        geometry = dict(view_centre=(0.0, 0.0), view_zoom=1.0, view_flip=False)
        packed = PackClipViews()({**results, **geometry, 'pseudo_mask': np.ones((3, 8, 8), np.uint8)})
        assert packed['inputs']['images'].shape == (3, 3, 8, 8)
        assert packed['data_samples'].pseudo_mask.shape == (3, 8, 8)
        assert PackClipViews()({**results, **geometry})['data_samples'].pseudo_mask.numel() == 0
        assert torch.equal(packed['inputs']['images'], packed['inputs']['views'])


class TestSoftMasks:
    @staticmethod
    def load(rounds: PseudoMaskRounds, size: tuple[int, int]) -> np.ndarray:
        results = dict(filename='a b/v.mp4', frame_inds=np.array([0, 8]), imgs=ramps(size, 2))
        return LoadPseudoMasks(str(rounds.folder), soft=True)(results)['pseudo_mask']

    def test_cells_are_interpolated(self, rounds: PseudoMaskRounds) -> None:
        rounds.use(0)  # clusters 1 and 2 are kept, 0 is the background
        maps = self.load(rounds, (8, 12))
        assert maps.shape == (2, 8, 12, 3) and maps.dtype == np.uint8
        cells = torch.tensor([[[[1, 1, 0], [0, 1, 1]], [[0, 0, 1], [0, 0, 0]], [[0, 0, 0], [1, 0, 0]]]]).float()
        expected = torch.nn.functional.interpolate(cells, size=(8, 12), mode='bilinear')[0].movedim(0, -1)
        torch.testing.assert_close(torch.from_numpy(maps[1]) / 255, expected, rtol=0, atol=1 / 255)
        assert abs(maps.sum(axis=-1, dtype=np.int64) - 255).max() <= 2

    def test_other_clusters_are_background(self, rounds: PseudoMaskRounds) -> None:
        maps = self.load(rounds, (2, 3))  # a pixel per cell
        assert maps.shape == (2, 2, 3, 2)
        assert (maps[0, ..., 0] / 255).tolist() == [[1, 1, 1], [0, 1, 1]]  # of the second round, cluster 2 is kept

    def test_nothing_to_load(self, rounds: PseudoMaskRounds) -> None:
        results = dict(filename='w.mp4', frame_inds=np.array([0]), imgs=ramps((8, 12), 1))
        assert LoadPseudoMasks(str(rounds.folder), soft=True)(results)['pseudo_mask'] is None

    def test_targets(self) -> None:
        maps = np.zeros((3, 20, 20, 4), np.uint8)
        maps[..., 0] = 55
        maps[:, :10, :, 1], maps[:, 10:, :, 2] = 200, 200
        maps[1:, ..., 3] = 200  # in no more than the later frames, where shares sum to more than 1
        np.random.seed(0)
        orders = set()
        for _ in range(20):
            found = ChooseTargets(max_objects=2)(dict(pseudo_mask=maps))['pseudo_mask']
            assert found.shape == (3, 20, 20, 3)
            orders.add(int(found[0, 0, 0, 1]))
            np.testing.assert_array_equal(found.sum(axis=-1, dtype=np.int64), 255)
        assert orders == {0, 200}
        one = ChooseTargets(max_objects=4)(dict(pseudo_mask=maps[:1, :10]))['pseudo_mask']
        assert one.shape == (1, 10, 20, 5) and one[..., 1].min() == 200 and not one[..., 2:].any()
        assert (one[..., 0] == 55).all()
        assert ChooseTargets()(dict(pseudo_mask=maps[:, :, :, [0, 3]]))['pseudo_mask'] is None

    def test_targets_of_more_than_everything(self) -> None:
        maps = np.full((1, 4, 4, 3), 128, np.uint8)  # rounding of 255 / 2
        found = ChooseTargets()(dict(pseudo_mask=maps))['pseudo_mask']
        assert not found[..., 0].any() and (found[..., 1:] == 128).all()

    def test_packed(self) -> None:
        maps = np.arange(2 * 4 * 4 * 3, dtype=np.uint8).reshape(2, 4, 4, 3)
        packed = PackClipViews()(dict(imgs=ramps((4, 4), 2), pseudo_mask=maps, filename='a', frame_inds=np.arange(2)))
        assert torch.equal(packed['data_samples'].pseudo_mask, torch.from_numpy(maps).movedim(-1, 1))
