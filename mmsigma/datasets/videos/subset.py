"""Fixed small subsets of training sets."""

from collections.abc import Sequence

import numpy as np


def fixed_subset(
    labels: Sequence[int] | np.ndarray, num_examples: int = 1000, seed: int = 99999, expected: int | None = None
) -> np.ndarray:
    """Choose about ``num_examples`` videos, the same number of each class (SEVERE's 10^3 settings).

    Each class contributes ceil(num_examples / number of classes) videos, so slightly more than requested may be chosen:
    1,010 of UCF101 and 1,089 of Gym99. The choice depends on the order of the list, so a missing video changes it.

    Args:
        labels: Class of each video, ``(N,)``, in list order.
        num_examples: Requested number of videos.
        seed: Seed of the generator, which draws class by class in increasing order of labels.
        expected: Length N of the list that the subset must be drawn from; None for any.

    Returns:
        Positions in the list, ``(M,)``, class by class, in the order drawn.

    Raises:
        ValueError: If there are no labels, if some are unknown (negative), or if their number is not ``expected``.
    """
    labels = np.asarray(labels)
    if expected is not None and len(labels) != expected:
        raise ValueError(
            f'the subset must be drawn from a list of {expected:,} videos, but this one has {len(labels):,}, which '
            'would change the choice: write the list with --keep-missing of the converter, or set '
            'dataset.subset.expected=None'
        )
    if labels.ndim != 1 or not len(labels) or labels.min() < 0:
        raise ValueError('a subset by class requires a list in which every video has a label')
    generator = np.random.RandomState(seed)
    classes = np.unique(labels)
    share = -(-num_examples // len(classes))
    chosen = []
    for label in classes:
        (positions,) = np.nonzero(labels == label)
        chosen.append(positions[generator.choice(len(positions), min(share, len(positions)), replace=False)])
    return np.concatenate(chosen)
