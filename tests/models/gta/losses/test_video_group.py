"""Groups of videos: what is filled in, what is checked, and which pairs are compared."""

import pytest
import torch

from mmsigma.models.gta.losses.video_group import VideoGroup, pair_indices
from tests.models.gta.groups import embeddings


class TestComplete:
    def test_what_is_left_out_is_the_whole(self) -> None:
        embs = embeddings(2, 4, 3)
        found = VideoGroup(embs).complete()
        assert torch.equal(found.embeddings, embs) and found.valid.all() and found.valid.shape == (2, 4)
        assert found.lengths.tolist() == found.num_frames.tolist() == [4, 4]
        assert found.steps.tolist() == [[0, 1, 2, 3]] * 2

    def test_padding_is_0_whatever_it_was(self) -> None:
        embs = embeddings(2, 4, 3).requires_grad_()
        padded = torch.cat([embs, torch.full((2, 2, 3), torch.nan, dtype=embs.dtype)], dim=1)
        found = VideoGroup(padded, torch.tensor([4, 3]), num_frames=torch.tensor([40, 30])).complete()
        assert found.valid.sum(dim=1).tolist() == [4, 3] and found.num_frames.tolist() == [40, 30]
        assert torch.equal(found.embeddings[0, :4], embs[0]) and torch.equal(found.embeddings[1, :3], embs[1, :3])
        assert not found.embeddings[0, 4:].any() and not found.embeddings[1, 3:].any()
        found.embeddings.sum().backward()
        assert embs.grad.any(dim=2).tolist() == [[True] * 4, [True] * 3 + [False]]

    @pytest.mark.parametrize(
        ('dtype', 'expected'),
        [
            (torch.float16, torch.float32),
            (torch.bfloat16, torch.float32),
            (torch.float32, torch.float32),
            (torch.float64, torch.float64),
        ],
    )
    def test_at_least_float32(self, dtype: torch.dtype, expected: torch.dtype) -> None:
        assert VideoGroup(embeddings(2, 4, 3).to(dtype)).complete().embeddings.dtype == expected

    def test_what_does_not_fit_is_refused(self) -> None:
        embs = embeddings(3, 5, 4)
        broken = embs.clone()
        broken[1, 2] = torch.nan
        for videos, message in (
            (VideoGroup(embs[:1]), '1 video in the group, 2 of the same action are needed'),
            (VideoGroup(embs[0]), r'shape \(B, T, D\) without a 0, got \(5, 4\)'),
            (VideoGroup(embs[:, :0]), r'shape \(B, T, D\) without a 0, got \(3, 0, 4\)'),
            (VideoGroup(broken), 'embeddings of video 1 of the group are not finite: the model has diverged'),
            (VideoGroup(broken, names=['a', 'b.mp4', 'c']), 'embeddings of b.mp4 are not finite'),
            (VideoGroup(broken / 0, names=['a', 'b', 'c']), 'embeddings of a, b, c are not finite'),
            (VideoGroup(embs, torch.tensor([5, 0, 3])), r'lengths must be from 1 to 5, got \[5, 0, 3\]'),
            (VideoGroup(embs, torch.tensor([5, 6, 3])), 'lengths must be from 1 to 5'),
            (VideoGroup(embs, torch.tensor([5, 3])), r'lengths must have the shape \(3,\), got \(2,\)'),
            (VideoGroup(embs, steps=torch.zeros(3, 4)), r'steps must have the shape \(3, 5\)'),
            (VideoGroup(embs, num_frames=torch.zeros(2)), r'num_frames must have the shape \(3,\)'),
        ):
            with pytest.raises(ValueError, match=message):
                videos.complete()
        assert VideoGroup(embs[:1]).complete(at_least=1).lengths.tolist() == [5]


def steps_of(*steps: list[int], lengths: list[int] | None = None, names: list[str] | None = None) -> VideoGroup:
    numbers = torch.tensor(steps)
    return VideoGroup(
        torch.zeros(*numbers.shape, 2), None if lengths is None else torch.tensor(lengths), numbers, names=names
    )


class TestOrder:
    def test_of_time(self) -> None:
        VideoGroup(torch.zeros(2, 3, 2)).check_order()
        steps_of([0, 3, 3, 9], [5, 6, 7, 8]).check_order()
        with pytest.raises(
            ValueError, match=r'^b: frame 2 follows frame 3, and the head .* set sampling\.positives=0$'
        ):
            steps_of([0, 1, 2], [0, 3, 2], names=['a', 'b']).check_order()

    def test_of_anchors_and_positives(self) -> None:
        steps_of([4, 3, 9, 0]).check_order(interleaved=True)
        steps_of([0, 0, 1, 0]).check_order(interleaved=True)  # the first frame has nothing before it
        for steps, anchor, positive in (([1, 1, 9, 2], 1, 1), ([4, 3, 5, 6], 5, 6)):
            message = f'^video 0 of the group: frame {positive} is no positive of frame {anchor}, .* needs sampling'
            with pytest.raises(ValueError, match=message):
                steps_of(steps).check_order(interleaved=True)

    def test_an_anchor_may_lack_its_positive(self) -> None:
        steps_of([4, 3, 9]).check_order(interleaved=True)


class TestDistances:
    def test_equal_until_the_end_which_is_repeated(self) -> None:
        videos = steps_of([0, 2, 4, 6], [1, 4, 7, 8], [3, 3, 3, 3], [0, 5, 6, 6])
        assert videos.equally_spaced().tolist() == [4, 3, 1, 2]

    def test_without_steps_as_long_as_it_is(self) -> None:
        lengths = torch.tensor([3, 2])
        assert VideoGroup(torch.zeros(2, 3, 2), lengths).equally_spaced() is lengths
        assert VideoGroup(torch.zeros(2, 3, 2)).equally_spaced() is None

    @pytest.mark.parametrize('steps', [[0, 2, 3, 6], [0, 1, 2, 4], [6, 4, 2, 3]])
    def test_unequal(self, steps: list[int]) -> None:
        with pytest.raises(ValueError, match=rf"^b: frames \[{steps[0]}, .*\] are not .* sampling\.sampling='stride'$"):
            steps_of([0, 1, 2, 3], steps, names=['a', 'b']).equally_spaced()


def test_beyond_the_lengths_anything_may_be() -> None:
    steps, lengths = torch.tensor([[4, 5, 6, 0], [9, 7, 4, 2]]), torch.tensor([3, 4])
    VideoGroup(torch.zeros(1, 4, 2), lengths[:1], steps[:1]).check_order()
    assert VideoGroup(torch.zeros(1, 4, 2), lengths[:1], steps[:1]).equally_spaced().tolist() == [3]
    VideoGroup(torch.zeros(2, 4, 2), torch.tensor([1, 4]), steps).check_order(interleaved=True)
    backwards = VideoGroup(torch.zeros(2, 4, 2), lengths, steps)
    with pytest.raises(ValueError, match='video 1 of the group: frame 7 follows frame 9'):
        backwards.check_order()
    with pytest.raises(ValueError, match='video 1 of the group: frames .* not at equal distances'):
        backwards.equally_spaced()
    with pytest.raises(ValueError, match='video 0 of the group: frame 5 is no positive of frame 4'):
        backwards.check_order(interleaved=True)
    VideoGroup(torch.zeros(1, 4, 2), steps=torch.tensor([[0, 0, 1, 0]])).check_order(interleaved=True)
    with pytest.raises(ValueError, match='frame 1 is no positive of frame 1'):
        VideoGroup(torch.zeros(1, 4, 2), steps=torch.tensor([[1, 0, 1, 1]])).check_order(interleaved=True)


def test_pairs() -> None:
    def pairs(batch: int, kind: str) -> list[tuple[int, int]]:
        return list(zip(*(index.tolist() for index in pair_indices(batch, kind)), strict=True))

    assert pairs(3, 'all') == [(0, 1), (0, 2), (1, 0), (1, 2), (2, 0), (2, 1)]
    assert pairs(4, 'star') == [(0, 1), (0, 2), (0, 3)] and pairs(1, 'star') == pairs(1, 'all') == []
    with pytest.raises(ValueError, match=r"pairs must be one of \('star', 'all'\), got 'some'"):
        pair_indices(3, 'some')
