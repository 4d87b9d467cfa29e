"""Stores that grow: only what is new is added, nothing is written again, and what does not fit is an error."""

import os
import shutil
from pathlib import Path

import pytest
import torch

from mmsigma.io import feature_growth
from mmsigma.io.feature_growth import grow, is_store, merge_stores
from mmsigma.io.feature_store import FeatureStore, digest, write_description


def describe(names: str, **changes) -> dict:
    own = dict(num_videos=len(names), shard_size=2, format='safetensors', videos=digest(names), pipeline='p')
    return own | dict(model='m', checkpoint='c', pooling='mean') | changes


def feature(name: str) -> torch.Tensor:
    return torch.full((3,), float(ord(name)))


def fill(store: FeatureStore, names: str, first: int = 0) -> None:
    """Write the missing shards, of the videos ``names`` from row ``first`` on; that of the name ``x`` is unreadable."""
    for shard in store.missing_shards():
        own = [names[row - first] for row in store.rows(shard)]
        good = [name for name in own if name != 'x']
        features = torch.stack([*map(feature, good)]) if good else torch.empty(0)
        failed = [(f'/{name}.mp4', 'damaged') for name in own if name == 'x']
        store.write(
            shard, features, torch.tensor([*map(ord, good)], dtype=torch.long), [f'/{n}.mp4' for n in good], failed
        )


def infos(names: str) -> list[dict]:
    return [dict(filename=f'/{name}.mp4', label=ord(name)) for name in names]


def make(folder: Path, names: str, **changes) -> FeatureStore:
    store = FeatureStore(folder, describe(names, **changes))
    fill(store, names)
    return store


def add(folder: Path, names: str, **changes) -> str:
    """Add the videos of a list to a store; returns the names of those that are new."""
    description, places = grow(folder, describe(names, **changes), infos(names))
    write_description(folder, description)
    store, new = FeatureStore(folder, description), ''.join(names[place] for place in places)
    fill(store, new, store.num_videos - len(new))
    return new


def contents(folder: Path) -> str:
    """Names of the videos of a store, whose features and labels are those of the names."""
    loaded = FeatureStore.open(folder).load()
    names = ''.join(Path(path).stem for path in loaded.paths)
    assert loaded.labels.tolist() == [*map(ord, names)]
    assert torch.equal(loaded.features, torch.stack([*map(feature, names)]))
    return names


def stamps(folder: Path) -> dict[str, int]:
    return {path.name: path.stat().st_mtime_ns for path in folder.glob('shard_*')}


@pytest.mark.parametrize('kind', ['safetensors', 'npz'])
def test_only_new_videos_are_added(tmp_path: Path, kind: str) -> None:
    """Wherever they are in the list; unreadable ones are known, too, and shards of another size follow."""
    make(tmp_path, 'abxcd', format=kind)
    before = stamps(tmp_path)
    assert add(tmp_path, 'eabfxcdgh', format=kind, shard_size=3) == 'efgh' and contents(tmp_path) == 'abcdefgh'
    assert add(tmp_path, 'eabfxcdghi', format=kind) == 'i' and contents(tmp_path) == 'abcdefghi'
    assert before.items() <= stamps(tmp_path).items() and len(stamps(tmp_path)) == 3 + 2 + 1
    store = FeatureStore.open(tmp_path)
    assert [len(store.rows(number)) for number in range(store.num_shards)] == [2, 2, 1, 3, 1, 1]
    assert store.num_videos == 10 and store.load().failed == [('/x.mp4', 'damaged')]


def test_nothing_new(tmp_path: Path) -> None:
    make(tmp_path, 'abc')
    before = FeatureStore.open(tmp_path).description
    for names in ('abc', 'cb'):
        description, places = grow(tmp_path, describe(names), infos(names))
        assert description == before and (places == [0, 1, 2] if names == 'abc' else places == [])
    assert contents(tmp_path) == 'abc'


def test_a_stopped_addition_goes_on(tmp_path: Path) -> None:
    make(tmp_path, 'abc')
    add(tmp_path, 'abcdefg')
    store = FeatureStore.open(tmp_path)
    store.shard_path(2).unlink()
    assert store.missing_shards() == [2] and list(store.rows(2)) == [3, 4]
    assert add(tmp_path, 'abcdefg') == 'defg' and contents(tmp_path) == 'abcdefg'
    store.shard_path(2).unlink()
    with pytest.raises(RuntimeError, match='1 of 4 shards in .* are missing'):  # of another list
        add(tmp_path, 'abcdefgh')


@pytest.mark.parametrize('key', ['model', 'checkpoint', 'pooling', 'pipeline', 'format'])
def test_other_features_are_not_added(tmp_path: Path, key: str) -> None:
    make(tmp_path, 'abc')
    with pytest.raises(ValueError, match=rf'cannot be added to .* other features \({key}: \w+ there, other now\)'):
        add(tmp_path, 'abcd', **{key: 'other'})
    assert contents(tmp_path) == 'abc'


def test_other_labels(tmp_path: Path) -> None:
    make(tmp_path, 'abc')
    with pytest.raises(ValueError, match=r'a\.mp4 has the label 97 in .*, but 5 in the list: correct the list'):
        grow(tmp_path, describe('ab'), [dict(filename='/a.mp4', label=5)])
    with pytest.raises(ValueError, match=r'd\.mp4 is listed by segments'):
        grow(tmp_path, describe('d'), [dict(filename='/d.mp4', label=5, segment_frames=[1])])


def test_longer_lists_without_being_asked_to(tmp_path: Path) -> None:
    make(tmp_path, 'abc')
    with pytest.raises(
        ValueError, match='contains other features .* to add the new videos of a longer list, set --append'
    ):
        FeatureStore(tmp_path, describe('abcd'))
    with pytest.raises(ValueError, match='choose another folder or delete it$'):
        FeatureStore(tmp_path, describe('abcd', model='other'))


def test_stores_of_earlier_versions_go_on(tmp_path: Path) -> None:
    """Their descriptions do not name the pipeline."""
    old = describe('abc')
    del old['pipeline']
    FeatureStore(tmp_path, old)
    assert FeatureStore(tmp_path, describe('abc')).missing_shards() == [0, 1]
    with pytest.raises(ValueError, match='pipeline: None there, p now'):
        grow(tmp_path, describe('abcd'), infos('abcd'))


def test_paths_relative_to_another_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From another folder, videos would not be known, and be added a second time."""
    for folder in ('here', 'there'):
        (tmp_path / folder).mkdir()
    (tmp_path / 'here/a.mp4').write_bytes(b'')
    store = FeatureStore(tmp_path / 'store', describe('a'))
    store.write(0, torch.ones(1, 3), torch.tensor([1]), ['a.mp4'], [])
    longer = [dict(filename=str(tmp_path / f'here/{name}.mp4'), label=1) for name in 'ab']
    monkeypatch.chdir(tmp_path / 'here')
    assert grow(tmp_path / 'store', describe('ab'), longer)[1] == [1]
    monkeypatch.chdir(tmp_path / 'there')
    with pytest.raises(ValueError, match=r'extracted, for example a\.mp4, which does not exist from here'):
        grow(tmp_path / 'store', describe('ab'), longer)


class TestMerging:
    @pytest.mark.parametrize('linked', [True, False])
    def test_all_in_order(self, tmp_path: Path, linked: bool, monkeypatch: pytest.MonkeyPatch) -> None:
        make(tmp_path / '0', 'abx')
        add(tmp_path / '0', 'abxc')
        make(tmp_path / '1', 'dea'.replace('a', 'f'), shard_size=9)
        if not linked:
            monkeypatch.setattr(feature_growth.os, 'link', lambda *_: os.lstat('nothing there'))
        found = merge_stores([tmp_path / '0', tmp_path / '1'], tmp_path / 'out')
        assert contents(tmp_path / 'out') == 'abcdef' and found.failed == [('/x.mp4', 'damaged')]
        same = (tmp_path / 'out/shard_00003.safetensors').samefile(tmp_path / '1/shard_00000.safetensors')
        assert same == linked and is_store(tmp_path / 'out')
        shutil.rmtree(tmp_path / '0')
        assert add(tmp_path / 'out', 'abxcdefg') == 'g' and contents(tmp_path / 'out') == 'abcdefg'
        assert contents(tmp_path / '1') == 'def'

    def test_what_does_not_fit(self, tmp_path: Path) -> None:
        make(tmp_path / '0', 'abc')
        make(tmp_path / '1', 'cd')
        make(tmp_path / '2', 'ef', checkpoint='other')
        FeatureStore(tmp_path / '3', describe('gh'))
        for names, error, message in (
            ('01', ValueError, r'c\.mp4 is both in .*0 and in .*1: merge stores of different videos'),
            ('00', ValueError, r'[abc]\.mp4 is both in .*0 and in .*0: merge stores of different videos'),
            ('02', ValueError, r'are not comparable \(checkpoint: c and other\)'),
            ('03', RuntimeError, '1 of 1 shards in .* are missing'),
            ('4', FileNotFoundError, 'no features in'),
        ):
            with pytest.raises(error, match=message):
                merge_stores([tmp_path / name for name in names], tmp_path / 'out')
            assert not (tmp_path / 'out').exists()
        with pytest.raises(ValueError, match='contains features already'):
            merge_stores([tmp_path / '0'], tmp_path / '1')

    def test_a_stopped_one_is_begun_anew(self, tmp_path: Path) -> None:
        make(tmp_path / '0', 'abc')
        (tmp_path / 'out').mkdir()
        (tmp_path / 'out/shard_00000.safetensors').write_bytes(b'half')
        merge_stores([tmp_path / '0'], tmp_path / 'out')
        assert contents(tmp_path / 'out') == 'abc'

    def test_what_a_stopped_one_left_is_not_taken_for_an_addition(self, tmp_path: Path) -> None:
        make(tmp_path / '0', 'abc')
        make(tmp_path / 'out', 'uvwxyz')
        (tmp_path / 'out/features.json').unlink()
        merge_stores([tmp_path / '0'], tmp_path / 'out')
        assert len(stamps(tmp_path / 'out')) == 2
        assert add(tmp_path / 'out', 'abcd') == 'd' and contents(tmp_path / 'out') == 'abcd'

    def test_shards_that_are_symbolic_links(self, tmp_path: Path) -> None:
        make(tmp_path / '0', 'abc')
        (tmp_path / 'links').mkdir()
        for path in (tmp_path / '0').iterdir():
            (tmp_path / 'links' / path.name).symlink_to(Path('../0', path.name))
        merge_stores([tmp_path / 'links'], tmp_path / 'far/away/out')
        assert contents(tmp_path / 'far/away/out') == 'abc'


@pytest.mark.parametrize('way', ['merged', 'grown'])
def test_it_is_said_where_all_parts_come_from(way: str, tmp_path: Path) -> None:
    def told(videos: str, classes: list[str]) -> dict:
        return dict(made_with=dict(config='a.py', checkpoint='a.pth', videos=videos, classes=classes))

    make(tmp_path / 'one', 'ab', **told('one.txt', ['x', 'y']))
    for number, (classes, kept) in enumerate(((['x', 'y'], ['x', 'y']), (['y', 'x'], []))):
        folder = tmp_path / f'{way}_{number}'
        if way == 'grown':
            shutil.copytree(tmp_path / 'one', folder)
            assert add(folder, 'abc', **told('two.txt', classes)) == 'c'
        else:
            make(tmp_path / f'two_{number}', 'cd', **told('two.txt', classes))
            merge_stores([tmp_path / 'one', tmp_path / f'two_{number}'], folder)
        expected = dict(config='a.py', checkpoint='a.pth', videos='one.txt; two.txt', classes=kept)
        assert FeatureStore.open(folder).description['made_with'] == expected
