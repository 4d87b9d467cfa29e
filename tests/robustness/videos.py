"""Videos that are whole but out of the ordinary, by kind; their frames tell their numbers."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

import av
import numpy as np

from tests.io import odd_videos
from tests.io.odd_videos import SIZE, shifted, turn, with_packets
from tests.robustness.numbered import numbered

LENGTH = 24
write = partial(odd_videos.write, paint=numbered)
Make = Callable[[Path], Any]


@dataclass(frozen=True)
class Case:
    """A generated video.

    Attributes:
        kind: What is out of the ordinary.
        name: Name of the file.
        make: Function that writes it to a path.
        shown: Numbers that its frames show, in order, when a player plays it; None if only decoding can tell.
        is_video: Whether it must be readable (True), must be refused (False), or may be either (None).
    """

    kind: str
    name: str
    make: Make
    shown: Sequence[int] | None = None
    is_video: bool | None = True


FORMATS: dict[str, tuple[str, dict[str, Any]]] = {
    'h264.mp4': ('libx264', {}),
    'hevc.mp4': ('libx265', {}),
    'mpeg4.mp4': ('mpeg4', {}),
    'vp9.mp4': ('libvpx-vp9', {}),
    'av1.mp4': ('libsvtav1', {'preset': '8', 'crf': '15'}),
    'mjpeg.mp4': ('mjpeg', {'pix_fmt': 'yuvj420p'}),
    'h264.m4v': ('libx264', {'container': 'mp4'}),
    'h264.mov': ('libx264', {}),
    'prores.mov': ('prores_ks', {'pix_fmt': 'yuv422p10le'}),
    'qtrle.mov': ('qtrle', {'pix_fmt': 'rgb24'}),
    'png.mov': ('png', {'pix_fmt': 'rgb24'}),
    'raw.mov': ('rawvideo', {'pix_fmt': 'yuv422p', 'prepare': lambda s: None, 'container': 'nut'}),
    'h264.mkv': ('libx264', {}),
    'hevc.mkv': ('libx265', {}),
    'ffv1.mkv': ('ffv1', {}),
    'vp8.mkv': ('libvpx', {}),
    'mpeg2.mkv': ('mpeg2video', {}),
    'mjpeg.mkv': ('mjpeg', {'pix_fmt': 'yuvj420p'}),
    'vp8.webm': ('libvpx', {}),
    'vp9.webm': ('libvpx-vp9', {}),
    'av1.webm': ('libsvtav1', {'preset': '8', 'crf': '15'}),
    'mpeg4.avi': ('mpeg4', {'bf': '0'}),
    'mpeg4_b_frames.avi': ('mpeg4', {'bf': '2'}),
    'h264.avi': ('libx264', {}),
    'mjpeg.avi': ('mjpeg', {'pix_fmt': 'yuvj420p'}),
    'msmpeg4.avi': ('msmpeg4', {}),
    'msmpeg4v2.avi': ('msmpeg4v2', {}),
    'utvideo.avi': ('utvideo', {}),
    'huffyuv.avi': ('huffyuv', {'pix_fmt': 'yuv422p'}),
    'ffvhuff.avi': ('ffvhuff', {}),
    'cinepak.avi': ('cinepak', {'pix_fmt': 'rgb24'}),
    'raw.avi': ('rawvideo', {}),
    'h264.ts': ('libx264', {}),
    'hevc.ts': ('libx265', {}),
    'mpeg2.ts': ('mpeg2video', {}),
    'mpeg1.mpg': ('mpeg1video', {}),
    'mpeg2.mpg': ('mpeg2video', {'bf': '2'}),
    'mpeg2.mpeg': ('mpeg2video', {'container': 'vob'}),
    'flv.flv': ('flv', {}),
    'h264.flv': ('libx264', {}),
    'wmv1.wmv': ('wmv1', {}),
    'wmv2.wmv': ('wmv2', {}),
    'mpeg4.3gp': ('mpeg4', {}),
    'h263.3gp': ('h263', {'size': (96, 128)}),
    'animation.gif': ('gif', {'pix_fmt': 'rgb8'}),
    'animation.apng': ('apng', {'pix_fmt': 'rgb24', 'container': 'apng'}),
    'stream.h264': ('libx264', {}),
    'stream.hevc': ('libx265', {}),
    'stream_mpeg4.m4v': ('mpeg4', {'container': 'm4v'}),
    'raw.y4m': ('rawvideo', {'container': 'yuv4mpegpipe'}),
    'vp9.ivf': ('libvpx-vp9', {}),
    'mpeg2.mxf': ('mpeg2video', {'pix_fmt': 'yuv422p'}),
}
_QUIET = {'x265-params': 'log-level=none'}


def formats() -> Iterator[Case]:
    """Containers and codecs."""
    for name, (codec, settings) in FORMATS.items():
        options = {**settings, **(_QUIET if codec == 'libx265' else {})}
        yield Case('containers and codecs', name, partial(write, num_frames=LENGTH, codec=codec, **options), _all())


def _all() -> range:
    return range(LENGTH)


# --- time stamps and edit lists ---------------------------------------------------------------------------------------


def times() -> Iterator[Case]:
    """Time stamps: variable, late, doubled, very fast and very slow."""
    kind = 'time stamps'
    uneven = np.cumsum([0, *(1 + number * 7 % 5 for number in range(LENGTH - 1))]).tolist()
    for suffix in ('mp4', 'mkv', 'webm', 'ts', 'flv'):
        codec = 'libvpx' if suffix == 'webm' else 'libx264'
        make = partial(write, num_frames=LENGTH, codec=codec, stamps=uneven.__getitem__)
        yield Case(kind, f'variable.{suffix}', make, _all())
    for suffix, start in [('ts', 1000), ('mkv', 5000), ('mp4', 90000), ('flv', 700)]:
        make = partial(write, num_frames=LENGTH, stamps=partial(_later, start))
        yield Case(kind, f'late_start.{suffix}', make, _all())
    for name, fps in [('slow', 1), ('fast', 240)]:
        for suffix in ('mp4', 'mkv'):
            yield Case(kind, f'{name}.{suffix}', partial(write, num_frames=LENGTH, fps=fps), _all())
    ntsc = dict(time_base=Fraction(1, 24000), stamps=lambda number: 1001 * number, fps=24)
    yield Case(kind, 'ntsc.mp4', partial(write, num_frames=LENGTH, **ntsc), _all())
    gap = partial(write, num_frames=LENGTH, stamps=lambda number: number + 25 * 3600 * (number > 9))
    yield Case(kind, 'gap_of_an_hour.mp4', gap, _all())
    yield Case(kind, 'wrapping_clock.ts', _wrapping, _all())
    for suffix in ('mkv', 'mp4'):
        yield Case(kind, f'doubled.{suffix}', _doubled, _all())


def _later(start: int, number: int) -> int:
    return start + number


def _wrapping(path: Path) -> None:
    """The clock of transport streams has 33 bits: it starts anew in the middle of the video."""
    whole = write(path.with_name('whole.ts'), LENGTH)
    with_packets(whole, path, lambda number, packet: shifted(packet, int(2**33 / 3600) - 400 - 30 + 25))


def _doubled(path: Path) -> None:
    whole = write(path.with_name('whole.mkv'), LENGTH, bf='0')

    def halve(number: int, packet: av.Packet) -> av.Packet:
        step = int(Fraction(1, 25) / packet.time_base)
        packet.pts = packet.dts = packet.pts // (2 * step) * 2 * step + (number % 2 if path.suffix == '.mp4' else 0)
        return packet

    with_packets(whole, path, halve)


def edits() -> Iterator[Case]:
    """Edit lists: the start or the end of a video is cut off without encoding it anew, or it begins late."""
    kind = 'edit lists'
    for cut in (1, 5, 9, 12, 13, 23):
        for suffix in ('mp4', 'mov'):
            make = partial(_cut_start, cut=cut)
            yield Case(kind, f'without_first_{cut}.{suffix}', make, range(cut, LENGTH))
    for kept in (1, 7, 20):
        yield Case(kind, f'first_{kept}_alone.mp4', partial(_cut_end, kept=kept))
    yield Case(kind, 'negative.mkv', partial(_cut_start, cut=3))
    yield Case(kind, 'fragments.mp4', partial(write, num_frames=LENGTH, muxing=_fragmented()), _all())
    index_first = partial(write, num_frames=LENGTH, muxing={'movflags': 'faststart'})
    yield Case(kind, 'index_first.mp4', index_first, _all())
    cut_fragments = partial(_cut_start, cut=5, muxing=_fragmented())
    yield Case(kind, 'cut_fragments.mp4', cut_fragments)


def _fragmented() -> dict[str, str]:
    return {'movflags': 'frag_keyframe+empty_moov'}


def _cut_start(path: Path, cut: int, muxing: dict[str, str] | None = None) -> None:
    whole = write(path.with_name('whole.mp4'), LENGTH, muxing=muxing)
    with_packets(whole, path, lambda number, packet: shifted(packet, -cut))


def _cut_end(path: Path, kept: int) -> None:
    """Shorten the only entry of the edit list."""
    data = bytearray(write(path, LENGTH).read_bytes())
    place = data.index(b'elst') + 4 + 4 + 4  # of the duration: version and flags, number of entries
    duration = int.from_bytes(data[place : place + 4], 'big')
    data[place : place + 4] = (duration * kept // LENGTH).to_bytes(4, 'big')
    path.write_bytes(data)


# --- groups of pictures -----------------------------------------------------------------------------------------------


def groups() -> Iterator[Case]:
    """Dependencies between frames: few or many key frames, B-frames, open groups, intra refresh, interlacing."""
    kind = 'groups of pictures'
    h264 = {
        'key_frames_alone': {'g': '1', 'bf': '0'},
        'one_key_frame': {'g': '250'},
        'no_b_frames': {'bf': '0'},
        'many_b_frames': {'bf': '7', 'b_strategy': '0'},
        'pyramid': {'bf': '5', 'x264-params': 'b-pyramid=normal:b-adapt=0'},
        'open_groups': {'g': '8', 'bf': '3', 'x264-params': 'open-gop=1:b-adapt=0'},
        'intra_refresh': {'bf': '0', 'x264-params': 'intra-refresh=1'},
        'slices': {'x264-params': 'slices=4'},
        'interlaced': {'x264-params': 'interlaced=1'},
        'fake_interlaced': {'x264-params': 'fake-interlaced=1'},
        'weighted': {'x264-params': 'weightp=2:ref=6'},
    }
    for name, options in h264.items():
        for suffix in ('mp4', 'mkv', 'ts'):
            yield Case(kind, f'{name}.{suffix}', partial(write, num_frames=LENGTH, **options), _all())
    for suffix in ('mp4', 'mkv', 'ts'):
        hevc = {'x265-params': 'log-level=none:open-gop=1:keyint=8:min-keyint=8:bframes=3:b-adapt=0:scenecut=0'}
        make = partial(write, num_frames=LENGTH, codec='libx265', **hevc)
        yield Case(kind, f'open_groups_hevc.{suffix}', make, _all())
        yield Case(kind, f'begins_in_open_group.{suffix}', partial(_from_second_group, options=h264['open_groups']))
    for suffix in ('mpg', 'mkv', 'ts'):
        fields = dict(flags='+ildct+ilme', bf='2', g='8')
        yield Case(
            kind, f'mpeg2_fields.{suffix}', partial(write, num_frames=LENGTH, codec='mpeg2video', **fields), _all()
        )
    for suffix in ('mkv', 'ts'):
        yield Case(kind, f'begins_between_key_frames.{suffix}', _without_first_packets)


def _from_second_group(path: Path, options: dict[str, str]) -> None:
    """Begin at the second key frame, whose leading frames refer to what is not there."""
    whole, seen = write(path.with_name(f'whole{path.suffix}'), LENGTH, **options), [0]

    def later(number: int, packet: av.Packet) -> av.Packet | None:
        seen[0] += packet.is_keyframe
        return packet if seen[0] > 1 else None

    with_packets(whole, path, later)


def _without_first_packets(path: Path) -> None:
    whole = write(path.with_name(f'whole{path.suffix}'), LENGTH)
    with_packets(whole, path, lambda number, packet: None if number < 5 else packet)


# --- pictures ---------------------------------------------------------------------------------------------------------


def pictures() -> Iterator[Case]:
    """Sizes, formats of pixels, aspect ratios and orientations."""
    kind = 'sizes and pixels'
    for height, width in [(1, 1), (3, 5), (2, 2), (1, 200), (17, 15), (16, 16), (200, 16), (480, 640)]:
        for codec, suffix in [('ffv1', 'mkv'), ('libvpx-vp9', 'webm')]:
            if codec == 'ffv1' or min(height, width) >= 16:
                make = partial(write, num_frames=LENGTH, codec=codec, size=(height, width), pix_fmt='yuv444p')
                yield Case(kind, f'{width}x{height}.{suffix}', make, _all())
    formats = {
        'gray': ('ffv1', 'gray'),
        'gray_h264': ('libx264', 'gray'),
        'gray16': ('ffv1', 'gray16le'),
        '422': ('libx264', 'yuv422p'),
        '444': ('libx264', 'yuv444p'),
        'full_range': ('libx264', 'yuvj420p'),
        '10_bit': ('libx264', 'yuv420p10le'),
        '10_bit_444': ('libx264', 'yuv444p10le'),
        '12_bit': ('ffv1', 'yuv420p12le'),
        'rgb': ('libx264rgb', 'rgb24'),
        'alpha': ('ffv1', 'bgra'),
        'alpha_vp9': ('libvpx-vp9', 'yuva420p'),
    }
    for name, (codec, pix_fmt) in formats.items():
        make = partial(write, num_frames=LENGTH, codec=codec, pix_fmt=pix_fmt)
        yield Case(kind, f'{name}.mkv', make, _all())
    ratio = partial(write, num_frames=LENGTH, prepare=lambda s: setattr(s, 'sample_aspect_ratio', Fraction(2, 1)))
    yield Case(kind, 'wide_pixels.mp4', ratio, _all())
    wide = {'colorspace': 'bt2020nc', 'color_primaries': 'bt2020', 'color_trc': 'smpte2084'}
    yield Case(kind, 'wide_colours.mp4', partial(write, num_frames=LENGTH, pix_fmt='yuv420p10le', **wide), _all())
    for suffix in ('ts', 'h264', 'mkv'):
        yield Case(kind, f'changing_size.{suffix}', _changing_size, is_video=None)


def _changing_size(path: Path) -> None:
    parts = [write(path.with_name(f'{n}.h264'), 12, size=size) for n, size in enumerate([SIZE, (96, 128)])]
    joined = path.with_name('joined.h264')
    joined.write_bytes(b''.join(part.read_bytes() for part in parts))
    if path.suffix == '.h264':
        path.write_bytes(joined.read_bytes())
        return

    def timed(number: int, packet: av.Packet) -> av.Packet:
        packet.time_base, packet.pts, packet.dts = Fraction(1, 25), number + 4, number
        return packet

    with_packets(joined, path, timed)


def orientations() -> Iterator[Case]:
    """The eight ways to hold a camera, and matrices that are none of them."""
    upright: dict[tuple[int, int, int, int], Callable[[np.ndarray], np.ndarray]] = {
        (1, 0, 0, 1): lambda p: p,
        (0, 1, -1, 0): lambda p: np.rot90(p, 1),
        (-1, 0, 0, -1): lambda p: np.rot90(p, 2),
        (0, -1, 1, 0): lambda p: np.rot90(p, 3),
        (-1, 0, 0, 1): lambda p: p[:, ::-1],
        (1, 0, 0, -1): lambda p: p[::-1],
        (0, 1, 1, 0): lambda p: p.transpose(1, 0, 2),
        (0, -1, -1, 0): lambda p: np.rot90(p, 2).transpose(1, 0, 2),
    }
    for number, (matrix, store) in enumerate(upright.items()):
        for suffix in ('mp4', 'mov'):
            make = partial(_turned, matrix=matrix, store=store)
            yield Case('orientations', f'turned_{number}.{suffix}', make, _all())
    for number, matrix in enumerate([(0, 0, 0, 0), (1, 1, 1, 1), (7, 0, 0, 7)]):
        make = partial(_turned, matrix=matrix, store=lambda p: p)
        yield Case('orientations', f'odd_matrix_{number}.mp4', make, _all())


def _turned(path: Path, matrix: tuple[int, int, int, int], store: Callable[[np.ndarray], np.ndarray]) -> None:
    """Write pictures such that they show their number once the matrix has been applied."""

    def paint(number: int, size: tuple[int, int]) -> np.ndarray:
        shown = numbered(number, size)
        if store(shown).shape != shown.shape:
            shown = numbered(number, size[::-1])
        return np.ascontiguousarray(store(shown))

    turn(odd_videos.write(path, LENGTH, paint=paint), matrix)
