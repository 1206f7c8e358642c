"""The stage: the service under test, a clinic's listener and an agency's mailbox, over sockets."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from adapter.cli.demonstration.mailbox import Mailbox
from adapter.exchange.config import load_config
from adapter.exchange.store_settings import store_url
from adapter.security.keyring import Keyring
from adapter.store.store import Store
from tests.integration.loop.harness import CONFIG, PROGRAMS, Emr
from tests.integration.loop.ports import lasting_port

ROOT = Path(__file__).parents[2]
Arm = tuple[str, int] | None
PATIENCE = 20.0


@dataclass(frozen=True, slots=True)
class Configuration:
    """What is configured besides the clinic and the agency: TOML of sites, and of programs."""

    sites: str = ""
    programs: str = ""


class Zygote:
    """The process that forks services."""

    def __init__(self) -> None:
        self._process: asyncio.subprocess.Process | None = None
        self._turn = asyncio.Lock()

    async def open(self) -> None:
        """Start it, and wait until everything is loaded."""
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.faults.zygote",
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT,
        )  # fmt: skip
        await self._answer()

    async def fork(self, request: dict[str, Any]) -> int:
        """A new service; its pid."""
        assert self._process is not None
        assert self._process.stdin is not None
        async with self._turn:
            self._process.stdin.write(json.dumps(request).encode() + b"\n")
            pid: int = (await self._answer())["pid"]
            return pid

    @asynccontextmanager
    async def warming(self, config: Path) -> AsyncIterator[dict[str, Any]]:
        """A service in the zygote itself, and its ready line; nothing is forked meanwhile."""
        assert self._process is not None
        assert self._process.stdin is not None
        async with self._turn:
            request = {"config": str(config), "warm": True}
            self._process.stdin.write(json.dumps(request).encode() + b"\n")
            yield await self._answer()
            self._process.terminate()
            await self._answer()

    async def close(self) -> None:
        """End it."""
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.close()
            await self._process.wait()
            self._process._transport.close()  # type: ignore[attr-defined]

    async def _answer(self) -> dict[str, Any]:
        assert self._process is not None
        assert self._process.stdout is not None
        line = await asyncio.wait_for(self._process.stdout.readline(), 60)
        if not line:
            raise RuntimeError("the zygote ended")
        answer: dict[str, Any] = json.loads(line)
        return answer


class Line:
    """The runner's end of the line to one service: its events, and its death."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.dead = asyncio.Event()
        self.events: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._writer = writer
        self._task = asyncio.create_task(self._read(reader))

    async def tell(self, order: dict[str, Any]) -> bool:
        """Give an order, and wait until it is obeyed; False if the service is dead."""
        with contextlib.suppress(ConnectionError):
            self._writer.write(json.dumps(order).encode() + b"\n")
            await self._writer.drain()
            return await self.next("obeyed") is not None
        return False

    async def ask(self, order: dict[str, Any], event: str) -> Any:
        """Give an order, and take the event that answers it: the value of the same name."""
        self._writer.write(json.dumps(order).encode() + b"\n")
        await self._writer.drain()
        found = await self.next(event)
        await self.next("obeyed")
        if found is None:
            raise RuntimeError("the service died instead of answering")
        return found[event]

    async def next(self, event: str, patience: float = PATIENCE) -> dict[str, Any] | None:
        """The next event of this kind; None if the service died first."""
        async with asyncio.timeout(patience):
            while not (self.dead.is_set() and self.events.empty()):
                found = await self.events.get()
                if found.get("event") == event:
                    return found
                if found.get("event") == "died":
                    return None
        return None

    async def close(self) -> None:
        """Hang up."""
        self._writer.close()
        await self._task

    async def _read(self, reader: asyncio.StreamReader) -> None:
        with contextlib.suppress(ConnectionError):
            while line := await reader.readline():
                self.events.put_nowait(json.loads(line))
        self.dead.set()
        self.events.put_nowait({"event": "died"})


class Stage:
    """Everything around one store; the service comes and goes."""

    def __init__(self, folder: Path, zygote: Zygote, url: str, more: Configuration) -> None:
        self.folder = folder
        self.zygote = zygote
        self.url = url
        self.more = more
        self._address = f"\0{folder}"  # not a file: a file system under test is unmounted
        self.mailbox = Mailbox()
        self.emr = Emr()
        self.ready: dict[str, Any] = {}
        self.pid = 0
        self.line: Line | None = None
        self.up = asyncio.Event()
        self.store: Store | None = None
        self._server: asyncio.Server | None = None
        self._lines: asyncio.Queue[Line] = asyncio.Queue()
        self._http, self._mllp = lasting_port(), lasting_port()

    async def open(self) -> None:
        """Listen, and write the configuration; no service yet."""
        self.folder.mkdir(parents=True, exist_ok=True)
        await self.mailbox.open()
        await self.emr.open()
        self._server = await asyncio.start_unix_server(self._called, self._address)
        self.keyring = Keyring.generate()
        (self.folder / "adapter.key").write_text(self.keyring.to_text())
        (self.folder / "programs.toml").write_text(PROGRAMS + self.more.programs)

    @property
    def config(self) -> Path:
        """The configuration file."""
        return self.folder / "adapter.toml"

    @property
    def log(self) -> str:
        """What the service logged."""
        return (self.folder / "service.log").read_text()

    @property
    def mllp(self) -> tuple[str, int]:
        """Where the clinic sends to."""
        host, _, port = self.ready["listeners"]["clinic"].rpartition(":")
        return host, int(port)

    async def start(self, arm: Arm = None) -> bool:
        """Fork a service, on the same ports as before; False if it died where it was told to.

        Raises:
            RuntimeError: it ended by itself.
        """
        self._configure()
        self.pid = await self.zygote.fork(
            {
                "config": str(self.config),
                "socket": self._address,
                "log": str(self.folder / "service.log"),
                "arm": arm,
            }
        )
        self.line = await asyncio.wait_for(self._lines.get(), PATIENCE)
        said = await self.line.next("ready")
        if said is None:
            await self.line.close()
            if arm is None:
                raise RuntimeError(f"the service ended: {self.log[-1500:]}")
            return False
        self._begun(said)
        return True

    @asynccontextmanager
    async def warming(self) -> AsyncIterator[None]:
        """A service in the zygote itself, which makes there what a first journey makes."""
        self._configure()
        async with self.zygote.warming(self.config) as said:
            self._begun(said)
            yield
            self.up.clear()

    async def kill(self) -> None:
        """kill -9, if it is alive; and wait until it is gone."""
        assert self.line is not None
        self.up.clear()
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        await asyncio.wait_for(self.line.dead.wait(), PATIENCE)
        await self.line.close()

    async def disarmed(self) -> bool:
        """True if the service lives and answers: from now on it dies nowhere by itself."""
        if self.line is None or not self.up.is_set():
            return False
        return await self.line.tell({"arm": None})

    async def stands(self) -> str:
        """Where the service stands, if it does not go on: its log, and each thread's stack."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGUSR1)
            await asyncio.sleep(0.5)
        return f"up: {self.up.is_set()}, pid {self.pid}\n{self.log[-6000:]}"

    async def close(self) -> None:
        """End everything."""
        if self.line is not None and self.pid:
            await self.kill()
        self.let_go()
        if self._server is not None:
            self._server.close()
        await self.emr.close()
        await self.mailbox.close()

    def let_go(self) -> None:
        """Close the test's own eye on the store; the next start opens it again."""
        if self.store is not None:
            self.store.close()
            self.store = None

    def _configure(self) -> None:
        """Write the configuration: the same ports at every start."""
        text = CONFIG.format(
            http=self._http,
            mllp=self._mllp,
            emr=self.emr.port,
            smtp=self.mailbox.port,
            language="en",
        )
        text = text.replace("sqlite:///adapter.sqlite3", self.url)
        text = text.replace('["hl7v2", "link"]', '["hl7v2", "link", "reference"]')
        # The second opinion on structure is another process, with tests of its own.
        text = text.replace(
            "deliver_to =", "verify_outbound = false\nverify_inbound = false\ndeliver_to ="
        )
        self.config.write_text(text + self.more.sites)

    def _begun(self, said: dict[str, Any]) -> None:
        """A service is ready, and said so."""
        self.ready = said
        self.up.set()
        if self.store is None:
            config = load_config(self.config)
            self.store = Store.open(store_url(config), self.keyring)

    async def _called(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._lines.put_nowait(Line(reader, writer))


@asynccontextmanager
async def staged(
    zygote: Zygote,
    url: str = "sqlite:///adapter.sqlite3",
    place: Path | None = None,
    more: Configuration = Configuration(),
) -> AsyncIterator[Stage]:
    """A stage in a folder of its own (in `place`), taken down and removed at the end."""
    folder = Path(tempfile.mkdtemp(prefix="adapter-faults-", dir=place))
    stage = Stage(folder, zygote, url, more)
    try:
        await stage.open()
        yield stage
    finally:
        await stage.close()
        shutil.rmtree(folder, ignore_errors=True)
