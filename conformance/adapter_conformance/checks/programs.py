"""The directory side: every program, each once, and what is known of its room; nothing guessed."""

from __future__ import annotations

from typing import cast

from adapter.exchange.listings import Gathered
from adapter.plugin import (
    AdapterError,
    Capacity,
    ListedProgram,
    ListsPrograms,
    ReportsCapacity,
    TransientError,
)
from adapter_conformance.requirement import Failed, NotRun, check
from adapter_conformance.stage import Stage, declared, stage
from adapter_conformance.subject import Subject

Said = dict[str, str]
"""What the peer says of each program's room, by its id; empty where it says nothing."""


async def _offered(on: Stage) -> Said:
    """Let the peer have several programs of each kind that is known."""
    samples = on.subject.profile.programs or tuple(getattr(on.peer, "programs", ()))
    if not samples:
        raise NotRun("conformance.toml names no [[program]], as the peer lists it")
    offer = getattr(on.peer, "offer_programs", None)
    if offer is None:
        raise NotRun("this peer lists no programs; name one in conformance.toml that does")
    said: Said = {}
    raws = []
    for number in range(max(on.peer.several, len(samples))):
        sample = samples[number % len(samples)]
        id = f"kit-{number:03d}"
        said[id] = sample.capacity
        raws.append(sample.with_id(id))
    await offer(raws)
    return said


async def _listed(on: Stage) -> list[ListedProgram]:
    return [each async for each in cast(ListsPrograms, on.system).list_programs()]


async def _reported(on: Stage) -> list[Capacity]:
    return [each async for each in cast(ReportsCapacity, on.system).report_capacity()]


@check("programs.lists-all")
async def lists_all(subject: Subject) -> None:
    """As many as the peer has, over several pages, each once."""
    declared(subject, "lists_programs")
    async with stage(subject) as on:
        said = await _offered(on)
        found = [each.id for each in await _listed(on)]
        if len(found) != len(said):
            raise Failed(f"of {len(said)} programs {len(found)} were listed")
        if len(set(found)) != len(found):
            raise Failed("a program is listed twice")


@check("programs.as-declared")
async def as_declared(subject: Subject) -> None:
    """The core takes every one: the types are right, and nothing that it needs is missing."""
    declared(subject, "lists_programs")
    async with stage(subject) as on:
        await _offered(on)
        gathered = Gathered(on.context.site.name)
        for each in await _listed(on):
            try:
                gathered.add(each)
            except AdapterError as error:
                raise Failed(f"{error.message} [{error.code}]") from error
        if gathered.left_out:
            raise Failed(f"the core could not take one: {gathered.left_out[0]['why']}")


@check("programs.stable-ids")
async def stable_ids(subject: Subject) -> None:
    """Twice listed, twice the same ids."""
    declared(subject, "lists_programs")
    async with stage(subject) as on:
        await _offered(on)
        first = {each.id for each in await _listed(on)}
        second = {each.id for each in await _listed(on)}
    if first != second:
        raise Failed("the ids of the same programs differ from listing to listing")


@check("programs.fault-is-raised")
async def fault_is_raised(subject: Subject) -> None:
    """Unavailable means TransientError."""
    declared(subject, "lists_programs")
    async with stage(subject) as on:
        await _offered(on)
        on.fail("unavailable")
        try:
            found = await _listed(on)
        except TransientError:
            return
    raise Failed(f"a peer that is not available was taken for one with {len(found)} programs")


@check("capacity.as-stated")
async def as_stated(subject: Subject) -> None:
    """What the peer says of a program's room is what is reported of it."""
    declared(subject, "reports_capacity")
    async with stage(subject) as on:
        said = await _offered(on)
        found = {each.program: each.status for each in await _reported(on)}
        stated = {id: word for id, word in said.items() if word}
        if not stated:
            raise NotRun("no [[program]] of conformance.toml says how much room it has")
        wrong = [id for id, word in stated.items() if found.get(id) != word]
        if wrong:
            was, now = stated[wrong[0]], found.get(wrong[0], "nothing")
            raise Failed(f"a program that the peer says is {was!r} is reported as {now!r}")


@check("capacity.unknown-stays-unknown")
async def unknown_stays_unknown(subject: Subject) -> None:
    """Of what the peer says nothing, nothing is reported."""
    declared(subject, "reports_capacity")
    async with stage(subject) as on:
        said = await _offered(on)
        silent = {id for id, word in said.items() if not word}
        if not silent:
            raise NotRun("every [[program]] of conformance.toml says how much room it has")
        found = [each for each in await _reported(on) if each.program in silent]
        if found:
            raise Failed(
                f"a program of which the peer says nothing is reported {found[0].status!r}"
            )


@check("capacity.fault-is-raised")
async def capacity_fault_is_raised(subject: Subject) -> None:
    """Unavailable means TransientError."""
    declared(subject, "reports_capacity")
    async with stage(subject) as on:
        await _offered(on)
        on.fail("unavailable")
        try:
            found = await _reported(on)
        except TransientError:
            return
    raise Failed(f"a peer that is not available was taken for one that reports {len(found)}")
