"""Tells a worker's parent what it would need to end the worker's calls in its place."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

from callgen import sip
from callgen.messages import Dialog
from callgen.sip import Message

KEPT = frozenset({"via", "from", "to", "call-id", "cseq", "contact", "route", "record-route"})
"""Headers of which the requests that end a call are made; credentials are none of them."""
CHALLENGES = (401, 407)
DIGITS = 10
"""Of a CSeq, which is below 2^31 (RFC 3261, 8.1.1.5); a far end may send more."""


class Dialogs:
    """What is known of the calls that a worker has placed, by Call-ID."""

    def __init__(self, tell: Callable[[Dialog], None]) -> None:
        self._tell = tell
        self._calls: dict[str, Dialog] = {}
        self._numbers: dict[str, int] = {}
        self._placing: int | None = None

    @contextmanager
    def placing(self, number: int) -> Iterator[None]:
        """Take an INVITE without a known Call-ID for this call's, whose Call-ID cannot be known before."""
        self._placing = number
        try:
            yield
        finally:
            self._placing = None

    def named(self, number: int, call_id: str) -> None:
        """Learn a call's Call-ID; over TCP its INVITE may follow."""
        self._numbers[call_id] = number

    def forget(self, call_id: str) -> None:
        """Nothing can come of a call any more."""
        self._calls.pop(call_id, None)
        self._numbers.pop(call_id, None)

    def watch(self, sent: bool, peer: str, head: str) -> None:
        """Take in a message, before the library handles or sends it, and tell what has changed."""
        message = sip.parse(f"{head}\r\n\r\n".encode())
        if message is None:
            return
        call_id = message.first("call-id")
        before = self._calls.get(call_id)
        if sent and not message.status and message.method == "INVITE" and message.to_tag is None:
            now = self._begun(call_id, peer, message)
        elif before is None:
            return
        elif sent:
            now = _requested(before, message)
        else:
            now = _heard(before, message)
        if now is not None and now != before:
            self._calls[call_id] = now
            self._tell(now)

    def _begun(self, call_id: str, peer: str, invite: Message) -> Dialog | None:
        number = self._numbers.get(call_id, self._placing)
        transport, _, address = peer.partition(" ")
        host, _, port = address.rpartition(":")
        if number is None:
            return None
        return Dialog(number, transport.lower(), (host, int(port)), _brief(invite), _cseq(invite))


def _requested(dialog: Dialog, message: Message) -> Dialog:
    """Count a request of ours within the dialog."""
    inside = not message.status and message.method not in {"ACK", "CANCEL"}
    return replace(dialog, cseq=max(dialog.cseq, _cseq(message))) if inside else dialog


def _heard(dialog: Dialog, message: Message) -> Dialog:
    """Take in what the far end says."""
    if message.method == "BYE":
        over = message.status == 0 or (message.status >= 200 and message.status not in CHALLENGES)
        return replace(dialog, over=dialog.over or over)
    setting_up = message.status and message.method == "INVITE" and _cseq(message) == _cseq(dialog.invite)
    if not setting_up or dialog.over or dialog.answered:
        return dialog
    return replace(dialog, answer=_brief(message), over=message.status >= 300)


def _cseq(message: Message) -> int:
    return int(message.first("cseq").split()[0][:DIGITS])


def _brief(message: Message) -> Message:
    return Message(message.start, tuple(h for h in message.headers if h[0] in KEPT), "")
