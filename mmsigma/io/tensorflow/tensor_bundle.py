"""Reader of TensorFlow 2 checkpoints, ``NAME.index`` and ``NAME.data-?????-of-?????``, that needs no TensorFlow.

The index is a sorted LevelDB table: blocks of keys that share prefixes, and an index block that locates them. Its
values are messages that locate each tensor in the data files. All checksums are verified.
"""

import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from mmsigma.io.tensorflow.crc32c import masked_crc32c
from mmsigma.io.tensorflow.protobuf import Value, fields, message, numbers, varint

_MAGIC = 0xDB4775248B80FB57  # last 8 bytes of a LevelDB table
_FOOTER = 48  # bytes
_STRING = 7  # number of the string type
_DTYPES = {
    1: np.float32,
    2: np.float64,
    3: np.int32,
    4: np.uint8,
    5: np.int16,
    6: np.int8,
    9: np.int64,
    10: np.bool_,
    17: np.uint16,
    19: np.float16,
    22: np.uint32,
    23: np.uint64,
}


class BundleEntry(NamedTuple):
    """Location of a tensor in the data files.

    Attributes:
        dtype: TensorFlow's number of the data type.
        shape: Shape.
        shard: Number of the data file.
        offset: Position of the first byte in the file.
        size: Number of bytes.
        crc: Masked checksum.
        sliced: Whether the tensor is stored in slices, which is not supported.
    """

    dtype: int
    shape: tuple[int, ...]
    shard: int
    offset: int
    size: int
    crc: int
    sliced: bool


def bundle_prefix(path: str | Path) -> Path:
    """Return the path of a checkpoint without suffix, given the path of any of its files.

    Raises:
        FileNotFoundError: If the checkpoint has no index.
    """
    path = Path(path)
    if path.suffix == '.index' or path.suffix.startswith('.data-'):
        path = path.with_suffix('')
    if not path.with_name(f'{path.name}.index').is_file():
        raise FileNotFoundError(f'no TensorFlow checkpoint at {path}: {path.name}.index is missing')
    return path


def read_bundle(path: str | Path, wanted: Callable[[str], bool] = lambda name: True) -> dict[str, np.ndarray]:
    """Read the tensors of a checkpoint; strings, such as the object graph, are left out.

    Args:
        path: Path of the checkpoint, with or without ``.index``.
        wanted: Function that tells by its key whether a tensor is read.

    Returns:
        Arrays by key.

    Raises:
        FileNotFoundError: If a file is missing; the message names it.
        ValueError: If a file is damaged or uses an unsupported feature: compression, sliced tensors, unknown types.
    """
    prefix = bundle_prefix(path)
    num_shards, entries = read_bundle_index(prefix.with_name(f'{prefix.name}.index'))
    tensors: dict[str, np.ndarray] = {}
    files: dict[int, np.ndarray] = {}
    for name, entry in entries.items():
        if entry.dtype == _STRING or not wanted(name):
            continue
        if entry.sliced or entry.dtype not in _DTYPES:
            raise ValueError(f'{prefix}: {name} is stored in slices or has the unknown data type {entry.dtype}')
        if entry.shard not in files:
            file = prefix.with_name(f'{prefix.name}.data-{entry.shard:05d}-of-{num_shards:05d}')
            if not file.is_file():
                raise FileNotFoundError(f'{file} is missing; if it is stored with Git LFS, fetch it with git lfs pull')
            files[entry.shard] = np.memmap(file, np.uint8, 'r') if file.stat().st_size else np.zeros(0, np.uint8)
        data = files[entry.shard][entry.offset : entry.offset + entry.size].tobytes()
        if len(data) < entry.size or masked_crc32c(data) != entry.crc:
            raise ValueError(f'{prefix}: {name} is damaged in data file {entry.shard}; fetch it again')
        # TensorFlow writes in the machine's byte order, which read_bundle_index has checked to be little-endian
        values = np.frombuffer(data, np.dtype(_DTYPES[entry.dtype]).newbyteorder('<'))
        tensors[name] = values.reshape(entry.shape).astype(_DTYPES[entry.dtype])
    return tensors


def read_bundle_index(path: str | Path) -> tuple[int, dict[str, BundleEntry]]:
    """Read the number of data files and the entries of an index.

    Raises:
        ValueError: If the file is not an index or is damaged.
    """
    data = Path(path).read_bytes()
    try:
        if len(data) < _FOOTER or struct.unpack('<Q', data[-8:])[0] != _MAGIC:
            raise ValueError('it does not end like a LevelDB table')
        _, place = _handle(data, len(data) - _FOOTER)
        index, _ = _handle(data, place)
        pairs = [pair for _, handle in _block(data, index) for pair in _block(data, _handle(handle, 0)[0])]
        header = dict(fields(pairs[0][1])) if pairs and pairs[0][0] == b'' else {}
        if 1 not in header or header.get(2, 0):
            raise ValueError('it has no header, or was written on a big-endian machine')
        return int(header[1]), {key.decode(): _entry(value) for key, value in pairs[1:]}
    except (ValueError, struct.error, UnicodeDecodeError) as error:
        raise ValueError(f'{path} is not the index of a TensorFlow checkpoint: {error}') from error


def _handle(data: bytes, place: int) -> tuple[tuple[int, int], int]:
    """Decode the offset and size of a block; return them and the index after them."""
    offset, place = varint(data, place)
    size, place = varint(data, place)
    return (offset, size), place


def _block(data: bytes, handle: tuple[int, int]) -> Iterator[tuple[bytes, bytes]]:
    """Yield the keys and values of a block, given its offset and size."""
    offset, size = handle
    block, tail = data[offset : offset + size], data[offset + size : offset + size + 5]
    if len(block) < max(size, 4) or len(tail) < 5:
        raise ValueError('it ends within a block')
    if masked_crc32c(block + tail[:1]) != struct.unpack('<I', tail[1:])[0]:
        raise ValueError('the checksum of a block is wrong; fetch it again')
    if tail[0]:
        raise ValueError(f'a block is compressed (kind {tail[0]}), which checkpoints of TensorFlow are not')
    num_restarts = struct.unpack('<I', block[-4:])[0]
    # each entry: length of the prefix shared with the previous key, lengths of the rest of the key and of the value
    end, place, key = size - 4 * (num_restarts + 1), 0, b''
    while place < end:
        shared, place = varint(block, place)
        own, place = varint(block, place)
        length, place = varint(block, place)
        key = key[:shared] + block[place : place + own]
        place += own + length
        yield key, block[place - length : place]


def _entry(value: bytes) -> BundleEntry:
    """Parse a BundleEntryProto message."""
    found: dict[int, Value] = {}
    sliced = False
    for number, content in fields(value):
        sliced |= number == 7
        found[number] = content
    dims = [message(dim) for number, dim in fields(message(found.get(2, memoryview(b'')))) if number == 2]
    shape = tuple(numbers([dict(fields(dim)).get(1, 0)])[0] for dim in dims)
    dtype, shard, offset, size, crc = (int(found.get(number, 0)) for number in (1, 3, 4, 5, 6))
    return BundleEntry(dtype, shape, shard, offset, size, crc, sliced)
