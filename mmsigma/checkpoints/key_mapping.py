"""Recognition of the code base that a checkpoint comes from, and conversion to our parameter names and back."""

from typing import Literal

from torch import Tensor

from mmsigma.checkpoints.frame_encoder_names import from_frame_encoder, is_frame_encoder
from mmsigma.checkpoints.huggingface_names import from_huggingface, is_huggingface, to_huggingface
from mmsigma.checkpoints.mask_vos_names import from_mask_vos, is_mask_vos
from mmsigma.checkpoints.mmaction2_names import from_mmaction2, is_mmaction2, to_mmaction2
from mmsigma.checkpoints.official_names import from_official, to_official

Origin = Literal['ours', 'official', 'mmaction2', 'hf']
ORIGINS: tuple[Origin, ...] = ('ours', 'official', 'mmaction2', 'hf')


def origin_of(state: dict[str, Tensor]) -> Origin:
    """Return the origin of the parameters' names, one of ``ORIGINS``; ``'ours'`` if no other is recognised."""
    if is_huggingface(state):
        return 'hf'
    if is_mmaction2(state):
        return 'mmaction2'
    return 'official' if any(name.startswith(('encoder.', 'blocks.')) for name in state) else 'ours'


def to_our_names(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Recognise the origin of the parameters' names and rename them to ours.

    Raises:
        KeyError: If only some of the names belong to the recognised origin.
    """
    if is_frame_encoder(state):
        return from_frame_encoder(state)
    if is_mask_vos(state):
        return from_mask_vos(state)
    origin = origin_of(state)
    if origin == 'hf':
        return from_huggingface(state)
    if origin == 'mmaction2':
        return from_mmaction2(state)
    return from_official(state) if origin == 'official' else state


def from_our_names(state: dict[str, Tensor], origin: Origin, num_tokens: int = 1568) -> dict[str, Tensor]:
    """Rename our parameters to the names of another origin.

    Args:
        state: Parameters under our names.
        origin: Origin of the new names, one of ``ORIGINS``.
        num_tokens: Length of the position table that mmaction2 stores.

    Returns:
        Parameters under the new names.

    Raises:
        KeyError: If a parameter has no counterpart there.
    """
    if origin == 'hf':
        return to_huggingface(state)
    if origin == 'mmaction2':
        return to_mmaction2(state, num_tokens)
    return to_official(state) if origin == 'official' else state
