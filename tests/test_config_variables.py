"""Variables have one name in all configs, and reach loaders, pipelines and optimiser from the command line."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from mmengine.config import Config

from mmsigma.utils.config import load_config
from mmsigma.utils.preflight import ConfigError

CONFIGS = Path(__file__).resolve().parents[1] / 'configs'
FILES = {
    str(path.relative_to(CONFIGS).with_suffix('')): path
    for path in sorted(CONFIGS.rglob('*.py'))
    if '_base_' not in path.parts
}
OPTIONS: dict[str, Any] = dict(
    data_root='elsewhere',
    data_root_test='tested',
    ann_file_train='mine_train.txt',
    ann_file_val='mine_val.txt',
    video_folder='seen',
    video_folder_val='unseen',
    decoder='torchcodec',
    num_workers=5,
    batch_size=3,
    epochs=7,
    base_lr=0.5,
    global_batch=1024,
    num_clips=11,
)
# In two stages: correspondence_epochs and joint_epochs in place of epochs.
TWO_STAGES = ('MaskVOS',)
# Read from ImageSets, meta.json and the like; no list of one's own.
WITHOUT_LISTS = ('VOSDataset', 'JHMDBDataset', 'SegmentationClipDataset')
# Other names of what the options above are.
OTHER_NAMES = {'ann_file', 'train_list', 'val_list', 'test_root', 'group_size', 'lr', 'max_epochs'}
every_config = pytest.mark.parametrize('name', FILES)


def load(name: str, **others: Any) -> tuple[Config, dict[str, Any]]:
    """A config with all of the options that are variables of it, and these."""
    plain = load_config(FILES[name])
    given = {key: value for key, value in OPTIONS.items() if key in plain} | others
    return load_config(FILES[name], given), given


def datasets(cfg: Config) -> Iterator[tuple[str, dict, dict]]:
    """Whether its list is that of training, validation or test; a loader; and a dataset of it."""
    for split in ('train', 'val', 'test'):
        if not (loader := cfg.get(f'{split}_dataloader')):
            continue
        if loader.dataset.type == 'mmengine.ConcatDataset':  # of training and test videos, for classifiers
            yield from (('train' if part.part == 'train' else split, loader, part) for part in loader.dataset.datasets)
        else:
            yield split, loader, loader.dataset
    if bank := (cfg.get('test_cfg') or {}).get('bank_dataloader'):
        yield 'train', bank, bank.dataset


@every_config
def test_names(name: str) -> None:
    assert not OTHER_NAMES & load_config(FILES[name]).keys()


@every_config
def test_data(name: str) -> None:
    cfg, given = load(name)
    for split, loader, dataset in datasets(cfg):
        if dataset.type == 'RenderedClips':
            continue  # it reads nothing
        if (
            dataset.type == 'VOSDataset'
            and name.startswith(('mask_vos/', 'demo/mask_vos', 'evidence/mask_vos'))
            and 'keys' not in name
        ):
            assert dataset.data_root == given['data_root_test']  # trained on other data; tested in this process
            continue
        assert dataset.data_root == given['data_root'] and loader.num_workers == given['num_workers']
        if dataset.type not in WITHOUT_LISTS:
            assert dataset.ann_file == given['ann_file_train' if split == 'train' else 'ann_file_val']
            if 'data_prefix' in dataset and dataset.type != 'CharadesDataset':  # which has one folder
                expected = 'seen' if split == 'train' else given.get('video_folder_val', 'seen')
                assert dataset.data_prefix.video == expected
        reads = [step for step in dataset.get('pipeline', ()) if step.type == 'ReadClip']
        assert all(step.decoder == given['decoder'] for step in reads)
        if split == 'test' and reads and not name.startswith('knn/') and 'num_clips' in given:
            assert reads[0].sampling.num_clips == 11  # neighbours are searched with one clip


@every_config
def test_list_of_test_videos_alone(name: str) -> None:
    if 'ann_file_test' not in load_config(FILES[name]):
        assert all(
            dataset.type in WITHOUT_LISTS
            for split, _, dataset in datasets(load_config(FILES[name]))
            if split != 'train'
        )
        return
    cfg, given = load(name, ann_file_test='mine_test.txt')
    for split, _, dataset in datasets(cfg):
        tested = split if cfg.get('val_dataloader') or split == 'train' else 'test'
        assert dataset.ann_file == {**given, 'ann_file_test': 'mine_test.txt'}[f'ann_file_{tested}']


@every_config
def test_training(name: str) -> None:
    cfg, given = load(name)
    if not cfg.get('train_dataloader'):
        return
    assert cfg.train_dataloader.batch_size == given['batch_size']
    sampler = cfg.train_dataloader.sampler
    assert sampler.type != 'ClassGroupSampler' or sampler.group_size == given['batch_size']
    rate = given['base_lr']
    if 'global_batch' in given:  # of the release: per 256 clips
        rate *= given['global_batch'] / 256
        repeats = cfg.train_dataloader.dataset.pipeline[-1].get('num_repeats', 1)
        scaled = cfg.auto_scale_lr.base_batch_size * cfg.optim_wrapper.get('accumulative_counts', 1)
        assert scaled == 1024 * repeats
    elif cfg.model.type == 'DINO':  # per 256 frames, of one process
        rate *= given['batch_size'] / 256
    assert cfg.optim_wrapper.optimizer.lr == pytest.approx(rate, rel=1e-12)
    if cfg.model.type in TWO_STAGES and 'epochs' not in given:
        stages = dict(correspondence_epochs=5, joint_epochs=2)
        if name.endswith('crw_r18_k400_corr'):  # the first stage alone
            stages['joint_epochs'] = 0
        assert load_config(FILES[name], stages).train_cfg.max_epochs == sum(stages.values())
        return
    assert cfg.train_cfg.max_epochs == given['epochs']
    if isinstance(cfg.get('param_scheduler'), dict):
        assert cfg.param_scheduler.end == given['epochs']


@every_config
def test_every_variable_of_one_name_is_there(name: str) -> None:
    cfg = load_config(FILES[name])
    expected = {'data_root', 'num_workers'}
    if cfg.get('train_dataloader'):
        expected |= {'batch_size', 'base_lr'}
    for split, _, dataset in datasets(cfg):
        if dataset.type not in WITHOUT_LISTS:
            expected |= {'ann_file_train'} if split == 'train' else {'ann_file_val', 'ann_file_test'}
            expected |= {'video_folder'} if 'data_prefix' in dataset else set()
        if any(step.type == 'ReadClip' for step in dataset.get('pipeline', ())):
            expected.add('decoder')
    assert expected <= cfg.keys()


@pytest.mark.parametrize('name', ['ann_file', 'train_list', 'lr'])
def test_another_name_is_an_error(name: str) -> None:
    with pytest.raises(ConfigError, match=f"'{name}' is neither a variable"):
        load_config(FILES['finetune/vitb_k400'], {name: 'x'})


@every_config
def test_folders_of_mmaction2(name: str) -> None:
    if 'video_folder_val' not in load_config(FILES[name]) or name.startswith(('evidence/', 'severe/vitb_charades')):
        return  # or with datasets of their own
    cfg, _ = load(name, video_folder='videos_train', video_folder_val='videos_val')
    for split, _, dataset in datasets(cfg):
        assert dataset.data_prefix.video == ('videos_train' if split == 'train' else 'videos_val')
