from mmsigma.compat import CheckpointHook
from mmsigma.engine.hooks.bad_video import BadVideoHook
from mmsigma.engine.hooks.health import CollapseHook, NonFiniteLossHook
from mmsigma.engine.hooks.pictures import PicturesHook
from mmsigma.engine.hooks.progress import ProgressHook
from mmsigma.engine.hooks.recluster import ReclusterHook
from mmsigma.registry import HOOKS

HOOKS.register_module(module=CheckpointHook)

__all__ = [
    'BadVideoHook',
    'CheckpointHook',
    'CollapseHook',
    'NonFiniteLossHook',
    'PicturesHook',
    'ProgressHook',
    'ReclusterHook',
]
