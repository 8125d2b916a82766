"""Measures how many calls at once can be placed on this machine, beside SIPp that places the same."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from rows import ROOT, Row, Rows

HOST = "127.0.0.1"
NUMBER = "+12025550100"
AT_ONCE = (200, 400, 700, 1000)
TALK = 60.0
"""Seconds for which all calls are up."""
SETTING_UP = 20.0
"""Calls a second while their number grows."""
RATES = (25, 50, 100, 200)
"""Calls a second that are tried, a second each."""
OFFERED = 5.0
A_SIPP = 50
"""Calls to each SIPp, since it echoes all packets over one socket with a small buffer."""
TOO_LATE = 0.2
"""Seconds after it is due at which a call is the tool's failure."""
TICKS = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100
CALLER = """<?xml version="1.0" encoding="ISO-8859-1" ?>
<scenario name="calls with media">
  <send retrans="500"><![CDATA[
INVITE sip:[service]@[remote_ip]:[remote_port] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
From: <sip:sipp@[local_ip]:[local_port]>;tag=[pid]s[call_number]
To: <sip:[service]@[remote_ip]:[remote_port]>
Call-ID: [call_id]
CSeq: 1 INVITE
Contact: <sip:sipp@[local_ip]:[local_port]>
Max-Forwards: 70
Content-Type: application/sdp
Content-Length: [len]

v=0
o=sipp 1 1 IN IP4 [local_ip]
s=-
c=IN IP4 [media_ip]
t=0 0
m=audio [rtpstream_audio_port] RTP/AVP 0
a=rtpmap:0 PCMU/8000
  ]]></send>
  <recv response="100" optional="true"/>
  <recv response="180" optional="true"/>
  <recv response="200" rrs="true"/>
  <send><![CDATA[
ACK sip:[service]@[remote_ip]:[remote_port] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
From: <sip:sipp@[local_ip]:[local_port]>;tag=[pid]s[call_number]
To: <sip:[service]@[remote_ip]:[remote_port]>[peer_tag_param]
Call-ID: [call_id]
CSeq: 1 ACK
Max-Forwards: 70
Content-Length: 0

  ]]></send>
  <nop><action><exec rtp_stream="SOUND,-1,0"/></action></nop>
  <pause milliseconds="PAUSE"/>
  <send retrans="500"><![CDATA[
BYE sip:[service]@[remote_ip]:[remote_port] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
From: <sip:sipp@[local_ip]:[local_port]>;tag=[pid]s[call_number]
To: <sip:[service]@[remote_ip]:[remote_port]>[peer_tag_param]
Call-ID: [call_id]
CSeq: 2 BYE
Max-Forwards: 70
Content-Length: 0

  ]]></send>
  <recv response="200"/>
</scenario>
"""
"""What SIPp does as the caller."""


# ---- processes as Linux sees them


def cpu(pid: int) -> tuple[int, float]:
    """Return a process's parent, and the CPU seconds that it has used."""
    words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(words[1]), (int(words[11]) + int(words[12])) / TICKS


def family(root: int) -> dict[int, float]:
    """Return the CPU seconds of a process and all below it."""
    children: dict[int, list[int]] = {}
    used: dict[int, float] = {}
    for pid in (int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()):
        try:
            parent, used[pid] = cpu(pid)
        except OSError:
            continue  # it has just ended
        children.setdefault(parent, []).append(pid)
    found, look = {}, [root]
    while look:
        pid = look.pop()
        if pid in used:
            found[pid] = used[pid]
            look += children.get(pid, [])
    return found


def megabytes(pid: int) -> float:
    """Return a process's share of the memory (PSS): what several have in common is divided among them."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0.0
    return next(int(line.split()[1]) for line in lines if line.startswith("Pss:")) * 1.024e-3


def dropped() -> dict[int, int]:
    """Return how many packets the kernel has dropped at each UDP port, since its socket was full."""
    rows = (line.split() for line in Path("/proc/net/udp").read_text().splitlines()[1:])
    return {int(row[1].rpartition(":")[2], 16): int(row[-1]) for row in rows if row[-1] != "0"}


# ---- the far ends


@dataclass
class Sipp:
    """A SIPp that runs, with the file in which it counts its calls."""

    process: subprocess.Popen[bytes]
    counts: Path
    port: int
    media: int

    def on_the_line(self) -> int:
        """Return how many calls it has now."""
        try:
            lines = self.counts.read_text().splitlines()
        except OSError:
            return 0
        return int(lines[-1].split(";")[lines[0].split(";").index("CurrentCall")]) if len(lines) > 1 else 0


def free_port() -> int:
    """Find a UDP port with three free ones after it."""
    while True:
        with ExitStack() as stack:
            sockets = [stack.enter_context(socket.socket(type=socket.SOCK_DGRAM)) for _ in range(4)]
            sockets[0].bind((HOST, 0))
            first: int = sockets[0].getsockname()[1]
            try:
                for n, one in enumerate(sockets[1:], 1):
                    one.bind((HOST, first + n))
            except (OSError, OverflowError):
                continue
            return first


@contextmanager
def sipp(folder: Path, *options: str) -> Iterator[Sipp]:
    """Run SIPp until the block ends."""
    port, media = free_port(), free_port()
    counts = folder / f"{port}.csv"
    common = f"-i {HOST} -mi {HOST} -p {port} -mp {media} -nostdin -trace_stat -stf {counts} -fd 1".split()
    null = subprocess.DEVNULL
    process = subprocess.Popen(["sipp", *options, *common], stdout=null, stderr=null, cwd=folder)
    try:
        time.sleep(0.3)
        if process.poll() is not None:
            raise SystemExit(f"sipp {' '.join(options)} ended with {process.returncode}")
        yield Sipp(process, counts, port, media)
    finally:
        process.terminate()
        process.wait()


@contextmanager
def far_ends(folder: Path, calls: int) -> Iterator[list[Sipp]]:
    """Run as many SIPps as answer so many calls, and send back what they hear."""
    with ExitStack() as stack:
        yield [
            stack.enter_context(sipp(folder, "-sn", "uas", "-rtp_echo")) for _ in range(-(-calls // A_SIPP))
        ]


# ---- a run


@dataclass
class Seen:
    """What a run used while all its calls were up, by role; see `watch`."""

    used: dict[str, float] = field(default_factory=dict)
    """CPU seconds from `began` to `ended`."""
    began: float = 0.0
    ended: float = 0.0
    memory: dict[str, float] = field(default_factory=dict)
    workers: int = 0
    ready: float | None = None
    """Seconds until the first call was up."""
    drops: Counter[int] = field(default_factory=Counter)

    def share(self, role: str) -> float:
        """Return the share of a core that a role used."""
        return self.used[role] / (self.ended - self.began)


def watch(caller: subprocess.Popen[bytes], far: list[Sipp], calls: int, talk: float) -> Seen:
    """Look at a caller's processes every second until it ends; all calls are up for `talk` seconds."""
    seen, start = Seen(), time.monotonic()
    first: tuple[dict[int, float], float] | None = None
    before = dropped()
    while caller.poll() is None:
        time.sleep(1.0)
        for port, count in dropped().items():
            seen.drops[port] = max(seen.drops[port], count - before.get(port, 0))
        up = sum(one.on_the_line() for one in far)
        now = time.monotonic()
        if up and seen.ready is None:
            seen.ready = now - start
        if up < 0.99 * calls or (first and now > seen.began + talk):
            continue
        own, theirs = family(caller.pid), sum(cpu(one.process.pid)[1] for one in far)
        if first is None:
            first, seen.began = (own, theirs), now
            continue
        grown = {pid: own[pid] - before for pid, before in first[0].items() if pid in own}
        parent = grown.pop(caller.pid, 0.0)
        seen.used = {"parent": parent, "workers": sum(grown.values()), "SIPp": theirs - first[1]}
        seen.ended = now
        if not seen.memory and now > seen.began + talk / 2:
            # Late, because to look costs time.
            seen.workers = len(grown)
            seen.memory = {"parent": megabytes(caller.pid), "workers": sum(map(megabytes, grown))}
    return seen


def plan_of(far: list[Sipp], at_once: int) -> dict[str, Any]:
    """Write a plan whose carriers are the far ends, each with its share of the calls."""
    names = [f"sipp{n}" for n in range(len(far))]
    return {
        "name": "load",
        "trunks": [
            {"carrier": name, "uri": f"sip:{HOST}:{one.port}"} for name, one in zip(names, far, strict=True)
        ],
        "routing": {"order": "weighted", "routes": [{"carrier": name, "weight": 1} for name in names]},
        "guard": {"allow": [NUMBER], "at_once": at_once, "calls_per_day": 100_000},
    }


def load(
    folder: Path, far: list[Sipp], calls: int, rate: float, seconds: float, talk: float, up: float = 0.0
) -> tuple[dict[str, Any], Seen]:
    """Let `callsim load` place calls at a rate for some seconds; all are up at once for `up` seconds.

    Returns its answer, and what was seen of it.
    """
    plan = folder / "load.yaml"
    plan.write_text(json.dumps(plan_of(far, 2 * calls)))  # JSON is YAML too
    shape = f"--calls-per-second {rate} --at-once {calls} --for {seconds}s --talk {talk}s".split()
    command = [sys.executable, "-m", "callsim", "load", str(plan), "--to", NUMBER, *shape]
    answer = folder / "answer.json"
    with (folder / "told").open("wb") as output:
        caller = subprocess.Popen(
            [*command, "--json", str(answer)],
            cwd=ROOT,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, "XDG_STATE_HOME": str(folder)},
        )
        seen = watch(caller, far, calls, up)
    if not answer.exists():
        raise SystemExit(f"{' '.join(command)}:\n{(folder / 'told').read_text()}")
    return json.loads(answer.read_text()), seen


def sound(found: dict[str, Any], seen: Seen, far: list[Sipp]) -> tuple[bool, int, int]:
    """Say whether the tool did its part, and how many packets the kernel dropped at us and at SIPp."""
    theirs = {one.media for one in far}
    at_sipp = sum(count for port, count in seen.drops.items() if port in theirs)
    at_us = sum(seen.drops.values()) - at_sipp
    # What is late was in our hands, at both ends of the way.
    good = set(found["outcomes"]) == {"answered"} and found["latest_s"] <= TOO_LATE
    return good and not at_us and not found["packets"]["late"], at_us, at_sipp


def at_once(calls: int, talk: float) -> tuple[bool, list[Row]]:
    """Place so many calls, and hold them all for `talk` seconds; says whether the tool did its part."""
    ramp = calls / SETTING_UP
    with TemporaryDirectory() as name, far_ends(Path(name), calls) as far:
        found, seen = load(Path(name), far, calls, SETTING_UP, ramp, talk + ramp, talk)
        held, at_us, at_sipp = sound(found, seen, far)
    packets, outcomes = found["packets"], ", ".join(f"{n:,} {o}" for o, n in found["outcomes"].items())
    why = "" if held else f"; gave out: {'; '.join(found['limits']) or 'packets were late or lost'}"
    lost = f"{packets['lost']:,} lost (the kernel dropped {at_sipp:,} at SIPp, {at_us:,} at us)"
    heard = f"{packets['sent']:,} packets sent, {lost}, {packets['late']:,} late"
    first = calls <= AT_ONCE[0]
    target = "none failed, lost or late by the tool" if first else "as far as it goes"
    what = f"{calls:,} calls at once, {talk:g} s"
    rows = [Row(what, f"{outcomes.replace('_', ' ')}; {heard}{why}", target, held or not first)]
    if seen.memory:
        each = {role: 100 * seen.share(role) / calls for role in ("parent", "workers", "SIPp")}
        used = ", ".join(f"{role} {share:.3f}" for role, share in each.items())
        busy = "" if found["busy"] is None else f"; {100 * found['busy']:.0f} % of the machine in use"
        memory = f"{seen.memory['workers'] / calls:.1f} MB a call in {seen.workers} processes"
        rows += [
            told(f"{calls:,}: % of a core a call", used + busy),
            told(f"{calls:,}: memory", f"{memory}, {seen.memory['parent']:.0f} MB beside"),
        ]
    delays = [f"{p} {1e3 * s:.1f} ms" for p, s in found["pdd_s"].items() if s is not None]
    rows.append(told(f"{calls:,}: post-dial delay", ", ".join(delays)))
    return held, rows


def told(what: str, measured: str) -> Row:
    """Make a row that has no target."""
    return Row(what, measured, "told", held=True)


def set_up() -> Row:
    """Find the most calls that are set up in a second, each a second long, with none late."""
    best, failed = 0, ""
    for rate in RATES:
        calls = 3 * rate
        with TemporaryDirectory() as name, far_ends(Path(name), calls) as far:
            found, _ = load(Path(name), far, calls, rate, OFFERED, 1.0)
        if found["limits"] or set(found["outcomes"]) != {"answered"}:
            failed = f"; at {rate} {'; '.join(found['limits']) or found['outcomes']}"
            break
        best = rate
    return told("calls set up in a second, 1 s each", f"{best}{failed}")


def sipp_calls(calls: int, talk: float) -> Row:
    """Let SIPp place as many calls with media, and measure what that takes."""
    with TemporaryDirectory() as name, far_ends(Path(name), calls) as far, ExitStack() as stack:
        folder = Path(name)
        heard = folder / "noise.ul"
        heard.write_bytes(np.random.default_rng(1).integers(0, 256, 80_000, dtype=np.uint8).tobytes())
        pause = round(1e3 * (talk / 2 + calls / SETTING_UP))
        scenario = folder / "caller.xml"
        scenario.write_text(CALLER.replace("SOUND", str(heard)).replace("PAUSE", str(pause)))
        rate, each = SETTING_UP / len(far), calls // len(far)
        callers = [
            stack.enter_context(
                sipp(
                    folder,
                    f"{HOST}:{one.port}",
                    *f"-sf {scenario} -s {NUMBER} -m {each} -l {each} -r {rate:g}".split(),
                )
            )
            for one in far
        ]
        marks, until = [], time.monotonic() + 2 * calls / SETTING_UP + talk
        while time.monotonic() < until and any(one.process.poll() is None for one in callers):
            time.sleep(1.0)
            if sum(one.on_the_line() for one in far) >= 0.99 * calls:
                marks.append((time.monotonic(), sum(cpu(one.process.pid)[1] for one in callers)))
        codes = Counter(one.process.poll() for one in callers)
    if len(marks) < 2:
        return Row(f"SIPp as the caller, {calls:,} calls", f"ended with {dict(codes)}")
    (began, before), (ended, after) = marks[0], marks[-1]
    share = 100 * (after - before) / (ended - began) / calls
    return told(f"SIPp as the caller, {calls:,} calls", f"{share:.3f} % of a core a call")


def live(times: float, _: int) -> Rows:
    """Place more and more calls at once with media in both directions, until something gives out."""
    if shutil.which("sipp") is None or find_spec("pjsua2") is None or not Path("/proc/net/udp").exists():
        raise SystemExit("real load needs Linux, SIPp (Debian's package sip-tester) and pjsua2")
    talk = TALK * min(times, 1.0)
    for calls in AT_ONCE:
        held, rows = at_once(round(calls * times), talk)
        yield from rows
        if not held:
            break
    yield set_up()
    yield sipp_calls(round(AT_ONCE[0] * times), talk)
