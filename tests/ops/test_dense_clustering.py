"""Standardisation, PCA, upsampling and k-means of dense features equal TimeTuning's, and behave at the edges."""

import numpy as np
import pytest
import torch

from mmsigma.evaluation.segmentation.cluster_matching import (
    clustering_miou,
    match_clusters,
)
from mmsigma.ops.dense_clustering import (
    LEVELS,
    ClipClusterer,
    cluster_maps,
    count_ids,
    prepare_maps,
    project_tokens,
    upsample_maps,
)
from tests.golden_evaluation import load_case

every_level = pytest.mark.parametrize('level', LEVELS)


def made_maps(seed: int = 0, frames: int = 2, side: int = 6, width: int = 8) -> tuple[torch.Tensor, torch.Tensor]:
    """Features (T', h, w, D) of two regions far from each other, and their ids (T', h, w)."""
    generator = torch.Generator().manual_seed(seed)
    truth = torch.zeros(frames, side, side, dtype=torch.uint8)
    truth[:, 1:4, 2:5] = 1
    centres = torch.tensor([[-10.0], [10.0]]).expand(2, width)
    return centres[truth.long()] + 0.1 * torch.randn(frames, side, side, width, generator=generator), truth


def test_golden_projection():
    case = load_case('seg_clustering')
    projected = project_tokens(case.tensor('in_pca_x'), 50)
    gram, expected = projected[:60] @ projected[:60].T, case.tensor('out_pca_gram')
    assert (gram - expected).abs().max() <= 1e-5 * expected.abs().max()
    np.testing.assert_allclose(projected.var(dim=0, unbiased=False), case.arrays['out_pca_var'], rtol=1e-5)


@pytest.mark.parametrize('counted', [False, True], ids=['given_k', 'k_of_ids'])
@every_level
def test_golden_clusters(level: str, counted: bool):
    case = load_case('seg_clustering')
    features, gt = case.tensor('in_features').float(), case.arrays['in_gt28']
    # the original fits its projection to all clips of a batch
    projected = project_tokens(features.flatten(0, 2), 50).view(*features.shape[:2], 14, 14, -1)
    maps = prepare_maps(list(projected), 28, level=level, num_components=None)
    name = {'frame': 'frame_wise', 'clip': 'sample_wise', 'dataset': 'dataset_wise'}[level]
    reference = case.arrays[f'out_map_{"gtk_" if counted else ""}{name}']
    number = None if counted else int(reference.max()) + 1
    ours = np.stack(cluster_maps(maps, number, list(case.tensor('in_gt28')), level=level, seed=1))
    miou = clustering_miou(list(ours), list(gt), 'hungarian', level)
    assert miou >= case.arrays[f'out_miou_{"gtk_" if counted else ""}{name}'] - 1e-9
    if level != 'frame':
        units = [(ours, reference)] if level == 'dataset' else zip(ours, reference, strict=True)
        for mine, theirs in units:
            assert (match_clusters(mine, theirs, 'hungarian').relabelled == theirs).all()


def test_golden_upsampling():
    case = load_case('seg_resize')
    ours = upsample_maps(case.tensor('in_feature14').movedim(1, -1), 28).movedim(-1, 1)
    np.testing.assert_allclose(ours, case.arrays['out_feature28'], atol=1e-12, rtol=0)


@pytest.mark.parametrize('shape', [(40, 12), (12, 40), (40000, 5)], ids=['tall', 'wide', 'in_parts'])
def test_projection_keeps_distances_if_it_keeps_all(shape: tuple[int, int]):
    tokens = torch.randn(shape, dtype=torch.float64) * torch.arange(1, shape[1] + 1) + 7
    projected = project_tokens(tokens, max(shape))
    assert projected.shape == (shape[0], min(shape)) and projected.dtype == torch.float64
    scaled = (tokens - tokens.mean(0)) / tokens.std(0, unbiased=False)
    few = slice(0, 30)
    torch.testing.assert_close(torch.pdist(projected[few]), torch.pdist(scaled[few]))
    variances = projected.var(dim=0, unbiased=False)
    assert (variances.diff() <= 1e-9).all()


def test_projection_is_the_best_of_its_width():
    tokens = torch.randn(200, 3, dtype=torch.float64) @ torch.randn(3, 30, dtype=torch.float64)
    assert project_tokens(tokens, 3).square().sum() == pytest.approx(200 * 30)


@pytest.mark.parametrize('dtype', [torch.float16, torch.float32, torch.float64])
def test_constant_dimensions_add_nothing(dtype: torch.dtype):
    tokens = torch.randn(50, 6).to(dtype)
    constant = torch.full((50, 2), 1000.3).to(dtype)
    constant[::2] *= 1 + torch.finfo(dtype).eps  # rounding, not signal
    assert constant.unique().numel() == 2
    torch.testing.assert_close(project_tokens(torch.cat([tokens, constant], 1), 6).abs(), project_tokens(tokens).abs())
    assert not project_tokens(constant).any()


def test_projection_refuses_bad_tokens():
    tokens = torch.randn(10, 3)
    tokens[4, 1] = torch.nan
    with pytest.raises(ValueError, match='1 tokens are not finite'):
        project_tokens(tokens)
    with pytest.raises(ValueError, match='cannot project'):
        project_tokens(torch.randn(0, 3))


def test_clips_are_clustered_as_if_alone():
    settings = ClipClusterer(num_clusters=(3,), seeds=(0, 1), size=12, num_components=4)
    clips = [torch.randn(2, 6, 6, 8), torch.randn(2, 6, 6, 8)]
    together = settings.cluster(clips)
    for clip, found in zip(clips, together, strict=True):
        assert found[3].shape == (2, 2, 12, 12) and found[3].dtype == torch.uint8
        assert torch.equal(settings.cluster([clip])[0][3], found[3])


@every_level
def test_separable_regions_are_found(level: str):
    pairs = [made_maps(seed) for seed in range(3)]
    clips, truths = zip(*pairs, strict=True)
    settings = ClipClusterer(num_clusters=('gt',), level=level, size=6, num_components=5)
    for clip, truth in zip(settings.cluster(clips, truths), truths, strict=True):
        for maps in clip['gt']:
            assert match_clusters(maps.numpy(), truth.numpy(), 'hungarian').miou == 1.0


def test_number_of_clusters_is_that_of_the_unit():
    maps = torch.randn(2, 8, 8, 4)
    truth = torch.zeros(4, 8, 8, dtype=torch.uint8)
    truth[0, 0, :2] = torch.tensor([3, 9])  # three ids in the frames of the first map, one in those of the second
    used = [len(found.unique()) for found in cluster_maps([maps], None, [truth], level='frame')[0]]
    assert used == [3, 1]
    assert len(cluster_maps([maps], None, [truth], level='clip')[0].unique()) == 3
    other = torch.full_like(truth, 255)
    labels = cluster_maps([maps, maps + 1], None, [truth, other], level='dataset', ignore=255)
    assert len(torch.stack(labels).unique()) == 3
    assert count_ids([truth, other]) == 4 and count_ids([other], ignore=255) == 1


def test_seeds_differ_and_repeat():
    maps = [torch.randn(2, 8, 8, 4)]
    labels = [cluster_maps(maps, 6, seed=seed, num_restarts=1)[0] for seed in (0, 0, 1)]
    assert torch.equal(labels[0], labels[1]) and not torch.equal(labels[0], labels[2])


def test_features_that_do_not_differ():
    settings = ClipClusterer(num_clusters=(4,), seeds=(0,), size=8)
    assert settings.cluster([torch.ones(2, 4, 4, 8)])[0][4].shape == (1, 2, 8, 8)


def test_bad_input():
    maps = [torch.randn(2, 4, 4, 3)]
    with pytest.raises(ValueError, match='pass truths as well'):
        cluster_maps(maps, None)
    with pytest.raises(ValueError, match='T must be a multiple'):
        cluster_maps(maps, None, [torch.zeros(3, 4, 4)])
    with pytest.raises(ValueError, match='level must be one of'):
        prepare_maps(maps, 4, level='video')
    with pytest.raises(ValueError, match='do not fit into uint8'):
        cluster_maps(maps, 300)
    for wrong in ((0,), (6, 6), ('k',), (2.5,)):
        with pytest.raises(ValueError, match='num_clusters must be distinct numbers'):
            ClipClusterer(num_clusters=wrong)
    with pytest.raises(ValueError, match='at least one entry'):
        ClipClusterer(seeds=())
