"""Segments and labels of FineGym's elements in each of the three layouts."""

import json
from pathlib import Path

import pytest

from mmsigma.datasets.alignment.finegym import GymEvent
from mmsigma.datasets.alignment.finegym_frames import (
    GYM99_EVENTS,
    GymClip,
    check_gym99,
    clip_videos,
    complete_order,
    element_segments,
    event_of,
    event_video,
    group_by_event,
    organised_video,
    read_order,
)

CLIP = GymClip('e.mp4', 10.0, 30)  # 10 frames a second, 3 seconds


def event(code: int = 2, **stages: list) -> GymEvent:
    """Elements by the times of their stages, in seconds."""
    return GymEvent('video', 0.0, 9.0, code, {name: tuple(map(tuple, own)) for name, own in stages.items()})


FLOOR = event(late=[[2, 2.4]], first=[[0.2, 0.5]], gone=[[7, 8]], middle=[[1, 1.3]])


def test_last_frame_of_a_span_is_at_its_end() -> None:
    assert CLIP.span(0.2, 0.5) == (2, 6) and CLIP.span(0.29, 0.51) == (2, 6)
    assert CLIP.span(2.9, 4) == (29, 30)
    assert GymClip('e.mp4', 29.97, 100).span(1, 2) == (29, 60)


@pytest.mark.parametrize(('code', 'kind'), [(1, 'VT'), (2, 'FX'), (3, 'BB'), (4, 'UB')])
def test_kinds_of_events(code: int, kind: str) -> None:
    assert event_of('e', event(code)) == kind


@pytest.mark.parametrize('code', [0, 5, -1])
def test_unknown_kind_of_event(code: int) -> None:
    with pytest.raises(ValueError, match=f'e is of event {code}; known are 1 to 4, VT, FX, BB, UB'):
        event_of('e', event(code))


def test_every_class_of_gym99_belongs_to_one_event() -> None:
    assert [label for labels in GYM99_EVENTS.values() for label in labels] == list(range(99))
    check_gym99(dict(e=dict(a=6, b=40)), dict(e=event()))
    for label in (5, 41):
        with pytest.raises(ValueError, match=f'b has the label {label}, but its event is FX: not of Gym99'):
            check_gym99(dict(e=dict(a=6, b=label)), dict(e=event()))


def test_elements_are_grouped_in_temporal_order() -> None:
    entries = [('late', 1), ('x', 9), ('other', 3), ('first', 2), ('unknown', 0)]
    groups = group_by_event(entries, dict(e=FLOOR, f=event(other=[[0, 1]], x=[[3, 4]])))
    assert {name: list(elements.items()) for name, elements in groups.items()} == {
        'e': [('first', 2), ('late', 1)],
        'f': [('other', 3), ('x', 9)],
    }


class TestOrder:
    def test_json(self, tmp_path: Path) -> None:
        (tmp_path / 'o.json').write_text(json.dumps(dict(FX=dict(turns=['8'], leaps=[6, 7]))))
        order = read_order(tmp_path / 'o.json')
        assert order == dict(FX=dict(turns=[8], leaps=[6, 7])) and list(order['FX']) == ['turns', 'leaps']

    def test_categories_are_ordered_by_the_number_of_their_set(self, tmp_path: Path) -> None:
        (tmp_path / 'c.txt').write_text('Clabel: 7; set: 21; x\nClabel: 3; set: 4; x\nClabel:6;set:  21\nnothing\n')
        order = read_order(tmp_path / 'c.txt')
        assert order == {'': {'4': [3], '21': [7, 6]}} and list(order['']) == ['4', '21']

    @pytest.mark.parametrize(
        ('name', 'text', 'message'),
        [
            ('o.json', '[1, 2]', 'has no order of sets, {"FX"'),
            ('o.json', '{"FX": [1]}', 'has no order of sets, {"FX"'),
            ('o.json', '{"FX": {"a": ["x"]}}', 'has no order of sets, {"FX"'),
            ('o.json', '{"FX"', 'has no order of sets, {"FX"'),
            ('o.json', '{"FX": {"a": [6], "b": [6, 7]}}', r'has no order of sets: labels \[6\] have two'),
            ('o.json', '{}', 'has no sets'),
            ('c.txt', 'Clabel 6, set 3', 'has no sets'),
        ],
    )
    def test_other_files(self, name: str, text: str, message: str, tmp_path: Path) -> None:
        (tmp_path / name).write_text(text)
        with pytest.raises(ValueError, match=f'{name} {message}'):
            read_order(tmp_path / name)

    def test_sets_that_do_not_occur_are_left_out(self) -> None:
        events, groups = dict(e=event(2), f=event(1)), dict(e=dict(a=6, b=8), f=dict(c=3, d=1))
        order = dict(FX=dict(turns=[8], rolls=[9], leaps=[6, 7]), BB=dict(x=[50]))
        found = complete_order(order, groups, events)
        assert found == dict(VT=dict(all=[1, 3]), FX=dict(turns=[8], leaps=[6, 7]))
        assert list(found) == ['VT', 'FX'] and list(found['FX']) == ['turns', 'leaps']

    def test_common_order_is_that_of_events_without_their_own(self) -> None:
        found = complete_order({'': {'4': [3], '21': [6]}}, dict(e=dict(a=6)), dict(e=event(2)))
        assert found == dict(FX={'21': [6]})

    def test_label_without_a_set(self) -> None:
        with pytest.raises(ValueError, match=r'the order of sets lacks the labels \[7, 9\] of FX'):
            complete_order(dict(FX=dict(a=[6])), dict(e=dict(a=6, b=9, c=7)), dict(e=event(2)))


class TestStages:
    STAGES = ((0.2, 0.4), (0.4, 0.6), (0.8, 1.0), (1.0, 1.1))

    def test_extra_labels_are_those_of_the_first_and_of_those_between(self) -> None:
        # where stages meet, the frame belongs to the later one; 7 lies between two
        assert element_segments(CLIP, self.STAGES, 3, 99) == [
            (2, 4, 99), (4, 7, 100), (7, 8, -1), (8, 10, 100), (10, 12, 3)
        ]  # fmt: skip
        assert element_segments(CLIP, self.STAGES, 3, None) == [(2, 10, -1), (10, 12, 3)]

    def test_only_stage_is_the_last(self) -> None:
        assert element_segments(CLIP, self.STAGES[:1], 3, 99) == [(2, 5, 3)]

    def test_clip_that_ends_early(self) -> None:
        assert element_segments(GymClip('e', 10.0, 6), self.STAGES, 3, 99) == [(2, 4, 99), (4, 6, 100)]
        assert element_segments(GymClip('e', 10.0, 2), self.STAGES, 3, 99) == []


class TestLayouts:
    ELEMENTS = dict(first=12, middle=6, late=7, gone=6)

    def test_clips(self) -> None:
        videos = list(clip_videos(FLOOR, self.ELEMENTS, CLIP))
        assert [(one.name, one.label, one.segments) for one in videos] == [
            ('first', 12, ((2, 6, 12),)),
            ('middle', 6, ((10, 14, 6),)),
            ('late', 7, ((20, 25, 7),)),
        ]
        staged = event(1, a=[[0.1, 0.3], [0.3, 0.5]])
        assert [one.segments for one in clip_videos(staged, dict(a=4), CLIP)] == [((1, 6, 4),)]

    def test_events_have_a_background(self) -> None:
        video = event_video('e', FLOOR, self.ELEMENTS, CLIP)
        assert (video.path, video.name, video.label) == ('e.mp4', 'e', 1)
        assert video.segments == (
            *((0, 2, -1), (2, 6, 12), (6, 10, -1), (10, 14, 6)),
            *((14, 20, -1), (20, 25, 7), (25, 30, -1)),
        )
        staged = event(1, a=[[0.1, 0.3], [0.3, 0.5]])
        assert event_video('e', staged, dict(a=4), CLIP).segments == ((0, 3, -1), (3, 6, 4), (6, 30, -1))

    def test_organised_by_set_and_then_by_time(self) -> None:
        sets = dict(leaps=[6, 7], turns=[12])
        video = organised_video('e', FLOOR, self.ELEMENTS, CLIP, sets=sets)
        assert video.segments == ((10, 14, 6), (20, 25, 7), (2, 6, 12)) and video.label == 1
        turned = organised_video('e', FLOOR, self.ELEMENTS, CLIP, sets=dict(turns=[12], leaps=[7, 6]))
        assert turned.segments == ((2, 6, 12), (10, 14, 6), (20, 25, 7))

    @pytest.mark.parametrize(
        ('elements', 'whole'),
        [(dict(first=12, middle=6), True), (dict(middle=6), False), (dict(first=12, gone=6), False)],
    )
    def test_events_that_lack_a_set_are_dropped_on_demand(self, elements: dict, whole: bool) -> None:
        sets = dict(leaps=[6, 7], turns=[12])
        assert organised_video('e', FLOOR, elements, CLIP, sets=sets) is not None
        assert (organised_video('e', FLOOR, elements, CLIP, sets=sets, drop_incomplete=True) is not None) == whole

    def test_event_without_elements_in_its_clip(self) -> None:
        assert organised_video('e', FLOOR, dict(gone=6), CLIP, sets=dict(a=[6])) is None
