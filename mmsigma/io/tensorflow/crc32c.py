"""CRC-32C (Castagnoli), the checksum of TensorFlow's files, in numpy and still fast enough for gigabytes."""

from functools import cache

import numpy as np

_POLYNOMIAL = 0x82F63B78
_LANES = 8192  # parts of the data that are processed in parallel
_SMALL = 2048  # bytes below which a plain loop is as fast


def crc32c(data: bytes | memoryview) -> int:
    """Return the checksum of bytes as an unsigned 32-bit number.

    A CRC is linear, so long data is split into lanes that are processed in parallel. Their states are then joined with
    operators that stand for appending a given number of zero bytes.
    """
    table = _table()
    if len(data) < _SMALL:
        state, steps = 0xFFFFFFFF, table.tolist()
        for byte in bytes(data):
            state = steps[(state ^ byte) & 0xFF] ^ (state >> 8)
        return state ^ 0xFFFFFFFF
    width = -(-len(data) // _LANES)
    padded = np.zeros(_LANES * width, np.uint8)  # leading zeros do not change a state of zero
    padded[-len(data) :] = np.frombuffer(data, np.uint8)
    first = len(padded) - len(data)
    padded[first : first + 4] ^= 0xFF  # equivalent to an initial state of ones
    columns = np.ascontiguousarray(padded.reshape(_LANES, width).T)
    states = np.zeros(_LANES, np.uint32)
    for column in columns:
        states = table[(states ^ column) & 0xFF] ^ (states >> 8)
    while len(states) > 1:
        states = _apply(_zeros(width), states[::2]) ^ states[1::2]
        width *= 2
    return int(states[0]) ^ 0xFFFFFFFF


def masked_crc32c(data: bytes | memoryview) -> int:
    """Return the checksum in the form TensorFlow stores: rotated and offset, so that a CRC may cover other CRCs."""
    crc = crc32c(data)
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


@cache
def _table() -> np.ndarray:
    """Return the state after each possible byte, starting from a state of zero, ``(256,)``, uint32."""
    states = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        states = np.where(states & 1, (states >> 1) ^ np.uint32(_POLYNOMIAL), states >> 1)
    return states


@cache
def _zeros(count: int) -> np.ndarray:
    """Return the operator of ``count`` zero bytes, ``(32,)``, uint32: the state that each single bit turns into."""
    if count == 1:
        bits = np.uint32(1) << np.arange(32, dtype=np.uint32)
        after_one: np.ndarray = _table()[bits & 0xFF] ^ (bits >> 8)
        return after_one
    half = _zeros(count // 2)
    twice = _apply(half, half)
    return _apply(_zeros(1), twice) if count % 2 else twice


def _apply(operator: np.ndarray, states: np.ndarray) -> np.ndarray:
    """Apply a linear operator ``(32,)`` to states ``(N,)``, uint32."""
    result = np.zeros_like(states)
    for bit in range(32):
        result ^= np.where(states >> np.uint32(bit) & 1, operator[bit], 0).astype(np.uint32)
    return result
