"""A PostgreSQL server of our own, from Debian's package, in a temporary folder."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

OWNER = "postgres"
FOLDERS = ("/usr/lib/postgresql/*/bin", "/usr/local/opt/postgresql*/bin", "/opt/homebrew/opt/postgresql*/bin")


def programs():
    """Folder of initdb and pg_ctl; None where they are not installed."""
    found = shutil.which("pg_ctl")
    if found:
        return Path(found).resolve().parent
    folders = sorted(f for pattern in FOLDERS for f in Path("/").glob(pattern.lstrip("/")))
    return next((folder for folder in reversed(folders) if (folder / "pg_ctl").exists()), None)


needs_postgres = pytest.mark.skipif(
    programs() is None, reason="PostgreSQL is not installed: it is in Debian's package postgresql"
)


class Server:
    """One that listens on a socket in its own folder alone."""

    def __init__(self, folder):
        self.folder = folder
        self.data = folder / "data"

    def run(self, program, *arguments):
        # It refuses to run as root.
        who = {"user": OWNER} if os.geteuid() == 0 else {}
        command = [programs() / program, *arguments]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd=self.folder, timeout=60, **who)

    def start(self):
        options = f"-c listen_addresses='' -c unix_socket_directories='{self.folder}' -c fsync=off"
        log = str(self.folder / "log")
        self.run("pg_ctl", "-D", self.data, "-w", "-l", log, "-o", options, "start")

    def stop(self, mode="immediate"):
        self.run("pg_ctl", "-D", self.data, "-m", mode, "-w", "stop")

    def database(self, name):
        """Make an empty database, and give its URL."""
        self.run("createdb", "-h", self.folder, "-U", OWNER, name)
        return f"postgresql+psycopg://{OWNER}@/{name}?host={self.folder}"


@contextlib.contextmanager
def server():
    """Start one, and stop it at the end."""
    # A short path: that of a socket has at most 107 characters.
    with tempfile.TemporaryDirectory(prefix="pg") as name:
        folder = Path(name)
        if os.geteuid() == 0:
            shutil.chown(folder, OWNER)
        made = Server(folder)
        made.run("initdb", "-D", made.data, "-U", OWNER, "-A", "trust", "-E", "UTF8", "--no-sync")
        made.start()
        try:
            yield made
        finally:
            with contextlib.suppress(subprocess.CalledProcessError):
                made.stop()
