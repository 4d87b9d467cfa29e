"""Decoding a clip of a video."""

import random
from typing import Any

import numpy as np
from mmcv.transforms import BaseTransform, Compose

from mmsigma.io.decoders import DECODERS, VideoDecoder, open_video
from mmsigma.io.video_file import ChangedIndexError, UnreadableVideoError
from mmsigma.registry import TRANSFORMS

__all__ = ['ReadClip', 'UnreadableVideoError']


@TRANSFORMS.register_module()
class ReadClip(BaseTransform):
    """Open a video, choose frames, decode them and close the video.

    Everything that can fail because of a file fails in this transform and is reported as
    :class:`UnreadableVideoError`, so that a dataset can skip the file; errors of other transforms are not affected.

    Required keys: ``filename``. Optional keys: ``reader``, an open :class:`mmsigma.io.decoders.VideoReader` instead of
    the file; ``segment_frames`` ``(L,)``, the frames of the file that make up the video and from which ``sampling``
    chooses. Added keys: ``imgs``, ``total_frames``, ``avg_fps``, ``frame_inds``
    (frame numbers in the file), ``img_shape``, ``original_shape``.

    Args:
        sampling: Config of the transform that sets ``frame_inds`` from ``total_frames``, or of several, which are
            applied in turn.
        decoder: ``'auto'`` reads files with PyAV and folders as images; ``'pyav'``, ``'decord'`` and ``'torchcodec'``
            read files, ``'frames'`` folders. All return identical frames, or an error that says which decoder to use.

    Raises:
        ValueError: If ``decoder`` is unknown.
    """

    def __init__(self, sampling: dict[str, Any] | list[dict[str, Any]], decoder: VideoDecoder = 'auto') -> None:
        if decoder not in DECODERS:
            raise ValueError(f'unknown decoder {decoder!r}: choose one of {sorted(DECODERS)}')
        self.decoder: VideoDecoder = decoder
        steps = [TRANSFORMS.build(step) for step in (sampling if isinstance(sampling, list) else [sampling])]
        self.sampling = steps[0] if len(steps) == 1 else Compose(steps)

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Add the frames to ``results``, as a list of uint8 arrays ``(H, W, 3)``.

        Raises:
            UnreadableVideoError: If the file is missing, damaged, empty, or shorter than its segments.
        """
        try:
            reader = results.pop('reader') if 'reader' in results else open_video(results['filename'], self.decoder)
        except FileNotFoundError as error:
            raise UnreadableVideoError(results['filename'], 'there is no such file') from error
        try:
            results['avg_fps'] = reader.fps
            state = np.random.get_state(), random.getstate()
            try:
                results = self._sampled(results, len(reader))
                frames = reader.read(results['frame_inds'].ravel().tolist())
            except ChangedIndexError:  # the file has other frames than announced: draw from these, as if anew
                np.random.set_state(state[0])
                random.setstate(state[1])
                results = self._sampled(results, len(reader))
                frames = reader.read(results['frame_inds'].ravel().tolist())
        finally:
            reader.close()
        results['imgs'] = frames
        results['img_shape'] = results['original_shape'] = frames[0].shape[:2]
        return results

    def _sampled(self, results: dict[str, Any], total: int) -> dict[str, Any]:
        """Choose frames among ``total`` ones, or among the segments of these."""
        segments = results.get('segment_frames')
        if segments is not None and segments.max() >= total:
            raise UnreadableVideoError(
                results['filename'],
                f'the index refers to frame {segments.max()}, but the file has {total} frames: recreate the index',
            )
        results['total_frames'] = total if segments is None else len(segments)
        results = self.sampling(results)
        if segments is not None:
            results['frame_inds'] = segments[results['frame_inds']]
        results['frame_inds'] = np.asarray(results['frame_inds'])
        return results

    def __repr__(self) -> str:
        return f'ReadClip(sampling={self.sampling}, decoder={self.decoder!r})'
