"""CRC-32C (Castagnoli), the checksum of TensorFlow's files, fast enough for gigabytes without a compiled package."""

from functools import cache

import numpy as np

_POLYNOMIAL = 0x82F63B78
_LANES = 8192
_SMALL = 2048  # bytes, below which a plain loop is as fast


def crc32c(data: bytes | memoryview) -> int:
    """Checksum of bytes, an unsigned number of 32 bits.

    A CRC is linear: long data is split into lanes that are gone through together, and their states are joined by
    operators that stand for so many zeros appended.
    """
    table = _table()
    if len(data) < _SMALL:
        state, steps = 0xFFFFFFFF, table.tolist()
        for byte in bytes(data):
            state = steps[(state ^ byte) & 0xFF] ^ (state >> 8)
        return state ^ 0xFFFFFFFF
    width = -(-len(data) // _LANES)
    padded = np.zeros(_LANES * width, np.uint8)  # zeros in front do not change a state of zero
    padded[-len(data) :] = np.frombuffer(data, np.uint8)
    first = len(padded) - len(data)
    padded[first : first + 4] ^= 0xFF  # the same as a first state of ones
    columns = np.ascontiguousarray(padded.reshape(_LANES, width).T)
    states = np.zeros(_LANES, np.uint32)
    for column in columns:
        states = table[(states ^ column) & 0xFF] ^ (states >> 8)
    while len(states) > 1:
        states = _apply(_zeros(width), states[::2]) ^ states[1::2]
        width *= 2
    return int(states[0]) ^ 0xFFFFFFFF


def masked_crc32c(data: bytes | memoryview) -> int:
    """Checksum as TensorFlow stores it: rotated, and a constant added, so that checksums of checksums are none."""
    crc = crc32c(data)
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


@cache
def _table() -> np.ndarray:
    """State (256,) after each byte, from a state of zero."""
    states = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        states = np.where(states & 1, (states >> 1) ^ np.uint32(_POLYNOMIAL), states >> 1)
    return states


@cache
def _zeros(count: int) -> np.ndarray:
    """What each of the 32 bits of a state becomes (32,) by ``count`` bytes of zeros."""
    if count == 1:
        bits = np.uint32(1) << np.arange(32, dtype=np.uint32)
        return _table()[bits & 0xFF] ^ (bits >> 8)
    half = _zeros(count // 2)
    twice = _apply(half, half)
    return _apply(_zeros(1), twice) if count % 2 else twice


def _apply(operator: np.ndarray, states: np.ndarray) -> np.ndarray:
    """States (N,), uint32, by a linear operator (32,)."""
    result = np.zeros_like(states)
    for bit in range(32):
        result ^= np.where(states >> np.uint32(bit) & 1, operator[bit], 0).astype(np.uint32)
    return result
