"""Parameter groups for weight decay and layer decay."""

import re
from collections.abc import Iterator
from typing import Any

import torch
from mmengine.optim import OptimWrapper
from torch import nn

from mmsigma.compat import CPUAmpOptimWrapper
from mmsigma.registry import OPTIM_WRAPPER_CONSTRUCTORS, OPTIM_WRAPPERS, OPTIMIZERS


@OPTIM_WRAPPER_CONSTRUCTORS.register_module()
class TransformerOptimWrapperConstructor:
    """Group parameters as in masked video modelling: by weight decay and, for fine-tuning, by depth.

    One-dimensional parameters, biases and ``no_decay`` names are not decayed. With ``layer_decay`` d, the learning rate
    of layer i is multiplied by d ** (L + 1 - i): the patch embedding is layer 0, block i is layer i + 1, and everything
    after the L blocks, including decoder and head, is layer L + 1. There is one group per distinct setting, not per
    parameter, so that fused and multi-tensor optimisers are effective. On a GPU, Adam and AdamW are fused
    unless their config chooses another implementation.

    Args:
        optim_wrapper_cfg: Config of the wrapper with its ``optimizer``.
        paramwise_cfg: ``no_decay``, names or last parts of names, default ``('mask_token', 'pos_embed', 'cls_token')``;
            ``layer_decay``, default 1; ``num_layers``, the number of blocks L of the backbone, counted by default.

    Raises:
        ValueError: If ``paramwise_cfg`` has unknown keys.
    """

    def __init__(self, optim_wrapper_cfg: dict[str, Any], paramwise_cfg: dict[str, Any] | None = None) -> None:
        paramwise_cfg = dict(paramwise_cfg or {})
        self.no_decay = tuple(paramwise_cfg.pop('no_decay', ('mask_token', 'pos_embed', 'cls_token')))
        self.layer_decay = paramwise_cfg.pop('layer_decay', 1.0)
        self.num_layers = paramwise_cfg.pop('num_layers', None)
        if paramwise_cfg:
            raise ValueError(f'unknown keys in paramwise_cfg: {sorted(paramwise_cfg)}')
        self.optim_wrapper_cfg = dict(optim_wrapper_cfg)

    def __call__(self, model: nn.Module) -> OptimWrapper:
        cfg = dict(self.optim_wrapper_cfg)
        optimizer_cfg = dict(cfg.pop('optimizer'))
        lr, weight_decay = optimizer_cfg['lr'], optimizer_cfg.get('weight_decay', 0.0)
        optimizer_cfg['params'] = self.groups(model, lr, weight_decay)
        if _may_be_fused(optimizer_cfg) and all(parameter.is_cuda for parameter in model.parameters()):
            optimizer_cfg['fused'] = True
        cfg.setdefault('type', 'OptimWrapper')
        return OPTIM_WRAPPERS.build(cfg, default_args=dict(optimizer=OPTIMIZERS.build(optimizer_cfg)))

    def groups(self, model: nn.Module, lr: float, weight_decay: float) -> list[dict[str, Any]]:
        """Build the groups, each with ``params``, ``names``, ``lr``, ``lr_scale`` and ``weight_decay``.

        Raises:
            ValueError: If ``layer_decay`` is set and ``num_layers`` differs from the number of blocks of the backbone.
        """
        if self.layer_decay != 1:
            self.num_layers = self._check_depth(model)
        groups: dict[tuple[float, float], dict[str, Any]] = {}
        for name, parameter in _named_parameters(model):
            if not parameter.requires_grad:
                continue
            scale = self.lr_scale(name)
            decay = 0.0 if self._spared(name, parameter.ndim) else weight_decay
            group = groups.setdefault(
                (scale, decay), dict(params=[], names=[], lr=lr * scale, lr_scale=scale, weight_decay=decay)
            )
            group['params'].append(parameter)
            group['names'].append(name)
        return list(groups.values())

    def lr_scale(self, name: str) -> float:
        """Return the factor of a parameter's learning rate."""
        if self.layer_decay == 1:
            return 1.0
        scale: float = self.layer_decay ** (self.num_layers + 1 - self._layer(name))
        return scale

    def _layer(self, name: str) -> int:
        """Return the layer, from 0 to L + 1, that a parameter belongs to."""
        if re.search(r'(^|\.)(patch_embed|pos_embed|cls_token|mask_token)(\.|$)', name):
            return 0
        block = _block_number(name)
        return self.num_layers + 1 if block is None else block + 1

    def _check_depth(self, model: nn.Module) -> int:
        """Return the number of blocks L after comparing it with ``num_layers``."""
        numbers = {_block_number(name) for name, _ in _named_parameters(model)} - {None}
        if not numbers or self.num_layers not in (None, len(numbers)):
            remedy = 'leave out num_layers to have them counted' if numbers else 'layers cannot be told apart'
            raise ValueError(
                f'layer_decay: the backbone has {len(numbers)} blocks, num_layers is {self.num_layers}; {remedy}'
            )
        return len(numbers)

    def _spared(self, name: str, dimensions: int) -> bool:
        return dimensions <= 1 or name.endswith('.bias') or name.rpartition('.')[2] in self.no_decay


def _may_be_fused(optimizer_cfg: dict[str, Any]) -> bool:
    """Return whether an optimiser is an Adam whose implementation is left to us.

    Others are not fused by default: SGD begins with random momentum if its first step is skipped (PyTorch 2.14).
    """
    chosen = {'fused', 'foreach', 'differentiable', 'capturable'} & optimizer_cfg.keys()
    return not chosen and optimizer_cfg['type'] in ('Adam', 'AdamW', torch.optim.Adam, torch.optim.AdamW)


def keep_implementation(optimizer: torch.optim.Optimizer) -> None:
    """Let an optimiser keep its implementation, fused or not, when it loads the state of another machine's."""

    def with_own(own: torch.optim.Optimizer, state: dict[str, Any]) -> dict[str, Any]:
        groups = state['param_groups']
        if len(groups) != len(own.param_groups):
            return state  # an error that is reported elsewhere
        keys = ('fused', 'foreach', 'capturable', 'differentiable')
        merged = [
            {**group, **{key: mine[key] for key in keys if key in mine}}
            for group, mine in zip(groups, own.param_groups, strict=True)
        ]
        return {**state, 'param_groups': merged}

    optimizer.register_load_state_dict_pre_hook(with_own)


def _block_number(name: str) -> int | None:
    """Return the number of the backbone's block that a parameter belongs to, or None."""
    block = re.match(r'(?!head\.|neck\.)(?:.+\.)?blocks\.(\d+)\.', name)
    return int(block[1]) if block else None


def _named_parameters(model: nn.Module) -> Iterator[tuple[str, nn.Parameter]]:
    """Yield the parameters under their names in the model itself, regardless of a wrapper around it."""
    yield from getattr(model, 'module', model).named_parameters()


OPTIM_WRAPPERS.register_module(module=CPUAmpOptimWrapper)
