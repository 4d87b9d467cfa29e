"""Clips and masks are those that the evaluation is defined on."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from mmsigma.datasets.vos.segmentation_clips import (
    SegmentationClipDataset,
    choose_frames,
    fixed_share,
    read_categories,
    shrink_mask,
)
from mmsigma.io.masks import write_mask
from tests.golden_evaluation import load_case

DAVIS = Path(__file__).resolve().parents[4] / 'shared' / 'data' / 'davis'


def write_video(pictures: Path, masks: Path, number: int, ids: tuple[int, ...] = (1, 2)) -> None:
    """Frames of 48 x 64 whose brightness is their number, one square per object."""
    pictures.mkdir(parents=True)
    for time in range(number):
        Image.new('RGB', (64, 48), (10 * time,) * 3).save(pictures / f'{5 * time:05d}.png')
        mask = np.zeros((48, 64), np.uint8)
        for place, label in enumerate(ids):
            mask[8:24, 4 + 24 * place : 24 + 24 * place] = label
        write_mask(masks / f'{5 * time:05d}.png', mask)


@pytest.fixture
def youtube_vos(tmp_path: Path) -> Path:
    """Ten videos; in each the first object is a zebra, the second an ape or, in every other video, a cat."""
    videos = {}
    for index in range(10):
        name, folder = f'v{index}', tmp_path / 'train'
        write_video(folder / 'JPEGImages' / name, folder / 'Annotations' / name, 6)
        frames = [f'{5 * time:05d}' for time in range(6)]
        objects = {'1': 'zebra', '2': ('ape', 'cat')[index % 2]}
        videos[name] = {'objects': {i: {'category': c, 'frames': frames} for i, c in objects.items()}}
    (tmp_path / 'train' / 'meta.json').write_text(json.dumps({'videos': videos}))
    return tmp_path


def unpack(case, kind: str, name: str, shape: tuple[int, ...]) -> np.ndarray:
    bits = case.arrays[f'{kind}_{name}']
    return np.unpackbits(bits)[: np.prod(shape)].reshape(shape)


@pytest.mark.parametrize('name', ['breakdance', 'car-roundabout'])
def test_golden_masks(name: str):
    case = load_case('seg_resize')
    masks = unpack(case, 'in_bits', name, tuple(case.arrays[f'in_shape_{name}']))
    middle = unpack(case, 'out_bits224', name, (len(masks), 224, 224))
    for mask, between, expected in zip(masks, middle, case.arrays[f'out_mask28_{name}'], strict=True):
        assert np.array_equal(shrink_mask(mask, 224, 224), between)
        assert np.array_equal(shrink_mask(mask), expected)
        assert np.array_equal(expected, between[::8, ::8])


def test_golden_labels():
    case = load_case('seg_resize')
    for square, expected in zip(
        case.arrays['in_label224'].reshape(-1, 224, 224), case.arrays['out_label28'].reshape(-1, 28, 28), strict=True
    ):
        assert np.array_equal(shrink_mask(square), expected)


@pytest.mark.skipif(not DAVIS.is_dir(), reason='DAVIS is not at hand')
def test_golden_clips_of_davis():
    case = load_case('seg_davis_end_to_end')
    known = dict(zip(case.arrays['in_sequences'].tolist(), case.arrays['in_gt'], strict=True))
    dataset = SegmentationClipDataset('davis', str(DAVIS), year=2016, split='dev')
    assert len(dataset) == 8
    compared = 0
    for clip in dataset:
        sample = clip['data_samples']
        assert clip['inputs'].shape == (3, 16, 224, 224) and clip['inputs'].dtype == torch.uint8
        if sample.video_name in known:
            assert sample.frame_inds == case.arrays[f'in_frames_{sample.video_name}'].tolist()
            assert np.array_equal(sample.gt_masks, known[sample.video_name])
            compared += 1
    assert compared == 6


@pytest.mark.parametrize(
    ('available', 'choice', 'expected'),
    [
        (50, 'even', [0, 16, 33, 49]),
        (4, 'even', [0, 1, 2, 3]),
        (2, 'even', [0, 0, 1, 1]),
        (10, 'consecutive', [3, 4, 5, 6]),
        (3, 'consecutive', [0, 1, 2, 2]),
    ],
)
def test_choice_of_frames(available: int, choice: str, expected: list[int]):
    assert choose_frames(available, 4, choice) == expected


def test_one_frame_is_the_middle():
    assert choose_frames(9, 1) == choose_frames(9, 1, 'consecutive') == [4]


def test_random_frames():
    drawn = [choose_frames(20, 8, 'random', seed) for seed in range(30)]
    assert all(frames == sorted(set(frames)) and len(frames) == 8 for frames in drawn)
    assert len({tuple(frames) for frames in drawn}) > 25 and {0, 19} < {n for frames in drawn for n in frames}
    assert choose_frames(20, 8, 'random', 3) == drawn[3]
    short = choose_frames(3, 8, 'random')
    assert short == sorted(short) and len(short) == 8 and {*short} <= {0, 1, 2}
    with pytest.raises(ValueError, match='cannot choose from 0 frames'):
        choose_frames(0, 4)


def test_fixed_share():
    names = [f'{number:04x}' for number in range(1000)]
    chosen = fixed_share(names)
    assert len(chosen) == 200 and chosen == sorted(chosen) == fixed_share(reversed(names))
    assert chosen[:4] == ['0002', '0004', '0015', '0019']  # the same on every machine
    fewer = fixed_share([name for name in names if name != chosen[0]])
    assert len(set(chosen) - set(fewer)) == 1  # a missing video changes no more than its own place
    assert fixed_share(names, seed=1) != chosen and fixed_share(['a'], 0.01) == ['a']
    with pytest.raises(ValueError, match='share'):
        fixed_share(names, 0.0)


def test_youtube_vos(youtube_vos: Path):
    settings = dict(split='train', all_frames=False, num_frames=4, img_size=64, mask_size=16)
    dataset = SegmentationClipDataset('youtube_vos', str(youtube_vos), categories=True, **settings)
    assert len(dataset) == 10 and read_categories(youtube_vos / 'train' / 'meta.json')['v1'] == {1: 3, 2: 2}
    for index, (first, second) in enumerate([(3, 1), (3, 2)]):
        clip = dataset[index]
        assert clip['inputs'].shape == (3, 4, 64, 64)
        assert clip['inputs'][0, :, 0, 0].tolist() == [0, 20, 30, 50] and clip['data_samples'].frame_inds == [
            0,
            2,
            3,
            5,
        ]
        masks = clip['data_samples'].gt_masks
        assert masks.shape == (4, 16, 16) and masks.unique().tolist() == sorted([0, first, second])
        assert masks[0, 4, 3] == first and masks[0, 4, 9] == second
    shared = SegmentationClipDataset('youtube_vos', str(youtube_vos), share=0.2, **settings)
    names = [clip['data_samples'].video_name for clip in shared]
    assert names == fixed_share([f'v{index}' for index in range(10)]) and len(names) == 2
    assert shared[0]['data_samples'].gt_masks.unique().tolist() == [0, 1, 2]  # ids of objects


def test_folders_and_short_videos(tmp_path: Path):
    write_video(tmp_path / 'JPEGImages' / 'a', tmp_path / 'Annotations' / 'a', 3, ids=(7,))
    write_video(tmp_path / 'JPEGImages' / 'b', tmp_path / 'Annotations' / 'b', 3)
    (tmp_path / 'Annotations' / 'a' / '00005.png').unlink()  # only frames with masks count
    dataset = SegmentationClipDataset('folders', str(tmp_path), num_frames=4, img_size=32, mask_size=8)
    assert dataset[0]['data_samples'].frame_inds == [0, 0, 2, 2]
    assert dataset[0]['data_samples'].gt_masks.unique().tolist() == [0, 7]
    only = SegmentationClipDataset('folders', str(tmp_path), videos=['b'], num_frames=2, frame_choice='random')
    assert len(only) == 1 and only[0]['data_samples'].frame_inds == only[0]['data_samples'].frame_inds
    with pytest.raises(ValueError, match="no videos \\['c'\\]"):
        SegmentationClipDataset('folders', str(tmp_path), videos=['c'])


def test_errors_say_what_to_do(tmp_path: Path, youtube_vos: Path):
    with pytest.raises(FileNotFoundError, match='set data_root'):
        SegmentationClipDataset('davis', str(tmp_path / 'nowhere'))
    with pytest.raises(ValueError, match='frame_choice must be one of'):
        SegmentationClipDataset('davis', str(tmp_path), frame_choice='uniform')
    with pytest.raises(ValueError, match="only layout='youtube_vos' has categories"):
        SegmentationClipDataset('davis', str(tmp_path), categories=True)
    meta = youtube_vos / 'train' / 'meta.json'
    meta.write_text(meta.read_text().replace('"category"', '"kind"'))
    with pytest.raises(ValueError, match='objects without a category, for example v0; use the training split'):
        read_categories(meta)
    broken = youtube_vos / 'train' / 'JPEGImages' / 'v0' / '00000.png'
    broken.write_bytes(b'')
    dataset = SegmentationClipDataset('youtube_vos', str(youtube_vos), split='train', all_frames=False)
    with pytest.raises(ValueError, match=r'00000\.png cannot be read'):
        dataset[0]
