"""Pages of classification, retrieval and embeddings, and the tool that writes them."""

import csv
import json
import pickle
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from mmsigma.apis import reports
from mmsigma.apis.reports import (
    class_names,
    embed_in_plane,
    nearest_videos,
    write_classification_report,
    write_embedding_report,
    write_retrieval_report,
)
from mmsigma.io.feature_store import Features, FeatureStore
from mmsigma.io.video import write_mp4


@pytest.fixture
def videos(tmp_path: Path) -> list[str]:
    """Six videos of one colour each; the last is broken."""
    paths = [tmp_path / 'videos' / f'{number} <b>.mp4' for number in range(6)]
    for number, path in enumerate(paths[:-1]):
        path.parent.mkdir(exist_ok=True)
        write_mp4(path, [np.full((32, 48, 3), 40 * number, np.uint8)] * 3, 10)
    paths[-1].write_bytes(b'no video')
    return [str(path) for path in paths]


def rows_of(path: Path) -> list[list[str]]:
    with open(path, newline='') as file:
        return list(csv.reader(file))


def test_accuracies_by_class_and_the_surest_mistakes(videos: list[str], tmp_path: Path) -> None:
    scores = torch.tensor([[0.9, 0.1, 0], [0.2, 0.8, 0], [0.6, 0.4, 0], [0, 1, 0], [0.3, 0.7, 0], [0, 0, 1.0]])
    labels = torch.tensor([0, 0, 0, 1, 2, 2])
    path = write_classification_report(
        tmp_path / 'out', scores, labels, names=['jump', 'run', 'sit&'], videos=videos, facts={'config': 'a/b'}
    )
    text = path.read_text()
    assert '<dt>config</dt><dd>a/b</dd><dt>videos</dt><dd>6</dd>' in text
    assert '<td>top-1 accuracy, %</td><td>66.67</td>' in text and '<td>72.22</td>' in text  # (2/3 + 1 + 1/2) / 3
    assert rows_of(tmp_path / 'out' / 'per_class.csv')[1:] == [
        ['sit&', '2', '50.000', 'run (1)'],
        ['jump', '3', '66.667', 'run (1)'],
        ['run', '1', '100.000', ''],
    ]
    first, second = (text.index(words) for words in ('jump as run', 'sit&amp; as run'))
    assert first < second and '1 &lt;b&gt;.mp4' in text  # 0.8 is surer than 0.7
    assert len(list((tmp_path / 'out' / 'report' / 'thumbnails').iterdir())) == 2
    with pytest.raises(ValueError, match='6 scores, 5 labels'):
        write_classification_report(tmp_path, scores, labels[:5])


def make_store(folder: Path, videos: list[str], features: torch.Tensor, labels: torch.Tensor) -> Path:
    store = FeatureStore(folder, dict(num_videos=len(videos), shard_size=100, format='npz', pooling='mean', model='m'))
    store.write(0, features, labels, videos, [])
    return folder


def test_the_nearest_of_a_query_come_in_order(videos: list[str], tmp_path: Path) -> None:
    angles = torch.tensor([0.0, 0.1, 0.3, 1.5, 1.6, 1.9])
    features = torch.stack([angles.cos(), angles.sin()], dim=1) * torch.rand(6, 1).add(1)
    labels = torch.tensor([0, 0, 1, 1, 1, 1])
    text = write_retrieval_report(tmp_path, Features(features, labels, videos, []), num_queries=2).read_text()
    part = text[text.index('<h2>0 &lt;b&gt;.mp4') : text.index('<h2>5 &lt;b&gt;.mp4')]
    places = [part.index(f'alt="{number} &lt;b&gt;.mp4"') for number in range(6)]
    assert places == sorted(places) and f'cosine {np.cos(0.1):.4f}, class 0' in part
    assert '<td>a video of the class among the 1 nearest</td><td>83.3</td>' in text  # all but the third
    assert (tmp_path / 'report' / 'thumbnails').is_dir()


@pytest.mark.parametrize('own', [True, False])
def test_queries_are_compared_some_at_a_time(own: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reports, '_QUERIES', 3)
    queries, bank = torch.randn(8, 5), None if own else torch.randn(11, 5)
    cosines, places = nearest_videos(queries, bank, 4)
    searched = queries if bank is None else bank
    table = torch.nn.functional.cosine_similarity(queries[:, None], searched[None], dim=2)
    if own:
        table.fill_diagonal_(-2)
    expected = table.topk(4, dim=1)
    torch.testing.assert_close(cosines, expected.values)
    assert torch.equal(places, expected.indices)


def test_another_bank_is_searched(videos: list[str], tmp_path: Path) -> None:
    unknown = torch.full((3,), -1)
    queries = Features(torch.eye(3), unknown, videos[:3], [])
    bank = Features(torch.eye(3).flip(0), unknown, videos[3:], [])
    text = write_retrieval_report(tmp_path, queries, bank, num_queries=1).read_text()
    assert 'cosine 1.0000<' in text and 'among the' not in text
    assert text.index('alt="5 ') < text.index('alt="4 ')


def test_groups_are_apart_on_the_map(tmp_path: Path) -> None:
    torch.manual_seed(0)
    centres = torch.eye(8)[:3].repeat_interleave(20, 0)
    features = Features(
        centres + 0.05 * torch.randn(60, 8), torch.arange(3).repeat_interleave(20), [f'{n}.mp4' for n in range(60)], []
    )
    text = write_embedding_report(tmp_path, features, names=['a', 'b', 'c']).read_text()
    assert 't-SNE' in text and text.count('<circle') == 60 + 3  # and a legend
    places = np.array([row[2:] for row in rows_of(tmp_path / 'map.csv')[1:]], float).reshape(3, 20, 2)
    spread = np.linalg.norm(places - places.mean(axis=1, keepdims=True), axis=2).max()
    gaps = np.linalg.norm(np.diff(places.mean(axis=1)[[0, 1, 2, 0]], axis=0), axis=1)
    assert gaps.min() > spread


def test_the_map_says_when_it_is_of_principal_components(monkeypatch, warnings_logged: list[str]) -> None:
    monkeypatch.setitem(sys.modules, 'sklearn.manifold', None)
    points, method = embed_in_plane(torch.randn(10, 4))
    assert points.shape == (10, 2) and 'principal components' in method and 'pip install scikit-learn' in method
    assert [method in warning for warning in warnings_logged] == [True]


def test_names_of_all_classes() -> None:
    assert class_names([], 2) == ['0', '1'] and class_names(['a', 'b', 'c'], 2) == ['a', 'b', 'c']
    with pytest.raises(ValueError, match='names of 1 classes, but 2 classes'):
        class_names(['a'], 2)


def test_from_the_command_line(run_tool: Callable[..., Any], videos: list[str], tmp_path: Path) -> None:
    samples = [
        dict(pred_score=torch.eye(2)[n % 2], gt_label=torch.tensor([n // 3]), filename=path)
        for n, path in enumerate(videos)
    ]
    (tmp_path / 'dump.pkl').write_bytes(pickle.dumps(samples))
    (tmp_path / 'dump.json').write_text(
        json.dumps(dict(config='finetune/x', checkpoint='x.pth', sha256='ab12', classes=['jump', 'run']))
    )
    (tmp_path / 'classes.txt').write_text('leap\nwalk\n')
    run = run_tool('tools/report.py', 'classification', tmp_path / 'dump.pkl', '--classes', tmp_path / 'classes.txt')
    page = tmp_path / 'dump_classification' / 'report.html'
    assert run.status == 0 and str(page) in run.output, run.errors
    assert all(text in page.read_text() for text in ('finetune/x', 'x.pth', 'ab12', 'leap as walk, 100 %'))
    assert run_tool('tools/report.py', 'classification', tmp_path / 'dump.pkl').status == 0
    assert 'jump as run, 100 %' in page.read_text()  # the names that the test knew

    stores = [
        make_store(tmp_path / name, part, torch.randn(len(part), 4), torch.zeros(len(part), dtype=torch.int64))
        for name, part in (('train', videos[:2]), ('val', videos[2:]))
    ]
    told = json.loads((stores[1] / 'features.json').read_text())
    told['made_with'] = dict(config='knn/x', checkpoint='y.pth', videos='my videos', classes=['leap'])
    (stores[1] / 'features.json').write_text(json.dumps(told))
    for arguments, name in (
        (['retrieval', stores[1], '--bank', stores[0], '--number', 2], 'val_retrieval'),
        (['embedding', stores[1], '--out', tmp_path / 'map'], 'map'),
    ):
        run = run_tool('tools/report.py', *arguments)
        assert run.status == 0, run.errors
        text = (tmp_path / name / 'report.html').read_text()
        assert all(part in text for part in ('knn/x', 'y.pth', 'my videos', 'leap'))
    run = run_tool('tools/report.py', 'embedding', stores[0])
    assert run.status == 1 and 'a map of 2 videos says nothing' in run.errors
    assert run_tool('tools/report.py', 'embedding', stores[0], '--bank', stores[1]).status == 2
