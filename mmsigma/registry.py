"""Child registries of mmengine's registries, all in the scope ``mmsigma``.

``locations`` names the modules that register entries. They are imported on the first look-up, so that
``import mmsigma`` stays cheap. Entries of other packages are addressed by prefix, e.g. ``mmaction.DecordInit``.
Registries without entries of our own exist because mmengine warns about a scope that lacks one.
"""

from collections.abc import Callable
from typing import Any, TypeVar

from mmengine import registry as mmengine
from mmengine.registry import Registry

_Function = TypeVar('_Function', bound=Callable[..., Any])


def _child(parent: Registry, *locations: str) -> Registry:
    """Create a child of a registry of mmengine; ``locations`` are module paths below ``mmsigma``."""
    places = [f'mmsigma.{place}' for place in locations]
    return Registry(parent.name, parent=parent, scope='mmsigma', locations=places)


MODELS = _child(mmengine.MODELS, 'models')
MODEL_WRAPPERS = _child(mmengine.MODEL_WRAPPERS, 'models')
WEIGHT_INITIALIZERS = _child(mmengine.WEIGHT_INITIALIZERS)

DATASETS = _child(mmengine.DATASETS, 'datasets')
DATA_SAMPLERS = _child(mmengine.DATA_SAMPLERS, 'datasets')
TRANSFORMS = _child(mmengine.TRANSFORMS, 'datasets.transforms')
FUNCTIONS = _child(mmengine.FUNCTIONS, 'datasets', 'models')

EVALUATOR = _child(mmengine.EVALUATOR)
METRICS = _child(mmengine.METRICS, 'evaluation')

RUNNERS = _child(mmengine.RUNNERS, 'engine')
LOOPS = _child(mmengine.LOOPS, 'engine')
HOOKS = _child(mmengine.HOOKS, 'engine')
STRATEGIES = _child(mmengine.STRATEGIES, 'engine')
OPTIMIZERS = _child(mmengine.OPTIMIZERS)
OPTIM_WRAPPERS = _child(mmengine.OPTIM_WRAPPERS, 'engine')
OPTIM_WRAPPER_CONSTRUCTORS = _child(mmengine.OPTIM_WRAPPER_CONSTRUCTORS, 'engine')
PARAM_SCHEDULERS = _child(mmengine.PARAM_SCHEDULERS, 'engine')
LOG_PROCESSORS = _child(mmengine.LOG_PROCESSORS)

VISUALIZERS = _child(mmengine.VISUALIZERS)
VISBACKENDS = _child(mmengine.VISBACKENDS)


def register_function(function: _Function) -> _Function:
    """Register a function in ``FUNCTIONS``; unlike mmengine's decorator, this one keeps the function's type."""
    FUNCTIONS.register_module()(function)
    return function
