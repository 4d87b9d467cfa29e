from mmsigma.models.heads.counting_head import CountingHead
from mmsigma.models.heads.prototype_head import PrototypeHead
from mmsigma.models.heads.regression_head import RegressionHead

__all__ = ['CountingHead', 'PrototypeHead', 'RegressionHead']
