from mmsigma.models.necks.masked_decoder import MaskedVideoDecoder

__all__ = ['MaskedVideoDecoder']
