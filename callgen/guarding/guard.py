"""The one way to the wire: nothing is sent without a permit, which only a guard gives."""

from __future__ import annotations

import ipaddress
import math
import re
import time
from collections.abc import Callable, Iterable
from enum import Enum
from typing import NoReturn

import phonenumbers

from callgen.guarding import numbers
from callgen.guarding.caps import DAY, Caps, billed_minutes
from callgen.guarding.counters import Counters
from callgen.guarding.refusals import Reason, RefusedError
from callgen.guarding.targets import Source, Target, trouble_with

__all__ = ["Guard", "Method", "Permit", "Reason", "RefusedError", "host_of"]

TIMER_C = 180.0
"""Seconds for which a proxy lets a call ring (RFC 3261, 16.6)."""
UNDER_WAY = 300.0
"""Seconds for which a call that began with what DNS said may go on to the next address of it."""
NAME = r"[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?"
TRUNK = re.compile(
    rf"sip:(?:(?P<name>{NAME})|\[(?P<ipv6>[0-9a-f:.]+)\])(?::(?P<port>[1-9][0-9]{{0,4}}))?"
    r"(?P<transport>;transport=(?:udp|tcp|tls))?",
    re.IGNORECASE,
)
ALLOWED = re.compile(r"\+[1-9][0-9]{0,14}")
HEADER = re.compile(r"[A-Za-z0-9!%*_+`'~.-]+")
_OURS = """
    route record-route path service-route via from to contact call-id cseq max-forwards
    p-asserted-identity p-preferred-identity remote-party-id diversion history-info identity
    refer-to referred-by replaces join target-dialog session-expires min-se geolocation resource-priority
    content-length content-type content-encoding authorization proxy-authorization
    v f t m i l c e r b x y
"""
OURS = frozenset(_OURS.split())
"""Headers, with their compact forms, that say who calls or where a request goes: never a plan's own."""
_MINT = object()


class Method(Enum):
    """A request that a permit is for."""

    INVITE = "INVITE"
    OPTIONS = "OPTIONS"
    REGISTER = "REGISTER"


class Permit:
    """Leave to send one request to one URI, once; it can be neither made, copied nor pickled elsewhere."""

    __slots__ = ("_method", "_number", "_reserved", "_spent", "_target", "_trunk", "_uri")

    def __init__(
        self,
        mint: object,
        method: Method,
        uri: str,
        trunk: str,
        number: str | None = None,
        reserved: int | None = None,
        target: str | None = None,
    ) -> None:
        if mint is not _MINT:
            raise TypeError("a Permit comes from a Guard only")
        self._method = method
        self._uri = uri
        self._trunk = trunk
        self._number = number
        self._reserved = reserved
        self._target = target
        self._spent = False

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Permit is for one request, so there are no copies")

    @property
    def number(self) -> str | None:
        """The telephone number that it is for, in E.164; None for OPTIONS or REGISTER."""
        return self._number

    @property
    def target(self) -> str | None:
        """SIP URI of the address that it is for; None: what its URI says."""
        return self._target

    @property
    def trunk(self) -> str:
        """Name under which the trunk's caps are known; its address without one."""
        return self._trunk

    @property
    def host(self) -> str:
        """Host of its URI, which a certificate has to name."""
        return host_of(f"sip:{self._uri.rpartition('@')[2].removeprefix('sip:')}").strip("[]")

    def ends_at(self, address: str) -> bool:
        """Whether what ends its call (CANCEL, ACK, BYE) may go to an IP address, once its INVITE was sent.

        To that which it is for alone; where that is a name, to the one that the INVITE went to.
        """
        if self._method is not Method.INVITE or not self._spent:
            return False
        host = host_of(self._target).strip("[]") if self._target else self.host
        try:
            return ipaddress.ip_address(host) == ipaddress.ip_address(address)
        except ValueError:
            return True

    def spend(self, method: Method) -> str:
        """Use the permit up, and learn the URI; ValueError for another method, or the second time."""
        if method is not self._method:
            raise ValueError(f"a permit for {self._method.value} is none for {method.value}")
        if self._spent:
            raise ValueError("this permit has been used")
        self._spent = True
        return self._uri


class Guard:
    """Gives permits for listed numbers over listed hosts under caps, and never for an emergency number.

    `allow` holds beginnings of numbers in E.164 (`+120255501`), `hosts` names or addresses of trunks,
    `caller_ids` the numbers that are ours to show; an empty list allows nothing. `counters` is where calls
    are counted, this process's memory without it. Numbers without + are read as dialled in `country` (ISO
    3166-1). `clock` gives POSIX time. Raises ValueError for an entry of another kind.
    """

    def __init__(
        self,
        allow: Iterable[str],
        hosts: Iterable[str],
        caps: Caps | None = None,
        counters: Counters | None = None,
        caller_ids: Iterable[str] = (),
        country: str | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        numbers.warm_up()
        self._allow = tuple(allow)
        self._hosts = frozenset(map(_host, hosts))
        self._caps = caps or Caps()
        self._counters = Counters() if counters is None and caps is not None else counters
        self._caller_ids = frozenset(map(_caller_id, caller_ids))
        self._country = country
        self._clock = clock
        self._targets: dict[tuple[str, str], tuple[float, str | None]] = {}
        """When what DNS told of a host's address runs out, and why the address is refused, if it is."""
        for entry in self._allow:
            if not ALLOWED.fullmatch(entry):
                raise ValueError(f"allow: {entry!r} must be + and the first digits of numbers")
        if country is not None and country not in phonenumbers.SUPPORTED_REGIONS:
            raise ValueError(f"country: {country!r} must be a country's two letters, like US")

    def invite(
        self,
        number: str,
        trunk_uri: str,
        *,
        trunk: str | None = None,
        caller_id: str | None = None,
        seconds: float = 60.0,
        ring: float = TIMER_C,
        headers: Iterable[tuple[str, str]] = (),
        target: str | None = None,
    ) -> Permit:
        """Give leave for one INVITE to a number over a trunk; raises RefusedError.

        The call is reserved under the caps as its worst case: answered, talked over for `seconds`, after
        ringing for `ring` seconds. `settle` puts its real figures there. `trunk` is the name under which
        its caps and price are known (its address without one); `caller_id` and `headers` are what the
        INVITE will show. The URI is made of the number's digits and the trunk's address (`sip:HOST[:PORT]
        [;transport=udp|tcp|tls]`), so that nothing else that either was written with reaches the wire. It
        goes to `target`, an address that `admit` has been told of, or where the URI says.
        Raises ValueError for seconds that are no time of a call.
        """
        if not (0 <= seconds <= DAY and 0 <= ring <= DAY):
            raise ValueError(f"seconds(={seconds}) and ring(={ring}) must be between 0 and {DAY:.0f}")
        dialled = self.dialled(number)
        address = self._address(trunk_uri)
        if caller_id is not None and caller_id not in self._caller_ids:
            raise RefusedError(Reason.CALLER_ID, caller_id)
        for header, value in headers:
            if not HEADER.fullmatch(header) or header.lower() in OURS or not value.isprintable():
                raise RefusedError(Reason.HEADER, header)
        self._check(trunk_uri, target)
        trunk = trunk or address
        reserved = self._reserve(trunk, seconds, ring)
        return Permit(_MINT, Method.INVITE, f"sip:{dialled}@{address}", trunk, dialled, reserved, target)

    def dialled(self, number: str) -> str:
        """Give a number that may be called in E.164, and no leave for a call; raises RefusedError."""
        dialled = numbers.e164(number, self._country)
        if not dialled.startswith(self._allow):
            raise RefusedError(Reason.NUMBER, number)
        return dialled

    def ping(self, trunk_uri: str, target: str | None = None) -> Permit:
        """Give leave for one OPTIONS to a trunk itself, never to a number there; raises RefusedError."""
        return self._to_trunk(Method.OPTIONS, trunk_uri, target)

    def register(self, trunk_uri: str, target: str | None = None) -> Permit:
        """Give leave to keep a registration at a trunk; raises RefusedError."""
        return self._to_trunk(Method.REGISTER, trunk_uri, target)

    def admit(self, trunk_uri: str, target: Target, source: Source, seconds: float) -> None:
        """Allow an address for `seconds`, and for calls that are under way then, as DNS names it for a trunk.

        Raises RefusedError for a host that is not listed, and for an address that `source` must not name.
        """
        host, _ = self._listed(trunk_uri)
        now, why = self._clock(), trouble_with(target, source)
        self._targets = {key: known for key, known in self._targets.items() if known[0] > now}
        self._targets[host, target.uri] = now + seconds + UNDER_WAY, why
        if why is not None:
            raise RefusedError(Reason.TARGET, f"{host} at {target.address}", why)

    def settle(self, permit: Permit, seconds: float | None, placed: bool) -> None:
        """Count a call that is over as what it was: `seconds` from its answer to its BYE, 0 unanswered.

        Where `seconds` is None its end is not known: it counts as its worst case, and is on the line until
        its lease ends. A call that was not `placed` is as if never asked for. Settle a call that was given
        up without any response once it cannot be answered any more (32 s). Settling again corrects.
        """
        if self._counters is None or permit._reserved is None:
            return
        if not placed:
            self._counters.release(permit._reserved)
        elif seconds is not None:
            short = 0 < seconds <= self._caps.short_call
            minutes = billed_minutes(max(seconds, 0.0))
            self._counters.settle(permit._reserved, minutes, short, self._clock())
        else:
            self._counters.keep_worst(permit._reserved)

    def _reserve(self, trunk: str, seconds: float, ring: float) -> int | None:
        if self._counters is None:
            return None
        if self._caps.unpriced(trunk):
            raise RefusedError(Reason.PRICE, trunk)
        return self._counters.reserve(self._caps.worst(trunk, seconds, ring), self._caps, self._clock)

    def _to_trunk(self, method: Method, trunk_uri: str, target: str | None) -> Permit:
        address = self._address(trunk_uri)
        self._check(trunk_uri, target)
        return Permit(_MINT, method, f"sip:{address}", address, target=target)

    def _check(self, trunk_uri: str, target: str | None) -> None:
        """Refuse an address that DNS does not name for the trunk, or did too long ago."""
        host, _ = self._listed(trunk_uri)
        if target is None:
            return
        until, why = self._targets.get((host, target), (-math.inf, "not what DNS says"))
        if why is None and until <= self._clock():
            why = "not what DNS says any more"
        if why is not None:
            raise RefusedError(Reason.TARGET, f"{host} at {target}", why)

    def _address(self, trunk: str) -> str:
        return "".join(self._listed(trunk))

    def _listed(self, trunk: str) -> tuple[str, str]:
        """Give a trunk's host, and what follows it; raises RefusedError unless it is on the list."""
        host, rest = _parts(trunk)
        if host not in self._hosts:
            raise RefusedError(Reason.HOST, trunk)
        return host, rest


def host_of(trunk_uri: str) -> str:
    """Give the host of a trunk's SIP URI, as an allow-list of hosts has it; raises RefusedError."""
    return _parts(trunk_uri)[0]


def _parts(trunk: str) -> tuple[str, str]:
    """Split a trunk's URI into its host, and the port and transport as they are written after it."""
    found = TRUNK.fullmatch(trunk)
    if not found or int(found["port"] or 1) > 65535:
        raise RefusedError(Reason.TRUNK, trunk)
    try:
        host = found["name"] or f"[{ipaddress.IPv6Address(found['ipv6'])}]"
    except ValueError:
        raise RefusedError(Reason.TRUNK, trunk) from None
    port = f":{found['port']}" if found["port"] else ""
    return host.lower(), port + (found["transport"] or "").lower()


def _host(entry: str) -> str:
    """Check an entry of the list of hosts; an IPv6 address may lack its brackets."""
    bracketed = f"[{entry}]" if entry.count(":") > 1 and not entry.startswith("[") else entry
    try:
        host, rest = _parts(f"sip:{bracketed}")
    except RefusedError:
        host, rest = "", entry
    if rest or not host:
        raise ValueError(f"hosts: {entry!r} must be a host name or an IP address, without a port")
    return host


def _caller_id(entry: str) -> str:
    try:
        if numbers.e164(entry) == entry:
            return entry
    except RefusedError:
        pass
    raise ValueError(f"caller_ids: {entry!r} must be a full telephone number, like +12025550199")
