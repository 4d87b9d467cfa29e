"""The web app, ``mmsigma app``: a page with a tab per use, over the inferencers of :mod:`mmsigma.apis`."""
