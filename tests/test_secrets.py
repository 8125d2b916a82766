"""What a plan keeps secret is in no output, no file and no process list, whatever happens."""

from __future__ import annotations

import asyncio
import hashlib
import importlib.util
import os
import re
import sys
from pathlib import Path

import pytest

from callgen import sip
from callgen.lab.far_end import FarEnd, Settings
from callgen.messages import Answers

pytestmark = pytest.mark.skipif(importlib.util.find_spec("pjsua2") is None, reason="pjsua2 is not installed")

HOST = "127.0.0.1"
NUMBER = "+12025550100"
USER, PASSWORD = "u5er-of-boreal", "pa55word-of-boreal"
SOON = 60.0
LOUD = """
from callgen import dialer
from callsim.cli import main
process = dialer.Process
dialer.Process = lambda module, *rest: process("loud_worker", *rest)
main()
"""
"""Is callsim with workers whose library logs all that it can."""
CHALLENGE = 'Digest realm="here", nonce="abc", algorithm=MD5'
PLAN = f"""
name: secrets
trunks:
  - {{carrier: boreal, uri: "sip:{HOST}:PORT", username: env:A_USER, password: env:A_PASSWORD}}
  - {{carrier: cirrus, uri: "sip:{HOST}:PORT;transport=udp", username: file:user, password: file:password}}
tests: [{{name: one, to: "{NUMBER}", over: [boreal, cirrus], talk: 500ms, expect: {{answered_within: 8s}}}}]
guard: {{allow: ["{NUMBER}"], at_once: 20, calls_per_day: 100}}
"""


class Asking(FarEnd):
    """A carrier that asks for a password, and looks at the processes that give it."""

    def __init__(self, run: list[int]) -> None:
        super().__init__(Settings(HOST, 0, Answers(), None, 0))
        self.run = run
        self.proven = 0
        self.listed: dict[int, bytes] = {}

    def datagram_received(self, data, addr):
        message = sip.parse(data)
        if message is not None and message.method == "INVITE" and message.to_tag is None:
            given = message.first("proxy-authorization")
            if not given:
                headers = [("Proxy-Authenticate", CHALLENGE)]
                self.respond(message, sip.response(message, 407, addr, "asks", headers), addr)
                return
            self.proven += proves(given, message)
            self.look()
        super().datagram_received(data, addr)

    def look(self):
        """Take down what anybody can see of the workers and of what else was started."""
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
                if parent in self.run:
                    seen = (folder / "cmdline").read_bytes() + (folder / "environ").read_bytes()
                    self.listed[int(folder.name)] = seen
            except OSError:
                continue  # it has ended


def proves(given, message):
    parts = dict(re.findall(r'(\w+)="?([^",]+)', given))
    words = (f"{USER}:here:{PASSWORD}", f"{message.method}:{parts['uri']}")
    secret, asked = (hashlib.md5(word.encode()).hexdigest() for word in words)
    return parts["response"] == hashlib.md5(f"{secret}:abc:{asked}".encode()).hexdigest()


def test_secrets_are_shown_nowhere(tmp_path):
    written, said = tmp_path / "written", []
    written.mkdir()
    for name, text in (("user", USER), ("password", PASSWORD)):
        (tmp_path / name).write_text(f"{text}\n")
    runs: list[int] = []

    async def run(*words, code=0, **environment):
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-c", LOUD),
            *map(str, words),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            cwd=tmp_path,
            env={
                **os.environ,
                **{"A_USER": USER, "A_PASSWORD": PASSWORD, "XDG_STATE_HOME": str(written)},
                "PYTHONPATH": str(Path(__file__).parent),
                **environment,
            },
        )
        runs.append(process.pid)
        async with asyncio.timeout(SOON):
            out, err = await process.communicate()
        said.append(out + err)
        assert process.returncode == code, (out + err).decode()
        return (out + err).decode()

    async def scene():
        far = Asking(runs)
        await far.open()
        plan = tmp_path / "plan.yaml"
        plan.write_text(PLAN.replace("PORT", str(far.port)))
        call = ("call", NUMBER, "--plan", plan, "--talk", "500ms", "--over", "boreal", "--trace")
        shape = ("--calls-per-second", "4", "--at-once", "4", "--for", "1s", "--talk", "200ms")
        shown, _, broken = await asyncio.gather(
            run(*call, "--json", written / "call.json", "--record", written / "wav"),
            run("load", plan, *shape, "--json", written / "load.json", "--records", written / "calls.jsonl"),
            run("probe", plan, "--junit", written / "probe.xml", code=4, PYTHON_BREAKS="1"),
        )
        await far.shut()
        return far, shown, broken

    far, shown, broken = asyncio.run(scene())
    assert far.proven >= 6, "each call had the password"
    assert "Proxy-Authorization: ***" in shown
    assert f"From: <sip:***@{HOST}>" in shown
    assert "callsim worker: RuntimeError: Endpoint(" in broken, "it broke, and said why"
    assert "password=***" in broken
    files = [path for path in written.rglob("*") if path.is_file()]
    kinds = {path.suffix for path in files}
    assert {".json", ".xml", ".jsonl", ".wav", ".counters"} <= kinds
    assert (written / "calls.jsonl").read_text().count("Proxy-Authorization: ***") >= 4
    assert not Path("/proc/self").exists() or len(far.listed) >= 3
    for text in (*said, *(path.read_bytes() for path in files), *far.listed.values()):
        for secret in (USER, PASSWORD):
            assert secret.encode() not in text
