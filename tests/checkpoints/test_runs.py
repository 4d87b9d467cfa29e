"""Which checkpoints of a folder can be continued, and what is said of the others."""

import os
from pathlib import Path
from typing import Any

import pytest
import torch

from mmsigma.checkpoints.files import CheckpointError
from mmsigma.checkpoints.runs import check_full_run, check_progress, run_checkpoints

WEIGHTS = {'weight': torch.ones(2)}


def whole(iteration: Any = 4, epoch: Any = 1) -> dict[str, Any]:
    meta = dict(iter=iteration, epoch=epoch)
    return dict(meta=meta, state_dict=WEIGHTS, optimizer={}, message_hub={}, param_schedulers=[])


def test_newest_first_by_progress_then_by_time(tmp_path: Path) -> None:
    for age, (name, iteration) in enumerate([('iter_10', 10), ('iter_9', 9), ('interrupted', 10), ('epoch_1', 4)]):
        torch.save(whole(iteration), tmp_path / f'{name}.pth')
        os.utime(tmp_path / f'{name}.pth', (1e9 - age, 1e9 - age))
    torch.save({**WEIGHTS}, tmp_path / 'exported.pth')
    (tmp_path / 'iter_12.pth').write_bytes((tmp_path / 'iter_10.pth').read_bytes()[:900])
    (tmp_path / '.iter_14.pth.partial').write_bytes(b'')
    (tmp_path / 'last_checkpoint').write_text('/elsewhere/iter_99.pth')
    found = run_checkpoints(tmp_path)
    assert [path.stem for path in found.usable] == ['iter_10', 'interrupted', 'iter_9', 'epoch_1']
    assert len(found.damaged) == 1 and 'iter_12.pth is damaged' in found.damaged[0]
    assert len(found.others) == 1 and 'exported.pth is not a checkpoint of a whole run' in found.others[0]


def test_empty_and_missing_folders(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / 'missing'):
        found = run_checkpoints(folder)
        assert not found.usable and not found.damaged and not found.others


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        (WEIGHTS, 'but 1 parameters alone. To start a new run from its weights, set load_from instead: --cfg-options '),
        ({}, 'but an empty dict'),
        ([1, 2], 'but a list'),
        ({'model': WEIGHTS, 'args': {}}, 'but a file of another code base'),
        ({'module': WEIGHTS}, 'but a file of another code base'),
        ({'state_dict': WEIGHTS, 'meta': {}}, 'but one without optimizer, message_hub'),
        ({'a': 1, 'b': 2}, 'but a dict of a, b'),
        (whole(iteration=-5), 'its iter is -5, not a count'),
        (whole(epoch=1.5), 'its epoch is 1.5, not a count'),
        (whole(iteration=None), 'its iter is None, not a count'),
        (whole(iteration=True), 'its iter is True, not a count'),
    ],
)
def test_what_is_not_a_whole_run(content: Any, message: str) -> None:
    with pytest.raises(CheckpointError) as error:
        check_full_run(content, 'x.pth')
    assert message in str(error.value)


def test_progress_must_be_possible() -> None:
    check_full_run(whole(), 'x.pth')
    check_progress(whole(iteration=8, epoch=2), 'x.pth', max_epochs=2, num_samples=4)
    with pytest.raises(CheckpointError, match='from epoch 3, but the config ends after 2'):
        check_progress(whole(epoch=3), 'x.pth', max_epochs=2, num_samples=4)
    with pytest.raises(CheckpointError, match=r'from iteration 1000000000 in epoch 1, .* only 4 samples'):
        check_progress(whole(iteration=10**9), 'x.pth', max_epochs=2, num_samples=4)


def test_pipes_folders_and_hidden_files_are_no_checkpoints(tmp_path: Path) -> None:
    torch.save(whole(), tmp_path / 'epoch_1.pth')
    torch.save(whole(9), tmp_path / '._epoch_2.pth')
    os.mkfifo(tmp_path / 'epoch_3.pth')  # would be waited for
    (tmp_path / 'epoch_4.pth').mkdir()
    (tmp_path / 'epoch_5.pth').symlink_to('epoch_5.pth')
    found = run_checkpoints(tmp_path)
    assert [path.name for path in found.usable] == ['epoch_1.pth'] and not found.damaged and not found.others


def test_checkpoints_of_another_run_are_told_apart(tmp_path: Path) -> None:
    for number, run in ((4, 'other'), (2, 'mine'), (1, None)):
        meta = dict(iter=number, epoch=0, **(dict(run=run) if run else {}))
        torch.save(dict(meta=meta, state_dict={}, optimizer={}, message_hub={}), tmp_path / f'iter_{number}.pth')
    found = run_checkpoints(tmp_path, 'mine')
    assert [path.name for path in found.usable] == ['iter_2.pth', 'iter_1.pth']
    (foreign,) = found.foreign
    assert foreign.endswith(f'is of another run; to continue that one here, use --resume {tmp_path / "iter_4.pth"}')
    assert [path.name for path in run_checkpoints(tmp_path).usable] == ['iter_4.pth', 'iter_2.pth', 'iter_1.pth']
