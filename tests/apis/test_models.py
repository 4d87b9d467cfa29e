"""Models by the name of a config, from a config file and from a checkpoint of a run."""

import logging
import pickle
import re
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.logging import MMLogger

from mmsigma.apis.models import (
    class_names_of_checkpoint,
    config_of_checkpoint,
    has_trained_masks,
    list_configs,
    load_model,
    named_or_own_config,
    open_config,
)
from mmsigma.checkpoints.files import CheckpointError
from mmsigma.registry import MODELS
from mmsigma.utils.config import load_config
from mmsigma.utils.preflight import ConfigError

CONFIG = 'mmsigma::demo/sigma_tiny_demo_mlp'
SMALL = {
    'model.backbone.arch': dict(embed_dims=16, depth=1, num_heads=2),
    'model.neck.depth': 1,
    'model.target.hidden_channels': [16],
    'model.head.num_prototypes': 8,
}


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A checkpoint with its config, as a run writes it."""
    cfg = load_config(CONFIG, SMALL)
    torch.manual_seed(3)
    path = tmp_path / 'epoch_1.pth'
    state = MODELS.build(cfg.model).state_dict()
    torch.save(dict(state_dict=state, meta=dict(cfg=cfg.pretty_text, epoch=1)), path)
    return path


def test_names_of_configs() -> None:
    names = list_configs()
    assert names == sorted(names) and len(names) > 80
    assert len(names) == len(set(names))
    assert list_configs('sigma/vitb_k400_dino') == ['mmsigma::sigma/vitb_k400_dino']
    assert list_configs('mmsigma::sigma/vitb_k400_d*') == list_configs('sigma/vitb_k400_d*') != []
    assert not list_configs('_base_*')
    for name in names[::20]:
        assert isinstance(load_config(name), Config)


def test_from_a_checkpoint_of_a_run(run: Path) -> None:
    model = load_model(run, device='cpu')
    state = torch.load(run, weights_only=True)['state_dict']
    assert not model.training and not any(parameter.requires_grad for parameter in model.parameters())
    assert state.keys() >= {'backbone.patch_embed.proj.weight'}
    assert model.state_dict().keys() == state.keys() and 'head.prototypes.0' in state
    for name, value in model.state_dict().items():
        torch.testing.assert_close(value, state[name], rtol=0, atol=0)
    same = load_model(CONFIG, run, device='cpu', options=SMALL)
    inputs = torch.randn(1, 3, *model.backbone.input_shape[1:])
    assert torch.equal(model(inputs), same(inputs))


def test_a_classifier_has_the_head_of_its_checkpoint(tmp_path: Path) -> None:
    arch = dict(SMALL['model.backbone.arch'], _delete_=True)
    small = {'model.backbone.arch': arch, 'num_classes': 5}
    torch.manual_seed(3)
    state = MODELS.build(load_config('mmsigma::finetune/vitb_k400', small).model).state_dict()
    torch.save(dict(state_dict=state), tmp_path / 'all.pth')
    model = load_model('mmsigma::finetune/vitb_k400', tmp_path / 'all.pth', device='cpu', options=small)
    assert all(torch.equal(value, state[name]) for name, value in model.state_dict().items())
    # pre-training has no such head
    torch.save(dict(state_dict={k: v for k, v in state.items() if 'head' not in k}), tmp_path / 'part.pth')
    model = load_model('mmsigma::finetune/vitb_k400', tmp_path / 'part.pth', device='cpu', options=small)
    assert torch.equal(model.backbone.patch_embed.proj.weight, state['backbone.patch_embed.proj.weight'])
    assert not torch.equal(model.head.fc.weight, state['head.fc.weight'])


def test_initial_weights_are_said_to_be() -> None:
    records: list[logging.LogRecord] = []
    handler = logging.Handler()
    handler.emit = records.append
    logger = MMLogger.get_current_instance()
    logger.addHandler(handler)
    try:
        model = load_model(CONFIG, device='cpu', options=SMALL)
    finally:
        logger.removeHandler(handler)
    assert not model.training
    (record,) = [
        record for record in records if record.levelno >= logging.INFO
    ]  # and not three lines for each parameter
    assert 'no checkpoint was given, the weights are initial ones' in record.getMessage()


def test_checkpoints_without_a_usable_config(tmp_path: Path, run: Path) -> None:
    bare = tmp_path / 'bare.pth'
    torch.save(torch.load(run, weights_only=True)['state_dict'], bare)
    with pytest.raises(CheckpointError, match=r'bare.pth carries no config.*load_model\(CONFIG, CHECKPOINT\)'):
        load_model(bare)
    with pytest.raises(ValueError, match='bare.pth is not a config'):
        load_model(bare, run)
    with pytest.raises(
        FileNotFoundError, match=r'neither a config nor a checkpoint .*nowhere.pth; .mmsigma list. shows the configs$'
    ):
        load_model(tmp_path / 'nowhere.pth')


@pytest.mark.parametrize(
    'name',
    ['sigma/vitb_k400_mlp', 'configs/sigma/vitb_k400_mlpp.py', 'mmsigma::sigma/vitb_k400_mlpp', 'sigma/vitb_k400_mpl'],
)
def test_the_name_that_was_meant_is_suggested(name: str) -> None:
    with pytest.raises(
        FileNotFoundError, match=rf'(there is no|nor a) .*{name}: did you mean mmsigma::sigma/vitb_k400_mlp\?$'
    ):
        load_model(name)


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ("model = __import__('os').system('true')", 'line 1 contains more than constants'),
        ('import os', 'line 1 is not an assignment'),
        ("model = dict(**dict(type='SIGMA'))", 'line 1 contains more than constants'),
        ("model = dict(type='os.system', command='true')", "names 'os.system', which is not a registered class"),
        ("model = dict(type='SIGMA', backbone=[dict(type='subprocess.run')])", "names 'subprocess.run'"),
        ("model = dict(type='mmengine.load', file='a.pkl')", "names 'mmengine.load', which is not a registered class"),
        ("model = dict(type='MaskVOS', backbone=dict(type='mmengine.load', file='a.pkl'))", "names 'mmengine.load'"),
        ("model = dict(type='SIGMA', data_preprocessor=dict(type='mmengine.load'))", "names 'mmengine.load'"),
        ("model = dict(type='mmengine.put_text', obj='x', filepath='x')", "names 'mmengine.put_text'"),
        ("model = dict(type='mmengine.fileio.io.load', file='a.pkl')", "names 'mmengine.fileio.io.load'"),
        ("model = dict(type='SIGMA', _scope_='subprocess')", "names 'subprocess'"),
        ("model = dict(type=['SIGMA'])", 'which is not a registered class'),
        ('epochs = 3', 'has no model'),
        ('model = (', 'cannot be read'),
    ],
)
def test_nothing_of_a_config_in_a_checkpoint_is_executed(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / 'epoch_1.pth'
    torch.save(dict(state_dict={}, meta=dict(cfg=text)), path)
    with pytest.raises(CheckpointError, match=message):
        config_of_checkpoint(path)


def test_a_pickle_that_a_config_in_a_checkpoint_points_to_is_not_loaded(tmp_path: Path) -> None:
    class Touch:
        def __reduce__(self) -> tuple:
            return Path.touch, (tmp_path / 'executed',)

    (tmp_path / 'a.pkl').write_bytes(pickle.dumps(Touch()))
    load = f"dict(type='mmengine.load', file='{tmp_path / 'a.pkl'}')"
    for number, text in enumerate(
        (
            f'model = {load}',
            f"model = dict(type='MaskVOS', backbone={load})",
            f"model = dict(type='MaskVOS', backbone=dict(type='KeyEncoder'), data_preprocessor={load})",
        )
    ):
        path = tmp_path / f'{number}.pth'
        torch.save(dict(state_dict={}, meta=dict(cfg=text)), path)
        with pytest.raises(CheckpointError, match=r"names 'mmengine\.load'"):
            load_model(path)
    # what is no part of the model is not even looked up
    torch.save(
        dict(state_dict={}, meta=dict(cfg=f"model = dict(type='SIGMA')\ntrain_cfg = {load}")), tmp_path / 'b.pth'
    )
    with pytest.raises((ConfigError, TypeError)):
        load_model(tmp_path / 'b.pth')
    assert not (tmp_path / 'executed').exists()


@pytest.mark.parametrize('name', list_configs()[::15])
def test_text_of_configs_is_read_as_it_was(name: str, tmp_path: Path) -> None:
    cfg = load_config(name)
    path = tmp_path / 'run.pth'
    torch.save(dict(meta=dict(cfg=cfg.pretty_text)), path)
    assert config_of_checkpoint(path).to_dict() == Config(cfg.to_dict()).to_dict()


def test_a_checkpoint_of_a_run_stands_for_its_config(run: Path, tmp_path: Path) -> None:
    weights = tmp_path / 'weights.pth'
    torch.save(dict(state_dict={}), weights)
    default = 'mmsigma::vos/dino_vits8'
    assert named_or_own_config(None, str(run), default) == (str(run), None)
    assert named_or_own_config(None, str(weights), default) == (default, str(weights))
    assert named_or_own_config(None, None, default) == (default, None)
    assert named_or_own_config('own.py', str(run), default) == ('own.py', str(run))


@pytest.mark.parametrize('demo', ['vos_demo', 'align_demo'])
def test_defaults_of_demos_are_found_from_any_folder(demo: str, repository: Path) -> None:
    default = re.search("^CONFIG = '(.*)'", (repository / 'demo' / f'{demo}.py').read_text(), re.MULTILINE)
    assert default and default[1] in list_configs()


def test_what_is_opened_of_a_checkpoint(run: Path, tmp_path: Path) -> None:
    cfg, weights = open_config(run)
    assert weights == run and cfg.model.type == 'SIGMA' and cfg.train_dataloader.keys() == {'dataset'}
    assert not cfg.keys() & {'custom_hooks', 'optim_wrapper', 'train_cfg'}
    cfg, weights = open_config(CONFIG)
    assert weights is None and 'optim_wrapper' in cfg
    text = "model = dict(type='SIGMA')\ntest_dataloader = dict(dataset=dict(type='VideoDataset', pipeline=[{step}]))"
    for step in ("dict(type='mmengine.load', file='a.pkl')", "dict(type='ReadClip', sampling=dict(type='os.system'))"):
        torch.save(dict(state_dict={}, meta=dict(cfg=text.format(step=step))), tmp_path / 'bad.pth')
        with pytest.raises(CheckpointError, match="names '(mmengine.load|os.system)', which is not a registered class"):
            open_config(tmp_path / 'bad.pth')


def test_class_names_of_checkpoints(tmp_path: Path, run: Path) -> None:
    assert class_names_of_checkpoint(run) == []
    for meta, expected in ((dict(classes=('a', 'b')), ['a', 'b']), (dict(classes='a'), []), (None, [])):
        torch.save(dict(state_dict={}, meta=dict(dataset_meta=meta)), tmp_path / 'named.pth')
        assert class_names_of_checkpoint(tmp_path / 'named.pth') == expected


@pytest.mark.parametrize(
    ('config', 'epoch', 'trained'),
    [
        ('demo/mask_vos_tiny_demo', 2, False),
        ('demo/mask_vos_tiny_demo', 3, True),
        ('mask_vos/r18_ytvos_seg', 1, True),
        ('mask_vos/crw_r18_k400_corr', 9, False),
    ],
)
def test_masks_are_trained_from_the_first_round_on(tmp_path: Path, config: str, epoch: int, trained: bool) -> None:
    cfg = load_config(f'mmsigma::{config}')
    path = tmp_path / 'run.pth'
    torch.save(dict(state_dict={}, meta=dict(cfg=cfg.pretty_text, epoch=epoch)), path)
    assert has_trained_masks(path) is trained


def test_masks_of_files_without_history_are_taken_for_trained(tmp_path: Path) -> None:
    for number, content in enumerate((dict(weight=torch.zeros(1)), dict(state_dict={}, meta=dict(epoch=1)))):
        torch.save(content, tmp_path / f'{number}.pth')
        assert has_trained_masks(tmp_path / f'{number}.pth')
