"""Running the requirements: each in a thread and an event loop of its own, held to its time.

A plugin that blocks for ever costs its own check and no other: the thread is left behind, and the
next check starts in a new one.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from pydantic import ValidationError

from adapter.plugin import AdapterError
from adapter_conformance.exchanges import HEARD, Exchange, Heard, last, listening
from adapter_conformance.requirement import (
    LEVELS,
    Failed,
    Level,
    NotRun,
    NotSupported,
    Requirement,
    requirements,
)
from adapter_conformance.subject import Subject

Word = Literal["pass", "fail", "not-supported", "waived", "not-run"]
SECONDS = 4.0
"""For one check, where the machine has nothing else to do."""
MOST = 6.0
"""How many times as long a check may take on a machine that is busy with other things."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What came of one requirement.

    Attributes:
        detail: why, of everything but a pass.
        exchanges: what was asked and answered last before a failure, redacted.
    """

    requirement: Requirement
    word: Word
    detail: str = ""
    exchanges: tuple[Exchange, ...] = ()


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
    seconds: float | None = None,
    said: Callable[[Result], None] = lambda result: None,
) -> Outcome:
    """Run all requirements (or `only` some, with what they need) against a plugin.

    Each is held to `seconds`; without any, to what is fair on this machine now.
    """
    seconds = seconds or patience(SECONDS)
    known = {each.id: each for each in requirements()}
    wanted = with_needs(only, known)
    results: dict[str, Result] = {}
    for each in in_order(known):
        if wanted and each.id not in wanted:
            continue
        results[each.id] = result = _one(each, subject, results, seconds)
        said(result)
    results = {identity: results[identity] for identity in known if identity in results}
    return Outcome(
        plugin=subject.name,
        version=subject.plugin.version,
        distribution=subject.plugin.distribution,
        results=tuple(results.values()),
        level=level_of(tuple(results.values())),
    )


def patience(seconds: float) -> float:
    """The same time on a machine that others keep busy: longer by its load per processor."""
    load = os.getloadavg()[0] / (os.cpu_count() or 1)
    return seconds * min(MOST, max(1.0, load))


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
    if (lacking := unmet(requirement, before)) is not None:
        return lacking
    heard = listening()
    word, detail = judged(lambda: _held(requirement, subject, seconds, heard), seconds)
    exchanges = last(heard) if word == "fail" else ()
    return Result(requirement=requirement, word=word, detail=detail, exchanges=exchanges)


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
        return "fail", f"it was not done after {seconds:.0f} s"
    except AdapterError as error:
        return "fail", f"it raised {type(error).__name__} [{error.code}]: {error.message}"
    except ValidationError as error:
        where = ", ".join(".".join(map(str, e["loc"])) for e in error.errors(include_input=False))
        return "not-run", f"conformance.toml has no settings that work: {where}"
    except (Exception, SystemExit) as error:  # noqa: BLE001 - a plugin may raise anything
        return "fail", f"it raised {type(error).__name__}"
    return "pass", ""


def _held(requirement: Requirement, subject: Subject, seconds: float, heard: Heard) -> None:
    """Run one check in a thread; whatever it raises is raised here.

    Raises:
        TimeoutError: it was not done in time; its thread is left behind.
    """
    raised: list[BaseException] = []

    def work() -> None:
        try:
            asyncio.run(_look(requirement, subject, seconds, heard))
        except BaseException as error:  # noqa: BLE001 - it is raised again by the caller
            raised.append(error)

    thread = threading.Thread(target=work, name=f"check {requirement.id}", daemon=True)
    thread.start()
    thread.join(seconds + 1.0)
    if thread.is_alive():
        raise TimeoutError
    if raised:
        raise raised[0]


async def _look(requirement: Requirement, subject: Subject, seconds: float, heard: Heard) -> None:
    HEARD.set(heard)
    async with asyncio.timeout(seconds):
        await requirement.look(subject)
