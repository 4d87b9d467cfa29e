"""Videos whose frames tell their index."""

from pathlib import Path

import av
import numpy as np

STEP, DARKEST = 8, 20


def index_of(frame: np.ndarray) -> int:
    """The index that a frame of :func:`write_video` was written with, however resized."""
    return round((float(np.mean(frame)) - DARKEST) / STEP)


def write_video(path: Path, num_frames: int = 28, codec: str = 'libx264', *, b_frames: int = 2) -> Path:
    """Write up to 28 frames of 64 x 48 and rising brightness, with a key frame every 8."""
    with av.open(str(path), 'w') as container:
        stream = container.add_stream(codec, rate=10, options={'g': '8', 'bf': str(b_frames)})
        stream.width, stream.height, stream.pix_fmt, stream.bit_rate = 64, 48, 'yuv420p', 10**6
        for index in range(num_frames):
            frame = np.full((48, 64, 3), DARKEST + STEP * index, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format='rgb24')))
        container.mux(stream.encode(None))
    return path
