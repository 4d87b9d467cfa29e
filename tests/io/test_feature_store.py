"""Stored features: what is written is read, what is incomplete or different is an error."""

import json

import pytest
import torch

from mmsigma.io.feature_store import FeatureStore, digest, file_digest, load_pair


def describe(**changes) -> dict:
    return dict(num_videos=5, shard_size=2, format='safetensors', checkpoint='a.pth') | changes


def fill(store: FeatureStore, shards: list[int]) -> torch.Tensor:
    features = torch.arange(10, dtype=torch.float32).view(5, 2)
    for shard in shards:
        rows = store.rows(shard)
        labels = torch.tensor(list(rows))
        store.write(shard, features[list(rows)], labels, [f'{row}.mp4' for row in rows], [])
    return features


@pytest.mark.parametrize('kind', ['safetensors', 'npz'])
def test_there_and_back(tmp_path, kind: str) -> None:
    store = FeatureStore(tmp_path / 'f', describe(format=kind))
    features = fill(store, [2, 0, 1])
    loaded = FeatureStore.open(tmp_path / 'f').load()
    assert torch.equal(loaded.features, features) and loaded.labels.tolist() == [0, 1, 2, 3, 4]
    assert loaded.paths == ['0.mp4', '1.mp4', '2.mp4', '3.mp4', '4.mp4'] and loaded.failed == []
    assert sorted(path.name for path in (tmp_path / 'f').iterdir())[0] == 'features.json'
    assert not list((tmp_path / 'f').glob('.*'))


@pytest.mark.parametrize('kind', ['safetensors', 'npz'])
def test_rows_that_stay_on_the_disk(tmp_path, kind: str) -> None:
    store = FeatureStore(tmp_path, describe(format=kind))
    features = fill(store, [0, 1, 2])
    rows = store.open_rows().features
    assert rows.shape == (5, 2) and rows.ndim == 2 and len(rows) == 5
    chosen = torch.tensor([4, 0, 3, 3, 1])
    assert torch.equal(rows[chosen], features[chosen]) and torch.equal(rows.load(), features)
    assert torch.equal(torch.cat([*rows.split(1)]), features) and max(map(len, rows.split(9))) == 2


def test_shards_without_a_readable_video(tmp_path) -> None:
    store = FeatureStore(tmp_path, describe(num_videos=4))
    store.write(0, torch.empty(0), torch.empty(0, dtype=torch.long), [], [('0.mp4', 'broken'), ('1.mp4', 'empty')])
    store.write(1, torch.ones(1, 3), torch.tensor([7]), ['2.mp4'], [('3.mp4', 'broken')])
    loaded = store.load()
    assert loaded.features.shape == (1, 3) and loaded.labels.tolist() == [7]
    assert torch.equal(store.open_rows().features[torch.tensor([0])], torch.ones(1, 3))
    assert loaded.failed == [('0.mp4', 'broken'), ('1.mp4', 'empty'), ('3.mp4', 'broken')]


def test_incomplete(tmp_path) -> None:
    store = FeatureStore(tmp_path, describe())
    fill(store, [0, 2])
    assert store.missing_shards() == [1] and list(store.rows(2)) == [4]
    with pytest.raises(RuntimeError, match='1 of 3 shards in .* are missing: run the extraction again'):
        store.load()


def test_other_features_in_the_same_folder(tmp_path) -> None:
    FeatureStore(tmp_path, describe())
    with pytest.raises(ValueError, match=r'contains other features \(checkpoint: a.pth there, b.pth now\)'):
        FeatureStore(tmp_path, describe(checkpoint='b.pth'))
    assert json.loads((tmp_path / 'features.json').read_text())['checkpoint'] == 'a.pth'


def write_store(folder, names: str, **changes) -> FeatureStore:
    store = FeatureStore(folder, describe(num_videos=len(names), shard_size=9, model='m', pooling='mean') | changes)
    store.write(0, torch.randn(len(names), 3), torch.arange(len(names)), [f'{name}.mp4' for name in names], [])
    return store


def test_pair_of_stores(tmp_path) -> None:
    write_store(tmp_path / 'train', 'abc')
    write_store(tmp_path / 'val', 'de', dtype='float16')
    train, val = load_pair(tmp_path / 'train', tmp_path / 'val')
    assert (train.paths, val.paths) == (['a.mp4', 'b.mp4', 'c.mp4'], ['d.mp4', 'e.mp4'])


@pytest.mark.parametrize('key', ['model', 'checkpoint', 'pooling'])
def test_stores_of_different_models_are_no_pair(tmp_path, key: str) -> None:
    write_store(tmp_path / 'train', 'abc')
    write_store(tmp_path / 'val', 'de', **{key: 'other'})
    with pytest.raises(
        ValueError, match=rf'are not comparable \({key}: [\w.]+ and other\): extract both with the same model'
    ):
        load_pair(tmp_path / 'train', tmp_path / 'val')


@pytest.mark.parametrize(
    ('names', 'message'), [('abc', '3 of the 3'), ('cd', r'1 of the 2 .*also in .*train.*: c\.mp4')]
)
def test_videos_are_not_evaluated_on_themselves(tmp_path, names: str, message: str) -> None:
    write_store(tmp_path / 'train', 'abc')
    write_store(tmp_path / 'val', names)
    with pytest.raises(ValueError, match=f'{message}'):
        load_pair(tmp_path / 'train', tmp_path / 'val')


def test_no_features(tmp_path) -> None:
    with pytest.raises(FileNotFoundError, match=r'no features in .*extract them by mmsigma extract'):
        FeatureStore.open(tmp_path)


def test_digests_tell_settings_and_files_apart(tmp_path) -> None:
    settings = dict(type='A', sizes=(1, 2))
    assert digest(settings) == digest(dict(sizes=(1, 2), type='A')) != digest(dict(type='A', sizes=(1, 3)))
    for name, content in (('a', b'1'), ('b', b'1'), ('c', b'2')):
        (tmp_path / name).write_bytes(content)
    assert file_digest(tmp_path / 'a') == file_digest(tmp_path / 'b') != file_digest(tmp_path / 'c')


def test_descriptions_do_not_lead_out_of_the_folder(tmp_path) -> None:
    store = FeatureStore(tmp_path / 'f', describe(format='/../../evil.npz'))
    with pytest.raises(ValueError, match='leads out of'):
        fill(store, [0])


@pytest.mark.parametrize('kind', ['safetensors', 'npz'])
def test_damaged_shards_are_named(tmp_path, kind: str) -> None:
    store = FeatureStore(tmp_path, describe(format=kind))
    fill(store, [0, 1, 2])
    path = store.shard_path(1)
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(RuntimeError, match=rf'shard_00001\.{kind} is damaged .*: delete it and run the extr'):
        store.load()


def test_shards_of_nothing(tmp_path) -> None:
    with pytest.raises(ValueError, match='shards have one video or more, got a shard_size of 0'):
        FeatureStore(tmp_path, describe(shard_size=0))


def test_a_video_is_found_by_any_path_to_it(tmp_path) -> None:
    (tmp_path / 'videos').mkdir()
    (tmp_path / 'other').symlink_to('videos')
    for name, folder in (('train', 'videos'), ('val', 'other')):
        store = FeatureStore(tmp_path / name, describe(num_videos=1))
        store.write(0, torch.ones(1, 3), torch.tensor([0]), [str(tmp_path / folder / '0.mp4')], [])
    with pytest.raises(ValueError, match='1 of the 1 videos in .*val are also in .*train'):
        load_pair(tmp_path / 'train', tmp_path / 'val')
