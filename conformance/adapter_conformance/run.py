"""Running the requirements: each in a thread and an event loop of its own, held to its time.

A plugin that blocks for ever costs its own check and no other: the thread is left behind, and the
next check starts in a new one.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Literal

from pydantic import ValidationError

from adapter.plugin import AdapterError
from adapter_conformance.exchanges import HEARD, Exchange, Heard, last, listening
from adapter_conformance.fair_time import FairClock
from adapter_conformance.requirement import (
    LEVELS,
    Failed,
    Level,
    NotRun,
    NotSupported,
    Requirement,
    requirements,
)
from adapter_conformance.screen import screened
from adapter_conformance.subject import Subject

Word = Literal["pass", "fail", "not-supported", "waived", "not-run"]
_ORDER: tuple[Word, ...] = ("fail", "not-run", "waived", "pass", "not-supported")
"""What is the worse result; what one system cannot do and another does, the plugin does."""
SECONDS = 4.0
"""For one check, of time that this process could use (`adapter_conformance.fair_time`)."""
LOOK = 0.1
"""Seconds between two looks whether a check's time is over."""
ENOUGH = 2
"""Checks that do not end, after which a plugin is asked nothing more: it would never be over."""
GRACE = 1.0
"""Seconds that a check has to end after it was told to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What came of one requirement.

    Attributes:
        detail: why, of everything but a pass.
        exchanges: what was asked and answered last before a failure, redacted.
        late: it failed because it did not end in its time.
    """

    requirement: Requirement
    word: Word
    detail: str = ""
    exchanges: tuple[Exchange, ...] = ()
    late: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of all of them."""

    plugin: str
    version: str
    distribution: str
    results: tuple[Result, ...]
    level: Level | None
    role: str = ""


def examine(
    subject: Subject,
    *,
    only: Sequence[str] = (),
    seconds: float = SECONDS,
    said: Callable[[Result], None] = lambda result: None,
) -> Outcome:
    """Run all requirements (or `only` some, with what they need) against a plugin.

    Of one that brings several systems each is examined; a requirement has the worst of their
    results. Each check is held to `seconds`; what others keep the machine busy with does not count.
    """
    known = {each.id: each for each in requirements()}
    wanted = with_needs(only, known)
    found: list[dict[str, Result]] = []
    for system in (subject, *subject.others):
        results: dict[str, Result] = {}
        for each in in_order(known):
            if wanted and each.id not in wanted:
                continue
            results[each.id] = result = _one(each, system, results, seconds)
            said(result)
        found.append(results)
    names = [each.spec.name if each.spec else "" for each in (subject, *subject.others)]
    together = tuple(
        _worst({name: results[identity] for name, results in zip(names, found, strict=True)})
        for identity in known
        if identity in found[0]
    )
    return Outcome(
        plugin=subject.name,
        version=subject.plugin.version,
        distribution=subject.plugin.distribution,
        results=together,
        # What brings no system connects nothing, however little there was to fail.
        level=level_of(together) if subject.system is not None else None,
    )


def _worst(results: Mapping[str, Result]) -> Result:
    """Of the results of several systems the worst, saying whose it is where they differ."""
    name, worst = min(results.items(), key=lambda each: _ORDER.index(each[1].word))
    if worst.word == "pass" or len({each.word for each in results.values()}) == 1:
        return worst
    return replace(worst, detail=f"{name}: {worst.detail}")


def level_of(results: Sequence[Result]) -> Level | None:
    """The highest level of whose requirements (and the lower ones') each passes or cannot apply.

    A waiver explains; it lifts nothing.
    """
    reached: Level | None = None
    for level in LEVELS:
        own = [each for each in results if each.requirement.level == level]
        if not all(each.word in ("pass", "not-supported") for each in own):
            break
        reached = level
    return reached


def in_order(known: Mapping[str, Requirement]) -> Iterator[Requirement]:
    """Each after what it needs."""
    done: set[str] = set()

    def visit(each: Requirement) -> Iterator[Requirement]:
        if each.id not in done:
            done.add(each.id)
            for need in each.needs:
                yield from visit(known[need])
            yield each

    for each in known.values():
        yield from visit(each)


def with_needs(only: Sequence[str], known: Mapping[str, Requirement]) -> set[str]:
    """Some requirements, and what they need.

    Raises:
        ValueError: there is none of that id.
    """
    wanted: set[str] = set()
    waiting = list(only)
    while waiting:
        identity = waiting.pop()
        if identity not in known:
            raise ValueError(f"there is no requirement {identity}")
        if identity not in wanted:
            wanted.add(identity)
            waiting += known[identity].needs
    return wanted


def _one(
    requirement: Requirement, subject: Subject, before: dict[str, Result], seconds: float
) -> Result:
    def result(word: Word, detail: str = "") -> Result:
        return Result(requirement=requirement, word=word, detail=detail)

    reason = subject.profile.waived.get(requirement.id)
    if reason:
        return result("waived", reason)
    if requirement.group != "loads" and subject.plugin.state == "failed":
        return result("not-run", "the plugin did not load")
    if (
        requirement.group not in ("loads", "docs")
        and subject.spec is None
        and (requirement.id != "mapping.packs-sound")
    ):
        return result("not-supported", "the plugin brings no system")
    if requirement.group != "loads" and subject.fault is not None:
        return result("not-run", "its system did not load")
    late = [identity for identity, each in before.items() if each.late]
    if len(late) >= ENOUGH:
        return result(
            "not-run", f"these did not end, and nothing more was tried: {', '.join(late)}"
        )
    if (lacking := unmet(requirement, before)) is not None:
        return lacking
    heard = listening()
    word, detail = judged(lambda: _held(requirement, subject, seconds, heard), seconds)
    exchanges = last(heard) if word == "fail" else ()
    return Result(
        requirement=requirement,
        word=word,
        detail=detail,
        exchanges=exchanges,
        late=word == "fail" and detail == _late(seconds),
    )


def unmet(requirement: Requirement, before: Mapping[str, Result]) -> Result | None:
    """The result of a requirement whose needs were not met; None where they were."""
    lacking = [need for need in requirement.needs if before[need].word != "pass"]
    if not lacking:
        return None
    if all(before[need].word == "not-supported" for need in lacking):
        detail = before[lacking[0]].detail
        return Result(requirement=requirement, word="not-supported", detail=detail)
    detail = f"needs {', '.join(lacking)}"
    return Result(requirement=requirement, word="not-run", detail=detail)


def judged(work: Callable[[], None], seconds: float) -> tuple[Word, str]:
    """The verdict on one check, and why."""
    try:
        work()
    except Failed as verdict:
        return "fail", str(verdict)
    except NotSupported as verdict:
        return "not-supported", str(verdict)
    except NotRun as verdict:
        return "not-run", str(verdict)
    except TimeoutError:
        return "fail", _late(seconds)
    except AdapterError as error:
        return "fail", f"it raised {type(error).__name__} [{error.code}]: {error.message}"
    except ValidationError as error:
        where = ", ".join(".".join(map(str, e["loc"])) for e in error.errors(include_input=False))
        return "not-run", f"conformance.toml has no settings that work: {where}"
    except (Exception, SystemExit) as error:  # noqa: BLE001 - a plugin may raise anything
        return "fail", f"it raised {type(error).__name__}"
    return "pass", ""


def _late(seconds: float) -> str:
    return f"it was not done after {seconds:.0f} s"


def _held(requirement: Requirement, subject: Subject, seconds: float, heard: Heard) -> None:
    """Run one check in a thread; whatever it raises is raised here.

    Raises:
        TimeoutError: it was not done in time; its thread is left behind if it does not end.
    """
    check = _Check(requirement, subject, heard)
    clock = FairClock()
    with screened():
        check.start()
        while check.is_alive() and clock.elapsed() < seconds:
            check.join(LOOK)
        late = check.is_alive()
        if late:
            check.tell()
        while check.is_alive() and clock.elapsed() < seconds + GRACE:
            check.join(LOOK)
    if late:
        raise TimeoutError
    if check.raised is not None:
        raise check.raised


class _Check(threading.Thread):
    """One check, in an event loop of its own."""

    def __init__(self, requirement: Requirement, subject: Subject, heard: Heard) -> None:
        super().__init__(name=f"check {requirement.id}", daemon=True)
        self._requirement = requirement
        self._subject = subject
        self._heard = heard
        self._task: asyncio.Task[None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self.raised: BaseException | None = None

    def run(self) -> None:
        """Look; whatever is raised is kept."""
        try:
            asyncio.run(self._look())
        except BaseException as error:  # noqa: BLE001 - it is raised again by the caller
            self.raised = error

    def tell(self) -> None:
        """Its time is over: end it, if its event loop still turns."""
        if self._loop is not None and self._task is not None:
            with suppress(RuntimeError):  # the loop has just ended by itself
                self._loop.call_soon_threadsafe(self._task.cancel)

    async def _look(self) -> None:
        self._loop, self._task = asyncio.get_running_loop(), asyncio.current_task()
        HEARD.set(self._heard)
        await self._requirement.look(self._subject)
