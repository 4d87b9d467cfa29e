from mmsigma.models.losses.reconstruction import FeatureMSELoss
from mmsigma.models.losses.swapped_assignment import SwappedAssignmentLoss

__all__ = ['FeatureMSELoss', 'SwappedAssignmentLoss']
