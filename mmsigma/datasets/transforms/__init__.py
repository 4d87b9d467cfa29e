"""Transforms from video files to model inputs; importing this package registers all of them."""

from mmsigma.datasets.transforms.alignment import PackAlignmentInputs, SampleAlignmentSteps, SampleAllFrames
from mmsigma.datasets.transforms.augment import FlipClip, RandAugmentClip, RandomResizedCropClip, RepeatAugment
from mmsigma.datasets.transforms.charades import SampleCharadesClip, ShortSideCrop
from mmsigma.datasets.transforms.clip_sampling import (
    SampleClipAtRate,
    SampleCorrespondingFrames,
    SampleFramesAtGaps,
    ShuffleFrames,
)
from mmsigma.datasets.transforms.clip_views import CropEachFrame, PackClipViews, ScaleCropFlip, SecondView
from mmsigma.datasets.transforms.decoding import ReadClip, UnreadableVideoError
from mmsigma.datasets.transforms.formatting import PackVideoInputs
from mmsigma.datasets.transforms.images import ReadImageClip
from mmsigma.datasets.transforms.masking import MotionGuidedMask, RandomMask, TubeMask
from mmsigma.datasets.transforms.multi_crop import MultiCrop
from mmsigma.datasets.transforms.repetition import Letterbox, PackRepetitionInputs, SampleRepetitions
from mmsigma.datasets.transforms.sampling import (
    SampleDenseClip,
    SampleDenseViews,
    SampleSegmentClip,
    SampleSegmentViews,
    SampleStridedClip,
)
from mmsigma.datasets.transforms.spatial import CropViews, MultiScaleCrop, ResizeClip
from mmsigma.datasets.transforms.target_maps import LoadTargetMaps

__all__ = [
    'LoadTargetMaps',
    'SampleAllFrames',
    'SampleAlignmentSteps',
    'PackAlignmentInputs',
    'ShuffleFrames',
    'SecondView',
    'ScaleCropFlip',
    'SampleClipAtRate',
    'SampleCorrespondingFrames',
    'SampleFramesAtGaps',
    'PackClipViews',
    'CropEachFrame',
    'CropViews',
    'FlipClip',
    'Letterbox',
    'MultiCrop',
    'MultiScaleCrop',
    'PackRepetitionInputs',
    'PackVideoInputs',
    'RandAugmentClip',
    'RandomMask',
    'RandomResizedCropClip',
    'ReadClip',
    'ReadImageClip',
    'RepeatAugment',
    'ResizeClip',
    'SampleCharadesClip',
    'SampleDenseClip',
    'SampleDenseViews',
    'SampleRepetitions',
    'SampleSegmentClip',
    'SampleSegmentViews',
    'SampleStridedClip',
    'ShortSideCrop',
    'MotionGuidedMask',
    'TubeMask',
    'UnreadableVideoError',
]
