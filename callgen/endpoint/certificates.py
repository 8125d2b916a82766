"""Decides whether a far end's certificate proves that it is whom a trunk names (RFC 5922)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Certificate:
    """What a far end has shown over TLS."""

    common_name: str
    hosts: tuple[str, ...] = ()
    """Its alternative names that are host names or addresses."""
    uris: tuple[str, ...] = ()
    """Its alternative names that are URIs."""

    @property
    def names(self) -> tuple[str, ...]:
        """Whom it is for: its alternative names, without any its common name (RFC 5922, 7.1)."""
        domains = (uri.partition(":")[2] for uri in self.uris if uri.lower().startswith(("sip:", "sips:")))
        named = (*(domain for domain in domains if "@" not in domain), *self.hosts)
        return tuple(name.lower() for name in named or (self.common_name,))


def trouble_with(certificate: Certificate, name: str | None, faults: Iterable[str]) -> str | None:
    """Say why a connection to whom `name` has to be proven cannot be used; None where it can.

    `faults` are what is wrong with the certificate itself. Without a name there is no more to prove.
    Wildcards match nothing (RFC 5922, 7.2).
    """
    if wrong := "; ".join(faults):
        return wrong
    if name is None or name.lower() in certificate.names:
        return None
    return f"the certificate is for {', '.join(certificate.names)}, not for {name}"
