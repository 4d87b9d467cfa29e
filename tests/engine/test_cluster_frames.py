"""Clusters of the frames of a long video: those in which they are found, and the others."""

import pytest
import torch

from mmsigma.engine.reclustering import ReclusterSettings, cluster_frames
from tests.ops.test_space_time_clustering import two_of_a_kind


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
