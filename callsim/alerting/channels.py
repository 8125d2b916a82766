"""Ways by which messages leave: Apprise's, programs of the user's own."""

from __future__ import annotations

import json
import logging
import os
import re
import shlex
import shutil
import signal
import subprocess
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from callgen.messages import Secret
from callsim.alerting.messages import Message
from callsim.errors import CallsimError
from callsim.plan import Plan, Reference, read_secret
from callsim.plan.watching import Alert

TIME_LIMIT = 30.0
"""Seconds that a program has."""
TOLD = 200
"""Characters of what a failing program wrote to its standard error that are told."""

_NUMBER = re.compile(r"\berror=([0-9]{3})\b")


class ChannelError(CallsimError):
    """A channel of the plan cannot be used."""


class Channel(Protocol):
    """A way by which messages leave."""

    @property
    def name(self) -> str:
        """What it is called; nothing secret."""

    def send(self, message: Message) -> str | None:
        """Send a message, which takes its time; None when it was taken, else why not, without a secret."""


class UrlChannel:
    """A URL of Apprise, which nobody is shown; raises ChannelError for one that Apprise does not know."""

    def __init__(self, name: str, url: Secret) -> None:
        try:
            import apprise  # noqa: PLC0415 - an extra, and slow
        except ImportError:
            raise ChannelError(
                f"alerts to {name} need Apprise: pip install 'callsim[notify]', or give a `command`"
            ) from None
        self.name = name
        logging.getLogger("apprise").propagate = False  # its records may have parts of URLs
        self._apprise = apprise.Apprise(asset=apprise.AppriseAsset(app_id="callsim", app_desc="callsim"))
        if not self._apprise.add(url.reveal()):
            raise ChannelError(f"{name}: what is there is no URL that Apprise knows")

    def send(self, message: Message) -> str | None:
        """Send a message; of what Apprise logs on it only an error's number is told."""
        kind = {"over": "success", "began": "failure"}.get(message.state, "warning")
        if message.kind == "test":
            kind = "info"
        try:
            sent = self._apprise.notify(
                title=message.title, body=message.text, notify_type=kind, body_format="text"
            )
        except Exception as error:  # a plugin's own, whose words may have the URL
            return f"Apprise broke ({type(error).__name__})"
        with sent:
            if sent:
                return None
            numbers = [found[1] for entry in sent.logs() if (found := _NUMBER.search(entry.message))]
        return f"not taken: error {numbers[-1]}" if numbers else "not taken, or not reached"


class CommandChannel:
    """A program that gets a message as JSON on its standard input, and ends with 0 when it took it."""

    def __init__(self, command: Sequence[str], time_limit: float = TIME_LIMIT) -> None:
        self.name = shlex.join(command)
        self._command = list(command)
        self._limit = time_limit

    def send(self, message: Message) -> str | None:
        """Run the program; after its time it is killed with what it started. What it prints is not kept."""
        with tempfile.TemporaryFile() as told:  # a pipe would block where it does not read
            told.write(json.dumps(message.to_json()).encode() + b"\n")
            told.seek(0)
            try:
                program = subprocess.Popen(
                    self._command,
                    stdin=told,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.PIPE,
                    start_new_session=True,
                )
            except OSError as error:
                return f"cannot be run: {(error.strerror or str(error)).lower()}"
        errors = _Errors(program)
        try:
            code = program.wait(self._limit)
        except subprocess.TimeoutExpired:
            os.killpg(program.pid, signal.SIGKILL)
            program.wait()
            return f"not done in {self._limit:g} s"
        words = errors.end()
        return None if code == 0 else f"ended with {code}" + f": {words}" * bool(words)


class _Errors:
    """Reads a program's standard error to its end, and keeps the beginning of its last line."""

    def __init__(self, program: subprocess.Popen[bytes]) -> None:
        assert program.stderr is not None
        self._pipe = program.stderr
        self._last = b""
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        with self._pipe:
            while chunk := os.read(self._pipe.fileno(), 4096):
                self._last = (self._last + chunk)[-4096:]

    def end(self) -> str:
        self._thread.join(1.0)
        lines = self._last.decode(errors="replace").strip().splitlines()
        words = lines[-1] if lines else ""
        return "".join(letter if letter.isprintable() else " " for letter in words)[:TOLD]


def channels_of(plan: Plan, folder: Path) -> dict[str, Channel]:
    """Make every channel that the plan's alerts have, by name; secrets are looked for in `folder`.

    Raises SecretError, or ChannelError, where one cannot be had.
    """
    made: dict[str, Channel] = {}
    for alert in plan.alerts:
        for name, source in named(alert).items():
            if name not in made:
                made[name] = _channel(name, source, folder)
    return made


def named(alert: Alert) -> dict[str, Reference | tuple[str, ...]]:
    """Give what an alert goes to, by name: URLs by their references, a program by its words."""
    found: dict[str, Reference | tuple[str, ...]] = {
        str(reference): reference for reference in alert.to or ()
    }
    if alert.command is not None:
        found[shlex.join(alert.command)] = alert.command
    return found


def _channel(name: str, source: Reference | tuple[str, ...], folder: Path) -> Channel:
    if isinstance(source, Reference):
        return UrlChannel(name, read_secret(source, "alerts", folder))
    if shutil.which(source[0]) is None:
        raise ChannelError(f"alerts.command: there is no program {source[0]}")
    return CommandChannel(source)
