"""mmsigma: self-supervised video representation learning on MMEngine."""

from mmsigma.version import __version__

__all__ = ['__version__']
