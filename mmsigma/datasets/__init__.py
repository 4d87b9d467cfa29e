"""Data sets, samplers and transforms; an import registers them all."""

from mmsigma.datasets import transforms
from mmsigma.datasets.samplers import SeededIndex, SeededSampler
from mmsigma.datasets.video_dataset import VideoDataset

__all__ = ['SeededIndex', 'SeededSampler', 'VideoDataset', 'transforms']
