"""Conversion of variable names from GTA's TensorFlow checkpoints to our parameter names.

The released model is an object graph whose variables :func:`mmsigma.io.tensorflow.tensor_bundle.read_bundle` reads.
This module only needs names and arrays, not TensorFlow.
"""

import re
from collections.abc import Iterator, Mapping

import torch
from numpy.typing import ArrayLike
from torch import Tensor

_SUFFIX = '/.ATTRIBUTES/VARIABLE_VALUE'
_TRUNK = 'cnn/base_model/layer_with_weights-'
_DEPTHS = (3, 4, 3)  # number of blocks in stages 2, 3 and 4, after which the trunk is cut
_VARIABLES = {
    'kernel': 'weight',
    'bias': 'bias',
    'gamma': 'weight',
    'beta': 'bias',
    'moving_mean': 'running_mean',
    'moving_variance': 'running_var',
}
_EMBEDDER = {'conv_layers': 'convs', 'bn_layers': 'norms', 'fc_layers': 'fcs'}
# permutation from TensorFlow's kernel axes to PyTorch's, by number of axes: dense, 2-D and 3-D convolution
_AXES = {2: (1, 0), 4: (3, 2, 0, 1), 5: (4, 3, 0, 1, 2)}


def trunk_layers() -> Iterator[tuple[str, str]]:
    """Yield the layers of the trunk that have variables, in the order of the graph, as (Keras name, our name)."""
    yield 'conv1_conv', 'conv1'
    for stage, depth in enumerate(_DEPTHS, 2):
        for block in range(1, depth + 1):
            theirs, ours = f'conv{stage}_block{block}_', f'stage{stage}.{block - 1}.'
            yield f'{theirs}preact_bn', f'{ours}preact_bn'
            for number in (1, 2):
                yield f'{theirs}{number}_conv', f'{ours}conv{number}'
                yield f'{theirs}{number}_bn', f'{ours}bn{number}'
            if block == 1:
                yield f'{theirs}0_conv', f'{ours}shortcut'
            yield f'{theirs}3_conv', f'{ours}conv3'


def our_name(key: str) -> str:
    """Return our name of a variable, given its key in the checkpoint or ``cnn/<Keras layer>/<variable>``.

    Raises:
        KeyError: If the network has no such variable.
    """
    path = key.removesuffix(_SUFFIX)
    layer, _, variable = path.rpartition('/')
    if variable not in _VARIABLES:
        raise KeyError(f'{key} is not a variable of the GTA network')
    name = _VARIABLES[variable]
    if path.startswith('cnn/'):
        layers = list(trunk_layers())
        if path.startswith(_TRUNK):
            number = int(layer.removeprefix(_TRUNK))
            if number < len(layers):
                return f'backbone.{layers[number][1]}.{name}'
        ours = dict(layers).get(layer.removeprefix('cnn/'))
        if ours is not None:
            return f'backbone.{ours}.{name}'
    if layer == 'emb/embedding_layer':
        return f'neck.out.{name}'
    found = re.fullmatch(r'emb/(conv_layers|bn_layers|fc_layers)/(\d+)', layer)
    if found is None:
        raise KeyError(f'{key} is not a variable of the GTA network')
    return f'neck.{_EMBEDDER[found[1]]}.{found[2]}.{name}'


def from_tensorflow(variables: Mapping[str, ArrayLike]) -> dict[str, Tensor]:
    """Rename and transpose the variables of a checkpoint, leaving out counters and the state of the optimiser.

    Args:
        variables: Arrays by key; kernels are ``(kh, kw, in, out)``, ``(kt, kh, kw, in, out)`` or ``(in, out)``.

    Returns:
        State dict of copies: ``ResNet50V2Encoder`` under ``backbone.`` and ``ContextEmbedder`` under ``neck.``.

    Raises:
        KeyError: If a variable of the network is unknown, or a kernel has an unexpected number of axes.
    """
    state = {}
    for key, value in variables.items():
        if not key.startswith(('cnn/', 'emb/')) or 'OPTIMIZER_SLOT' in key:
            continue
        tensor = torch.as_tensor(value).clone()
        name = our_name(key)
        if key.removesuffix(_SUFFIX).endswith('/kernel'):
            if tensor.ndim not in _AXES:
                raise KeyError(f'{key} has {tensor.ndim} axes, but kernels of the network have 2, 4 or 5')
            tensor = tensor.permute(_AXES[tensor.ndim]).contiguous()
        state[name] = tensor
        if name.endswith('running_mean'):
            state[name.replace('running_mean', 'num_batches_tracked')] = torch.tensor(0)
    return state
