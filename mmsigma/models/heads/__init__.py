from mmsigma.models.heads.alignment_head import AlignmentHead, CombinedHead
from mmsigma.models.heads.attentive_head import AttentiveHead
from mmsigma.models.heads.classification_head import ClassificationHead
from mmsigma.models.heads.counting_head import CountingHead
from mmsigma.models.heads.order_head import OrderHead, SpeedHead
from mmsigma.models.heads.prototype_head import PrototypeHead
from mmsigma.models.heads.regression_head import RegressionHead
from mmsigma.models.heads.transcript_head import TranscriptHead

__all__ = [
    'AlignmentHead',
    'AttentiveHead',
    'ClassificationHead',
    'CombinedHead',
    'CountingHead',
    'OrderHead',
    'PrototypeHead',
    'RegressionHead',
    'SpeedHead',
    'TranscriptHead',
]
