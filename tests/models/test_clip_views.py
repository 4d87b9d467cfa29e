"""Clips with and without the other view of their frames."""

import pytest
import torch

from mmsigma.models.clip_views import ClipViews, second_views


def test_views_and_the_way_back() -> None:
    images, views, back = torch.zeros(2, 3, 3, 4, 4), torch.ones(2, 3, 3, 4, 4), torch.eye(2, 3).expand(2, -1, -1)
    found = second_views(ClipViews(images, views, back))
    assert found[0] is views and found[1] is back


@pytest.mark.parametrize('missing', [('views',), ('back',), ('views', 'back')])
def test_clips_without_views_say_what_to_add(missing: tuple[str, ...]) -> None:
    clip = ClipViews(torch.zeros(1, 2, 3, 4, 4), torch.zeros(1, 2, 3, 4, 4), torch.eye(2, 3)[None])
    with pytest.raises(ValueError, match='needs each frame twice: put SecondView into the pipeline'):
        second_views(clip._replace(**dict.fromkeys(missing)))
