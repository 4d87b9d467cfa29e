"""Matching of clusters to objects equals the original evaluation."""

import numpy as np
import pytest

from mmsigma.evaluation.segmentation.cluster_matching import (
    background_floor,
    clustering_miou,
    match_clusters,
)
from tests.golden_evaluation import FOLDER, load_case

NAMES = {'hungarian': 'hungarian', 'precision': 'm2o_precision', 'iou': 'm2o_iou', 'none': 'no_matching'}
every_matching = pytest.mark.parametrize('matching', ['hungarian', 'precision', 'iou'])


def scenarios(name: str) -> list[str]:
    return [key.removeprefix('in_gt_') for key in load_case(name).arrays if key.startswith('in_gt_')]


@every_matching
@pytest.mark.parametrize('scenario', scenarios('seg_match_present_classes'))
def test_classes_that_are_present(scenario: str, matching: str) -> None:
    arrays = load_case('seg_match_present_classes').arrays
    scores = match_clusters(arrays[f'in_pred_{scenario}'], arrays[f'in_gt_{scenario}'], matching)
    prefix = f'out_{scenario}__{NAMES[matching]}__'
    assert scores.miou == pytest.approx(arrays[f'{prefix}miou'].item(), abs=1e-12)
    if scenario == 'exact_ties' and matching == 'hungarian':  # more than one optimum
        return
    assert scores.classes.tolist() == arrays[f'{prefix}classes'].tolist()
    for name, ours in (('tp', scores.true_positive), ('fp', scores.false_positive), ('fn', scores.false_negative)):
        assert ours.tolist() == arrays[f'{prefix}{name}'].tolist(), name
    assert scores.relabelled.ravel().tolist() == arrays[f'{prefix}reordered'].tolist()
    if f'{prefix}miou_without_bg' in arrays:
        assert scores.miou_without_background == pytest.approx(arrays[f'{prefix}miou_without_bg'].item(), abs=1e-12)


@pytest.mark.parametrize('scenario', scenarios('seg_match_fixed_classes'))
def test_fixed_numbers(scenario: str) -> None:
    arrays = load_case('seg_match_fixed_classes').arrays
    num_clusters, num_classes = arrays[f'in_sizes_{scenario}'].tolist()
    compared = 0
    for matching, name in NAMES.items():
        if f'out_{scenario}__{name}__miou' in arrays:
            compared += 1
            scores = match_clusters(
                arrays[f'in_pred_{scenario}'],
                arrays[f'in_gt_{scenario}'],
                matching,
                num_clusters=num_clusters,
                num_classes=num_classes,
            )
            assert scores.miou == pytest.approx(arrays[f'out_{scenario}__{name}__miou'].item(), abs=1e-12)
            counts = dict(tp=scores.true_positive, fp=scores.false_positive, fn=scores.false_negative)
            for kind, ours in counts.items():
                assert ours.tolist() == arrays[f'out_{scenario}__{name}__{kind}'].tolist(), kind
    assert compared >= 2


@pytest.mark.parametrize('matching', ['hungarian', 'precision'])
def test_void_pixels(matching: str) -> None:
    arrays = load_case('seg_ignore_label').arrays
    pred, gt = ([clip[None] for clip in arrays[f'in_{side}']] for side in ('pred', 'gt'))
    prefix = f'out_{NAMES[matching]}__'
    whole = clustering_miou(pred, gt, matching, 'dataset', ignore=255)
    assert whole == pytest.approx(arrays[f'{prefix}dataset_level'].item(), abs=1e-12)
    clips = clustering_miou(pred, gt, matching, 'clip')
    assert clips == pytest.approx(arrays[f'{prefix}clip_level_no_ignore'].item(), abs=1e-12)


@pytest.mark.skipif(not (FOLDER.parents[3] / 'shared').is_dir(), reason='made from DAVIS, not at hand')
def test_real_masks_at_every_level() -> None:
    path = FOLDER.parents[3] / 'shared' / 'golden' / 'evaluation' / 'seg_davis_end_to_end.npz'
    arrays = dict(np.load(path))
    checked = 0
    for key, expected in arrays.items():
        if not key.startswith('out_'):
            continue
        kind, name, level = key.removeprefix('out_').split('__')
        matching = {value: key for key, value in NAMES.items()}[name]
        pred = [np.repeat(clip, 2, axis=0) for clip in arrays[f'in_clusters_{kind}']]
        if level == 'per_clip':
            ours = [match_clusters(*pair, matching).miou for pair in zip(pred, arrays['in_gt'], strict=True)]
        else:
            ours = clustering_miou(pred, list(arrays['in_gt']), matching, level.removesuffix('_level'))
        np.testing.assert_allclose(ours, expected, rtol=0, atol=1e-10, err_msg=key)
        checked += 1
    assert checked == 4 * 3 * 4


def test_calling_everything_background() -> None:
    gt = [np.array([[[0, 0], [0, 1]]]), np.array([[[0, 0], [0, 0]]])]
    assert background_floor(gt) == pytest.approx((0.75 / 2 + 1) / 2)


def test_bad_input() -> None:
    with pytest.raises(ValueError, match='matching must be one of'):
        match_clusters(np.zeros(3), np.zeros(3), 'greedy')
    with pytest.raises(ValueError, match=r'the prediction has the shape \(3,\), the ground truth \(4,\)'):
        match_clusters(np.zeros(3), np.zeros(4))
    with pytest.raises(ValueError, match='level must be'):
        clustering_miou([np.zeros((1, 2, 2))], [np.zeros((1, 2, 2))], level='video')


def test_floor_is_the_background_even_where_it_is_the_smaller_part() -> None:
    truth = np.array([[0, 0, 1, 1, 1, 1, 1, 1, 2, 2]])
    assert background_floor([truth]) == pytest.approx(0.2 / 3)
