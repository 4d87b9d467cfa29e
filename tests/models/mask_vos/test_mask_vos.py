"""The algorithm Mask-VOS: what it computes of a clip, and what it does not."""

import pytest
import torch
from mmengine.structures import BaseDataElement

from mmsigma.models import MaskVOS
from mmsigma.models.clip_views import ClipViews
from mmsigma.registry import MODELS


class Counting(torch.nn.Module):
    """A scheme that says what it was given."""

    def __init__(self, uses_keys: bool) -> None:
        super().__init__()
        self.uses_keys, self.given = uses_keys, []

    def loss(self, keys, clip, encoder) -> dict:
        self.keys = keys
        self.given.append(None if keys is None else tuple(keys.shape))
        return {'loss_scheme': clip.images.new_zeros(())}


def model(**options) -> MaskVOS:
    torch.manual_seed(0)
    parts = dict(mask_encoder=dict(type='FrameMaskEncoder', fused=False), decoder=dict(type='MaskDecoder'))
    return MODELS.build({'type': 'MaskVOS', 'backbone': dict(type='KeyEncoder', depth=18), **parts, **options})


def samples(*labelled: bool) -> list[BaseDataElement]:
    mask = torch.zeros(3, 32, 32, dtype=torch.uint8)
    mask[:, 4:20, 4:20], mask[:, 20:, 20:] = 1, 2
    return [BaseDataElement(pseudo_mask=mask if has else torch.empty(0, dtype=torch.uint8)) for has in labelled]


@pytest.mark.parametrize(('uses_keys', 'labelled', 'encoded'), [(True, False, 3), (False, False, 0), (False, True, 3)])
def test_frames_are_encoded_if_something_needs_them(uses_keys: bool, labelled: bool, encoded: int) -> None:
    network, calls = model(), []
    encode = network.backbone.encode
    network.backbone.encode = lambda images: calls.append(len(images)) or encode(images)
    network.correspondence = Counting(uses_keys)
    losses = network.loss(ClipViews(torch.randn(2, 3, 3, 32, 32)), samples(labelled, False))
    assert calls == [2] * encoded
    assert network.correspondence.given == [(2, 3, 128, 4, 4) if uses_keys else None]
    assert float(losses['labelled_clips']) == labelled / 2
    assert bool(losses['loss_segmentation'] > 0) == labelled


def test_clips_without_masks_have_no_part() -> None:
    network = model().eval()  # statistics of a batch would mix clips
    images = torch.randn(3, 3, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        mixed = network.loss(ClipViews(images), samples(False, True, False))['loss_segmentation']
        alone = network.loss(ClipViews(images[1:2]), samples(True))['loss_segmentation']
    torch.testing.assert_close(mixed, alone, rtol=1e-4, atol=1e-5)


def test_encoder_and_decoder_go_together() -> None:
    with pytest.raises(ValueError, match='mask_encoder and decoder go together'):
        model(decoder=None)
    with pytest.raises(ValueError, match='the model has no decoder: test its encoder as the backbone of Label'):
        model(decoder=None, mask_encoder=None).new_inference_core()


def test_decoder_waits_for_masks_unchanged() -> None:
    """Weight decay would take it to zero in the epochs of correspondence."""
    network = model(correspondence=dict(type='ShortLongCorrespondence'))
    before = {name: value.clone() for name, value in network.reader.state_dict().items()}
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-2, weight_decay=0.1)
    images, views = torch.randn(2, 2, 3, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    back = torch.tensor([[[1.0, 0, 0], [0, 1, 0]]]).expand(2, -1, -1)

    def step(*labelled: bool) -> None:
        losses = network.loss(ClipViews(images, views, back), samples(*labelled))
        optimizer.zero_grad()
        sum(value for name, value in losses.items() if name.startswith('loss')).backward()
        optimizer.step()

    step(False, False)
    assert all(torch.equal(value, before[name]) for name, value in network.reader.state_dict().items())
    step(False, True)
    assert not torch.equal(network.reader.decoder.pred.weight, before['decoder.pred.weight'])


def test_without_a_decoder_only_keys_are_computed() -> None:
    encoder = dict(type='KeyEncoder', depth=18, skips=False)
    network = model(backbone=encoder, mask_encoder=None, decoder=None)
    scheme = Counting(uses_keys=True)
    network.correspondence = scheme
    images = torch.randn(2, 3, 3, 32, 32)
    assert network.eval().loss(ClipViews(images), samples(False, False)).keys() == {'loss_scheme'}
    assert scheme.given == [(2, 3, 128, 4, 4)]
    torch.testing.assert_close(scheme.keys[:, 1], network.backbone(images[:, 1]))


def test_soft_masks() -> None:
    """Those of 0 and 255 are labels; shares are divided by their sum, which rounding may have changed."""
    network = model().eval()
    images = torch.randn(2, 3, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    hard = samples(True, False)
    one_hot = torch.nn.functional.one_hot(hard[0].pseudo_mask.long(), 3).movedim(-1, 1)

    def loss(masks: torch.Tensor) -> torch.Tensor:
        batch = [BaseDataElement(pseudo_mask=masks.to(torch.uint8)), hard[1]]
        with torch.no_grad():
            return network.loss(ClipViews(images), batch)['loss_segmentation']

    expected = loss(hard[0].pseudo_mask)
    torch.testing.assert_close(loss(255 * one_hot), expected, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(loss(254 * one_hot), expected, rtol=1e-5, atol=1e-6)
    assert abs(float(loss(155 * one_hot + 50 * one_hot.flip(2)) - expected)) > 1e-3
