"""A worker process: the only place that knows pjsua2."""
