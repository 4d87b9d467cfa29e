"""Configs of label propagation hold the protocols' numbers, and run."""

import csv
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from mmengine.config import Config
from safetensors.torch import load_file

from mmsigma.apis import VideoSegmenter
from mmsigma.apis.launch import build_runner, prepare_test
from mmsigma.datasets.vos.sequences import find_sequences
from mmsigma.evaluation.vos.davis import score_sequence, summarize
from mmsigma.models import MASTPropagator
from mmsigma.models.propagation.context_propagator import ContextPropagator
from mmsigma.models.propagation.frame_geometry import FrameGeometry
from mmsigma.models.propagation.frame_propagation import FramePropagation
from mmsigma.registry import DATASETS, MODELS
from mmsigma.utils.config import load_config
from mmsigma.utils.preflight import check_config
from tests.davis import ROOT as DAVIS
from tests.davis import requires_davis
from tests.vos_data import make_davis, make_jhmdb, make_vip, make_youtube_vos

FOLDER = Path(__file__).resolve().parents[1] / 'configs' / 'vos'
CONFIGS = sorted(FOLDER.glob('*.py'))


def build_small(cfg: Config) -> FramePropagation:
    """The model with a network for tests."""
    if cfg.model.backbone.type == 'TimmEncoder':
        cfg.model.backbone.update(weights='random', model_kwargs=dict(embed_dim=24, depth=1, num_heads=2))
    if cfg.model.backbone.type == 'VideoVisionTransformer':
        cfg.model.backbone.arch = dict(embed_dims=24, depth=1, num_heads=2)
    return MODELS.build(cfg.model)


def settings_of(cfg: Config) -> tuple[dict, dict]:
    """Arguments of propagator and geometry, defaults included."""
    found = []
    carrier = MASTPropagator if cfg.model.propagator.get('type') == 'MASTPropagator' else ContextPropagator
    for owner, given in ((carrier, cfg.model.propagator), (FrameGeometry, cfg.model.get('geometry', {}))):
        parameters = inspect.signature(owner).parameters
        found.append({name: given.get(name, value.default) for name, value in parameters.items()})
    return tuple(found)


@pytest.mark.parametrize('path', CONFIGS, ids=lambda path: path.stem)
def test_every_config(path: Path) -> None:
    cfg = load_config(path)
    check_config(cfg)
    assert path.read_text().startswith('# ')
    assert 'test_dataloader' in cfg and cfg.test_dataloader.batch_size == 1
    assert isinstance(build_small(cfg), FramePropagation)


def test_dul_and_mask_vos() -> None:
    cfg = load_config(FOLDER / 'r18.py')
    propagator, geometry = settings_of(cfg)
    names = ('num_context', 'k', 'temperature', 'radius', 'window', 'first_is_free', 'repeat_first', 'similarity')
    assert [propagator[name] for name in names] == [20, 10, 0.05, 12, 'circle', True, True, 'cosine']
    assert geometry['to_cells'] == geometry['to_pixels'] == 'corners'
    assert geometry['size'] is geometry['short_side'] is None and geometry['padding']
    assert (cfg.model.backbone.depth, cfg.model.backbone.out_stage) == (18, 4)


def test_crw() -> None:
    cfg = load_config(FOLDER / 'r18_crw.py')
    propagator, geometry = settings_of(cfg)
    assert (propagator['num_context'], propagator['k'], propagator['radius']) == (20, 10, 12)
    assert geometry['to_cells'] == geometry['to_pixels'] == 'half_pixel' and not geometry['padding']
    assert (cfg.model.backbone.out_stage, cfg.model.backbone.padding_mode) == (3, 'reflect')


@pytest.mark.parametrize(
    ('name', 'options'),
    [
        ('dino_vits8', {}),
        ('dino_vits8', dict(model_name='vit_base_patch16_224.dino')),
        ('vitb', {}),
        ('vitb', dict(arch='small')),
    ],
)
def test_dino(name: str, options: dict) -> None:
    cfg = load_config(FOLDER / f'{name}.py', options)
    propagator, geometry = settings_of(cfg)
    assert all(cfg.model.backbone[key] == value for key, value in options.items())
    names = ('num_context', 'k', 'temperature', 'radius', 'window', 'first_is_free')
    assert [propagator[name] for name in names] == [7, 5, 0.1, 12, 'square', False]
    assert (geometry['short_side'], geometry['long_multiple']) == (480, 64)
    assert (geometry['to_cells'], geometry['to_pixels']) == ('nearest', 'stretched')
    assert geometry['std'] == pytest.approx((58.14, 57.12, 57.375))


@pytest.mark.parametrize(('options', 'num_context'), [({}, 4), (dict(num_context=20), 20)])
def test_crw_on_vip(options: dict, num_context: int) -> None:
    cfg = load_config(FOLDER / 'r18_vip.py', options)
    propagator, geometry = settings_of(cfg)
    names = ('num_context', 'k', 'temperature', 'radius', 'window', 'first_is_free')
    assert [propagator[name] for name in names] == [num_context, 10, 0.05, 12, 'circle', True]
    assert geometry['size'] == (560, 560) and geometry['to_cells'] == 'half_pixel'
    assert cfg.model.backbone.out_stage == 3 and not cfg.model.keep_given
    assert cfg.test_evaluator.type == 'VIPMetric' and cfg.test_evaluator.get('count_given', True)


@pytest.mark.parametrize('name', ['dino_vits8_vip', 'vitb_vip'])
def test_dino_on_vip(name: str) -> None:
    cfg = load_config(FOLDER / f'{name}.py')
    propagator, geometry = settings_of(cfg)
    assert [propagator[key] for key in ('num_context', 'k', 'radius', 'window')] == [7, 5, 12, 'square']
    assert geometry['size'] == (560, 560) and geometry['short_side'] is None
    assert cfg.test_evaluator.type == 'VIPMetric' and not cfg.model.keep_given


def test_crw_on_jhmdb() -> None:
    cfg = load_config(FOLDER / 'r18_jhmdb.py')
    propagator, geometry = settings_of(cfg)
    names = ('num_context', 'k', 'temperature', 'radius', 'window', 'first_is_free')
    assert [propagator[name] for name in names] == [7, 10, 0.05, 5, 'circle', True]
    assert (geometry['size'], cfg.model.sigma, cfg.model.k) == ((320, 320), 0.5, 3)
    assert (cfg.model.type, cfg.model.backbone.out_stage) == ('KeypointPropagation', 3)
    assert cfg.test_dataloader.dataset.split == 1


def test_mast() -> None:
    cfg = load_config(FOLDER / 'mast_r18.py')
    propagator, geometry = settings_of(cfg)
    assert (propagator['lasting'], propagator['recent']) == ((0, 5), (1, 3, 5))
    assert [propagator[name] for name in ('radius', 'near', 'max_dilation', 'stride')] == [12, 15, 4, 4]
    assert (geometry['to_cells'], geometry['to_pixels']) == ('pick', 'half_pixel')
    assert (geometry['mean'], geometry['std']) == ((0, 0, 0), (255, 255, 255))
    assert isinstance(MODELS.build(cfg.model).new_propagator(), MASTPropagator)


def test_data_sets(tmp_path: Path) -> None:
    cases = [
        ('r18', 'davis2016', make_davis(tmp_path / 'davis16', dict(ant=3), year=2016), 3),
        ('r18', 'ytvos2018', make_youtube_vos(tmp_path / 'ytvos'), 11),
        ('r18', 'ytvos2019', tmp_path / 'ytvos', 11),
        ('dino_vits8', 'ytvos2019', tmp_path / 'ytvos', 11),
        ('vitb', 'ytvos2019', tmp_path / 'ytvos', 11),
    ]
    for name, dataset, root, length in cases:
        cfg = load_config(FOLDER / f'{name}.py', dict(dataset=dataset, data_root=str(root)))
        (sample,) = DATASETS.build(cfg.test_dataloader.dataset)
        assert len(sample['inputs'].frames) == length, name
    cfg = load_config(FOLDER / 'r18.py', dict(dataset='davis2017_testdev'))
    assert cfg.test_dataloader.dataset.split == 'test-dev'
    assert not cfg.test_evaluator.score and cfg.test_evaluator.archive


def run(
    name: str, root: Path, tmp_path: Path, options: dict | None = None, **geometry
) -> tuple[dict[str, float], Config]:
    """Test a small model of a config, untrained, and return the metrics."""
    cfg = load_config(FOLDER / f'{name}.py', {'data_root': str(root), **(options or {})})
    cfg.work_dir, cfg.experiment_name = str(tmp_path / 'run'), f'{tmp_path.name}_{name}'
    if cfg.model.geometry.get('short_side'):
        cfg.model.geometry.update(short_side=144, long_multiple=16)
    cfg.model.geometry.update(geometry)
    small = build_small(cfg)
    if cfg.model.backbone.type == 'MASTEncoder':  # untrained features say nothing without a temperature
        small.backbone.post_convolution.weight.data *= 100
    if not cfg.get('weights_in_config'):
        torch.save(dict(state_dict=small.state_dict()), tmp_path / 'weights.pth')
        cfg.load_from = str(tmp_path / 'weights.pth')
    return build_runner(cfg).test(), cfg


@pytest.mark.parametrize(
    ('name', 'options'),
    [
        ('colour', {}),
        ('r18', dict(weights_in_config=True)),
        ('mast_r18', {}),
        ('dino_vits8', dict(model_name='vit_base_patch16_224.dino')),
        ('vitb', {}),
    ],
)
def test_runs(name: str, options: dict, tmp_path: Path) -> None:
    root = make_davis(tmp_path / 'davis', dict(ant=4, bee=5))
    metrics, cfg = run(name, root, tmp_path, options)
    assert 0 < metrics['vos/J&F'] < 100
    (out_dir,) = tmp_path.glob(f'run/*/{cfg.test_evaluator.out_dir}')
    with open(out_dir / 'global.csv', newline='') as file:
        (row,) = csv.DictReader(file)
    assert float(row['J&F']) == pytest.approx(metrics['vos/J&F'], abs=1e-3)
    assert len(list(out_dir.glob('*/*.png'))) == 9


@pytest.mark.parametrize('name', ['r18_vip', 'vitb_vip'])
def test_vip_runs(name: str, tmp_path: Path) -> None:
    root = make_vip(tmp_path / 'vip', dict(ant=4, bee=5))
    metrics, cfg = run(name, root, tmp_path, size=(80, 112))
    assert 0 < metrics['vip/mIoU'] < 100 and 0 < metrics['vip/pixel_accuracy'] < 100
    (out_dir,) = tmp_path.glob(f'run/*/{cfg.test_evaluator.out_dir}')
    with open(out_dir / 'per_category.csv', newline='') as file:
        scores = {row['category']: float(row['IoU']) for row in csv.DictReader(file)}
    assert len(scores) == 20 and scores['hair'] > 0 and scores['face'] > 0
    assert len(list(out_dir.glob('*/*.png'))) == 9


def test_jhmdb_runs(tmp_path: Path) -> None:
    root = make_jhmdb(tmp_path / 'jhmdb', {'walk/ant': 4, 'walk/bee': 5, 'jump/cow': 3})
    metrics, cfg = run('r18_jhmdb', root, tmp_path, size=(72, 104))
    assert 0 < metrics['jhmdb/PCK@0.1'] <= metrics['jhmdb/PCK@0.5'] <= 100 and metrics['jhmdb/lost'] < 50
    (path,) = tmp_path.glob(f'run/*/{cfg.test_evaluator.out_dir}/per_joint.csv')
    with open(path, newline='') as file:
        rows = {row['joint']: float(row['PCK@0.1']) for row in csv.DictReader(file)}
    assert len(rows) == 15 and sum(rows.values()) / 15 == pytest.approx(metrics['jhmdb/PCK@0.1'], abs=1e-2)


def test_a_file_of_dino_from_the_command_line(run_tool: Callable, tmp_path: Path) -> None:
    root = make_davis(tmp_path / 'davis', dict(ant=3))
    network = timm.create_model('vit_small_patch8_224.dino', num_classes=0, embed_dim=24, depth=1, num_heads=2)
    teacher = {f'backbone.{name}': value for name, value in network.state_dict().items()}
    torch.save(dict(teacher=teacher, student={}, epoch=1), tmp_path / 'dino.pth')
    options = [
        f'data_root={root}',
        'model.geometry.short_side=32',
        'model.geometry.long_multiple=8',
        'model.backbone.model_kwargs.embed_dim=24',
        'model.backbone.model_kwargs.depth=1',
        'model.backbone.model_kwargs.num_heads=2',
    ]
    arguments = [FOLDER / 'dino_vits8.py', tmp_path / 'dino.pth', '--work-dir', tmp_path / 'run']
    done = run_tool('tools/test.py', *arguments, '--cfg-options', *options)
    assert done.status == 0, done.errors
    assert 'vos/J&F' in done.output


def test_network_that_comes_along(tmp_path: Path) -> None:
    cfg = load_config(FOLDER / 'resnet10t.py')
    path = Path(cfg.default_weights)
    assert path == FOLDER / 'resnet10t.safetensors' and path.stat().st_size < 4e6
    state = load_file(path)
    segment = VideoSegmenter(FOLDER / 'resnet10t.py', device='cpu')
    assert segment.weights == cfg.default_weights
    own = segment.model.state_dict()
    assert own.keys() == state.keys() and all(torch.equal(own[name], value.float()) for name, value in state.items())
    cfg.test_dataloader.dataset.data_root = str(tmp_path)
    prepare_test(cfg, None)
    assert cfg.load_from == str(path)
    prepare_test(cfg, str(path))  # a checkpoint that is named comes first
    torch.save(dict(state_dict={name: value + 1 for name, value in own.items()}), tmp_path / 'other.pth')
    other = VideoSegmenter(FOLDER / 'resnet10t.py', tmp_path / 'other.pth', device='cpu').model.state_dict()
    assert all(torch.equal(other[name], value + 1) for name, value in own.items())


@requires_davis
@pytest.mark.slow
def test_network_that_comes_along_has_learnt() -> None:
    """On a video in which colours fail, it is better than they, and than the same network untrained."""
    (sequence,) = (one for one in find_sequences('davis', DAVIS, year=2016, split='dev') if one.name == 'car-shadow')
    sequence, found = sequence.shortened(25), {}
    untrained = dict(default_weights=None, weights_in_config=True)
    small = {'model.geometry.size': (240, 424), 'model.geometry.short_side': None, 'model.propagator.radius': 6}
    for name, config, options in (
        ('trained', 'resnet10t', small),
        ('untrained', 'resnet10t', small | untrained),
        ('colour', 'colour', small),
    ):
        torch.manual_seed(0)
        model: Any = VideoSegmenter(FOLDER / f'{config}.py', options=options, device='cpu').model
        truth = (sequence.read_mask(number) for number in range(25))
        statistics = score_sequence(model.segment(sequence), truth).statistics()
        found[name] = summarize(statistics)['J&F']
    assert found['trained'] > max(found['untrained'] + 0.05, found['colour'] + 0.2), found
