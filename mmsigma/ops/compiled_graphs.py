"""Functions that torch.compile calls as they are, instead of looking into them."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, library


def is_traced() -> bool:
    """Return whether torch.compile traces the caller, and can be given operations of :func:`opaque` instead."""
    return torch.compiler.is_compiling() and hasattr(library, 'custom_op')


def opaque(
    name: str, run: Callable[..., Tensor], like: Callable[..., Tensor], gradients: Callable[..., Any] | None = None
) -> Callable[..., Tensor]:
    """Make a function an operation of the namespace ``mmsigma``, which stays one node of a compiled graph.

    What would break the graph may be inside: switches of precision, exchanges between processes, foreign modules.

    Args:
        name: Name of the operation.
        run: Function of tensors and numbers, with annotations, whose result is not a view of an argument.
        like: Function of the same arguments that returns an empty tensor like the result.
        gradients: Function of a context and the gradient of the result that returns one gradient per argument; all
            arguments have to be tensors, and ``context.saved_tensors`` has them. None if there are no gradients.

    Returns:
        The operation; ``run`` itself if PyTorch cannot define operations in Python, before 2.4.
    """
    if not hasattr(library, 'custom_op'):
        return run
    operation = library.custom_op(f'mmsigma::{name}', run, mutates_args=())
    operation.register_fake(like)
    if gradients is not None:
        operation.register_autograd(gradients, setup_context=_keep)
    return operation


def _keep(ctx: Any, inputs: tuple[Tensor, ...], output: Tensor) -> None:
    ctx.save_for_backward(*inputs)
