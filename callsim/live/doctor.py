"""What this machine has for real calls, and what a lack of it means."""

from __future__ import annotations

import asyncio
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, files, version
from importlib.util import find_spec
from pathlib import Path

from callgen.dialer import SLOTS
from callgen.guarding.guard import host_of
from callgen.guarding.targets import Target, trouble_with
from callgen.messages import CODECS
from callgen.resolving import Resolved, ResolveError, Resolver, written
from callsim.errors import CallsimError
from callsim.live.errors import NotLiveError
from callsim.live.left import take_left
from callsim.live.setup import counters_file, counters_of
from callsim.plan import Plan, read_secret
from callsim.reading.plan_view import brief
from callsim.reading.seeing import seeing

WHEEL = "pjsua2-python"
SIP_PORTS = (5060, 5061)
FILES_A_CALL = 6
"""Open files that a call takes at most: RTP, RTCP, its share of the worker's pipes and transports."""
FEWEST_FILES = 256
FEWEST_BYTES = 200e6
PATIENCE = 5.0
PEERS = {"sipp": "Debian's sip-tester", "kamailio": "Debian's kamailio"}


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    name: str
    good: bool
    found: str
    means: str = ""
    """What a lack of it means, and what to do."""
    needed: bool = False
    """Whether no real call is possible without it."""


def examine(
    starts: Callable[[], str | None], plan: Plan | None = None, folder: Path = Path()
) -> list[Finding]:
    """Look at everything; `starts` tries a worker, and says why where none starts.

    With a plan its trunks' names are resolved and its secrets looked for, which nothing shows.
    """
    looked: list[Iterator[Finding]] = [
        _pjsua2(starts),
        _ports(),
        _clock(),
        _names(),
        _limits(),
        _disk(),
        _peers(),
    ]
    if plan is not None:
        looked += [_trunks(plan), _secrets(plan, folder), _left(plan), _sight(plan)]
    return [finding for part in looked for finding in part]


def report(findings: list[Finding]) -> str:
    """Write one line for each, and below it what a lack means."""
    width = max(len(finding.name) for finding in findings)
    lines = []
    for finding in findings:
        mark = "ok" if finding.good else "MISSING" if finding.needed else "note"
        lines.append(f"{mark:<8}{finding.name:<{width}}  {finding.found}")
        if finding.means and not finding.good:
            lines.append(f"{'':<8}{'':<{width}}  {finding.means}")
    lacking = [finding.name for finding in findings if finding.needed and not finding.good]
    verdict = (
        f"no real calls from here: {', '.join(lacking)}" if lacking else "real calls can be placed from here"
    )
    return "\n".join([*lines, "", verdict])


def _pjsua2(starts: Callable[[], str | None]) -> Iterator[Finding]:
    means = (
        f"pip install {WHEEL}: it needs CPython 3.8 to 3.12 on Linux x86-64, macOS or Windows; "
        f"this is Python {sys.version_info.major}.{sys.version_info.minor}; the simulator works without it"
    )
    if find_spec("pjsua2") is None:
        yield Finding("pjsua2", good=False, found="not installed", means=means, needed=True)
        return
    try:
        found = f"{WHEEL} {version(WHEEL)}"
    except PackageNotFoundError:
        found = f"of unknown version, not from {WHEEL}"
    yield Finding("pjsua2", good=True, found=found, needed=True)
    begun = time.monotonic()
    trouble = starts()
    yield Finding(
        "worker",
        good=trouble is None,
        found=trouble or f"starts in {time.monotonic() - begun:.1f} s, {SLOTS} calls in each process",
        means="a worker has to start before a call can be placed",
        needed=True,
    )
    yield Finding("codecs", good=True, found=f"{', '.join(CODECS)}; no Opus, G.729 or AMR")
    openssl = _openssl()
    old = openssl is not None and openssl.startswith(("0.", "1."))
    yield Finding(
        "TLS",
        good=not old,
        found=f"OpenSSL {openssl}" if openssl else "the version of its OpenSSL cannot be told",
        means="no more security fixes, and no TLS 1.3 before 1.1.1: call peers that you trust only",
    )


def _openssl() -> str | None:
    """Version of the OpenSSL inside the wheel, read from its libraries."""
    with suppress(PackageNotFoundError):
        for file in files(WHEEL) or ():
            if re.search(r"\.(so|dylib|dll|pyd)\b", file.name):
                with suppress(OSError):
                    found = re.search(
                        rb"OpenSSL (\d+\.\d+\.\d+[a-z]*) ", Path(str(file.locate())).read_bytes()
                    )
                    if found:
                        return found[1].decode()
    return None


def _ports() -> Iterator[Finding]:
    taken = [f"{port}/{name}" for port in SIP_PORTS for name, kind in _KINDS if not _free(port, kind)]
    yield Finding(
        "SIP ports",
        good=not taken,
        found=f"{', '.join(taken)} taken" if taken else "5060 and 5061 are free",
        means="callsim takes any free port, so only what else wants these is concerned",
    )
    with suppress(OSError):
        span = Path("/proc/sys/net/ipv4/ip_local_port_range").read_text(encoding="ascii").split()
        yield Finding(
            "free ports", good=True, found=f"{int(span[1]) - int(span[0]) + 1:,} ({'-'.join(span)})"
        )
    means = "trunks at IPv6 addresses cannot be called"
    yield Finding("IPv6", good=False, found="pjsua2's wheel is built without it", means=means)


_KINDS = (("udp", socket.SOCK_DGRAM), ("tcp", socket.SOCK_STREAM))


def _free(port: int, kind: int) -> bool:
    try:
        with socket.socket(socket.AF_INET, kind) as tried:
            tried.bind(("127.0.0.1", port))
    except OSError:
        return False
    return True


def _clock() -> Iterator[Finding]:
    info = time.get_clock_info("monotonic")
    good = info.monotonic and info.resolution <= 1e-3
    found = f"resolution {info.resolution * 1e9:.0f} ns"
    yield Finding("monotonic clock", good, found, "delays cannot be measured to the millisecond")
    offset = _output("chronyc", "-c", "tracking").split(",")
    means = "times of records and traces cannot be compared with a carrier's"
    if len(offset) > 4:
        seconds = float(offset[4])
        yield Finding("time of day", abs(seconds) < 1.0, f"{seconds:+.6f} s from NTP (chrony)", means)
        return
    said = _output("timedatectl", "show", "-p", "NTPSynchronized", "--value").strip()
    found = {"yes": "synchronised by NTP", "no": "not synchronised"}.get(said, "nothing here tells of NTP")
    yield Finding("time of day", said == "yes", found, means)


def _output(*command: str) -> str:
    """What a program prints; nothing where it is not there or fails."""
    path = shutil.which(command[0])
    if path is None:
        return ""
    with suppress(OSError, subprocess.SubprocessError, UnicodeDecodeError):
        ran = subprocess.run(
            [path, *command[1:]], capture_output=True, text=True, timeout=PATIENCE, check=True
        )
        return ran.stdout
    return ""


def _names() -> Iterator[Finding]:
    servers: list[str] = []
    with suppress(OSError, UnicodeDecodeError):
        text = Path("/etc/resolv.conf").read_text(encoding="utf-8")
        servers = re.findall(r"^\s*nameserver\s+(\S+)", text, re.MULTILINE)
    yield Finding(
        "DNS",
        good=bool(servers),
        found=f"asks {', '.join(servers)}" if servers else "no name server is configured",
        means="trunks that are named rather than numbered may not be found",
    )


def _limits() -> Iterator[Finding]:
    try:
        import resource  # noqa: PLC0415 - not there on Windows
    except ImportError:
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    unlimited = soft == resource.RLIM_INFINITY
    yield Finding(
        "open files",
        good=unlimited or soft >= FEWEST_FILES,
        found="unlimited" if unlimited else f"{soft:,}, for some {soft // FILES_A_CALL:,} calls at once",
        means=f"raise it with ulimit -n, up to {hard:,}",
    )


def _disk() -> Iterator[Finding]:
    try:
        folder = counters_file("doctor").parent
        free = shutil.disk_usage(folder).free
    except (CallsimError, OSError) as error:
        means = "the guard counts calls there, and places none where it cannot"
        yield Finding("disk", good=False, found=str(error), means=means, needed=True)
        return
    found = f"{free / 1e9:.1f} GB free at {folder}"
    yield Finding("disk", free >= FEWEST_BYTES, found, "the guard's counts and recordings need room")


def _peers() -> Iterator[Finding]:
    for name, source in PEERS.items():
        path = shutil.which(name)
        means = f"only tests against it need it; it comes with {source}"
        yield Finding(name, path is not None, path or "not installed", means)


def _trunks(plan: Plan) -> Iterator[Finding]:
    """Say where each trunk leads, in the order in which its addresses are tried."""
    found = asyncio.run(_resolved(Resolver(plan.nameservers), [trunk.uri for trunk in plan.trunks]))
    for name, trunk, resolved in zip(plan.trunk_names(), plan.trunks, found, strict=True):
        if isinstance(resolved, ResolveError):
            yield Finding(name, good=False, found=str(resolved), means="its calls would all fail")
        elif written(trunk.uri) is not None:
            yield Finding(name, good=True, found=f"{host_of(trunk.uri)}, written as an address")
        else:
            refused = {t: trouble_with(t, resolved.source) for t in resolved.targets}
            leads = ", ".join(f"{n}. {_target(t)}" for n, t in enumerate(resolved.targets, 1))
            means = "; ".join(f"{t.address} is refused: {why}" for t, why in refused.items() if why)
            yield Finding(name, not means, f"{leads} ({resolved.how}, for {resolved.ttl:.0f} s)", means)


async def _resolved(resolver: Resolver, uris: Sequence[str]) -> list[Resolved | ResolveError]:
    async def one(uri: str) -> Resolved | ResolveError:
        try:
            return await resolver.resolve(uri)
        except ResolveError as error:
            return error

    return await asyncio.gather(*(one(uri) for uri in uris))


def _target(target: Target) -> str:
    by = f", priority {target.priority} weight {target.weight}" * bool(target.priority or target.weight)
    return f"{target} is {target.address} over {target.transport}{by}"


def _secrets(plan: Plan, folder: Path) -> Iterator[Finding]:
    for name, trunk in zip(plan.trunk_names(), plan.trunks, strict=True):
        for what, reference in (("username", trunk.username), ("password", trunk.password)):
            if reference is None:
                continue
            try:
                read_secret(reference, f"{name}: {what}", folder)
            except CallsimError as error:
                yield Finding(f"{name} {what}", good=False, found=str(error), means="the plan cannot be run")
            else:
                yield Finding(f"{name} {what}", good=True, found=f"{reference} is there")


def _left(plan: Plan) -> Iterator[Finding]:
    """Calls of processes that died, which are told of once."""
    with suppress(NotLiveError):
        counters = counters_of(plan)
        try:
            left = take_left(counters)
        finally:
            counters.close()
        yield Finding("calls left", good=left is None, found=left or "none by a process that died")


def _sight(plan: Plan) -> Iterator[Finding]:
    seen = seeing(plan)
    means = "`callsim watch` has nothing to do with this plan; give a test `every`"
    yield Finding("sees", good=bool(seen.views), found=brief(seen), means=means)
