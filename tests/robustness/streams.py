"""Files with other streams than one video, odd names, and what is no video at all."""

import os
import socket
from collections.abc import Iterator
from fractions import Fraction
from functools import partial
from pathlib import Path

import av
import cv2
import numpy as np

from tests.io.odd_videos import SIZE
from tests.robustness.numbered import numbered
from tests.robustness.videos import LENGTH, Case, write


def streams() -> Iterator[Case]:
    """Sound, covers and several videos in a file."""
    kind = 'several streams'
    for suffix in ('mp4', 'mkv', 'mov', 'avi', 'ts'):
        for first in ('sound', 'video'):
            make = partial(_with_sound, sound_first=first == 'sound')
            yield Case(kind, f'{first}_first.{suffix}', make, range(LENGTH))
    for suffix in ('mp4', 'mkv', 'ts'):
        yield Case(kind, f'two_videos.{suffix}', _two_videos, range(LENGTH))
    for suffix in ('mp4', 'mov'):
        yield Case(kind, f'with_cover.{suffix}', _with_cover, range(LENGTH))
    for suffix in ('mp4', 'mkv'):
        yield Case(kind, f'one_frame.{suffix}', partial(write, num_frames=1), (0,))
        yield Case(kind, f'two_frames.{suffix}', partial(write, num_frames=2), (0, 1))
    for suffix in ('mp4', 'mkv', 'wav', 'mp3'):
        yield Case(kind, f'sound_alone.{suffix}', _sound, is_video=False)
    yield Case(kind, 'sound_and_cover.mp4', partial(_with_cover, video=False), is_video=False)
    for suffix in ('mkv', 'avi'):
        yield Case(kind, f'no_frame.{suffix}', partial(write, num_frames=0), is_video=False)


def _mux_sound(file: av.container.OutputContainer, stream: av.AudioStream, seconds: float) -> None:
    for number in range(int(seconds * 8000 / 1024) + 1):
        wave = np.sin(np.arange(1024) / 9).astype(np.float32)[None]
        frame = av.AudioFrame.from_ndarray(wave, 'fltp', 'mono')
        frame.sample_rate, frame.pts, frame.time_base = 8000, 1024 * number, Fraction(1, 8000)
        file.mux(stream.encode(frame))
    file.mux(stream.encode(None))


def _mux_video(file: av.container.OutputContainer, stream: av.VideoStream, first: int = 0) -> None:
    for number in range(LENGTH):
        frame = av.VideoFrame.from_ndarray(numbered(first + number, SIZE), format='rgb24')
        frame.pts, frame.time_base = number, Fraction(1, 25)
        file.mux(stream.encode(frame))
    file.mux(stream.encode(None))


def _video_stream(file: av.container.OutputContainer) -> av.VideoStream:
    stream = file.add_stream('libx264', rate=25, options={'g': '12', 'bf': '2'})
    stream.height, stream.width = SIZE
    stream.pix_fmt = 'yuv420p'
    return stream


def _with_sound(path: Path, sound_first: bool) -> None:
    with av.open(str(path), 'w') as file:
        if sound_first:
            sound, video = file.add_stream('aac', rate=8000), _video_stream(file)
        else:
            video, sound = _video_stream(file), file.add_stream('aac', rate=8000)
        _mux_video(file, video)
        _mux_sound(file, sound, LENGTH / 25)


def _two_videos(path: Path) -> None:
    with av.open(str(path), 'w') as file:
        first, second = _video_stream(file), _video_stream(file)
        _mux_video(file, first)
        _mux_video(file, second, first=30)


def _with_cover(path: Path, video: bool = True) -> None:
    """A cover is a video stream of one picture, marked as attached; here it comes first."""
    with av.open(str(path), 'w', format='mp4' if path.suffix == '.mp4' else 'mov') as file:
        cover = file.add_stream('mjpeg', rate=1)
        cover.height, cover.width, cover.pix_fmt = 64, 64, 'yuvj420p'
        cover.disposition = av.stream.Disposition.attached_pic
        other = _video_stream(file) if video else file.add_stream('aac', rate=8000)
        frame = av.VideoFrame.from_ndarray(np.full((64, 64, 3), 99, np.uint8), format='rgb24')
        file.mux(cover.encode(frame))
        file.mux(cover.encode(None))
        if video:
            _mux_video(file, other)
        else:
            _mux_sound(file, other, 1)


def _sound(path: Path) -> None:
    with av.open(str(path), 'w') as file:
        codec = {'.wav': 'pcm_s16le', '.mp3': 'libmp3lame'}.get(path.suffix, 'aac')
        _mux_sound(file, file.add_stream(codec, rate=8000), 1)


NAMES = (
    'Ünïcödé видео 動画.mp4',
    'with blank .mp4',
    ' leading blank.mp4',
    'line\nbreak.mp4',
    'tab\tulator.mp4',
    'quote"s\'.mp4',
    '-dash.mp4',
    '%03d.mp4',
    '*[0-9]?.mp4',
    'clip:1.mp4',
    'concat:a|b.mp4',
    'http:clip.mp4',
    '#1;2,3.mp4',
    '$HOME`ls`.mp4',
    'back\\slash.mp4',
    'no_suffix',
    'wrong_suffix.jpg',
    'UPPER.MP4',
    'x' * 200 + '.mp4',
)


def names() -> Iterator[Case]:
    """Names that shells, FFmpeg or Python may take for something else."""
    for name in NAMES:
        yield Case('names', name, partial(write, num_frames=LENGTH, container='mp4'), range(LENGTH))
    yield Case('names', os.fsdecode(b'\xe9t\xe9.mp4'), partial(write, num_frames=0), is_video=None)


# --- what is no video -------------------------------------------------------------------------------------------------

PLAYLIST = '#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:9\n#EXTINF:1,\n{}\n#EXT-X-ENDLIST\n'
MANIFEST = (
    '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" mediaPresentationDuration="PT1S">'
    '<Period><AdaptationSet mimeType="video/mp4"><Representation id="1" bandwidth="1"><BaseURL>{}</BaseURL>'
    '<SegmentBase/></Representation></AdaptationSet></Period></MPD>'
)
SESSION = (
    'v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 45678 RTP/AVP 96\na=rtpmap:96 H264/90000\n'
)


def no_videos() -> Iterator[Case]:
    """Folders, pipes, devices, texts, and lists that name other files."""
    rng = np.random.default_rng(0)
    contents = {
        'empty.mp4': b'',
        'text.mp4': b'this is no video\n' * 50,
        'page.mp4': b'<!DOCTYPE html><html><body>404 not found</body></html>',
        'zeros.mp4': bytes(100_000),
        'noise.mp4': rng.bytes(100_000),
        'noise.ts': rng.bytes(100_000),
        'header_alone.mp4': b'\0\0\0\x18ftypmp42\0\0\0\0mp42isom',
        'pointer.mp4': b'version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n',
        '._clip.mp4': b'\0\5\x16\7\0\2\0\0Mac OS X        ' + bytes(4000),
        'archive.mp4': b'PK\3\4' + bytes(500),
        'session.mp4': SESSION.encode(),
    }
    for name, data in contents.items():
        yield Case('no videos', name, partial(_bytes, data=data), is_video=False)
    for name, text in [
        ('playlist.mp4', PLAYLIST),
        ('manifest.mp4', MANIFEST),
        ('list.mp4', "ffconcat version 1.0\nfile '{}'\n"),
    ]:
        yield Case('no videos', name, partial(_list_of, text=text), is_video=False)
    yield Case('no videos', 'folder.mp4', Path.mkdir, is_video=False)
    yield Case('no videos', 'pipe.mp4', os.mkfifo, is_video=False)
    yield Case('no videos', 'socket.mp4', _socket, is_video=False)
    for name, target in [
        ('loop', 'loop.mp4'),
        ('nowhere', 'nowhere.mp4x'),
        ('zero', '/dev/zero'),
        ('null', '/dev/null'),
    ]:
        yield Case('no videos', f'{name}.mp4', partial(_link, target=target), is_video=False)
    yield Case('no videos', 'picture.mp4', _picture, is_video=None)
    yield Case('no videos', 'forbidden.mp4', _forbidden, is_video=False if os.getuid() else None)


def _bytes(path: Path, data: bytes) -> None:
    path.write_bytes(data)


def _list_of(path: Path, text: str) -> None:
    """A text that makes FFmpeg play another file."""
    other = write(path.with_name('other.ts' if '#EXT' in text else 'other.mp4'), LENGTH)
    path.write_text(text.format(other.name))


def _socket(path: Path) -> None:
    here = os.open(path.parent, os.O_RDONLY)  # names of sockets are short
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(f'/proc/self/fd/{here}/{path.name}')
    os.close(here)


def _link(path: Path, target: str) -> None:
    path.symlink_to(target)


def _picture(path: Path) -> None:
    path.write_bytes(cv2.imencode('.jpg', numbered(0, SIZE))[1].tobytes())


def _forbidden(path: Path) -> None:
    write(path, LENGTH)
    path.chmod(0)
