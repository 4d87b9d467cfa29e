from mmsigma.models.heads.attentive_head import AttentiveHead
from mmsigma.models.heads.classification_head import ClassificationHead
from mmsigma.models.heads.counting_head import CountingHead
from mmsigma.models.heads.prototype_head import PrototypeHead
from mmsigma.models.heads.regression_head import RegressionHead

__all__ = ['AttentiveHead', 'ClassificationHead', 'CountingHead', 'PrototypeHead', 'RegressionHead']
