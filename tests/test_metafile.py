"""Index, metafile, configs and the tables of configs/sigma/README.md say the same."""

from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest
import yaml

from mmsigma.utils.preflight import check_config
from tests.metafiles import ROOT, label, load_model, plain_configs, read_models

FOLDER = ROOT / 'configs' / 'sigma'
ARCHITECTURES = {'small': 'ViT-S', 'base': 'ViT-B', 'large': 'ViT-L', 'huge': 'ViT-H'}
DATA = {'data/kinetics400': ('Kinetics-400', 'K400'), 'data/sthv2': ('Something-Something V2', 'SSv2')}
TARGETS = {
    'PixelTarget': 'pixels',
    'MLPTarget': 'MLP',
    'vit_base_patch16_224.dino': 'DINO ViT-B/16',
    'vit_base_patch14_reg4_dinov2.lvd142m': 'DINOv2 ViT-B/14',
}
RESULTS = {
    'Fine-tuning': ('SSv2', 'Kinetics-400', 'mini-SSv2'),
    'Linear Probing': ('SSv2', 'Kinetics-400', 'UCF101', 'HMDB51', 'ImageNet-1k', 'CIFAR-100'),
}


@cache
def models() -> dict[str, dict[str, Any]]:
    return read_models('sigma')


def rate(value: float) -> str:
    """As short as can be: 3.75e-4."""
    mantissa, exponent = f'{value:.5e}'.split('e')
    return f'{mantissa.rstrip("0").rstrip(".")}e{int(exponent)}'


def recipe_row(name: str) -> str:
    """Row of the recipe table, from the config and its options."""
    cfg = load_model(models()[name])
    loader, head = cfg.train_dataloader, cfg.model.head
    batch, clips = cfg.auto_scale_lr.base_batch_size, loader.batch_size
    sampling = next(step for step in loader.dataset.pipeline if step['type'] == 'ReadClip')['sampling']
    target = cfg.model.target
    has_prototypes = head.type == 'PrototypeHead'
    cells = [
        label(models()[name]),
        ARCHITECTURES[cfg.model.backbone.arch],
        DATA[cfg.data_root][1],
        TARGETS[target.get('model_name', target.type)],
        f'{batch // clips} x {clips} = {batch}',
        rate(cfg.optim_wrapper.optimizer.lr),
        cfg.train_cfg.max_epochs,
        sampling.frame_interval,
        head.loss.epsilon if has_prototypes else '-',
        str(head.num_prototypes).strip('[]') if has_prototypes else '-',
    ]
    return '| ' + ' | '.join(map(str, cells)) + ' |'


def result_rows(name: str) -> Iterator[str]:
    """Rows of the tables of results, from the metafile: the paper's and ours."""
    for task, datasets in RESULTS.items():
        scores = {
            source: {
                entry['Dataset']: entry['Metrics']['Top 1 Accuracy']
                for entry in models()[name].get(key, ())
                if entry['Task'] == task
            }
            for source, key in (('paper', 'Paper Results'), ('ours', 'Results'))
        }
        if scores['paper']:
            for source, found in scores.items():
                missing = {data: '-' if data not in scores['paper'] else 'not yet run' for data in datasets}
                cells = [str(found.get(data, missing[data])) for data in datasets]
                yield '| ' + ' | '.join([label(models()[name], link=False), source, *cells]) + ' |'


def test_index_names_every_metafile() -> None:
    listed = yaml.safe_load((ROOT / 'model-index.yml').read_text())['Import']
    assert sorted(listed) == sorted(str(path.relative_to(ROOT)) for path in ROOT.glob('configs/*/metafile.yml'))


@pytest.mark.parametrize('folder', sorted(path.parent.name for path in ROOT.glob('configs/*/metafile.yml')))
def test_openmim_can_download_configs(folder: str) -> None:
    """It wants weights of every model, and skips a name that ends in a slash."""
    assert all(entry['Weights'] == './' for entry in read_models(folder).values())


def test_every_config_is_in_the_metafile() -> None:
    assert plain_configs(models()) == sorted(path.stem for path in FOLDER.glob('*.py'))


@pytest.mark.parametrize('name', sorted(models()))
def test_metadata_is_what_the_config_says(name: str) -> None:
    cfg, entry = load_model(models()[name]), models()[name]
    check_config(cfg)
    batch, target = cfg.auto_scale_lr.base_batch_size, cfg.model.target
    assert entry['Metadata'] == {
        'Architecture': ARCHITECTURES[cfg.model.backbone.arch],
        'Training Data': DATA[cfg.data_root][0],
        'Target': TARGETS[target.get('model_name', target.type)],
        'GPUs': batch // cfg.train_dataloader.batch_size,
        'Batch Size': batch,
        'Learning Rate': pytest.approx(cfg.optim_wrapper.optimizer.lr),
        'Epochs': cfg.train_cfg.max_epochs,
    }
    assert entry['In Collection'] == ('VideoMAE' if target.type == 'PixelTarget' else 'SIGMA')


def test_readme_has_these_rows_and_no_others() -> None:
    rows = [line for line in (FOLDER / 'README.md').read_text().splitlines() if line.startswith(('| [vit', '| vit'))]
    expected = [row for name in models() for row in (recipe_row(name), *result_rows(name))]
    assert sorted(rows) == sorted(expected), 'the tables should hold:\n' + '\n'.join(sorted(expected))
