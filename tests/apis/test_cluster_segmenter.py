"""Cluster maps of a user's own video: where the weights come from."""

from pathlib import Path

import numpy as np
import pytest
import torch

from mmsigma.apis import ClusterSegmenter
from mmsigma.checkpoints.files import CheckpointError
from mmsigma.registry import MODELS
from mmsigma.utils.config import load_config

CONFIG = Path(__file__).resolve().parents[2] / 'configs' / 'unsupervised_segmentation' / 'vitb_davis17.py'
SMALL = {'model.backbone.arch': 'tiny'}


class Counter:
    """Anything that is no tensor, as old checkpoints have."""


def test_random_weights_are_asked_for() -> None:
    with pytest.raises(ValueError, match='vitb_davis17.py requires a checkpoint'):
        ClusterSegmenter(CONFIG, options=SMALL, device='cpu')
    own = ClusterSegmenter(CONFIG, options=SMALL | dict(weights_in_config=True), device='cpu')
    assert not own.model.training


def test_checkpoints_are_trusted_or_not(tmp_path: Path) -> None:
    model = MODELS.build(load_config(CONFIG, SMALL).model)
    path = tmp_path / 'old.pth'
    torch.save(dict(state_dict=model.state_dict(), counter=Counter()), path)
    with pytest.raises(CheckpointError, match='old.pth'):
        ClusterSegmenter(CONFIG, path, options=SMALL, device='cpu')
    loaded = ClusterSegmenter(CONFIG, path, options=SMALL, device='cpu', trust=True).model
    for name, value in model.state_dict().items():
        torch.testing.assert_close(loaded.state_dict()[name], value)


def test_maps_of_frames_in_memory(tmp_path: Path) -> None:
    settings = dict(device='cpu', num_clusters=3, options=SMALL | dict(weights_in_config=True))
    torch.manual_seed(0)
    segment = ClusterSegmenter(CONFIG, **settings)
    frames = np.random.default_rng(0).integers(0, 256, (segment.num_frames, 40, 60, 3), dtype=np.uint8)
    found, again = segment([frames, iter(frames)])
    np.testing.assert_array_equal(found.clusters, again.clusters)
    assert set(np.unique(found.clusters)) == {0, 1, 2} and found.frame_inds == list(range(segment.num_frames))
    assert found.caption.startswith(f'3 clusters in {segment.num_frames} frames')
    paths = found.save(tmp_path)
    assert [path.name for path in paths] == ['clusters.npy', 'frame_inds.npy', 'table.csv', 'picture.png']
    np.testing.assert_array_equal(np.load(paths[0]), found.clusters)
    shares = [row for row in found.table()[1:] if row[0] == 0]
    assert sum(share for *_, share in shares) == pytest.approx(1)


def test_models_that_do_not_cluster() -> None:
    with pytest.raises(ValueError, match='type SIGMA: use a config of configs/unsupervised_segmentation'):
        ClusterSegmenter('mmsigma::sigma/vitb_k400_mlp', 'sigma.pth', device='cpu')
