"""Sound of a video in another one."""

from pathlib import Path

import av
import numpy as np
import pytest

from mmsigma.io.sound import Sound
from mmsigma.io.video import write_mp4, write_playable

FRAMES = [np.full((32, 48, 3), 8 * number, np.uint8) for number in range(20)]


def write_beep(path: Path, seconds: float = 2.0, codec: str = 'aac') -> Path:
    """Two seconds of pictures, and silence with a tone of 1 kHz in the second second."""
    rate = 44100
    tone = np.sin(2 * np.pi * 1000 * np.arange(round(seconds * rate)) / rate).astype(np.float32) * 0.5
    tone[:rate] = 0
    with av.open(str(path), 'w') as file:
        pictures = file.add_stream('mpeg4', rate=10)
        pictures.width, pictures.height = 48, 32
        sound = file.add_stream(codec, rate=rate)
        for frame in FRAMES:
            file.mux(pictures.encode(av.VideoFrame.from_ndarray(frame, format='rgb24')))
        file.mux(pictures.encode())
        whole = av.AudioFrame.from_ndarray(np.stack([tone, tone]), format='fltp', layout='stereo')
        whole.sample_rate, whole.pts = rate, 0
        converter = av.AudioResampler(format=sound.codec_context.format, layout='stereo', rate=rate)
        for part in converter.resample(whole):
            file.mux(sound.encode(part))
        file.mux(sound.encode())
    return path


def samples(path: Path) -> tuple[np.ndarray, int]:
    with av.open(str(path)) as file:
        parts = [frame.to_ndarray()[0] for frame in file.decode(file.streams.audio[0])]
        return np.concatenate(parts), file.streams.audio[0].rate


@pytest.mark.parametrize(('name', 'codec'), [('a.mp4', 'aac'), ('a.mkv', 'pcm_s16le')])
def test_sound_is_kept_in_time(name: str, codec: str, tmp_path: Path) -> None:
    source = write_beep(tmp_path / name, codec=codec)
    write_playable(tmp_path / 'out.mp4', FRAMES, fps=10, sound=source)
    found, rate = samples(tmp_path / 'out.mp4')
    assert rate == 44100 and len(found) / rate == pytest.approx(2, abs=0.1)
    onset = np.flatnonzero(abs(found) > 0.2)[0] / rate
    assert onset == pytest.approx(1, abs=0.06)
    spectrum = abs(np.fft.rfft(found[round(1.2 * rate) : round(1.8 * rate)]))
    assert spectrum.argmax() / 0.6 == pytest.approx(1000, abs=5)


def test_sound_ends_with_the_pictures(tmp_path: Path) -> None:
    source = write_beep(tmp_path / 'a.mp4')
    write_playable(tmp_path / 'out.mp4', FRAMES[:5], fps=10, sound=source)
    found, rate = samples(tmp_path / 'out.mp4')
    assert len(found) / rate == pytest.approx(0.5, abs=0.06)


def test_videos_without_sound_and_folders_have_none(tmp_path: Path) -> None:
    write_mp4(tmp_path / 'a.mp4', FRAMES, 10)
    for source in (tmp_path / 'a.mp4', tmp_path):
        write_playable(tmp_path / 'out.mp4', FRAMES, fps=10, sound=source)
        with av.open(str(tmp_path / 'out.mp4')) as file:
            assert [stream.type for stream in file.streams] == ['video']
    with av.open(str(tmp_path / 'b.mp4'), 'w') as file:
        assert list(Sound(tmp_path / 'a.mp4', file).until(10)) == []
