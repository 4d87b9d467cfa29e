from mmsigma.models.necks.context_embedder import ContextEmbedder
from mmsigma.models.necks.masked_decoder import MaskedVideoDecoder

__all__ = ['ContextEmbedder', 'MaskedVideoDecoder']
