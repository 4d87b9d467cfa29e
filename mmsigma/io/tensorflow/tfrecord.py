"""Reader of TFRecord files with SequenceExamples that needs no TensorFlow; all checksums are verified."""

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from mmsigma.io.tensorflow.crc32c import masked_crc32c
from mmsigma.io.tensorflow.protobuf import Value, fields, message, numbers

Feature = list[bytes] | list[int] | list[float]


class SequenceExample(NamedTuple):
    """One sequence of a TFRecord file.

    Attributes:
        context: Values of each feature of the sequence as a whole.
        lists: For each feature of the steps, one list of values per step.
    """

    context: dict[str, Feature]
    lists: dict[str, list[Feature]]


def read_records(path: str | Path) -> Iterator[bytes]:
    """Yield the records of a file in order.

    Raises:
        ValueError: If the file ends within a record, or a checksum is wrong; the message names file and record.
    """
    with Path(path).open('rb') as file:
        number = 0
        while head := file.read(12):
            place = f'{path}, record {number}'
            if len(head) < 12 or masked_crc32c(head[:8]) != struct.unpack('<I', head[8:])[0]:
                raise ValueError(f'{place}: the checksum of the length is wrong; is it an uncompressed TFRecord file?')
            size = struct.unpack('<Q', head[:8])[0]
            data, tail = file.read(size), file.read(4)
            if len(tail) < 4:
                raise ValueError(f'{place}: the file ends after {len(data):,} of {size:,} bytes; fetch it again')
            if masked_crc32c(data) != struct.unpack('<I', tail)[0]:
                raise ValueError(f'{place}: the checksum is wrong, the file is damaged; fetch it again')
            yield data
            number += 1


def read_sequence_examples(path: str | Path) -> Iterator[SequenceExample]:
    """Yield the SequenceExamples of a file in order.

    Raises:
        ValueError: If the file is damaged or a record is not a SequenceExample; the message names file and record.
    """
    for number, record in enumerate(read_records(path)):
        try:
            yield parse_sequence_example(record)
        except ValueError as error:
            raise ValueError(f'{path}, record {number} is not a SequenceExample: {error}') from error


def parse_sequence_example(data: bytes | memoryview) -> SequenceExample:
    """Parse the context (field 1) and the feature lists (field 2) of a message.

    Raises:
        ValueError: If it is not a SequenceExample.
    """
    context: dict[str, Feature] = {}
    lists: dict[str, list[Feature]] = {}
    for number, value in fields(data):
        if number == 1:
            context.update((name, _feature(part)) for name, part in _entries(value))
        elif number == 2:
            for name, part in _entries(value):
                lists[name] = [_feature(message(step)) for key, step in fields(part) if key == 1]
    return SequenceExample(context, lists)


def _entries(value: Value) -> Iterator[tuple[str, memoryview]]:
    """Yield the keys and values of a map, whose entries are field 1 of a message."""
    for number, entry in fields(message(value)):
        if number == 1:
            parts = dict(fields(message(entry)))
            yield bytes(message(parts.get(1, memoryview(b'')))).decode(), message(parts.get(2, memoryview(b'')))


def _feature(data: memoryview) -> Feature:
    """Parse a Feature message, whose field number is the type: 1 bytes, 2 float, 3 int64."""
    for kind, values in fields(data):
        items = [value for number, value in fields(message(values)) if number == 1]
        if kind == 1:
            return [bytes(message(item)) for item in items]
        if kind == 2:  # packed into one field, or one field each
            whole = b''.join(struct.pack('<I', item) if isinstance(item, int) else bytes(item) for item in items)
            return list(struct.unpack(f'<{len(whole) // 4}f', whole))
        if kind == 3:
            return numbers(items)
    return []
