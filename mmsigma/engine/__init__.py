"""Extensions of mmengine's Runner: hooks, loops, optimisers, schedules; importing this package registers them."""

from mmsigma.compat import CPUAmpOptimWrapper
from mmsigma.engine.hooks import (
    BadVideoHook,
    CheckpointHook,
    CollapseHook,
    NonFiniteLossHook,
    PicturesHook,
    ProgressHook,
)
from mmsigma.engine.loops import KNNTestLoop, ResumableEpochLoop
from mmsigma.engine.optimizers import TransformerOptimWrapperConstructor
from mmsigma.engine.runner import VideoRunner
from mmsigma.engine.schedulers import WarmupCosineLR

__all__ = [
    'BadVideoHook',
    'CPUAmpOptimWrapper',
    'CheckpointHook',
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
