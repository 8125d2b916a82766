"""Calls over trunks that are written as names: which address is tried, and what DNS cannot spoil."""

import asyncio
import contextlib
import importlib.util
import json
import subprocess
import threading
from dataclasses import replace
from pathlib import Path

import dns.rcode
import pytest
from callgen_peers import HOST, NUMBER, SOON, Running, Scripted
from click.testing import CliRunner
from name_server import NameServer, srv

from callgen.lab.impairment import LabFault
from callgen.lab.lab import lab_of
from callgen.messages import Answers, Ended, Endpoint, Identity, Ping, Pinged, Registered, Tls
from callsim import cli
from callsim.errors import CallsimError
from callsim.live import desk as desks
from callsim.live import setup
from callsim.live.desk import Errand
from callsim.live.probing import legs_of, planned
from callsim.live.setup import caps_of, endpoint_of, guard_of
from callsim.plan import Plan

needs_pjsua2 = pytest.mark.skipif(
    importlib.util.find_spec("pjsua2") is None,
    reason="pjsua2 is not installed: its wheels are for CPython before 3.13, and not for Linux on ARM",
)
pytestmark = needs_pjsua2
NAME = "atlantic.example"
SRV = f"_sip._udp.{NAME}"
HOSTS = {("sbc1.example", "A"): (60, [HOST]), ("sbc2.example", "A"): (60, [HOST])}
TALK = 0.3


def plan_of(server, *uris, routing=None, **more):
    carriers = ("atlantic", "boreal", "cirrus")[: len(uris)]
    return Plan.model_validate(
        {
            "name": "names",
            "trunks": [{"carrier": name, "uri": uri} for name, uri in zip(carriers, uris, strict=True)],
            "routing": {"order": "priority", "routes": list(carriers), "no_reply_timeout": "1s"}
            | (routing or {}),
            "nameservers": [server.address],
            "guard": {"allow": [NUMBER], "at_once": 4, "calls_per_day": 100},
        }
        | more
    )


@contextlib.asynccontextmanager
async def desk_of(plan):
    async with desks.desk_of(plan, Path(), at_once=1, in_lab=True) as desk:
        yield desk


def port_of(carrier):
    return int(carrier.uri.rpartition(":")[2])


@contextlib.asynccontextmanager
async def two_behind_one_name(weights=(10, 20)):
    """Two lab carriers behind a name, the first preferred."""
    async with lab_of(("one", "two"), Answers()) as carriers, NameServer(HOSTS) as server:
        ports = [port_of(carrier) for carrier in carriers.values()]
        records = [
            (priority, 0, port, f"sbc{n}.example")
            for n, (priority, port) in enumerate(zip(weights, ports, strict=True), 1)
        ]
        server.records[SRV, "SRV"] = srv(*records)
        yield carriers, server, [f"atlantic/1@sbc{n}.example:{port}" for n, port in enumerate(ports, 1)]


# ---- order and failover


@pytest.mark.parametrize(
    ("fault", "status", "reason"),
    [
        (LabFault("silent"), 408, "no answer in time (abandon)"),
        (LabFault("refuses", status=503), 503, "Service Unavailable"),
    ],
)
@pytest.mark.parametrize("over", [None, 0], ids=["by the router", "over the trunk"])
def test_the_next_address_of_a_trunk_is_tried_before_the_next_trunk(fault, status, reason, over):
    async def scene():
        async with two_behind_one_name() as (carriers, server, labels):
            await carriers["one"].play(fault)
            plan = plan_of(server, f"sip:{NAME}", "sip:127.0.0.1:9")
            async with desk_of(plan) as desk:
                record = await desk.call(Errand(NUMBER, over, TALK))
        assert record["outcome"] == "answered"
        first, second = record["attempts"]
        assert [first["trunk"], second["trunk"]] == labels
        assert (first["sip_status"], first["reason"], second["sip_status"]) == (status, reason, 200)
        assert (
            first["target"]
            == f"sip:{labels[0].partition('@')[2].replace('sbc1.example', HOST)};transport=udp"
        )
        trace = record["trace"]
        assert f"INVITE sip:{NUMBER}@{NAME} SIP/2.0" in trace
        assert "\nRoute:" not in trace

    asyncio.run(scene())


def test_an_address_that_pings_mark_down_is_tried_no_more_and_stays_known_when_dns_changes():
    health = {"ping_every": "0.3s", "ping_timeout": "0.2s", "down_after": 2, "up_after": 2, "hold_down": "1h"}

    async def scene():
        async with two_behind_one_name() as (carriers, server, labels):
            await carriers["one"].play(LabFault("silent"))
            server.records[SRV, "SRV"] = 1, server.records[SRV, "SRV"][1]
            async with desk_of(plan_of(server, f"sip:{NAME}", routing={"health": health})) as desk:
                async with asyncio.timeout(SOON):
                    while (await desk.lines.line()).router.believed_up(0, asyncio.get_running_loop().time()):
                        await asyncio.sleep(0.05)
                before = await desk.lines.line()
                # A third one comes before both: what is known of them goes with them.
                third = (5, 0, port_of(carriers["two"]), "sbc3.example")
                server.records["sbc3.example", "A"] = 60, ["127.0.0.1"]
                ttl, values = server.records[SRV, "SRV"]
                server.records[SRV, "SRV"] = ttl, [*srv(third)[1], *values]
                async with asyncio.timeout(SOON):
                    while (line := await desk.lines.line()) is before:
                        await asyncio.sleep(0.05)
                assert len(line.hops) == 3
                beliefs = line.router.beliefs(asyncio.get_running_loop().time())
                assert [hop.label for hop, up in zip(line.hops, beliefs, strict=True) if not up] == [
                    labels[0]
                ]
                record = await desk.call(Errand(NUMBER, None, TALK))
                assert [attempt["trunk"].split("@")[1].split(":")[0] for attempt in record["attempts"]] == [
                    "sbc3.example"
                ]

    asyncio.run(scene())


def test_a_name_that_cannot_be_resolved_is_a_failed_attempt_and_the_next_trunk_is_tried():
    async def scene():
        async with lab_of(("good",), Answers()) as carriers, NameServer() as server:
            plan = plan_of(server, f"sip:{NAME}", carriers["good"].uri)
            async with desk_of(plan) as desk:
                record = await desk.call(Errand(NUMBER, None, TALK))
                alone = await desk.call(Errand(NUMBER, 0, TALK))
        first, second = record["attempts"]
        assert (first["trunk"], first["sip_status"]) == ("atlantic/1", 503)
        assert first["reason"] == f"DNS: {NAME} does not exist (NXDOMAIN)"
        assert (second["trunk"], second["sip_status"]) == ("boreal/1", 200)
        assert (alone["outcome"], alone["reason"]) == ("failed", first["reason"])

    asyncio.run(scene())


def test_a_name_may_not_lead_inside_unless_its_server_is_there():
    async def scene():
        async with NameServer(
            {(SRV, "SRV"): srv((1, 0, 5060, "sbc.example"), (2, 0, 53, "sbc1.example"))} | HOSTS
        ) as server:
            server.records["sbc.example", "A"] = 60, ["169.254.169.254"]
            async with desk_of(plan_of(server, f"sip:{NAME}")) as desk:
                record = await desk.call(Errand(NUMBER, None, TALK))
        assert record["outcome"] == "refused_by_guard"
        assert "address that DNS may not send calls to (no address of a host)" in record["reason"]
        assert record["attempts"] == []

    asyncio.run(scene())


def test_more_trunks_than_the_library_has_accounts_can_be_called():
    async def scene():
        async with Scripted() as peer:
            names = tuple(Identity(f"t/{n}", peer.uri.replace(f"{NUMBER}@", "")) for n in range(12))
            async with Running(Endpoint(identities=names)) as near:
                for name in ("t/0", "t/11"):
                    call = near.place(peer.uri, 0.1, identity=name)
                    peer.answer(await peer.receive("INVITE"), 486)
                    await near.end(call)
                assert [r.status for r in near.responses(2)] == [486]
            assert near.code == 0

    asyncio.run(scene())


def test_a_registration_goes_to_the_address_and_names_the_trunk():
    async def scene():
        async with Scripted() as peer:
            target = f"sip:{HOST}:{peer.port};transport=udp"
            identity = Identity("atlantic/1", f"sip:{NAME}", register=True, target=target)
            async with Running(Endpoint(identities=(identity,))) as near:
                register = await peer.receive("REGISTER")
                assert register.start == f"REGISTER sip:{NAME} SIP/2.0"
                assert not register.all("route")
                peer.answer(register, 403)
                assert (await near.wait(Registered)).status == 403
            assert near.code == 0

    asyncio.run(scene())


def test_more_registrations_than_the_library_has_room_for_are_refused():
    trunks = [{"carrier": "a", "uri": f"sip:127.0.0.1:{5070 + n}", "register": True} for n in range(7)]
    guard = {"allow": [NUMBER], "at_once": 1, "calls_per_day": 1}
    plan = Plan.model_validate({"name": "names", "trunks": trunks, "guard": guard})
    with pytest.raises(CallsimError, match="7 trunks register, and pjsua2 can at most 6"):
        endpoint_of(plan, guard_of(plan, None), Path())


def test_each_address_may_get_an_attempt_and_the_pre_flight_counts_them():
    async def scene():
        async with NameServer() as server:
            return plan_of(
                server,
                f"sip:{NAME}",
                "sip:127.0.0.1:9",
                tests=[{"name": "t", "to": NUMBER, "over": ["atlantic", "boreal", "route"]}],
            )

    plan = asyncio.run(scene())
    counted = planned(plan, legs_of(plan, plan.tests), caps_of(plan), once=True, addresses={"atlantic/1": 3})
    assert [one.trunk for one in counted] == [
        *["atlantic/1"] * 3,
        "boreal/1",
        *["atlantic/1"] * 3,
        "boreal/1",
    ]


@pytest.mark.parametrize("named", [True, False])
def test_certificates_are_those_that_the_machine_trusts(monkeypatch, tmp_path, named):
    (tmp_path / "trusted").touch()
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / ("trusted" if named else "none")))
    monkeypatch.setattr(setup, "CERTIFICATES", (str(tmp_path / "trusted"),) * (not named))
    assert setup.system_certificates() == str(tmp_path / "trusted")


# ---- TLS: the certificate is the name's, not the address's


def certificate(folder, alternative):
    key, chain = folder / "key.pem", folder / "chain.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=lab"]
    command += ["-addext", f"subjectAltName={alternative}", "-keyout", str(key), "-out", str(chain)]
    subprocess.run(command, check=True, capture_output=True)
    return Tls(str(chain), True, str(chain), str(key))


@pytest.mark.parametrize(
    ("alternative", "status", "reason"),
    [
        (f"DNS:{NAME}", 200, "OK"),
        (f"URI:sip:{NAME}", 200, "OK"),
        (f"DNS:{NAME.upper()},DNS:other.example", 200, "OK"),
        (f"IP:{HOST}", 503, f"the certificate is for {HOST}, not for {NAME}"),
        ("DNS:*.example", 503, f"the certificate is for *.example, not for {NAME}"),
        (f"URI:sip:user@{NAME}", 503, f"the certificate is for lab, not for {NAME}"),
    ],
)
def test_over_tls_a_certificate_has_to_be_the_names(tmp_path, alternative, status, reason):
    tls = certificate(tmp_path, alternative)

    async def scene():
        async with (
            Running(Endpoint(transports=("tls",), tls=tls, answers=Answers())) as far,
            Running(Endpoint(transports=("tls",), tls=replace(tls, certificate=None, key=None))) as near,
        ):
            target = f"sip:{HOST}:{far.ready.port};transport=tls"
            ended = await near.call(f"sip:{NUMBER}@{NAME};transport=tls", 0.2, target=target)
            assert isinstance(ended, Ended), ended
            final = near.responses(1)[-1]
            assert (final.status, final.reason) == (status, reason)
            near.process.tell(Ping(7, f"sip:{NAME};transport=tls", target=target))
            pinged = await near.wait(Pinged)
            assert (pinged.status is not None) == (status == 200)
        assert near.code == 0

    asyncio.run(scene())


@pytest.mark.parametrize("written", [(), (f"sip:{HOST};transport=tls",)], ids=["", "beside the address"])
def test_two_names_do_not_share_a_connection_over_tls(written):
    async def scene():
        names = ("atlantic.example", "boreal.example")
        records = {(f"_sips._tcp.{name}", "SRV"): srv((1, 0, 5061, "sbc1.example")) for name in names}
        async with NameServer(HOSTS | records) as server:
            plan = plan_of(server, *(f"sip:{name};transport=tls" for name in names), *written)
            async with desk_of(plan) as desk:
                hops = (await desk.lines.line()).hops
        taken = "DNS: sbc1.example:5061 over TLS is {}'s already"
        by = [HOST, HOST, None] if written else [None, "atlantic.example"]
        assert [hop.trouble for hop in hops] == [name and taken.format(name) for name in by]

    asyncio.run(scene())


# ---- the commands


def callsim(*arguments):
    return CliRunner().invoke(cli.main, [str(argument) for argument in arguments])


@contextlib.contextmanager
def served(records=(), codes=()):
    """Run a name server in a thread of its own, for commands that have their own loop."""
    loop, server = asyncio.new_event_loop(), NameServer(records, codes)
    loop.run_until_complete(server.__aenter__())
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield server
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.run_until_complete(server.__aexit__())
        loop.run_until_complete(asyncio.sleep(0))
        loop.close()


@pytest.fixture
def plan_file(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))

    def written(server, uri):
        text = {
            "name": "names",
            "trunks": [{"carrier": "atlantic", "uri": uri}],
            "nameservers": [server.address],
            "guard": {"allow": [NUMBER], "at_once": 1, "calls_per_day": 10},
        }
        file = tmp_path / "plan.yaml"
        file.write_text(json.dumps(text))
        return file

    return written


def test_a_call_to_nowhere_says_so_in_one_line_and_ends_with_4(plan_file):
    with served(codes={NAME: dns.rcode.SERVFAIL, SRV: dns.rcode.SERVFAIL}) as server:
        ran = callsim("call", NUMBER, "--plan", plan_file(server, f"sip:{NAME}"), "--quiet")
    assert ran.stdout == f"FAILED: {NUMBER} over atlantic/1, 503 DNS: {SRV} SRV: SERVFAIL\n"
    assert ran.exit_code == 4


def test_the_doctor_shows_where_trunks_lead_in_order_and_for_how_long(plan_file):
    records = {(SRV, "SRV"): srv((20, 0, 5062, "sbc2.example"), (10, 3, 5060, "sbc1.example"))} | HOSTS
    with served(records) as server:
        said = callsim("doctor", plan_file(server, f"sip:{NAME}")).stdout
        good = (
            "1. sbc1.example:5060 is 127.0.0.1 over udp, priority 10 weight 3, "
            f"2. sbc2.example:5062 is 127.0.0.1 over udp, priority 20 weight 0 (SRV {SRV}, for 60 s)"
        )
        assert good in said
        server.records["sbc2.example", "A"] = 60, ["0.0.0.0"]
        assert (
            "0.0.0.0 is refused: no address of a host"
            in callsim("doctor", plan_file(server, f"sip:{NAME}")).stdout
        )
        said = callsim("doctor", plan_file(server, "sip:boreal.example")).stdout
        assert "DNS: boreal.example does not exist (NXDOMAIN)" in said
        assert "its calls would all fail" in said
