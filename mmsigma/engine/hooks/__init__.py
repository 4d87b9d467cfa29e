"""Hooks of training and evaluation; importing this package registers all of them."""

from mmsigma.compat import CheckpointHook, LoggerHook
from mmsigma.engine.hooks.bad_video import BadVideoHook
from mmsigma.engine.hooks.health import CollapseHook, NonFiniteLossHook
from mmsigma.engine.hooks.interruption import InterruptionHook
from mmsigma.engine.hooks.momentum_teacher import MomentumTeacherHook
from mmsigma.engine.hooks.pictures import PicturesHook
from mmsigma.engine.hooks.progress import ProgressHook
from mmsigma.engine.hooks.readout import DeferredRuntimeInfoHook
from mmsigma.engine.hooks.recluster import ReclusterHook
from mmsigma.registry import HOOKS

HOOKS.register_module(module=CheckpointHook)
HOOKS.register_module(module=LoggerHook)

__all__ = [
    'BadVideoHook',
    'CheckpointHook',
    'CollapseHook',
    'DeferredRuntimeInfoHook',
    'InterruptionHook',
    'LoggerHook',
    'MomentumTeacherHook',
    'NonFiniteLossHook',
    'PicturesHook',
    'ProgressHook',
    'ReclusterHook',
]
