"""A PostgreSQL of the tests' own: a cluster in a temporary folder, on a free port of loopback.

Debian's server programs are used as they are. A server refuses to run as root, so that root starts
it as the user ``postgres``. Durability settings are left at their defaults: fsync is on.
"""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

import psycopg

DEBIAN = Path("/usr/lib/postgresql")
"""Debian and Ubuntu keep each version's server programs here, and not on the PATH."""
_IN_MEMORY = Path("/dev/shm")
_ROOM = 1 << 29
_START_SECONDS = 30.0
_names = itertools.count(1)


def available() -> bool:
    """True if this machine has the server programs."""
    return programs() is not None


@cache
def programs() -> Path | None:
    """The folder of the newest server's programs, of any version; None without a server."""
    versions = sorted(DEBIAN.glob("*/bin"), key=lambda each: float(each.parent.name), reverse=True)
    elsewhere = [Path(found).resolve().parent for found in [shutil.which("initdb")] if found]
    for folder in (*versions, *elsewhere):
        if (folder / "initdb").is_file() and (folder / "postgres").is_file():
            return folder
    return None


class Cluster:
    """A server that can be stopped, killed and started again, with databases made on demand."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.port = _free_port()
        self._server: subprocess.Popen[bytes] | None = None

    def initialise(self) -> None:
        """Make the data folder."""
        if os.geteuid() == 0:
            shutil.chown(self.root, "postgres", "postgres")
        subprocess.run(
            _as_postgres(
                _program("initdb"), "--pgdata", self._data, "--username", "postgres",
                "--auth", "trust", "--encoding", "UTF8", "--locale", "C", "--no-instructions",
            ),
            check=True,
            capture_output=True,
            cwd="/",
        )  # fmt: skip

    def start(self) -> None:
        """Start the server, and return when it takes connections."""
        log = (self.root.parent / f"{self.root.name}.log").open("ab")
        with log:
            self._server = subprocess.Popen(
                _as_postgres(
                    _program("postgres"), "-D", self._data, "-p", str(self.port),
                    "-c", "listen_addresses=127.0.0.1",
                    "-c", f"unix_socket_directories={self.root}",
                    "-c", "shared_buffers=32MB", "-c", "max_connections=60",
                    # A stop waits for who has connected and said nothing yet, as a killed peer has.
                    "-c", "authentication_timeout=10s",
                ),
                stdout=log, stderr=log, cwd="/",
            )  # fmt: skip
        until = time.monotonic() + _START_SECONDS
        while True:
            try:
                psycopg.connect(self.url("postgres"), connect_timeout=2).close()
            except psycopg.OperationalError:
                if self._server.poll() is not None or time.monotonic() > until:
                    raise
                time.sleep(0.05)
            else:
                return

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """Stop the server: SIGINT is its fast shutdown, SIGQUIT its crash."""
        if self._server is None:
            return
        pid_file = self._data / "postmaster.pid"
        if pid_file.exists():
            os.kill(int(pid_file.read_text().split()[0]), how)
        try:
            self._server.wait(timeout=30)
        except subprocess.TimeoutExpired as error:
            said = (self.root.parent / f"{self.root.name}.log").read_text()[-2000:]
            raise RuntimeError(f"PostgreSQL does not stop; its log ends: {said}") from error
        self._server = None

    def kill(self) -> None:
        """End every process of the server at once, as a power cut does: none can write any more."""
        assert self._server is not None
        postmaster = int((self._data / "postmaster.pid").read_text().split()[0])
        children = Path(f"/proc/{postmaster}/task/{postmaster}/children").read_text().split()
        for each in (postmaster, *map(int, children)):  # it first: it would start others instead
            with suppress(ProcessLookupError):
                os.kill(each, signal.SIGKILL)
        self._server.wait(timeout=30)
        self._server = None

    def url(self, database: str) -> str:
        """The address of a database."""
        return f"postgresql://postgres@127.0.0.1:{self.port}/{database}"

    def new_database(self, template: str = "template1") -> str:
        """The address of a new database: empty, or a copy of another that nobody uses."""
        name = f"test_{next(_names)}"
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}".encode())
        return self.url(name)

    @property
    def _data(self) -> Path:
        return self.root / "data"


@contextmanager
def running_cluster(place: Path | None = None) -> Iterator[Cluster]:
    """A started cluster in a folder of its own (in `place`), removed at the end."""
    if place is None and _roomy():
        place = _IN_MEMORY
    root = Path(tempfile.mkdtemp(prefix="adapter-pg-", dir=place))
    cluster = Cluster(root)
    try:
        cluster.initialise()
        cluster.start()
        yield cluster
    finally:
        cluster.stop(signal.SIGQUIT)
        shutil.rmtree(root, ignore_errors=True)
        (root.parent / f"{root.name}.log").unlink(missing_ok=True)


def _roomy() -> bool:
    return _IN_MEMORY.is_dir() and shutil.disk_usage(_IN_MEMORY).free > _ROOM


def _program(name: str) -> Path:
    folder = programs()
    assert folder is not None, "PostgreSQL is missing: apt-get install postgresql"
    return folder / name


def _as_postgres(program: Path, *arguments: str | Path) -> list[str]:
    command = [str(program), *map(str, arguments)]
    if os.geteuid() == 0:
        return ["runuser", "-u", "postgres", "--", *command]
    return command


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
