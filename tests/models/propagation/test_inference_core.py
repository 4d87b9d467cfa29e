"""Ids through a video: whose they are, when they begin, and what whoever carries them is given."""

import numpy as np
import pytest
import torch
from torch import Tensor

from mmsigma.models.propagation.inference_core import InferenceCore

SIZE = (6, 8)


class Mover:
    """Carries labels by moving all of them to the right by a pixel a frame; ``given`` is what it was handed."""

    def __init__(self) -> None:
        self.given: list[Tensor | None] = []
        self.labels = torch.zeros(0, *SIZE)

    def __call__(self, picture: np.ndarray, masks: Tensor | None) -> Tensor:
        self.given.append(masks)
        self.labels = self.labels.roll(1, dims=2)
        if masks is not None:
            added = torch.zeros(len(masks) - len(self.labels), *SIZE)
            self.labels = torch.cat([self.labels, added])
            self.labels[:, masks[1:].any(dim=0)] = 0
            self.labels += masks
        self.labels[0] = 0.5
        return self.labels


def picture() -> np.ndarray:
    return np.zeros((*SIZE, 3), np.uint8)


def mask(*columns: int | None) -> np.ndarray:
    """A mask whose first columns have these ids."""
    ids = np.zeros(SIZE, np.int64)
    ids[:, : len(columns)] = [number or 0 for number in columns]
    return ids


def run(core: InferenceCore, num_frames: int, masks: dict[int, np.ndarray]) -> list[list[int]]:
    """First row of each frame's ids."""
    found = [core.step(picture(), masks.get(number)) for number in range(num_frames)]
    assert all(ids.dtype == np.uint8 and ids.shape == SIZE and (ids == ids[0]).all() for ids in found)
    return [ids[0].tolist() for ids in found]


def test_ids_are_the_users_and_may_have_gaps() -> None:
    assert run(InferenceCore(Mover()), 3, {0: mask(200, None, 7)}) == [
        [200, 0, 7, 0, 0, 0, 0, 0],
        [0, 200, 0, 7, 0, 0, 0, 0],
        [0, 0, 200, 0, 7, 0, 0, 0],
    ]


def test_nothing_is_carried_before_there_is_an_object() -> None:
    mover = Mover()
    core = InferenceCore(mover)
    assert run(core, 2, {1: mask(255, 0)}) == [[0] * 8] * 2 and not mover.given and core.frame == 2
    assert run(core, 1, {0: mask(3)}) == [[3, *[0] * 7]] and len(mover.given) == 1


def test_objects_may_come_late() -> None:
    mover = Mover()
    found = run(InferenceCore(mover), 4, {0: mask(5), 2: mask(0, 0, 9, 9)})
    # the new one is where its mask says, also where the other one has got to
    assert found[1:] == [[0, 5, *[0] * 6], [0, 0, 9, 9, *[0] * 4], [0, 0, 0, 9, 9, *[0] * 3]]
    first, second, third, last = mover.given
    assert first.dtype == torch.bool and first[:, 0].int().tolist() == [[0, *[1] * 7], [1, *[0] * 7]]
    assert second is None and last is None
    # only new objects have pixels; whatever else there is counts as background
    assert third[:, 0].int().tolist() == [[1, 1, 0, 0, *[1] * 4], [0] * 8, [0, 0, 1, 1, *[0] * 4]]


def test_known_ids_and_void_are_not_given_again() -> None:
    mover = Mover()
    masks = {number: mask(4, 255, 255, 0) for number in range(3)}
    assert run(InferenceCore(mover), 3, masks) == [[4, *[0] * 7], [0, 4, *[0] * 6], [0, 0, 4, *[0] * 5]]
    assert mover.given[0] is not None and mover.given[1:] == [None, None]


def test_masks_with_known_and_new_ids() -> None:
    found = run(InferenceCore(Mover()), 2, {0: mask(4), 1: mask(4, 4, 4, 6)})
    assert found[1] == [0, 4, 0, 6, 0, 0, 0, 0]  # what the mask says about 4 is ignored


class Coarse(Mover):
    """Has cells of two pixels, of which an object gets the whole or nothing."""

    def __call__(self, picture: np.ndarray, masks: Tensor | None) -> Tensor:
        cells = super().__call__(picture, masks)[..., ::2]
        return cells.repeat_interleave(2, dim=2)


@pytest.mark.parametrize('keep_given', [True, False])
def test_masks_are_results_or_what_is_left_of_them(keep_given: bool) -> None:
    first, second = mask(0, 0, 3, 0, 0, 3), mask(0, 0, 0, 0, 0, 0, 9)
    found = run(InferenceCore(Coarse(), keep_given), 2, {0: first, 1: second})
    assert found[0] == [first[0].tolist(), [0, 0, 3, 3, 0, 0, 0, 0]][not keep_given]
    # of the cell of the new one, what its mask leaves out is background
    assert found[1][6:] == ([9, 0] if keep_given else [9, 9])


def test_what_does_not_fit_is_refused() -> None:
    core = InferenceCore(Mover())
    core.step(picture())
    for wrong, message in (
        (picture().astype(np.float32), r'frame 1 is float32 \(6, 8, 3\), expected uint8 \(height, width, 3\)'),
        (picture()[..., :1], r'frame 1 is uint8 \(6, 8, 1\)'),
        (picture()[..., 0], r'frame 1 is uint8 \(6, 8\)'),
    ):
        with pytest.raises(ValueError, match=message):
            core.step(wrong)
    with pytest.raises(ValueError, match='the mask of frame 1 is 4 x 8, the frame 6 x 8'):
        core.step(picture(), mask(1)[:4])
    assert core.frame == 1 and not core.ids  # whoever gives the right ones can go on


def test_no_gradients() -> None:
    weight = torch.ones((), requires_grad=True)
    tracked = []

    def carry(picture: np.ndarray, masks: Tensor | None) -> Tensor:
        labels = masks * weight
        tracked.append(labels.requires_grad)
        return labels

    InferenceCore(carry).step(picture(), mask(1))
    assert tracked == [False]
