"""When the host reads values that are on the device, and mmengine's hook that records the outputs of the model."""

from typing import Any

import torch
from mmengine.hooks import LoggerHook, RuntimeInfoHook
from mmengine.runner import Runner
from torch import Tensor, nn

from mmsigma.registry import HOOKS

_WITHOUT_LOG = 50  # iterations between readings if there is no log


def reads_every_iteration(model: nn.Module) -> bool:
    """Return whether values of a model can be read in every iteration at no cost, as on a CPU.

    On a GPU, the host waits for everything that is computed before a value, so that nothing is queued meanwhile.
    """
    return all(parameter.device.type == 'cpu' for parameter in model.parameters())


def is_time_to_read(runner: Runner, batch_idx: int) -> bool:
    """Return whether values on the device are read after this iteration: if they are logged, or reading costs nothing.

    Args:
        runner: Runner in training.
        batch_idx: Number of the iteration in its epoch.
    """
    if reads_every_iteration(runner.model):
        return True
    intervals = [hook.interval for hook in runner.hooks if isinstance(hook, LoggerHook)] or [_WITHOUT_LOG]
    is_last = batch_idx + 1 == len(runner.train_dataloader)
    return is_last or any((batch_idx + 1) % interval == 0 for interval in intervals)


@HOOKS.register_module()
class DeferredRuntimeInfoHook(RuntimeInfoHook):
    """mmengine's hook, except that the outputs of several iterations on a GPU are read together, when they are logged.

    mmengine reads each output in every iteration (seen in 0.10.7). What has not been read is read before a checkpoint
    is written, which contains the history.
    """

    def __init__(self) -> None:
        self.pending: list[tuple[str, Any]] = []  # names and values, in the order of the iterations

    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Any = None,
        outputs: dict[str, Any] | None = None,
    ) -> None:
        for name, value in (outputs or {}).items():
            self.pending.append((name, value.detach() if isinstance(value, Tensor) else value))
        if is_time_to_read(runner, batch_idx):
            self.read(runner)

    def before_write_checkpoint(self, runner: Runner) -> None:
        """Read what is left, see :meth:`VideoRunner.write_checkpoint`."""
        self.read(runner)

    def after_train(self, runner: Runner) -> None:
        self.read(runner)
        super().after_train(runner)

    def read(self, runner: Runner) -> None:
        """Record all outputs that have not been read."""
        values = read_scalars([value for _, value in self.pending])
        for (name, _), value in zip(self.pending, values, strict=True):
            runner.message_hub.update_scalar(f'train/{name}', value)
        self.pending.clear()


def read_scalars(values: list[Any]) -> list[float]:
    """Read tensors of one element, those of a GPU in a single transfer; numbers stay as they are."""
    tensors = [value for value in values if isinstance(value, Tensor)]
    if not tensors:
        return values
    # Apple's GPUs have no float64
    dtype = torch.float32 if any(value.device.type == 'mps' for value in tensors) else torch.float64
    read = iter(torch.stack([value.reshape(()).to(dtype) for value in tensors]).tolist())
    return [next(read) if isinstance(value, Tensor) else value for value in values]
