"""From annotated names to lists of files: what is found, what is missing, and which classes are kept."""

import argparse
from collections.abc import Callable
from pathlib import Path

import pytest

from mmsigma.datasets.videos.lists import (
    Split,
    converter_parser,
    index_videos,
    keep_part,
    match_files,
    one_file,
    run_converter,
    write_lists,
)


def touch(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


class TestIndex:
    def test_paths_are_relative_to_the_root_by_key(self, tmp_path: Path) -> None:
        touch(tmp_path, 'videos/a/1.mp4', 'videos/b/2.avi', 'other/3.mp4', 'videos/notes.txt')
        assert index_videos(tmp_path, 'videos') == {'1': 'videos/a/1.mp4', '2': 'videos/b/2.avi'}
        by_folder = index_videos(tmp_path, key=lambda path: path.parent.name)
        assert by_folder == {'a': 'videos/a/1.mp4', 'b': 'videos/b/2.avi', 'other': 'other/3.mp4'}

    def test_two_videos_of_a_name_are_both_named(self, tmp_path: Path) -> None:
        touch(tmp_path, 'large/a.mp4', 'small/a.mp4', 'small/b.mp4')
        with pytest.raises(ValueError, match=r'large/a\.mp4 and .*small/a\.mp4 have the same name: .*set --videos'):
            index_videos(tmp_path)
        assert len(index_videos(tmp_path, 'small')) == 2

    def test_linked_folders_are_searched_once(self, tmp_path: Path) -> None:
        touch(tmp_path / 'elsewhere', 'a.mp4', 'b.mp4')
        (tmp_path / 'root').mkdir()
        (tmp_path / 'root' / 'videos').symlink_to(tmp_path / 'elsewhere')
        (tmp_path / 'elsewhere' / 'loop').symlink_to(tmp_path / 'root')
        assert index_videos(tmp_path / 'root') == {'a': 'videos/a.mp4', 'b': 'videos/b.mp4'}


class TestOneFile:
    def test_first_pattern_with_a_match_counts(self, tmp_path: Path) -> None:
        touch(tmp_path, 'b_v2.txt', 'a.txt')
        assert one_file(tmp_path, '*_v1.txt', '*_v2.txt', 'a.txt') == tmp_path / 'b_v2.txt'

    def test_none_and_several(self, tmp_path: Path) -> None:
        touch(tmp_path, 'b.txt', 'a.txt')
        with pytest.raises(FileNotFoundError, match=r'several files in .* match \*\.txt: a\.txt, b\.txt; keep one'):
            one_file(tmp_path, '*.txt')
        with pytest.raises(FileNotFoundError, match=r'no \*\.csv or \*\.json in .*; set --annotations'):
            one_file(tmp_path, '*.csv', '*.json')


class TestKeepPart:
    ANNOTATED = dict(
        train=[('v1 x', 'walk'), ('v2 x', 'run'), ('v3 x', 'walk')],
        val=[('v4 x', 'jump'), ('v5 x', 'run')],
    )
    CLASSES = ('jump', 'run', 'walk')

    def test_everything_in_the_order_of_the_classes(self) -> None:
        wanted, classes = keep_part(self.ANNOTATED, self.CLASSES)
        assert wanted == dict(train=[('v1 x', 2), ('v2 x', 1), ('v3 x', 2)], val=[('v4 x', 0), ('v5 x', 1)])
        assert classes == list(self.CLASSES)

    def test_chosen_classes_are_numbered_as_in_their_file(self, tmp_path: Path) -> None:
        (tmp_path / 'c.txt').write_text('walk\njump\n')
        wanted, classes = keep_part(self.ANNOTATED, self.CLASSES, tmp_path / 'c.txt')
        assert wanted == dict(train=[('v1 x', 0), ('v3 x', 0)], val=[('v4 x', 1)]) and classes == ['walk', 'jump']

    def test_classes_without_a_training_video_left_are_dropped(self, tmp_path: Path) -> None:
        (tmp_path / 'ids.txt').write_text('v2 whatever\nv4\nv5\n')
        wanted, classes = keep_part(
            self.ANNOTATED, self.CLASSES, id_file=tmp_path / 'ids.txt', identity=lambda name: name.split()[0]
        )
        assert wanted == dict(train=[('v2 x', 0)], val=[('v5 x', 0)]) and classes == ['run']

    def test_what_is_unknown_is_named(self, tmp_path: Path) -> None:
        with pytest.raises(ValueError, match=r"2 classes have no label, for example \['jump', 'walk'\]"):
            keep_part(self.ANNOTATED, ['run'])
        (tmp_path / 'f.txt').write_text('fly\n')
        with pytest.raises(ValueError, match=r"f\.txt: no videos of 1 classes, for example \['fly'\]"):
            keep_part(self.ANNOTATED, self.CLASSES, tmp_path / 'f.txt')
        with pytest.raises(ValueError, match=r'no training video has an id of .*f\.txt'):
            keep_part(self.ANNOTATED, self.CLASSES, id_file=tmp_path / 'f.txt')


def split(name: str = 'train', expected: int | None = None) -> Split:
    """Three annotated videos, of which the second is missing."""
    places = dict(a='videos/a.mp4', c='videos/c d.mp4')
    return match_files(name, [('a', 0), ('b', 1), ('c', 1)], places.get, expected)


def test_order_is_that_of_the_annotation() -> None:
    found = split()
    assert found.entries == [('videos/a.mp4', 0), ('videos/c d.mp4', 1)] and found.missing == ['b']
    assert found.every == [('videos/a.mp4', 0), ('b', 1), ('videos/c d.mp4', 1)] and found.total == 3


def test_summary_tells_what_differs_from_the_published_list() -> None:
    assert str(split()) == 'train: 2 files, 2 classes; 1 of 3 missing, listed in train_missing.txt'
    assert str(split(expected=3)) == str(split())
    assert str(split(expected=1200)).endswith('; the annotation lists 3, published are 1,200')
    assert str(Split('val', [('a.mp4', 4)] * 1500)) == 'val: 1,500 files'


class TestWriting:
    def test_lists_classes_and_missing_names(self, tmp_path: Path) -> None:
        (tmp_path / 'val_missing.txt').write_text('of an earlier run')
        write_lists(tmp_path, [split(), Split('val', [('x.mp4', 0)])], ['walk', 'run'])
        content = {path.name: path.read_text() for path in tmp_path.iterdir()}
        assert content == {
            'train.txt': 'videos/a.mp4 0\nvideos/c d.mp4 1\n',
            'train_missing.txt': 'b\n',
            'val.txt': 'x.mp4 0\n',
            'classes.txt': 'walk\nrun\n',
        }

    def test_missing_files_keep_their_places_on_demand(self, tmp_path: Path) -> None:
        write_lists(tmp_path, [split()], keep_missing=True)
        assert (tmp_path / 'train.txt').read_text().splitlines() == ['videos/a.mp4 0', 'b 1', 'videos/c d.mp4 1']

    def test_strictness_writes_no_list(self, tmp_path: Path) -> None:
        with pytest.raises(FileNotFoundError, match='1 of 3 files of train are missing, for example b; .*--strict'):
            write_lists(tmp_path, [Split('val', [('x.mp4', 0)]), split()], ['walk', 'run'], strict=True)
        assert [path.name for path in tmp_path.iterdir()] == ['train_missing.txt']

    def test_nothing_found_is_always_an_error(self, tmp_path: Path) -> None:
        with pytest.raises(FileNotFoundError, match=r'2 of 2 files of val .*to the folder of the videos$'):
            write_lists(tmp_path, [Split('val', [], ['x', 'y'])])

    def test_label_without_a_class(self, tmp_path: Path) -> None:
        with pytest.raises(ValueError, match=r'train: 1 classes, but videos/c d\.mp4 has label 1'):
            write_lists(tmp_path, [split()], ['walk'])
        assert not (tmp_path / 'train.txt').exists()


class TestConverter:
    @pytest.fixture
    def run(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., None]:
        """Runs a converter on ``tmp_path`` that returns or raises what it is given."""

        def run(result: object, *arguments: object, **settings: bool) -> None:
            def convert(args: argparse.Namespace) -> object:
                self.args = args
                if isinstance(result, Exception):
                    raise result
                return result

            monkeypatch.setattr('sys.argv', ['convert.py', str(tmp_path), *map(str, arguments)])
            run_converter(converter_parser('Summary.\n\nDetails.', 'lists'), convert, **settings)

        return run

    def test_folders_of_annotations_and_lists(self, run: Callable[..., None], tmp_path: Path, capsys) -> None:
        run(([split()], []))
        assert self.args.annotations == tmp_path / 'lists' and self.args.videos == ''
        assert capsys.readouterr().out.splitlines() == [str(split()), f'lists in {tmp_path}']
        run(([split()], []), '--annotations', tmp_path / 'x', '--out', tmp_path / 'new' / 'lists', '--keep-missing')
        assert self.args.annotations == tmp_path / 'x'
        lines = (tmp_path / 'new' / 'lists' / 'train.txt').read_text().splitlines()
        assert lines == ['../../videos/a.mp4 0', '../../b 1', '../../videos/c d.mp4 1']

    def test_only_class_names_and_missing_files(self, run: Callable[..., None], tmp_path: Path, capsys) -> None:
        run(([split()], ['walk', 'run']), write=False)
        assert sorted(path.name for path in tmp_path.iterdir()) == ['classes.txt', 'train_missing.txt']
        assert 'nothing to convert: the dataset class reads this format' in capsys.readouterr().out

    @pytest.mark.parametrize('error', [OSError('a b'), ValueError('a b'), KeyError('a b'), ImportError('a b')])
    def test_errors_end_with_their_message(self, run: Callable[..., None], error: Exception) -> None:
        with pytest.raises(SystemExit) as info:
            run(error)
        assert info.value.code == 'a b'

    def test_faults_of_the_code_do_not(self, run: Callable[..., None]) -> None:
        with pytest.raises(ZeroDivisionError):
            run(ZeroDivisionError())
