"""Predictions that a test has written."""

import io
import pickle
from pathlib import Path
from typing import Any

import torch

_ALLOWED = {
    ('collections', 'OrderedDict'),
    ('_codecs', 'encode'),  # bytes of numpy's arrays
    ('torch._utils', '_rebuild_tensor_v2'),
    ('numpy', 'ndarray'),
    ('numpy', 'dtype'),
    ('numpy.core.multiarray', '_reconstruct'),
    ('numpy._core.multiarray', '_reconstruct'),
    ('numpy.core.multiarray', 'scalar'),
    ('numpy._core.multiarray', 'scalar'),
    ('numpy._core.numeric', '_frombuffer'),
    ('numpy.core.numeric', '_frombuffer'),
}


def load_predictions(path: str | Path) -> list[dict[str, Any]]:
    """Read the predictions of ``tools/test.py --dump``: one mapping of names to arrays, numbers and texts per sample.

    The file is a pickle, of which only plain data is read: it cannot execute code.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is not such a file, or contains anything else.
    """
    path = Path(path)
    if path.is_dir():
        raise ValueError(f'{path} is a folder, not the file of predictions that tools/test.py --dump writes')
    if not path.is_file():
        raise FileNotFoundError(f'no predictions at {path}: write them with tools/test.py --dump {path}')
    try:
        with open(path, 'rb') as file:
            samples = _PlainData(file).load()
    except (pickle.UnpicklingError, EOFError, AttributeError, IndexError, KeyError, RuntimeError) as error:
        raise ValueError(f'{path} is not a file of predictions, which tools/test.py --dump writes ({error})') from error
    if not isinstance(samples, list) or not samples or not all(isinstance(sample, dict) for sample in samples):
        raise ValueError(f'{path} does not contain a list of predictions: write it with tools/test.py --dump')
    return samples


class _PlainData(pickle.Unpickler):
    """Reader of tensors, arrays and built-in types."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ('torch.storage', '_load_from_bytes'):
            return lambda content: torch.load(io.BytesIO(content), weights_only=True)
        if (module, name) in _ALLOWED:
            return super().find_class(module, name)
        raise pickle.UnpicklingError(f'it has a {module}.{name}')
