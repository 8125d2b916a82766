"""pjsua2's endpoint, whose TLS connections live only where the far end is whom the trunk names."""

from __future__ import annotations

import os
import re
import sys
from typing import Any

import pjsua2 as pj

from callgen.endpoint.account import host_of
from callgen.endpoint.certificates import Certificate, trouble_with

OVER_TLS = re.compile(r"sip:(?:[^@]*@)?([0-9.]+)(?::([0-9]+))?;transport=tls", re.IGNORECASE)
SIPS_PORT = "5061"
OTHER_NAME = pj.PJ_SSL_CERT_EIDENTITY_NOT_MATCH
"""The library's flag for a certificate that is not for the host part of the address that it connects to."""


class Library(pj.Endpoint):  # type: ignore[misc]  # pjsua2 has no types
    """The library of a worker; with `verify` far ends over TLS have to prove who they are."""

    def __init__(self, *, verify: bool) -> None:
        super().__init__()
        self._verify = verify
        self._names: dict[str, str] = {}
        """Whom the far end at an address, HOST:PORT, has to be over TLS."""
        self._refused: dict[str, str] = {}
        """Why the last connection to an address was not used."""

    def expect(self, uri: str, target: str | None) -> None:
        """Let a connection over TLS to an address live only if the far end proves that it is the URI's host.

        The address is that of `target`, without one that in the URI itself.
        """
        found = OVER_TLS.match(target or uri)
        if found is not None:
            peer = f"{found[1]}:{found[2] or SIPS_PORT}"
            self._names[peer] = host_of(uri)
            self._refused.pop(peer, None)

    def trouble_at(self, uri: str) -> str | None:
        """Why the last connection over TLS to the address in `uri` was not used; None: there was none."""
        found = OVER_TLS.match(uri)
        return self._refused.get(f"{found[1]}:{found[2] or SIPS_PORT}") if found else None

    def onTransportState(self, prm: Any) -> None:  # noqa: ANN401, N802 - pjsua2 has no types
        """A connection has come up or gone; what is sent over it waits until this returns."""
        if not self._verify or prm.state != pj.PJSIP_TP_STATE_CONNECTED or not prm.type.startswith("TLS"):
            return
        try:
            info = prm.tlsInfo
            peer = info.remoteAddr
            name = self._names.get(peer)
            # Where a trunk's name is known it is looked for here: the library knows the address alone.
            status = info.verifyStatus & ~OTHER_NAME if name is not None else info.verifyStatus
            trouble = trouble_with(_certificate(info), name, info.verifyMsgs if status else ())
            if trouble is None:
                self._refused.pop(peer, None)
            else:
                self._refused[peer] = trouble
                self.transportShutdown(prm.hnd)
        except Exception as error:
            # The library would go on and send; a process that is gone does not.
            sys.stderr.write(f"callsim worker: certificate: {type(error).__name__}: {error}\n")
            sys.stderr.flush()
            os._exit(1)


def _certificate(info: Any) -> Certificate:  # noqa: ANN401 - pjsua2 has no types
    shown = info.remoteCertInfo
    names = [(name.type, name.name) for name in shown.subjectAltName]
    return Certificate(
        shown.subjectCn,
        tuple(name for kind, name in names if kind in {pj.PJ_SSL_CERT_NAME_DNS, pj.PJ_SSL_CERT_NAME_IP}),
        tuple(name for kind, name in names if kind == pj.PJ_SSL_CERT_NAME_URI),
    )
