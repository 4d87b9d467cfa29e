"""What ``import mmsigma`` offers."""

import subprocess
import sys
from pathlib import Path

import pytest

import mmsigma

ROOT = Path(__file__).resolve().parents[1]
OFFERED = [
    'ClusterSegmenter',
    'FeatureExtractor',
    'KeypointTracker',
    'RepetitionCounter',
    'VideoAligner',
    'VideoClassifier',
    'VideoDataset',
    'VideoSegmenter',
    '__version__',
    'list_configs',
    'load_model',
]


def test_what_is_offered() -> None:
    assert mmsigma.__all__ == OFFERED
    assert set(OFFERED) <= set(dir(mmsigma))
    for name in OFFERED:
        value = getattr(mmsigma, name)
        assert name == '__version__' or value.__name__ == name
        assert name == '__version__' or value.__doc__
    with pytest.raises(AttributeError, match="module 'mmsigma' has no attribute 'load_modle'"):
        mmsigma.load_modle  # noqa: B018


def test_the_import_is_cheap() -> None:
    code = (
        'import sys, mmsigma; dir(mmsigma); '
        'print(*sorted({"torch", "mmengine", "numpy", "cv2", "mmsigma.apis"} & sys.modules.keys()))'
    )
    run = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert run.stdout.strip() == ''
