"""What print_config shows and complains about."""

from pathlib import Path

import pytest

from mmsigma.utils.config import load_config

ROOT = Path(__file__).parents[2]
SCRIPT = 'tools/print_config.py'


def test_options_reach_what_the_config_computes(run_tool, repository: Path) -> None:
    config = repository / 'configs' / 'sigma' / 'vitb_k400_mlp.py'
    shown = run_tool(SCRIPT, config, '--cfg-options', 'data_root=elsewhere', 'model.head.num_prototypes=7')
    assert shown.status == 0, shown.errors
    values: dict = {}
    exec(shown.output, values)
    assert values['train_dataloader']['dataset']['data_root'] == 'elsewhere'
    assert values['model']['head']['num_prototypes'] == 7
    assert values['model']['target'] == dict(type='MLPTarget')


def test_all_faults_are_named_at_once(run_tool, repository: Path) -> None:
    config = repository / 'configs' / 'sigma' / 'vitb_k400_mlp.py'
    options = ('model.head.loss.temprature=0.2', 'trian_cfg.by_epoch=True', 'model.neck.dpth=2')
    shown = run_tool(SCRIPT, config, '--cfg-options', *options)
    assert shown.status == 1
    for wrong, right in (('temprature', 'temperature'), ('trian_cfg', 'train_cfg'), ('dpth', 'depth')):
        assert wrong in shown.errors and f'did you mean {right!r}' in shown.errors
    assert 'temprature=0.2' in shown.output


def test_installed_configs_can_be_inherited_from_anywhere(run_tool, tmp_path: Path) -> None:
    config = tmp_path / 'mine.py'
    config.write_text("_base_ = ['mmsigma::sigma/vitb_k400_mlp.py']\nmodel = dict(head=dict(num_prototypes=5))\n")
    shown = run_tool(SCRIPT, config)
    assert shown.status == 0, shown.errors
    assert 'num_prototypes=5' in shown.output and "type='SIGMA'" in shown.output
    assert run_tool(SCRIPT, 'mmsigma::sigma/vitb_k400_mlp.py').status == 0


def test_configs_of_other_packages_keep_their_scope(run_tool, tmp_path: Path) -> None:
    config = tmp_path / 'mine.py'
    config.write_text("_base_ = ['mmaction::_base_/default_runtime.py']\n")
    shown = run_tool(SCRIPT, config)
    assert shown.status == 0, shown.errors
    assert "_scope_='mmaction'" in shown.output


def test_missing_config_is_one_line(run_tool, tmp_path: Path) -> None:
    for name in (tmp_path / 'nothing.py', 'mmsigma::sigma/nothing.py', 'no_such_package::x/y.py'):
        shown = run_tool(SCRIPT, name)
        assert shown.status == 1 and shown.output == ''
        assert len(shown.errors.strip().splitlines()) == 1


@pytest.mark.parametrize('path', sorted((ROOT / 'configs' / 'sigma').glob('*.py')), ids=lambda path: path.stem)
def test_recipes_leave_no_variable_behind(path: Path) -> None:
    """Children of a recipe set batch, rate and length anew, so an option has to reach them there."""
    cfg = load_config(path, dict(batch_size=3, epochs=77, global_batch=512, base_lr=1e-3))
    assert cfg.train_dataloader.batch_size == 3
    assert cfg.train_cfg.max_epochs == cfg.param_scheduler.end == 77
    assert cfg.auto_scale_lr.base_batch_size == 512
    assert cfg.optim_wrapper.optimizer.lr == pytest.approx(2e-3)
