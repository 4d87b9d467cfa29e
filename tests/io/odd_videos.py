"""Videos that are out of the ordinary, as cameras, editors and streams make them."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

SIZE = (48, 64)


def picture(number: int, size: tuple[int, int] = SIZE) -> np.ndarray:
    """A frame that tells its number, and which side is up: brighter to the right and at the top."""
    height, width = size
    frame = np.full((height, width, 3), 20 + 4 * (number % 50), np.uint8)
    frame[: height // 4, :, 0] = 220
    frame[:, -width // 4 :, 2] = 240
    return frame


@contextmanager
def usual_scheduling() -> Iterator[None]:
    """Schedule this thread afterwards as before.

    SVT-AV1 gives its caller real-time priority if it may, which all later children inherit: a few of them that wait
    actively bring a machine to a standstill.
    """
    if not hasattr(os, 'sched_getscheduler'):
        yield
        return
    policy, parameters = os.sched_getscheduler(0), os.sched_getparam(0)
    try:
        yield
    finally:
        os.sched_setscheduler(0, policy, parameters)


def write(
    path: Path,
    num_frames: int = 40,
    *,
    codec: str = 'libx264',
    fps: int = 25,
    size: tuple[int, int] = SIZE,
    stamps: Callable[[int], int] | None = None,
    time_base: Fraction | None = None,
    container: str | None = None,
    pix_fmt: str = 'yuv420p',
    paint: Callable[[int, tuple[int, int]], np.ndarray] = picture,
    prepare: Callable[[av.VideoStream], object] = lambda stream: None,
    muxing: dict[str, str] | None = None,
    **options: str,
) -> Path:
    """Write a video, by default with a key frame every 12 frames and two B-frames.

    Args:
        path: File to write.
        num_frames: Number of frames.
        codec: Name of the encoder.
        fps: Frame rate.
        size: Height and width.
        stamps: Time stamp of every frame; None for the frame's number.
        time_base: Unit of the stamps; None for the duration of a frame.
        container: Name of the format; None for that of the suffix.
        pix_fmt: Format of the pixels.
        paint: Function that gives the picture of a number and a size.
        prepare: Function that is called with the stream before the first frame.
        muxing: Options of the container.
        **options: Options of the encoder.
    """
    settings = {'g': '12', 'bf': '2', **options} if codec in ('libx264', 'mpeg4', 'libx265') else options
    with av.open(str(path), 'w', format=container, options=muxing or {}) as file, usual_scheduling():
        stream = file.add_stream(codec, rate=fps, options=settings)
        stream.height, stream.width = size
        stream.pix_fmt = pix_fmt
        prepare(stream)
        if time_base:
            stream.codec_context.time_base = time_base
        for number in range(num_frames):
            frame = av.VideoFrame.from_ndarray(paint(number, size), format='rgb24')
            frame.pts = stamps(number) if stamps else number
            frame.time_base = time_base or Fraction(1, fps)
            file.mux(stream.encode(frame))
        file.mux(stream.encode(None))
    return path


def with_packets(source: Path, path: Path, change: Callable[[int, av.Packet], av.Packet | None]) -> Path:
    """Copy a video packet by packet; what ``change`` returns is written, None leaves a packet out."""
    with av.open(str(source)) as read, av.open(str(path), 'w') as written:
        stream = written.add_stream_from_template(read.streams.video[0])
        for number, packet in enumerate(read.demux(read.streams.video[0])):
            if packet.dts is None:
                continue
            changed = change(number, packet)
            if changed is not None:
                changed.stream = stream
                written.mux(changed)
    return path


def shifted(packet: av.Packet, frames: int, fps: int = 25) -> av.Packet:
    """Move a packet by a number of frames; before zero, an MP4 or MOV gets an edit list that cuts it off."""
    step = int(Fraction(1, fps) / packet.time_base)
    packet.pts, packet.dts = packet.pts + frames * step, packet.dts + frames * step
    return packet


def turn(path: Path, matrix: tuple[int, int, int, int]) -> Path:
    """Set the display matrix (a, b, c, d) of an MP4 or MOV with a single stream."""
    data = bytearray(path.read_bytes())
    place = data.index(b'tkhd') + 4 + 4 + 20 + 16  # of the matrix: version and flags, times and ids, reserved and layer
    for index, value in zip((0, 1, 3, 4), matrix, strict=True):
        data[place + 4 * index : place + 4 * index + 4] = (value * 0x10000).to_bytes(4, 'big', signed=True)
    path.write_bytes(data)
    return path


def decoded(path: Path) -> list[np.ndarray]:
    """The pictures that decoding from start to end gives, as they are stored."""
    with av.open(str(path)) as file:
        return [frame.to_ndarray(format='rgb24') for frame in file.decode(video=0)]
