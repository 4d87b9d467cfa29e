"""Datasets, samplers and transforms; importing this package registers all of them."""

from mmsigma.datasets import transforms
from mmsigma.datasets.alignment.phase_dataset import PhaseVideoDataset
from mmsigma.datasets.severe.charades_dataset import CharadesDataset
from mmsigma.datasets.severe.repetition_dataset import RepetitionDataset
from mmsigma.datasets.videos.collate import flatten_collate
from mmsigma.datasets.videos.rendered_clips import RenderedClips
from mmsigma.datasets.videos.samplers import ClassGroupSampler, SeededIndex, SeededSampler
from mmsigma.datasets.videos.subset import fixed_subset
from mmsigma.datasets.videos.video_dataset import VideoDataset
from mmsigma.datasets.vos.keypoint_dataset import JHMDBDataset
from mmsigma.datasets.vos.pseudo_masks import ChooseTargets, LoadPseudoMasks, PseudoMaskRounds
from mmsigma.datasets.vos.segmentation_clips import SegmentationClipDataset
from mmsigma.datasets.vos.vos_dataset import VOSDataset

__all__ = [
    'ClassGroupSampler',
    'PhaseVideoDataset',
    'PseudoMaskRounds',
    'LoadPseudoMasks',
    'ChooseTargets',
    'CharadesDataset',
    'JHMDBDataset',
    'RenderedClips',
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
