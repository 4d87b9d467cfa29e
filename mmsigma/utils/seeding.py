"""Seeding of random generators."""

import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import torch


@contextmanager
def seeded_numpy(seed: Sequence[int] | None) -> Iterator[None]:
    """Seed numpy's and Python's global generators inside the block and restore them afterwards.

    Args:
        seed: Numbers that the seed is made of; None leaves the generators alone.
    """
    if seed is None:
        yield
        return
    numpy_state, python_state = np.random.get_state(), random.getstate()
    words = np.random.SeedSequence(seed).generate_state(4)
    np.random.seed(words)
    random.seed(words.tobytes())
    try:
        yield
    finally:
        np.random.set_state(numpy_state)
        random.setstate(python_state)


def seed_everything(seed: int) -> None:
    """Seed the global generators of torch, numpy and Python.

    Args:
        seed: Seed of up to 63 bits.
    """
    torch.manual_seed(seed)
    np.random.seed(np.random.SeedSequence(seed).generate_state(4))
    random.seed(seed)
