"""Which frames a video file has, and what decoding says about them."""

from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import Any, NamedTuple

import av

# Timestamps of these formats are those of decoding, or not known at all: frames can only be counted.
_WITHOUT_TIMES = {'avi', 'mpegvideo', 'h264', 'hevc', 'm4v', 'yuv4mpegpipe'}


class Index(NamedTuple):
    """Frames of a file in presentation order.

    Attributes:
        stamps: Presentation time of every frame, in units of the stream's time base; numbers if times are not known.
        keys: Numbers of the frames from which decoding can start.
        is_counted: Whether frames are found by counting from the start, because times do not tell them apart.
        has_times: Whether the stamps are times.
        is_checked: Whether the stamps are those of all frames as decoded, not as announced by packets.
        num_packets: Number of packets, with those that an edit list cuts off.
        starts_late: Whether the first packets may depend on others that are not there.
        has_open_groups: Whether frames before a key frame, in presentation order, may be decoded from it.
        is_reordered: Whether frames are stored in another order than they are shown.
    """

    stamps: list[int]
    keys: list[int]
    is_counted: bool
    has_times: bool
    is_checked: bool
    num_packets: int = 0
    starts_late: bool = False
    has_open_groups: bool = False
    is_reordered: bool = False


class _Packet(NamedTuple):
    """What is kept of a packet, without its data."""

    pts: int | None
    dts: int | None
    is_keyframe: bool
    is_discard: bool


def lacks_times(container: Any) -> bool:
    """Return whether a format has no times of presentation."""
    return bool(_WITHOUT_TIMES & set(container.format.name.split(',')))


def index_of_packets(container: Any, stream: Any) -> Index:
    """List the frames that the packets announce, without decoding; none if times do not tell them apart."""
    packets = [
        _Packet(packet.pts, packet.dts, bool(packet.is_keyframe), bool(packet.is_discard))
        for packet in container.demux(stream)
        if packet.size
    ]
    shown = [packet.pts for packet in packets if packet.pts is not None and not packet.is_discard]
    keys = {packet.pts for packet in packets if packet.is_keyframe}
    order = [packet.dts for packet in packets if packet.dts is not None]
    stamps = sorted(shown)
    # clocks that jump, in joined or damaged files, do not give the order of frames
    is_ordered = len(set(stamps)) == len(stamps) > 0 and all(one <= other for one, other in pairwise(order))
    if not is_ordered or lacks_times(container):
        return Index([], [], is_counted=True, has_times=False, is_checked=False, num_packets=len(packets))
    first = packets[0]
    begin = stamps[0] if first.pts is None else first.pts
    starts_late = not first.is_keyframe or any(packet.pts is None or packet.pts < begin for packet in packets)
    return Index(
        stamps,
        [number for number, stamp in enumerate(stamps) if stamp in keys],
        is_counted=False,
        has_times=True,
        is_checked=False,
        num_packets=len(packets),
        starts_late=starts_late,
        has_open_groups=_has_open_groups(packets),
        is_reordered=shown != stamps,
    )


def _has_open_groups(packets: Iterable[_Packet]) -> bool:
    """Return whether a frame that is stored behind a key frame is shown before it."""
    key = None
    for packet in packets:
        if packet.is_keyframe:
            key = packet.pts
        elif key is not None and packet.pts is not None and packet.pts < key:
            return True
    return False


def index_of_frames(frames: Iterable[tuple[Any, bool]], announced: Index, *, has_times: bool) -> Index:
    """List the frames that decoding gives.

    Args:
        frames: Decoded frames, and whether each is sound.
        announced: What the packets announce. Where frames are damaged, it remains valid if it tells them apart.
        has_times: Whether the format has times of presentation.
    """
    stamps, is_sound = [], True
    for frame, sound in frames:
        is_sound &= sound
        if frame is not None:
            stamps.append(frame.pts)
    if announced.stamps and not is_sound:
        return announced._replace(is_checked=True)
    known = [stamp for stamp in stamps if stamp is not None]
    has_times = has_times and len(known) == len(stamps) and known == sorted(known)
    is_counted = not has_times or len(set(known)) < len(known)
    numbers = known if has_times else list(range(len(stamps)))
    return Index(numbers, [0], is_counted, has_times, is_checked=True, num_packets=announced.num_packets)


def decode(packets: Iterable[Any]) -> Iterator[tuple[Any, bool]]:
    """Decode packets from a key frame on.

    Yields:
        Frames, and whether each is sound: neither damaged itself, nor decoded from others that are, up to the next key
        frame. A packet that cannot be decoded gives None, which is not sound.
    """
    is_sound, resume, is_first = True, None, True
    for packet in packets:
        if packet.size and not packet.is_keyframe and is_first:
            is_sound = False  # seeking has missed the key frame
        is_first = is_first and not packet.size
        try:
            frames = packet.decode()
        except av.EOFError:
            return
        except av.FFmpegError:
            is_sound, resume = False, None
            yield None, False
            continue
        if not is_sound and resume is None and packet.is_keyframe and packet.pts is not None:
            resume = packet.pts
        for frame in frames:
            if frame.is_corrupt:
                is_sound, resume = False, None
            elif not is_sound and resume is not None and frame.pts == resume:
                is_sound, resume = True, None
            yield frame, is_sound
