"""Sequences of DAVIS-2016, which are not kept here; tests that need them are skipped without."""

from pathlib import Path

import cv2
import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2] / 'shared' / 'data' / 'davis'

requires_davis = pytest.mark.skipif(not ROOT.is_dir(), reason='DAVIS is not at hand')


def read_davis_mask(video: str, number: int) -> np.ndarray:
    """Ids 0 and 1 of a frame, (480, 854), uint8."""
    path = ROOT / 'Annotations/480p' / video / f'{number:05d}.png'
    return (cv2.imread(str(path), cv2.IMREAD_GRAYSCALE) > 0).astype(np.uint8)


def read_davis_frame(video: str, number: int) -> np.ndarray:
    """RGB frame, (480, 854, 3), uint8."""
    frame = cv2.imread(str(ROOT / 'JPEGImages/480p' / video / f'{number:05d}.jpg'))
    return np.ascontiguousarray(frame[..., ::-1])
