"""Parsing of Protocol Buffers messages by field number, as needed for TensorFlow's files."""

import struct
from collections.abc import Iterator

Value = int | memoryview
"""A field: a number, or the bytes of a string, a message or a packed list."""


def varint(data: bytes | memoryview, place: int = 0) -> tuple[int, int]:
    """Decode an unsigned number of variable length.

    Args:
        data: Encoded data.
        place: Index of the number's first byte.

    Returns:
        The number and the index after it.

    Raises:
        ValueError: If the data ends within the number, or it has more than 64 bits.
    """
    number = 0
    for shift in range(0, 70, 7):
        if place >= len(data):
            raise ValueError('the data ends within a number')
        byte = data[place]
        place += 1
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return number, place
    raise ValueError('a number has more than 64 bits')


def fields(data: bytes | memoryview) -> Iterator[tuple[int, Value]]:
    """Yield the number and the value of each field of a message.

    Raises:
        ValueError: If it is not a message.
    """
    view, place = memoryview(data), 0
    while place < len(view):
        key, place = varint(view, place)
        kind = key & 7
        if kind == 0:
            value, place = varint(view, place)
            yield key >> 3, value
            continue
        if kind not in (1, 2, 5):
            raise ValueError(f'field {key >> 3} has the unknown wire type {kind}')
        size, place = varint(view, place) if kind == 2 else ({1: 8, 5: 4}[kind], place)
        if place + size > len(view):
            raise ValueError(f'field {key >> 3} extends beyond the data')
        part = view[place : place + size]
        place += size
        yield key >> 3, part if kind == 2 else struct.unpack('<Q' if kind == 1 else '<I', part)[0]


def signed(number: int) -> int:
    """Return the signed value of an ``int64`` field, which is decoded as unsigned."""
    return number - (1 << 64) if number >= 1 << 63 else number


def message(value: Value) -> memoryview:
    """Return the bytes of a field that must not be a number.

    Raises:
        ValueError: If it is a number.
    """
    if isinstance(value, int):
        raise ValueError('found a number where a message or string was expected')
    return value


def numbers(values: list[Value]) -> list[int]:
    """Return the signed numbers of a repeated field, packed or not."""
    found: list[int] = []
    for value in values:
        if isinstance(value, int):
            found.append(signed(value))
            continue
        place = 0
        while place < len(value):
            number, place = varint(value, place)
            found.append(signed(number))
    return found
