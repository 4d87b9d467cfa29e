"""Recipes of fine-tuning, probing, neighbours and SEVERE's classification: checked, built, and with their numbers."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch

from mmsigma.registry import METRICS, MODELS, TRANSFORMS
from mmsigma.utils.config import load_config
from mmsigma.utils.preflight import check_config

CONFIGS = Path(__file__).resolve().parents[1] / 'configs'
FILES = {
    f'{path.parent.name}/{path.stem}': path
    for folder in ('finetune', 'linear', 'knn', 'severe')
    for path in sorted((CONFIGS / folder).glob('*.py'))
    if not re.search('ucfrep|charades', path.stem)
}
DEMOS = {f'demo/{name}': CONFIGS / f'demo/{name}_tiny_demo.py' for name in ('finetune', 'linear', 'knn')}
TRAINED = {name: path for name, path in FILES.items() if not name.startswith('knn')}
every_config = pytest.mark.parametrize('name', FILES | DEMOS)
every_trained = pytest.mark.parametrize('name', TRAINED)

# epochs, learning rate (1e-3 x clips per update / 256 unless another base is known), clips and crops tested
PAPER = {
    'finetune/vitb_k400': (100, 1.25e-4, 7, 3),
    'finetune/vitb_k400_paper': (75, 6.25e-5, 5, 3),
    'finetune/vits_k400': (100, 1.25e-4, 7, 3),
    'finetune/vitb_ssv2': (40, 1.25e-4, 2, 3),
    'finetune/vitb_ssv2_paper': (50, 1.25e-4, 2, 3),
    'finetune/vitb_ssv2_videomae': (50, 5e-4 * 2, 2, 3),
    'finetune/vits_ssv2': (40, 1.25e-4, 2, 3),
    'finetune/vitb_mini_kinetics': (100, 1.25e-4, 7, 3),
    'finetune/vitb_ucf101': (100, 1e-3, 10, 3),
    'finetune/vitb_ucf101_videomae': (100, 2.5e-4, 10, 3),
    'linear/vitb_k400': (40, 5e-4, 7, 3),
    'linear/vitb_k400_attentive': (20, 1e-3, 8, 3),
    'linear/vitb_ssv2': (30, 5e-4, 2, 3),
    'linear/vitb_ssv2_script': (30, 1.5e-3, 2, 3),
    'linear/vitb_ssv2_attentive': (20, 1e-3, 2, 3),
    'linear/vitb_ucf101': (100, 5e-4, 5, 3),
    'linear/vitb_in1k': (30, 5e-4, None, 1),
    'linear/vitb_cifar100': (100, 5e-4, None, 1),
    **{f'severe/vitb_{data}': (100, 6.25e-5, 5, 3) for data in ('gym99', 'gym1k', 'ucf1k', 'fxs1', 'ubs1')},
}
CLASSES = dict(
    k400=400,
    ssv2=174,
    mini_kinetics=200,
    ucf101=101,
    ucf1k=101,
    in1k=1000,
    cifar100=100,
    gym99=99,
    gym1k=99,
    fxs1=11,
    ubs1=15,
)


def load(name: str):
    return load_config((FILES | DEMOS)[name])


def test_every_recipe_is_known() -> None:
    assert PAPER.keys() == TRAINED.keys() and sum(name.startswith('knn') for name in FILES) == 3


@every_config
def test_passes_the_check_and_builds(name: str) -> None:
    cfg = load(name)
    check_config(cfg)
    cfg.model.backbone.arch = dict(embed_dims=32, depth=1, num_heads=2)
    model = MODELS.build(cfg.model)
    size, num_frames = model.backbone.input_shape[2], model.backbone.input_shape[1]
    for split in ('train', 'val', 'test'):
        loader = cfg.get(f'{split}_dataloader')
        if loader:
            steps = [TRANSFORMS.build(step) for step in loader.dataset.pipeline]
            frames = [np.zeros((300, 400, 3), np.uint8)] * num_frames
            results = {'imgs': frames, 'num_clips': 1, 'label': 0}
            for step in steps[1:]:  # all but reading
                results = step(results)
            results = results if isinstance(results, list) else [results]
            assert {item['inputs'].shape[-4:] for item in results} == {(3, num_frames, size, size)}
    METRICS.build(cfg.test_evaluator) if cfg.test_evaluator else None


@every_trained
def test_schedule_rate_and_views_of_the_paper(name: str) -> None:
    cfg = load(name)
    epochs, rate, clips, crops = PAPER[name]
    optimizer = cfg.optim_wrapper.optimizer
    assert cfg.train_cfg.max_epochs == cfg.param_scheduler.end == epochs
    assert optimizer.lr == pytest.approx(rate, rel=1e-9)
    assert (optimizer.type, optimizer.betas) == ('AdamW', (0.9, 0.999))
    assert optimizer.weight_decay == (0.1 if 'attentive' in name else 0.05)
    warmup, floor = (0, 0.0) if 'attentive' in name else (5, 1e-5 / 5e-4 if 'ucf101_videomae' in name else None)
    assert cfg.param_scheduler.warmup == warmup
    assert cfg.param_scheduler.min_ratio == pytest.approx(
        floor if floor is not None else 1e-6 / (5e-4 if 'videomae' in name else 1e-3)
    )
    pipeline = cfg.test_dataloader.dataset.pipeline
    assert pipeline[0].get('sampling', {}).get('num_clips') == clips and pipeline[1].num_crops == crops


@every_trained
def test_header_states_batch_and_rate(name: str) -> None:
    cfg = load(name)
    comment = ' '.join(re.match(r'(#.*\n)+', TRAINED[name].read_text())[0].replace('#', ' ').split())
    stated = re.search(r'\((?P<gpus>\d+) GPUs x (?P<clips>\d+)\)', comment)
    stated = stated or re.search(r'(?P<gpus>\d+) GPUs x (?P<clips>\d+) clips', comment)
    assert int(stated['clips']) == cfg.train_dataloader.batch_size
    repeats = cfg.train_dataloader.dataset.pipeline[-1].get('num_repeats', 1)
    assert int(stated['gpus']) * int(stated['clips']) * repeats == cfg.auto_scale_lr.base_batch_size
    rate = re.search(r'learning rate (?P<rate>[\d.e-]+\d)', comment)
    assert float(rate['rate']) == pytest.approx(cfg.optim_wrapper.optimizer.lr, rel=1e-9)


@every_trained
def test_classes_and_what_is_trained(name: str) -> None:
    cfg = load(name)
    data = 'mini_kinetics' if 'mini_kinetics' in name else name.split('_')[1]
    mixing = cfg.model.data_preprocessor.get('mixing')
    assert cfg.model.head.num_classes == CLASSES[data]
    assert mixing is None or mixing.num_classes == CLASSES[data]
    probe = name.startswith('linear')
    assert cfg.model.get('freeze_backbone', False) == probe == bool(cfg.get('load_backbone_only'))
    decay = 1.0 if probe else 0.7 if name.endswith('ucf101_videomae') else 0.75
    assert cfg.optim_wrapper.paramwise_cfg.layer_decay == decay
    assert not cfg.model.backbone.final_norm
    flips = [step for step in cfg.train_dataloader.dataset.pipeline if step.type == 'FlipClip']
    repeated = cfg.train_dataloader.dataset.pipeline[-1].type == 'RepeatAugment'
    assert repeated or bool(flips) == (not re.search('ssv2|attentive', name))


@pytest.mark.parametrize('name', [name for name in FILES if re.search('ucf|hmdb', name)])
def test_decoder_for_avi_files_with_b_frames(name: str) -> None:
    cfg = load(name)
    loaders = [cfg.get(f'{split}_dataloader') for split in ('train', 'val', 'test')]
    loaders.append((cfg.test_cfg or {}).get('bank_dataloader'))
    assert {loader.dataset.pipeline[0].decoder for loader in loaders if loader} == {'auto'}


@pytest.mark.parametrize(
    ('name', 'root', 'num_classes'),
    [
        ('finetune/vitb_ucf101', 'data/hmdb51', 51),
        ('linear/vitb_ucf101', 'data/hmdb51', 51),
        ('knn/vitb_ucf101', 'data/hmdb51', None),
        ('finetune/vitb_ssv2', 'data/mini_sthv2', 87),
    ],
)
def test_data_sets_given_by_options(name: str, root: str, num_classes: int | None) -> None:
    options = dict(data_root=root) | (dict(num_classes=num_classes) if num_classes else {})
    cfg = load_config(FILES[name], options)
    check_config(cfg)
    loaders = [cfg.get(f'{split}_dataloader') for split in ('train', 'val', 'test')]
    assert {loader.dataset.data_root for loader in loaders if loader} == {root}
    cfg.model.backbone.arch = dict(embed_dims=32, depth=1, num_heads=2)
    MODELS.build(cfg.model)
    if num_classes:
        assert cfg.model.head.num_classes == cfg.model.data_preprocessor.mixing.num_classes == num_classes
    else:
        assert cfg.test_cfg.bank_dataloader.dataset.data_root == root


def test_subsets_of_severe() -> None:
    for name, expected in (('severe/vitb_gym1k', 20_484), ('severe/vitb_ucf1k', 9_537)):
        assert load(name).train_dataloader.dataset.subset == dict(num_examples=1000, expected=expected)
        assert 'subset' not in load(name).test_dataloader.dataset
    for name, labels in (('severe/vitb_fxs1', (6, 16)), ('severe/vitb_ubs1', (74, 88))):
        cfg = load(name)
        for loader in (cfg.train_dataloader, cfg.val_dataloader, cfg.test_dataloader):
            assert tuple(loader.dataset.label_range) == labels
        assert labels[1] - labels[0] + 1 == cfg.num_classes


@pytest.mark.parametrize('name', [name for name in FILES if name.startswith('knn')])
def test_neighbours_come_from_the_training_set(name: str) -> None:
    cfg = load(name)
    bank, test = cfg.test_cfg.bank_dataloader.dataset, cfg.test_dataloader.dataset
    assert 'train' in bank.ann_file and 'train' not in test.ann_file
    assert bank.data_root == test.data_root and bank.pipeline == test.pipeline
    assert torch.tensor(cfg.test_cfg.k).tolist() == [10, 20, 100, 200]
