"""Opening of video files that may be damaged, or made to do harm."""

import os
import stat
from functools import cache
from pathlib import Path
from typing import Any

import av

from mmsigma.io.shards import find_member

_MAX_PIXELS = 2**27  # of one frame, 16384 x 8192
# Formats that are no videos themselves: what is shown is in other files, on the network or on devices.
_REFERRING = {
    'applehttp',
    'concat',
    'concatf',
    'dash',
    'hls',
    'image2',
    'imf',
    'lavfi',
    'rtp',
    'rtsp',
    'sap',
    'sdp',
    'vobsub',
    'webm_dash_manifest',
}


class UnreadableVideoError(ValueError):
    """A video could not be opened or decoded, or has no frames.

    Attributes:
        filename: Path of the video.
        reason: What is wrong with it, in one line.
    """

    def __init__(self, filename: str | Path, reason: str) -> None:
        super().__init__(str(filename), reason)
        self.filename, self.reason = str(filename), reason

    def __str__(self) -> str:
        return f'{self.filename} cannot be read: {self.reason}'


def open_container(path: Path, num_threads: int) -> tuple[Any, Any]:
    """Open a file, or a member of a shard, and nothing but this.

    Playlists and other formats that make FFmpeg read further files are refused.

    Args:
        path: The file; of a member, see :mod:`mmsigma.io.shards`.
        num_threads: Threads of the decoder.

    Returns:
        Container and video stream of PyAV. The decoder reports what is damaged instead of patching it up.

    Raises:
        FileNotFoundError: If there is no such file.
        UnreadableVideoError: If it is not a regular file or not a video.
    """
    options = {'format_whitelist': _formats(), 'protocol_whitelist': 'file'}
    try:
        container = av.open(_opened(path), metadata_errors='ignore', options=options)
    except FileNotFoundError:
        raise
    except av.ArgumentError as error:
        raise UnreadableVideoError(path, 'it is no video itself, but a playlist or the like') from error
    except Exception as error:
        raise error_of(path, error) from error
    try:
        return container, _prepared(path, container, num_threads)
    except UnreadableVideoError:
        container.close()
        raise


def error_of(path: Path, error: BaseException) -> UnreadableVideoError:
    """Convert an error of the decoder to that of the file."""
    if isinstance(error, UnreadableVideoError):
        return error
    if isinstance(error, MemoryError):
        return UnreadableVideoError(path, 'its header claims sizes that no video has: it is damaged')
    reason = getattr(error, 'strerror', None) or str(error) or type(error).__name__
    return UnreadableVideoError(path, str(reason).splitlines()[0])


def _opened(path: Path) -> Any:
    """Return what PyAV opens: a member as an open file, anything else by name."""
    if member := find_member(path):
        return member.open()
    _check_regular(path)
    return f'file:{path}'  # with a prefix, because FFmpeg takes what precedes a colon for a protocol


@cache
def _formats() -> str:
    return ','.join(sorted(av.formats_available - _REFERRING))


def _prepared(path: Path, container: Any, num_threads: int) -> Any:
    video = container.streams.video
    if not video:
        raise UnreadableVideoError(path, 'it has no video stream')
    # a cover picture of a sound file is not a video
    stream = next((one for one in video if not _is_cover(one)), None)
    if stream is None:
        raise UnreadableVideoError(path, 'it has sound and a cover picture, but no video')
    context = stream.codec_context
    if context is None:
        raise UnreadableVideoError(path, 'it is of a codec that is not known')
    context.thread_count = num_threads
    context.thread_type = 'SLICE' if num_threads == 1 else 'AUTO'
    context.options = {'err_detect': 'crccheck+bitstream+buffer+explode'}
    if context.width * context.height > _MAX_PIXELS:
        raise UnreadableVideoError(path, f'its frames claim to have {context.width} x {context.height} pixels')
    return stream


def _check_regular(path: Path) -> None:
    try:
        mode = os.stat(path).st_mode
    except FileNotFoundError:
        raise
    except (OSError, ValueError) as error:  # links in a circle, a folder that may not be entered, no name of a file
        raise error_of(path, error) from error
    if not stat.S_ISREG(mode):
        kind = 'a folder' if stat.S_ISDIR(mode) else 'a pipe or device'
        raise UnreadableVideoError(path, f'it is {kind}, not a file')


def _is_cover(stream: Any) -> bool:
    return bool(int(stream.disposition) & 0x0400)  # AV_DISPOSITION_ATTACHED_PIC
