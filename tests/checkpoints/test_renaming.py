"""Checks that all files of VideoMAE share."""

import torch

from mmsigma.checkpoints.key_mapping import to_our_names
from tests.checkpoints.small_models import huggingface


def test_biases_of_nothing_but_zeros_are_noticed(warnings_logged: list[str]) -> None:
    state = huggingface('VideoMAEForPreTraining', use_mean_pooling=False).state_dict()
    to_our_names(state)
    assert not warnings_logged
    zeros = {
        name: torch.zeros_like(v) if 'attention.attention' in name and 'bias' in name else v
        for name, v in state.items()
    }
    to_our_names(zeros)
    assert len(warnings_logged) == 1 and 'query and value biases are zero' in warnings_logged[0]
