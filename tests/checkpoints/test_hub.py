"""What the client of the hub says."""

import logging

import huggingface_hub.utils.logging as hub_logging
import pytest

from mmsigma.checkpoints.hub import quiet_hub


def test_attempts_are_not_reported_and_errors_are_raised(caplog: pytest.LogCaptureFixture) -> None:
    logger, before = logging.getLogger('huggingface_hub.utils._http'), hub_logging.get_verbosity()
    with pytest.raises(OSError, match='closed'), quiet_hub():
        assert not logger.isEnabledFor(logging.WARNING)
        raise OSError('closed')
    assert hub_logging.get_verbosity() == before and logger.isEnabledFor(logging.WARNING)
