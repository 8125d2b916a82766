"""The command `lab`: carriers on loopback, with faults that are switched while it runs."""

from __future__ import annotations

import asyncio
import os
import re
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import click

from callgen.lab.impairment import LabFault
from callgen.lab.lab import CARRIERS, LabCarrier, LabError, lab_of
from callgen.messages import Answers
from callsim.errors import CallsimError
from callsim.exits import Exit
from callsim.live.lab_faults import FORMS, read_order, write_fault
from documents.values import NAME

LOWEST_PORT = 1024
LOOK_EVERY = 0.2
"""Seconds from one look at the file of faults to the next."""

Orders = Mapping[str, LabFault | None]


class NotInTheLabError(CallsimError):
    """What was asked of the lab cannot be."""


def lab(
    carriers: Sequence[str] = CARRIERS,
    answers: Answers = Answers(),  # noqa: B008 - frozen
    faults: Path | None = None,
    channels: int | None = None,
    first_port: int = 0,
    seed: int = 0,
) -> Exit:
    """Run carriers of these names until Ctrl-C, which is how a lab ends: with 0.

    `answers` says how they take calls, `faults` is a file that is watched, `channels` is how many calls each
    takes at once (None: any number), `first_port` is the first one's (0: any that are free). Raises
    CallsimError where it cannot start, OSError for a file that cannot be read.
    """
    if len(set(carriers)) < len(carriers) or not carriers:
        raise NotInTheLabError(f"a lab has carriers with names of their own, not '{','.join(carriers)}'")
    if strange := [name for name in carriers if not re.fullmatch(NAME, name)]:
        raise NotInTheLabError(f"'{strange[0]}' is no carrier's name; write letters, digits, - and _")
    if 0 < first_port < LOWEST_PORT:
        raise NotInTheLabError(f"--port {first_port}: ports below {LOWEST_PORT} are never called")
    try:
        asyncio.run(_Lab(carriers, faults).run(answers, channels, first_port, seed))
    except KeyboardInterrupt:
        click.echo("the lab is closed", err=True)
    except (LabError, TimeoutError, ValueError) as error:
        raise NotInTheLabError(str(error) or "a carrier of the lab does not start") from None
    return Exit.MET


class _Lab:
    """Carriers, and who is heard about them."""

    def __init__(self, names: Sequence[str], file: Path | None) -> None:
        self._names = names
        self._file = file
        self._seen: tuple[int, int] | None = None
        self._ordered: Orders = dict.fromkeys(names)
        """What the file said last."""

    async def run(self, answers: Answers, channels: int | None, first_port: int, seed: int) -> None:
        if self._file is not None:
            self._file.stat()  # a name that is wrong is told now
        async with lab_of(self._names, answers, channels, first_port, seed) as carriers:
            self._introduce(carriers)
            typed = _lines_of_stdin()
            while True:
                self._look(typed)
                try:
                    async with asyncio.timeout(LOOK_EVERY):
                        order = await typed.get()
                except TimeoutError:
                    continue
                await self._obey(order, carriers)

    def _introduce(self, carriers: Mapping[str, LabCarrier]) -> None:
        width = max(map(len, carriers))
        for name, carrier in carriers.items():
            click.echo(f"{name:{width}}  {carrier.uri}")
        where = f", or `CARRIER: FAULT` in {self._file}" if self._file is not None else ""
        click.echo(f"\nWrite CARRIER FAULT here{where}; Ctrl-C ends the lab. Faults:")
        for name, (form, meaning) in FORMS.items():
            click.echo(f"  {f'{name} {form}'.rstrip()}\n      {meaning}")
        sys.stdout.flush()

    def _look(self, orders: asyncio.Queue[str | Orders]) -> None:
        """Read the file of faults if it has changed; carriers that it does not name are good."""
        if self._file is None:
            return
        try:
            status = self._file.stat()
            seen = (status.st_mtime_ns, status.st_size)
            if seen == self._seen:
                return
            lines = self._file.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError):
            return  # editors write a new file, and then rename it
        self._seen = seen
        asked: dict[str, LabFault | None] = dict.fromkeys(self._names)
        for number, line in enumerate(lines, start=1):
            try:
                asked.update([order] if (order := read_order(line, self._names)) else [])
            except ValueError as error:
                click.echo(f"{self._file}:{number}: {error}", err=True)
                return
        changed = {name: fault for name, fault in asked.items() if fault != self._ordered[name]}
        self._ordered = asked
        orders.put_nowait(changed)

    async def _obey(self, order: str | Orders, carriers: Mapping[str, LabCarrier]) -> None:
        try:
            if isinstance(order, str):
                read = read_order(order, self._names)
                order = dict([read] if read else [])
            for name, fault in order.items():
                await carriers[name].play(fault)
                click.echo(f"{time.strftime('%H:%M:%S')} {name}: {write_fault(fault)}")
                sys.stdout.flush()
        except (ValueError, LabError, TimeoutError) as error:
            click.echo(str(error) or "a carrier of the lab does not answer", err=True)


def _lines_of_stdin() -> asyncio.Queue[str | Orders]:
    """Read stdin line by line in a thread of its own; its end ends nothing."""
    loop = asyncio.get_running_loop()
    lines: asyncio.Queue[str | Orders] = asyncio.Queue()

    def listen() -> None:
        # Not by sys.stdin: a thread that waits in it keeps the interpreter from ending.
        rest = b""
        while data := os.read(0, 4096):
            *whole, rest = (rest + data).split(b"\n")
            for line in whole:
                loop.call_soon_threadsafe(lines.put_nowait, line.decode("utf-8", "replace"))

    def quietly() -> None:
        try:
            listen()
        except (OSError, RuntimeError):
            return  # there is no stdin, or nobody listens any more

    threading.Thread(target=quietly, daemon=True).start()
    return lines
