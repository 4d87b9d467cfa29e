"""What mmengine's Runner is extended with; an import registers it all."""

from mmsigma.engine.hooks import BadVideoHook, CollapseHook, NonFiniteLossHook, PicturesHook, ProgressHook
from mmsigma.engine.loops import KNNTestLoop, ResumableEpochLoop
from mmsigma.engine.optimizers import CPUAmpOptimWrapper, TransformerOptimWrapperConstructor
from mmsigma.engine.runner import VideoRunner
from mmsigma.engine.schedulers import WarmupCosineLR

__all__ = [
    'BadVideoHook',
    'CPUAmpOptimWrapper',
    'CollapseHook',
    'KNNTestLoop',
    'NonFiniteLossHook',
    'PicturesHook',
    'ProgressHook',
    'ResumableEpochLoop',
    'TransformerOptimWrapperConstructor',
    'VideoRunner',
    'WarmupCosineLR',
]
