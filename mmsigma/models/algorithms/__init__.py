from mmsigma.models.algorithms.repetition_counter import RepetitionCounter
from mmsigma.models.algorithms.sigma import SIGMA

__all__ = ['SIGMA', 'RepetitionCounter']
