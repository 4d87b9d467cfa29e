"""Several optimiser updates on one batch, on one device and with DDP."""

from collections.abc import Callable
from typing import Any, Protocol

import torch
from mmengine.model import MMDistributedDataParallel
from mmengine.optim import OptimWrapper
from torch import Tensor

from mmsigma.registry import MODEL_WRAPPERS


class SteppedModel(Protocol):
    """A model that is trained by a walk of ``num_steps`` updates through each batch."""

    num_steps: int
    data_preprocessor: Callable[[dict, bool], dict]
    parse_losses: Callable[[dict], tuple[Tensor, dict]]


def run_inner_steps(forward: Callable, model: SteppedModel, data: dict, optim_wrapper: OptimWrapper) -> dict:
    """Preprocess a batch once and take ``model.num_steps`` updates on it.

    Args:
        forward: The model or its wrapper; ``forward(**data, mode='step', states=states)`` returns losses and the states
            to go on with; the first call gets None.
        model: The model itself.
        data: A batch as the loader delivers it.
        optim_wrapper: Every step is one of its updates; it must not accumulate gradients.

    Returns:
        Means over the steps of what there is to log.

    Raises:
        ValueError: If the optimiser accumulates gradients, which would mix the steps of a walk.
    """
    if getattr(optim_wrapper, '_accumulative_counts', 1) != 1:
        raise ValueError(
            'optim_wrapper.accumulative_counts must be 1: each batch already takes '
            f'model.num_steps={model.num_steps} updates'
        )
    data = model.data_preprocessor(data, True)
    states, history = None, []
    for _ in range(model.num_steps):
        with optim_wrapper.optim_context(forward):
            losses, states = forward(**data, mode='step', states=states)
        loss, log_vars = model.parse_losses(losses)
        optim_wrapper.update_params(loss)
        history.append({name: value.detach() for name, value in log_vars.items()})
    return {name: torch.stack([step[name] for step in history]).mean() for name in history[0]}


@MODEL_WRAPPERS.register_module()
class InnerStepsDistributedDataParallel(MMDistributedDataParallel):
    """mmengine's DDP for models that take several updates per batch; its own would bypass the model's ``train_step``.

    All processes take the same number of steps, so gradients meet.
    """

    def train_step(self, data: dict, optim_wrapper: OptimWrapper) -> dict[str, Any]:
        """Train on one batch; see :func:`run_inner_steps`."""
        return run_inner_steps(self, self.module, data, optim_wrapper)
