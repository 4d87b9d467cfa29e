"""Which test of a folder counts, and where it comes from."""

import json
import os
from pathlib import Path

import pytest

from mmsigma.evaluation.results import newest_test


def write_test(run: Path, number: int, scores: dict[str, float], **record: object) -> Path:
    path = run / str(number) / f'{number}.json'
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({**scores, 'time': 0.1}))
    if record:
        path.with_name('test.json').write_text(json.dumps(record))
    os.utime(path, (number, number))
    return path


def test_newest_with_its_source(tmp_path: Path) -> None:
    for number in (1, 3, 2):
        record = dict(config='a/b', checkpoint=f'epoch_{number}.pth', dataset={'ann_file': 'x'})
        write_test(tmp_path, number, {'top1': number}, **record)
    write_test(tmp_path, 4, {}, config='c/d')  # not finished
    found = newest_test(tmp_path)
    assert found.scores == {'top1': 3} and found.source == f'a/b, epoch_3.pth: {tmp_path / "3" / "3.json"}'
    assert newest_test(tmp_path, 'top1', 'top5').scores == {'top1': 3}
    with pytest.raises(ValueError, match="no 'top5' in"):
        newest_test(tmp_path, 'top5')


@pytest.mark.parametrize('change', [dict(config='linear/b'), dict(dataset={'year': '2016'}), dict(sha256='1f')])
def test_tests_of_several_configs_or_datasets_are_not_chosen_from(tmp_path: Path, change: dict) -> None:
    record = dict(config='finetune/b', checkpoint='x.pth', dataset={'year': '2017'})
    write_test(tmp_path, 1, {'top1': 70.9}, **record)
    write_test(tmp_path, 2, {'top1': 20.8}, **{**record, **change})
    with pytest.raises(
        ValueError, match=r'several configs, checkpoints, datasets or settings: finetune/b, x\.pth: .*Name the file'
    ):
        newest_test(tmp_path)


def test_folders_without_tests_and_broken_files(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match='no score in .* tested with tools/test.py --work-dir'):
        newest_test(tmp_path)
    for text, message in (('[1]', 'is not a mapping'), ('{', 'line 1 is not JSON')):
        path = write_test(tmp_path / 'run', 1, {})
        path.write_text(text)
        with pytest.raises(ValueError, match=rf'1\.json.* {message}'):
            newest_test(tmp_path / 'run')
        path.unlink()
        path.parent.rmdir()
