"""mmsigma: self-supervised video representation learning on MMEngine.

What most uses begin with is offered here. It is imported on first use, so that ``import mmsigma`` itself loads nothing
but this file.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from mmsigma.version import __version__

if TYPE_CHECKING:
    from mmsigma.apis import (
        ClusterSegmenter,
        FeatureExtractor,
        KeypointTracker,
        RepetitionCounter,
        VideoAligner,
        VideoClassifier,
        VideoSegmenter,
        list_configs,
        load_model,
    )
    from mmsigma.datasets import VideoDataset

_HOMES = {
    'ClusterSegmenter': 'mmsigma.apis',
    'FeatureExtractor': 'mmsigma.apis',
    'KeypointTracker': 'mmsigma.apis',
    'RepetitionCounter': 'mmsigma.apis',
    'VideoAligner': 'mmsigma.apis',
    'VideoClassifier': 'mmsigma.apis',
    'VideoDataset': 'mmsigma.datasets',
    'VideoSegmenter': 'mmsigma.apis',
    'list_configs': 'mmsigma.apis',
    'load_model': 'mmsigma.apis',
}

__all__ = [
    'ClusterSegmenter',
    'FeatureExtractor',
    'KeypointTracker',
    'RepetitionCounter',
    'VideoAligner',
    'VideoClassifier',
    'VideoDataset',
    'VideoSegmenter',
    '__version__',
    'list_configs',
    'load_model',
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
    value = globals()[name] = getattr(import_module(_HOMES[name]), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
