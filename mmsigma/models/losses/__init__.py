from mmsigma.models.losses.alignment import D2TWLoss, GTALoss
from mmsigma.models.losses.cycle import TCCLoss
from mmsigma.models.losses.discriminative import D3TWStarLoss
from mmsigma.models.losses.reconstruction import FeatureMSELoss
from mmsigma.models.losses.sequences import Sequences
from mmsigma.models.losses.soft_alignment import LAVLoss, SoftDTWLoss
from mmsigma.models.losses.swapped_assignment import SwappedAssignment, SwappedAssignmentLoss
from mmsigma.models.losses.tcn import TCNLoss

__all__ = [
    'D2TWLoss',
    'D3TWStarLoss',
    'FeatureMSELoss',
    'GTALoss',
    'LAVLoss',
    'Sequences',
    'SoftDTWLoss',
    'SwappedAssignment',
    'SwappedAssignmentLoss',
    'TCCLoss',
    'TCNLoss',
]
