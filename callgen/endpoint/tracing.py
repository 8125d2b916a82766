"""Keeps the SIP messages of each call, with their times, and without what is secret in them."""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from callgen.sip import Message

CALLS, MESSAGES = 32, 100
"""Calls, and messages of each, that are kept at most: a flood must not fill the memory."""
LOGGED = re.compile(r"\b(TX|RX) \d+ bytes .*? (?:to|from) (\w+ \S+):\n(.*)", re.DOTALL)
"""How pjsip logs a message, at level 4."""
END = "\n--end msg--"
CALL_ID = re.compile(r"^(?:Call-ID|i)[ \t]*:[ \t]*(\S+)", re.MULTILINE | re.IGNORECASE)
ASIDE = re.compile(r"^CSeq[ \t]*:[ \t]*\d+[ \t]+(?:OPTIONS|REGISTER)", re.MULTILINE | re.IGNORECASE)
CAUSE = re.compile(r"^\s*Q\.850\s*;(?:.*;)?\s*cause\s*=\s*(\d{1,3})\s*(?:;|$)", re.IGNORECASE)
QUOTED = re.compile(r'"[^"]*"')
BYE_ANSWERED = re.compile(r"SIP/2\.0 [2-6].*?^CSeq[ \t]*:[ \t]*\d+[ \t]+BYE\b", re.S | re.M | re.IGNORECASE)
SECRETS = (
    # A header goes on where lines begin with space (RFC 3261, 7.3.1).
    (
        re.compile(r"^((?:Proxy-)?Authorization[ \t]*:).*(?:\r?\n[ \t].*)*", re.MULTILINE | re.IGNORECASE),
        r"\1 ***",
    ),
    (re.compile(r"(sips?:[^\s:@<>;]{0,99}):[^\s@<>]{0,99}@", re.IGNORECASE), r"\1:***@"),
    # The key of SRTP (RFC 4568).
    (re.compile(r"(inline:)[^\s|]+", re.IGNORECASE), r"\1***"),
)


def clean(text: str) -> str:
    """Replace what a far end sent that is no UTF-8, which pjsua2 hands on as lone surrogates."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def blanked(text: str) -> str:
    """Replace credentials, passwords in URIs and SRTP keys by `***`."""
    for pattern, instead in SECRETS:
        text = pattern.sub(instead, text)
    return text


@dataclass(frozen=True, slots=True)
class _Message:
    at: float
    sent: bool
    peer: str
    text: str


def _unwatched(sent: bool, peer: str, head: str) -> None:
    """Nobody is told."""


class Traces:
    """The messages of the latest calls, by Call-ID; `watch` learns of each as it comes or goes out.

    `users` are names of accounts that no trace may show; they stand in addresses (`sip:USER@HOST`).
    """

    def __init__(
        self, watch: Callable[[bool, str, str], None] = _unwatched, users: Iterable[str] = ()
    ) -> None:
        self._watch = watch
        names = "|".join(re.escape(user) for user in users)
        self._users = re.compile(rf"(sips?:)(?:{names})(?=[@:])") if names else None
        self._calls: OrderedDict[str, list[_Message]] = OrderedDict()

    def log(self, line: str, now: float) -> None:
        """Keep a line of pjsip's log, if it is a message of a call."""
        logged = LOGGED.search(clean(line))
        if logged is None:
            return
        way, peer, text = logged.groups()
        text = text.partition(END)[0]
        head = text.partition("\r\n\r\n")[0]
        call_id = CALL_ID.search(head)
        if call_id is None or ASIDE.search(head):
            return
        self._watch(way == "TX", peer, head)
        messages = self._calls.setdefault(call_id[1], [])
        messages.append(_Message(now, way == "TX", peer, text))
        if len(messages) > MESSAGES:
            del messages[MESSAGES // 2]  # how it began and how it ended matter most
        while len(self._calls) > CALLS:
            self._calls.popitem(last=False)

    def began(self, call_id: str) -> float | None:
        """Give the instant of a call's first message."""
        messages = self._calls.get(call_id)
        return messages[0].at if messages else None

    def bye_answered(self, call_id: str) -> float | None:
        """Give the instant at which a BYE of ours had its final response (pjsua tells of none)."""
        for message in reversed(self._calls.get(call_id, ())):
            if not message.sent and BYE_ANSWERED.match(message.text):
                return message.at
        return None

    def take(self, call_id: str) -> str | None:
        """Give a call's trace, with seconds from its first message, and forget it; None: there is none."""
        messages = self._calls.pop(call_id, None)
        if not messages:
            return None
        first = messages[0].at
        return "\n".join(
            f"--- {m.at - first:.3f} s, {'sent to' if m.sent else 'received from'} {m.peer}\n"
            + self._shown(m.text)
            for m in messages
        )

    def _shown(self, text: str) -> str:
        text = blanked(text.replace("\r\n", "\n"))
        return text if self._users is None else self._users.sub(r"\1***", text)


def q850(message: Message | None) -> int | None:
    """Give the cause of ITU-T Q.850 in a message's Reason headers (RFC 3326, RFC 6432); None without one."""
    for reason in message.all("reason") if message else ():
        for part in QUOTED.sub("", reason).split(","):
            cause = CAUSE.search(part)
            if cause is not None:
                return int(cause[1])
    return None
