"""Probes from the command line, on stores of features."""

from pathlib import Path

import pytest
import torch

from mmsigma.io.feature_store import FeatureStore

TOOL = 'tools/probe.py'


def write_store(folder: Path, numbers: range, checkpoint: str = 'a') -> Path:
    """Features of videos of two classes, which are far apart."""
    description = dict(num_videos=len(numbers), shard_size=100, format='npz', model='m', checkpoint=checkpoint)
    labels = torch.tensor([number % 2 for number in numbers])
    features = torch.randn(len(numbers), 4) + 20 * torch.eye(4)[labels]
    FeatureStore(folder, description).write(0, features, labels, [f'{number}.mp4' for number in numbers], [])
    return folder


@pytest.mark.parametrize('probe', ['knn', 'linear'])
def test_classes_that_are_far_apart(run_tool, tmp_path, probe: str) -> None:
    train, val = write_store(tmp_path / 'train', range(8)), write_store(tmp_path / 'val', range(8, 12))
    result = run_tool(TOOL, probe, train, val, '--k', 1, '--lr', 1e-1)
    assert result.status == 0 and 'top1' in result.output and ' 100' in result.output


def test_features_of_two_models_or_of_the_same_videos(run_tool, tmp_path) -> None:
    train = write_store(tmp_path / 'train', range(8))
    result = run_tool(TOOL, 'knn', train, write_store(tmp_path / 'other', range(8, 12), checkpoint='b'))
    assert result.status == 1 and 'are not comparable (checkpoint: a and b)' in result.errors
    result = run_tool(TOOL, 'knn', train, train)
    assert result.status == 1 and '8 of the 8 videos in' in result.errors
