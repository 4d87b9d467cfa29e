"""Features of one video against its frames, read and encoded by hand."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import Tensor

from mmsigma.apis import FeatureExtractor
from mmsigma.checkpoints.files import CheckpointError
from mmsigma.datasets.transforms import UnreadableVideoError
from mmsigma.io.video import FrameReader
from mmsigma.models import VideoVisionTransformer
from mmsigma.registry import MODELS
from mmsigma.utils.config import load_config
from tests.datasets.clips import write_video

ARCH = dict(embed_dims=24, depth=1, num_heads=2)
MEAN, STD = 100.0, 50.0
CONFIG = f"""
num_clips = 1
model = dict(
    type='VideoClassifier',
    backbone=dict(type='VideoVisionTransformer', arch={ARCH}, img_size=48, num_frames=4, patch_size=8),
    head=None,
    data_preprocessor=dict(type='VideoDataPreprocessor', mean=[{MEAN}] * 3, std=[{STD}] * 3),
)
sampling = dict(type='SampleDenseViews', clip_len=4, frame_interval=1, num_clips=num_clips)
pipeline = [
    dict(type='ReadClip', decoder='pyav', sampling=sampling),
    dict(type='CropViews', size=48),
    dict(type='PackVideoInputs'),
]
test_dataloader = dict(batch_size=1, dataset=dict(type='VideoDataset', pipeline=pipeline, test_mode=True))
default_scope = 'mmsigma'
"""


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path, VideoVisionTransformer]:
    """Config, checkpoint, and the backbone that it is of."""
    (tmp_path / 'config.py').write_text(CONFIG)
    backbone = VideoVisionTransformer(ARCH, img_size=48, num_frames=4, patch_size=8)
    torch.save(backbone.state_dict(prefix='backbone.'), tmp_path / 'model.pth')
    return tmp_path / 'config.py', tmp_path / 'model.pth', backbone.eval()


@torch.no_grad()
def encode(backbone: VideoVisionTransformer, video: Path, *starts: int) -> Tensor:
    """Tokens of clips of four frames (V, N, D), of the square in the middle of each frame."""
    frames = torch.stack([torch.from_numpy(frame) for frame in FrameReader(video)]).float()
    clips = torch.stack([frames[start : start + 4, :, 8:56] for start in starts])
    return backbone((clips.permute(0, 4, 1, 2, 3) - MEAN) / STD)


def test_mean_and_tokens_of_one_view(files: tuple, tmp_path: Path) -> None:
    config, checkpoint, backbone = files
    video = write_video(tmp_path / 'a.mp4', 4)
    extract, expected = FeatureExtractor(config, checkpoint, device='cpu'), encode(backbone, video, 0)
    tokens = extract(str(video), pooling='tokens')
    assert tokens.shape == (72, 24) and not tokens.requires_grad
    torch.testing.assert_close(tokens, expected[0], atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(extract(video), expected.mean(dim=(0, 1)), atol=1e-5, rtol=1e-4)


def test_several_views_by_an_option(files: tuple, tmp_path: Path) -> None:
    config, checkpoint, backbone = files
    video = write_video(tmp_path / 'a.mp4', 8)
    extract = FeatureExtractor(config, checkpoint, device='cpu', options=dict(num_clips=2))
    expected = encode(backbone, video, 0, 4)
    torch.testing.assert_close(extract(video, 'tokens'), expected.flatten(0, 1), atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(extract(video), expected.mean(dim=(0, 1)), atol=1e-5, rtol=1e-4)


def test_what_cannot_be_used(files: tuple, tmp_path: Path) -> None:
    config, checkpoint, _ = files
    extract = FeatureExtractor(config, checkpoint, device='cpu')
    with pytest.raises(UnreadableVideoError, match='nowhere.mp4 cannot be read'):
        extract(tmp_path / 'nowhere.mp4')
    with pytest.raises(ValueError, match="pooling must be 'mean' or 'tokens', got 'max'"):
        extract(write_video(tmp_path / 'a.mp4', 4), 'max')
    for missing in ((tmp_path / 'no.py', checkpoint), (config, tmp_path / 'no.pth')):
        with pytest.raises(FileNotFoundError, match=r'no\.p'):
            FeatureExtractor(*missing, device='cpu')
    torch.save({'backbone.pos': torch.zeros(1)}, tmp_path / 'other.pth')
    with pytest.raises(CheckpointError, match=r'other\.pth'):
        FeatureExtractor(config, tmp_path / 'other.pth', device='cpu')


def test_objects_in_a_checkpoint_need_trust(files: tuple, tmp_path: Path) -> None:
    config, checkpoint, backbone = files
    torch.save(dict(model=torch.load(checkpoint), args=SimpleNamespace(lr=1)), tmp_path / 'objects.pth')
    with pytest.raises(CheckpointError, match='could execute code'):
        FeatureExtractor(config, tmp_path / 'objects.pth', device='cpu')
    extract = FeatureExtractor(config, tmp_path / 'objects.pth', device='cpu', trust=True)
    assert torch.equal(extract.model.backbone.patch_embed.proj.weight, backbone.patch_embed.proj.weight)


def test_lists_and_frames_in_memory(files: tuple, tmp_path: Path) -> None:
    config, checkpoint, backbone = files
    path = write_video(tmp_path / 'a.mp4', 4)
    extract, frames = FeatureExtractor(config, checkpoint, device='cpu'), np.stack(list(FrameReader(path)))
    expected = encode(backbone, path, 0).mean(dim=(0, 1))
    for found in extract([path, frames, torch.from_numpy(frames).permute(0, 3, 1, 2), iter(frames)]):
        torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-4)


def test_results_are_saved(files: tuple, tmp_path: Path) -> None:
    config, checkpoint, _ = files
    path = write_video(tmp_path / 'dog.mp4', 4)
    extract = FeatureExtractor(config, checkpoint, device='cpu', precision='bfloat16')
    found = extract.extract(path, 'tokens')
    assert found.name == 'dog' and found.caption.startswith('features of 72 x 24')
    saved, picture = found.save(tmp_path / 'out')
    np.testing.assert_array_equal(np.load(saved), extract(path, 'tokens').numpy())
    assert np.load(saved).dtype == np.float32 and found.picture().shape == (72, 24, 3) and picture.is_file()
    exact = FeatureExtractor(config, checkpoint, device='cpu')(path, 'tokens')
    torch.testing.assert_close(found.features, exact, atol=0.05, rtol=0.05)
    assert not torch.equal(found.features, exact)


def test_a_config_of_pre_training(tmp_path: Path) -> None:
    """The features are those of the encoder without its final norm, of the middle of the video."""
    name, options = 'mmsigma::demo/sigma_tiny_demo_mlp', {'model.backbone.arch': ARCH}
    cfg = load_config(name, options)
    assert 'test_dataloader' not in cfg
    model = MODELS.build(cfg.model).eval()
    torch.save(dict(state_dict=model.state_dict(), meta=dict(cfg=cfg.pretty_text)), tmp_path / 'sigma.pth')
    frames = np.random.default_rng(0).integers(0, 256, (50, 40, 56, 3), dtype=np.uint8)
    extract = FeatureExtractor(name, tmp_path / 'sigma.pth', device='cpu', options=options)
    _, length, height, width = model.backbone.input_shape
    (step,) = [one for one in cfg.train_pipeline if one['type'] == 'ReadClip']
    numbers = np.arange(0, 50, step['sampling']['frame_interval'])
    first = (len(numbers) - length) // 2
    sample = extract.pipeline(frames)
    assert sample['data_samples'].frame_inds.tolist() == numbers[first : first + length].tolist()
    assert sample['inputs'].shape == (3, length, height, width)
    model.backbone.norm = torch.nn.Identity()
    clip = model.data_preprocessor(dict(inputs=[sample['inputs']]), False)['inputs']
    expected = model.backbone(clip).mean(dim=1)[0].detach()
    torch.testing.assert_close(extract(frames), expected, atol=1e-5, rtol=1e-4)
    alone = FeatureExtractor(tmp_path / 'sigma.pth', device='cpu')
    torch.testing.assert_close(alone(frames), expected, atol=1e-5, rtol=1e-4)
