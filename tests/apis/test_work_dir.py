"""Where runs go, and whose a folder is."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from mmengine.config import Config

from mmsigma.apis.work_dir import (
    OwnerHook,
    claim,
    config_name,
    default_work_dir,
    folder_name,
    rank_of,
    record_test,
    test_folder,
)
from mmsigma.checkpoints.runs import run_checkpoints
from mmsigma.utils.preflight import ConfigError
from tests.engine.fakes import FakeRunner

ROOT = Path(__file__).parents[2]
test_folder.__test__ = False  # not a test of its own


def settings(**changes: object) -> Config:
    return Config({**dict(model=dict(type='A', depth=[1, 2]), work_dir='x', load_from='y'), **changes})


def test_default_folders_are_different_for_all_configs() -> None:
    configs = [path for path in ROOT.glob('configs/*/*.py') if path.parent.name != '_base_']
    assert len({default_work_dir(path) for path in configs}) == len(configs) > 100
    expected = Path('work_dirs/sigma/vitb_k400_dino')
    assert default_work_dir(ROOT / 'configs/sigma/vitb_k400_dino.py') == expected
    assert default_work_dir('mmsigma::sigma/vitb_k400_dino') == expected
    with pytest.raises(FileNotFoundError, match='there is no config nothing'):
        config_name('nothing.py')


def test_tests_with_other_options_have_other_folders() -> None:
    config = ROOT / 'configs/vos/colour.py'
    base = Path('work_dirs/vos/colour')
    assert test_folder(config, {'num_workers': 3, 'batch_size': 1}) == base
    years = [test_folder(config, {'dataset': name, 'num_workers': 2}) for name in ('davis2016', 'davis2017')]
    assert years == [base / 'dataset=davis2016', base / 'dataset=davis2017']
    assert test_folder(config, {'b': 2, 'a': 1}) == test_folder(config, {'a': 1, 'b': 2}) == base / 'a=1,b=2'
    paths = [test_folder(config, {key: f'/x/{name}'}) for key in ('data_root', 'ann_file') for name in ('a b', 'a_b')]
    assert len(set(paths)) == 4 and all(path.parent == base for path in paths)


def test_names_of_folders() -> None:
    assert folder_name('a.b', '0.5') == 'a.b=0.5'
    odd = folder_name('a', '../x y'), folder_name('a', '../x_y')
    assert odd[0] != odd[1] and all('/' not in name and name.startswith('a=.._x_y-') for name in odd)


def take(hook: OwnerHook) -> list[str]:
    """What is said when the training begins."""
    runner = FakeRunner()
    hook.before_train(runner)
    return runner.warnings


def test_a_folder_with_checkpoints_is_taken_on_request_alone(tmp_path: Path) -> None:
    assert take(claim(tmp_path, 'a/b', settings())) == take(claim(tmp_path, 'c/d', settings())) == []
    (tmp_path / 'epoch_1.pth').write_bytes(b'1')
    with pytest.raises(ConfigError, match=r'1 checkpoints of an earlier run of c/d\. Continue it with --resume'):
        claim(tmp_path, 'c/d', settings(work_dir='z', load_from=None))
    other = settings(model=dict(type='A', depth=[1, 3]), more=1)
    with pytest.raises(ConfigError) as error:
        claim(tmp_path, 'e/f', other)
    message = 'of a run of c/d, which differs in model.depth.1 (2 there, 3 here), more (absent there, 1 here)'
    assert message in str(error.value) and (tmp_path / 'epoch_1.pth').is_file()


def test_differences_of_a_continued_run_are_said(tmp_path: Path) -> None:
    take(claim(tmp_path, 'a/b', settings()))
    changed = settings(optim_wrapper=dict(optimizer=dict(lr=1)), resume=True, load_from=None)
    (said,) = take(claim(tmp_path, 'a/b', changed))
    assert 'optim_wrapper.optimizer.lr (absent there, 1 here). Those of the optimiser and the schedule are over' in said
    assert take(claim(tmp_path, 'a/b', changed)) == []


def test_nothing_changes_before_the_training_begins(tmp_path: Path) -> None:
    take(claim(tmp_path, 'a/b', settings()))
    (tmp_path / 'epoch_1.pth').write_bytes(b'1')
    hook = claim(tmp_path, 'e/f', settings(more=1), overwrite=True)
    assert (tmp_path / 'epoch_1.pth').is_file() and json.loads((tmp_path / 'run.json').read_text())['config'] == 'a/b'
    (said,) = take(hook)
    assert 'put aside' in said and not (tmp_path / 'epoch_1.pth').exists()
    assert (tmp_path / 'earlier_1' / 'epoch_1.pth').read_bytes() == b'1'
    assert json.loads((tmp_path / 'run.json').read_text())['config'] == 'e/f'
    (tmp_path / 'epoch_1.pth').write_bytes(b'2')
    take(claim(tmp_path, 'e/f', settings(more=1), overwrite=True))
    assert (tmp_path / 'earlier_2' / 'epoch_1.pth').read_bytes() == b'2'
    inside = tmp_path / 'epoch_2.pth'
    inside.write_bytes(b'3')
    with pytest.raises(
        ConfigError, match='load_from=.*epoch_2.pth is one of the checkpoints that --overwrite puts asi'
    ):
        claim(tmp_path, 'e/f', settings(load_from=str(inside)), overwrite=True)


def test_checkpoints_in_a_folder_of_their_own_count(tmp_path: Path) -> None:
    (tmp_path / 'all' / 'run').mkdir(parents=True)
    (tmp_path / 'all' / 'run' / 'epoch_1.pth').write_bytes(b'1')
    hooks = dict(checkpoint=dict(type='CheckpointHook', out_dir=str(tmp_path / 'all')))
    with pytest.raises(ConfigError, match='all/run contains 1 checkpoints of an unknown run'):
        claim(tmp_path / 'run', 'a/b', settings(default_hooks=hooks))


def test_going_back_on_purpose_is_not_undone_by_the_next_resuming(tmp_path: Path) -> None:
    for number in (6, 7, 8):
        content = dict(meta=dict(iter=number, epoch=0), state_dict={}, optimizer={}, message_hub={})
        torch.save(content, tmp_path / f'iter_{number}.pth')
    back = settings(resume=True, load_from=str(tmp_path / 'iter_6.pth'))
    (said,) = take(claim(tmp_path, 'a/b', back))
    assert '2 later or earlier checkpoints have been put aside' in said
    assert [path.name for path in run_checkpoints(tmp_path).usable] == ['iter_6.pth']
    assert sorted(path.name for path in (tmp_path / 'earlier_1').iterdir()) == ['iter_7.pth', 'iter_8.pth']


def test_what_was_tested_is_written_beside_the_scores(tmp_path: Path) -> None:
    dataset = dict(type='VOSDataset', year=2016, pipeline=[dict(type='A')])
    checkpoint = tmp_path / 'x.pth'
    checkpoint.write_bytes(b'abc')
    record_test(tmp_path / 'log', 'vos/a', settings(test_dataloader=dict(dataset=dataset)), str(checkpoint), None, 'ab')
    content = json.loads((tmp_path / 'log' / 'test.json').read_text())
    assert content['config'] == 'vos/a' and content['dataset'] == {'type': "'VOSDataset'", 'year': '2016'}
    assert content['checkpoint'] == str(checkpoint) and content['sha256'].startswith('ba7816bf')
    assert content['classes'] == ['a', 'b']


def test_ranks_before_there_is_a_group(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('RANK', '3')
    monkeypatch.setenv('SLURM_PROCID', '5')
    assert (rank_of('none'), rank_of('pytorch'), rank_of('slurm')) == (0, 3, 5)


def test_a_second_process_is_kept_out(tmp_path: Path) -> None:
    """Both were accepted, as there was no checkpoint yet."""
    ours = claim(tmp_path, 'a/b', settings())
    program = f"""
import sys
from mmsigma.io.locks import lock
held = lock({str(tmp_path / '.lock')!r})
print('held', flush=True)
sys.stdin.read()
"""
    other = subprocess.Popen(
        [sys.executable, '-c', program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    assert other.stdout.readline() == 'held\n'
    with pytest.raises(ConfigError, match=rf'another run is under way in .*process {other.pid} on .*--work-dir'):
        take(ours)
    assert not (tmp_path / 'run.json').exists()
    other.kill()
    other.wait()
    take(ours)
    ours.after_train(FakeRunner())
    assert (tmp_path / 'run.json').is_file()


def test_a_continued_run_keeps_its_id_and_a_new_one_has_another(tmp_path: Path) -> None:
    found = []
    for resume in (None, True, None):
        hook = claim(tmp_path, 'a/b', settings(resume=resume))
        take(hook)
        found.append(json.loads((tmp_path / 'run.json').read_text())['id'])
    assert found[0] == found[1] != found[2]


@pytest.mark.parametrize(
    ('first', 'second', 'same'),
    [
        (dict(test_cfg=dict(k=1)), dict(test_cfg=dict(k=5)), False),
        (dict(model=dict(type='A', depth=2)), dict(model=dict(type='A', depth=3)), False),
        (dict(epochs=1), dict(epochs=2), True),
        *(
            (
                dict(test_dataloader=dict(dataset={}, **{key: 1})),
                dict(test_dataloader=dict(dataset={}, **{key: 2})),
                same,
            )
            for key, same in (('num_workers', True), ('drop_last', False))
        ),
    ],
)
def test_other_settings_are_another_test(tmp_path: Path, first: dict, second: dict, same: bool) -> None:
    found = []
    for number, changes in enumerate((first, second)):
        record_test(tmp_path / str(number), 'vos/a', settings(**{'test_dataloader': dict(dataset={}), **changes}), None)
        found.append(json.loads((tmp_path / str(number) / 'test.json').read_text())['settings'])
    assert (found[0] == found[1]) is same


def test_long_options_differ_at_their_end() -> None:
    config = ROOT / 'configs' / 'vos' / 'colour.py'
    long = {f'data_root_{number}': 'x' * 60 for number in range(5)}
    first, second = (test_folder(config, {**long, 'zz.k': k}) for k in (5, 20))
    assert first != second and len(first.name) <= 200
