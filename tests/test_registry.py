"""Registries find our modules without their imports, and those of others by prefix."""

import subprocess
import sys
from pathlib import Path

import mmengine.registry
import pytest
from mmengine.registry import Registry

from mmsigma import registry

ROOT = Path(__file__).resolve().parents[1]
OURS = {name: value for name, value in vars(registry).items() if isinstance(value, Registry)}


@pytest.mark.parametrize('name', OURS)
def test_every_registry_is_a_child_of_the_one_of_its_name(name: str) -> None:
    assert OURS[name].parent is getattr(mmengine.registry, name)
    assert OURS[name].scope == 'mmsigma' and OURS[name].name == OURS[name].parent.name


def test_none_that_configs_use_is_lacking() -> None:
    """mmengine warns about a scope without a child of a registry."""
    theirs = {name for name, value in vars(mmengine.registry).items() if isinstance(value, Registry)}
    assert theirs - OURS.keys() <= {
        'INFERENCERS',
        'RUNNER_CONSTRUCTORS',
        'TASK_UTILS',
    }  # nothing of ours is built from these


@pytest.mark.parametrize(
    ('name', 'entry', 'module'),
    [
        ('MODELS', 'SIGMA', 'mmsigma.models.sigma.sigma'),
        ('MODEL_WRAPPERS', 'mmengine.MMDistributedDataParallel', 'mmengine.model.wrappers.distributed'),
        ('DATASETS', 'VideoDataset', 'mmsigma.datasets.videos.video_dataset'),
        ('DATA_SAMPLERS', 'SeededSampler', 'mmsigma.datasets.videos.samplers'),
        ('TRANSFORMS', 'ReadClip', 'mmsigma.datasets.transforms.decoding'),
        ('TRANSFORMS', 'mmaction.DecordInit', 'mmaction.datasets.transforms.loading'),
        ('FUNCTIONS', 'flatten_collate', 'mmsigma.datasets.videos.collate'),
        ('STRATEGIES', 'FullySharded', 'mmsigma.engine.sharding'),
        ('METRICS', 'VOSMetric', 'mmsigma.evaluation.vos.vos_metric'),
        ('RUNNERS', 'VideoRunner', 'mmsigma.engine.runner'),
        ('LOOPS', 'KNNTestLoop', 'mmsigma.engine.loops'),
        ('HOOKS', 'ReclusterHook', 'mmsigma.engine.hooks.recluster'),
        ('OPTIMIZERS', 'AdamW', 'torch.optim.adamw'),
        ('PARAM_SCHEDULERS', 'WarmupCosineLR', 'mmsigma.engine.schedulers'),
    ],
)
def test_entries_are_found(name: str, entry: str, module: str) -> None:
    assert OURS[name].get(entry).__module__ == module


@pytest.mark.parametrize('name', OURS)
def test_whatever_registers_an_entry_is_found_without_its_import(name: str) -> None:
    OURS[name].import_from_location()
    areas = {place.split('.')[1] for place in OURS[name]._locations}
    own = {entry.__module__ for entry in OURS[name].module_dict.values() if entry.__module__.startswith('mmsigma.')}
    own.discard('mmsigma.compat')  # the package engine registers what is there
    assert {module.split('.')[1] for module in own} <= areas


def test_registries_alone_import_no_models() -> None:
    code = (
        'import sys; import mmsigma.registry; '
        'assert not [name for name in sys.modules if name.startswith(("mmsigma.models", "mmsigma.datasets", "timm"))]'
    )
    run = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, cwd=ROOT)
    assert run.returncode == 0, run.stderr


def test_a_training_imports_nothing_slow_that_it_does_not_use() -> None:
    code = (
        'import sys; from mmsigma.apis.launch import build_runner; from mmsigma.registry import DATASETS, MODELS; '
        'MODELS.get("SIGMA"), DATASETS.get("VideoDataset"); '
        'print(*{"scipy", "sklearn", "matplotlib", "numba", "mmaction.datasets"} & sys.modules.keys())'
    )
    run = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert run.stdout.strip() == ''


def test_registered_functions_stay_what_they_are() -> None:
    def double(number: int) -> int:
        return 2 * number

    try:
        assert registry.register_function(double) is double
        assert registry.FUNCTIONS.get('double') is double
        with pytest.raises(KeyError, match='double is already registered'):
            registry.register_function(double)
    finally:
        registry.FUNCTIONS._module_dict.pop('double', None)
