"""What far ends over TCP and TLS that mean no good can do to calls: have them fail, with a clear record."""

import asyncio
import importlib.util
import re
import ssl
import subprocess
from asyncio.subprocess import DEVNULL, PIPE

import pytest
from callgen_peers import NUMBER, SOON
from hostile_streams import (
    ANSWERED,
    BUSY,
    CLOSED,
    HANDSHAKES,
    HOST,
    NO_TLS,
    STREAMS,
    Talk,
    after_the_handshake,
)

from callgen.dialer import Workers
from callgen.guarding.guard import Guard
from callgen.measures.records import Outcome
from callgen.messages import Endpoint, Tls
from callgen.placing import Line
from carriers.policy import Carrier, Order, Route, RoutingPolicy, Trunk
from carriers.routing import Router

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("pjsua2") is None,
    reason="pjsua2 is not installed: its wheels are for CPython before 3.13, and not for Linux on ARM",
)
PATIENCE = 2.5
TALK = 0.2
AT_ONCE = 16
CLOSES, NEW = "closed after the handshake", "nothing older than TLS 1.3"


def line(workers, uris):
    count = range(len(uris))
    policy = RoutingPolicy(
        order=Order.PRIORITY,
        routes=tuple(Route(n) for n in count),
        advance_on=frozenset({408, 503}),
        no_reply_timeout=PATIENCE,
        progress_timeout=PATIENCE,
        ring_timeout=PATIENCE,
        max_attempts=1,
        trunks=tuple(Trunk(f"t/{n}", n) for n in count),
        carriers=tuple(Carrier(f"t{n}", (n,), None, None, 0.0, None) for n in count),
    )
    return Line(Router(policy), uris, Guard([NUMBER], [HOST]), workers)


async def serve(conversation, transport, context=None):
    """Run a far end."""

    async def connected(reader, writer):
        port = writer.get_extra_info("sockname")[1]
        try:
            await conversation(Talk(reader, writer, port, transport))
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, asyncio.CancelledError):
            pass  # the caller has gone, or the test has ended
        finally:
            writer.close()

    return await asyncio.start_server(connected, HOST, 0, ssl=context)


async def play(conversations, transport, tls=None, contexts=None):
    """Place one call to each far end, and give the records."""
    records = {}
    names = iter(conversations)
    servers = {
        name: await serve(conversation, transport, (contexts or {}).get(name))
        for name, conversation in conversations.items()
    }
    ports = {name: server.sockets[0].getsockname()[1] for name, server in servers.items()}
    async with Workers(2, Endpoint(transports=(transport,), tls=tls), grow_to=12) as workers:
        over = line(workers, [f"sip:{HOST}:{port};transport={transport}" for port in ports.values()])

        async def lane():
            for name in names:
                records[name] = await over.call_over(list(conversations).index(name), NUMBER, TALK)

        await asyncio.gather(*(lane() for _ in range(AT_ONCE)))
    for server in servers.values():
        server.close()
    return records


@pytest.fixture(scope="module")
def over_tcp():
    return asyncio.run(play(STREAMS, "tcp"))


def judged(record, name):
    """Whether a call came out as its far end's conversation has it."""
    (attempt,) = record.attempts
    if name in ANSWERED:
        assert (record.outcome, record.status) == (Outcome.ANSWERED, 200)
        assert attempt.hung_up_by == "us"
    elif name in BUSY:
        assert (record.outcome, record.status) == (Outcome.BUSY, 486)
    elif name in CLOSED:
        assert (record.outcome, record.status) == (Outcome.FAILED, 503)
        assert re.fullmatch("the far end has closed the connection|Connection reset by peer", record.reason)
    else:
        assert (record.outcome, record.status) == (Outcome.TIMEOUT, 408)
        assert record.reason == "no answer in time (abandon)"
    assert attempt.trace.startswith("--- 0.000 s, sent to")
    assert len(attempt.trace) < 100_000


@pytest.mark.parametrize("name", STREAMS)
def test_a_hostile_conversation_over_tcp_has_a_clear_record(over_tcp, name):
    judged(over_tcp[name], name)


# ---- TLS


CONFIG = """
[ca]
default_ca = x
[x]
database = index
new_certs_dir = .
serial = serial
default_md = sha256
policy = any
x509_extensions = names
[any]
commonName = supplied
[names]
subjectAltName = {name}
basicConstraints = CA:true
"""


def made(folder, name, begins="20200101000000Z", ends="20500101000000Z"):
    """Make a certificate that vouches for itself; gives its file, and a context of a server with it."""
    folder.mkdir()
    (folder / "index").touch()
    (folder / "config").write_text(CONFIG.format(name=name))
    for command in (
        f"req -new -newkey rsa:2048 -nodes -subj /CN={folder.name} -keyout key -out request",
        "ca -config config -in request -selfsign -keyfile key -batch -notext -rand_serial "
        f"-startdate {begins} -enddate {ends} -out chain",
    ):
        subprocess.run(["openssl", *command.split()], check=True, capture_output=True, cwd=folder)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "chain", folder / "key")
    return folder / "chain", context


@pytest.fixture(scope="module")
def over_tls(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tls")
    good = made(folder / "good", f"IP:{HOST}")
    certificates = {
        "expired": made(folder / "expired", f"IP:{HOST}", ends="20210101000000Z"),
        "not valid yet": made(folder / "early", f"IP:{HOST}", begins="20490101000000Z"),
        "another's": made(folder / "another", "IP:127.0.0.2,DNS:other.example"),
        "unknown": made(folder / "unknown", f"IP:{HOST}"),
    }
    contexts = {name: context for name, (_, context) in certificates.items()}
    contexts |= dict.fromkeys((*STREAMS, CLOSES), good[1])
    contexts[NEW] = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    contexts[NEW].load_cert_chain(folder / "good" / "chain", folder / "good" / "key")
    contexts[NEW].minimum_version = ssl.TLSVersion.TLSv1_3
    trusted = folder / "trusted"
    known = (good, *(certificates[name] for name in certificates if name != "unknown"))
    trusted.write_text("".join(chain.read_text() for chain, _ in known))
    well = STREAMS["an answer as it should be"]
    conversations = STREAMS | HANDSHAKES | dict.fromkeys((*certificates, NEW), well)
    conversations[CLOSES] = after_the_handshake
    return asyncio.run(play(conversations, "tls", Tls(ca_file=str(trusted)), contexts))


@pytest.mark.parametrize("name", [*STREAMS, CLOSES, NEW, *HANDSHAKES])
def test_a_hostile_conversation_over_tls_has_a_clear_record(over_tls, name):
    record = over_tls[name]
    if name in NO_TLS:
        assert (record.outcome, record.status, record.reason) == (Outcome.FAILED, 503, NO_TLS[name])
    else:
        judged(record, name)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("expired", "The certificate has expired or not yet valid"),
        ("not valid yet", "The certificate has expired or not yet valid"),
        ("another's", f"the certificate is for 127.0.0.2, other.example, not for {HOST}"),
        ("unknown", "The certificate is untrusted"),
    ],
)
def test_a_certificate_that_proves_nothing_is_told(over_tls, name, reason):
    record = over_tls[name]
    assert (record.outcome, record.status, record.reason) == (Outcome.FAILED, 503, reason)


def test_a_far_end_that_renegotiates_in_a_call_gets_the_next_one_too(tmp_path):
    chain, _ = made(tmp_path / "good", f"IP:{HOST}")
    options = f"-accept {HOST}:0 -cert {chain} -key {chain.parent / 'key'} -tls1_2 -legacy_renegotiation"

    async def scene():
        server = await asyncio.create_subprocess_exec(
            "openssl", "s_server", *options.split(), stdin=PIPE, stdout=PIPE, stderr=DEVNULL
        )
        said = []

        async def listen(until):
            while line := await server.stdout.readline():
                said.append(line)
                if line.startswith(b"INVITE"):
                    server.stdin.write(b"R\n")
                if line.startswith(until):
                    return line
            return None

        async with asyncio.timeout(SOON):
            port = int((await listen(b"ACCEPT")).rpartition(b":")[2])
            listening = asyncio.create_task(listen(b"never"))
            async with Workers(1, Endpoint(transports=("tls",), tls=Tls(ca_file=str(chain)))) as workers:
                over, pids = line(workers, [f"sip:{HOST}:{port};transport=tls"]), workers.pids
                for _ in range(2):
                    assert (await over.call_over(0, NUMBER, TALK)).outcome is Outcome.TIMEOUT
                assert workers.pids == pids
            server.kill()
            await server.wait()
            await listening
        assert sum(text.startswith(b"SSL_do_handshake -> 1") for text in said) == 2
        assert sum(text.startswith(b"CIPHER") for text in said) == 1, "one connection"

    asyncio.run(scene())
