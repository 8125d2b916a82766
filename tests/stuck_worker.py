"""A worker that hangs as soon as it is asked for anything."""

from __future__ import annotations

import time

from callgen.endpoint import worker


def run(pipe, settings):
    """Be a worker whose loop has half a second for each turn."""
    worker.HUNG, worker.COLLECT_EVERY = 0.5, 0.1
    worker.Worker._obey = lambda self: time.sleep(3600) if self.pipe.poll() else None
    worker.run(pipe, settings)
