"""Windows of a memory of frames: parity with MAST, an evaluation place by place, and what is refused."""

import math

import pytest
import torch
import torch.nn.functional as F

from mmsigma.ops.memory_windows import propagate_windows, search_windows
from tests.golden_mask_vos import load_vectors


def plain(query, memory, labels, gaps, radius, near=15, max_dilation=4):
    """The same, place by place."""

    def at(maps, y, x):
        y0, x0 = math.floor(y), math.floor(x)
        total = torch.zeros(maps.shape[-1])
        for i, j, share in (
            (y0, x0, (1 - y + y0) * (1 - x + x0)),
            (y0, x0 + 1, (1 - y + y0) * (x - x0)),
            (y0 + 1, x0, (y - y0) * (1 - x + x0)),
            (y0 + 1, x0 + 1, (y - y0) * (x - x0)),
        ):
            if 0 <= i < len(maps) and 0 <= j < maps.shape[1]:
                total += share * maps[i, j]
        return total

    steps = [(dy, dx) for dy in range(-radius, radius + 1) for dx in range(-radius, radius + 1)]
    result = torch.zeros(*query.shape[:2], labels.shape[-1])
    for y in range(len(query)):
        for x in range(query.shape[1]):
            logits, values = [], []
            for frame, own, gap in zip(memory, labels, gaps, strict=True):
                centre = (y, x)
                if gap > near:
                    rate = min(max_dilation, gap // near + 1)
                    coarse = torch.stack([at(frame, y + rate * i, x + rate * j) @ query[y, x] for i, j in steps])
                    mean = rate * (coarse.softmax(0)[:, None] * torch.tensor(steps)).sum(dim=0)
                    centre = (y + float(mean[0]), x + float(mean[1]))
                logits += [at(frame, centre[0] + i, centre[1] + j) @ query[y, x] for i, j in steps]
                values += [at(own, centre[0] + i, centre[1] + j) for i, j in steps]
            result[y, x] = torch.stack(logits).softmax(dim=0) @ torch.stack(values)
    return result


@pytest.mark.parametrize('case', [0, 1])
def test_equals_the_original(case: int) -> None:
    vectors = load_vectors('labelprop_mast')
    settings, radius = vectors.entry['cases'][case], vectors.entry['window_radius']
    labels = F.one_hot(vectors.tensor('in_ref_labels')[:, ::4, ::4].long(), 7)
    gaps = [settings['current_index'] - index for index in settings['ref_index']]
    soft = propagate_windows(vectors.cells('in_tar_feat'), vectors.cells('in_ref_feats'), labels, gaps, radius=radius)
    vectors.assert_close(soft.movedim(-1, -3), f'out_soft{case}')
    pixels = F.interpolate(soft.movedim(-1, 0)[None], scale_factor=4, mode='bilinear', align_corners=False)
    assert torch.equal(pixels[0].argmax(dim=0), vectors.tensor(f'out_label{case}').long())


@pytest.mark.parametrize('gaps', [(1, 3), (40, 1), (16, 70), (31, 46)])
def test_equals_a_loop_over_places(gaps: tuple[int, int]) -> None:
    torch.manual_seed(0)
    # more than one tile; offsets that differ from cell to cell and lead out of the frame
    memory, labels = torch.randn(2, 13, 15, 4), torch.rand(2, 13, 15, 3)
    query = torch.randn(13, 15, 4) * 2
    found = propagate_windows(query, memory, labels, gaps, radius=2)
    torch.testing.assert_close(found, plain(query, memory, labels, gaps, radius=2), rtol=1e-4, atol=1e-5)


def test_every_far_frame_has_its_own_windows() -> None:
    """The release lays the labels' windows of all of them where the last one's are."""
    torch.manual_seed(0)
    memory, labels = torch.randn(2, 9, 9, 8), torch.rand(2, 9, 9, 2)
    query = torch.randn(9, 9, 8)
    both = propagate_windows(query, memory, labels, (50, 40), radius=3)
    swapped = propagate_windows(query, memory.flip(0), labels.flip(0), (40, 50), radius=3)
    torch.testing.assert_close(both, swapped)


def test_search_finds_what_moved() -> None:
    torch.manual_seed(0)
    frame = F.normalize(torch.randn(24, 40, 32), dim=-1)
    query = frame.roll(8, dims=1) * 60
    places = search_windows(query, frame, radius=4, dilation=4)
    own = torch.stack(torch.meshgrid(torch.arange(24), torch.arange(40), indexing='ij'), dim=-1)
    torch.testing.assert_close((places - own)[:, 8:], torch.tensor([0.0, -8.0]).expand(24, 32, 2), atol=1e-3, rtol=0)


def test_windows_outside_the_frame_have_no_label() -> None:
    # the place of this cell is far outside: all that it sees is nothing
    query, frame = torch.zeros(3, 3, 2), torch.zeros(1, 3, 3, 2)
    found = propagate_windows(query, frame, torch.ones(1, 3, 3, 1), [1], radius=2)
    assert found[1, 1].item() == pytest.approx(9 / 25) and found[0, 0].item() == pytest.approx(9 / 25)


def test_bad_input() -> None:
    query, memory, labels = torch.zeros(4, 5, 2), torch.zeros(2, 4, 5, 2), torch.zeros(2, 4, 5, 3)
    with pytest.raises(ValueError, match=r'memory \(2, 4, 5, 2\), labels \(2, 4, 5, 3\) and 1 gaps do not match'):
        propagate_windows(query, memory, labels, [1])
    with pytest.raises(ValueError, match=r'query \(4, 4, 2\)'):
        propagate_windows(query[:, :4], memory, labels, [1, 2])
    with pytest.raises(ValueError, match='the memory is empty'):
        propagate_windows(query, memory[:0], labels[:0], [])
