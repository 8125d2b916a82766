"""Addresses that requests to a trunk can go to, and in which order one call tries them."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from itertools import groupby

import numpy as np

LEAST_PORT = 1024
"""Below it are services that no call must be aimed at; SIP's own are 5060 and 5061."""


class Source(IntEnum):
    """Who said where a trunk is; an address may be only as private as that."""

    PUBLIC = 0
    """The system's name servers: whoever owns the name decides what they say."""
    PRIVATE = 1
    """Name servers at private addresses, which the plan names."""
    LOCAL = 2
    """The plan itself, the hosts file, or name servers on loopback which the plan names."""


@dataclass(frozen=True)
class Target:
    """One address that requests to a trunk can go to."""

    host: str
    """The name that has this address; the address itself where the trunk is written so."""
    address: str
    """IPv4, for the wheel of pjsua2 has no IPv6."""
    port: int
    transport: str
    priority: int = 0
    """Lower ones are tried first."""
    weight: int = 0

    @property
    def uri(self) -> str:
        """Its SIP URI."""
        return f"sip:{self.address}:{self.port};transport={self.transport}"

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


def privacy(address: str) -> Source | None:
    """Who may say that a trunk is at an address, or somebody more private; None: nobody."""
    parsed = ipaddress.ip_address(address)
    if parsed.is_loopback:
        return Source.LOCAL
    if parsed.is_multicast or parsed.is_unspecified or parsed.is_link_local or parsed.is_reserved:
        return None
    return Source.PUBLIC if parsed.is_global else Source.PRIVATE


def trouble_with(target: Target, source: Source) -> str | None:
    """Say why no call goes to a target that `source` names, so that no name leads inside; None: it may."""
    needed = privacy(target.address)
    if needed is None:
        return "no address of a host"
    if target.port < LEAST_PORT:
        return f"port {target.port} is another service's"
    if needed > source:
        kind = "loopback" if needed is Source.LOCAL else "private"
        return f"a {kind} address; only the plan, or `nameservers` of its own as {kind}, may lead there"
    return None


def drawn(targets: Sequence[Target], rng: np.random.Generator) -> list[int]:
    """Give the order in which one call tries targets, as indices (RFC 2782).

    By priority; within one the next is drawn among those left in proportion to their weights, so that those
    with weight 0 come last. Addresses of one host follow each other as they are listed.
    """
    records: dict[tuple[int, str, int], list[int]] = {}
    for index, target in enumerate(targets):
        records.setdefault((target.priority, target.host, target.port), []).append(index)
    order: list[int] = []
    for priority in sorted({target.priority for target in targets}):
        left = [record for (of, _, _), record in records.items() if of == priority]
        while left:
            sums = np.cumsum([targets[record[0]].weight for record in left])
            some = len(left) > 1 and sums[-1] > 0
            order += left.pop(int(np.searchsorted(sums, rng.random() * sums[-1], "right")) if some else 0)
    return order


@dataclass(frozen=True)
class Hop:
    """Where one trunk of a router leads: to one address of a trunk as people know it, or nowhere."""

    trunk: int
    """Number of the trunk that it belongs to; several in a row share one."""
    name: str
    """That trunk's name, under which its account and its caps are known."""
    label: str
    """Its own, as records have it: `atlantic/1`, or `atlantic/1@sbc2.atlantic.example:5060`."""
    target: Target | None = None
    trouble: str | None = None
    """Why there is no address, so that what is sent there fails at once."""

    @property
    def uri(self) -> str | None:
        """SIP URI of its address."""
        return None if self.target is None else self.target.uri


def hops_of(trunk: int, name: str, targets: Sequence[Target]) -> list[Hop]:
    """Give a trunk's hops in their order, each with a name of its own where there are several."""
    if len(targets) == 1:
        return [Hop(trunk, name, name, targets[0])]
    said = [str(target) for target in targets]
    return [
        Hop(trunk, name, f"{name}@{text if said.count(text) == 1 else f'{t.address}:{t.port}'}", t)
        for text, t in zip(said, targets, strict=True)
    ]


def ordered(hops: Sequence[Hop], trunks: Sequence[int], rng: np.random.Generator) -> tuple[int, ...]:
    """Draw, within the hops of each trunk, the order in which one call tries them; `trunks` are indices."""
    order: list[int] = []
    for _, group in groupby(trunks, key=lambda number: hops[number].trunk):
        numbers = list(group)
        targets = [target for number in numbers if (target := hops[number].target) is not None]
        order += [numbers[n] for n in drawn(targets, rng)] if len(targets) == len(numbers) > 1 else numbers
    return tuple(order)
