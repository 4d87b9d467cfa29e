"""Configs of GTA: every row of the paper builds, trains and is described, with the numbers of the published recipe."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.structures import BaseDataElement

from mmsigma.datasets.alignment.penn_action import NUM_PHASES
from mmsigma.models import GTA
from mmsigma.registry import DATASETS, METRICS, MODELS, TRANSFORMS
from mmsigma.utils.config import load_config
from mmsigma.utils.preflight import ConfigError, check_config
from tests.metafiles import label, load_model, plain_configs, read_models

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / 'configs' / 'gta'
CONFIGS = {path.stem: path for path in sorted(FOLDER.glob('*.py'))}
METHODS = dict(
    gta='GTALoss', tcc='TCCLoss', tcn='TCNLoss', sal='OrderHead', speednet='SpeedHead', d3tw_star='D3TWStarLoss'
)
MODELS_OF_METAFILE = read_models('gta')
ROWS = [
    *((f'{method}_{data}', mode) for method in METHODS for data in ('finegym101', 'finegym290')
      for mode in ('scratch', 'train_all', 'only_bn')),
    *((f'{method}_{data}', 'only_bn') for method in METHODS for data in ('finegym99', 'finegym288')),
    *((f'{method}_penn_action', 'only_bn') for method in ('gta', 'tcc', 'tcn', 'sal')),
]  # fmt: skip


def head_of(cfg: Config) -> str:
    return cfg.model.head.loss.type if cfg.model.head.type == 'AlignmentHead' else cfg.model.head.type


def shrunken(cfg: Config) -> GTA:
    """The model with small networks; loss, context and mode are as configured."""
    cfg.model.backbone = dict(type='ResNetEncoder', depth=18, out_stage=3)
    cfg.model.neck.update(conv_channels=(8,), fc_channels=(8,), out_channels=128)
    cfg.model.data_preprocessor.size = 32
    return MODELS.build(cfg.model)


@pytest.mark.parametrize('name', CONFIGS)
def test_every_config(name: str) -> None:
    cfg = load_config(CONFIGS[name])
    check_config(cfg)
    assert CONFIGS[name].read_text().startswith('# ') and len(CONFIGS[name].read_text().splitlines()) <= 15
    with torch.device('meta'):
        model = MODELS.build(cfg.model)
    sizes = [sum(value.numel() for value in part.parameters()) for part in (model.backbone, model.neck)]
    assert sizes[1] == 21_829_760 - 2 * 2 * 512  # the facts count moving statistics
    assert model.context_stride == cfg.train_dataloader.dataset.pipeline[0].sampling.context_stride == 15
    for pipeline in (cfg.train_dataloader.dataset.pipeline, cfg.test_dataloader.dataset.datasets[0].pipeline):
        assert [type(TRANSFORMS.build(step)).__name__ for step in pipeline] == ['ReadClip', 'PackAlignmentInputs']
    METRICS.build(cfg.test_evaluator)


@pytest.mark.parametrize(('name', 'mode'), ROWS)
def test_every_row(name: str, mode: str) -> None:
    cfg = load_model(MODELS_OF_METAFILE[name], train_mode=mode)
    check_config(cfg)
    method, _, kind = name.replace('d3tw_star', 'd3tw*').partition('_')
    assert cfg.model.train_mode == mode and head_of(cfg) == METHODS[method.replace('*', '_star')]
    assert (cfg.load_from is None) == (mode == 'scratch')
    lists = [cfg.train_dataloader.dataset.ann_file, *(part.ann_file for part in cfg.test_dataloader.dataset.datasets)]
    if kind == 'penn_action':
        assert lists == ['train.txt', 'train.txt', 'val.txt']
        return
    start = 'gym99' if kind in ('finegym101', 'finegym99') else 'gym288'
    layout = 'organised' if kind in ('finegym101', 'finegym290') else 'clips'
    assert lists == [f'{start}_{part}_{layout}.json' for part in ('train', 'train', 'val')]
    assert [part.part for part in cfg.test_dataloader.dataset.datasets] == ['train', 'val']


@pytest.mark.parametrize('name', [name for name in CONFIGS if name.endswith('penn_action')])
def test_a_step(name: str) -> None:
    """What the sampling gives is what the head needs."""
    torch.manual_seed(0)
    np.random.seed(0)
    cfg = load_config(CONFIGS[name], dict(num_steps=6, train_mode='scratch'))
    sampling = TRANSFORMS.build(cfg.train_dataloader.dataset.pipeline[0].sampling)
    pack = TRANSFORMS.build(cfg.train_dataloader.dataset.pipeline[1])
    inputs, samples = [], []
    for number, total in enumerate((7, 30, 140)):  # twentyfold
        results = sampling(dict(total_frames=total, filename=f'v{number}', action='1'))
        results.update(label=1, frame_labels=np.arange(total) * 2 // total)
        frames = [np.full((32, 32, 3), 255 * frame // total, np.uint8) for frame in results['frame_inds']]
        packed = pack(dict(results, imgs=frames))
        inputs.append(packed['inputs'])
        samples.append(packed['data_samples'])
    model = shrunken(cfg)
    data = model.data_preprocessor(dict(inputs=inputs, data_samples=samples), training=True)
    losses = model(**data, mode='loss')
    total = sum(value for key, value in losses.items() if 'loss' in key)
    total.backward()
    assert total.isfinite() and {'loss_weights'} < losses.keys()
    assert all(value.grad.isfinite().all() for value in model.neck.parameters())
    assert model.backbone.conv1.weight.grad.any()


def test_published_recipe() -> None:
    cfg = load_config(CONFIGS['gta_penn_action'])
    sampler = cfg.train_dataloader.sampler
    assert cfg.train_cfg.max_epochs * sampler.num_groups == 150_000
    assert cfg.default_hooks.checkpoint.interval * sampler.num_groups == 30_000
    assert sampler.group_size == cfg.train_dataloader.batch_size == 4
    optimizer = cfg.optim_wrapper.optimizer
    assert (optimizer.type, optimizer.lr, optimizer.betas, optimizer.eps) == ('Adam', 1e-4, (0.9, 0.999), 1e-7)
    assert not cfg.param_scheduler and 'weight_decay' not in optimizer
    sampling = cfg.train_dataloader.dataset.pipeline[0].sampling
    assert (sampling.num_steps, sampling.num_context, sampling.context_stride) == (20, 2, 15)
    assert cfg.model.train_mode == 'only_bn' and cfg.test_evaluator.stride == 5
    loss = MODELS.build(cfg.model.head).loss_module
    assert (loss.alignment_weight, loss.cycle_weight, loss.cycle['label_smoothing']) == (0.1, 1.0, 0.1)
    preprocessor = cfg.model.data_preprocessor
    assert (preprocessor.size, preprocessor.flip, preprocessor.contrast) == (224, 0.5, (0.5, 1.5))
    assert preprocessor.brightness == pytest.approx(32 / 255)


RECIPES: dict[str, dict[str, Any]] = {
    'gta_penn_action': {'model.head.loss.type': 'GTALoss', 'custom_hooks.1.type': 'mmengine.SyncBuffersHook'},
    'tcc_penn_action': {'model.neck.normalize': False, 'model.head.loss.kind': 'regression_mse_var'},
    'sal_penn_action': {'model.neck.normalize': False},
    'tcn_penn_action': {
        'model.neck.normalize': False,
        'model.head.loss.kind': 'n_pairs',
        'train_dataloader.dataset.pipeline.0.sampling.positives': 5,
    },
    'speednet_penn_action': {
        'model.neck.normalize': False,
        'train_dataloader.dataset.pipeline.0.sampling.sampling': 'stride',
    },
    'd3tw_star_penn_action': {'model.head.loss.drop_share': 0.5, 'model.head.loss.function': 'hinge'},
    'd3tw_penn_action': {
        'train_dataloader.dataset.pipeline.1.phases_per_action': max(NUM_PHASES.values()),
        'model.head.num_labels': len(NUM_PHASES) * max(NUM_PHASES.values()),
    },
    'combined_penn_action': {
        'model.neck.normalize': False,
        'model.head.weights': (0.33, 0.33, 0.34),
        'model.head.heads.0.loss.type': 'TCCLoss',
        'model.head.heads.1.type': 'OrderHead',
        'model.head.heads.2.loss.type': 'TCNLoss',
        'train_dataloader.dataset.pipeline.0.sampling.positives': 5,
    },
    'softdtw_penn_action': {'model.head.loss.divergence': True, 'model.head.loss.per_frame': True},
    'gta_finegym': {'test_evaluator.fine_stride': 25},
}


@pytest.mark.parametrize('name', RECIPES)
def test_numbers_of_the_baselines(name: str) -> None:
    for key, expected in RECIPES[name].items():
        found: Any = load_config(CONFIGS[name])
        for part in key.split('.'):
            found = found[int(part) if part.isdigit() else part]
        assert found == expected, key


@pytest.mark.parametrize('action', NUM_PHASES)
def test_one_action(action: str) -> None:
    cfg = load_config(CONFIGS['tcn_penn_action'], dict(action=action))
    assert cfg.train_dataloader.dataset.ann_file == f'train_{action}.txt'
    assert [part.ann_file for part in cfg.test_dataloader.dataset.datasets] == [
        f'train_{action}.txt',
        f'val_{action}.txt',
    ]


def test_an_action_that_is_none(tmp_path: Path) -> None:
    cfg = load_config(CONFIGS['gta_penn_action'], dict(action='dancing', data_root=str(tmp_path)))
    with pytest.raises(FileNotFoundError, match=r'no video list at .*train_dancing\.txt'):
        DATASETS.build(cfg.train_dataloader.dataset)


def test_data_without_lists_of_one_action() -> None:
    with pytest.raises(ConfigError, match='action'):
        load_config(CONFIGS['tcn_finegym'], dict(action='golf_swing'))


def test_pouring() -> None:
    cfg = load_model(MODELS_OF_METAFILE['tcc_pouring'])
    check_config(cfg)
    assert cfg.train_dataloader.batch_size == cfg.train_dataloader.sampler.group_size == 2
    datasets = [cfg.train_dataloader.dataset, *cfg.test_dataloader.dataset.datasets]
    assert {dataset.data_root for dataset in datasets} == {'data/pouring'}


def test_an_unknown_choice_of_data() -> None:
    with pytest.raises(ConfigError, match="'finegym100' is not a choice of dataset"):
        load_config(CONFIGS['tcn_finegym'], dict(dataset='finegym100'))


def test_events_of_the_paper() -> None:
    events = load_config(CONFIGS['tcn_finegym']).test_evaluator.events
    assert {name: len(labels) for name, labels in events.items()} == dict(VT=8, FX=35, BB=33, UB=25)
    assert sorted(label for labels in events.values() for label in labels) == list(range(101))
    assert load_model(MODELS_OF_METAFILE['tcn_finegym290']).test_evaluator.events is None


def test_metafile_says_what_the_configs_do() -> None:
    assert plain_configs(MODELS_OF_METAFILE) == sorted(CONFIGS)
    for name, entry in MODELS_OF_METAFILE.items():
        cfg = load_model(entry)
        check_config(cfg)
        metadata = entry['Metadata']
        assert metadata['Batch Size'] == cfg.train_dataloader.batch_size
        assert metadata['Learning Rate'] == cfg.optim_wrapper.optimizer.lr
        assert metadata['Iterations'] == cfg.train_cfg.max_epochs * cfg.train_dataloader.sampler.num_groups
        data = metadata['Training Data'].lower().replace(' ', '_')
        assert name.replace('d3tw_star', 'd3tw').partition('_')[2] == data and all(
            result['Dataset'] == metadata['Training Data'] for result in entry.get('Paper Results', ())
        )
    rows = {
        (name, result['Training'].replace('one network per action', 'only_bn'))
        for name, entry in MODELS_OF_METAFILE.items()
        for result in entry.get('Paper Results', ())
    }
    assert rows == set(ROWS)


def test_readme_has_the_numbers_of_the_metafile() -> None:
    readme = (FOLDER / 'README.md').read_text()
    rows = {
        match[1]: [cell.strip() for cell in match[0].split('|')[3:-2]]
        for match in re.finditer(r'^\| (\[\w+\]\(\w+\.py\)(?: `.*?`)?) \| .*$', readme, re.MULTILINE)
    }
    assert sorted(rows) == sorted(map(label, MODELS_OF_METAFILE.values()))
    for name, entry in MODELS_OF_METAFILE.items():
        results = entry.get('Paper Results', ())
        numbers = [f'{next(iter(result["Metrics"].values())):.2f}' for result in results] or ['-']
        assert rows[label(entry)] == numbers, name
    for method in METHODS:
        entry = MODELS_OF_METAFILE[f'{method}_finegym101']
        events = [f'{value:.2f}' for value in entry['Paper Results'][2]['Metrics'].values()][1:]
        assert f'| {entry["Metadata"]["Method"]} | {" | ".join(events)} | not yet run |' in readme


@pytest.mark.parametrize('name', ['gta_fir', 'gta_fir_scratch', 'gta_golf'])
def test_evidence(name: str) -> None:
    """Configs of real videos: all parts read one folder, and a step of the model has a finite loss."""
    options = {'data_root': 'elsewhere'} | ({} if name.endswith('scratch') else {'encoder_weights': 'random'})
    cfg = load_config(ROOT / 'configs' / 'evidence' / f'{name}.py', options)
    check_config(cfg)
    datasets = [cfg.train_dataloader.dataset, *cfg.test_dataloader.dataset.datasets]
    assert [dataset.data_root for dataset in datasets] == ['elsewhere'] * 3
    assert [dataset.get('part') for dataset in datasets] == [None, 'train', 'val']
    batch_size = cfg.train_dataloader.batch_size
    assert cfg.train_dataloader.sampler.group_size == batch_size == (3 if name == 'gta_golf' else 4)
    assert datasets[0].pipeline[0].sampling.context_stride == cfg.model.context_stride == 6
    model = MODELS.build(cfg.model).train()
    trained = {key.partition('.')[0] for key, value in model.named_parameters() if value.requires_grad}
    assert trained == ({'backbone', 'neck'} if name.endswith('scratch') else {'neck'})
    frames = [torch.zeros(2 * 20, 3, 48, 64, dtype=torch.uint8).random_(0, 256) for _ in range(batch_size)]
    samples = [
        BaseDataElement(metainfo=dict(num_frames=60, action='sit', filename='a.mp4'), steps=torch.arange(0, 60, 3))
        for _ in range(batch_size)
    ]
    losses = model(**model.data_preprocessor(dict(inputs=frames, data_samples=samples), True), mode='loss')
    assert all(torch.isfinite(value).all() for value in losses.values()) and 'loss_cycle' in ' '.join(losses)
