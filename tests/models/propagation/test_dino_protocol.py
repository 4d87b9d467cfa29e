"""DINO's evaluation on real frames: the first mask at the centres of cells, and results at those of pixels."""

import cv2
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image

from mmsigma.evaluation.vos.davis import contour_accuracy, region_similarity
from mmsigma.models.propagation.frame_geometry import FrameGeometry
from mmsigma.models.propagation.label_propagation import LabelPropagation
from tests.davis import read_davis_frame, read_davis_mask, requires_davis

GEOMETRY = dict(short_side=480, long_multiple=64, to_cells='nearest', to_pixels='stretched')
COLOURS = dict(mean=(0.0, 0.0, 0.0), std=(255.0, 255.0, 255.0))


def by_pillow(labels: np.ndarray, width: int, height: int) -> np.ndarray:
    return np.asarray(Image.fromarray(labels).resize((width, height), Image.Resampling.NEAREST))


def stretch(soft: torch.Tensor, patch: int) -> np.ndarray:
    """Ids at the resolution of the encoder, of soft labels (V, h, w)."""
    maps = F.interpolate(soft[None], scale_factor=patch, mode='bilinear', align_corners=False)[0]
    maps = maps - maps.amin(dim=(1, 2), keepdim=True)
    return (maps / maps.amax(dim=(1, 2), keepdim=True)).argmax(dim=0).numpy().astype(np.uint8)


@requires_davis
@pytest.mark.parametrize(('video', 'expected'), [('blackswan', 0.879), ('libby', 0.770)])
def test_first_mask_there_and_back(video: str, expected: float) -> None:
    mask = read_davis_mask(video, 0)
    one_hot = torch.stack([torch.from_numpy(mask == number) for number in range(2)])
    geometry = FrameGeometry(16, **GEOMETRY)
    cells = geometry.labels_of_cells(one_hot)
    small = by_pillow(mask, 52, 30)
    assert torch.equal(cells[..., 1], torch.from_numpy(small == 1).float())
    found = geometry.labels_of_pixels(cells, mask.shape).argmax(dim=0).numpy().astype(np.uint8)
    np.testing.assert_array_equal(found, by_pillow(stretch(cells.movedim(-1, 0), 16), 854, 480))
    assert float(region_similarity(found, mask, 1)[0]) == pytest.approx(expected, abs=5e-4)


def propagate_by_hand(frames: list[np.ndarray], mask: np.ndarray, encoder: torch.nn.Module) -> list[np.ndarray]:
    """All steps of the release with Pillow and dense affinities, for the features of 30 x 52 cells of 16 pixels."""
    height, width = 480, 832
    rows, columns = torch.meshgrid(torch.arange(30), torch.arange(52), indexing='ij')
    rows, columns = rows.flatten(), columns.flatten()
    near = ((rows[:, None] - rows).abs() <= 12) & ((columns[:, None] - columns).abs() <= 12)
    memory: list[tuple[torch.Tensor, torch.Tensor]] = []
    results = []
    for number, frame in enumerate(frames):
        image = torch.from_numpy(cv2.resize(frame, (width, height))).float().permute(2, 0, 1)[None] / 255
        features = encoder(image)[0].flatten(1).T
        if number == 0:
            soft = F.one_hot(torch.from_numpy(by_pillow(mask, 52, 30).copy()).long().flatten(), 2).float()
            results.append(mask)
        else:
            used = [memory[0], *memory[1:][-7:]]
            weights = torch.cat(
                [(-(torch.cdist(keys, features) ** 2) / 0.01).masked_fill(~near, -torch.inf) for keys, _ in used]
            ).exp()
            weights[weights < weights.topk(5, dim=0).values[-1]] = 0
            soft = (weights / weights.sum(dim=0)).T @ torch.cat([labels for _, labels in used])
            results.append(by_pillow(stretch(soft.T.reshape(2, 30, 52), 16), 854, 480))
        memory.append((features, soft))
    return results


@requires_davis
@pytest.mark.parametrize(('video', 'expected'), [('blackswan', 0.8332), ('libby', 0.5502)])
def test_end_to_end_with_colours(video: str, expected: float) -> None:
    numbers = range(0, 12, 3)
    frames = [read_davis_frame(video, number) for number in numbers]
    masks = [read_davis_mask(video, number) for number in numbers]
    model = LabelPropagation(
        dict(type='ColourEncoder', stride=16, parts=4),
        {**GEOMETRY, **COLOURS},
        dict(
            num_context=7,
            k=5,
            temperature=0.01,
            similarity='euclidean',
            radius=12,
            window='square',
            first_is_free=False,
            repeat_first=False,
        ),
    )
    core = model.new_inference_core()
    found = [core.step(frame, masks[0] if number == 0 else None) for number, frame in enumerate(frames)]
    reference = propagate_by_hand(frames, masks[0], model.backbone)
    assert min(float((ours == theirs).mean()) for ours, theirs in zip(found, reference, strict=True)) > 0.9995
    scores = [
        (region_similarity(ids, true, 1)[0] + contour_accuracy(ids, true, 1)[0]) / 2
        for ids, true in zip(found[1:], masks[1:], strict=True)
    ]
    assert np.mean(scores) == pytest.approx(expected, abs=2e-3)
