"""What is said of annotated videos that are not there, and when it is an error."""

import pytest

from mmsigma.datasets.videos.missing_videos import report_missing


def test_nothing_to_say(warnings_logged: list[str]) -> None:
    report_missing([], 5, 'videos', strict=True)
    report_missing([], 0, 'videos', strict=False)
    assert not warnings_logged


def test_some_are_a_warning(warnings_logged: list[str]) -> None:
    report_missing(['a', 'b'], 5, 'videos', strict=False)
    assert warnings_logged == ['2 of 5 annotated videos are not in videos: a, b']


@pytest.mark.parametrize(('number', 'end'), [(10, '8, 9'), (11, '8, 9 and 1 more'), (250, '8, 9 and 240 more')])
def test_the_first_ten_are_named(number: int, end: str, warnings_logged: list[str]) -> None:
    report_missing([str(name) for name in range(number)], 300, 'videos', strict=False)
    assert warnings_logged == [f'{number} of 300 annotated videos are not in videos: 0, 1, 2, 3, 4, 5, 6, 7, {end}']


@pytest.mark.parametrize(
    ('total', 'strict', 'remedy'),
    [
        (3, True, 'set data_prefix to their folder, or strict=False to continue'),
        (1, True, 'set data_prefix to their folder'),
        (1, False, 'set data_prefix to their folder'),
    ],
)
def test_all_or_any_if_strict_are_an_error(total: int, strict: bool, remedy: str, warnings_logged: list[str]) -> None:
    with pytest.raises(FileNotFoundError) as info:
        report_missing(['a'], total, 'videos', strict=strict)
    assert str(info.value) == f'1 of {total} annotated videos are not in videos: a; {remedy}'
    assert not warnings_logged
