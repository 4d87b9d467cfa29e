"""Sharding of parameters, gradients and the optimiser's state over processes (FSDP2)."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from mmengine.dist import broadcast
from torch import Tensor, nn
from torch.optim import Optimizer

from mmsigma.registry import STRATEGIES

try:
    from torch.distributed.tensor import DTensor, distribute_tensor
except ImportError:  # before PyTorch 2.5, where nothing is sharded

    class DTensor(Tensor):  # type: ignore[no-redef]
        """A type that no tensor has."""


@STRATEGIES.register_module()
class FullySharded:
    """Strategy by which each process holds a share of every parameter, of its gradient and of the optimiser's state.

    A unit is gathered for its forward and backward passes, and freed afterwards. Checkpoints contain whole parameters,
    as without sharding, so any number of processes can continue from them.

    Args:
        units: Names of the classes whose modules are units of their own; the rest of the model is one unit.
        methods: Names of methods of the model other than ``forward`` that use its parameters.
    """

    def __init__(
        self, units: Sequence[str] = ('TransformerBlock',), methods: Sequence[str] = ('prototype_scores',)
    ) -> None:
        self.units, self.methods = tuple(units), tuple(methods)

    def shard(self, model: nn.Module) -> None:
        """Shard a model on its device, in place; initialised alike on all processes.

        Raises:
            ImportError: If PyTorch is older than 2.6.
            ValueError: If the model has no unit.
        """
        try:
            from torch.distributed.device_mesh import init_device_mesh
            from torch.distributed.fsdp import fully_shard, register_fsdp_forward_method
        except ImportError as error:
            raise ImportError(f'strategy: sharding needs PyTorch 2.6 or newer, not {torch.__version__}') from error
        units = [part for part in model.modules() if type(part).__name__ in self.units]
        if not units:
            raise ValueError(f'strategy.units: {type(model).__name__} has no modules of the classes {self.units}')
        for value in model.state_dict().values():
            broadcast(value)
        mesh = init_device_mesh(next(model.parameters()).device.type, (torch.distributed.get_world_size(),))
        for part in (*units, model):
            fully_shard(part, mesh=mesh)
        for name in self.methods:
            if hasattr(model, name):
                register_fsdp_forward_method(model, name)
        model.register_state_dict_post_hook(_gather_parameters)
        model.register_load_state_dict_pre_hook(_distribute_parameters)

    def follow(self, optimizer: Optimizer, model: nn.Module) -> None:
        """Let the optimiser of a sharded model save and load whole states, and keep prototypes at unit length."""
        optimizer.register_state_dict_post_hook(lambda _, content: _whole(content))
        optimizer.register_load_state_dict_post_hook(_distribute_states)
        heads: list[Any] = [part for part in model.modules() if hasattr(part, 'normalize_prototypes')]

        def normalize(*_: Any) -> None:
            for head in heads:
                head.normalize_prototypes()

        optimizer.register_step_post_hook(normalize)


def is_sharded(model: nn.Module) -> bool:
    """Return whether the parameters of a model are sharded, so that only all processes together can use it."""
    return any(isinstance(value, DTensor) for value in model.parameters())


def local_part(tensor: Tensor) -> Tensor:
    """Return this process's share of a tensor, which may be all of it."""
    return tensor.to_local() if isinstance(tensor, DTensor) else tensor


def _whole(node: Any) -> Any:
    """Copy nested dicts and lists with whole tensors in place of sharded ones, on the CPU."""
    if isinstance(node, DTensor):
        return node.full_tensor().cpu()
    if isinstance(node, Mapping):
        return {key: _whole(value) for key, value in node.items()}
    return [_whole(value) for value in node] if isinstance(node, list) else node


def _gather_parameters(model: nn.Module, state: dict[str, Any], prefix: str, metadata: Any) -> None:
    state.update({name: _whole(value) for name, value in state.items() if isinstance(value, DTensor)})


def _distribute_parameters(model: nn.Module, state: dict[str, Any], prefix: str, *_: Any) -> None:
    for name, own in model.named_parameters():
        if isinstance(own, DTensor) and name in state:
            state[name] = _share(state[name], own)


def _distribute_states(optimizer: Optimizer) -> None:
    for parameter, state in optimizer.state.items():
        for name, value in state.items():
            if isinstance(parameter, DTensor) and isinstance(value, Tensor) and value.shape == parameter.shape:
                state[name] = _share(value, parameter)


def _share(value: Tensor, like: DTensor) -> DTensor:
    if isinstance(value, DTensor):
        return value
    return distribute_tensor(value.to(like.device), like.device_mesh, like.placements)
