"""What models of propagation share: settings that are checked at once, maps of frames, and precision."""

from typing import Any

import pytest
import torch
from mmengine.structures import BaseDataElement

from mmsigma.models.parts import PartError
from mmsigma.models.propagation.context_propagator import ContextPropagator
from mmsigma.models.propagation.frame_propagation import FramePropagation
from mmsigma.models.propagation.mast_propagator import MASTPropagator

COLOURS = dict(type='ColourEncoder', stride=4)


class Counting(FramePropagation):
    """Predicts how long a video is."""

    def predict_video(self, sequence: Any, sample: BaseDataElement) -> None:
        sample.length = len(sequence)


def test_samples_in_the_order_of_their_videos() -> None:
    samples = [BaseDataElement(), BaseDataElement()]
    assert Counting(COLOURS)([range(3), range(5)], samples, mode='predict') is samples
    assert [sample.length for sample in samples] == [3, 5]
    with pytest.raises(ValueError, match='argument'):
        Counting(COLOURS)([range(3)], samples, mode='predict')


def test_maps_are_those_of_the_encoder() -> None:
    model, images = Counting(COLOURS), torch.rand(2, 3, 8, 12)
    torch.testing.assert_close(model(images), model.backbone(images))
    torch.testing.assert_close(model.encode(images[:1]), model.backbone(images[:1])[0].permute(1, 2, 0))
    assert model.encode(images[:1]).is_contiguous()


@pytest.mark.parametrize('precision', ['float32', 'bfloat16', 'float16'])
def test_precision_is_that_of_encoder_and_memory(precision: str) -> None:
    model = Counting(dict(type='ResNetEncoder', depth=18, out_stage=3), precision=precision).eval()
    image, dtype = torch.randn(1, 3, 32, 32), getattr(torch, precision)
    features = model.encode(image)
    exact = model.backbone(image)[0].detach().permute(1, 2, 0)
    assert features.dtype == dtype and not features.requires_grad
    assert torch.equal(features.float(), exact) == (precision == 'float32')
    torch.testing.assert_close(features.float(), exact, rtol=0, atol=0.05 * float(exact.abs().max()))
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}
    model.backbone = torch.nn.MaxPool2d(8)  # takes no part in autocast
    assert model.encode(image).dtype == dtype


def test_propagators_by_name_and_each_video_its_own() -> None:
    model = Counting(COLOURS)
    first, second = model.new_propagator(), model.new_propagator()
    assert isinstance(first, ContextPropagator) and first is not second
    assert isinstance(Counting(COLOURS, propagator=dict(type='MASTPropagator')).new_propagator(), MASTPropagator)


@pytest.mark.parametrize(
    ('settings', 'message'),
    [
        (dict(precision='int8'), r"precision must be one of \['bfloat16', 'float16', 'float32'\], got 'int8'"),
        (dict(propagator=dict(similarity='manhattan')), 'similarity must be'),
    ],
)
def test_wrong_settings_are_found_before_the_first_video(settings: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Counting(COLOURS, **settings)


def test_parts_have_to_be_what_they_are_for() -> None:
    with pytest.raises(PartError, match='model.propagator'):
        Counting(COLOURS, propagator=COLOURS)
    with pytest.raises(PartError, match='model.backbone'):
        Counting(dict(type='ContextPropagator'))


def test_unknown_mode() -> None:
    with pytest.raises(ValueError, match="mode must be 'predict' or 'tensor', got 'loss'"):
        Counting(COLOURS)([], [], mode='loss')
