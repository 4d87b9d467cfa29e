"""Conversion of weights for GTA: ImageNet weights of Keras' ResNet50V2, or a checkpoint of the official release."""

from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor

from mmsigma import __version__
from mmsigma.checkpoints.gta_names import from_tensorflow, trunk_layers
from mmsigma.io.atomic import write_atomically
from mmsigma.io.tensorflow.tensor_bundle import read_bundle


def convert_gta(src: Path, dst: Path) -> str:
    """Convert one file.

    Args:
        src: ``.h5`` or ``.hdf5`` file, or the path of a checkpoint with or without ``.index``.
        dst: File to write, ``.safetensors`` or anything else for ``torch.save``; left unchanged if anything fails.

    Returns:
        Description of what was converted.

    Raises:
        FileNotFoundError: If a file is missing.
        ImportError: If h5py is required but not installed.
        ValueError: If a file is damaged.
        KeyError: If a variable is missing or unknown.
    """
    is_keras = src.suffix in ('.h5', '.hdf5')
    variables = read_keras(src) if is_keras else read_bundle(src, lambda key: key.startswith(('cnn/', 'emb/')))
    state = from_tensorflow(variables)
    parts = {'backbone'} if is_keras else {'backbone', 'neck'}
    check_parts(src, state, parts)
    meta = dict(source=src.name, mmsigma_version=__version__)

    def write(name: str) -> None:
        if dst.suffix == '.safetensors':
            save_file({key: value.contiguous() for key, value in state.items()}, name, metadata={'format': 'pt'})
        else:
            torch.save({'state_dict': state, 'meta': meta}, name)

    write_atomically(dst, write)
    what = 'frame encoder' if is_keras else 'frame encoder and embedder'
    return f'{what}, {sum(value.numel() for value in state.values()):,} numbers in {len(state)} tensors: {src} -> {dst}'


def read_keras(path: Path) -> dict[str, np.ndarray]:
    """Read the variables of the trunk's layers by ``cnn/<layer>/<variable>``; layers after the trunk are left out.

    Raises:
        ImportError: If h5py is not installed.
        FileNotFoundError: If there is no such file.
        ValueError: If it is damaged.
    """
    try:
        import h5py
    except ImportError as error:
        raise ImportError('weights of Keras are HDF5 files: pip install "mmsigma[alignment]"') from error
    layers, found = {name for name, _ in trunk_layers()}, {}

    def keep(name: str, item: object) -> None:
        # <layer>/<layer>/kernel:0; newer versions omit ":0"
        parts = name.split('/')
        if isinstance(item, h5py.Dataset) and len(parts) > 1 and parts[-2] in layers:
            found[f'cnn/{parts[-2]}/{parts[-1].partition(":")[0]}'] = np.asarray(item)

    try:
        with h5py.File(path, 'r') as file:
            file.visititems(keep)
    except OSError as error:
        if not path.is_file():
            raise FileNotFoundError(f'no weights at {path}') from error
        raise ValueError(f'{path} is damaged or not an HDF5 file: {error}') from error
    return found


def check_parts(src: Path, state: dict[str, Tensor], parts: set[str]) -> None:
    """Check that the given parts of the model are complete.

    Raises:
        KeyError: If parameters are missing; the message names them.
    """
    norm = ('weight', 'bias', 'running_mean', 'running_var')
    expected = set()
    for _, layer in trunk_layers():
        last = layer.rpartition('.')[2]
        has_bias = last in ('shortcut', 'conv3') or layer == 'conv1'
        kinds = norm if 'bn' in last else ('weight', 'bias') if has_bias else ('weight',)
        expected |= {f'backbone.{layer}.{kind}' for kind in kinds}
    if 'neck' in parts:
        expected |= {f'neck.{layer}.{kind}' for layer in ('convs.0', 'out') for kind in ('weight', 'bias')}
    if missing := sorted(expected - state.keys()):
        raise KeyError(f'{src} lacks {len(missing)} of {len(expected)} parameters, for example {missing[:5]}')
