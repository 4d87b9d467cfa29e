"""Every config parses, passes the check, builds, and says in its first lines what it does."""

import re
from pathlib import Path

import pytest
from mmengine.config import Config
from torch import nn

from mmsigma.registry import MODELS, TRANSFORMS
from mmsigma.utils.config import load_config
from mmsigma.utils.preflight import check_config

CONFIGS = Path(__file__).resolve().parents[1] / 'configs'
RECIPES = sorted((CONFIGS / 'sigma').glob('*.py'))
DEMOS = sorted(path for folder in ('demo', 'evidence') for path in (CONFIGS / folder).glob('sigma_*.py'))
TINY = dict(embed_dims=24, depth=1, num_heads=2)

every_config = pytest.mark.parametrize('path', RECIPES + DEMOS, ids=lambda path: path.stem)
every_recipe = pytest.mark.parametrize('path', RECIPES, ids=lambda path: path.stem)


def build_tiny(cfg: Config) -> nn.Module:
    """The model of a config with networks of a size for tests; grid, target and head are as configured."""
    cfg.model.backbone.arch = TINY
    cfg.model.neck.update({**TINY, 'embed_dims': 12})
    if cfg.model.target.type == 'FrozenEncoderTarget':
        is_transformer = cfg.model.target.get('model_name', 'vit').startswith('vit')
        tiny = dict(embed_dim=24, depth=1, num_heads=2) if is_transformer else None
        cfg.model.target.update(weights='random', model_kwargs=tiny)
    return MODELS.build(cfg.model)


def find(pipeline: list[dict], *kinds: str) -> dict:
    steps = [inner for step in pipeline for inner in (step, *step.get('transforms', []))]
    return next(step for step in steps if step['type'] in kinds)


def header(path: Path) -> str:
    """The comment that a config begins with, in one line."""
    return ' '.join(re.match(r'(#.*\n)+', path.read_text())[0].replace('#', ' ').split())


def test_there_are_configs() -> None:
    assert len(RECIPES) > 15 and len(DEMOS) > 1


@every_config
def test_passes_the_check(path: Path) -> None:
    check_config(load_config(path))


@every_config
def test_model_fits_what_the_pipeline_delivers(path: Path) -> None:
    cfg = load_config(path)
    pipeline = cfg.train_dataloader.dataset.pipeline
    for step in pipeline:
        TRANSFORMS.build(step)
    model = build_tiny(cfg)
    _, num_frames, height, width = model.backbone.input_shape
    assert find(pipeline, 'ReadClip')['sampling']['clip_len'] == num_frames
    assert find(pipeline, 'MultiScaleCrop')['size'] == height == width
    assert tuple(find(pipeline, 'TubeMask', 'MotionGuidedMask')['grid']) == model.backbone.grid
    assert model.neck.head.out_features == model.target.out_channels
    target = getattr(model.target, 'pixels', model.target)
    assert target.tubelet_size == model.backbone.tubelet_size
    if hasattr(target, 'patch_size'):
        assert target.patch_size == model.backbone.patch_size
    else:
        assert target.grid == model.backbone.grid[1:]


@every_config
def test_header_states_batch_and_learning_rate(path: Path) -> None:
    cfg, comment = load_config(path), header(path)
    stated = re.search(r'(?P<batch>\d+) clips per step, learning rate (?P<rate>[\d.e-]+\d)', comment)
    assert int(stated['batch']) == cfg.auto_scale_lr.base_batch_size
    assert float(stated['rate']) == pytest.approx(cfg.optim_wrapper.optimizer.lr, rel=1e-9)
    clips = cfg.train_dataloader.batch_size
    if product := re.search(r'(?P<gpus>\d+) GPUs x (?P<clips>\d+) clips = (?P<batch>\d+) clips', comment):
        assert int(product['gpus']) * clips == int(product['batch']) == int(stated['batch'])
        assert int(product['clips']) == clips
    elif path in DEMOS:  # one process
        assert clips * cfg.get('num_samples', 1) == int(stated['batch'])
    else:  # a variant that leaves the batch to the recipe it is built on, whose header has the product
        recipe = load_config(path.parent / re.search(r"_base_ = \['(\w+\.py)'", path.read_text())[1])
        batch = recipe.train_dataloader.batch_size, recipe.auto_scale_lr.base_batch_size
        assert (clips, int(stated['batch'])) == batch


@every_config
def test_schedule_is_as_long_as_the_training(path: Path) -> None:
    cfg = load_config(path)
    assert cfg.param_scheduler.end == cfg.train_cfg.max_epochs


@every_recipe
def test_optimiser_of_the_paper(path: Path) -> None:
    cfg = load_config(path)
    optimizer = cfg.optim_wrapper.optimizer
    assert optimizer.lr == pytest.approx(1.5e-4 * cfg.auto_scale_lr.base_batch_size / 256, rel=1e-9)
    assert cfg.auto_scale_lr.enable is False
    settings = (optimizer.type, optimizer.betas, optimizer.eps, optimizer.weight_decay)
    assert settings == ('AdamW', (0.9, 0.95), 1e-8, 0.05)
    assert cfg.param_scheduler.min_ratio * 1.5e-4 == pytest.approx(1e-5)
    assert cfg.param_scheduler.warmup == 40 and cfg.param_scheduler.convert_to_iter_based


@every_recipe
def test_epochs_and_sampling_of_the_paper(path: Path) -> None:
    cfg = load_config(path)
    assert cfg.train_cfg.max_epochs == (2400 if path.stem.startswith('vits_ssv2') else 800)
    pipeline = cfg.train_dataloader.dataset.pipeline
    stride = {'k400': 4, 'ssv2': 2}[path.stem.split('_')[1]]
    assert find(pipeline, 'ReadClip')['sampling'] == dict(type='SampleStridedClip', clip_len=16, frame_interval=stride)
    assert find(pipeline, 'TubeMask', 'MotionGuidedMask')['mask_ratio'] == 0.9


@every_recipe
def test_networks_of_the_paper(path: Path) -> None:
    model, size = load_config(path).model, path.stem.split('_')[0]
    arch, width, heads = {
        'vits': ('small', 192, 3),
        'vitb': ('base', 384, 6),
        'vitl': ('large', 512, 8),
        'vith': ('huge', 640, 10),
    }[size]
    neck = model.neck
    assert (model.backbone.arch, neck.embed_dims, neck.num_heads, neck.depth) == (arch, width, heads, 4)
    assert width == heads * 64


@every_recipe
def test_target_and_prototypes_of_the_paper(path: Path) -> None:
    model, kind = load_config(path).model, path.stem.split('_')[2]
    target = {
        'dino': 'FrozenEncoderTarget',
        'dinov2': 'FrozenEncoderTarget',
        'mlp': 'MLPTarget',
        'pixel': 'PixelTarget',
    }
    assert model.target.type == target[kind]
    if kind == 'pixel' or path.stem.endswith('_l2'):
        assert model.head.type == 'RegressionHead'
        return
    prototypes = [100, 600, 3000] if path.stem.endswith('_hier') else 3000 if kind.startswith('dino') else 4000
    assert model.head.num_prototypes == prototypes
    assert model.head.loss == dict(
        type='SwappedAssignmentLoss',
        epsilon=0.03 if path.stem.startswith('vitb_ssv2_dino') else 0.05,
        num_iters=10,
        temperature=0.1,
        hard_labels=True,
    )


@pytest.mark.parametrize('count', [1000, 4000, 6000])
def test_numbers_of_prototypes(count: int) -> None:
    cfg = load_config(CONFIGS / 'sigma' / 'vitb_ssv2_mlp.py', dict(num_prototypes=count, ann_file_train='mini.txt'))
    assert cfg.model.head.num_prototypes == count and cfg.train_dataloader.dataset.ann_file == 'mini.txt'
    cfg.merge_from_dict({'model.head.loss.hard_labels': False})
    assert [len(codebook) for codebook in build_tiny(cfg).head.prototypes] == [count]


@pytest.mark.parametrize(('name', 'clips', 'batch'), [('vitb_k400_dino', 2, 16), ('vitb_ssv2_dino', 16, 128)])
def test_single_node_scripts_of_the_release(name: str, clips: int, batch: int) -> None:
    cfg = load_config(CONFIGS / 'sigma' / f'{name}.py', dict(batch_size=clips, global_batch=batch))
    assert (cfg.train_dataloader.batch_size, cfg.auto_scale_lr.base_batch_size) == (clips, batch)
    assert cfg.optim_wrapper.optimizer.lr == 1.5e-4 * batch / 256


@every_config
def test_collapse_is_watched_where_it_can_happen(path: Path) -> None:
    cfg = load_config(path)
    watched = any(hook['type'] == 'CollapseHook' for hook in cfg.custom_hooks)
    assert watched == (cfg.model.target.type != 'PixelTarget')


@every_config
def test_variables_reach_what_depends_on_them(path: Path) -> None:
    options = dict(data_root='elsewhere', batch_size=3, num_workers=0, decoder='pyav', mask_ratio=0.5)
    cfg = load_config(path, options)
    loader = cfg.train_dataloader
    assert loader.dataset.data_root == 'elsewhere' and loader.num_workers == 0 and not loader.persistent_workers
    assert find(loader.dataset.pipeline, 'ReadClip')['decoder'] == 'pyav'
    assert find(loader.dataset.pipeline, 'TubeMask', 'MotionGuidedMask')['mask_ratio'] == 0.5


@pytest.mark.parametrize('name', ['vitb_k400_dino', 'vitb_ssv2_mlp', 'vitb_ssv2_mlp_mgm'])
def test_several_clips_of_one_that_is_read(name: str) -> None:
    plain = load_config(CONFIGS / 'sigma' / f'{name}.py')
    cfg = load_config(CONFIGS / 'sigma' / f'{name}.py', {'num_samples': 4})
    read, repeated = cfg.train_dataloader.dataset.pipeline
    assert read == plain.train_pipeline[0] and repeated.num_repeats == 4
    assert repeated.transforms == plain.train_pipeline[1:]
    assert cfg.train_dataloader.collate_fn.type == 'flatten_collate'
