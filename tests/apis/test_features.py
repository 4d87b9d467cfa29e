"""Which videos features are extracted of."""

from pathlib import Path

import pytest
from mmengine.config import Config

from mmsigma.apis.features import check_extractable, dataset_of, encoder_config, extract_features, features_of
from mmsigma.utils.config import load_config


@pytest.fixture
def cfg() -> Config:
    dataset = dict(type='VideoDataset', data_root='data', ann_file='val.txt', data_prefix=dict(video='videos'))
    chosen = dict(label_range=(6, 16), subset=dict(num_examples=1000))
    return Config(dict(test_dataloader=dict(dataset={**dataset, **chosen, 'pipeline': []})))


def test_videos_of_the_config(cfg: Config) -> None:
    assert dataset_of(cfg, None) == cfg.test_dataloader.dataset


@pytest.mark.parametrize('is_list', [True, False])
def test_other_videos_are_all_taken(cfg: Config, tmp_path: Path, is_list: bool) -> None:
    (tmp_path / 'mine.txt').write_text('a.mp4 0\n')
    dataset = dataset_of(cfg, tmp_path / 'mine.txt' if is_list else tmp_path)
    place = dict(data_root=str(tmp_path), ann_file='mine.txt' if is_list else '', data_prefix=dict(video=''))
    assert dataset == dict(type='VideoDataset', pipeline=[], **place)  # no label_range and no subset
    assert cfg.test_dataloader.dataset.label_range == (6, 16)


def test_what_is_not_there(cfg: Config, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match='neither a list nor a folder of videos at .*nowhere'):
        dataset_of(cfg, tmp_path / 'nowhere')
    with pytest.raises(ValueError, match='the config has no bank_dataloader'):
        dataset_of(cfg, None, 'bank')
    (tmp_path / 'a.MP4').touch()
    with pytest.raises(ValueError, match=r'a\.MP4 is a video: give a folder of videos, or a list'):
        dataset_of(cfg, tmp_path / 'a.MP4')


def test_unknown_pooling() -> None:
    for call in (lambda: features_of(None, {}, 'max'), lambda: extract_features(None, {}, None, pooling='max')):
        with pytest.raises(ValueError, match="pooling must be 'mean' or 'tokens', got 'max'"):
            call()


def test_the_encoder_of_pre_training(tmp_path: Path) -> None:
    """Nothing of the target is built, which might be downloaded."""
    found = encoder_config(load_config('mmsigma::sigma/vitb_ssv2_dino'))
    assert found.model.keys() == {'type', 'backbone', 'data_preprocessor'}
    assert found.model.backbone == {**load_config('mmsigma::knn/vitb_ssv2').model.backbone}
    dataset = dataset_of(found, tmp_path)
    read, crop, _ = dataset['pipeline']
    assert read['sampling'] == dict(type='SampleDenseViews', clip_len=16, frame_interval=2, num_clips=1)
    assert crop['size'] == 224 and dataset['data_root'] == str(tmp_path)
    own = load_config('mmsigma::knn/vitb_k400')
    assert encoder_config(own) is own


def test_models_without_an_encoder_of_clips() -> None:
    with pytest.raises(ValueError, match='model.type: GTA embeds every frame'):
        encoder_config(load_config('mmsigma::gta/gta_penn_action'))
    cfg = load_config('mmsigma::demo/sigma_tiny_demo_mlp')
    cfg.train_dataloader.dataset.pipeline = [dict(type='PackVideoInputs')]
    with pytest.raises(ValueError, match='has no test_dataloader, and its training pipeline no ReadClip'):
        encoder_config(cfg)


@pytest.mark.parametrize(
    ('config', 'remedy'),
    [('gta/gta_penn_action', 'VideoAligner'), ('vos/r18', 'VideoSegmenter'), ('mask_vos/r18_ytvos', 'VideoSegmenter')],
)
def test_models_of_frames_name_the_right_tool(config: str, remedy: str) -> None:
    with pytest.raises(ValueError, match=f'model.type: .*mmsigma.{remedy}'):
        check_extractable(load_config(f'mmsigma::{config}'))
    check_extractable(load_config('mmsigma::knn/vitb_k400'))
