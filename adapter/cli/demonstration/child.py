"""A child process that talks in JSON lines: the service, and the small EMR."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from adapter.plugin.errors import PluginError, TransientError

Event = dict[str, Any]

LAST_WORDS = 5.0
"""Seconds for what a child that ended still has to say."""


class Child:
    """One child process: events come on its stdout, commands go to its stdin."""

    def __init__(self, name: str, process: asyncio.subprocess.Process, log: Path) -> None:
        self.name = name
        self.log = log
        self.events: list[Event] = []
        self._process = process
        self._news = asyncio.Condition()
        self._reading = asyncio.create_task(self._read())

    @classmethod
    async def start(cls, name: str, module: str, arguments: Sequence[str], log: Path) -> Child:
        """Start `python -m module`; its stderr goes to a file."""
        with log.open("ab") as errors:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                module,
                *arguments,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=errors,
                env={**os.environ, "PYTHONUNBUFFERED": "1"},
                limit=2**24,
                start_new_session=True,
            )
        return cls(name, process, log)

    async def tell(self, command: Event) -> None:
        """Send a command."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(command).encode() + b"\n")
        await self._process.stdin.drain()

    async def wait(
        self, matches: Callable[[Event], bool], *, after: int = 0, patience: float = 20.0
    ) -> Event:
        """The first event from the one numbered `after` on that matches.

        Raises:
            TransientError: it did not come in time. PluginError: the process ended instead.
        """

        def found() -> Event | None:
            return next((each for each in self.events[after:] if matches(each)), None)

        def settled() -> bool:
            return found() is not None or self._reading.done()

        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(patience), self._news:
                await self._news.wait_for(settled)
        event = found()
        if event is not None:
            return event
        if self._reading.done():
            raise PluginError(
                "demo.child-ended",
                f"the {self.name} ended by itself",
                fix=f"See the end of {self.log}",
            )
        raise TransientError(
            "demo.too-slow",
            f"the {self.name} did not do the expected in {patience:.0f} s",
            fix=f"See {self.log}; on a busy machine run the demo again.",
        )

    async def end(self, patience: float = 12.0) -> None:
        """Ask it to stop (SIGTERM), and wait; after `patience` seconds it is killed."""
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.terminate()
            try:
                await asyncio.wait_for(self._process.wait(), patience)
            except TimeoutError:
                self._process.kill()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._process.wait(), LAST_WORDS)
        # What it was just starting as it was killed may live on, and hold its stdout open.
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._reading, LAST_WORDS)
        if self._process.stdin is not None:
            self._process.stdin.close()
        # asyncio closes a child's pipes only when they are collected, which may be too late.
        self._process._transport.close()  # type: ignore[attr-defined]

    async def _read(self) -> None:
        assert self._process.stdout is not None
        while line := await self._process.stdout.readline():
            try:
                event = json.loads(line)
            except json.JSONDecodeError:
                continue
            async with self._news:
                self.events.append(event)
                self._news.notify_all()
        async with self._news:
            self._news.notify_all()
