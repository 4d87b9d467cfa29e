"""What the processes of the unsupervised segmentation's tests run."""

import torch

from mmsigma.evaluation import UnsupervisedSegmentationMetric
from mmsigma.ops.dense_clustering import LEVELS, ClipClusterer

NUMBER = 5


def clustering(level: str) -> dict:
    return dict(num_clusters=('gt', 4), seeds=(0, 1), level=level, size=6, num_components=3, num_restarts=2)


def make_samples(level: str) -> list[dict]:
    """Clips as the evaluator sees them, with features that say little about their ids."""
    samples = []
    for number in range(NUMBER):
        generator = torch.Generator().manual_seed(number)
        gt = torch.randint(0, 2 + number % 2, (4, 6, 6), generator=generator, dtype=torch.uint8)
        maps = torch.randn(2, 3, 3, 8, generator=generator) + gt[::2, ::2, ::2, None]
        sample = dict(video_name=f'clip {(number + 2) % NUMBER}', frame_inds=[0, 1, 2, 3], gt_masks=gt, dense_maps=maps)
        sample['sample_idx'] = number
        if level != 'dataset':
            (found,) = ClipClusterer(**clustering(level)).cluster([maps], [gt])
            sample['pred_masks'] = {k: masks.repeat_interleave(2, dim=1) for k, masks in found.items()}
        samples.append(sample)
    return samples


def evaluate(level: str, own: slice = slice(None)) -> dict[str, float]:
    """Metrics of some of the clips, and of those of the other processes."""
    metric = UnsupervisedSegmentationMetric(clustering(level))
    metric.process({}, make_samples(level)[own])
    return metric.evaluate(NUMBER)


def segmentation_worker(rank: int, first: int) -> dict[str, dict[str, float]]:
    own = slice(0, first) if rank == 0 else slice(first, None)
    return {level: evaluate(level, own) for level in LEVELS}
