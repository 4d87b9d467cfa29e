"""Networks of Mask-VOS against the released ones, with parameters drawn by the rule of the golden vectors."""

import pytest
import torch
from torch import nn

from mmsigma.checkpoints.mask_vos_names import official_name
from mmsigma.models.mask_vos.networks import FrameMaskEncoder, KeyEncoder, MaskDecoder
from mmsigma.registry import MODELS
from tests.golden_mask_vos import assert_probes, fill, load_vectors


def fill_part(network: nn.Module, tag: str, part: str, theirs: str) -> nn.Module:
    """Parameters of a part of the model by itself, whose official names lack the part's prefix."""
    return fill(network, tag, rename=lambda name: official_name(f'{part}.{name}').removeprefix(theirs))


@torch.no_grad()
def test_keys_of_resnet18() -> None:
    vectors = load_vectors('encoder_resnet18_s8')
    encoder = fill_part(KeyEncoder(18), vectors.entry['weight_tag'], 'backbone', 'fast_net.')
    key = encoder(vectors.tensor('in_image')[None])
    vectors.assert_close(key, 'out_key')
    frame = encoder.encode(vectors.tensor('in_image')[None])
    assert torch.equal(frame.key, key)
    assert [tuple(maps.shape[1:]) for maps in frame] == [(128, 8, 10), (512, 8, 10), (512, 8, 10), (256, 16, 20)]


@torch.no_grad()
def test_all_outputs_of_resnet50() -> None:
    vectors = load_vectors('encoder_resnet50_s8')
    encoder = fill_part(KeyEncoder(50), vectors.entry['weight_tag'], 'backbone', 'fast_net.')
    frame = encoder.encode(vectors.tensor('in_image')[None])
    vectors.assert_close(frame.key, 'out_key')
    for name, maps in (('res4', frame.features), ('res3', frame.skip8), ('res2', frame.skip4)):
        assert_probes(vectors, f'out_{name}', maps)
    assert_probes(vectors, 'out_res4_normalised', nn.functional.normalize(frame.features, dim=1))


@pytest.mark.parametrize('depth', [18, 50])
@torch.no_grad()
def test_frame_mask_encoder(depth: int) -> None:
    vectors = load_vectors(f'mask_encoder_r{depth}')
    encoder = fill_part(FrameMaskEncoder(depth), vectors.entry['weight_tag'], 'reader.mask_encoder', 'mask_encoder.')
    image, mask, features = (vectors.tensor(f'in_{name}')[None] for name in ('image', 'mask', 'query_res4'))
    assert_probes(vectors, 'out_backbone', encoder.reduce(encoder.backbone(torch.cat([image, mask], dim=1))))
    assert_probes(vectors, 'out_value', encoder(image, mask, features))


@torch.no_grad()
def test_decoder() -> None:
    vectors = load_vectors('mask_decoder')
    decoder = fill_part(MaskDecoder(), vectors.entry['weight_tag'], 'reader.decoder', 'decoder.')
    readout, guess = vectors.tensor('in_context')[None].split(512, dim=1)
    logits = decoder(readout, guess, vectors.tensor('in_skip8')[None], vectors.tensor('in_skip4')[None])
    vectors.assert_close(logits[0], 'out_logit')


@torch.no_grad()
def test_sizes() -> None:
    """Millions of parameters as the facts about the release say."""
    count = lambda network: sum(value.numel() for value in network.parameters()) / 1e6  # noqa: E731
    assert count(FrameMaskEncoder(50)) == pytest.approx(25.6, abs=0.05)
    assert count(FrameMaskEncoder(18)) == pytest.approx(17.0, abs=0.05)
    assert count(MaskDecoder()) == pytest.approx(18.4, abs=0.05)
    plain = FrameMaskEncoder(18, fused=False)
    maps = plain(torch.randn(2, 3, 32, 40), torch.rand(2, 1, 32, 40), torch.randn(2, 512, 4, 5))
    assert maps.shape == (2, 512, 4, 5)


def test_keys_without_skips() -> None:
    names = set(KeyEncoder(18, skips=False).state_dict())
    assert set(KeyEncoder(18).state_dict()) - names and not any('skip' in name for name in names)


def test_frozen_encoder_trains_keys_and_skips_only() -> None:
    torch.manual_seed(0)
    encoder = KeyEncoder(50, frozen=True).train()
    assert encoder.training and encoder.key.training and not encoder.backbone.training and not encoder.reduce.training
    before = {name: value.clone() for name, value in encoder.state_dict().items()}
    frame = encoder.encode(torch.randn(2, 3, 32, 32))
    sum(maps.square().mean() for maps in (frame.key[:, :3], frame.skip8, frame.skip4)).backward()
    trained = {name.split('.')[0] for name, value in encoder.named_parameters() if value.grad is not None}
    changed = {name.split('.')[0] for name, value in encoder.state_dict().items() if not value.equal(before[name])}
    assert trained == changed == {'key', 'skip8', 'skip4'}
    assert not encoder.eval().key.training


@pytest.mark.parametrize('fused', [True, False])
@pytest.mark.parametrize(
    'encoder',
    [
        dict(type='KeyEncoder', depth=18),
        dict(type='KeyEncoder', depth=50),
        dict(type='MASTKeyEncoder'),
        dict(
            type='ViTKeyEncoder',
            encoder=dict(type='TimmEncoder', model_name='vit_tiny_patch16_224', weights='random', img_size=32),
        ),
    ],
    ids=lambda cfg: f'{cfg["type"]}{cfg.get("depth", "")}',
)
@torch.no_grad()
def test_a_smaller_width(encoder: dict, fused: bool) -> None:
    """All that encoder, mask encoder and decoder exchange has the chosen number of channels."""
    frame = MODELS.build({**encoder, 'width': 32}).eval().encode(torch.zeros(2, 3, 32, 48))
    assert [tuple(maps.shape) for maps in frame[1:]] == [(2, 32, 4, 6), (2, 32, 4, 6), (2, 16, 8, 12)]
    values = FrameMaskEncoder(fused=fused, width=32).eval()(
        torch.zeros(2, 3, 32, 48), torch.ones(2, 1, 32, 48), frame.features
    )
    assert values.shape == (2, 32, 4, 6)
    assert MaskDecoder(width=32)(values, values, frame.skip8, frame.skip4).shape == (2, 1, 32, 48)
