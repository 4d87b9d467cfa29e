"""Fields of messages, with numbers as the documentation of Protocol Buffers encodes them."""

import struct

import pytest

from mmsigma.io.tensorflow.protobuf import fields, message, numbers, signed, varint
from tests.tensorflow_files import field
from tests.tensorflow_files import varint as encode


@pytest.mark.parametrize('number', [0, 1, 127, 128, 150, 2**32, 2**63, 2**64 - 1])
def test_numbers_of_variable_length(number: int) -> None:
    data = encode(number)
    assert varint(data) == (number, len(data)) and len(data) == max(1, -(-number.bit_length() // 7))
    assert varint(b'??' + data + b'!', 2) == (number, len(data) + 2)


def test_examples_of_the_documentation() -> None:
    assert varint(bytes([0x96, 0x01])) == (150, 2)
    assert list(fields(bytes([0x08, 0x96, 0x01]))) == [(1, 150)]
    assert list(fields(b'\x12\x07testing')) == [(2, b'testing')]
    assert numbers([value for _, value in fields(bytes([0x32, 0x06, 0x03, 0x8E, 0x02, 0x9E, 0xA7, 0x05]))]) == [
        3, 270, 86942
    ]  # fmt: skip


def test_numbers_below_zero() -> None:
    assert [signed(number) for number in (0, 2**63 - 1, 2**63, 2**64 - 1)] == [0, 2**63 - 1, -(2**63), -1]
    assert numbers([2**64 - 2, memoryview(encode(7) + encode(-7))]) == [-2, 7, -7]


def test_fields_of_every_wire_type() -> None:
    data = field(3, 300) + field(4, b'ab') + struct.pack('<Bd', 5 << 3 | 1, 1.5) + struct.pack('<BI', 6 << 3 | 5, 9)
    number = struct.unpack('<Q', struct.pack('<d', 1.5))[0]
    assert list(fields(data)) == [(3, 300), (4, b'ab'), (5, number), (6, 9)]
    assert list(fields(b'')) == []


@pytest.mark.parametrize(
    ('data', 'reason'),
    [
        (b'\x08', 'the data ends within a number'),
        (b'\x08\xff', 'the data ends within a number'),
        (b'\x0a\x05ab', 'field 1 extends beyond the data'),
        (b'\x29' + bytes(7), 'field 5 extends beyond the data'),
        (b'\x0b', 'field 1 has the unknown wire type 3'),
        (b'\x08' + b'\xff' * 11, 'a number has more than 64 bits'),
    ],
)
def test_what_is_no_message(data: bytes, reason: str) -> None:
    with pytest.raises(ValueError, match=f'^{reason}$'):
        list(fields(data))


def test_a_number_is_no_message() -> None:
    assert bytes(message(memoryview(b'ab'))) == b'ab'
    with pytest.raises(ValueError, match='found a number where a message or string was expected'):
        message(3)
