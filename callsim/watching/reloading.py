"""Reads a plan anew when its file changes."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import click

from callsim.errors import CallsimError
from callsim.live.refused import refuse
from callsim.live.setup import require_listening
from callsim.plan import Plan, load_plan
from callsim.watching.watcher import Watcher
from documents.words import unknown

LOOK_EVERY = 2.0
"""Seconds between two looks at the file."""
LOG = logging.getLogger(__name__)


@dataclass(eq=False)
class PlanFile:
    """A plan's file with what the command line puts in place of its values."""

    path: Path
    overrides: Sequence[str] = ()
    only: Sequence[str] = ()
    text: str = field(default="", init=False)
    """As it was read last."""
    without_cadence: tuple[str, ...] = field(default=(), init=False)
    """Tests in it that are not watched for that."""

    def changed(self) -> bool:
        """Whether its text is another one than was read; one that cannot be read is none."""
        try:
            return self.path.read_text(encoding="utf-8") != self.text
        except (OSError, UnicodeDecodeError):
            return self.text != ""

    def read(self) -> Plan:
        """Read it, with the tests alone that are to be watched; raises CallsimError, click.UsageError.

        NotLiveError where it needs what is not installed, GuardedError where the guard would
        refuse a number, or their schedule could break the plan's caps.
        """
        from callsim.alerting.channels import channels_of  # noqa: PLC0415 - heavy

        try:
            self.text = self.path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            self.text = ""  # said by what follows
        whole = load_plan(self.path, self.overrides)
        self.without_cadence = tuple(test.name for test in whole.tests if test.every is None)
        plan = watched(whole, self.only)
        if any(test.expect.mos_lqo_at_least is not None for test in plan.tests):
            require_listening()
        if plan.alerts:
            channels_of(plan, self.path.parent)
        refuse(plan)
        return plan


def watched(plan: Plan, only: Sequence[str] = ()) -> Plan:
    """Leave out of a plan the tests that are not watched: without a cadence, or not among `only`.

    Raises CallsimError where none is left.
    """
    names = [test.name for test in plan.tests]
    for name in only:
        if name not in names:
            raise click.UsageError(f"--only: {unknown('test', name, names)}")
    chosen = [test for test in plan.tests if not only or test.name in only]
    tests = tuple(test for test in chosen if test.every is not None)
    if tests:
        return plan.model_copy(update={"tests": tests})
    if not chosen:
        raise CallsimError(
            f"{plan.name} has no tests; write `tests`, each with its cadence, like `every: 5m`"
        )
    which = ", ".join(test.name for test in chosen)
    raise CallsimError(
        f"{plan.name} has nothing to watch: no `every` in {which}; write a cadence, like `every: 5m`"
    )


async def keep_reloading(watcher: Watcher, file: PlanFile, asked: asyncio.Event) -> None:
    """Have the watcher take over the plan whenever its file has changed, or `asked` is set.

    Asked, secrets are read anew too.
    """
    while True:
        try:
            async with asyncio.timeout(LOOK_EVERY):
                await asked.wait()
        except TimeoutError:
            if not await asyncio.to_thread(file.changed):
                continue
        anew = asked.is_set()
        asked.clear()
        try:
            # In a thread, for probes are due meanwhile.
            await watcher.reload(await asyncio.to_thread(file.read), anew=anew)
        except (CallsimError, click.ClickException) as error:
            watcher.refuse(error.format_message() if isinstance(error, click.ClickException) else str(error))
        except Exception as error:
            LOG.exception("the plan could not be read anew")
            watcher.refuse(f"{type(error).__name__}: {error}")
