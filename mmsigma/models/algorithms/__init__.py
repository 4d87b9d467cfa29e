from mmsigma.models.algorithms.sigma import SIGMA

__all__ = ['SIGMA']
