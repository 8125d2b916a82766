"""A worker whose library logs all that it can, and which breaks as a call is answered if it is told to."""

from __future__ import annotations

import os

from callgen.endpoint import worker
from callgen.endpoint.call import Call

BREAKS = "PYTHON_BREAKS"
"""Of the variables that reach a worker."""


def run(pipe, settings):
    """Be a worker."""
    worker.MESSAGES_LOGGED = 6
    if BREAKS in os.environ:

        def breaks(self, prm):
            del prm
            self.worker.broken = f"{self.worker.settings!r} {vars(self)!r} {vars(self.account)!r}"

        Call.onCallMediaState = breaks
    worker.run(pipe, settings)
