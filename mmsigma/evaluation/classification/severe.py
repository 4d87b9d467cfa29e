"""The SEVERE benchmark (Thoker et al., ECCV 2022): its settings, published results, and their mean."""

from collections.abc import Sequence

# setting -> metric and the name under which our runs report it
SETTINGS = {
    'SSv2': ('top-1', 'acc/top1'),
    'Gym99': ('top-1', 'acc/top1'),
    'UCF (10^3)': ('top-1', 'acc/top1'),
    'Gym (10^3)': ('top-1', 'acc/top1'),
    'FX-S1': ('mean class accuracy', 'acc/mean_class'),
    'UB-S1': ('mean class accuracy', 'acc/mean_class'),
    'UCF-RC': ('mean counting error', 'counting/MAE'),
    'Charades': ('mAP', 'multi_label/mAP'),
}
COUNTING = 'UCF-RC'

# rows of the table in the SIGMA paper, in the order of SETTINGS: ViT-B pre-trained on Kinetics-400
PUBLISHED = {
    'VideoMAE': (68.6, 86.6, 74.6, 25.9, 42.8, 65.3, 0.172, 12.6),
    'MGMAE': (68.9, 87.2, 77.2, 24.0, 33.7, 79.5, 0.181, 17.9),
    'SIGMA-MLP': (69.8, 87.4, 80.2, 26.8, 46.0, 79.7, 0.178, 20.1),
    'SIGMA-DINO': (70.9, 89.7, 84.1, 28.0, 55.1, 79.9, 0.169, 23.3),
}


def severe_mean(values: Sequence[float | None]) -> float | None:
    """Average over the eight settings, with a counting error e converted to 100 (1 - e).

    Args:
        values: Results in the order of :data:`SETTINGS`: percentages, except for the counting error, which is a
            fraction; None where there is no result.

    Returns:
        The mean, or None if a result is missing, since means over other settings are not comparable.

    Raises:
        ValueError: If there are not eight values.
    """
    if len(values) != len(SETTINGS):
        raise ValueError(f'expected a value for each of {list(SETTINGS)}, got {len(values)} values')
    known = [value for value in values if value is not None]
    if len(known) < len(SETTINGS):
        return None
    scores = [100 * (1 - value) if name == COUNTING else value for name, value in zip(SETTINGS, known, strict=True)]
    return sum(scores) / len(scores)
