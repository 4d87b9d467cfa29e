"""Decoding a clip of a video file with one of several decoders."""

import bisect
from typing import Any

import numpy as np
from mmcv.transforms import BaseTransform

from mmsigma.registry import TRANSFORMS

_DECODERS: dict[str, dict[str, dict[str, Any]]] = {
    'decord': dict(open=dict(type='mmaction.DecordInit', num_threads=1), decode=dict(type='mmaction.DecordDecode')),
    'pyav': dict(open=dict(type='PyAVInit'), decode=dict(type='PyAVDecode')),
    'torchcodec': dict(open=dict(type='TorchCodecInit'), decode=dict(type='TorchCodecDecode')),
    'frames': dict(open=dict(type='FrameFolderInit'), decode=dict(type='FrameFolderDecode')),
}


class UnreadableVideoError(RuntimeError):
    """A video could not be opened or decoded, or has no frames.

    Attributes:
        filename: Path of the video.
        reason: First line of the decoder's error message.
    """

    def __init__(self, filename: str, reason: str) -> None:
        super().__init__(filename, reason)
        self.filename, self.reason = filename, reason

    def __str__(self) -> str:
        return f'{self.filename} cannot be read: {self.reason}'


@TRANSFORMS.register_module()
class ReadClip(BaseTransform):
    """Open a video, choose frames, decode them and close the video.

    Everything that can fail because of a file fails in this transform and is reported as
    :class:`UnreadableVideoError`, so that a dataset can skip the file; errors of other transforms are not affected.
    Readers are released at once instead of being left to the garbage collector.

    Required keys: ``filename``. Optional keys: ``segment_frames`` ``(L,)``, the frames of the file that make up the
    video and from which ``sampling`` chooses. Added keys: ``imgs``, ``total_frames``, ``frame_inds`` (frame numbers in
    the file), ``img_shape``, ``original_shape``.

    Args:
        sampling: Config of the transform that sets ``frame_inds`` from ``total_frames``.
        decoder: ``'decord'``, ``'pyav'`` or ``'torchcodec'``; ``'frames'`` for folders of images; or a dict with the
            configs of two transforms, ``open`` and ``decode``. The first three return identical frames, except for AVI
            files with B-frames, whose timestamps are not presentation times: only PyAV returns the requested frames of
            these.

    Raises:
        ValueError: If ``decoder`` is unknown.
    """

    def __init__(self, sampling: dict[str, Any], decoder: str | dict[str, Any] = 'decord') -> None:
        if isinstance(decoder, str) and decoder not in _DECODERS:
            raise ValueError(f'unknown decoder {decoder!r}: choose one of {sorted(_DECODERS)}')
        steps = _DECODERS[decoder] if isinstance(decoder, str) else decoder
        self.decoder = decoder
        self.open = TRANSFORMS.build(steps['open'])
        self.sampling = TRANSFORMS.build(sampling)
        self.decode = TRANSFORMS.build(steps['decode'])

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Add the frames to ``results``, as a list of uint8 arrays ``(H, W, 3)``.

        Raises:
            UnreadableVideoError: If the file is missing, damaged, empty, or shorter than its segments.
        """
        results = self._guard(self.open, results)
        if not results['total_frames']:
            raise UnreadableVideoError(results['filename'], 'it has no frames')
        segments = results.get('segment_frames')
        if segments is not None:
            if segments.max() >= results['total_frames']:
                reason = (
                    f'the index refers to frame {segments.max()}, but the file has {results["total_frames"]} frames: '
                    'recreate the index'
                )
                raise UnreadableVideoError(results['filename'], reason)
            results['total_frames'] = len(segments)
        results = self.sampling(results)
        if segments is not None:
            results['frame_inds'] = segments[results['frame_inds']]
        results = self._guard(self.decode, results)
        results.pop('video_reader', None)
        return results

    @staticmethod
    def _guard(step: BaseTransform, results: dict[str, Any]) -> dict[str, Any]:
        try:
            changed: dict[str, Any] = step(results)
            return changed
        except (ImportError, MemoryError):
            raise
        except Exception as error:  # every decoder raises exception types of its own
            reason = str(error).strip().splitlines() or [type(error).__name__]
            raise UnreadableVideoError(results['filename'], reason[0]) from error

    def __repr__(self) -> str:
        return f'ReadClip(sampling={self.sampling}, decoder={self.decoder!r})'


def _set_frames(results: dict[str, Any], frames: list[np.ndarray]) -> dict[str, Any]:
    results['imgs'] = frames
    results['img_shape'] = results['original_shape'] = frames[0].shape[:2]
    return results


@TRANSFORMS.register_module()
class PyAVInit(BaseTransform):
    """Open a video with PyAV and list its timestamps, since containers such as Matroska do not count frames.

    Required keys: ``filename``. Added keys: ``video_reader``, ``total_frames``, ``avg_fps``.

    Args:
        num_threads: Number of decoder threads.
    """

    def __init__(self, num_threads: int = 1) -> None:
        self.num_threads = num_threads

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        import av

        container = av.open(results['filename'])
        stream = container.streams.video[0]
        stream.codec_context.thread_count = self.num_threads
        packets = [packet for packet in container.demux(stream) if packet.pts is not None]
        results['video_reader'] = (container, sorted(packet.pts for packet in packets))
        results['total_frames'] = len(packets)
        results['avg_fps'] = float(stream.average_rate or 0)
        return results


@TRANSFORMS.register_module()
class PyAVDecode(BaseTransform):
    """Decode the frames ``frame_inds`` with PyAV, starting from the key frame before the first of them.

    Required keys: ``video_reader``, ``frame_inds``. Added keys: ``imgs``, ``img_shape``, ``original_shape``.
    """

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        container, stamps = results['video_reader']
        indices = np.ravel(results['frame_inds']).tolist()
        wanted, found = set(indices), {}
        stream = container.streams.video[0]
        # timestamps of AVI are decoding times: in such files, frames can only be counted from the start
        seekable = 'avi' not in container.format.name
        container.seek(stamps[min(wanted)] if seekable else 0, stream=stream, backward=True)
        for count, frame in enumerate(container.decode(stream)):
            index = bisect.bisect_left(stamps, frame.pts) if seekable else count
            if index in wanted:
                found[index] = frame.to_ndarray(format='rgb24')
            if index >= max(wanted):
                break
        container.close()
        if not found:
            raise ValueError('no frame could be decoded')
        # a frame dropped by the decoder is replaced by the one before it
        known = sorted(found)
        frames = [found[known[max(0, bisect.bisect_right(known, index) - 1)]] for index in indices]
        return _set_frames(results, frames)


@TRANSFORMS.register_module()
class TorchCodecInit(BaseTransform):
    """Open a video with torchcodec, which requires the FFmpeg libraries of the system.

    Required keys: ``filename``. Added keys: ``video_reader``, ``total_frames``, ``avg_fps``.

    Args:
        num_threads: Number of decoder threads.
    """

    def __init__(self, num_threads: int = 1) -> None:
        self.num_threads = num_threads

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        try:
            from torchcodec.decoders import VideoDecoder
        except RuntimeError as error:  # its shared libraries are loaded on import
            raise ImportError(f'torchcodec cannot find the FFmpeg libraries: install ffmpeg ({error})') from error

        reader = VideoDecoder(results['filename'], dimension_order='NHWC', num_ffmpeg_threads=self.num_threads)
        results['video_reader'] = reader
        results['total_frames'] = reader.metadata.num_frames or 0
        results['avg_fps'] = reader.metadata.average_fps
        return results


@TRANSFORMS.register_module()
class TorchCodecDecode(BaseTransform):
    """Decode the frames ``frame_inds`` with torchcodec.

    Required keys: ``video_reader``, ``frame_inds``. Added keys: ``imgs``, ``img_shape``, ``original_shape``.
    """

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        indices = np.ravel(results['frame_inds']).tolist()
        return _set_frames(results, list(results['video_reader'].get_frames_at(indices).data.numpy()))
