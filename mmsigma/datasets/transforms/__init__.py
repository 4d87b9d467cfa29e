from mmsigma.datasets.transforms.decoding import (
    PyAVDecode,
    PyAVInit,
    ReadClip,
    TorchCodecDecode,
    TorchCodecInit,
    UnreadableVideoError,
)
from mmsigma.datasets.transforms.formatting import PackVideoInputs
from mmsigma.datasets.transforms.masking import RandomMask, TubeMask
from mmsigma.datasets.transforms.repetition import Letterbox, PackRepetitionInputs, SampleRepetitions
from mmsigma.datasets.transforms.sampling import SampleStridedClip
from mmsigma.datasets.transforms.spatial import MultiScaleCrop, ResizeClip

__all__ = [
    'Letterbox',
    'MultiScaleCrop',
    'PackRepetitionInputs',
    'PackVideoInputs',
    'PyAVDecode',
    'PyAVInit',
    'RandomMask',
    'ReadClip',
    'ResizeClip',
    'SampleRepetitions',
    'SampleStridedClip',
    'TorchCodecDecode',
    'TorchCodecInit',
    'TubeMask',
    'UnreadableVideoError',
]
