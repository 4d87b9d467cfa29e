"""Tensors with values on the CPU that claim to be on a GPU, to find on any machine what would fail or wait on one.

Operations that mix devices raise, as do conversions to NumPy, and CPU generators for tensors on the device. Everything
for which the host would wait is counted with its place in the code. Only what the project's code does is simulated, not
timing, streams or memory.
"""

import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest import mock

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode, return_and_correct_aliasing
from torch.utils._pytree import tree_leaves, tree_map

CUDA = torch.device('cuda:0')
aten: Any = torch.ops.aten
_COPIES = {aten._to_copy.default, aten.copy_.default, aten._pin_memory.default}
_INDEXING = {'index', 'index_put', 'index_put_', '_index_put_impl_', '_unsafe_index', '_unsafe_index_put'}
# operations whose result, or its shape, the host has to know
_WAITING = {
    '_local_scalar_dense', 'nonzero', 'bincount', '_unique2', 'unique_dim', 'unique_consecutive', 'masked_select',
    'equal', 'is_nonzero', 'repeat_interleave', '_linalg_eigh', '_linalg_svd', 'linalg_lstsq', '_linalg_solve_ex',
    '_linalg_check_errors',
}  # fmt: skip
# operations that accept a single number on the CPU beside tensors on the device, as they do a Python number
_TAKES_CPU_SCALARS = {
    'add', 'sub', 'rsub', 'mul', 'div', 'true_divide', 'floor_divide', 'remainder', 'fmod', 'pow', 'maximum', 'minimum',
    'eq', 'ne', 'lt', 'le', 'gt', 'ge', 'bitwise_and', 'bitwise_or', 'bitwise_xor', 'logical_and', 'logical_or',
    'where', 'atan2', 'clamp', 'clamp_min', 'clamp_max', 'masked_fill', 'fill', 'index_fill', 'copy',
}  # fmt: skip


class DeviceError(RuntimeError):
    """What a GPU would refuse."""


class SimulatedTensor(torch.Tensor):
    """Tensor that claims to be on the device; ``inner`` has its values."""

    inner: Tensor
    __torch_function__ = torch._C._disabled_torch_function_impl

    @staticmethod
    def __new__(cls, inner: Tensor) -> 'SimulatedTensor':
        # To PyTorch's C++ code it has no data and is on no GPU: it would start threads for one.
        layout = dict(strides=inner.stride(), storage_offset=inner.storage_offset(), layout=inner.layout)
        made: Any = torch.Tensor._make_wrapper_subclass(cls, inner.size(), dtype=inner.dtype, device='meta', **layout)
        made.inner = inner
        return made

    device = property(lambda self: CUDA)  # type: ignore[assignment]
    is_cuda = property(lambda self: True)  # type: ignore[assignment]
    is_cpu = is_meta = property(lambda self: False)  # type: ignore[assignment]

    def get_device(self) -> int:
        return 0

    def __repr__(self, **_: Any) -> str:
        return f'SimulatedTensor({self.inner!r})'

    def __tensor_flatten__(self) -> tuple[list[str], None]:
        return ['inner'], None

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if _ACTIVE is None:
            raise RuntimeError('a simulated tensor is used outside of simulated_cuda()')
        return _ACTIVE.run(func, args, kwargs or {})

    def tolist(self) -> Any:
        _active().wait('tolist')
        return self.detach().inner.tolist()

    def numpy(self, *_: Any, **__: Any) -> Any:
        raise DeviceError(f"can't convert a tensor of {CUDA} to numpy, in {_place()}")

    __array__ = numpy


_ACTIVE: 'SimulatedCuda | None' = None


def _active() -> 'SimulatedCuda':
    assert _ACTIVE is not None
    return _ACTIVE


def _place() -> str:
    """Return the innermost line of the package on the stack, or else the innermost one of another package."""
    frames = [(frame.filename, frame.lineno) for frame in reversed(traceback.extract_stack())]
    for package in ('mmsigma', 'timm', 'mmengine'):
        for path, line in frames:
            before, found, after = path.rpartition(f'/{package}/')
            if found and '/tests/' not in path:
                return f'{package}/{after}:{line}'
    return 'gradients'


class SimulatedCuda(TorchDispatchMode):
    """Executes operations on the CPU and keeps account of devices.

    Attributes:
        waits: Number of times that the host waited for the device, by operation and place.
    """

    def __init__(self) -> None:
        super().__init__()
        self.waits: Counter[tuple[str, str]] = Counter()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return self.run(func, args, kwargs or {})

    def wait(self, what: str) -> None:
        self.waits[what, _place()] += 1

    def run(self, func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
        leaves = tree_leaves((args, kwargs))
        tensors = [leaf for leaf in leaves if isinstance(leaf, Tensor)]
        simulated = [tensor for tensor in tensors if isinstance(tensor, SimulatedTensor)]
        on_device = self._is_result_on_device(func, args, kwargs, bool(simulated))
        if on_device or simulated:
            self._check(func, args, kwargs, leaves, tensors, simulated, on_device)
        kwargs = dict(kwargs)
        if _is_cuda(kwargs.get('device')):
            kwargs['device'] = torch.device('cpu')
        kwargs.pop('pin_memory', None)
        inner_args, inner_kwargs = tree_map(_inner, args), tree_map(_inner, kwargs)
        out = func(*inner_args, **inner_kwargs)
        if not on_device:
            return out
        wrapped = tree_map(lambda leaf: SimulatedTensor(leaf) if type(leaf) is Tensor else leaf, out)
        return return_and_correct_aliasing(func, args, kwargs, wrapped) if simulated else wrapped

    def _is_result_on_device(self, func: Any, args: Any, kwargs: dict[str, Any], any_simulated: bool) -> bool:
        if func is aten.copy_.default:
            return isinstance(args[0], SimulatedTensor)
        device = kwargs.get('device')
        return any_simulated if device is None else _is_cuda(device)

    def _check(
        self,
        func: Any,
        args: Any,
        kwargs: dict[str, Any],
        leaves: list[Any],
        tensors: list[Tensor],
        simulated: list[Any],
        on_device: bool,
    ) -> None:
        name = func.overloadpacket.__name__
        if any(isinstance(leaf, torch.Generator) and leaf.device.type == 'cpu' for leaf in leaves):
            raise DeviceError(f'{func} uses a generator of the CPU for a tensor of {CUDA} in {_place()}')
        if func in _COPIES:
            source = args[1] if func is aten.copy_.default else args[0]
            if isinstance(source, SimulatedTensor) != on_device:
                asynchronous = kwargs.get('non_blocking') or (func is aten.copy_.default and len(args) > 2 and args[2])
                asynchronous = asynchronous and getattr(source, 'is_marked_pinned', False)
                if not (asynchronous and on_device):  # what comes back is read at once
                    self.wait('copy to the device' if on_device else 'copy to the host')
            return
        if name in _WAITING and simulated:
            self.wait(name)
        others = [tensor for tensor in tensors if not isinstance(tensor, SimulatedTensor)]
        if name in _INDEXING:
            self._check_index(func, args)
        elif simulated:
            takes_scalars = name.rstrip('_') in _TAKES_CPU_SCALARS
            mixed = [tuple(tensor.shape) for tensor in others if tensor.ndim or not takes_scalars]
            written = [
                given
                for argument, given in (*zip(func._schema.arguments, args, strict=False), *_named(func, kwargs))
                if argument.alias_info is not None and argument.alias_info.is_write
            ]
            mixed += [tuple(one.shape) for one in others if any(one is given for given in tree_leaves(written))]
            if mixed:
                raise DeviceError(f'{func} mixes {CUDA} with tensors {mixed} of the CPU in {_place()}')

    def _check_index(self, func: Any, args: Any) -> None:
        indices = [index for index in args[1] if isinstance(index, Tensor)]
        if not isinstance(args[0], SimulatedTensor):
            raise DeviceError(f'{func} indexes a tensor of the CPU by one of {CUDA} in {_place()}')
        if any(not isinstance(index, SimulatedTensor) for index in indices):
            self.wait('index of the CPU')
        if any(index.dtype in (torch.bool, torch.uint8) for index in indices):
            self.wait('boolean index')
        values = [value for value in args[2:] if isinstance(value, Tensor) and value.ndim]
        if any(not isinstance(value, SimulatedTensor) for value in values):
            raise DeviceError(f'{func} writes values of the CPU to a tensor of {CUDA} in {_place()}')


def _named(func: Any, kwargs: dict[str, Any]) -> list[tuple[Any, Any]]:
    """Pair the arguments of a schema with what they are given by name."""
    return [(argument, kwargs[argument.name]) for argument in func._schema.arguments if argument.name in kwargs]


def _marked_pinned(tensor: Tensor, *_: Any) -> Tensor:
    if isinstance(tensor, SimulatedTensor):
        raise DeviceError(f'only tensors on the CPU can be pinned, in {_place()}')
    tensor.is_marked_pinned = True  # type: ignore[attr-defined]  # a mark of this simulation
    return tensor


def _is_cuda(device: Any) -> bool:
    # 'meta' comes from C++ code that asked a simulated tensor for its device
    return device is not None and torch.device(device).type in ('cuda', 'meta')


def _inner(leaf: Any) -> Any:
    return leaf.inner if isinstance(leaf, SimulatedTensor) else leaf


def _made_from_list(original: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """Wrap a constructor of tensors from Python values, which no dispatch sees."""

    def construct(data: Any, *, device: Any = None, **others: Any) -> Tensor:
        made = original(data, **others)
        if not _is_cuda(device):
            return made
        _active().wait('tensor from Python values')
        return SimulatedTensor(made)

    return construct


@contextmanager
def simulated_cuda() -> Iterator[SimulatedCuda]:
    """Simulate a device inside the block."""
    global _ACTIVE
    tensor = _made_from_list(torch.tensor)

    def new_tensor(self: Tensor, data: Any, **others: Any) -> Tensor:
        device = others.pop('device', None) or self.device
        return tensor(data, **{'dtype': self.dtype, **others}, device=device)

    mode = SimulatedCuda()
    with ExitStack() as stack:
        stack.enter_context(mock.patch.object(torch, 'tensor', tensor))
        stack.enter_context(mock.patch.object(torch, 'as_tensor', _as_tensor(torch.as_tensor, tensor)))
        stack.enter_context(mock.patch.object(torch.Tensor, 'new_tensor', new_tensor))
        stack.enter_context(mock.patch.object(torch.Tensor, 'pin_memory', _marked_pinned))
        stack.enter_context(mock.patch.object(torch.cuda, '_lazy_init', lambda: None))
        stack.enter_context(mode)
        _ACTIVE = mode
        try:
            yield mode
        finally:
            _ACTIVE = None


def _as_tensor(original: Callable[..., Tensor], tensor: Callable[..., Tensor]) -> Callable[..., Tensor]:
    def convert(data: Any, **others: Any) -> Tensor:
        if isinstance(data, Tensor):
            return data.to(**others) if others else data
        return tensor(data, **others) if _is_cuda(others.get('device')) else original(data, **others)

    return convert


def to_device(thing: Any) -> Any:
    """Move tensors, in any structure, or the parameters and buffers of a module, to the simulated device."""
    if isinstance(thing, nn.Module):
        with mock.patch.object(torch.__future__, 'get_overwrite_module_params_on_conversion', lambda: True):
            thing._apply(to_device)
        for module in thing.modules():
            if hasattr(module, '_device'):  # mmengine's preprocessors remember it
                module._device = CUDA
        return thing
    move = lambda leaf: SimulatedTensor(leaf.detach()) if type(leaf) in (Tensor, nn.Parameter) else leaf  # noqa: E731
    return tree_map(move, thing)
