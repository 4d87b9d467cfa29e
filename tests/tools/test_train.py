"""The command line of training and testing."""

import os
import subprocess
import sys
import uuid
from ast import literal_eval
from pathlib import Path

import pytest
import torch

from mmsigma.registry import MODELS
from mmsigma.synthetic.demo_data import make_demo_dataset
from mmsigma.utils.config import load_config

ROOT = Path(__file__).parents[2]
TINY = (
    'batch_size=2',
    'num_samples=1',
    'num_workers=0',
    'epochs=1',
    'model.backbone.arch.embed_dims=32',
    'model.backbone.arch.depth=1',
    'model.backbone.arch.num_heads=2',
)


@pytest.fixture(scope='module')
def videos(tmp_path_factory) -> Path:
    """A folder of videos without any list."""
    return (
        make_demo_dataset(tmp_path_factory.mktemp('set') / 'set', num_videos=5, val_share=0.2, num_masked=0) / 'videos'
    )


@pytest.mark.slow
def test_a_folder_of_videos_is_enough(run_tool, videos, tmp_path):
    """Trained in a process of its own, resumed in this one."""
    config = ROOT / 'configs' / 'demo' / 'sigma_tiny_demo_mlp.py'
    options = (f'data_root={videos}', *TINY)
    command = [sys.executable, ROOT / 'tools' / 'train.py', config, '--seed', '7', '--cfg-options', *options]
    environment = {**os.environ, 'OMP_NUM_THREADS': '1'}
    first = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=200)
    assert first.returncode == 0, first.stderr[-2000:]
    assert 'using all 5 videos' in first.stdout + first.stderr
    console = [line for line in first.stdout.splitlines() if line.startswith(('model', 'data', 'schedule', 'output'))]
    assert len(console) == 4 and '5 videos, 2 clips per step' in console[1]
    work_dir = tmp_path / 'work_dirs' / 'demo' / 'sigma_tiny_demo_mlp'
    assert torch.load(work_dir / 'epoch_1.pth', weights_only=True)['meta']['seed'] == 7

    again = run_tool(
        'tools/train.py', config, '--seed', 7, '--resume', '--cfg-options', *options, 'epochs=2', cwd=tmp_path
    )
    assert again.status == 0, again.errors
    assert 'resumed at step 2' in again.output and (work_dir / 'epoch_2.pth').is_file()


@pytest.mark.parametrize(
    ('option', 'message'),
    [
        ('model.head.temprature=0.1', "model.head: 'temprature' is not an argument of PrototypeHead"),
        ('model.backbone.type=VideoVisionTransfomer', "did you mean 'VideoVisionTransformer'?"),
        ('default_hooks.checkpoint.intervall=1', "did you mean 'interval'?"),
        ('trian_cfg.max_epochs=1', "did you mean 'train_cfg'"),
        (
            'train_pipeline.0.sampling.frame_interval=2',
            'would have no effect: what depends on train_pipeline has already been computed from it; '
            'set train_dataloader.dataset.pipeline.0.sampling.frame_interval instead',
        ),
    ],
)
def test_a_misspelt_key_stops_before_anything_starts(run_tool, option, message, tmp_path):
    config = ROOT / 'configs' / 'demo' / 'sigma_tiny_demo_mlp.py'
    run = run_tool('tools/train.py', config, '--cfg-options', option, cwd=tmp_path)
    assert run.status != 0 and message in run.errors
    assert not (tmp_path / 'work_dirs').exists()


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (
            ('batch_size=6',),
            r'train_dataloader.batch_size is 6, but there are only 5 videos, 5 for each of 1 processes',
        ),
        (('data_root=nowhere',), 'no folder of videos at nowhere: set data_root'),
        (('ann_file_train=mine.txt',), 'no video list at'),
        (('load_from=nothing.pth',), 'no checkpoint at nothing.pth'),
        (('param_scheduler.warmup=2', 'epochs=1'), 'set warmup_epochs as well'),
        (('epoch=1',), "'epoch' is neither a variable of the config"),
    ],
)
def test_errors_of_users_are_one_line(run_tool, videos, tmp_path, options, message):
    config = ROOT / 'configs' / 'demo' / 'sigma_tiny_demo_mlp.py'
    arguments = ('--work-dir', tmp_path / uuid.uuid4().hex, '--cfg-options', f'data_root={videos}', *TINY, *options)
    run = run_tool('tools/train.py', config, *arguments)
    *_, line, hint = run.errors.splitlines()
    assert run.status == 1 and line.startswith(f'{config}: ') and message in line and '--verbose' in hint


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (('epochs=abc',), 'epochs'),
        (('epochs=1.5',), 'train_cfg.max_epochs: expected an integer, got 1.5'),
        (('optim_wrapper.optimizer.lr=nan',), 'optim_wrapper.optimizer.lr: it is NaN'),
        (('mask_ratio=nan',), 'it is NaN'),
        (('model=None',), 'model: a dict with a type is needed, got None'),
        (('train_pipeline=[]',), 'train_dataloader: the pipeline of its dataset is empty'),
        (('custom_hooks.9.type=X',), "custom_hooks.9.type='X' cannot be set"),
        (('custom_hooks.0.type=os.system',), "custom_hooks[0].type: 'os.system' is neither a class nor a function"),
        (('custom_hooks.0.type=5',), 'custom_hooks[0].type'),
        (('custom_hooks.1.max_share=abc',), "custom_hooks[1].max_share: expected a number, got 'abc'"),
        (('model.backbone.arch.depth=two',), 'TypeError'),
        (('batch_size=-1',), 'batch_size'),
        (('train_dataloader.batch_size=x',), 'batch_size'),
        (('num_workers=-1',), 'num_workers'),
        (('train_cfg.max_epochs=-3',), 'max_epochs'),
        (('randomness.seed=x',), 'seed'),
        (('model.head.num_prototypes=0',), 'num_prototypes'),
        (('default_hooks.checkpoint.interval=often',), 'interval'),
    ],
)
def test_values_of_the_wrong_kind_are_one_line(run_tool, videos, tmp_path, options, message):
    config = ROOT / 'configs' / 'demo' / 'sigma_tiny_demo_mlp.py'
    given = {option.split('=')[0] for option in options}
    others = [word for word in TINY if not any(word.startswith((f'{key}=', f'{key}.')) for key in given)]
    run = run_tool(
        'tools/train.py', config, '--work-dir', tmp_path / 'run', '--cfg-options', f'data_root={videos}', *others,
        *options,
    )  # fmt: skip
    assert run.status == 1 and message in run.errors and 'Traceback' not in run.errors
    assert run.errors.startswith((f'{config}: ', f'{config} cannot be read')) and not list(tmp_path.glob('run/*.pth'))


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('a = (', 'cannot be read: SyntaxError'),
        ('a = b', "cannot be read: NameError: name 'b' is not defined"),
        ('a = 1 / 0', 'cannot be read: ZeroDivisionError'),
        ("_base_ = ['nowhere.py']", 'nowhere.py'),
        ('train_dataloader = dict(dataset=dict(type="VideoDataset"))', 'it has no model'),
        ('model = dict(type="SIGMA")', 'no train_dataloader: it only describes a test'),
    ],
)
def test_configs_that_cannot_be_used_are_one_line(run_tool, tmp_path, text, message):
    (tmp_path / 'mine.py').write_text(text)
    run = run_tool('tools/train.py', tmp_path / 'mine.py', cwd=tmp_path)
    assert run.status == 1 and message in run.errors and 'Traceback' not in run.errors


def test_words_that_are_no_options(run_tool, tmp_path):
    run = run_tool('tools/train.py', 'c.py', '--cfg-options', 'data_root', cwd=tmp_path)
    assert run.status == 2 and "--cfg-options expects key=value, got 'data_root'" in run.errors


def test_test_config_is_not_trained(run_tool, tmp_path):
    run = run_tool('tools/train.py', ROOT / 'configs' / 'vos' / 'colour.py', cwd=tmp_path)
    assert run.status == 1 and 'it has no train_dataloader: it only describes a test, for tools/test.py' in run.errors


def test_folder_of_another_run_is_refused(run_tool, videos, tmp_path):
    config, folder = ROOT / 'configs' / 'demo' / 'sigma_tiny_demo_mlp.py', tmp_path / 'run'
    arguments = ('--work-dir', folder, '--cfg-options', f'data_root={videos}', *TINY)
    assert run_tool('tools/train.py', config, *arguments).status == 0
    before = (folder / 'epoch_1.pth').read_bytes()
    other = run_tool('tools/train.py', ROOT / 'configs' / 'demo' / 'sigma_tiny_demo_pixel.py', *arguments)
    assert other.status == 1 and 'of a run of demo/sigma_tiny_demo_mlp, which differs in ' in other.errors
    again = run_tool('tools/train.py', config, *arguments)
    assert (
        again.status == 1 and 'of an earlier run of demo/sigma_tiny_demo_mlp. Continue it with --resume' in again.errors
    )
    assert (folder / 'epoch_1.pth').read_bytes() == before
    assert run_tool('tools/train.py', config, '--overwrite', *arguments).status == 0


def test_resuming_from_nothing(run_tool, videos, tmp_path):
    config, folder = ROOT / 'configs' / 'demo' / 'sigma_tiny_demo_mlp.py', tmp_path / 'run'
    options = ('--work-dir', folder, '--cfg-options', f'data_root={videos}', *TINY)
    run = run_tool('tools/train.py', config, '--resume', *options)
    assert run.status == 1 and f'{folder} contains no checkpoint to resume from. To start a new run' in run.errors
    assert run_tool('tools/train.py', config, '--resume', 'auto', *options).status == 0
    assert (folder / 'epoch_1.pth').is_file()
    named = run_tool('tools/train.py', config, '--resume', folder / 'epoch_2.pth', *options)
    assert named.status == 1 and 'contains epoch_1.pth' in named.errors
    torch.save({'weight': torch.ones(1)}, tmp_path / 'weights.pth')
    weights = run_tool('tools/train.py', config, '--resume', tmp_path / 'weights.pth', *options)
    assert weights.status == 1 and 'is not a checkpoint of a whole run, but 1 parameters alone' in weights.errors


def test_verbose_shows_where_an_error_comes_from(run_tool, tmp_path):
    config = ROOT / 'configs' / 'demo' / 'sigma_tiny_demo_mlp.py'
    with pytest.raises(ValueError, match="'epoch' is neither"):
        run_tool('tools/train.py', config, '--verbose', '--cfg-options', 'epoch=1')


def test_a_partial_checkpoint_is_not_tested(run_tool, videos, tmp_path):
    config = tmp_path / 'tested.py'
    config.write_text(
        f"_base_ = ['{ROOT}/configs/demo/sigma_tiny_demo_mlp.py']\n"
        'test_dataloader = dict(batch_size=1, sampler=dict(type="DefaultSampler"))\n'
        'test_dataloader.update(dataset=_base_.train_dataloader.dataset)\n'
        'test_cfg = dict(type="TestLoop")\n'
        'test_evaluator = dict(type="AccuracyMetric")\n'
    )
    options = {key: literal_eval(value) for key, value in (option.split('=') for option in TINY)}
    state = MODELS.build(load_config(config, options).model).state_dict()
    state.pop('neck.norm.bias')
    torch.save({'state_dict': state}, tmp_path / 'partial.pth')
    run = run_tool(
        'tools/test.py', config, tmp_path / 'partial.pth', '--work-dir', tmp_path / uuid.uuid4().hex, '--cfg-options',
        f'data_root={videos}', *TINY,
    )  # fmt: skip
    assert run.status == 1 and "missing 1 ['neck.norm.bias']" in run.errors


def test_test_refuses_a_config_without_a_test_set(run_tool, tmp_path):
    run = run_tool('tools/test.py', ROOT / 'configs/sigma/vitb_k400_dino.py', 'x.pth', cwd=tmp_path)
    assert run.status != 0 and 'no test_dataloader' in run.errors
