"""Vision transformers of timm as encoders of frames."""

import timm
import torch

from mmsigma.models import LabelPropagation, TimmViTEncoder

TINY_VIT = dict(embed_dim=24, depth=2, num_heads=2)


@torch.no_grad()
def test_vision_transformer_takes_any_size() -> None:
    torch.manual_seed(0)
    encoder = TimmViTEncoder('vit_small_patch16_224.dino', 'random', TINY_VIT).eval()
    assert encoder.stride == 16
    images = torch.randn(2, 3, 224, 224)
    plain = timm.create_model('vit_small_patch16_224.dino', num_classes=0, **TINY_VIT).eval()
    plain.load_state_dict(encoder.shield.encoder.state_dict())
    expected = plain.forward_features(images)[:, 1:].transpose(1, 2).unflatten(-1, (14, 14))
    torch.testing.assert_close(encoder(images), expected)
    assert encoder(torch.randn(1, 3, 96, 160)).shape == (1, 24, 6, 10)
    # other sizes in between leave no trace
    torch.testing.assert_close(encoder(images), expected)


def test_mmengine_does_not_initialise_what_was_loaded() -> None:
    model = LabelPropagation(dict(type='TimmViTEncoder', weights='random', model_kwargs=TINY_VIT))
    before = {name: value.clone() for name, value in model.state_dict().items()}
    model.init_weights()
    assert all(value.equal(before[name]) for name, value in model.state_dict().items())
