"""Polling: everything, from the cursor on, and no fault taken for the end."""

from __future__ import annotations

from typing import cast

from adapter.plugin import Inbound, Polls, TransientError
from adapter_conformance.requirement import Failed, NotRun, check
from adapter_conformance.stage import Stage, declared, stage
from adapter_conformance.subject import Subject

KEPT = 5


async def _kept(on: Stage) -> list[bytes]:
    if not on.subject.profile.samples:
        raise NotRun("conformance.toml names no [[sample]] that a peer could keep for us")
    sample = on.subject.profile.samples[0]
    messages = [sample.with_key(f"k{number:03d}") for number in range(KEPT)]
    await on.peer.offer(messages)
    return messages


async def _polled(on: Stage, cursor: str | None = None) -> list[tuple[Inbound, str]]:
    return [each async for each in cast(Polls, on.system).poll(cursor)]


@check("poll.yields-all")
async def yields_all(subject: Subject) -> None:
    """As many as the peer keeps, over several pages."""
    declared(subject, "polls")
    async with stage(subject) as on:
        kept = await _kept(on)
        found = await _polled(on)
        if len(found) != len(kept):
            raise Failed(f"of {len(kept)} messages {len(found)} were taken")


@check("poll.cursor-resumes")
async def cursor_resumes(subject: Subject) -> None:
    """From each cursor on, exactly the rest."""
    declared(subject, "polls")
    async with stage(subject) as on:
        await _kept(on)
        everything = await _polled(on)
        for number, (_, cursor) in enumerate(everything, 1):
            rest = [message.key for message, _ in await _polled(on, cursor)]
            if rest != [message.key for message, _ in everything[number:]]:
                raise Failed(f"behind the cursor of message {number} come not exactly the others")


@check("poll.fault-is-raised")
async def fault_is_raised(subject: Subject) -> None:
    """Unavailable means TransientError."""
    declared(subject, "polls")
    async with stage(subject) as on:
        await _kept(on)
        on.fail("unavailable")
        try:
            found = await _polled(on)
        except TransientError:
            return
    raise Failed(f"a peer that is not available was taken for one with {len(found)} messages")


@check("poll.stable-keys")
async def stable_keys(subject: Subject) -> None:
    """Twice polled, twice the same keys, each once."""
    declared(subject, "polls")
    async with stage(subject) as on:
        await _kept(on)
        first = [message.key for message, _ in await _polled(on)]
        second = [message.key for message, _ in await _polled(on)]
    if first != second:
        raise Failed("the keys of the same messages differ from poll to poll")
    if len(set(first)) != len(first):
        raise Failed("different messages have the same key")
