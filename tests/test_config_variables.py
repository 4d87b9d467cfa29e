"""Variables of configs given on the command line reach the loaders, the pipelines and the optimiser."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from mmengine.config import Config

from mmsigma.utils.config import load_config

CONFIGS = Path(__file__).resolve().parents[1] / 'configs'
FOLDERS = ('sigma', 'finetune', 'linear', 'knn', 'severe', 'gta', 'demo')
FILES = {
    f'{folder}/{path.stem}': path
    for folder in FOLDERS
    # the other methods of GTA's tables inherit from those of gta itself
    for path in sorted((CONFIGS / folder).glob('gta_*.py' if folder == 'gta' else '*.py'))
    if not path.stem.startswith(('unsupervised', 'vos'))
}
OPTIONS = dict(
    batch_size=3,
    base_lr=0.5,
    lr=0.25,
    global_batch=1024,
    train_list='mine_train.txt',
    val_list='mine_val.txt',
    decoder='torchcodec',
    data_root='elsewhere',
    epochs=7,
    num_clips=11,
)


def load(name: str) -> tuple[Config, dict]:
    """A config with all of the options that are variables of it, and these."""
    given = {key: value for key, value in OPTIONS.items() if key in load_config(FILES[name])}
    return load_config(FILES[name], given), given


def loaders(cfg: Config) -> Iterator[tuple[str, dict]]:
    for split in ('train', 'val', 'test'):
        if loader := cfg.get(f'{split}_dataloader'):
            yield split, loader
    if bank := (cfg.get('test_cfg') or {}).get('bank_dataloader'):
        yield 'train', bank


@pytest.mark.parametrize('name', FILES)
def test_variables_reach_what_depends_on_them(name: str) -> None:
    cfg, given = load(name)
    assert 'data_root' in given or name == 'severe/vitb_ssv2'
    for split, loader in loaders(cfg):
        dataset = loader.dataset
        if dataset.type == 'mmengine.ConcatDataset':  # of training and validation videos, for classifiers
            assert [part.ann_file for part in dataset.datasets] == [given['train_list'], given['val_list']]
            continue
        if dataset.type == 'VOSDataset':  # tested on another data set than trained on
            continue
        assert dataset.data_root == given['data_root']
        if split == 'train' and 'batch_size' in given:
            assert loader.batch_size == 3
        if 'train_list' in given:
            assert dataset.ann_file == given['train_list' if split == 'train' else 'val_list']
        if 'pipeline' not in dataset:  # clips that a data set itself cuts out
            continue
        read = dataset.pipeline[0]
        if read.type == 'ReadClip':
            assert read.decoder == 'torchcodec'
            if split == 'test' and 'num_clips' in given:
                assert read.sampling.num_clips == 11
    if optimizer := (cfg.get('optim_wrapper') or {}).get('optimizer'):
        assert optimizer.lr == (0.5 * 1024 / 256 if 'base_lr' in given else 0.25)
        assert cfg.train_cfg.max_epochs == 7 or 'epochs' not in given
        if schedule := cfg.get('param_scheduler'):
            assert schedule.end == 7
