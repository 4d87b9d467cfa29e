"""Training steps of several optimiser updates on one batch, on one device and with DDP."""

from collections.abc import Callable
from typing import Any, Protocol

import torch
from mmengine.model import MMDistributedDataParallel
from mmengine.optim import OptimWrapper
from torch import Tensor

from mmsigma.registry import MODEL_WRAPPERS


class SteppedModel(Protocol):
    """Model that is trained with a walk of ``num_steps`` updates on each batch.

    Attributes:
        num_steps: Number of updates.
        data_preprocessor: Preprocesses a batch, given whether it is for training.
        parse_losses: Returns the sum of the losses and the values to log.
    """

    num_steps: int
    data_preprocessor: Callable[[dict[str, Any], bool], dict[str, Any]]
    parse_losses: Callable[[dict[str, Tensor]], tuple[Tensor, dict[str, Tensor]]]


def run_inner_steps(
    forward: Callable[..., Any], model: SteppedModel, data: dict[str, Any], optim_wrapper: OptimWrapper
) -> dict[str, Any]:
    """Preprocess a batch once and make ``model.num_steps`` updates on it.

    Args:
        forward: Model or its wrapper. ``forward(**data, mode='step', states=states)`` returns the losses and the states
            of the next step; ``states`` is None in the first one.
        model: Model itself.
        data: Batch from the data loader.
        optim_wrapper: Optimiser wrapper that makes the updates. It must not accumulate gradients.

    Returns:
        Means over the steps of the values to log.

    Raises:
        ValueError: If the optimiser wrapper accumulates gradients, which would mix the steps of a walk.
    """
    if getattr(optim_wrapper, '_accumulative_counts', 1) != 1:
        raise ValueError(
            'optim_wrapper.accumulative_counts must be 1: each batch already takes '
            f'model.num_steps={model.num_steps} updates'
        )
    data = model.data_preprocessor(data, True)
    states: Tensor | None
    history: list[dict[str, Tensor]]
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
    """DDP for models that make several updates per batch; that of MMEngine would bypass their ``train_step``.

    All processes make the same number of steps, so that each reduction of the gradients involves all of them.
    """

    def train_step(self, data: dict[str, Any], optim_wrapper: OptimWrapper) -> dict[str, Any]:
        """Train on one batch; see :func:`run_inner_steps`."""
        return run_inner_steps(self, self.module, data, optim_wrapper)
