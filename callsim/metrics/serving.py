"""A page with metrics, served by a thread of its own."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import CollectorRegistry, start_http_server

from callsim.errors import CallsimError

_ADDRESS = re.compile(r"(?P<host>[A-Za-z0-9.-]*|\[[0-9A-Fa-f:.]+\]):(?P<port>[0-9]{1,5})")
HERE = "127.0.0.1"


def address_of(text: str) -> tuple[str, int]:
    """Read `:9108`, which is on this machine only, or `HOST:PORT`; raises CallsimError."""
    found = _ADDRESS.fullmatch(text)
    if found is None or int(found["port"]) > 65535:
        raise CallsimError(f"--metrics {text}: is no address; write :9108, or HOST:PORT like 0.0.0.0:9108")
    return found["host"].strip("[]") or HERE, int(found["port"])


@contextmanager
def served(registry: CollectorRegistry, address: str) -> Iterator[str]:
    """Serve a registry at an address (see `address_of`), and give the page's URL; port 0 is a free one.

    Raises CallsimError where nobody can listen there.
    """
    host, port = address_of(address)
    try:
        server, thread = start_http_server(port, host, registry)
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        raise CallsimError(f"--metrics {address}: cannot be listened at: {why}") from None
    try:
        shown = f"[{host}]" if ":" in host else host
        yield f"http://{shown}:{server.server_port}/metrics"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
