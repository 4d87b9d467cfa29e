"""The JSON annotation of FineGym."""

import json
from pathlib import Path

import pytest

from mmsigma.datasets.alignment.finegym import Element, read_finegym, write_cuts

SEGMENTS = {
    'A_0001_0002': dict(stages=1, timestamps=[[0.5, 1.5]]),
    'A_0004_0009': dict(stages=3, timestamps=[[4.0, 5.0], [5.0, 7.0], [7.0, 9.25]]),
}


def write(folder: Path, content: object) -> Path:
    path = folder / 'finegym_annotation_info_v1.0.json'
    path.write_text(json.dumps(content))
    return path


def test_elements_in_seconds_of_the_video(tmp_path: Path) -> None:
    events = {
        'E_000100_000120': dict(event=1, timestamps=[[100.25, 120.0]], segments=SEGMENTS),
        'E_000200_000210': dict(event=4, timestamps=[[200, 210]], segments=None),
    }
    elements = read_finegym(write(tmp_path, {'-a_b': events}))
    assert elements == {
        '-a_b_E_000100_000120_A_0001_0002': Element('-a_b', 100.75, 101.75),
        '-a_b_E_000100_000120_A_0004_0009': Element('-a_b', 104.25, 109.5),
    }
    unknown = write_cuts(tmp_path / 'cuts.csv', ['x', *elements], elements)
    lines = (tmp_path / 'cuts.csv').read_text().splitlines()
    assert unknown == ['x'] and lines[0] == 'name,video,start,end' and len(lines) == 3
    assert lines[1] == '-a_b_E_000100_000120_A_0001_0002,-a_b,100.750,101.750'


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        ([], 'finegym_annotation_info'),
        ({'v': {'E_1': {}}}, "v_E_1: 'timestamps'"),
        ({'v': {'E_1': dict(timestamps=[[5, 5]])}}, 'v_E_1: it lasts from 5 to 5'),
        ({'v': {'E_1': dict(timestamps=[[5, 6]], segments={'A_1': dict(timestamps=[])})}}, 'v_E_1_A_1'),
    ],
)
def test_other_files(tmp_path: Path, content: object, message: str) -> None:
    with pytest.raises(ValueError, match=f'is not the annotation of FineGym: .*{message}'):
        read_finegym(write(tmp_path, content))
