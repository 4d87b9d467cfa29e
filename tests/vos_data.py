"""Small datasets of video object segmentation, laid out like the real ones."""

import json
from pathlib import Path

import cv2
import numpy as np
from scipy.io import savemat

from mmsigma.io.masks import write_mask

SIZE = (36, 52)


def draw_video(num_frames: int, num_objects: int = 1, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Squares of unlike colours that move to the right by a pixel a frame: (T, H, W, 3) uint8 and ids (T, H, W)."""
    rng = np.random.default_rng(seed)
    backdrop = rng.integers(0, 60, (*SIZE, 3), dtype=np.uint8)
    colours = [(250, 40, 40), (40, 250, 40), (40, 40, 250)]
    frames, masks = [], []
    for time in range(num_frames):
        frame, mask = backdrop.copy(), np.zeros(SIZE, np.uint8)
        for number in range(num_objects):
            rows, columns = slice(4 + 14 * number, 14 + 14 * number), slice(8 + time, 20 + time)
            frame[rows, columns], mask[rows, columns] = colours[number], number + 1
        frames.append(frame)
        masks.append(mask)
    return np.stack(frames), np.stack(masks)


def write_frames(folder: Path, frames: np.ndarray, names: list[str]) -> None:
    folder.mkdir(parents=True)
    for name, frame in zip(names, frames, strict=True):
        assert cv2.imwrite(str(folder / f'{name}.png'), frame[..., ::-1])


def make_davis(root: Path, lengths: dict[str, int], year: int = 2017, num_objects: int = 2) -> Path:
    """DAVIS with videos of these lengths as the ``val`` split; of 2016, the masks hold 0 and 255."""
    for seed, (name, length) in enumerate(lengths.items()):
        frames, masks = draw_video(length, num_objects, seed)
        names = [f'{number:05d}' for number in range(length)]
        write_frames(root / 'JPEGImages/480p' / name, frames, names)
        for frame, mask in zip(names, masks, strict=True):
            path = root / 'Annotations/480p' / name / f'{frame}.png'
            if year == 2016:
                path.parent.mkdir(parents=True, exist_ok=True)
                assert cv2.imwrite(str(path), 255 * (mask > 0).astype(np.uint8))
            else:
                write_mask(path, mask)
    split = root / 'ImageSets' / str(year) / 'val.txt'
    split.parent.mkdir(parents=True)
    split.write_text('\n'.join(lengths) + '\n')
    return root


def make_youtube_vos(root: Path, length: int = 11, late: int = 5) -> Path:
    """YouTube-VOS with one video of objects 1 and 4, of which 4 is given in frame ``late``; kept is every fifth."""
    frames, masks = draw_video(length, 2)
    masks = np.array([0, 1, 4], np.uint8)[masks]
    names = [f'{number:05d}' for number in range(length)]
    write_frames(root / 'valid_all_frames/JPEGImages/ab12', frames, names)
    kept = list(range(0, length, 5))
    write_frames(root / 'valid/JPEGImages/ab12', frames[kept], [names[number] for number in kept])
    write_mask(root / 'valid/Annotations/ab12' / f'{names[0]}.png', np.where(masks[0] == 1, masks[0], 0))
    write_mask(root / 'valid/Annotations/ab12' / f'{names[late]}.png', np.where(masks[late] == 4, masks[late], 0))
    objects = {
        '1': dict(category='cat', frames=[names[number] for number in kept]),
        '4': dict(category='dog', frames=[names[number] for number in kept if number >= late]),
    }
    (root / 'valid/meta.json').write_text(json.dumps(dict(videos=dict(ab12=dict(objects=objects)))))
    return root


def make_vip(root: Path, lengths: dict[str, int], published: bool = True) -> Path:
    """VIP with videos of these lengths as the ``val`` split; as published, or in the folders of the site's archive."""
    pictures, labels = ('videos', 'Category_ids') if published else ('Images', 'Annotations/Category_ids')
    for seed, (name, length) in enumerate(lengths.items()):
        frames, masks = draw_video(length, 2, seed)
        masks = np.array([0, 2, 13], np.uint8)[masks]  # hair and face
        masks[:, -2:] = 255
        names = [f'{25 * number + 1:012d}' for number in range(length)]
        write_frames(root / pictures / name, frames, names)
        for frame, mask in zip(names, masks, strict=True):
            path = root / labels / name / f'{frame}.png'
            path.parent.mkdir(parents=True, exist_ok=True)
            assert cv2.imwrite(str(path), mask)
    (root / 'lists').mkdir(parents=True)
    (root / 'lists/val_videos.txt').write_text('\n'.join(lengths) + '\n')
    return root


def make_jhmdb(root: Path, lengths: dict[str, int]) -> Path:
    """JHMDB with videos ``<class>/<name>`` of these lengths as the test part of split 1; one more is for training."""
    for seed, (place, length) in enumerate(lengths.items()):
        kind, name = place.split('/')
        frames, _ = draw_video(length, 3, seed)
        corners = [(8 + x, 4 + y) for y in (2, 7, 16, 21, 30) for x in (2, 6, 10)]  # within the squares
        joints = np.array([[(x + time, min(y, 31)) for x, y in corners] for time in range(length)], np.float64)
        write_frames(root / 'Rename_Images' / kind / name, frames, [f'{number:05d}' for number in range(1, length + 1)])
        folder = root / 'joint_positions' / kind / name
        folder.mkdir(parents=True)
        savemat(folder / 'joint_positions.mat', {'pos_img': joints.transpose(2, 1, 0) + 1})
        path = root / 'splits' / f'{kind}_test_split1.txt'
        path.parent.mkdir(exist_ok=True)
        before = path.read_text() if path.exists() else 'left_out.avi 1\n'
        path.write_text(f'{before}{name}.avi 2\n')
    return root
