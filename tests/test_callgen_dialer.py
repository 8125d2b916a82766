"""The pool of workers: its slots, its growth, and what the end of a worker costs."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import ClassVar

import pytest

from callgen import dialer, member, sip
from callgen.dialer import SLOTS, LostByToolError, SlotsExhaustedError, Workers
from callgen.guarding.guard import Guard, Method
from callgen.lab.lab import HOST
from callgen.messages import (
    Alive,
    Audio,
    Beat,
    Dialog,
    Ended,
    Endpoint,
    Freed,
    Identity,
    Lost,
    Ping,
    Pinged,
    Place,
    Ready,
    Sent,
)

NUMBER = "+12025550100"
GUARD = Guard([NUMBER], [HOST])
TRUNK = f"sip:{HOST}:5060"
SOON = 10.0


class Scripted:
    """A process that does what a test tells it, in place of a worker's."""

    made: ClassVar[list[Scripted]] = []
    unready: ClassVar[set[int]] = set()
    """Which of those that are made, in order, end before they are ready."""
    mute = False

    def __init__(self, module, settings, heard, died):
        self.settings, self.heard, self.died = settings, heard, died
        self.told = []
        self.pid = len(self.made)
        self.made.append(self)
        loop = asyncio.get_running_loop()
        if self.pid in self.unready:
            loop.call_soon(died, 1)
        else:
            loop.call_soon(heard, Ready(HOST, 5060))

    def tell(self, message):
        self.told.append(message)
        if isinstance(message, Beat) and not self.mute:
            self.heard(Alive(0.0))

    def kill(self):
        asyncio.get_running_loop().call_soon(self.died, -9)

    async def close(self):
        return 0

    @property
    def placed(self):
        return [message for message in self.told if isinstance(message, Place)]


@pytest.fixture
def made(monkeypatch):
    monkeypatch.setattr(dialer, "Process", Scripted)
    monkeypatch.setattr(Scripted, "made", [])
    monkeypatch.setattr(Scripted, "unready", set())
    monkeypatch.setattr(Scripted, "mute", False)
    return Scripted.made


def invite():
    return GUARD.invite(NUMBER, TRUNK)


async def place(workers, calls=1):
    return [await workers.place(invite(), 1.0) for _ in range(calls)]


def over(process, *calls):
    """Tell that calls are over, though their slots are still held."""
    for call in calls:
        process.heard(Ended(call, 0.0, "us", None))


async def until(true):
    async with asyncio.timeout(SOON):
        while not true():
            await asyncio.sleep(0.01)


# ---- slots


def test_a_call_goes_to_the_worker_with_most_room_and_says_what_is_asked(made):
    async def scene():
        async with Workers(2) as workers:
            await place(workers, 3)
            audio = Audio("speech")
            await workers.place(invite(), 2.0, identity="a/1", audio=audio, codecs=("PCMA",))
            assert [len(process.placed) for process in made] == [2, 2]
            (last,) = [message for process in made for message in process.placed if message.identity]
            uri = f"sip:{NUMBER}@{HOST}:5060"
            assert (last.uri, last.talk, last.identity, last.audio, last.codecs) == (
                uri, 2.0, "a/1", audio, ("PCMA",),
            )  # fmt: skip

    asyncio.run(scene())


def test_where_no_slot_is_free_and_the_pool_may_not_grow_it_says_so(made):
    async def scene():
        async with Workers() as workers:
            await place(workers, SLOTS)
            over(made[0], 1)
            permit = invite()
            with pytest.raises(SlotsExhaustedError, match=r"all 4 slots of 1 workers .* 1 of them by calls"):
                await workers.place(permit, 1.0)
            assert (workers.waits, workers.held_slots, workers.free_slots) == (0, 1, 0)
            assert permit.spend(Method.INVITE), "nothing was sent with it"
            made[0].heard(Freed(1))
            await place(workers)
            assert workers.held_slots == 0

    asyncio.run(scene())


def test_calls_that_find_no_slot_wait_for_a_worker_that_is_started(made):
    async def scene():
        async with Workers(1, grow_to=3) as workers:
            await place(workers, SLOTS)
            await asyncio.gather(*(place(workers) for _ in range(SLOTS + 1)))
            assert workers.waits == SLOTS + 1
            assert [len(process.placed) for process in made] == [SLOTS, 3, 2]
            await place(workers, 3)
            with pytest.raises(SlotsExhaustedError):
                await place(workers)

    asyncio.run(scene())


def test_slots_that_dead_carriers_hold_make_the_pool_grow_before_anybody_waits(made):
    async def scene():
        async with Workers(1, grow_to=2) as workers:
            await place(workers)
            assert len(made) == 1
            over(made[0], 1)
            await place(workers)
            assert len(made) == 2
            await until(lambda: workers.free_slots > SLOTS)
            await place(workers, 2 * SLOTS - 2)
            assert workers.waits == 0

    asyncio.run(scene())


def test_a_slot_that_is_freed_is_for_who_waits(made):
    async def scene():
        async with Workers(1, grow_to=2) as workers:
            await place(workers, SLOTS)
            Scripted.unready.add(1)
            waiting = asyncio.ensure_future(workers.place(invite(), 1.0))
            await until(lambda: len(made) == 2)
            made[0].heard(Freed(1))
            await waiting
            assert len(made[0].placed) == SLOTS + 1

    asyncio.run(scene())


def test_events_reach_their_call_and_others_nobody(made):
    async def scene():
        async with Workers() as workers:
            (live,) = await place(workers)
            for message in (Sent(1, 0.0), Ended(-1, 0.0, "far", None), Sent(7, 0.0), Freed(7)):
                made[0].heard(message)
            assert await live.event() == Sent(1, 0.0)
            over(made[0], 1)
            assert isinstance(await live.event(), Ended)
            made[0].heard(Freed(1))
            assert await live.freed() is True

    asyncio.run(scene())


@pytest.mark.parametrize("status", [200, None])
def test_a_ping_has_its_answer(made, status):
    async def scene():
        async with Workers() as workers:
            asked = asyncio.ensure_future(workers.ping(GUARD.ping(TRUNK), SOON, identity="a/1"))
            await asyncio.sleep(0)
            (ping,) = made[0].told
            assert ping == Ping(ping.ping, f"sip:{HOST}:5060", "a/1")
            made[0].heard(Pinged(ping.ping, status, 0.0))
            assert await asked == status

    asyncio.run(scene())


# ---- what is a worker's own


def test_ports_are_shared_out_and_only_one_worker_registers(made):
    accounts = (Identity("a/1", TRUNK, register=True), Identity("b/1", TRUNK))
    endpoint = Endpoint(rtp_ports=(20000, 100), identities=accounts)

    async def scene():
        async with Workers(2, endpoint, grow_to=3) as workers:
            await place(workers, 2 * SLOTS + 1)
            made[0].kill()
            await until(lambda: len(made) == 4)
        ports = [process.settings.rtp_ports for process in made]
        assert ports == [(20000, 32), (20032, 32), (20064, 32), (20000, 32)]
        registers = [[identity.register for identity in process.settings.identities] for process in made]
        assert registers == [[True, False], [False, False], [False, False], [True, False]]

    asyncio.run(scene())


def test_too_few_ports_limit_the_pool(made):
    async def scene():
        async with Workers(1, Endpoint(rtp_ports=(20000, 17)), grow_to=9) as workers:
            await place(workers, 2 * SLOTS)
            with pytest.raises(SlotsExhaustedError):
                await place(workers)

    asyncio.run(scene())
    with pytest.raises(ValueError, match="15 are too few for 2 workers with 8 each"):
        Workers(2, Endpoint(rtp_ports=(20000, 15)))


@pytest.mark.parametrize(("count", "grow_to"), [(0, None), (2, 1)])
def test_a_count_that_cannot_be_is_none(count, grow_to):
    with pytest.raises(ValueError, match="must be at least"):
        Workers(count, grow_to=grow_to)


# ---- the end of workers


def test_a_worker_that_hangs_is_killed_and_replaced(made, monkeypatch):
    monkeypatch.setattr(dialer, "BEAT_EVERY", 0.01)

    async def scene():
        async with Workers() as workers:
            (live,) = await place(workers)
            await until(lambda: sum(isinstance(m, Beat) for m in made[0].told) > 2 * dialer.BEATS)
            assert len(made) == 1, "it answers"
            Scripted.mute = True
            lost = await live.event()
            assert isinstance(lost, Lost)
            assert lost.reason.startswith("its worker hung")
            assert await live.freed() is True, "nothing was sent"
            Scripted.mute = False
            await until(lambda: workers.free_slots == SLOTS)
            assert len(made) == 2

    asyncio.run(scene())


def test_a_pool_whose_workers_do_not_start_is_an_error(made):
    Scripted.unready = {1}

    async def scene():
        async with Workers(2):
            pass

    with pytest.raises(LostByToolError, match=r"worker ended \(1\) before it was ready"):
        asyncio.run(scene())


def test_a_worker_that_died_as_it_was_replaced_is_tried_again(made, monkeypatch):
    monkeypatch.setattr(member, "PAUSE", 0.01)
    Scripted.unready = {1, 2}

    async def scene():
        async with Workers() as workers:
            made[0].kill()
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            await place(workers)
            assert (len(made), len(made[3].placed), workers.waits) == (4, 1, 1)

    asyncio.run(scene())


def test_a_call_does_not_wait_for_ever(made, monkeypatch):
    async def scene():
        async with Workers(1, grow_to=2) as workers:
            await place(workers, SLOTS)
            Scripted.unready.update(range(1, 100))
            monkeypatch.setattr(dialer, "START", 0.05)
            with pytest.raises(LostByToolError, match="no worker was ready"):
                await place(workers)

    asyncio.run(scene())


def test_a_worker_that_always_ends_is_started_less_and_less_often(made, monkeypatch, caplog):
    assert [member.pause_after(n) for n in range(9)] == [0, 1, 2, 4, 8, 16, 32, 60, 60]
    monkeypatch.setattr(member, "PAUSE", 1e-6)
    Scripted.unready = {*range(1, 6), *range(7, 12)}

    async def scene():
        async with Workers() as workers:
            for ready in (0, 6, 12):
                await until(lambda ready=ready: len(made) == ready + 1 and workers.free_slots == SLOTS)
                made[ready].kill()
            await until(lambda: len(made) == 14)

    asyncio.run(scene())
    (warning,) = caplog.records
    assert "3 in a row, the last: worker ended (1)" in warning.getMessage()


def test_a_worker_that_is_of_use_is_replaced_soon(made, monkeypatch):
    pauses = []
    monkeypatch.setattr(dialer, "pause_after", lambda failures: pauses.append(failures) or 0.0)

    async def scene():
        async with Workers() as workers:
            for n, useful in enumerate((False, False, True, False)):
                if useful:
                    await place(workers)
                    over(made[n], 1)
                made[n].kill()
                await until(lambda n=n: len(made) == n + 2 and workers.free_slots == SLOTS)
            monkeypatch.setattr(member, "STEADY", 0.0)
            made[4].kill()
            await until(lambda: len(made) == 6)

    asyncio.run(scene())
    assert pauses == [1, 2, 1, 2, 0]


def test_it_is_said_whose_answer_a_worker_handled_as_it_died(made, monkeypatch):
    monkeypatch.setattr(dialer, "LEAVE", 0.01)
    invite = sip.Message("INVITE sip:b@h SIP/2.0", (("call-id", "x"), ("cseq", "1 INVITE")), "")
    ringing = sip.Message("SIP/2.0 180 Ringing", (("call-id", "x"), ("cseq", "1 INVITE")), "")
    sent = Dialog(1, "udp", (HOST, 5060), invite, 1)

    async def reason(*messages):
        async with Workers() as workers:
            permit = GUARD.invite(NUMBER, TRUNK, trunk="boreal/1")
            live = await workers.place(permit, 1.0)
            other = await workers.place(GUARD.invite(NUMBER, TRUNK, trunk="atlantic/1"), 1.0)
            for message in messages:
                made[-1].heard(message)
            made[-1].kill()
            reasons = {event.reason for event in (await lost(live), await lost(other))}
            assert len(reasons) == 1, "what killed it cost them all"
            return reasons.pop()

    async def lost(live):
        while not isinstance(event := await live.event(), Lost):
            pass
        return event

    answered = replace(sent, answer=ringing)
    during = "its worker ended (-9) while it handled an answer of boreal/1"
    assert asyncio.run(reason(sent, answered)) == during
    assert asyncio.run(reason(sent)) == "its worker ended (-9)"
    assert asyncio.run(reason(sent, answered, Alive(0.0))) == "its worker ended (-9)"
    assert asyncio.run(reason(sent, answered, replace(answered, cseq=2))) == "its worker ended (-9)"
