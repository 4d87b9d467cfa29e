"""Datasets, samplers and transforms; importing this package registers all of them."""

from mmsigma.datasets import transforms
from mmsigma.datasets.charades_dataset import CharadesDataset
from mmsigma.datasets.collate import flatten_collate
from mmsigma.datasets.keypoint_dataset import JHMDBDataset
from mmsigma.datasets.phase_dataset import PhaseVideoDataset
from mmsigma.datasets.pseudo_masks import ChooseTargets, LoadPseudoMasks, PseudoMaskRounds
from mmsigma.datasets.repetition_dataset import RepetitionDataset
from mmsigma.datasets.samplers import ClassGroupSampler, SeededIndex, SeededSampler
from mmsigma.datasets.segmentation_clips import SegmentationClipDataset
from mmsigma.datasets.subset import fixed_subset
from mmsigma.datasets.video_dataset import VideoDataset
from mmsigma.datasets.vos_dataset import VOSDataset

__all__ = [
    'ClassGroupSampler',
    'PhaseVideoDataset',
    'PseudoMaskRounds',
    'LoadPseudoMasks',
    'ChooseTargets',
    'CharadesDataset',
    'JHMDBDataset',
    'RepetitionDataset',
    'SeededIndex',
    'SeededSampler',
    'SegmentationClipDataset',
    'VOSDataset',
    'VideoDataset',
    'fixed_subset',
    'flatten_collate',
    'transforms',
]
