"""Recipes of unsupervised segmentation: checked, built, with the numbers of the paper, and listed where they belong."""

from pathlib import Path

import pytest

from mmsigma.ops.dense_clustering import ClipClusterer
from mmsigma.registry import METRICS, MODELS
from mmsigma.utils.config import load_config
from mmsigma.utils.preflight import check_config
from tests.metafiles import label, load_model, plain_configs, read_models

CONFIGS = Path(__file__).resolve().parents[1] / 'configs'
FOLDER = CONFIGS / 'unsupervised_segmentation'
NAMES = sorted(path.stem for path in FOLDER.glob('*.py'))
DEMO = CONFIGS / 'demo' / 'unsupervised_segmentation_tiny_demo.py'
every_file = pytest.mark.parametrize('path', [*(FOLDER / f'{name}.py' for name in NAMES), DEMO], ids=lambda p: p.stem)
MODELS_OF_METAFILE = read_models('unsupervised_segmentation')
every_model = pytest.mark.parametrize('name', MODELS_OF_METAFILE)


@every_file
def test_passes_the_check_and_builds(path: Path) -> None:
    cfg = load_config(path)
    check_config(cfg)
    cfg.model.backbone.arch = dict(embed_dims=24, depth=1, num_heads=2)
    model, metric, dataset = MODELS.build(cfg.model), METRICS.build(cfg.test_evaluator), cfg.test_dataloader.dataset
    assert model.clustering == metric.settings
    assert model.backbone.input_shape == (3, dataset.num_frames, dataset.img_size, dataset.img_size)
    assert model.clustering.size == dataset.mask_size and cfg.test_dataloader.batch_size == 1


@every_model
def test_protocol_of_the_paper(name: str) -> None:
    cfg = load_model(MODELS_OF_METAFILE[name])
    size, data = name.split('_')
    backbone, dataset = cfg.model.backbone, cfg.test_dataloader.dataset
    assert backbone.arch == {'vits': 'small', 'vitb': 'base'}[size] and backbone.final_norm
    assert (backbone.num_frames, dataset.img_size, dataset.mask_size) == ({'davis17': 16, 'ytvos': 4}[data], 224, 28)
    assert ClipClusterer(**cfg.model.clustering) == ClipClusterer()
    assert cfg.model.data_preprocessor.std == pytest.approx((58.14, 57.12, 57.375))  # TimeTuning's 0.228 for red
    if data == 'ytvos':
        assert (dataset.split, dataset.share, dataset.categories, dataset.all_frames) == ('train', 0.2, True, False)
    else:
        assert (dataset.year, dataset.split) == (2017, 'val') and 'share' not in dataset


@every_file
def test_variables_reach_what_depends_on_them(path: Path) -> None:
    options = dict(data_root='elsewhere', num_clusters=('gt', 3), seeds=(7,), level='dataset', num_components=None)
    cfg = load_config(path, {**options, 'frame_choice': 'random', 'num_frames': 6, 'mask_size': 14, 'num_workers': 0})
    dataset = cfg.test_dataloader.dataset
    assert (dataset.data_root, dataset.num_frames, dataset.frame_choice) == ('elsewhere', 6, 'random')
    assert cfg.model.backbone.num_frames == 6 and cfg.test_dataloader.num_workers == 0 and dataset.mask_size == 14
    for settings in (cfg.model.clustering, cfg.test_evaluator.clustering):
        expected = dict(num_clusters=('gt', 3), seeds=(7,), level='dataset', num_components=None, size=14)
        assert settings == {**expected, 'num_iters': 50, 'num_restarts': 5}


@every_model
def test_metadata_is_what_the_config_says(name: str) -> None:
    entry, cfg = MODELS_OF_METAFILE[name], load_model(MODELS_OF_METAFILE[name])
    arch = {'small': 'ViT-S', 'base': 'ViT-B'}[cfg.model.backbone.arch]
    assert entry['Metadata'] == {'Architecture': arch, 'Frames': cfg.model.backbone.num_frames}


def test_readme_has_the_rows_of_the_metafile() -> None:
    assert plain_configs(MODELS_OF_METAFILE) == NAMES
    expected = []
    for entry in MODELS_OF_METAFILE.values():
        for result in entry['Paper Results']:
            scores = ' | '.join(str(result['Metrics'][f'{kind} mIoU']) for kind in ('Clustering', 'Over-clustering'))
            expected.append(f'| {label(entry)} | {result["Pre-training"]} | {scores} | not yet run |')
    readme = (FOLDER / 'README.md').read_text().splitlines()
    assert [line for line in readme if line.startswith('| [')] == expected
