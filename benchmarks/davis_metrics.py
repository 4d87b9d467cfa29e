"""J and F of DAVIS including the reading of the masks, against a plain reading of their definition.

    python benchmarks/davis_metrics.py [DAVIS/Annotations/480p/dog] [--objects 3]

Without a folder of masks, a star that moves and turns is drawn. The plain version compares whole frames object by
object, as the official tool does; both give the same numbers.
"""

import argparse
import math
import tempfile
from pathlib import Path

import cv2
import numpy as np
from common import compare, machine, print_table
from PIL import Image

from mmsigma.evaluation.vos.davis import score_sequence
from mmsigma.io.masks import read_mask, write_mask


def plain_boundary(mask: np.ndarray) -> np.ndarray:
    """Pixels that differ from their right, lower or lower-right neighbour."""
    right, below, diagonal = (np.zeros_like(mask) for _ in range(3))
    right[:, :-1] = mask[:, 1:]
    below[:-1] = mask[1:]
    diagonal[:-1, :-1] = mask[1:, 1:]
    edge = (mask ^ right) | (mask ^ below) | (mask ^ diagonal)
    edge[-1] = mask[-1] ^ right[-1]
    edge[:, -1] = mask[:, -1] ^ below[:, -1]
    edge[-1, -1] = False
    return edge


def plain_scores(pred: np.ndarray, gt: np.ndarray) -> tuple[float, float]:
    """J and F of one object in one frame."""
    union = (pred | gt).sum()
    region = (pred & gt).sum() / union if union else 1.0
    radius = math.ceil(0.008 * np.linalg.norm(gt.shape))
    rows, columns = np.mgrid[-radius : radius + 1, -radius : radius + 1]
    disk = (rows**2 + columns**2 <= radius**2).astype(np.uint8)
    edges = [plain_boundary(side) for side in (pred, gt)]
    near = [cv2.dilate(edge.astype(np.uint8), disk) > 0 for edge in edges]
    counts = [edge.sum() for edge in edges]
    if not counts[0] or not counts[1]:
        return region, float(counts[0] == counts[1])
    precision, recall = (edges[0] & near[1]).sum() / counts[0], (edges[1] & near[0]).sum() / counts[1]
    return region, 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def plain_sequence(pred: list[Path], gt: list[Path], num_objects: int) -> np.ndarray:
    """J and F of every object in every frame but the first and the last, (O, T - 2, 2)."""
    masks = [[np.array(Image.open(path)) for path in paths] for paths in (pred, gt)]
    pairs = list(zip(*masks, strict=True))[1:-1]
    return np.array([[plain_scores(p == i, g == i) for p, g in pairs] for i in range(1, num_objects + 1)])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('masks', type=Path, nargs='?', help='folder with the masks of one sequence')
    parser.add_argument('--objects', type=int, default=3, help='the object is cut into so many, side by side')
    parser.add_argument('--rounds', type=int, default=5)
    args = parser.parse_args()
    cv2.setNumThreads(1)
    with tempfile.TemporaryDirectory() as folder:
        for number in (1, args.objects):
            masks = drawn_masks()
            if args.masks:
                masks = [read_mask(path, binary=True) for path in sorted(args.masks.glob('*.png'))]
            truth = [cut(mask, number) for mask in masks]
            pred = [np.roll(mask, (3, 5), axis=(0, 1)) for mask in truth]
            paths = []
            for side, frames in (('pred', pred), ('gt', truth)):
                names = [Path(folder, f'{side}_{number}', f'{time:05d}.png') for time in range(len(frames))]
                for name, mask in zip(names, frames, strict=True):
                    write_mask(name, mask)
                paths.append(names)
            measure(paths, number, args.rounds)


def drawn_masks() -> list[np.ndarray]:
    """Masks ``(480, 854)`` of a star with blunt points that crosses 50 frames."""
    masks, angles = [], np.linspace(0, 2 * np.pi, 200, endpoint=False)
    for time in range(50):
        radius = 110 + 45 * np.sin(7 * angles + 0.1 * time)
        points = np.stack([200 + 9 * time + radius * np.cos(angles), 240 + radius * np.sin(angles)], axis=1)
        masks.append(cv2.fillPoly(np.zeros((480, 854), np.uint8), [points.astype(np.int32)], 1))
    return masks


def cut(mask: np.ndarray, number: int) -> np.ndarray:
    """The object of a mask as so many objects side by side."""
    left, _, width, _ = cv2.boundingRect(mask)
    parts = (np.arange(mask.shape[1]) - left) * number // max(width, 1) + 1
    return np.where(mask, parts.clip(1, number), 0).astype(np.uint8)


def measure(paths: list[list[Path]], num_objects: int, rounds: int) -> None:
    def ours() -> np.ndarray:
        scores = score_sequence(*(map(read_mask, side) for side in paths))
        return np.stack([scores.region, scores.contour], axis=-1)

    difference = np.abs(ours() - plain_sequence(*paths, num_objects)).max()
    medians = compare({'plain': lambda: plain_sequence(*paths, num_objects), 'mmsigma': ours}, rounds)
    frames = len(paths[0]) - 2
    print_table(
        f'{frames} frames, {num_objects} objects, {machine()}; largest difference {difference:.1e}', medians, 'plain'
    )
    each = {name: 1e3 * seconds / frames / num_objects for name, seconds in medians.items()}
    print('  ' + ', '.join(f'{name} {value:.2f} ms' for name, value in each.items()), 'per frame and object')


if __name__ == '__main__':
    main()
