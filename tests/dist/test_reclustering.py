"""A round of clustering by two processes is that of one."""

import json
from pathlib import Path

import numpy as np
import pytest

from mmsigma.synthetic.demo_data import render_demo_video
from mmsigma.io.video import write_mp4
from mmsigma.ops.space_time_clustering import Method
from tests.dist.reclustering_workers import cluster_worker
from tests.dist.workers import run_ranks


@pytest.mark.parametrize(
    ('method', 'keep_aspect', 'num_workers'), [('kmeans', False, 0), ('sinkhorn', False, 0), ('kmeans', True, 1)]
)
def test_two_processes_equal_one(method: Method, keep_aspect: bool, num_workers: int, tmp_path: Path) -> None:
    """With workers, too, that the one process does without."""
    videos = []
    for index in range(5):
        videos.append(str(tmp_path / f'v{index}.mp4'))
        write_mp4(videos[-1], render_demo_video(index).frames, fps=12)
    (tmp_path / 'v5.mp4').write_text('no video')
    videos.append(str(tmp_path / 'v5.mp4'))
    results = {}
    for number in (1, 2):
        store = tmp_path / f'store_{number}'
        store.mkdir()
        folder = str(tmp_path / f'rounds_{number}')
        results[number] = run_ranks(cluster_worker, number, store, videos, folder, method, keep_aspect, (number - 1) * num_workers)
    assert results[1][0] == results[2][0] == results[2][1]
    assert results[1][0]['unreadable'] == 1 and results[1][0]['videos'] == 6
    one, two = (tmp_path / f'rounds_{number}' / 'round_000' for number in (1, 2))
    names = sorted(path.name for path in one.glob('*.npz'))
    assert len(names) == 6 and names == sorted(path.name for path in two.glob('*.npz'))
    for name in names:
        with np.load(one / name) as first, np.load(two / name) as second:
            assert all(np.array_equal(first[key], second[key]) for key in ('labels', 'frames', 'kept'))
    manifests = [json.loads((folder / 'manifest.json').read_text()) for folder in (one, two)]
    assert manifests[0] == manifests[1] and 'v5.mp4' in manifests[0]['failed'][0][0]
