"""Messages on their way: URLs, programs, threads that try again."""

from __future__ import annotations

import json
import logging
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from watch_events import NOW, plan_of

from callgen.messages import Secret
from callsim.alerting.channels import ChannelError, CommandChannel, UrlChannel, channels_of
from callsim.alerting.couriers import LIFE, MOST, Courier, Outcome
from callsim.alerting.memory import Memory, read
from callsim.alerting.messages import Message, Writer
from callsim.plan import SecretError

PATIENCE = 30.0
"""Seconds after which a test gives up."""
# Apprise looks for a module that Python 3.11 still has, and warns of.
apprise_is_old = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")


def message_of(at: float = NOW, name: str = "") -> Message:
    message = Writer(plan_of(), "berlin").test(at)
    return Message.from_json({**message.to_json(), "id": name or message.id})


# ---- URLs


@contextmanager
def web_server(status: int = 200) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Serve a webhook on this machine; gives its URL for Apprise, and what was posted."""
    posted: list[dict[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            posted.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"json://user:hunter2@127.0.0.1:{server.server_port}/hook", posted
        finally:
            server.shutdown()
            thread.join()


@apprise_is_old
def test_url_takes_a_message() -> None:
    message = message_of()
    with web_server() as (url, posted):
        channel = UrlChannel("env:HOOK", Secret(url))
        assert channel.send(message) is None
    assert [(one["title"], one["message"]) for one in posted] == [(message.title, message.text)]


@apprise_is_old
def test_url_that_refuses_is_told_without_its_secret(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG), web_server(500) as (url, posted):
        channel = UrlChannel("env:HOOK", Secret(url))
        why = channel.send(message_of())
    assert len(posted) == 1
    assert why == "not taken: error 500"
    assert "hunter2" not in repr(vars(channel)) + caplog.text
    assert not logging.getLogger("apprise").propagate


@apprise_is_old
def test_url_that_nobody_listens_at() -> None:
    with web_server() as (url, _):
        pass
    assert UrlChannel("env:HOOK", Secret(url)).send(message_of()) == "not taken, or not reached"


@apprise_is_old
@pytest.mark.parametrize("text", ["nosuch://hunter2", "hunter2", "json://"])
def test_what_is_no_url(text: str) -> None:
    with pytest.raises(ChannelError) as caught:
        UrlChannel("env:HOOK", Secret(text))
    assert str(caught.value) == "env:HOOK: what is there is no URL that Apprise knows"


def test_without_apprise_it_is_said_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "apprise", None)
    with pytest.raises(
        ChannelError, match=r"alerts to env:HOOK need Apprise: pip install 'callsim\[notify\]'"
    ):
        UrlChannel("env:HOOK", Secret("json://127.0.0.1"))


# ---- programs


def program(tmp_path: Path, text: str) -> list[str]:
    file = tmp_path / "page.py"
    file.write_text(text)
    return [sys.executable, str(file), "on call"]


def test_program_gets_the_message_as_json(tmp_path: Path) -> None:
    got = tmp_path / "got.json"
    message = message_of()
    command = program(tmp_path, f"import sys; open({str(got)!r}, 'w').write(sys.argv[1] + sys.stdin.read())")
    assert CommandChannel(command).send(message) is None
    told = json.loads(got.read_text().removeprefix("on call"))
    assert told == message.to_json()
    assert told["format"] == 1


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("raise SystemExit(3)", "ended with 3"),
        ("import sys; print('noise'); sys.exit('no\\x1bnet')", "ended with 1: no net"),
        ("import os; os.kill(os.getpid(), 9)", "ended with -9"),
        ("import sys; sys.stderr.write('x' * 10**6); sys.exit(2)", "ended with 2: " + "x" * 200),
        ("print('y' * 10**7)", None),
        ("pass", None),
    ],
)
def test_what_became_of_a_program(text: str, why: str | None, tmp_path: Path) -> None:
    assert CommandChannel(program(tmp_path, text)).send(message_of()) == why


def test_program_that_is_not_there() -> None:
    assert (
        CommandChannel(["/no/such/program"]).send(message_of()) == "cannot be run: no such file or directory"
    )


def test_program_that_hangs_is_killed_with_its_children(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    script = 'sleep 60 & echo "$$ $!" > "$0"; wait'
    why = CommandChannel(["sh", "-c", script, str(pids)], time_limit=2.0).send(message_of())
    assert why == "not done in 2 s"
    for pid in map(int, pids.read_text().split()):
        assert gone(pid)


def gone(pid: int) -> bool:
    """Whether a process has ended, or does in a moment; an orphan may wait to be collected."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        try:
            os.kill(pid, 0)
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except (ProcessLookupError, FileNotFoundError):
            return True
        if state == "Z":
            return True
        time.sleep(0.01)
    return False


def test_program_that_leaves_a_child_behind_took_the_message() -> None:
    assert CommandChannel(["sh", "-c", "sleep 5 &"]).send(message_of()) is None


# ---- channels of a plan


@apprise_is_old
def test_channels_of_a_plan_are_shared(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOOK", "json://127.0.0.1:9/hook")
    (tmp_path / "url.txt").write_text("json://127.0.0.1:9/other\n")
    failing = {"when": "trunk_failing", "after": 2, "within": "15m"}
    plan = plan_of(
        alerts=[
            {**failing, "to": ["env:HOOK", "file:url.txt"]},
            {**failing, "after": 5, "to": ["env:HOOK"], "command": ["sh", "on call"]},
        ]
    )
    assert list(channels_of(plan, tmp_path)) == ["env:HOOK", "file:url.txt", "sh 'on call'"]
    nobody = {**failing, "command": ["no-such-program"]}
    with pytest.raises(ChannelError, match="there is no program no-such-program"):
        channels_of(plan_of(alerts=[nobody]), tmp_path)


def test_secret_that_is_missing(tmp_path: Path) -> None:
    alert = {"when": "trunk_failing", "after": 2, "within": "15m", "to": ["env:NO_SUCH_HOOK"]}
    with pytest.raises(SecretError, match="the environment has no NO_SUCH_HOOK"):
        channels_of(plan_of(alerts=[alert]), tmp_path)


# ---- couriers


class Box:
    """A channel that does as it is told, and keeps what it was sent."""

    def __init__(self, name: str = "box", *answers: str | Exception | None) -> None:
        self.name = name
        self.answers = list(answers)
        """What becomes of the next messages; then all are taken."""
        self.tried: list[str] = []
        self.taken: list[Message] = []

    def send(self, message: Message) -> str | None:
        self.tried.append(message.id)
        answer = self.answers.pop(0) if self.answers else None
        if isinstance(answer, Exception):
            raise answer
        if answer is None:
            self.taken.append(message)
        return answer


class Told:
    """Collects outcomes from threads."""

    def __init__(self) -> None:
        self.outcomes: list[Outcome] = []
        self.changed = threading.Condition()

    def __call__(self, outcome: Outcome) -> None:
        with self.changed:
            self.outcomes.append(outcome)
            self.changed.notify()

    def wait(self, enough: Callable[[list[str]], bool]) -> list[str]:
        """Wait until what happened is enough."""
        with self.changed:
            assert self.changed.wait_for(lambda: enough(self.said()), PATIENCE), self.said()
            return self.said()

    def said(self) -> list[str]:
        return [f"{outcome.what} {outcome.message}".strip() for outcome in self.outcomes]


@contextmanager
def courier(box: Any, told: Told, **given: Any) -> Iterator[Courier]:
    made = Courier(box, told, given.pop("clock", lambda: NOW), **{"delays": (0.001,), **given})
    try:
        yield made
    finally:
        made.close(PATIENCE)


def test_courier_delivers_in_order() -> None:
    told, box = Told(), Box()
    with courier(box, told) as carrying:
        for name in "abc":
            carrying.put(message_of(name=name))
    assert told.said() == ["delivered a", "delivered b", "delivered c"]


def test_courier_tries_again_and_says_when_it_fails_and_works() -> None:
    told, box = Told(), Box("box", "no", OSError("secret"), "no", "no")
    with courier(box, told) as carrying:
        carrying.put(message_of(name="a"))
        said = told.wait(lambda said: "working" in said)
    assert said == ["failing", "delivered a", "working"]
    failing = told.outcomes[0]
    assert (failing.channel, failing.at, failing.why, failing.tries) == ("box", NOW, "no", 3)
    assert box.tried == ["a"] * 5


def test_exception_of_a_channel_tells_no_secret() -> None:
    told, box = Told(), Box("box", *[OSError("hunter2")] * 3)
    with courier(box, told) as carrying:
        carrying.put(message_of())
        told.wait(lambda said: "working" in said)
    assert told.outcomes[0].why == "broke (OSError)"


def test_two_failures_are_not_told() -> None:
    told, box = Told(), Box("box", "no", "no")
    with courier(box, told) as carrying:
        carrying.put(message_of(name="a"))
        assert told.wait(bool) == ["delivered a"]


def test_message_that_is_not_taken_does_not_hold_up_the_next() -> None:
    class Picky(Box):
        def send(self, message: Message) -> str | None:
            return "too long" if message.id == "a" else super().send(message)

    told, box = Told(), Picky()
    with courier(box, told) as carrying:
        carrying.put(message_of(name="a"))
        carrying.put(message_of(name="b"))
        told.wait(lambda said: "delivered b" in said)
    assert [message.id for message in box.taken] == ["b"]


def test_old_message_is_given_up() -> None:
    told, box = Told(), Box("box", "no")
    with courier(box, told, clock=lambda: NOW + LIFE + 1) as carrying:
        carrying.put(message_of(name="a"))
        assert told.wait(bool) == ["given_up a"]


def test_too_many_messages_wait() -> None:
    go, told = threading.Event(), Told()

    class Slow(Box):
        def send(self, message: Message) -> str | None:
            go.wait(PATIENCE)
            return super().send(message)

    box = Slow()
    with courier(box, told) as carrying:
        for n in range(MOST + 3):
            carrying.put(message_of(name=str(n)))
        go.set()
        said = told.wait(lambda said: f"delivered {MOST + 2}" in said)
    assert sum(one.startswith("given_up") for one in said) in {2, 3}
    assert len(said) == MOST + 3


def test_courier_that_is_closed_while_its_channel_fails_ends() -> None:
    told, box = Told(), Box("box", *["no"] * 1000)
    with courier(box, told, delays=(3600.0,)) as carrying:
        carrying.put(message_of(name="a"))
    assert not [thread for thread in threading.enumerate() if thread.name == "alerts to box"]


# ---- memory


def test_memory_is_what_was_kept_last(tmp_path: Path) -> None:
    path, called = tmp_path / "alerts.json", []
    memory = Memory(path)
    for n in range(50):
        memory.keep({"n": n}, [lambda n=n: called.append((n, read(path)["n"] >= n))])
    memory.close(PATIENCE)
    assert read(path) == {"format": 1, "n": 49}
    assert called == [(n, True) for n in range(50)]
    assert list(tmp_path.iterdir()) == [path]


def test_memory_that_cannot_be_written_goes_on(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    called: list[int] = []
    memory = Memory(tmp_path / "no" / "alerts.json")
    memory.keep({}, [lambda: called.append(1)])
    memory.settle(PATIENCE)
    memory.keep({}, [lambda: called.append(2)])
    memory.close(PATIENCE)
    assert called == [1, 2]
    assert len(caplog.records) == 1


@pytest.mark.parametrize("text", ["", "{", "[]", '{"format": 99}', "\x00\xff"])
def test_memory_that_cannot_be_read_is_logged(
    text: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "alerts.json"
    path.write_text(text, "latin-1")
    assert read(path) == {}
    assert "alerts begin anew" in caplog.text


def test_no_memory_yet(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert read(tmp_path / "alerts.json") == {}
    assert not caplog.records
