"""Where runs go, and whose a folder is."""

import json
from pathlib import Path

import pytest
from mmengine.config import Config

from mmsigma.apis.work_dir import claim, config_name, default_work_dir, folder_name, rank_of, record_test, test_folder
from mmsigma.utils.preflight import ConfigError

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
    assert test_folder(config, {'data_root': 'a', 'num_workers': 3, 'batch_size': 1, 'weights': '/x/y.pth'}) == base
    years = [test_folder(config, {'dataset': name, 'data_root': 'a'}) for name in ('davis2016', 'davis2017')]
    assert years == [base / 'dataset=davis2016', base / 'dataset=davis2017']
    assert test_folder(config, {'b': 2, 'a': 1}) == test_folder(config, {'a': 1, 'b': 2}) == base / 'a=1,b=2'


def test_names_of_folders() -> None:
    assert folder_name('a.b', '0.5') == 'a.b=0.5'
    odd = folder_name('a', '../x y'), folder_name('a', '../x_y')
    assert odd[0] != odd[1] and all('/' not in name and name.startswith('a=.._x_y-') for name in odd)


def test_a_folder_with_checkpoints_is_taken_on_request_alone(tmp_path: Path) -> None:
    assert claim(tmp_path, 'a/b', settings()) == claim(tmp_path, 'c/d', settings()) == []  # nothing is lost
    (tmp_path / 'epoch_1.pth').write_bytes(b'1')
    with pytest.raises(ConfigError, match=r'1 checkpoints of an earlier run of c/d\. Continue it with --resume'):
        claim(tmp_path, 'c/d', settings(work_dir='z', load_from=None))
    other = settings(model=dict(type='A', depth=[1, 3]), more=1)
    with pytest.raises(ConfigError) as error:
        claim(tmp_path, 'e/f', other)
    message = 'of a run of c/d, which differs in model.depth.1 (2 there, 3 here), more (absent there, 1 here)'
    assert message in str(error.value) and (tmp_path / 'epoch_1.pth').is_file()
    assert claim(tmp_path, 'e/f', other, resume=True) == [
        'model.depth.1 (2 there, 3 here)', 'more (absent there, 1 here)'
    ]  # fmt: skip
    assert (tmp_path / 'epoch_1.pth').is_file() and json.loads((tmp_path / 'run.json').read_text())['config'] == 'e/f'
    claim(tmp_path, 'e/f', other, overwrite=True)
    assert not (tmp_path / 'epoch_1.pth').exists() and (tmp_path / 'earlier_1' / 'epoch_1.pth').read_bytes() == b'1'


def test_checkpoints_of_unknown_origin_are_kept(tmp_path: Path) -> None:
    (tmp_path / 'mine.pth').write_bytes(b'1')
    with pytest.raises(ConfigError, match='1 checkpoints of an unknown run'):
        claim(tmp_path, 'a/b', settings())


def test_what_was_tested_is_written_beside_the_scores(tmp_path: Path) -> None:
    dataset = dict(type='VOSDataset', year=2016, pipeline=[dict(type='A')])
    checkpoint = tmp_path / 'x.pth'
    checkpoint.write_bytes(b'abc')
    record_test(tmp_path / 'log', 'vos/a', settings(test_dataloader=dict(dataset=dataset)), str(checkpoint))
    content = json.loads((tmp_path / 'log' / 'test.json').read_text())
    assert content['config'] == 'vos/a' and content['dataset'] == {'type': "'VOSDataset'", 'year': '2016'}
    assert content['checkpoint'] == str(checkpoint) and content['sha256'].startswith('ba7816bf')


def test_ranks_before_there_is_a_group(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('RANK', '3')
    monkeypatch.setenv('SLURM_PROCID', '5')
    assert (rank_of('none'), rank_of('pytorch'), rank_of('slurm')) == (0, 3, 5)
