"""Unsupervised segmentation of DAVIS by features that nobody trained: what a trained encoder has to be better than.

    python benchmarks/unsupervised_segmentation.py data/DAVIS [--year 2017 --split val --seeds 5]

Compares colours, with and without standardising, and a randomly initialised ViT-S/16, by the protocol of
configs/unsupervised_segmentation. The last column is the time that clustering takes per clip.
"""

import argparse
import time

import torch
from common import machine

from mmsigma.datasets import SegmentationClipDataset
from mmsigma.evaluation import UnsupervisedSegmentationMetric
from mmsigma.registry import MODELS

COLOURS = dict(
    backbone=dict(type='ColourEncoder', stride=8),
    data_preprocessor=dict(type='VideoDataPreprocessor', mean=(0, 0, 0), std=(255, 255, 255)),
)
ENCODERS = {
    'Lab colours': {**COLOURS, 'num_components': None},
    'Lab colours, standardised': COLOURS,
    'random ViT-S/16': dict(backbone=dict(type='VideoVisionTransformer', arch='small')),
    'random ViT-S/16, no PCA': dict(backbone=dict(type='VideoVisionTransformer', arch='small'), num_components=None),
}


def evaluate(dataset: SegmentationClipDataset, settings: dict, seeds: int) -> dict[str, float]:
    """Metrics of an encoder on a dataset, in percent, with the seconds of clustering per clip."""
    settings = dict(settings)
    clustering = dict(num_components=settings.pop('num_components', 50), seeds=tuple(range(seeds)))
    torch.manual_seed(0)
    model = MODELS.build(dict(type='FeatureClustering', clustering=clustering, **settings)).eval()
    metric = UnsupervisedSegmentationMetric(clustering=clustering)
    seconds = 0.0
    for clip in dataset:
        sample = clip['data_samples']
        inputs = model.data_preprocessor({'inputs': [clip['inputs']], 'data_samples': [sample]})['inputs']
        (maps,) = model(inputs)
        start = time.perf_counter()
        sample.set_data({'pred_masks': model.cluster(maps, sample.gt_masks, inputs.shape[2])})
        seconds += time.perf_counter() - start
        metric.process({}, [sample.to_dict()])
    return {**metric.evaluate(len(dataset)), 'seconds': seconds / len(dataset)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('data_root')
    parser.add_argument('--year', type=int, default=2017)
    parser.add_argument('--split', default='val')
    parser.add_argument('--seeds', type=int, default=5)
    args = parser.parse_args()
    dataset = SegmentationClipDataset('davis', args.data_root, year=args.year, split=args.split)
    rows = {name: evaluate(dataset, settings, args.seeds) for name, settings in ENCODERS.items()}
    columns = ('clustering', 'overclustering6', 'overclustering10')
    print(f'\n{len(dataset)} clips, {machine()}')
    print('| features | ' + ' | '.join(columns) + ' | s / clip |\n|---|' + '---|' * (len(columns) + 1))
    for name, row in rows.items():
        cells = [f'{row[f"segmentation/{c}_mIoU"]:.1f} ± {row[f"segmentation/{c}_mIoU_std"]:.1f}' for c in columns]
        print(f'| {name} | ' + ' | '.join(cells) + f' | {row["seconds"]:.1f} |')
    floor = f'{next(iter(rows.values()))["segmentation/background_floor"]:.1f}'
    print('| background everywhere | ' + ' | '.join([floor] * len(columns)) + ' | |')


if __name__ == '__main__':
    main()
