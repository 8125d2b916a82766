"""A disposable process that owns one pjsua2 endpoint with up to four calls."""

from __future__ import annotations

import contextlib
import faulthandler
import gc
import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection
from typing import Any

import pjsua2 as pj

from callgen.endpoint.account import Account
from callgen.endpoint.audio import Ports, rate_for
from callgen.endpoint.call import Call
from callgen.endpoint.dialogs import Dialogs
from callgen.endpoint.library import Library
from callgen.endpoint.tracing import Traces
from callgen.messages import (
    CODECS,
    Alive,
    Beat,
    Endpoint,
    Freed,
    FromWorker,
    HangUp,
    Lost,
    Ping,
    Pinged,
    Place,
    Ready,
    Stop,
    Tls,
)

TICK_MS = 10
"""Longest wait for SIP before commands and timers are looked at."""
CALM_MS = 50
"""The same while every call is just talked over, or there is none: each wait costs 0.1 ms of a core."""
CHECK_EVERY = 1.0
"""Seconds between looks at calls that may have ended without a word (pjproject #4992)."""
COLLECT_EVERY = 10.0
"""Seconds between collections of garbage, which must not happen in another thread."""
DRAIN = 0.3
"""Seconds that the last requests get for their answers."""
ALONE = 5.0
"""Seconds that they get where the parent is gone, which would have ended at the far end what is left."""
HUNG = 30.0
"""Seconds without a turn of the loop, or for the end, after which the process ends at once: a parent that is
gone kills no worker that hangs."""
MESSAGES_LOGGED = 4
"""Level of pjsip's log from which it has the SIP messages."""
TRANSPORTS = {"udp": pj.PJSIP_TRANSPORT_UDP, "tcp": pj.PJSIP_TRANSPORT_TCP, "tls": pj.PJSIP_TRANSPORT_TLS}


def run(pipe: Connection, settings: Endpoint) -> None:
    """Serve the pipe until `Stop`, or until its other end is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's business
    gc.disable()
    gc.freeze()  # what has been imported is no garbage, and shares its memory with other workers
    with contextlib.suppress(ImportError):
        import resource  # noqa: PLC0415 - not there on Windows

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a core dump would show the passwords
    # PJLIB writes lines to stdout before its log can be turned off.
    with open(os.devnull, "w") as nothing:  # noqa: PTH123 - no path, a device
        os.dup2(nothing.fileno(), 1)
    try:
        worker = Worker(pipe, settings)
        worker.serve()
    except Exception as error:
        # Its calls are lost, which the parent learns from the pipe; an orderly end may hang in the library.
        text = error.reason if isinstance(error, pj.Error) else error
        sys.stderr.write(f"callsim worker: {type(error).__name__}: {text}\n")
        sys.stderr.flush()
        os._exit(1)
    worker.close()


class _Log(pj.LogWriter):  # type: ignore[misc]  # pjsua2 has no types
    """Takes pjsip's log, for the SIP messages in it."""

    def __init__(self, traces: Traces, failed: Callable[[str], None]) -> None:
        super().__init__()
        self._traces = traces
        self._failed = failed

    def write(self, entry: Any) -> None:  # noqa: ANN401 - pjsua2 has no types
        """Keep a line, if it is a message; other threads log none."""
        try:
            self._traces.log(entry.msg, time.monotonic())
        except Exception as error:  # raised again by the worker's loop
            self._failed(f"{type(error).__name__}: {error}")


class Worker:
    """The endpoint, its calls and its loop; all of it belongs to one thread."""

    def __init__(self, pipe: Connection, settings: Endpoint) -> None:
        self.pipe = pipe
        self.settings = settings
        self.broken: str | None = None
        self.calls: dict[int, Call] = {}
        self.pings: dict[int, tuple[int, float, Any]] = {}
        """By the token that comes back with an answer: the ping, when, and what keeps its token unique."""
        self.dialogs = Dialogs(self.tell)
        users = [(i.username.reveal(), i.caller_id) for i in settings.identities if i.username]
        self.traces = Traces(self.dialogs.watch, {user for user, shown in users if user != shown})
        self.stopped = False
        self._alone = False
        self._incoming = 0
        self._check_at = self._collect_at = 0.0
        rate = rate_for(settings.codecs)
        if ":" in settings.host:
            # It binds to such an address, and then aborts.
            raise ValueError("pjsua2's wheel has no IPv6")
        self._log = _Log(self.traces, self._failed)
        self.library = Library(verify=(settings.tls or Tls()).verify and settings.answers is None)
        self.library.libCreate()
        self.library.libInit(_configuration(rate, self._log))
        self.library.audDevManager().setNullDev()
        numbers = [self.library.transportCreate(*_transport(name, settings)) for name in settings.transports]
        self.library.libStart()
        self._codecs = [codec.codecId for codec in self.library.codecEnum2()]
        self.prefer(settings.codecs)
        self.ports = Ports(rate, self._failed)
        addresses = [self.library.transportGetInfo(number).localName for number in numbers]
        ports = tuple(int(address.rpartition(":")[2]) for address in addresses)
        self.accounts: dict[str | None, Account] = {None: Account(self, None, addresses[0])}
        for identity in settings.identities:
            if identity.register:
                self.library.expect(identity.uri, identity.target)
                self.accounts[identity.trunk] = Account(self, identity, addresses[0])
        self._identities = {identity.trunk: identity for identity in settings.identities}
        # One for all trunks that are called, since the library has room for eight, and aborts beyond.
        self._calling = Account(self, None, addresses[0])
        self.tell(Ready(settings.host, ports[0], tuple(zip(settings.transports, ports, strict=True))))

    def tell(self, message: FromWorker) -> None:
        """Send to the parent; that it is gone is seen when the pipe is read."""
        try:
            self.pipe.send(message)
        except OSError:
            self.stopped = self._alone = True

    def prefer(self, codecs: Sequence[str]) -> None:
        """Offer these codecs from now on, in their order; raises ValueError for one that is not there."""
        wanted = [codec.lower() for codec in codecs]
        there = {codec.partition("/")[0].lower() for codec in self._codecs}
        for name, codec in zip(wanted, codecs, strict=True):
            if name not in there:
                raise ValueError(f"there is no codec {codec}; there are {', '.join(CODECS)}")
        for codec in self._codecs:
            name = codec.partition("/")[0].lower()
            self.library.codecSetPriority(codec, 255 - wanted.index(name) if name in wanted else 0)

    def serve(self) -> None:
        """Handle SIP, commands and timers; raises RuntimeError for what a callback raised."""
        while not self.stopped:
            if time.monotonic() >= self._collect_at:
                self._collect_at = time.monotonic() + COLLECT_EVERY
                faulthandler.dump_traceback_later(HUNG, exit=True)
                gc.collect()
            self._wait()
            now = time.monotonic()
            if now >= self._check_at:
                self._check_at = now + CHECK_EVERY
                for number in self.calls:
                    self.calls[number].check()
            self._sweep(now)
            self._obey()
            if self.broken is not None:
                raise RuntimeError(self.broken)

    def _wait(self) -> None:
        """Handle what comes by SIP, for as long as there need be nothing else to do."""
        until = time.monotonic() + CALM_MS / 1e3
        if self.settings.answers is not None or self.pings:
            self.library.libHandleEvents(TICK_MS)
        elif not self.calls:
            # No message can be urgent, but a command.
            with contextlib.suppress(OSError):  # it is gone, which is seen when it is read
                self.pipe.poll(CALM_MS / 1e3)
            self.library.libHandleEvents(0)
        else:
            calm = all(call.calm(until) for call in self.calls.values())
            self.library.libHandleEvents(CALM_MS if calm else TICK_MS)

    def close(self) -> None:
        """Hang up, drain, drop every reference, destroy: in another order the library aborts."""
        faulthandler.dump_traceback_later(HUNG, exit=True)
        for number in self.calls:
            self.calls[number].give_up()
        registered = [a for a in self.accounts.values() if a.identity and a.identity.register]
        for account in registered:
            account.leave()
        until = time.monotonic() + (ALONE if self._alone else DRAIN)
        while time.monotonic() < until and (self.calls or any(account.registered for account in registered)):
            self.library.libHandleEvents(TICK_MS)
            self._sweep(time.monotonic())
        self.calls.clear()
        gc.collect()
        # The bridge's thread ends here, before what it calls goes.
        self.library.audDevManager().setNoDev()
        del self.ports
        gc.collect()
        # The accounts outlive the library: pings without an answer still refer to them when they end.
        self.library.libDestroy(pj.PJSUA_DESTROY_NO_RX_MSG)
        self.pings.clear()

    def take_call(self, account: Account, slot: int) -> int:
        """Take a call that has come in, and give its number."""
        self._incoming -= 1
        # No name keeps it; see `_sweep`.
        self.calls[self._incoming] = Call(self, account, self._incoming, slot)
        self.calls[self._incoming].take(self.settings.answers)
        return self._incoming

    def pinged(self, token: int, status: int | None) -> None:
        """Tell how an OPTIONS ended; a token that is not known is another's."""
        if token in self.pings:
            ping, sent, _ = self.pings.pop(token)
            now = time.monotonic()
            self.tell(Pinged(ping, status, now, None if status is None else now - sent))

    def _failed(self, reason: str) -> None:
        self.broken = reason

    def _sweep(self, now: float) -> None:
        """See to timers, tell of calls that have ended, and free slots."""
        # A Call that is destroyed hangs up whatever call has its slot by then. So no name keeps one alive,
        # and it goes when nobody has the slot.
        for number in self.calls:
            self.calls[number].tick(now)
        for number in [n for n in self.calls if self.calls[n].told and self.calls[n].slot_free()]:
            del self.calls[number]
            self.tell(Freed(number))

    def _obey(self) -> None:
        try:
            while not self.stopped and self.pipe.poll():
                match self.pipe.recv():
                    case Place() as place:
                        self._place(place)
                    case HangUp(call):
                        if call in self.calls:
                            self.calls[call].give_up()
                    case Ping() as ping:
                        self._ping(ping)
                    case Beat():
                        self.tell(Alive(time.monotonic()))
                    case Stop():
                        self.stopped = True
        except (EOFError, OSError):
            self.stopped = self._alone = True

    def _place(self, place: Place) -> None:
        if place.identity is not None and place.identity not in self._identities:
            self.tell(Lost(place.call, f"the worker has no identity {place.identity!r}", time.monotonic()))
            self.tell(Freed(place.call))
            return
        account = self._account(place.identity, place.uri, place.target)
        self.calls[place.call] = Call(self, account, place.call)
        self.calls[place.call].place(place)

    def _account(self, trunk: str | None, uri: str, target: str | None) -> Account:
        """Give the account for one request to a trunk, which goes to `target`."""
        self.library.expect(uri, target)
        self._calling.become(self._identities.get(trunk or ""), target)
        return self._calling

    def _ping(self, ping: Ping) -> None:
        request = pj.SendRequestParam()
        request.method = "OPTIONS"
        request.txOption.targetUri = ping.uri
        request.userData = request.this
        token = int(request.this)
        self.pings[token] = (ping.ping, time.monotonic(), request)
        try:
            self._account(ping.identity, ping.uri, ping.target).sendRequest(request)
        except pj.Error:
            self.pinged(token, None)


def _configuration(rate: int, log: _Log) -> Any:  # noqa: ANN401 - pjsua2 has no types
    settings = pj.EpConfig()
    settings.logConfig.level = settings.logConfig.consoleLevel = MESSAGES_LOGGED
    settings.logConfig.decor = 0
    settings.logConfig.writer = log
    log.__disown__()  # the library destroys it
    settings.uaConfig.threadCnt = 0
    settings.uaConfig.mainThreadOnly = True
    settings.uaConfig.userAgent = "callsim"
    settings.medConfig.noVad = True
    settings.medConfig.clockRate = rate
    return settings


def _transport(name: str, settings: Endpoint) -> tuple[int, Any]:
    transport = pj.TransportConfig()
    transport.port = 0
    transport.boundAddress = settings.host
    if name == "tls":
        tls = settings.tls or Tls()
        transport.tlsConfig.verifyServer = False  # the library knows the address, not the trunk's name
        transport.tlsConfig.CaListFile = tls.ca_file or ""
        transport.tlsConfig.certFile = tls.certificate or ""
        transport.tlsConfig.privKeyFile = tls.key or ""
    kind = TRANSPORTS.get(name)
    if kind is None:
        raise ValueError(f"there is no transport {name!r}; there are udp, tcp and tls")
    return kind, transport
