"""Finds the addresses behind a SIP trunk's name, in the order of RFC 3263."""

from __future__ import annotations

import asyncio
import ipaddress
import re
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import dns.asyncresolver
import dns.exception
import dns.name
import dns.nameserver
import dns.rdatatype
import dns.resolver

from callgen.guarding.guard import TRUNK
from callgen.guarding.targets import Source, Target, privacy

LIFETIME = 5.0
"""Seconds that one question may take, with its repeats."""
FAILURE_HELD = 15.0
"""Seconds for which a failure is not asked about again."""
LONGEST_TTL = 86400.0
MOST = 16
"""Targets of one trunk that are used; a name with more is no carrier's."""
DNS_PORT = 53
HOSTS = Path("/etc/hosts")
HOSTS_TTL = 60.0
PORTS = {"udp": 5060, "tcp": 5060, "tls": 5061}
SERVICES = {"udp": "_sip._udp", "tcp": "_sip._tcp", "tls": "_sips._tcp"}
NAPTR_SERVICES = {"SIP+D2U": "udp", "SIP+D2T": "tcp", "SIPS+D2T": "tls"}
TRANSPORTS = tuple(PORTS)
LOCALHOST = "localhost"
NOWHERE = "DNS: "
"""With this the text begins of what is wrong with a name."""


class ResolveError(Exception):
    """DNS names no address for a trunk; its text begins with NOWHERE."""


@dataclass(frozen=True)
class Resolved:
    """What DNS says of a trunk."""

    targets: tuple[Target, ...]
    """By priority."""
    ttl: float
    """Seconds for which it holds."""
    source: Source
    how: str
    """The records that were followed: `SRV _sip._udp.atlantic.example`."""
    until: float = field(default=0.0, compare=False)
    """Instant of the resolver's clock at which it runs out."""


def written(trunk_uri: str) -> Target | None:
    """Give the target of a trunk that is written as an address; None: as a name, which is to be resolved."""
    host, port, transport = _read(trunk_uri)
    if not host.startswith("[") and not _is_address(host):
        return None
    over = transport or "udp"
    return Target(host, host, port or PORTS[over], over)


class _SilenceError(ResolveError):
    """No name server answers at all."""


class Resolver:
    """Resolves trunks by NAPTR, SRV and A records, and asks again when their time to live has run out.

    `nameservers` are `ADDRESS` or `ADDRESS:PORT`; without any the system's, after its hosts file. `clock`
    gives seconds. Raises ValueError for a server that is no address.
    """

    def __init__(self, nameservers: Sequence[str] = (), clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._servers = [server_of(server) for server in nameservers]
        self._source = min(
            (privacy(address) or Source.PUBLIC for address, _ in self._servers), default=Source.PUBLIC
        )
        self._resolver: dns.asyncresolver.Resolver | None = None
        self._known: dict[tuple[str, tuple[str, ...]], Resolved | tuple[str, float]] = {}
        self._locks: dict[tuple[str, tuple[str, ...]], asyncio.Lock] = {}

    async def resolve(self, trunk_uri: str, transports: Sequence[str] = TRANSPORTS) -> Resolved:
        """Give the targets of a trunk (`sip:HOST[:PORT][;transport=...]`) over these transports.

        An address is its own target. Raises ResolveError, of which it does not ask again for some seconds.
        """
        key = trunk_uri, tuple(transports)
        async with self._locks.setdefault(key, asyncio.Lock()):  # who waits takes what the first learns
            known = self._known.get(key)
            if isinstance(known, Resolved) and self._clock() < known.until:
                return known
            if isinstance(known, tuple) and self._clock() < known[1]:
                raise ResolveError(known[0])
            try:
                found = await self._resolved(trunk_uri, transports)
            except ResolveError as error:
                self._known[key] = str(error), self._clock() + FAILURE_HELD
                raise
            self._known[key] = found
            return found

    def left(self, trunk_uri: str, transports: Sequence[str] = TRANSPORTS) -> float:
        """Seconds for which what `resolve` said last holds, whether it failed or not."""
        known = self._known[trunk_uri, tuple(transports)]
        return (known.until if isinstance(known, Resolved) else known[1]) - self._clock()

    async def _resolved(self, trunk_uri: str, transports: Sequence[str]) -> Resolved:
        host, port, transport = _read(trunk_uri)
        if (target := written(trunk_uri)) is not None:
            return self._made([target], LONGEST_TTL, Source.LOCAL, "written as an address")
        if (addresses := self._listed(host)) is not None:
            over = transport or "udp"
            targets = [Target(host, address, port or PORTS[over], over) for address in addresses]
            return self._made(targets, HOSTS_TTL, Source.LOCAL, "in the hosts file")
        if port is not None:
            return await self._by_address(host, port, transport or "udp", "")
        return await self._by_service(host, transport, transports)

    def _made(self, targets: Iterable[Target], ttl: float, source: Source, how: str) -> Resolved:
        ordered = sorted(targets, key=lambda target: target.priority)[:MOST]
        ttl = min(ttl, LONGEST_TTL)
        return Resolved(tuple(ordered), ttl, source, how, self._clock() + ttl)

    def _listed(self, host: str) -> list[str] | None:
        """Addresses of a name that this machine knows by itself; None: it does not."""
        if host == LOCALHOST:
            return ["127.0.0.1"]
        if self._servers:
            return None
        found = []
        with suppress(OSError, UnicodeDecodeError):
            for line in HOSTS.read_text(encoding="utf-8").splitlines():
                address, *names = line.partition("#")[0].lower().split() or [""]
                if host in names and _is_address(address):
                    found.append(address)
        return found or None

    async def _by_service(self, host: str, transport: str | None, transports: Sequence[str]) -> Resolved:
        """Follow NAPTR where the plan leaves the transport open, then SRV, then A (RFC 3263, 4.1 and 4.2)."""
        services = [(f"{SERVICES[transport or 'udp']}.{host}", transport or "udp")]
        held = LONGEST_TTL
        if transport is None:
            named, held = await self._naptr(host, transports)
            services = named or services
        said = ""
        for service, over in services:
            answer = await self._ask(service, "SRV")
            if answer is not None:
                return await self._by_records(answer, service, over, held)
            said += f"no SRV {service}, "
        over = services[0][1]
        return await self._by_address(host, PORTS[over], over, said, held)

    async def _naptr(self, host: str, transports: Sequence[str]) -> tuple[list[tuple[str, str]], float]:
        """Names of SRV records with their transports, the preferred first; and for how long that holds."""
        try:
            answer = await self._ask(host, "NAPTR")
        except _SilenceError:
            raise
        except ResolveError:
            answer = None  # it is optional, and not every name server knows the type
        if answer is None:
            return [], LONGEST_TTL
        found = []
        for record in sorted(answer, key=lambda record: (record.order, record.preference)):
            over = NAPTR_SERVICES.get(record.service.decode("ascii", "replace").upper(), "")
            simple = record.flags.lower() == b"s" and not record.regexp
            if over in transports and simple:
                found.append((_text(record.replacement), over))
        return found, float(answer.chaining_result.minimum_ttl)

    async def _by_records(
        self, answer: dns.resolver.Answer, service: str, over: str, held: float
    ) -> Resolved:
        """Find the addresses of the hosts that SRV records name; a host without one is passed over."""
        records = sorted(answer, key=lambda record: record.priority)[:MOST]
        if [_text(record.target) for record in records] == ["."]:
            raise ResolveError(f"{NOWHERE}{service} says that there is no such service")
        hosts = list(dict.fromkeys(_text(record.target) for record in records))
        asked = await asyncio.gather(*(self._ask(host, "A") for host in hosts), return_exceptions=True)
        found = dict(zip(hosts, asked, strict=True))
        targets, ttl = [], min(held, float(answer.chaining_result.minimum_ttl))
        for record in records:
            addresses = found[_text(record.target)]
            if isinstance(addresses, dns.resolver.Answer):
                ttl = min(ttl, float(addresses.chaining_result.minimum_ttl))
                targets += [
                    Target(_text(record.target), a.address, record.port, over, record.priority, record.weight)
                    for a in addresses
                ]
        if not targets:
            why = next((str(each) for each in asked if isinstance(each, ResolveError)), "")
            why = why.removeprefix(NOWHERE) or f"{' and '.join(hosts)} have no A record"
            raise ResolveError(f"{NOWHERE}{service} leads nowhere: {why}")
        return self._made(targets, ttl, self._source, f"SRV {service}")

    async def _by_address(
        self, host: str, port: int, over: str, said: str, held: float = LONGEST_TTL
    ) -> Resolved:
        answer = await self._ask(host, "A", needed=True)
        if answer is None:
            raise ResolveError(f"{NOWHERE}{host} has no A record, and pjsua2's wheel has no IPv6")
        targets = [Target(host, record.address, port, over) for record in answer]
        ttl = min(held, float(answer.chaining_result.minimum_ttl))
        return self._made(targets, ttl, self._source, f"{said}A {host}")

    async def _ask(self, name: str, kind: str, *, needed: bool = False) -> dns.resolver.Answer | None:
        """Ask for records; None where there are none, or unless `needed` no such name; else ResolveError."""
        try:
            if self._resolver is None:
                self._resolver = self._made_resolver()
            return await self._resolver.resolve(
                dns.name.from_text(name), dns.rdatatype.from_text(kind), lifetime=LIFETIME
            )
        except dns.resolver.NoAnswer:
            return None
        except dns.resolver.NXDOMAIN:
            if not needed:
                return None
            raise ResolveError(f"{NOWHERE}{name} does not exist (NXDOMAIN)") from None
        except dns.exception.Timeout:
            raise _SilenceError(f"{NOWHERE}no answer for {name} {kind} in {LIFETIME:.0f} s") from None
        except dns.resolver.NoNameservers as error:
            codes = dict.fromkeys(re.findall(r"answered ([A-Z]+)", str(error)))
            said = ", ".join(codes) or "no server gave a usable answer"
            raise ResolveError(f"{NOWHERE}{name} {kind}: {said}") from None
        except dns.resolver.NoResolverConfiguration:
            raise ResolveError(
                "DNS: this machine has no name servers; write `nameservers` in the plan"
            ) from None
        except (dns.exception.DNSException, OSError, UnicodeError) as error:
            raise ResolveError(f"{NOWHERE}{name} {kind}: {error or type(error).__name__}") from None

    def _made_resolver(self) -> dns.asyncresolver.Resolver:
        resolver = dns.asyncresolver.Resolver(configure=not self._servers)
        if self._servers:
            resolver.nameservers = [dns.nameserver.Do53Nameserver(*server) for server in self._servers]
        return resolver


def server_of(text: str) -> tuple[str, int]:
    """Read a name server, `ADDRESS` or `ADDRESS:PORT`; raises ValueError."""
    with suppress(ValueError):
        return str(ipaddress.ip_address(text)), DNS_PORT
    address, _, port = text.rpartition(":")
    with suppress(ValueError):
        if re.fullmatch(r"[0-9]{1,5}", port) and 1 <= int(port) <= 65535:
            return str(ipaddress.ip_address(address.removeprefix("[").removesuffix("]"))), int(port)
    raise ValueError(f"{text!r} is no name server; write one like 192.0.2.53 or 127.0.0.1:5353")


def _read(trunk_uri: str) -> tuple[str, int | None, str | None]:
    """Split a trunk's URI into host, port and transport; ValueError for another URI."""
    found = TRUNK.fullmatch(trunk_uri)
    if found is None:
        raise ValueError(f"{trunk_uri!r} must be a trunk, like sip:sbc1.example.com;transport=tls")
    host = (found["name"] or f"[{found['ipv6']}]").lower()
    transport = found["transport"].lower().rpartition("=")[2] if found["transport"] else None
    return host, int(found["port"]) if found["port"] else None, transport


def _is_address(host: str) -> bool:
    try:
        ipaddress.IPv4Address(host)
    except ValueError:
        return False
    return True


def _text(name: dns.name.Name) -> str:
    """Write a name without its last dot, in small letters; the root as `.`."""
    return name.to_text().lower().rstrip(".") or "."
