"""The checksum of TensorFlow files."""

import numpy as np

from mmsigma.io.tensorflow.crc32c import crc32c, masked_crc32c


def plain_crc(data: bytes) -> int:
    """Bit by bit, by the definition."""
    state = 0xFFFFFFFF
    for byte in data:
        state ^= byte
        for _ in range(8):
            state = state >> 1 ^ (0x82F63B78 if state & 1 else 0)
    return state ^ 0xFFFFFFFF


def test_checksum() -> None:
    assert crc32c(b'123456789') == 0xE3069283 and crc32c(b'') == 0
    rng = np.random.default_rng(0)
    for size in (1, 5, 2047, 2048, 2049, 8191, 8192, 8193, 30_001):
        data = rng.integers(0, 256, size, dtype=np.uint8).tobytes()
        assert crc32c(data) == crc32c(memoryview(data)) == plain_crc(data), size
    assert masked_crc32c(b'123456789') == ((0xE3069283 >> 15 | 0xE3069283 << 17) + 0xA282EAD8) % 2**32
