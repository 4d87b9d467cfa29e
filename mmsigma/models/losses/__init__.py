from mmsigma.models.losses.reconstruction import FeatureMSELoss
from mmsigma.models.losses.swapped_assignment import SwappedAssignment, SwappedAssignmentLoss

__all__ = ['FeatureMSELoss', 'SwappedAssignment', 'SwappedAssignmentLoss']
