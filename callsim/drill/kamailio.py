"""Kamailio as what fails over: its dispatcher stands between real calls and the lab's carriers."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import shutil
import signal
import socket
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from callgen.lab.lab import HOST
from callsim.drill.tables import CannotDrillError
from callsim.live.errors import NotLiveError
from carriers.policy import Carrier, Order, Route, RoutingPolicy, Trunk
from sim import Belief, Tables

START = 20.0
"""Seconds that it has to listen."""
PATIENT = 300.0
"""Seconds that calls wait for it, which waits for the carriers."""
NOTED = re.compile(r"DRILL (ping|down|up|try) (\S+)(?: (\S+))?")

CONFIGURATION = """#!KAMAILIO
# Written by `callsim drill`: the destinations of set 1 in order, health and timers as the scenario has them.
debug=0
log_stderror=yes
children=2
disable_tcp=yes
listen=udp:{host}:{port}

loadmodule "tm.so"
loadmodule "sl.so"
loadmodule "rr.so"
loadmodule "pv.so"
loadmodule "xlog.so"
loadmodule "maxfwd.so"
loadmodule "textops.so"
loadmodule "siputils.so"
loadmodule "dispatcher.so"

modparam("tm", "fr_timer", {ping_timeout})
modparam("dispatcher", "list_file", "{list}")
modparam("dispatcher", "flags", 2)
modparam("dispatcher", "xavp_dst", "_dsdst_")
modparam("dispatcher", "ds_ping_from", "sip:proxy@{host}")
modparam("dispatcher", "ds_ping_interval", {ping_every})
modparam("dispatcher", "ds_probing_mode", 1)
modparam("dispatcher", "ds_probing_threshold", {down_after})
modparam("dispatcher", "ds_inactive_threshold", {up_after})
modparam("dispatcher", "ds_ping_reply_codes", "{good}")

request_route {{
    if (!mf_process_maxfwd_header("10")) {{
        sl_send_reply("483", "Too Many Hops");
        exit;
    }}
    if (is_method("CANCEL")) {{
        if (t_check_trans()) {{
            t_relay();
        }}
        exit;
    }}
    if (has_totag()) {{
        if (loose_route()) {{
            t_relay();
        }} else if (is_method("ACK") && t_check_trans()) {{
            t_relay();
        }}
        exit;
    }}
    if (!is_method("INVITE")) {{
        sl_send_reply("405", "Method Not Allowed");
        exit;
    }}
    # One that is sent again is no new call.
    if (!t_newtran()) {{
        exit;
    }}
    record_route();
    if (!ds_select_dst("1", "8")) {{
        t_reply("503", "No Destination");
        exit;
    }}
    $avp(tries) = 1;
    route(TRY);
}}

route[TRY] {{
    xlog("L_ALERT", "DRILL try $ci $du\\n");
    t_on_failure("NEXT");
    t_on_reply("RINGS");
    t_set_fr("{progress_timeout}", "{no_reply_timeout}");
    t_relay();
}}

onreply_route[RINGS] {{
    if (t_check_status("18[0-9]")) {{
        t_set_fr("{ring_timeout}");
    }}
}}

failure_route[NEXT] {{
    if (t_is_canceled() || $avp(tries) >= {max_attempts}) {{
        exit;
    }}
    if (t_branch_timeout() || t_check_status("{advance_on}")) {{
        if (ds_next_dst()) {{
            $avp(tries) = $avp(tries) + 1;
            route(TRY);
        }}
    }}
}}

event_route[dispatcher:dst-down] {{
    xlog("L_ALERT", "DRILL down $du $ru\\n");
}}

event_route[dispatcher:dst-up] {{
    xlog("L_ALERT", "DRILL up $du $ru\\n");
}}

event_route[tm:local-request] {{
    if (is_method("OPTIONS")) {{
        xlog("L_ALERT", "DRILL ping $ru\\n");
    }}
}}
"""


def translated(tables: Tables) -> Tables:
    """Give the tables with the routing that Kamailio's dispatcher makes of the scenario's.

    The interval of pings is in whole seconds. There is no hold-down, and no rule on calls: neither those
    that fail nor those that sound poor take a carrier out. Raises CannotDrillError for weighted routes.
    """
    policy = tables.routing
    assert policy is not None  # the tables of a lab have one
    if policy.order is Order.WEIGHTED:
        raise CannotDrillError("--carriers kamailio takes routes by priority or least cost, not by weight")
    health = policy.health
    if health is None:
        raise CannotDrillError("--carriers kamailio needs `routing.health` in the scenario")
    every = float(max(1, round(health.ping_every)))
    health = replace(health, ping_every=every, ping_timeout=min(health.ping_timeout, every), hold_down=0.0)
    return replace(tables, routing=replace(policy, health=health, failing_calls=None, poor_calls=None))


def policy_of_callers(policy: RoutingPolicy) -> RoutingPolicy:
    """Make the policy of calls that leave everything to a proxy."""
    proxy = Carrier("proxy", (0,), None, None, 0.0, None)
    return RoutingPolicy(
        order=Order.PRIORITY,
        routes=(Route(0),),
        advance_on=frozenset(),
        no_reply_timeout=PATIENT,
        progress_timeout=PATIENT,
        ring_timeout=policy.ring_timeout,
        max_attempts=1,
        trunks=(Trunk("proxy", 0),),
        carriers=(proxy,),
    )


def configuration(policy: RoutingPolicy, port: int, targets: Path) -> str:
    """Write the configuration: timers in milliseconds, the interval of pings in seconds."""
    health = policy.health
    assert health is not None  # `translated` has seen to it
    return CONFIGURATION.format(
        host=HOST,
        port=port,
        list=targets,
        ping_timeout=_ms(health.ping_timeout),
        ping_every=round(health.ping_every),
        down_after=health.down_after,
        up_after=health.up_after,
        good=";".join(f"class={n}" for n in (range(2, 7) if health.any_answer_counts else (2,))),
        no_reply_timeout=_ms(policy.no_reply_timeout),
        progress_timeout=_ms(policy.progress_timeout),
        ring_timeout=_ms(policy.ring_timeout),
        max_attempts=policy.max_attempts,
        advance_on="|".join(map(str, sorted(policy.advance_on))),
    )


def _ms(seconds: float) -> int:
    return round(seconds * 1000.0)


@dataclass
class Proxy:
    """A Kamailio that runs; instants are those of the event loop's clock."""

    uri: str
    trunks: Mapping[str, int]
    """The trunk behind each destination, by its URI."""
    pings: list[float] = field(default_factory=list)
    """When it pinged; all destinations at once."""
    beliefs: list[Belief] = field(default_factory=list)
    tries: dict[str, list[int]] = field(default_factory=dict)
    """Trunks that each call was sent to, by its Call-ID."""

    async def follow(self, output: asyncio.StreamReader) -> None:
        """Note what it says, until it ends."""
        loop = asyncio.get_running_loop()
        while line := await output.readline():
            found = NOTED.search(line.decode("utf-8", "replace"))
            if found is not None:
                self._note(loop.time(), found[1], found[2], found[3])

    def _note(self, now: float, what: str, first: str, second: str | None) -> None:
        trunk = self.trunks.get(first, self.trunks.get(second or ""))
        if what == "ping":
            self.pings.append(now)
        elif what == "try" and trunk is not None:
            self.tries.setdefault(first, []).append(trunk)
        elif trunk is not None:
            self.beliefs.append(Belief(now, trunk, what == "up"))

    def phase(self, start: float, before: float, every: float) -> float:
        """When its pings come on a clock that begins at `start`, by the last one until `before`."""
        pinged = [at for at in self.pings if at <= before]
        return (pinged[-1] - start) % every if pinged else 0.0


def require_kamailio() -> None:
    """Raise NotLiveError where there is none."""
    if shutil.which("kamailio") is None:
        raise NotLiveError("kamailio is not installed here; it is in Debian's package of that name")


@asynccontextmanager
async def proxy_of(policy: RoutingPolicy, targets: Sequence[tuple[int, str]]) -> AsyncIterator[Proxy]:
    """Run Kamailio before trunks, in the order to try them, each with its SIP URI.

    Raises NotLiveError where it does not start.
    """
    port = _free_port()
    proxy = Proxy(f"sip:{HOST}:{port}", {uri: trunk for trunk, uri in targets})
    with tempfile.TemporaryDirectory(prefix="callsim-") as folder:
        listed, config = Path(folder) / "targets", Path(folder) / "kamailio.cfg"
        ranks = range(len(targets), 0, -1)
        listed.write_text(
            "".join(f"1 {uri} 0 {rank}\n" for (_, uri), rank in zip(targets, ranks, strict=True))
        )
        config.write_text(configuration(policy, port, listed))
        process = await asyncio.create_subprocess_exec(
            *("kamailio", "-f", str(config), "-DD", "-E", "-m", "16", "-M", "4", "-Y", folder),
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
        assert process.stderr is not None  # it is a pipe
        following = asyncio.create_task(proxy.follow(process.stderr))
        try:
            await _pinging(proxy, process)
            yield proxy
        finally:
            # A SIGTERM is sometimes lost between its processes, which then wait for each other.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
            following.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await following


async def _pinging(proxy: Proxy, process: asyncio.subprocess.Process) -> None:
    """Wait until it pings for the first time."""
    try:
        async with asyncio.timeout(START):
            while not proxy.pings:
                if process.returncode is not None:
                    raise NotLiveError(f"kamailio ended with {process.returncode} as it started")
                await asyncio.sleep(0.02)
    except TimeoutError:
        raise NotLiveError(f"kamailio was not ready in {START:.0f} s") from None


def _free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.bind((HOST, 0))
        return int(one.getsockname()[1])
