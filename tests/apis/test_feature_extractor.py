"""Features of one video against its frames, read and encoded by hand."""

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor

from mmsigma.apis import FeatureExtractor
from mmsigma.checkpoints.files import CheckpointError
from mmsigma.datasets.transforms import UnreadableVideoError
from mmsigma.io.video import FrameReader
from mmsigma.models import VideoVisionTransformer
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
