"""J and F equal the official evaluation."""

import numpy as np
import pytest

from mmsigma.evaluation.vos.davis import (
    _boundary,
    contour_accuracy,
    region_similarity,
    score_sequence,
    score_statistics,
    summarize,
)
from tests.golden_mask_vos import load_vectors

SEQUENCES = ('blackswan', 'dog', 'car-shadow')
PERTURBATIONS = ('shift', 'erode_dilate', 'noise')


def unpack(bits: np.ndarray, shape: np.ndarray) -> np.ndarray:
    return np.unpackbits(bits, axis=1)[:, : shape[1] * shape[2]].reshape(shape)


def real_masks(sequence: str, perturbation: str) -> tuple[np.ndarray, np.ndarray, dict]:
    arrays = load_vectors(f'davis_metrics_{sequence}').arrays
    shape = arrays['par_shape']
    return unpack(arrays[f'in_{perturbation}_bits'], shape), unpack(arrays['in_gt_bits'], shape), arrays


@pytest.mark.parametrize('perturbation', PERTURBATIONS)
@pytest.mark.parametrize('sequence', SEQUENCES)
def test_official_scores_of_real_masks(sequence: str, perturbation: str) -> None:
    pred, gt, arrays = real_masks(sequence, perturbation)
    for name, measure in (('J', region_similarity), ('F', contour_accuracy)):
        ours = [measure(*pair, 1)[0] for pair in zip(pred, gt, strict=True)]
        np.testing.assert_allclose(ours, arrays[f'out_{perturbation}_{name}_f64'], atol=1e-9, rtol=0)
    statistics = {
        'summary': score_sequence(pred, gt).statistics()[0],  # without the first and the last frame
        'summary_allframes': [score_statistics(arrays[f'out_{perturbation}_{name}_f64']) for name in 'JF'],
    }
    for name, sides in statistics.items():
        np.testing.assert_allclose(np.concatenate(sides), arrays[f'out_{perturbation}_{name}_f64'], atol=1e-9, rtol=0)


@pytest.mark.parametrize('sequence', SEQUENCES)
def test_official_boundaries(sequence: str) -> None:
    _, gt, arrays = real_masks(sequence, 'shift')
    height, width = gt.shape[1:]
    counts = [_boundary(mask.astype(bool), (slice(0, height), slice(0, width))).sum() for mask in gt]
    np.testing.assert_array_equal(counts, arrays['out_boundary_count'])


@pytest.mark.parametrize('perturbation', PERTURBATIONS)
def test_official_summary_of_sequences(perturbation: str) -> None:
    statistics = []
    for sequence in SEQUENCES:
        statistics += score_sequence(*real_masks(sequence, perturbation)[:2]).statistics()
    expected = load_vectors('davis_metrics_global').arrays[f'out_{perturbation}_f64']
    np.testing.assert_allclose(list(summarize(statistics).values()), expected, rtol=1e-9)


def test_official_scores_of_several_objects() -> None:
    arrays = load_vectors('davis_metrics_multiobject').arrays
    statistics = []
    for sequence in ('synA', 'synB'):
        pred, gt = arrays[f'in_pred_{sequence}'], arrays[f'in_gt_{sequence}']
        scores = score_sequence(pred, gt)
        for name, ours in (('J', scores.region), ('F', scores.contour)):
            expected = arrays[f'out_{name}_{sequence}_f64']
            np.testing.assert_allclose(ours, expected[:, 1:-1], rtol=1e-9, atol=1e-12)
        statistics += scores.statistics()
    for side, name in enumerate('JF'):
        for place, letter in enumerate('MRD'):
            ours = [pair[side][place] for pair in statistics]
            np.testing.assert_allclose(ours, arrays[f'out_{name}_{letter}_f64'], rtol=1e-9, atol=1e-12)
    assert summarize(statistics)['J&F'] == pytest.approx(arrays['out_JandF_f64'].item(), rel=1e-9)


def test_official_statistics() -> None:
    arrays = load_vectors('davis_statistics').arrays
    for number in range(len(arrays) // 2):
        ours = score_statistics(arrays[f'in_values{number}_f64'])
        np.testing.assert_allclose(ours, arrays[f'out_mrd{number}_f64'], rtol=1e-12, atol=1e-15)


def test_long_videos_have_a_decay() -> None:
    """More than 256 frames overflow the official tool's bins."""
    decay = score_statistics(np.linspace(1, 0, 1001)).decay
    assert decay == pytest.approx(0.75, abs=1e-3)


def test_edges_of_the_frame_and_empty_masks() -> None:
    full, empty = np.ones((20, 30), np.uint8), np.zeros((20, 30), np.uint8)
    assert region_similarity(empty, empty, 1)[0] == contour_accuracy(empty, empty, 1)[0] == 1
    assert region_similarity(full, empty, 1)[0] == 0
    assert contour_accuracy(full, empty, 1)[0] == 1  # a mask without boundary inside the frame
    half = full.copy()
    half[:, 15:] = 0
    assert contour_accuracy(half, empty, 1)[0] == contour_accuracy(half, full, 1)[0] == 0
    assert contour_accuracy(half, half, 1)[0] == region_similarity(half, half, 1)[0] == 1


def test_void_is_background() -> None:
    gt = np.zeros((9, 9), np.uint8)
    gt[2:5, 2:5], gt[6:, 6:] = 1, 255
    pred = (gt == 1).astype(np.uint8)
    assert region_similarity(pred, gt, 1)[0] == contour_accuracy(pred, gt, 1)[0] == 1


def test_bad_sequences() -> None:
    frames = np.zeros((4, 6, 6), np.uint8)
    with pytest.raises(ValueError, match='no object in the first frame'):
        score_sequence(frames, frames)
    frames[:, 1:3, 1:3] = 1
    with pytest.raises(ValueError, match='frame 2 has an object 3, but the sequence has 1'):
        score_sequence([frames[0], frames[1], frames[2] * 3, frames[3]], frames)
    with pytest.raises(ValueError, match='three frames'):
        score_sequence(frames[:2], frames[:2])
    with pytest.raises(ValueError, match=r'the prediction has the shape \(6, 5\), the ground truth \(6, 6\)'):
        region_similarity(frames[0, :, :5], frames[0], 1)


def test_gaps_between_ids() -> None:
    rng = np.random.default_rng(0)
    gt = [np.pad(rng.integers(0, 3, (4, 5), dtype=np.uint8), 3).repeat(3, axis=0) for _ in range(5)]
    pred = [gt[0]] * 5
    gaps = np.array([0, 1, 5], np.uint8)
    dense, sparse, official = (
        score_sequence(pred, gt),
        score_sequence([gaps[mask] for mask in pred], [gaps[mask] for mask in gt], skip_gaps=True),
        score_sequence([gaps[mask] for mask in pred], [gaps[mask] for mask in gt]),
    )
    np.testing.assert_array_equal(sparse.region, dense.region)
    np.testing.assert_array_equal(sparse.contour, dense.contour)
    assert (dense.ids, sparse.ids, official.ids) == ((1, 2), (1, 5), (1, 2, 3, 4, 5))
    assert (dense.absent, sparse.absent, official.absent) == ((), (), (2, 3, 4))
    assert (official.region[1:4] == 1).all() and (official.region[[0, 4]] == dense.region).all()
    with pytest.raises(ValueError, match=r'frame 1 has an object 2, but the sequence has only \[1, 5\]'):
        score_sequence([gaps[gt[0]], gt[0], gt[0]], [gaps[mask] for mask in gt[:3]], skip_gaps=True)


def test_objects_that_appear_later_are_named() -> None:
    first, later = np.zeros((9, 9), np.uint8), np.zeros((9, 9), np.uint8)
    first[1:4, 1:4] = later[1:4, 1:4] = 2
    later[5:8, 5:8] = 3
    scores = score_sequence([first] * 4, [first, first, later, later])
    assert scores.late == {3: 2} and scores.absent == (1,)
    assert (scores.region == 1).all()


def test_recall_is_of_scores_above_one_half() -> None:
    assert score_statistics([0.5, 0.5, 0.75, 0.25]).recall == 0.25


@pytest.mark.parametrize('dtype', [bool, np.uint16, np.int64])
def test_other_types_of_masks(dtype: type) -> None:
    pred, gt = np.zeros((2, 20, 30), np.uint8)
    pred[3:9, 4:11], gt[4:9, 0:12] = 1, 1
    for measure in (region_similarity, contour_accuracy):
        assert measure(pred.astype(dtype), gt.astype(dtype), 1) == measure(pred, gt, 1)
