"""Writers of TensorFlow's files, for tests: records and checkpoints."""

import struct
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from mmsigma.io.tensorflow.crc32c import masked_crc32c

NUMBERS = {'float32': 1, 'float64': 2, 'int32': 3, 'int64': 9}


def varint(number: int) -> bytes:
    number %= 1 << 64
    parts = []
    while number > 127:
        parts.append(number % 128 + 128)
        number //= 128
    return bytes([*parts, number])


def field(number: int, value: int | bytes) -> bytes:
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    return varint(number << 3 | 2) + varint(len(value)) + value


def feature(values: Sequence[int] | Sequence[bytes]) -> bytes:
    if isinstance(values[0], bytes):
        return field(1, b''.join(field(1, value) for value in values))
    return field(3, field(1, b''.join(map(varint, values))))  # packed


def sequence_example(context: Mapping[str, Sequence], lists: Mapping[str, Sequence[Sequence]]) -> bytes:
    def entry(name: str, value: bytes) -> bytes:
        return field(1, field(1, name.encode()) + field(2, value))

    steps = {name: b''.join(field(1, feature(step)) for step in values) for name, values in lists.items()}
    first = b''.join(entry(name, feature(values)) for name, values in context.items())
    return field(1, first) + field(2, b''.join(entry(*item) for item in steps.items()))


def write_records(path: Path, records: Sequence[bytes]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    checked = (
        struct.pack('<QI', len(data), masked_crc32c(struct.pack('<Q', len(data))))
        + data
        + struct.pack('<I', masked_crc32c(data))
        for data in records
    )
    path.write_bytes(b''.join(checked))
    return path


def write_bundle(prefix: Path, tensors: Mapping[str, np.ndarray], num_shards: int = 2, per_block: int = 5) -> Path:
    """A checkpoint whose tensors are dealt out to the data files, with several blocks of the index."""
    shards = [b''] * num_shards
    entries = {'': field(1, num_shards)}
    for number, (name, tensor) in enumerate(sorted(tensors.items())):
        shard, data = number % num_shards, tensor.tobytes()
        shape = b''.join(field(2, field(1, size)) for size in tensor.shape)
        place = field(3, shard) + field(4, len(shards[shard])) + field(5, len(data))
        checksum = varint(6 << 3 | 5) + struct.pack('<I', masked_crc32c(data))
        entries[name] = field(1, NUMBERS[tensor.dtype.name]) + field(2, shape) + place + checksum
        shards[shard] += data
    for shard, data in enumerate(shards):
        prefix.with_name(f'{prefix.name}.data-{shard:05d}-of-{num_shards:05d}').write_bytes(data)
    table, handles, items = b'', {}, sorted(entries.items())
    for start in range(0, len(items), per_block):
        part = items[start : start + per_block]
        table, handles[part[-1][0]] = add_block(table, part)
    table, meta = add_block(table, [])
    table, index = add_block(table, list(handles.items()))
    footer = (meta + index).ljust(40, b'\0') + struct.pack('<Q', 0xDB4775248B80FB57)
    prefix.with_name(f'{prefix.name}.index').write_bytes(table + footer)
    return prefix


def add_block(table: bytes, items: Sequence[tuple[str, bytes]]) -> tuple[bytes, bytes]:
    """The table with one more block, and the handle of this."""
    block, last = b'', b''
    for name, value in items:
        key = name.encode()
        shared = next((i for i, pair in enumerate(zip(key, last, strict=False)) if pair[0] != pair[1]), None)
        shared = min(len(key), len(last)) if shared is None else shared
        block += varint(shared) + varint(len(key) - shared) + varint(len(value)) + key[shared:] + value
        last = key
    block += struct.pack('<II', 0, 1)
    handle = varint(len(table)) + varint(len(block))
    return table + block + b'\0' + struct.pack('<I', masked_crc32c(block + b'\0')), handle
