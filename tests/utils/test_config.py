"""Command-line options reach what a config computes from its variables."""

from pathlib import Path

import pytest

from mmsigma import compat
from mmsigma.utils.config import find_config, load_config
from mmsigma.utils.preflight import ConfigError

BASE = """
root = 'data'
epochs = 10
mode = 'slow'
dataset = dict(root=root, list=root + '/train.txt')
train_cfg = dict(max_epochs=epochs, warmup=max(1, epochs // 5))
"""
CHILD = """
_base_ = ['base.py']
size = 64
model = dict(size=size, tokens=(size // 8) ** 2, epochs=_base_.epochs)
train_cfg = dict(interval=size)
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    (tmp_path / 'base.py').write_text(BASE)
    (tmp_path / 'child.py').write_text(CHILD)
    return tmp_path / 'child.py'


def test_without_options(config: Path) -> None:
    cfg = load_config(config)
    assert cfg.train_cfg == dict(max_epochs=10, warmup=2, interval=64)
    assert cfg.model == dict(size=64, tokens=64, epochs=10)


def test_variable_of_the_file(config: Path) -> None:
    cfg = load_config(str(config), {'size': 32})
    assert cfg.size == 32 and cfg.model.tokens == 16 and cfg.train_cfg.interval == 32


def test_variable_of_a_base(config: Path) -> None:
    cfg = load_config(config, {'root': 'my data/"x"', 'epochs': 3})
    assert cfg.dataset == dict(root='my data/"x"', list='my data/"x"/train.txt')
    assert cfg.train_cfg.max_epochs == 3 and cfg.train_cfg.warmup == 1 and cfg.model.epochs == 3


def test_variable_assigned_in_base_and_child(config: Path) -> None:
    config.write_text(CHILD + "mode = 'fast'\nspeed = dict(mode=mode)\n")
    assert load_config(config).speed.mode == 'fast'
    cfg = load_config(config, {'mode': 'other'})
    assert cfg.mode == cfg.speed.mode == 'other'


@pytest.mark.parametrize('value', [None, True, 1.5e-5, [1, 'a'], (2, 3)])
def test_variables_of_any_plain_type(config: Path, value: object) -> None:
    config.write_text('thing = 1\nholder = dict(thing=thing)\n')
    assert load_config(config, {'thing': value}).holder.thing == value


@pytest.mark.parametrize(
    'assignment', ["one, two = 'a', 'b'", "[one, (two, *rest)] = 'a', ('b', 'c')", "two = one = 'a'"]
)
def test_variables_assigned_together(config: Path, assignment: str) -> None:
    config.write_text(f'{assignment}\nholder = dict(one=one, two=two)\n')
    before = load_config(config).holder
    cfg = load_config(config, {'two': 'x'})
    assert cfg.two == cfg.holder.two == 'x' and cfg.one == cfg.holder.one == before.one == 'a'
    assert load_config(config, {'one': 'x', 'two': 'y'}).holder == dict(one='x', two='y')


@pytest.mark.parametrize('line', ['size: int = 3', 'for size in (1, 2): pass'])
def test_variable_that_cannot_be_replaced_in_time_is_refused(config: Path, line: str) -> None:
    config.write_text(f'{line}\nholder = dict(size=size)\n')
    with pytest.raises(
        ConfigError,
        match=r"'size' would have no effect: neither the config nor its bases contain \"size = \.\.\.\" to replace",
    ):
        load_config(config, {'size': 5})


def test_variable_that_a_file_chooses_by(config: Path) -> None:
    config.write_text("kind = 'a'\nsize = dict(a=1, b=2)[kind]\nother = dict(size=size)\n")
    assert load_config(config).other.size == 1 and load_config(config, {'kind': 'b'}).other.size == 2
    with pytest.raises(ConfigError, match="'c' is not a choice of kind: a, b$"):
        load_config(config, {'kind': 'c'})
    (config.parent / 'grandchild.py').write_text(f"_base_ = ['{config.name}']\nmore = 1\n")
    with pytest.raises(ConfigError, match="'c' is not a choice of kind: a, b$"):
        load_config(config.parent / 'grandchild.py', {'kind': 'c'})
    config.write_text("size = dict(a=1)['b']\nepochs = 3\n")
    with pytest.raises(
        ConfigError, match=r"child\.py cannot be read \(with epochs=5\): KeyError: 'b'"
    ):  # a fault of the file, not of the option
        load_config(config, {'epochs': 5})


def test_dotted_options_are_merged_at_the_end(config: Path) -> None:
    cfg = load_config(config, {'train_cfg.max_epochs': 7, 'train_cfg.new': 1, 'size': 8})
    assert cfg.train_cfg == dict(max_epochs=7, warmup=2, interval=8, new=1)


@pytest.mark.parametrize('key', ['resume', 'load_from', 'work_dir', 'compile', 'verbose', 'load_backbone_only'])
def test_setting_of_the_runner_becomes_a_key(config: Path, key: str) -> None:
    assert load_config(config, {key: 'x'})[key] == 'x'


def test_configs_cannot_let_checkpoints_execute_code(config: Path) -> None:
    with pytest.raises(ConfigError, match=r'child\.py: trust_checkpoints lets checkpoints execute code.*--trust-check'):
        load_config(config, {'trust_checkpoints': True})
    config.write_text('trust_checkpoints = True\n')
    with pytest.raises(ConfigError, match='a config must not allow that'):
        load_config(config)


@pytest.mark.parametrize(
    ('key', 'hint'),
    [
        ('epoch', "did you mean 'epochs'"),
        ('rot', "did you mean 'root'"),
        ('zzzzz', 'use dotted keys for entries of dicts'),
    ],
)
@pytest.mark.parametrize('value', [1, dict(x=1)])
def test_name_that_means_nothing_is_refused(config: Path, key: str, hint: str, value: object) -> None:
    with pytest.raises(ConfigError, match=rf"'{key}' is neither a variable of the config.*{hint}"):
        load_config(config, {key: value})


def test_dict_is_merged_not_replaced(config: Path) -> None:
    cfg = load_config(config, {'train_cfg': dict(interval=1)})
    assert cfg.train_cfg == dict(max_epochs=10, warmup=2, interval=1)


def test_later_loads_are_not_affected(config: Path) -> None:
    load_config(config, {'epochs': 3})
    assert load_config(config).epochs == 10


def test_option_dict_is_left_as_it_was(config: Path) -> None:
    options = {'epochs': 3, 'train_cfg.interval': 2}
    load_config(config, options)
    assert options == {'epochs': 3, 'train_cfg.interval': 2}


@pytest.mark.parametrize('name', ['nothing.py', 'mmsigma::sigma/nothing.py'])
def test_missing_config(name: str) -> None:
    with pytest.raises(FileNotFoundError, match='there is no config .*nothing.py'):
        load_config(name)


def test_checkouts_that_are_not_installed_say_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(
        compat, 'installed_config', lambda path: tmp_path / '.mim' / 'configs' / path.partition('::')[2]
    )
    with pytest.raises(FileNotFoundError, match=r'configs of mmsigma are not installed: run "pip install -e \."'):
        find_config('mmsigma::sigma/vitb_k400_mlp')


def test_variables_without_effect_are_warned_about(config: Path, warnings_logged: list[str], tmp_path: Path) -> None:
    load_config(config, {'root': 'mine', 'epochs': 3})
    (tmp_path / 'whole.py').write_text("root = 'x'\nflag = False\nload_from = 'x'\nmodel = dict(root=root, a=False)\n")
    load_config(tmp_path / 'whole.py', {'root': 'mine'})
    (tmp_path / 'flat.py').write_text(
        "root = 'x'\nflag = False\nload_from = 'x'\nmodel = dict(parts=[dict(root='x')], a=False)\n"
    )
    load_config(tmp_path / 'flat.py', {'root': 'x', 'flag': True, 'load_from': 'y'})
    assert not warnings_logged
    assert load_config(tmp_path / 'flat.py', {'root': 'mine'}).root == 'mine'
    (message,) = warnings_logged
    assert "flat.py: root='mine' has changed nothing else" in message
    assert "still have 'x': load_from, model.parts.0.root; set them instead" in message


def test_a_checkpoint_is_no_config(tmp_path: Path) -> None:
    (tmp_path / 'run.pth').touch()
    with pytest.raises(ConfigError, match=r'run\.pth is not a config: give a \.py file or a name'):
        load_config(tmp_path / 'run.pth')
