"""hl7apy's second opinion on what comes and goes: in one worker process, off the ACK path.

All HL7 v2 sites of a process share one worker. It is started when first asked, started again after
it died, given up on after a time, and has a low priority. Structure does not depend on the words of
a message, so that a shape that was looked at is not looked at again, and is told once.
Whatever happens to the worker, no message is lost or held for it.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import Sequence
from functools import lru_cache
from multiprocessing import parent_process
from typing import Any
from weakref import WeakKeyDictionary

from adapter.plugin import Context, DataError
from adapter.plugin.formats import Finding
from adapter_hl7v2.conformance import verify

PATIENCE_SECONDS = 3.0
"""A delivery waits so long for an opinion, then goes without: hl7apy takes some 50 ms a message."""
LIMIT_SECONDS = 30.0
"""After this the worker is ended. Long enough for a cold start on a busy machine."""
MOST_WAITING = 32
MOST_SHAPES = 2_000


class Verifier:
    """The worker that the sites of one event loop share, and the shapes that it has seen."""

    def __init__(self) -> None:
        self._contexts: list[Context] = []
        self._seen: dict[bytes, tuple[Finding, ...]] = {}
        self._lock = asyncio.Lock()
        self._waiting = 0
        self._late: set[asyncio.Task[Any]] = set()

    def enlist(self, context: Context) -> None:
        """A site that is open; the worker runs in the name of the first."""
        self._contexts.append(context)

    def leave(self, context: Context) -> None:
        """A site that closes; its worker ends with it, and the next site's takes over."""
        if context in self._contexts:
            self._contexts.remove(context)

    def knows(self, raw: bytes) -> bool:
        """Whether messages of this shape were looked at, and what was found was told."""
        return shape_of(raw) in self._seen

    async def ask(self, raw: bytes) -> tuple[Sequence[Finding], bool]:
        """What hl7apy says against a message, and whether its shape is a new one.

        One finding ``information`` says why hl7apy was not asked.
        """
        shape = shape_of(raw)
        known = self._seen.get(shape)
        if known is not None:
            return known, False
        if self._waiting >= MOST_WAITING:
            return [_not_asked("too many messages wait for it")], True
        self._waiting += 1
        try:
            async with self._lock:
                known = self._seen.get(shape)
                return (await self._look(shape, raw), True) if known is None else (known, False)
        finally:
            self._waiting -= 1

    async def _look(self, shape: bytes, raw: bytes) -> Sequence[Finding]:
        if not self._contexts:
            return [_not_asked("no site is open")]
        try:
            async with asyncio.timeout(LIMIT_SECONDS):
                found = await self._contexts[0].offload(_in_worker, raw)
        except TimeoutError:
            return [_not_asked(f"it took more than {LIMIT_SECONDS:.0f} s")]
        except Exception as error:  # noqa: BLE001 - an opinion that cannot be had holds nothing up
            return [_not_asked(f"its worker process failed ({type(error).__name__})")]
        if len(self._seen) >= MOST_SHAPES:
            self._seen.clear()
        self._seen[shape] = tuple(found)
        return found

    async def hold_back(self, raw: bytes, log: Any, kind: str) -> None:
        """Let a message go out, or not.

        Raises:
            DataError: ``hl7v2.not-conformant``: something that its version requires is missing, or
                there is too much of something.
        """
        opinion = asyncio.create_task(self.ask(raw))
        self._late.add(opinion)
        opinion.add_done_callback(self._late.discard)
        done, _ = await asyncio.wait({opinion}, timeout=PATIENCE_SECONDS)
        if not done:  # it is still looked at, for those that come after
            log.info("message.structure-not-looked-at", kind=kind)
            return
        found, new = opinion.result()
        if new:
            _tell(found, log, "message.structure-outbound", kind)
        errors = [each.message for each in found if each.severity == "error"]
        if errors:
            more = f", and {len(errors) - 1} more" if len(errors) > 1 else ""
            raise DataError(
                "hl7v2.not-conformant",
                f"the structure of this {kind} is not right: {errors[0]}{more}",
                fix="Complete what it is made from, or correct the mapping row; "
                '"adapter deliveries retry" sends it as it is.',
            )

    async def report(self, raw: bytes, log: Any, kind: str) -> None:
        """Say in the log, once a shape, what is wrong with a message that came."""
        found, new = await self.ask(raw)
        if new:
            _tell(found, log, "message.structure-inbound", kind)


def _tell(found: Sequence[Finding], log: Any, event: str, kind: str) -> None:
    for each in found:
        say = log.debug if each.severity == "information" else log.warning
        say(event, kind=kind, severity=each.severity, where=each.where, said=each.message)


def shape_of(raw: bytes) -> bytes:
    """A hash of what structure depends on: segments, what is filled, MSH-9, MSH-12, OBX-2."""
    raw = raw.removeprefix(b"\xef\xbb\xbf").replace(b"\n", b"\r")
    lines = [line for line in raw.split(b"\r") if line] or [b""]
    head = lines[0].split(lines[0][3:4] or b"|")
    blank = b"\r".join([*lines, b""]).translate(_blanks(lines[0][3:9]))
    filled = b" ".join(blank.split())  # a blank wherever something stands, however much it is
    values = [
        b"".join(line.split(line[3:4] or b"|", 3)[2:3]) for line in lines if line[:3] == b"OBX"
    ]
    names = [line[:3] for line in lines]
    said = [lines[0][:9], *head[8:9], *head[11:12], *names, b"", *values, b"", filled]
    return hashlib.blake2b(b"\r".join(said), digest_size=16).digest()


@lru_cache(maxsize=16)
def _blanks(delimiters: bytes) -> bytes:
    """A table that makes a blank of everything but these, and a zero of the end of a segment."""
    table = bytearray(b" " * 256)
    for each in delimiters:
        table[each] = each
    table[ord("\r")] = 0
    return bytes(table)


_verifiers: WeakKeyDictionary[asyncio.AbstractEventLoop, Verifier] = WeakKeyDictionary()


def shared() -> Verifier:
    """The verifier of the running event loop."""
    loop = asyncio.get_running_loop()
    if loop not in _verifiers:
        _verifiers[loop] = Verifier()
    return _verifiers[loop]


def _in_worker(raw: bytes) -> list[Finding]:
    """Run there: give way, then look."""
    _give_way()
    return verify(raw)


_gives_way: list[bool] = []


def _give_way() -> None:
    """Once in a worker: the service goes first."""
    if not _gives_way and parent_process() is not None:
        _gives_way.append(True)
        os.nice(5)


def _not_asked(why: str) -> Finding:
    return Finding("information", "", f"hl7apy was not asked: {why}")
