"""Annotations and phases of Penn Action, and how many videos others have listed."""

from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat

from mmsigma.datasets.alignment.penn_action import (
    COUNTS,
    NUM_PHASES,
    PennVideo,
    action_name,
    check_phases,
    count_table,
    find_phase_files,
    published_counts,
    read_penn_video,
)


def save(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    np.save(path, np.zeros(2))
    return path


def test_published_counts() -> None:
    totals = {
        source: [sum(pair[part] for pair in published_counts(source).values()) for part in ('train', 'val')]
        for source in COUNTS
    }
    assert totals['GTA'] == [1172, 978] and totals['CARL'] == [1140, 966]
    assert published_counts('TCC')['bowl'] == dict(train=134, val=84)


@pytest.mark.parametrize(
    ('name', 'action'),
    [
        ('bowling', 'bowl'),
        ('pushups', 'pushup'),
        ('squats', 'squat'),
        ('situp', 'situp'),
        ('bench_presses', 'bench_press'),
    ],
)
def test_other_spellings(name: str, action: str) -> None:
    assert action_name(name) == action


@pytest.mark.parametrize('name', ['dancing', 'jump_rope', '', 'bowlings'])
def test_other_actions(name: str) -> None:
    with pytest.raises(ValueError, match=f"'{name}' is not one of the 13 actions baseball_pitch, .*, tennis_serve$"):
        action_name(name)


@pytest.mark.parametrize(
    ('action', 'flag', 'part'), [('golf_swing', 1, 'train'), ('squat', -1, 'val'), ('jump_rope', 1, 'train')]
)
def test_annotation_of_a_video(action: str, flag: int, part: str, tmp_path: Path) -> None:
    savemat(tmp_path / '0042.mat', dict(action=action, train=flag, nframes=np.uint8(9), bbox=np.zeros((9, 4))))
    assert read_penn_video(tmp_path / '0042.mat') == PennVideo('0042', action, part, 9)


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (dict(action='dancing'), "action 'dancing', train 1, 9 frames"),
        (dict(train=0), "action 'bowl', train 0, 9 frames"),
        (dict(nframes=0), "action 'bowl', train 1, 0 frames"),
        (dict(nframes=np.array([])), 'index'),
    ],
)
def test_what_is_no_annotation(change: dict, message: str, tmp_path: Path) -> None:
    savemat(tmp_path / '1.mat', dict(action='bowl', train=1, nframes=9) | change)
    with pytest.raises(ValueError, match=rf'1\.mat is not an annotation of Penn Action: .*{message}'):
        read_penn_video(tmp_path / '1.mat')
    savemat(tmp_path / '1.mat', dict(action='bowl', train=1))
    with pytest.raises(ValueError, match=r"1\.mat is not an annotation of Penn Action: 'nframes'"):
        read_penn_video(tmp_path / '1.mat')
    (tmp_path / '1.mat').write_bytes(b'x' * 200)
    with pytest.raises(ValueError, match=r'1\.mat is not an annotation of Penn Action: '):
        read_penn_video(tmp_path / '1.mat')


class TestPhaseFiles:
    def test_part_action_and_number_are_in_the_path(self, tmp_path: Path) -> None:
        first, second = save(tmp_path / 'train/bowling/0005_x.npy'), save(tmp_path / 'val/squats/0123.npy')
        save(tmp_path / 'stray.npy')
        assert find_phase_files(tmp_path) == {'0005': ('train', 'bowl', first), '0123': ('val', 'squat', second)}

    @pytest.mark.parametrize('name', ['123.npy', '01234.npy', 'a0123.npy'])
    def test_names_without_a_number(self, name: str, tmp_path: Path) -> None:
        save(tmp_path / 'val/squat' / name)
        with pytest.raises(ValueError, match=f'{name}: the name does not begin with the four digits of a video'):
            find_phase_files(tmp_path)

    def test_what_else_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(FileNotFoundError, match=r'no phases in .*, <train\|val>/<action>/<id>\*\.npy'):
            find_phase_files(tmp_path)
        save(tmp_path / 'train/squat/0001.npy')
        save(tmp_path / 'val/squat/0001_again.npy')
        with pytest.raises(ValueError, match=r'val/.*0001_again\.npy and .*train/.*0001\.npy are both of video 0001'):
            find_phase_files(tmp_path)
        save(tmp_path / 'train/dancing/0002.npy')
        with pytest.raises(ValueError, match=r"train/dancing: 'dancing' is not one of"):
            find_phase_files(tmp_path)


class TestPhases:
    @pytest.mark.parametrize('dtype', [np.uint8, np.int32, np.float64])
    def test_whole_numbers_of_any_type(self, dtype: type) -> None:
        phases = check_phases(np.array([0, 0, 1, 2], dtype), 'bowl', 'x')
        assert phases.dtype == np.int64 and phases.tolist() == [0, 0, 1, 2]

    @pytest.mark.parametrize(
        ('phases', 'message'),
        [
            (np.array([0, 3]), r'^x has the phases \[0, 3\], but bowl has 0 to 2$'),
            (np.array([-1, 0]), r'phases \[-1, 0\]'),
            (np.array([0, 0.5]), r'values float64 of the shape \(2,\), expected one phase per frame'),
            (np.array([]), r'shape \(0,\)'),
            (np.zeros((2, 1), int), r'shape \(2, 1\)'),
            (np.array(['a']), 'values <U1'),
        ],
    )
    def test_others(self, phases: np.ndarray, message: str) -> None:
        with pytest.raises(ValueError, match=message):
            check_phases(phases, 'bowl', 'x')


def test_table_marks_what_differs() -> None:
    found = published_counts('CARL')
    found['squat'] = dict(train=114, val=115)
    header, *rows, last = (line.split() for line in count_table(found))
    assert header == ['action', 'here', 'GTA', 'TCC', 'CARL'] and [row[0] for row in rows] == list(NUM_PHASES)
    table = {row[0]: row[1:] for row in rows}
    assert table['squat'] == ['114/115', '114/117*', '114/115', '111/115*']
    assert table['bench_press'] == ['69/71', '69/71', '113/57*', '69/71']
    tcc = [sum(pair[part] for pair in published_counts('TCC').values()) for part in ('train', 'val')]
    assert last == ['all', '1143/966', '1172/978', f'{tcc[0]}/{tcc[1]}', '1140/966']
    assert next(row for row in count_table({}) if row.startswith('bowl')).split()[1] == '0/0'
