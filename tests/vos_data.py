"""Small data sets of video object segmentation, laid out like the real ones."""

import json
from pathlib import Path

import cv2
import numpy as np

from mmsigma.utils.masks import write_mask

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
