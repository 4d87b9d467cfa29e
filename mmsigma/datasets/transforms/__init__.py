from mmsigma.datasets.transforms.augment import FlipClip, RandAugmentClip, RandomResizedCropClip, RepeatAugment
from mmsigma.datasets.transforms.decoding import (
    PyAVDecode,
    PyAVInit,
    ReadClip,
    TorchCodecDecode,
    TorchCodecInit,
    UnreadableVideoError,
)
from mmsigma.datasets.transforms.formatting import PackVideoInputs
from mmsigma.datasets.transforms.images import ReadImageClip
from mmsigma.datasets.transforms.masking import RandomMask, TubeMask
from mmsigma.datasets.transforms.repetition import Letterbox, PackRepetitionInputs, SampleRepetitions
from mmsigma.datasets.transforms.sampling import (
    SampleDenseClip,
    SampleDenseViews,
    SampleSegmentClip,
    SampleSegmentViews,
    SampleStridedClip,
)
from mmsigma.datasets.transforms.spatial import CropViews, MultiScaleCrop, ResizeClip

__all__ = [
    'CropViews',
    'FlipClip',
    'Letterbox',
    'MultiScaleCrop',
    'PackRepetitionInputs',
    'PackVideoInputs',
    'PyAVDecode',
    'PyAVInit',
    'RandAugmentClip',
    'RandomMask',
    'RandomResizedCropClip',
    'ReadClip',
    'ReadImageClip',
    'RepeatAugment',
    'ResizeClip',
    'SampleDenseClip',
    'SampleDenseViews',
    'SampleRepetitions',
    'SampleSegmentClip',
    'SampleSegmentViews',
    'SampleStridedClip',
    'TorchCodecDecode',
    'TorchCodecInit',
    'TubeMask',
    'UnreadableVideoError',
]
