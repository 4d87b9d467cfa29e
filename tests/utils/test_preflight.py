"""Faults of configs are found, all at once, with the name that was probably meant."""

import importlib.util

import pytest
from mmengine.config import Config
from torch import nn

from mmsigma.registry import MODELS
from mmsigma.utils.config import load_config
from mmsigma.utils.preflight import ConfigError, check_config


def good() -> dict:
    transforms = [
        dict(type='ReadClip', decoder='pyav', sampling=dict(type='SampleStridedClip', clip_len=16)),
        dict(type='mmaction.Flip', flip_ratio=0),
        dict(type='PackVideoInputs'),
    ]
    dataset = dict(type='VideoDataset', data_root='data', test_mode=False, pipeline=transforms)
    return dict(
        default_scope='mmsigma',
        model=dict(
            type='SIGMA',
            backbone=dict(type='VideoVisionTransformer', arch=dict(embed_dims=24, depth=1, num_heads=2)),
            neck=dict(type='MaskedVideoDecoder', init_cfg=dict(type='Pretrained', checkpoint='x.pth')),
            target=dict(type='PixelTarget'),
            head=dict(type='PrototypeHead', loss=dict(type='SwappedAssignmentLoss', temperature=0.1)),
        ),
        train_dataloader=dict(
            batch_size=2,
            sampler=dict(type='SeededSampler', shuffle=True),
            collate_fn=dict(type='pseudo_collate'),
            dataset=dict(type='RepeatDataset', times=3, dataset=dataset),
        ),
        train_cfg=dict(type='ResumableEpochLoop', max_epochs=2),
        optim_wrapper=dict(
            type='OptimWrapper',
            constructor='TransformerOptimWrapperConstructor',
            paramwise_cfg=dict(no_decay=()),
            clip_grad=dict(max_norm=1),
            optimizer=dict(type='AdamW', lr=1e-3, betas=(0.9, 0.95)),
        ),
        param_scheduler=[
            dict(type='LinearLR', start_factor=0.1, by_epoch=True, begin=0, end=2, convert_to_iter_based=True),
            dict(type='WarmupCosineLR', warmup=1, end=2),
        ],
        default_hooks=dict(
            logger=dict(type='LoggerHook', interval=5),
            param_scheduler=dict(type='ParamSchedulerHook'),
            checkpoint=dict(type='CheckpointHook', interval=1, something_for_the_backend=1),
            timer=dict(type='IterTimerHook', priority='LOW'),
        ),
        custom_hooks=[dict(type='ProgressHook', priority=40), dict(type='BadVideoHook', max_share=0.1)],
        visualizer=dict(type='Visualizer', vis_backends=[dict(type='LocalVisBackend')]),
        env_cfg=dict(cudnn_benchmark=True, mp_cfg=dict(mp_start_method='fork', opencv_num_threads=0), dist_cfg=dict()),
        randomness=dict(seed=0, deterministic=True),
        log_processor=dict(window_size=10),
        auto_scale_lr=dict(base_batch_size=16, enable=False),
        # variables, whatever their name
        data_root='data',
        my_own_model_variable=dict(type='Nonsense', anything=1),
    )


def changed(path: str, value: object) -> Config:
    cfg = Config(good())
    cfg.merge_from_dict({path: value}, allow_list_keys=True)
    return cfg


def test_good_config_passes() -> None:
    check_config(Config(good()))


@pytest.mark.parametrize(
    ('path', 'value', 'fault'),
    [
        (
            'model.head.loss.temprature',
            0.2,
            "model.head.loss: 'temprature' is not an argument of SwappedAssignmentLoss (did you mean 'temperature'?)",
        ),
        (
            'model.backbone.type',
            'VideoVisionTransfomer',
            "model.backbone.type: 'VideoVisionTransfomer' is not in the registry of models "
            "(did you mean 'VideoVisionTransformer'?)",
        ),
        (
            'train_dataloader.dataset.dataset.pipeline.0.sampling.frame_intervall',
            2,
            "train_dataloader.dataset.dataset.pipeline[0].sampling: 'frame_intervall' is not an argument of "
            "SampleStridedClip (did you mean 'frame_interval'?)",
        ),
        (
            'train_dataloader.dataset.dataset.pipeline.1.type',
            'mmaction.Flipp',
            "train_dataloader.dataset.dataset.pipeline[1].type: 'mmaction.Flipp' is not in the registry of transforms",
        ),
        (
            'train_dataloader.dataset.dataset.ann_fle',
            'x.txt',
            "train_dataloader.dataset.dataset: 'ann_fle' is not an argument of VideoDataset (did you mean 'ann_file'?)",
        ),
        (
            'train_dataloader.sampler.shufle',
            True,
            "train_dataloader.sampler: 'shufle' is not an argument of SeededSampler (did you mean 'shuffle'?)",
        ),
        (
            'default_hooks.checkpoint.intervall',
            1,
            "default_hooks.checkpoint: 'intervall' is not an argument of CheckpointHook (did you mean 'interval'?)",
        ),
        (
            'default_hooks.param_scheduler.interval',
            1,
            "default_hooks.param_scheduler: 'interval' is not an argument of ParamSchedulerHook",
        ),
        (
            'custom_hooks.1.max_shar',
            1,
            "custom_hooks[1]: 'max_shar' is not an argument of BadVideoHook (did you mean 'max_share'?)",
        ),
        (
            'optim_wrapper.optimizer.weight_deca',
            0.1,
            "optim_wrapper.optimizer: 'weight_deca' is not an argument of AdamW (did you mean 'weight_decay'?)",
        ),
        (
            'param_scheduler.1.min_rati',
            0.1,
            "param_scheduler[1]: 'min_rati' is not an argument of WarmupCosineLR (did you mean 'min_ratio'?)",
        ),
        ('train_cfg.max_epoch', 3, "'max_epoch' is not an argument of ResumableEpochLoop (did you mean 'max_epochs'?)"),
        ('trian_cfg', dict(), "trian_cfg: not an argument of the Runner (did you mean 'train_cfg'?)"),
        ('custom_hook', [], "custom_hook: not an argument of the Runner (did you mean 'custom_hooks'?)"),
        ('model.zzz', 1, "model: 'zzz' is not an argument of SIGMA"),
        (
            'train_dataloader.batchsize',
            3,
            "train_dataloader: 'batchsize' is not a valid key (did you mean 'batch_size'?)",
        ),
        ('env_cfg.cudnn_benchmrk', True, "env_cfg: 'cudnn_benchmrk' is not a valid key (did you mean 'cudnn_"),
        ('env_cfg.mp_cfg.start_method', 'fork', "env_cfg.mp_cfg: 'start_method' is not a valid key"),
        ('randomness.sed', 1, "randomness: 'sed' is not a valid key (did you mean 'seed'?)"),
        ('log_processor.window', 1, "log_processor: 'window' is not a valid key (did you mean 'window_size'?)"),
        ('env_cfg', 'abc', "env_cfg: expected a dict or None, got 'abc'"),
        ('custom_hooks', 'abc', "custom_hooks: expected a list or None, got 'abc'"),
        ('log_level', 'LOUD', "log_level: expected one of 'DEBUG', 'INFO'"),
        ('train_dataloader.dataset', None, 'train_dataloader.dataset: a dict with a type is needed, got None'),
        ('train_dataloader', 3, 'train_dataloader: a dict is needed, got 3'),
        ('train_dataloader.prefetch_factor', '4', 'train_dataloader.prefetch_factor: expected an integer or None, got'),
        ('optim_wrapper.optimizer.lr', float('inf'), 'lr: expected a number from 0, not infinite, got inf'),
        ('default_hooks.checkpoint.interval', 0, 'checkpoint.interval: expected a number from 1, not infinite, or -1'),
        ('train_dataloader.batch_size', 0, 'train_dataloader.batch_size: expected a number from 1, not infinite, got'),
        ('model.head.loss.temperature', 0, 'loss.temperature: expected a number above 0, not infinite, got 0'),
        ('custom_hooks.1.max_share', 5, 'custom_hooks[1].max_share: expected a number from 0 to 1, got 5'),
        ('auto_scale_lr.base_batch', 1, "auto_scale_lr: 'base_batch' is not a valid key (did you mean 'base_"),
    ],
)
def test_fault_is_located_and_the_right_name_suggested(path: str, value: object, fault: str) -> None:
    with pytest.raises(ConfigError) as info:
        check_config(changed(path, value))
    lines = str(info.value).splitlines()
    assert len(lines) == 2 and fault in lines[1]


def test_nothing_is_suggested_for_what_is_like_nothing() -> None:
    with pytest.raises(ConfigError) as info:
        check_config(changed('model.zzz', 1))
    assert 'did you mean' not in str(info.value)


def test_all_faults_are_reported_at_once() -> None:
    cfg = changed('model.neck.dept', 2)
    cfg.merge_from_dict({'trian_cfg': {}, 'model.target.type': 'PixelTargt', 'custom_hooks.0.x': 1})
    with pytest.raises(ConfigError) as info:
        check_config(cfg)
    found = str(info.value)
    assert len(found.splitlines()) == 5
    assert all(part in found for part in ("'dept'", 'trian_cfg', "'PixelTargt'", "custom_hooks[0]: 'x'"))


def test_classes_and_functions_are_checked_as_well() -> None:
    class Local:
        def __init__(self, width: int) -> None: ...

    def anything(**kwargs) -> None: ...

    check_config(dict(model=dict(type=anything, x=1)))
    with pytest.raises(ConfigError, match="model: 'widht' is not an argument of Local .did you mean 'width'"):
        check_config(dict(model=dict(type=Local, widht=1)))


def test_arguments_of_parents_are_known() -> None:
    class Parent:
        def __init__(self, deep: int) -> None: ...

    class Child(Parent):
        def __init__(self, shallow: int, **kwargs) -> None: ...

    check_config(dict(model=dict(type=Child, shallow=1, deep=2)))
    with pytest.raises(ConfigError, match="'deeep' is not an argument of Child .did you mean 'deep'"):
        check_config(dict(model=dict(type=Child, deeep=2)))


def test_package_that_cannot_be_imported_is_not_taken_for_a_misspelt_name(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(self, key: str) -> None:
        raise ModuleNotFoundError("No module named 'mmaction.models.localizers.drn'")

    monkeypatch.setattr(type(MODELS), 'get', fail)
    with pytest.raises(ConfigError) as info:
        check_config(dict(model=dict(type='mmaction.Recognizer3D')))
    fault = "'mmaction.Recognizer3D' cannot be imported (No module named 'mmaction.models.localizers.drn')"
    assert fault in str(info.value) and 'not in the registry' not in str(info.value)


@pytest.mark.parametrize('tracker', ['tensorboard', 'wandb'])
def test_package_of_a_tracker_is_named(tracker: str, monkeypatch: pytest.MonkeyPatch) -> None:
    cfg = load_config('configs/demo/sigma_tiny_demo_mlp.py', dict(tracker=tracker))
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, 'find_spec', lambda name, *rest: None if name == tracker else find(name, *rest))
    with pytest.raises(ConfigError, match=rf"needs {tracker}: pip install 'mmsigma\[{tracker}\]'"):
        check_config(cfg)


def test_names_of_another_scope() -> None:
    loader = dict(dataset=dict(type='RawframeDataset', ann_file='x', pipeline=[dict(type='RawFrameDecode')]))
    cfg = dict(default_scope='mmaction', model=nn.Identity(), train_dataloader=loader)
    check_config(cfg)
    with pytest.raises(ConfigError, match='RawframeDataset'):
        check_config({**cfg, 'default_scope': 'mmsigma'})


def test_what_a_hook_is_given_is_no_hook() -> None:
    handler = dict(type='tb_trace', dir_name='traces')
    check_config(changed('custom_hooks.0', dict(type='mmengine.ProfilerHook', on_trace_ready=handler)))


@pytest.mark.parametrize('place', ['val_dataloader', 'test_dataloader', 'test_cfg.bank_dataloader'])
@pytest.mark.parametrize(
    ('key', 'value', 'message'),
    [
        ('drop_last', True, 'drop_last: the last videos would have no part in the scores'),
        ('dataset.test_mode', False, 'test_mode: unreadable videos would be replaced by others in the scores'),
    ],
)
def test_no_score_without_some_videos(place: str, key: str, value: bool, message: str) -> None:
    cfg = Config(good())
    loader = dict(batch_size=1, dataset=dict(type='VideoDataset', data_root='data', pipeline=[dict(type='ReadClip')]))
    cfg.merge_from_dict({place: loader})
    cfg.merge_from_dict({f'{place}.{key}': value})
    with pytest.raises(ConfigError, match=f'{place}.*{message}'):
        check_config(cfg)
