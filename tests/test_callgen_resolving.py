"""Which addresses a trunk's name leads to, in which order, and for how long."""

import asyncio
from collections import Counter

import dns.rcode
import numpy as np
import pytest
from name_server import NameServer, srv
from scipy.stats import binom

from callgen import resolving
from callgen.guarding.guard import Guard, RefusedError
from callgen.guarding.targets import Source, Target, drawn, hops_of, ordered, trouble_with
from callgen.resolving import ResolveError, Resolver, server_of, written

NAME = "atlantic.example"
URI = f"sip:{NAME}"
UDP, TCP, TLS = f"_sip._udp.{NAME}", f"_sip._tcp.{NAME}", f"_sips._tcp.{NAME}"
SBCS = {("sbc1.example", "A"): (60, ["127.0.0.2"]), ("sbc2.example", "A"): (60, ["127.0.0.3"])}
ONE = srv((1, 0, 5070, "sbc1.example"))
TWO = {(UDP, "SRV"): srv((20, 0, 5062, "sbc2.example"), (10, 0, 5060, "sbc1.example"))} | SBCS


def resolved(records, uri=URI, codes=(), transports=resolving.TRANSPORTS):
    async def scene():
        async with NameServer(records, codes) as server:
            return await Resolver([server.address]).resolve(uri, transports), server.asked

    return asyncio.run(scene())


def said(found):
    return [f"{target} {target.address} {target.transport}" for target in found.targets]


# ---- which records are followed


def test_srv_records_are_followed_by_priority():
    found, asked = resolved(TWO)
    assert said(found) == ["sbc1.example:5060 127.0.0.2 udp", "sbc2.example:5062 127.0.0.3 udp"]
    assert (found.ttl, found.source, found.how) == (60, Source.LOCAL, f"SRV {UDP}")
    assert asked[:2] == [(NAME, "NAPTR"), (UDP, "SRV")]


@pytest.mark.parametrize(
    ("uri", "records", "first", "asked"),
    [
        (f"{URI};transport=tcp", {(TCP, "SRV"): ONE}, "sbc1.example:5070 127.0.0.2 tcp", TCP),
        (f"{URI};transport=tls", {(TLS, "SRV"): ONE}, "sbc1.example:5070 127.0.0.2 tls", TLS),
        (f"{URI};transport=tls", {(NAME, "A"): (60, ["127.0.0.9"])}, f"{NAME}:5061 127.0.0.9 tls", TLS),
        (URI, {(NAME, "A"): (60, ["127.0.0.9"])}, f"{NAME}:5060 127.0.0.9 udp", UDP),
    ],
)
def test_a_transport_has_its_own_service_and_without_one_an_address_does(uri, records, first, asked):
    found, questions = resolved(SBCS | records, uri)
    assert said(found) == [first]
    assert (asked, "SRV") in questions


def test_a_port_leaves_nothing_but_the_address_to_find():
    found, asked = resolved({(NAME, "A"): (60, ["127.0.0.9", "127.0.0.10"])} | TWO, f"{URI}:5080")
    assert [(t.address, t.port) for t in found.targets] == [("127.0.0.9", 5080), ("127.0.0.10", 5080)]
    assert asked == [(NAME, "A")]


NAPTR = {
    (NAME, "NAPTR"): (
        30,
        [
            f'20 10 "s" "SIP+D2U" "" {UDP}.',
            f'10 20 "s" "SIP+D2T" "" {TCP}.',
            f'10 10 "s" "SIPS+D2T" "" {TLS}.',
            '5 10 "u" "E2U+sip" "!^.*$!sip:x@y!" .',
        ],
    ),
    (TLS, "SRV"): srv((1, 0, 5061, "sbc1.example")),
    (TCP, "SRV"): srv((1, 0, 5060, "sbc2.example")),
} | TWO


@pytest.mark.parametrize(
    ("transports", "first"),
    [
        (("udp", "tcp", "tls"), "sbc1.example:5061 127.0.0.2 tls"),
        (("udp", "tcp"), "sbc2.example:5060 127.0.0.3 tcp"),
        (("udp",), "sbc1.example:5060 127.0.0.2 udp"),
    ],
)
def test_naptr_records_choose_the_transport_among_those_there_are(transports, first):
    found, _ = resolved(NAPTR, transports=transports)
    assert said(found)[0] == first
    assert found.ttl == 30
    found, asked = resolved(NAPTR, f"{URI};transport=udp", transports=transports)
    assert said(found)[0] == "sbc1.example:5060 127.0.0.2 udp"
    assert (NAME, "NAPTR") not in asked


def test_the_next_service_is_asked_for_where_the_first_is_not_there():
    without = {key: value for key, value in NAPTR.items() if key != (TLS, "SRV")}
    assert said(resolved(without)[0]) == ["sbc2.example:5060 127.0.0.3 tcp"]


def test_aliases_are_followed_and_the_shortest_time_holds():
    records = {
        (UDP, "CNAME"): (50, ["service.example"]),
        ("service.example", "SRV"): srv((1, 0, 5060, "sbc.example"), ttl=40),
        ("sbc.example", "CNAME"): (20, ["sbc1.example"]),
    }
    found, _ = resolved(SBCS | records)
    assert (said(found), found.ttl) == (["sbc.example:5060 127.0.0.2 udp"], 20)


def test_a_host_that_is_not_found_is_passed_over():
    one = {key: value for key, value in TWO.items() if key[0] != "sbc1.example"}
    assert said(resolved(one)[0]) == ["sbc2.example:5062 127.0.0.3 udp"]


def test_a_name_with_too_many_addresses_keeps_the_first():
    many = srv(*((n, 0, 5060, f"sbc{n % 2 + 1}.example") for n in range(40)))
    assert len(resolved(SBCS | {(UDP, "SRV"): many})[0].targets) == resolving.MOST


# ---- what is wrong


@pytest.mark.parametrize(
    ("records", "codes", "why"),
    [
        ({}, {}, f"{NAME} does not exist (NXDOMAIN)"),
        ({(NAME, "TXT"): (60, ['"x"'])}, {}, f"{NAME} has no A record, and pjsua2's wheel has no IPv6"),
        (TWO, {UDP: dns.rcode.SERVFAIL}, f"{UDP} SRV: SERVFAIL"),
        (TWO, {UDP: dns.rcode.REFUSED}, f"{UDP} SRV: REFUSED"),
        ({(UDP, "SRV"): (60, ["0 0 0 ."])}, {}, f"{UDP} says that there is no such service"),
        (
            {(UDP, "SRV"): srv((1, 0, 5060, "gone.example"))},
            {},
            f"{UDP} leads nowhere: gone.example have no A record",
        ),
        (
            {(UDP, "SRV"): srv((1, 0, 5060, "sbc1.example"))},
            {"sbc1.example": dns.rcode.SERVFAIL},
            f"{UDP} leads nowhere: sbc1.example A: SERVFAIL",
        ),
    ],
)
def test_what_cannot_be_resolved_is_told_in_one_line(records, codes, why):
    with pytest.raises(ResolveError) as raised:
        resolved(records, codes=codes)
    assert str(raised.value) == f"DNS: {why}"


def test_a_name_server_that_is_silent_is_waited_for_once(monkeypatch):
    monkeypatch.setattr(resolving, "LIFETIME", 0.2)
    with pytest.raises(ResolveError, match=rf"DNS: no answer for {NAME} NAPTR in 0 s"):
        resolved(TWO, codes={NAME: None})


def test_a_name_server_that_knows_no_naptr_is_asked_for_the_rest():
    assert said(resolved(TWO, codes={NAME: dns.rcode.SERVFAIL})[0])[0] == "sbc1.example:5060 127.0.0.2 udp"


def test_what_is_no_dns_at_all_is_an_error_like_others(monkeypatch):
    monkeypatch.setattr(resolving, "LIFETIME", 0.5)

    async def scene():
        async with NameServer() as server:
            server.datagram_received = lambda data, peer: server.transport.sendto(
                data[:2] + b"\xff" * 40, peer
            )
            return await Resolver([server.address]).resolve(URI)

    with pytest.raises(ResolveError, match=r"^DNS: "):
        asyncio.run(scene())


@pytest.mark.parametrize("server", ["", "dns.example", "127.0.0.1:0", "127.0.0.1:99999", "1.2.3:53", "::1:x"])
def test_a_name_server_is_an_address(server):
    with pytest.raises(ValueError, match="is no name server; write one like"):
        server_of(server)


# ---- time


def test_an_answer_holds_for_its_time_and_not_longer():
    async def scene():
        async with NameServer(TWO) as server:
            now = [1000.0]
            resolver = Resolver([server.address], clock=lambda: now[0])
            first = await resolver.resolve(URI)
            asked = len(server.asked)
            now[0] += 59.0
            assert await resolver.resolve(URI) is first
            assert len(server.asked) == asked
            assert resolver.left(URI) == pytest.approx(1.0)
            server.records[UDP, "SRV"] = srv((1, 0, 5070, "sbc2.example"))
            now[0] += 2.0
            assert said(await resolver.resolve(URI)) == ["sbc2.example:5070 127.0.0.3 udp"]

    asyncio.run(scene())


def test_a_failure_is_not_asked_about_again_at_once():
    async def scene():
        async with NameServer() as server:
            now = [1000.0]
            resolver = Resolver([server.address], clock=lambda: now[0])
            for _ in range(2):
                with pytest.raises(ResolveError, match="NXDOMAIN"):
                    await resolver.resolve(URI)
            assert server.asked.count((NAME, "A")) == 1
            server.records.update(TWO)
            now[0] += resolving.FAILURE_HELD
            assert len((await resolver.resolve(URI)).targets) == 2

    asyncio.run(scene())


def test_calls_at_once_ask_once():
    async def scene():
        async with NameServer(TWO) as server:
            resolver = Resolver([server.address])
            await asyncio.gather(*(resolver.resolve(URI) for _ in range(20)))
            assert server.asked.count((UDP, "SRV")) == 1

    asyncio.run(scene())


# ---- what is known without asking


@pytest.mark.parametrize(
    "uri", ["sip:192.0.2.1", "sip:[2001:db8::1]:5080;transport=tcp", "sip:127.0.0.1:5070"]
)
def test_an_address_leads_to_itself(uri):
    assert str(written(uri)) in uri + ":5060"
    found = asyncio.run(Resolver(["127.0.0.1:1"]).resolve(uri))
    assert [str(target) for target in found.targets] == [
        uri.removeprefix("sip:").partition(";")[0] + ":5060" * (uri == "sip:192.0.2.1")
    ]


def test_the_hosts_file_comes_first_unless_the_plan_names_servers(monkeypatch, tmp_path):
    monkeypatch.setattr(resolving, "HOSTS", tmp_path / "hosts")
    (tmp_path / "hosts").write_text(f"# 127.0.0.8 {NAME}\n127.0.0.7  other {NAME} # ours\n::1 {NAME}\n")
    found = asyncio.run(Resolver().resolve(f"{URI};transport=tls"))
    assert (said(found), found.source) == ([f"{NAME}:5061 127.0.0.7 tls"], Source.LOCAL)
    assert asyncio.run(Resolver().resolve("sip:localhost")).targets[0].address == "127.0.0.1"
    assert said(resolved(TWO)[0])[0] == "sbc1.example:5060 127.0.0.2 udp"


# ---- the order of one call


def targets(*records):
    return [Target(f"h{n}", f"192.0.2.{n}", 5060, "udp", p, w) for n, (p, w) in enumerate(records)]


def test_weights_are_drawn_in_their_proportion():
    rng = np.random.default_rng(3263)
    calls = 400
    firsts = Counter(drawn(targets((10, 3), (10, 1), (20, 9)), rng)[0] for _ in range(calls))
    low, high = binom.ppf([5e-5, 1 - 5e-5], calls, 0.75)
    assert low <= firsts[0] <= high
    assert firsts[2] == 0


def test_a_priority_comes_after_all_of_the_one_before_and_no_weight_comes_last():
    rng = np.random.default_rng(1)
    for _ in range(50):
        order = drawn(targets((20, 5), (10, 0), (10, 2), (20, 1), (10, 7)), rng)
        assert set(order[:2]) == {2, 4}
        assert order[2] == 1
        assert set(order[3:]) == {0, 3}
    assert drawn(targets((1, 0), (1, 0), (1, 0)), rng) == [0, 1, 2]
    assert drawn([], rng) == []


def test_addresses_of_one_host_follow_each_other():
    both = [Target(host, f"192.0.2.{n}", 5060, "udp", 1, 1) for n, host in enumerate("abab")]
    seen = {tuple(drawn(both, np.random.default_rng(seed))) for seed in range(20)}
    assert seen == {(0, 2, 1, 3), (1, 3, 0, 2)}


def test_targets_are_drawn_within_their_trunk_alone():
    hops = [*hops_of(0, "a/1", targets((1, 1), (1, 1))), *hops_of(1, "b/1", targets((1, 1)))]
    assert [hop.label for hop in hops] == ["a/1@h0:5060", "a/1@h1:5060", "b/1"]
    seen = {ordered(hops, (2, 0, 1), np.random.default_rng(seed)) for seed in range(20)}
    assert seen == {(2, 0, 1), (2, 1, 0)}


def test_addresses_of_one_host_are_named_by_themselves():
    same = [Target("sbc", f"192.0.2.{n}", 5060, "udp") for n in (1, 2)]
    assert [hop.label for hop in hops_of(0, "a/1", same)] == ["a/1@192.0.2.1:5060", "a/1@192.0.2.2:5060"]


# ---- where DNS may send calls


@pytest.mark.parametrize(
    ("address", "port", "least"),
    [
        ("1.1.1.1", 5060, Source.PUBLIC),
        ("1.1.1.1", 5061, Source.PUBLIC),
        ("1.1.1.1", 1024, Source.PUBLIC),
        ("1.1.1.1", 53, None),
        ("1.1.1.1", 0, None),
        ("10.0.0.1", 5060, Source.PRIVATE),
        ("192.168.1.1", 5060, Source.PRIVATE),
        ("100.64.0.1", 5060, Source.PRIVATE),
        ("127.0.0.1", 5060, Source.LOCAL),
        ("127.255.0.1", 5060, Source.LOCAL),
        ("0.0.0.0", 5060, None),
        ("169.254.169.254", 5060, None),
        ("224.0.0.1", 5060, None),
        ("255.255.255.255", 5060, None),
    ],
)
def test_a_name_leads_only_as_far_inside_as_who_said_so(address, port, least):
    target = Target("sbc.example", address, port, "udp")
    allowed = [source for source in Source if trouble_with(target, source) is None]
    assert allowed == ([] if least is None else [source for source in Source if source >= least])


def test_the_guard_lets_requests_go_only_where_dns_says_while_it_holds():
    now = [1000.0]
    guard = Guard(["+1202555"], [NAME], clock=lambda: now[0])
    good, bad = Target("sbc", "1.1.1.1", 5060, "udp"), Target("sbc", "10.0.0.1", 5060, "udp")
    for asked in (guard.ping, guard.register):
        with pytest.raises(RefusedError, match="not what DNS says"):
            asked(URI, good.uri)
    guard.admit(URI, good, Source.PUBLIC, 30.0)
    permit = guard.invite("+12025550100", URI, target=good.uri)
    assert permit.target == good.uri == "sip:1.1.1.1:5060;transport=udp"
    with pytest.raises(RefusedError, match="a private address; only the plan"):
        guard.admit(URI, bad, Source.PUBLIC, 30.0)
    with pytest.raises(RefusedError, match="a private address"):
        guard.invite("+12025550100", URI, target=bad.uri)
    with pytest.raises(RefusedError, match="host not on the allow-list"):
        guard.admit("sip:boreal.example", good, Source.PUBLIC, 30.0)
    now[0] += 329.0
    guard.ping(URI, good.uri)
    now[0] += 2.0
    with pytest.raises(RefusedError, match="not what DNS says any more"):
        guard.ping(URI, good.uri)
