"""Means, deviations, floor and files of the metric, from made cases and real masks."""

import csv
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.logging import MMLogger

from mmsigma.evaluation import UnsupervisedSegmentationMetric
from mmsigma.evaluation.segmentation.cluster_matching import clustering_miou
from tests.golden_evaluation import load_case

SETTINGS = dict(num_clusters=('gt', 4), seeds=(0, 1), size=4, num_components=None)


def truth(frames: int = 2) -> torch.Tensor:
    """A quarter of every frame (4, 4) is object 1."""
    gt = torch.zeros(frames, 4, 4, dtype=torch.uint8)
    gt[:, :2, :2] = 1
    return gt


def sample(name: str, gt: torch.Tensor, **predictions) -> dict:
    return dict(video_name=name, frame_inds=[*range(len(gt))], gt_masks=gt, **predictions)


def runs(first: torch.Tensor, second: torch.Tensor) -> dict:
    """The same maps for both numbers of clusters: one per seed."""
    maps = torch.stack([first, second])
    return {'gt': maps, 4: maps}


def evaluate(samples: list[dict], **settings) -> dict[str, float]:
    metric = UnsupervisedSegmentationMetric({**SETTINGS, **settings})
    metric.process({}, samples)
    return metric.evaluate(len(samples))


def test_mean_and_deviation_over_seeds():
    gt = truth()
    perfect, nothing = 1 - gt, torch.zeros_like(gt)
    result = evaluate([sample('a', gt, pred_masks=runs(perfect, nothing))])
    # a single cluster, matched one to one, becomes the background: IoU 3/4 and 0
    for name in ('clustering', 'overclustering4'):
        assert result[f'segmentation/{name}_mIoU'] == pytest.approx(100 * (1 + 0.375) / 2)
        assert result[f'segmentation/{name}_mIoU_std'] == pytest.approx(100 * np.std([1, 0.375], ddof=1))
    assert result['segmentation/background_floor'] == pytest.approx(37.5)
    assert result['segmentation/num_clips'] == 1


def test_one_to_one_against_many_to_one():
    gt = truth()
    halves = gt * (1 + torch.arange(4, dtype=torch.uint8) % 2)  # the object in two clusters
    result = evaluate([sample('a', gt, pred_masks=runs(halves, halves))])
    assert result['segmentation/overclustering4_mIoU'] == 100.0
    assert result['segmentation/clustering_mIoU'] == pytest.approx(100 * (12 / 14 + 0.5) / 2)


def test_clips_count_once_at_their_level_and_frames_at_theirs():
    long, short = truth(6), truth(2)
    samples = [
        sample('long', long, pred_masks=runs(long, long)),
        sample('short', short, pred_masks=runs(0 * short, 0 * short)),
    ]
    assert evaluate(samples)['segmentation/clustering_mIoU'] == pytest.approx(100 * (1 + 0.375) / 2)
    frames = evaluate(samples, level='frame')
    assert frames['segmentation/clustering_mIoU'] == pytest.approx(100 * (6 + 2 * 0.375) / 8)


@pytest.mark.parametrize('level', ['clip', 'frame'])
@pytest.mark.parametrize(('matching', 'name'), [('precision', 'm2o_precision'), ('iou', 'm2o_iou')])
def test_golden_scores(level: str, matching: str, name: str):
    arrays = load_case('seg_davis_end_to_end').arrays
    settings = dict(num_clusters=(6, 10), seeds=(0,), level=level)
    metric = UnsupervisedSegmentationMetric(settings, matching)
    for index, gt in enumerate(torch.from_numpy(arrays['in_gt'])):
        maps = {k: torch.from_numpy(arrays[f'in_clusters_k{k}'][index]).repeat_interleave(2, 0)[None] for k in (6, 10)}
        metric.process({}, [sample(str(index), gt, pred_masks=maps)])
    result = metric.evaluate(len(arrays['in_gt']))
    for k in (6, 10):
        expected = arrays[f'out_k{k}__{name}__{level}_level'].item()
        assert result[f'segmentation/overclustering{k}_mIoU'] == pytest.approx(100 * expected, abs=1e-8)


def made_clip(seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Masks (4, 4, 4) and features (2, 4, 4, 3) that tell their ids apart in all clips alike."""
    generator = torch.Generator().manual_seed(seed)
    ids = torch.randint(0, 3, (2, 4, 4), generator=generator).byte()
    features = torch.eye(3)[ids.long()] * 10 + 0.01 * torch.randn(2, 4, 4, 3, generator=generator)
    return ids.repeat_interleave(2, 0), features


def test_dataset_level_clusters_all_clips_together():
    clips = [made_clip(seed) for seed in range(3)]
    samples = [sample(str(n), gt, dense_maps=maps.half()) for n, (gt, maps) in enumerate(clips)]
    result = evaluate(samples, level='dataset')
    assert result['segmentation/clustering_mIoU'] == 100.0
    ids = np.concatenate([gt.numpy().ravel() for gt, _ in clips])
    assert result['segmentation/background_floor'] == pytest.approx(100 * (ids == 0).mean() / 3)
    void = [sample(str(n), torch.where(gt == 2, 255, gt), dense_maps=maps) for n, (gt, maps) in enumerate(clips)]
    assert evaluate(void, level='dataset')['segmentation/clustering_mIoU'] < 100.0  # two clusters for three regions
    assert evaluate(void, level='dataset', num_clusters=(3,))['segmentation/overclustering3_mIoU'] == 100.0


def test_order_of_clips_does_not_matter():
    clips = [made_clip(seed) for seed in range(4)]
    samples = [sample(str(n), gt, dense_maps=maps + torch.randn(maps.shape)) for n, (gt, maps) in enumerate(clips)]
    assert evaluate(samples, level='dataset') == evaluate(samples[::-1], level='dataset')


@pytest.mark.parametrize('level', ['clip', 'dataset'])
def test_table_and_file(level: str, tmp_path: Path, capsys):
    settings = {**SETTINGS, 'level': level}
    metric = UnsupervisedSegmentationMetric(settings, out_dir=str(tmp_path / 'out'))
    for number in (1, 0):
        gt, maps = made_clip(number)
        found = gt[None].expand(2, -1, -1, -1)
        fields = dict(pred_masks={'gt': found, 4: found}, dense_maps=maps, sample_idx=number)
        metric.process({}, [sample(f'v{number}', gt, **fields)])
    metric.evaluate(2)
    table = capsys.readouterr().out
    assert f'2 clips, level {level}, 2 seeds' in table and 'all background' in table
    assert [line.split()[:2] for line in table.splitlines()[1:3]] == [
        ['clustering', 'hungarian'],
        ['overclustering4', 'precision'],
    ]
    with (tmp_path / 'out' / 'unsupervised_segmentation.csv').open() as file:
        rows = list(csv.DictReader(file))
    assert [row['video'] for row in rows] == ['v0', 'v1'] and rows[0]['frames'] == '0 1 2 3'
    for row, number in zip(rows, (0, 1), strict=True):
        gt = made_clip(number)[0].numpy()
        assert row['ids'] == str(len(np.unique(gt))) and row['foreground'] == f'{100 * (gt > 0).mean():.2f}'
        assert row['clustering'] == row['overclustering4'] == '100.00' and row['clustering_std'] == '0.00'
    page = (tmp_path / 'out' / 'report.html').read_text()
    assert page.index('segmentation/v0_0.png') < page.index('segmentation/v1_0.png')
    assert '<td>overclustering4</td><td>100.0</td><td>0.0</td>' in page and 'clustering 100.0 %' in page
    assert all((tmp_path / 'out' / 'segmentation' / f'v{number}_0.png').is_file() for number in (0, 1))


def test_file_goes_to_the_folder_of_the_log(tmp_path: Path):
    (tmp_path / 'run').mkdir()
    MMLogger.get_instance(f'log{tmp_path.name}', log_file=str(tmp_path / 'run' / 'run.log'))
    evaluate([sample('a', truth(), pred_masks=runs(truth(), truth()))])
    assert (tmp_path / 'run' / 'unsupervised_segmentation.csv').is_file()


def test_same_as_the_plain_function():
    generator = torch.Generator().manual_seed(0)
    gts = [torch.randint(0, 3, (4, 4, 4), generator=generator).byte() for _ in range(5)]
    preds = [torch.randint(0, 4, (4, 4, 4), generator=generator).byte() for _ in range(5)]
    samples = [sample(str(n), gt, pred_masks=runs(p, p)) for n, (gt, p) in enumerate(zip(gts, preds, strict=True))]
    for level in ('clip', 'frame'):
        result = evaluate(samples, level=level)
        for name, matching in (('clustering', 'hungarian'), ('overclustering4', 'precision')):
            expected = clustering_miou([p.numpy() for p in preds], [gt.numpy() for gt in gts], matching, level)
            assert result[f'segmentation/{name}_mIoU'] == pytest.approx(100 * expected)


def test_bad_input():
    gt = truth()
    with pytest.raises(ValueError, match='no gt_masks'):
        evaluate([dict(video_name='a', pred_masks={})])
    with pytest.raises(ValueError, match='a lacks dense_maps: set the same clustering for model and metric'):
        evaluate([sample('a', gt, pred_masks=runs(gt, gt))], level='dataset')
    with pytest.raises(ValueError, match='a lacks pred_masks'):
        evaluate([sample('a', gt, pred_masks=runs(gt, gt))], seeds=(0, 1, 2))
    with pytest.raises(ValueError, match='over_matching must be one of'):
        UnsupervisedSegmentationMetric(over_matching='hungarian')
