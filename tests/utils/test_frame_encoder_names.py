"""Names of CRW's and MAST's checkpoints become ours."""

import torch

from mmsigma.models import ResNetEncoder
from mmsigma.utils.key_mapping import to_our_names


def test_crw() -> None:
    own = {f'backbone.{name}': value for name, value in ResNetEncoder(18, out_stage=3).state_dict().items()}
    theirs = {f'encoder.model.{name.removeprefix("backbone.")}': value for name, value in own.items()}
    head = {'selfsim_fc.0.weight': torch.zeros(128, 512), 'encoder.model.layer4.0.conv1.weight': torch.zeros(1)}
    # the published file wraps 3 x 3 and 7 x 7 convolutions, but not those of shortcuts
    wrapped = {
        name.replace('conv1.weight', 'conv1.1.weight').replace('conv2.weight', 'conv2.1.weight'): value
        for name, value in theirs.items()
    }
    for state in (theirs, wrapped):
        renamed = to_our_names({**state, **head})
        assert renamed.keys() - own.keys() == {'selfsim_fc.0.weight', 'backbone.layer4.0.conv1.weight'}
        assert all(renamed[name] is value for name, value in own.items())


def test_mast() -> None:
    state = {'module.feature_extraction.conv1.1.weight': torch.zeros(64), 'post_convolution.bias': torch.zeros(64)}
    assert to_our_names(state).keys() == {
        'backbone.feature_extraction.conv1.1.weight',
        'backbone.post_convolution.bias',
    }
