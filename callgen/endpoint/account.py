"""As whom a worker calls, registers and is called: an account of pjsua2."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import replace
from functools import wraps
from typing import TYPE_CHECKING, Any

import pjsua2 as pj

from callgen import sip
from callgen.endpoint.tracing import clean
from callgen.messages import Endpoint, Identity, Incoming, Registered

if TYPE_CHECKING:
    from callgen.endpoint.worker import Worker

OK = 200
HOST = re.compile(r"sips?:(?:[^@]*@)?(\[[^\]]*\]|[^:;?>]+)", re.IGNORECASE)
SRTP = {
    "off": pj.PJMEDIA_SRTP_DISABLED,
    "optional": pj.PJMEDIA_SRTP_OPTIONAL,
    "required": pj.PJMEDIA_SRTP_MANDATORY,
}


def guarded(callback: Callable[..., None]) -> Callable[..., None]:
    """Keep an exception's text, which pjsua2 swallows, without the traceback that would keep the call."""

    @wraps(callback)
    def kept(self: Any, prm: Any) -> None:  # noqa: ANN401 - pjsua2 has no types
        try:
            callback(self, prm)
        except Exception as error:  # raised again by the worker's loop
            self.worker.broken = f"{callback.__qualname__}: {type(error).__name__}: {error}"

    return kept


def host_of(uri: str) -> str:
    """Give the host of a SIP URI, without its port; raises ValueError."""
    found = HOST.match(uri)
    if found is None:
        raise ValueError(f"{uri} is no SIP URI")
    return found[1]


def caller(identity: Identity) -> tuple[str, list[tuple[str, str]]]:
    """Give the From URI of an identity's calls (empty: the account's own), with the headers that go along."""
    headers = list(identity.headers)
    if identity.caller_id is None:
        return "", headers
    uri = f"<sip:{identity.caller_id}@{host_of(identity.uri)}>"
    if identity.caller_id_by == "pai":
        headers.append(("P-Asserted-Identity", uri))
    return uri, headers


def header_vector(headers: list[tuple[str, str]]) -> Any:  # noqa: ANN401 - pjsua2 has no types
    """Make pjsua2's list of headers; raises ValueError where one would be several."""
    vector = pj.SipHeaderVector()
    for name, value in headers:
        if re.search(r"[\r\n]", name + value):
            raise ValueError(f"header {name!r} has a line break")
        header = pj.SipHeader()
        header.hName, header.hValue = name, value
        vector.append(header)
    return vector


def configured(settings: Endpoint, identity: Identity | None, address: str, target: str | None) -> Any:  # noqa: ANN401 - pjsua2 has no types
    """Make the account's settings; `address` is ours, HOST:PORT, `target` where its requests go."""
    config = pj.AccountConfig()
    config.idUri = f"<sip:callsim@{address}>"
    if target is not None:
        # A route that is followed, and not written: requests keep the trunk's name as their URI.
        config.sipConfig.proxies.append(f"{target};lr;hide")
    media = config.mediaConfig
    media.transportConfig.boundAddress = settings.host
    if settings.rtp_ports is not None:
        first, count = settings.rtp_ports
        media.transportConfig.port = first
        # The range is what the last RTP port may be above the first; its RTCP comes after that. 0: any.
        media.transportConfig.portRange = max(count - 2, 1)
    # A far end takes what it is offered. SDES over plain SIP shows its keys, but a plan may ask for that.
    media.srtpUse = SRTP["optional" if settings.answers else "off"]
    media.srtpSecureSignaling = 0
    if identity is None:
        return config
    user = identity.username.reveal() if identity.username else "callsim"
    config.idUri = f"<sip:{user}@{host_of(identity.uri)}>"
    media.srtpUse = SRTP[identity.srtp]
    if identity.username is not None and identity.password is not None:
        credentials = pj.AuthCredInfo("digest", identity.realm, user, 0, identity.password.reveal())
        config.sipConfig.authCreds.append(credentials)
    if identity.register:
        config.regConfig.registrarUri = identity.uri
        config.regConfig.timeoutSec = round(identity.register_every)
        config.regConfig.registerOnAdd = True
    if identity.session_timer is not None:
        config.callConfig.timerUse = pj.PJSUA_SIP_TIMER_ALWAYS
        config.callConfig.timerSessExpiresSec = round(identity.session_timer)
    return config


class Account(pj.Account):  # type: ignore[misc]  # pjsua2 has no types
    """One identity of an endpoint, or without one its own address."""

    def __init__(self, worker: Worker, identity: Identity | None, address: str) -> None:
        super().__init__()
        self.worker = worker
        self.identity = identity
        self.registered = False
        self._address = address
        self._target = identity.target if identity else None
        self.create(configured(worker.settings, identity, address, self._target))

    def become(self, identity: Identity | None, target: str | None) -> None:
        """Be somebody else, whose requests go to `target`, from the next request on; nobody registers."""
        if (identity, target) != (self.identity, self._target):
            quiet = replace(identity, register=False) if identity else None
            self.modify(configured(self.worker.settings, quiet, self._address, target))
            self.identity, self._target = identity, target

    @property
    def trunk(self) -> str | None:
        """Name of its trunk."""
        return self.identity.trunk if self.identity else None

    def leave(self) -> None:
        """Take the registration back, if there is one."""
        if self.registered:
            try:
                self.setRegistration(False)
            except pj.Error:
                self.registered = False  # nobody is there to be told

    @guarded
    def onRegState(self, prm: Any) -> None:  # noqa: ANN401, N802 - pjsua2 has no types
        """The registrar has answered, or will not."""
        self.registered = prm.code // 100 == 2 and prm.expiration > 0
        if self.identity is not None and not self.worker.stopped:
            now = time.monotonic()
            self.worker.tell(Registered(self.identity.trunk, prm.code, clean(prm.reason), now))

    @guarded
    def onSendRequest(self, prm: Any) -> None:  # noqa: ANN401, N802 - pjsua2 has no types
        """An OPTIONS has its answer, or will have none."""
        event = prm.e.body.tsxState
        token, status = int(prm.userData), event.tsx.statusCode
        if status >= OK:
            answered = event.type == pj.PJSIP_EVENT_RX_MSG
            self.worker.pinged(token, status if answered else None)

    @guarded
    def onIncomingCall(self, prm: Any) -> None:  # noqa: ANN401, N802 - pjsua2 has no types
        """A call for a far end; a caller takes none."""
        number = self.worker.take_call(self, prm.callId)
        message = sip.parse(clean(prm.rdata.wholeMsg).encode())
        if message is not None and self.worker.settings.answers is not None:
            to, from_, pai = (message.first(name) for name in ("to", "from", "p-asserted-identity"))
            self.worker.tell(Incoming(number, time.monotonic(), to, from_, pai or None, self.trunk))
