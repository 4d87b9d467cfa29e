"""The sound of a video, encoded anew for another one whose frames have the same times."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av

from mmsigma.io.shards import find_member


class Sound:
    """Sound of a video as packets of AAC, which every player knows, in the order of time.

    Args:
        source: Video whose sound is taken, from its first picture on. One without sound, and a folder, have no packets.
        target: Container to which the packets will be written; it gets a stream for them.

    Raises:
        ValueError: If the sound cannot be decoded.
    """

    def __init__(self, source: str | Path, target: Any) -> None:
        self.source = Path(source)
        self._packets: Iterator[Any] = iter(())
        self._next: Any = None
        if self.source.is_dir():
            return
        member = find_member(source)
        self._file = av.open(str(source) if member is None else member.open(), 'r')
        tracks = self._file.streams.audio
        if not tracks:
            self._file.close()
            return
        pictures = self._file.streams.video[0]
        start = float((pictures.start_time or 0) * (pictures.time_base or 0))
        self._stream = target.add_stream('aac', rate=tracks[0].rate or 44100)
        self._packets = self._encoded(tracks[0], start)
        self._next = next(self._packets, None)

    def until(self, seconds: float) -> Iterator[Any]:
        """Yield the packets that begin before a time, except for those that were yielded before.

        Raises:
            ValueError: If the sound cannot be decoded.
        """
        while self._next is not None and float(self._next.pts * self._next.time_base) < seconds:
            yield self._next
            self._next = next(self._packets, None)

    def _encoded(self, track: Any, start: float) -> Iterator[Any]:
        converter = av.AudioResampler(format='fltp', layout='stereo', rate=self._stream.rate)
        written = 0
        try:
            with self._file:
                for frame in self._file.decode(track):
                    if frame.time is not None and frame.time < start:  # before the first picture
                        continue
                    for part in converter.resample(frame):
                        if not written and frame.time is not None:
                            written = round((frame.time - start) * part.sample_rate)
                        part.pts = written
                        written += part.samples
                        yield from self._stream.encode(part)
                yield from self._stream.encode()
        except av.error.FFmpegError as error:
            raise ValueError(f'the sound of {self.source} cannot be decoded: {error}') from error
