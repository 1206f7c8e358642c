"""Privacy: one scene with everything in it, and then a search for what was planted."""

from __future__ import annotations

import contextlib
import logging
from dataclasses import dataclass, field
from typing import Any, cast

from adapter.plugin import AdapterError, Polls
from adapter_conformance.fakes.own_words import OWN
from adapter_conformance.planted import PEER_TEXT, PERSON, SECRET, seen
from adapter_conformance.requirement import Failed, NotRun, NotSupported, check
from adapter_conformance.screen import printed
from adapter_conformance.stage import Stage, stage
from adapter_conformance.subject import Subject

MARKERS = (*PERSON, SECRET, PEER_TEXT)


@dataclass(slots=True)
class Scene:
    """What was seen while everything happened."""

    logs: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    reprs: list[str] = field(default_factory=list)
    addresses: list[str] = field(default_factory=list)
    output: str = ""


class _Listening(logging.Handler):
    """Keeps what is logged past the context."""

    def __init__(self, lines: list[str]) -> None:
        super().__init__(logging.DEBUG)
        self.lines = lines

    def emit(self, record: logging.LogRecord) -> None:
        if not OWN.get() and not record.name.startswith(("asyncio", "httpx", "httpcore", "mail")):
            self.lines.append(record.getMessage())


async def _scene(subject: Subject) -> Scene:
    kept: Scene | None = subject.once("scene", lambda: None)
    if kept is not None:
        return kept
    scene = Scene()
    before = len(printed())
    root = logging.getLogger()
    handler, level = _Listening(scene.logs), root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        async with stage(subject) as on:
            await _play(on, scene)
            scene.logs += [f"{event} {values!r}" for _, event, values in on.context.log.lines]
            scene.addresses += on.peer.addresses
    finally:
        root.removeHandler(handler)
        root.setLevel(level)
    scene.output = printed()[before:]
    subject._kept["scene"] = scene
    return scene


async def _play(on: Stage, scene: Scene) -> None:
    scene.reprs += [repr(on.system), repr(on.system.config), str(on.system.config)]
    with _telling(scene):
        await on.system.check()
    with _telling(scene):
        sample = on.sample()
        await on.send(sample.raw.replace(b"Synthetic", PERSON[0].encode()))
        await on.send(PERSON[0].encode() + b" is no message")
    with _telling(scene):
        if isinstance(on.system, Polls):
            await on.peer.offer([each.raw for each in on.subject.profile.samples])
            async for _ in cast(Polls, on.system).poll(None):
                continue
    for fault in (None, *sorted(on.peer.faults)):
        on.peer.fault = fault
        with _telling(scene):
            scene.reprs.append(repr(await on.deliver(on.outbound())))
        with _telling(scene):
            await on.system.check()
    on.peer.fault = None


@contextlib.contextmanager
def _telling(scene: Scene) -> Any:
    """Keep what an error says; one that is no AdapterError is another requirement's matter."""
    try:
        yield
    except AdapterError as error:
        scene.errors += [str(error), repr(error), error.fix, error.detail]
    except (NotSupported, NotRun, AttributeError):
        return
    except Exception as error:  # noqa: BLE001 - what else a plugin raises is searched as well
        scene.errors += [str(error), repr(error)]


@check("privacy.logs")
async def logs(subject: Subject) -> None:
    """Neither the context's log nor Python's."""
    if found := seen((await _scene(subject)).logs, MARKERS):
        raise Failed(f"in the log: {', '.join(found)}")


@check("privacy.errors")
async def errors(subject: Subject) -> None:
    """Message, fix, detail and repr."""
    if found := seen((await _scene(subject)).errors, MARKERS):
        raise Failed(f"in an error: {', '.join(found)}")


@check("privacy.reprs")
async def reprs(subject: Subject) -> None:
    """System, settings, and what deliver() returns."""
    if found := seen((await _scene(subject)).reprs, MARKERS):
        raise Failed(f"in a repr: {', '.join(found)}")


@check("privacy.output")
async def output(subject: Subject) -> None:
    """Nothing on stdout or stderr."""
    if printed := (await _scene(subject)).output:
        raise Failed(f"it prints ({len(printed)} characters)")


@check("privacy.addresses")
async def addresses(subject: Subject) -> None:
    """No person in an address."""
    if found := seen((await _scene(subject)).addresses, PERSON):
        raise Failed(f"in an address: {', '.join(found)}")
