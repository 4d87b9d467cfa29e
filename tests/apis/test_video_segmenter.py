"""Segmenting a user's own video, by program and from the command line."""

import base64
import re
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

from mmsigma.apis import VideoSegmenter
from mmsigma.io.masks import read_mask, write_mask
from mmsigma.io.tables import read_csv
from mmsigma.io.video import FrameReader, write_mp4
from mmsigma.registry import MODELS
from mmsigma.utils.config import load_config
from tests.vos_data import draw_video, write_frames

ROOT = Path(__file__).resolve().parents[2]
CONFIG = ROOT / 'configs' / 'vos' / 'colour.py'
SMALL = {'model.backbone.stride': 4, 'model.propagator.radius': 4, 'model.propagator.num_context': 2}


@pytest.fixture(scope='module')
def inferencer() -> VideoSegmenter:
    return VideoSegmenter(CONFIG, options=SMALL, device='cpu')


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Frames of a video in ``frames``, the mask of the first one in ``mask.png``."""
    frames, masks = draw_video(6, num_objects=2)
    write_frames(tmp_path / 'frames', frames, [f'f{number}' for number in range(6)])
    write_mask(tmp_path / 'mask.png', masks[0])
    return tmp_path


def test_writes_masks_and_overlay(inferencer: VideoSegmenter, folder: Path) -> None:
    seen = []
    result = inferencer.write(
        folder / 'frames', folder / 'mask.png', folder / 'out', progress=lambda *numbers: seen.append(numbers)
    )
    assert (result.num_frames, result.ids) == (6, [1, 2])
    assert seen == [(number, 6) for number in range(1, 7)]
    assert sorted(path.name for path in result.masks.iterdir()) == [f'f{number}.png' for number in range(6)]
    np.testing.assert_array_equal(read_mask(result.masks / 'f0.png'), read_mask(folder / 'mask.png'))
    truth = draw_video(6, num_objects=2)[1][-1]
    assert (read_mask(result.masks / 'f5.png') == truth).mean() > 0.9
    assert len(FrameReader(result.overlay)) == 6


def test_video_file(inferencer: VideoSegmenter, folder: Path) -> None:
    write_mp4(folder / 'video.mp4', FrameReader(folder / 'frames'), fps=10)
    pairs = list(inferencer(folder / 'video.mp4', folder / 'mask.png'))
    assert len(pairs) == 6 and pairs[3][0].shape == (36, 52, 3)
    assert set(np.unique(pairs[-1][1])) == {0, 1, 2}


@pytest.mark.parametrize('kind', ['palette', 'binary', 'npy', 'array', 'bool'])
def test_kinds_of_masks(inferencer: VideoSegmenter, folder: Path, kind: str) -> None:
    ids = (read_mask(folder / 'mask.png') > 0).astype(np.uint8)
    mask: Path | np.ndarray = folder / f'{kind}.png'
    if kind == 'palette':
        write_mask(mask, ids)
    elif kind == 'binary':
        Image.fromarray(ids * 255).save(mask)
    elif kind == 'npy':
        mask = folder / 'mask.npy'
        np.save(mask, ids)
    else:
        mask = ids if kind == 'array' else ids > 0
    (_, first), *_ = inferencer(folder / 'frames', mask)
    np.testing.assert_array_equal(first, ids)


def test_masks_that_are_none(inferencer: VideoSegmenter, folder: Path) -> None:
    frames = folder / 'frames'
    Image.fromarray(np.full((36, 52, 3), (128, 0, 0), np.uint8)).save(folder / 'rgb.png')
    with pytest.raises(ValueError, match='rgb.png has the mode RGB: its pixels are colours. Save it with a palette'):
        inferencer(frames, folder / 'rgb.png')
    shades = np.linspace(0, 255, 36 * 52).reshape(36, 52).astype(np.uint8)
    Image.fromarray(shades).save(folder / 'soft.png')
    with pytest.raises(ValueError, match='soft.png has 256 different values, .*: it looks anti-aliased'):
        inferencer(frames, folder / 'soft.png')
    with pytest.raises(ValueError, match='the mask has no object: all pixels are background'):
        inferencer(frames, np.zeros((36, 52), np.uint8))
    with pytest.raises(ValueError, match=r'the mask contains float64 \(36, 52\)'):
        inferencer(frames, np.zeros((36, 52)))
    with pytest.raises(ValueError, match='there is a mask for frame 6, but the video has 6 frames'):
        inferencer(frames, {0: folder / 'mask.png', 6: folder / 'mask.png'})
    with pytest.raises(FileNotFoundError, match='no mask at'):
        inferencer(frames, folder / 'missing.png')
    with pytest.raises(ValueError, match='the mask of frame 0 is 20 x 52, the frame 36 x 52'):
        list(inferencer(frames, np.ones((20, 52), np.uint8)))
    drawn, _ = draw_video(2, num_objects=2)
    write_frames(folder / 'uneven', [drawn[0], drawn[1][:20]], ['0', '1'])
    with pytest.raises(ValueError, match='uneven, frame 1: features .* all frames must have one size'):
        list(inferencer(folder / 'uneven', folder / 'mask.png'))
    with pytest.raises(ValueError, match='vitb.py requires a checkpoint'):
        VideoSegmenter(ROOT / 'configs' / 'vos' / 'vitb.py')


@pytest.mark.parametrize('kind', ['255', 'bit', 'bool'])
def test_black_and_white_masks_of_later_objects(inferencer: VideoSegmenter, folder: Path, kind: str) -> None:
    _, masks = draw_video(6, num_objects=2)
    given: dict[int, Path | np.ndarray] = {}
    for frame, number in ((3, 2), (0, 1)):
        mask = masks[frame] == number
        given[frame] = mask if kind == 'bool' else folder / f'{frame}.png'
        if kind != 'bool':
            Image.fromarray(255 * mask.astype(np.uint8)).convert('1' if kind == 'bit' else 'L').save(given[frame])
    pred = [ids for _, ids in inferencer(folder / 'frames', given)]
    assert set(np.unique(pred[2])) == {0, 1} and set(np.unique(pred[-1])) == {0, 1, 2}
    np.testing.assert_array_equal(pred[3] == 2, masks[3] == 2)


def test_masks_without_a_new_object(inferencer: VideoSegmenter, folder: Path) -> None:
    with pytest.raises(ValueError, match=r'the mask of frame 3 has no new object: \[1, 2\] were given before'):
        inferencer(folder / 'frames', {0: folder / 'mask.png', 3: folder / 'mask.png'})


@pytest.mark.parametrize('kind', ['png', 'npy', 'array'])
def test_antialiased_masks(inferencer: VideoSegmenter, folder: Path, kind: str) -> None:
    smooth = cv2.resize(np.kron(read_mask(folder / 'mask.png') > 0, np.ones((2, 2))).astype(np.uint8) * 255, (70, 50))
    mask: Path | np.ndarray = smooth if kind == 'array' else folder / f'smooth.{kind}'
    if kind == 'png':
        Image.fromarray(smooth).save(mask)
    elif kind == 'npy':
        np.save(mask, smooth)
    with pytest.raises(ValueError, match='only along its edge: it looks anti-aliased'):
        inferencer(folder / 'frames', mask)


def test_from_the_command_line(run_tool: Callable, folder: Path) -> None:
    """In a process of its own; a mistake in this one."""
    options = [f'{key}={value}' for key, value in SMALL.items()]
    arguments = [folder / 'frames', '--config', CONFIG]
    command = [sys.executable, ROOT / 'demo' / 'vos_demo.py', *arguments, '--mask', folder / 'mask.png']
    command += ['--out', folder / 'cli', '--cfg-options', *options]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert '6 frames, objects [1, 2]' in done.stdout
    assert len(list((folder / 'cli' / 'masks').iterdir())) == 6
    failed = run_tool('demo/vos_demo.py', *arguments, '--mask', 'missing.png')
    assert failed.status == 1 and 'no mask at missing.png' in failed.errors


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (['--mask-at', '3', 'b.png', '--mask-at', '3', 'c.png'], 'frame 3 has two masks, b.png and c.png'),
        (['--mask-at', '0', 'b.png'], 'frame 0 has two masks, a.png and b.png'),
        (['--mask-at', 'x', 'b.png'], "--mask-at needs the number of a frame, got 'x'"),
        (['--opacity', '5'], '--opacity must be between 0 and 1, got 5'),
        (['--opacity', 'nan'], '--opacity must be between 0 and 1, got nan'),
    ],
)
def test_arguments_that_contradict_each_other(run_tool: Callable, arguments: list[str], message: str) -> None:
    failed = run_tool('demo/vos_demo.py', 'frames', '--mask', 'a.png', *arguments)
    assert failed.status == 2 and message in failed.errors


def test_opacity(inferencer: VideoSegmenter, folder: Path) -> None:
    with pytest.raises(ValueError, match='opacity must be between 0 and 1, got 5'):
        inferencer.write(folder / 'frames', folder / 'mask.png', folder / 'out', opacity=5)


def test_a_hundred_objects(inferencer: VideoSegmenter, folder: Path) -> None:
    frames, _ = draw_video(2)
    mask = np.kron(np.arange(1, 101).reshape(10, 10), np.ones((3, 5), np.int64))
    mask = np.pad(mask, ((0, 6), (0, 2)))
    write_frames(folder / 'two', frames, ['0', '1'])
    results = list(inferencer(folder / 'two', mask))
    assert len(np.unique(results[0][1])) == 101


def test_frames_in_memory(inferencer: VideoSegmenter, folder: Path) -> None:
    frames, masks = draw_video(6, num_objects=2)
    expected = [ids for _, ids in inferencer(folder / 'frames', folder / 'mask.png')]
    for video in (frames, iter(frames), torch.from_numpy(frames).permute(3, 0, 1, 2)):
        found = inferencer.segment(video, masks[0])
        np.testing.assert_array_equal(found.masks, expected)
        np.testing.assert_array_equal(found.frames, frames)
    assert found.ids == [1, 2] and found.caption == '6 frames, objects [1, 2]' and found.name == 'frames'
    both = inferencer.segment([frames, folder / 'frames'], [masks[0], {0: masks[0]}])
    assert [one.frame_names[0] for one in both] == ['00000', 'f0']
    with pytest.raises(ValueError, match='there are 2 videos: give a list of as many masks'):
        inferencer.segment([frames, frames], [masks[0]])
    with pytest.raises(ValueError, match='a list of masks is for a list of videos'):
        inferencer.segment(frames, [masks[0]])


def test_results_are_saved_and_play(inferencer: VideoSegmenter, folder: Path) -> None:
    found = inferencer.segment(folder / 'frames', folder / 'mask.png')
    paths = [str(path.relative_to(folder / 'out')) for path in found.save(folder / 'out')]
    assert paths == [*(f'masks/f{n}.png' for n in range(6)), 'overlay.mp4', 'masks.npy', 'table.csv', 'picture.png']
    np.testing.assert_array_equal(read_mask(folder / 'out/masks/f5.png'), found.masks[5])
    np.testing.assert_array_equal(np.load(folder / 'out/masks.npy'), found.masks)
    assert len(FrameReader(folder / 'out/overlay.mp4')) == 6
    rows = [row for _, row in read_csv(folder / 'out/table.csv')[1]]
    assert len(rows) == 12 and rows[0] == {'frame': 'f0', 'object': '1', 'pixels': '120'}
    page = found._repr_html_()
    (data,) = re.findall('src="data:video/mp4;base64,([^"]+)"', page)
    (folder / 'player.mp4').write_bytes(base64.b64decode(data))
    assert len(FrameReader(folder / 'player.mp4')) == 6


def test_half_precision(folder: Path) -> None:
    half = VideoSegmenter(CONFIG, options=SMALL, device='cpu', precision='bfloat16')
    assert half.model.dtype is torch.bfloat16
    truth = draw_video(6, num_objects=2)[1][-1]
    assert (half.segment(folder / 'frames', folder / 'mask.png').masks[-1] == truth).mean() > 0.9


def test_large_frames_are_reduced(folder: Path) -> None:
    frames, masks = (part.repeat(4, 1).repeat(4, 2) for part in draw_video(6, num_objects=2))
    small = VideoSegmenter(CONFIG, options=SMALL, device='cpu', short_side=36)
    found = small.segment(frames, masks[0])
    expected = VideoSegmenter(CONFIG, options=SMALL, device='cpu').segment(frames[:, ::4, ::4], masks[0, ::4, ::4])
    np.testing.assert_array_equal(found.masks, np.repeat(np.repeat(expected.masks, 4, 1), 4, 2))
    np.testing.assert_array_equal(found.frames, frames)
    written = small.write(frames, masks[0], folder / 'small', height=36)
    assert read_mask(written.masks / '00005.png').shape == (144, 208)
    assert FrameReader(written.overlay).read(0).shape == (36, 52, 3)
    lost = masks[0].copy()
    lost[0, 0] = 3
    with pytest.raises(ValueError, match='frame 00000: object 3 has 1 pixels, none of which is left .* 52 x 36'):
        small.segment(frames, lost)
    with pytest.raises(ValueError, match='frame 00000: the mask is 36 x 52, the frame 144 x 208'):
        small.segment(frames, masks[0, ::4, ::4])
    with pytest.raises(ValueError, match='short_side must be positive, got 0'):
        VideoSegmenter(CONFIG, device='cpu', short_side=0)


def test_masks_of_another_video_are_not_mixed(inferencer: VideoSegmenter, folder: Path) -> None:
    frames, masks = draw_video(6, num_objects=2)
    inferencer.write(frames, masks[0], folder / 'out')
    inferencer.write(frames, masks[0], folder / 'out')  # the same frames again
    for write in (
        lambda: inferencer.write(frames[:4], masks[0], folder / 'out'),
        lambda: inferencer.segment(frames[:4], masks[0]).save(folder / 'out'),
    ):
        with pytest.raises(
            ValueError, match=r'out/masks has masks of other frames, such as 00004\.png: choose another'
        ):
            write()
    assert len(FrameReader(folder / 'out/overlay.mp4')) == 6


def test_an_encoder_of_timm_takes_its_weights_from_the_checkpoint(tmp_path: Path) -> None:
    timm = pytest.importorskip('timm')
    settings = {
        'model.backbone.model_name': 'vit_tiny_patch16_224',
        'model.backbone.model_kwargs': dict(depth=1, embed_dim=32, num_heads=2),
        'model.geometry.short_side': 32,
        'model.geometry.long_multiple': 16,
    }
    network = timm.create_model('vit_tiny_patch16_224', num_classes=0, **settings['model.backbone.model_kwargs'])
    torch.save(network.state_dict(), tmp_path / 'vit.pth')
    config = ROOT / 'configs' / 'vos' / 'dino_vits8.py'
    segment = VideoSegmenter(config, tmp_path / 'vit.pth', options=settings, device='cpu')  # not from the hub
    own = segment.model.backbone.state_dict()
    assert torch.equal(own['shield.encoder.cls_token'], network.state_dict()['cls_token'])
    torch.save(dict(state_dict=segment.model.state_dict()), tmp_path / 'ours.pth')
    again = VideoSegmenter(config, tmp_path / 'ours.pth', options=settings, device='cpu').model.backbone.state_dict()
    assert own.keys() == again.keys() and all(torch.equal(own[name], again[name]) for name in own)
    with pytest.raises(FileNotFoundError, match=r'no checkpoint at .*vitt\.pth: .*; did you mean vit\.pth\?'):
        VideoSegmenter(config, tmp_path / 'vitt.pth', options=settings, device='cpu')


def test_a_decoder_that_has_seen_no_masks_is_warned_of(tmp_path: Path) -> None:
    config = ROOT / 'configs' / 'demo' / 'mask_vos_tiny_demo.py'
    cfg = load_config(config)
    state = MODELS.build(cfg.model).state_dict()
    for epoch in (2, 3):
        torch.save(dict(state_dict=state, meta=dict(cfg=cfg.pretty_text, epoch=epoch)), tmp_path / f'{epoch}.pth')
    with pytest.warns(UserWarning, match=r'2\.pth has not been trained on masks yet.*r18_ytvos_keys'):
        VideoSegmenter(config, tmp_path / '2.pth', device='cpu')
    with warnings.catch_warnings():
        warnings.filterwarnings('error', 'has not been trained')
        VideoSegmenter(tmp_path / '3.pth', device='cpu')
