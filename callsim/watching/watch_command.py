"""The command `watch`: the tests of a plan on their cadence, for months."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import click

from callgen.guarding.counters import Counters
from callgen.pings import Answered
from callsim.errors import CallsimError
from callsim.exits import Exit
from callsim.figures import significant
from callsim.live.desk import CallJson, Desk, desk_of, in_lab
from callsim.live.inbound import call_us
from callsim.live.left import take_left
from callsim.live.probing import Leg, errand_of
from callsim.live.setup import caps_of, counters_of, require_live
from callsim.plan import Plan
from callsim.reading.own_network import own_network
from callsim.reading.tracking import IncidentTracker
from callsim.store_command import default_url
from callsim.watching.clock import SystemClock, clock_offset
from callsim.watching.events import Event, KeeperChanged, Listener, Reloaded, Ticked
from callsim.watching.keeping import LAND, fill_later, keep_pruning, put_of, take_up
from callsim.watching.notify import notify
from callsim.watching.recording import Books, Recorder
from callsim.watching.reloading import PlanFile, keep_reloading
from callsim.watching.showing import Journal, Shown, pace_of
from callsim.watching.state import State, location_of, state_folder, state_of
from callsim.watching.table import live_table
from callsim.watching.watcher import Outside, Watcher
from results.store.entries import Document
from results.store.errors import StoreError
from results.store.keeper import Keeper, KeeperState

DRAIN = 10.0
"""Seconds that records have to be written when the loop is over; the rest waits in the spool."""
ALERTS_END = 5.0
"""Seconds that messages on their way have then."""
LOGGERS = ("callsim", "callgen", "results")


@dataclass(frozen=True)
class WatchOptions:
    """What `callsim watch` is told."""

    plan: Path
    only: tuple[str, ...] = ()
    lab: bool = False
    overrides: tuple[str, ...] = ()
    store: str | None = None
    location: str | None = None
    metrics: str | None = None
    state: Path | None = None
    seconds: float | None = None
    quiet: bool = False


def watch(options: WatchOptions) -> Exit:
    """Watch a plan until a signal or for a given time; MET, or INTERRUPTED by Ctrl-C."""
    file = PlanFile(options.plan, options.overrides, options.only)
    plan = file.read()
    location = location_of(options.location)
    require_live()
    with state_of(options.state, plan.name, location) as state, _journal(options):
        try:
            return asyncio.run(_Prober(options, file, plan, location, state).run())
        except StoreError as error:
            raise CallsimError(str(error)) from None


def store_of(options: WatchOptions) -> str:
    """Give the store's URL: with `--lab` alone one of its own, for these records are no carrier's."""
    if options.store is not None:
        return options.store
    return f"sqlite:///{state_folder() / 'lab.db'}" if options.lab else default_url()


def _say(line: str) -> None:
    # Not by click, which goes round what puts lines above the live table.
    print(line, flush=True)


@contextmanager
def _journal(options: WatchOptions) -> Iterator[None]:
    """Have what modules log said as lines; quietly on stderr alone."""
    journal = Journal(partial(click.echo, err=True) if options.quiet else _say)
    for name in LOGGERS:
        logging.getLogger(name).addHandler(journal)
    try:
        yield
    finally:
        for name in LOGGERS:
            logging.getLogger(name).removeHandler(journal)


@dataclass(eq=False)
class _Prober:
    """A plan with everything that is told of its probes."""

    options: WatchOptions
    file: PlanFile
    plan: Plan
    location: str
    state: State
    clock: SystemClock = field(default_factory=SystemClock)
    watcher: Watcher | None = None
    code: Exit = Exit.MET
    beside: list[asyncio.Task[None]] = field(default_factory=list)

    async def run(self) -> Exit:
        """Watch, and give the exit code."""
        options, clock = self.options, self.clock
        async with AsyncExitStack() as stack:
            self.labs: dict[tuple[str, ...], Plan] = {}
            self.stack = stack
            self.counters = Counters() if options.lab else counters_of(self.plan)
            stack.callback(self.counters.close)
            shown = Shown(self.plan, (lambda line: None) if options.quiet else _say)
            if (left := take_left(self.counters)) is not None:
                shown.say(f"NOTE: {left}")
            keeper = self._keeper(stack)
            put = put_of(keeper, lambda: self.watcher.plan if self.watcher else self.plan)
            tracker = IncidentTracker(self.plan, self.location, keep=put)
            recorder = self._recorder(put)
            listeners: list[Listener] = [shown, recorder, tracker, *self._told(put, keeper, stack)]
            books = Books(self.location, clock_offset, self.state.recordings)
            outside = Outside(clock, self._desk, self._place, books.entries, own_network)
            self.watcher = watcher = Watcher(self.plan, outside, [*listeners, self._beat(put)])
            await self._take_up(keeper, tracker, listeners)
            await self._run(shown)
            now = clock.wall()
            shown.flush(now)
            recorder.beat(now)
            recorder.count(now)
            if not await asyncio.to_thread(keeper.drain, DRAIN):
                shown.say(f"{shown.time(now)} records: {keeper.state}")
            _say(summary(shown, watcher))
        return self.code

    # ---- its parts

    def _keeper(self, stack: AsyncExitStack) -> Keeper:
        loop = asyncio.get_running_loop()

        def changed(state: KeeperState) -> None:
            if self.watcher is not None:
                self.watcher.emit(KeeperChanged(str(state), self.clock.wall()))

        def from_thread(state: KeeperState) -> None:
            with suppress(RuntimeError):  # the loop is over
                loop.call_soon_threadsafe(changed, state)

        keeper = Keeper(store_of(self.options), self.state.spool, on_change=from_thread)
        stack.callback(keeper.close)
        return keeper

    def _recorder(self, put: Callable[..., None]) -> Recorder:
        from callsim import __version__  # noqa: PLC0415 - the package imports this module

        started = self.clock.wall()
        since = self.counters.since
        return Recorder(self.plan, self.location, started, __version__, clock_offset, put, since)

    def _told(self, put: Callable[..., None], keeper: Keeper, stack: AsyncExitStack) -> Iterator[Listener]:
        """Give metrics, where they are asked for, and alerts; a plan that comes later may have some."""
        from callsim.alerting.listening import Alerts  # noqa: PLC0415 - heavy

        at, metrics = self.clock.wall(), None
        if self.options.metrics is not None:
            from callsim.metrics.listening import Metrics  # noqa: PLC0415 - heavy
            from callsim.metrics.serving import served  # noqa: PLC0415

            metrics = Metrics(
                self.plan,
                self.location,
                at=at,
                waiting=lambda: keeper.waiting,
                used=lambda: self.counters.used(self.clock.wall(), None, caps_of(self.plan)),
            )
            url = stack.enter_context(served(metrics.registry, self.options.metrics))
            if not self.options.quiet:
                _say(f"metrics at {url}")
            yield metrics
        alerts = Alerts(
            self.plan,
            self.location,
            folder=self.options.plan.parent,
            state=self.state.alerts,
            keep=put,
            at=at,
            metrics=metrics,
        )
        stack.push_async_callback(asyncio.to_thread, alerts.close, ALERTS_END)
        yield alerts

    def _beat(self, put: Callable[..., None]) -> Listener:
        """Give what follows the plan, and tells systemd that the loop lives."""

        def beat(event: Event) -> None:
            if isinstance(event, Ticked):
                notify("WATCHDOG=1")
            elif isinstance(event, Reloaded) and event.plan is not None:
                self.plan = event.plan
                put(Document.of("plan", self.plan.name, self.file.text))
                notify("READY=1")

        return beat

    async def _take_up(self, keeper: Keeper, tracker: IncidentTracker, listeners: Sequence[Listener]) -> None:
        """Have listeners take up what was before; without the store they begin anew."""
        assert self.watcher is not None  # it has just been made
        await asyncio.to_thread(keeper.drain, LAND)
        try:
            taken = await asyncio.to_thread(
                take_up, store_of(self.options), self.plan, self.location, self.watcher.started, tracker
            )
        except StoreError as error:
            logging.getLogger(__name__).warning("what was before is not known yet: %s", error)
            self.beside.append(
                asyncio.create_task(fill_later(store_of(self.options), keeper, self.watcher, self.location))
            )
            return
        for listener in listeners:
            if listener is not tracker and (restore := getattr(listener, "restore", None)) is not None:
                restore(taken.past)
        self.watcher.fill(taken.handled)

    # ---- what the watcher asks for

    @asynccontextmanager
    async def _desk(self, plan: Plan, pinged: Answered) -> AsyncIterator[Desk]:
        lab = self.options.lab
        if lab and plan.trunk_names() not in self.labs:
            self.labs[plan.trunk_names()] = await self.stack.enter_async_context(in_lab(plan))
        inside = plan
        if lab:
            trunks = self.labs[plan.trunk_names()].trunks
            inside = plan.model_copy(update={"trunks": trunks, "ca_file": None, "bind": None})
        async with desk_of(
            inside,
            self.options.plan.parent,
            at_once=plan.guard.at_once,
            in_lab=lab,
            counters=self.counters,
            pinged=pinged,
        ) as desk:
            yield desk

    async def _place(self, desk: Desk, leg: Leg, probe: str, number: int) -> CallJson:
        folder = self.options.plan.parent
        if leg.test.direction == "inbound":
            return await call_us(desk, leg.test, folder, lab=self.options.lab)
        stem = str(self.state.recordings / f"{probe}-{number}") if leg.test.audio.record else None
        return await desk.call(errand_of(leg, folder, stem), patient=number > 1)

    # ---- its run

    async def _run(self, shown: Shown) -> None:
        watcher, asked = self.watcher, asyncio.Event()
        assert watcher is not None  # it has been made
        if not self.options.quiet:
            legs = [lane.leg for lane in watcher.lanes]
            many = f"{len(legs)} leg{'s' if len(legs) > 1 else ''}"
            pace = f"{significant(pace_of(legs))} probes an hour"
            _say(f"watching {self.plan.name} from {self.location}: {many}, {pace}; Ctrl-C ends")
            if self.file.without_cadence and not self.options.only:
                _say(f"not watched, for want of `every`: {', '.join(self.file.without_cadence)}")
        self.beside += [
            asyncio.create_task(keep_reloading(watcher, self.file, asked)),
            asyncio.create_task(keep_pruning(store_of(self.options), lambda: self.plan)),
        ]
        if self.options.seconds is not None:
            asyncio.get_running_loop().call_later(self.options.seconds, watcher.stop)
        try:
            with self._signals(watcher, asked), live_table(watcher, shown, quiet=self.options.quiet):
                await watcher.run()
        finally:
            notify("STOPPING=1")
            for task in self.beside:
                task.cancel()
            await asyncio.gather(*self.beside, return_exceptions=True)

    @contextmanager
    def _signals(self, watcher: Watcher, asked: asyncio.Event) -> Iterator[None]:
        """SIGTERM and Ctrl-C stop, the second one hangs up; SIGHUP reads the plan anew."""
        loop = asyncio.get_running_loop()
        stops = 0

        def stop(code: Exit) -> None:
            nonlocal stops
            stops += 1
            self.code = code
            if stops > 1:
                watcher.hang_up()
                return
            watcher.stop()
            if not self.options.quiet:
                _say("stopping: calls in progress are seen to their end; the same again hangs them up")

        handlers: list[tuple[str, Callable[[], None]]] = [
            ("SIGTERM", partial(stop, Exit.MET)),
            ("SIGINT", partial(stop, Exit.INTERRUPTED)),
            ("SIGHUP", asked.set),
        ]
        known = [(getattr(signal, name), do) for name, do in handlers if hasattr(signal, name)]
        with suppress(NotImplementedError):
            for number, do in known:
                loop.add_signal_handler(number, do)
        try:
            yield
        finally:
            with suppress(NotImplementedError):
                for number, _ in known:
                    loop.remove_signal_handler(number)


def summary(shown: Shown, watcher: Watcher) -> str:
    """Say in one line what came of it."""
    counts = shown.counts
    probes = sum(count for verdict, count in counts.items() if verdict != "MISSED")
    told = [f"{count:,} {verdict.lower()}" for verdict, count in sorted(counts.items())]
    since = shown.time(watcher.started)
    return f"watched {watcher.plan.name} since {since}: {probes:,} probes" + "".join(
        f", {one}" for one in told
    )
