"""Opening, checking, sites apart, and closing."""

from __future__ import annotations

import asyncio
import gc
import time
import tracemalloc
from collections.abc import Awaitable, Callable
from dataclasses import replace

from adapter.plugin import Check
from adapter_conformance.planted import SECRET, seen
from adapter_conformance.requirement import Failed, NotRun, NotSupported, check
from adapter_conformance.stage import Stage, declared, stage
from adapter_conformance.subject import Subject

ROUNDS, FEWEST, BUDGET_SECONDS = 12, 4, 0.5
Work = Callable[[int], Awaitable[None]]
BYTES_A_ROUND = 2048
BYTES_BY_SOCKET = 8192  # a fake server in this process has its own comings and goings


@check("lifecycle.opens")
async def opens(subject: Subject) -> None:
    """It is made and opens."""
    async with stage(subject):
        return


@check("lifecycle.check-passes")
async def check_passes(subject: Subject) -> None:
    """All findings of a sound peer are ok, and there is one."""
    async with stage(subject) as on:
        found = await on.system.check()
    if not found or not all(isinstance(each, Check) for each in found):
        raise Failed("check() gives no list of Check")
    if bad := [f"{each.name}: {each.detail}" for each in found if each.state == "fail"]:
        raise Failed(f"check() finds fault with a peer that works: {'; '.join(bad)}")


@check("lifecycle.check-tells")
async def check_tells(subject: Subject) -> None:
    """With the peer down one finding fails and says what to do."""
    async with stage(subject) as on:
        on.fail("down")
        found = await on.system.check()
    failed = [each for each in found if each.state == "fail"]
    if not failed:
        raise Failed("check() finds nothing wrong although nobody is there")
    if not all(each.fix for each in failed):
        raise Failed("check() does not say what to do")


@check("lifecycle.check-changes-nothing")
async def check_changes_nothing(subject: Subject) -> None:
    """The peer has taken nothing."""
    async with stage(subject) as on:
        await on.system.check()
        if on.peer.arrived():
            raise Failed("check() left a message at the peer")


@check("lifecycle.sites-apart")
async def sites_apart(subject: Subject) -> None:
    """Two sites, delivering by turns: each message is at its own peer."""
    declared(subject, "delivers")
    async with stage(subject, name="first") as first, stage(subject, name="second") as second:
        await first.deliver(first.outbound(number=1))
        await second.deliver(second.outbound(number=2))
        await first.deliver(first.outbound(number=3))
        counts = (len(first.peer.arrived()), len(second.peer.arrived()))
    if counts != (2, 1):
        raise Failed(f"of 2 and 1 messages for two sites, {counts[0]} and {counts[1]} arrived")


@check("auth.secret-not-in-address")
async def secret_not_in_address(subject: Subject) -> None:
    """No address that the peer was asked for holds the planted secret."""
    async with stage(subject) as on:
        await on.system.check()
        await _try_to_deliver(on)
        addresses = list(on.peer.addresses)
    if seen(addresses, [SECRET]):
        raise Failed("the secret stands in an address")


async def _try_to_deliver(on: Stage) -> None:
    try:
        declared(on.subject, "delivers")
        await on.deliver(on.outbound())
    except NotSupported:
        return


@check("shutdown.after-a-failed-open")
async def after_a_failed_open(subject: Subject) -> None:
    """close() without open() raises nothing."""
    async with stage(subject, opened=False):
        return


@check("shutdown.lets-go")
async def lets_go(subject: Subject) -> None:
    """No task is left, and nobody listens where the system did."""
    before = asyncio.all_tasks()
    addresses: list[str] = []
    async with stage(subject) as on:
        if subject.kind.capabilities.receives.level not in ("not-implemented", "impossible"):
            try:
                await on.listen()
                addresses = [each for each in on._doors if isinstance(each, str)]
            except NotSupported:
                addresses = []
        await _try_to_deliver(on)
        await on.system.check()
    for _ in range(20):
        left = {each for each in asyncio.all_tasks() - before if not each.done()}
        if not left:
            break
        await asyncio.sleep(0.01)
    else:
        raise Failed(f"{len(left)} tasks run on after close()")
    for address in addresses:
        host, _, port = address.rpartition(":")
        if not port.isdigit():
            continue
        try:
            _, writer = await asyncio.open_connection(host.strip("[]"), int(port))
        except OSError:
            continue
        writer.close()
        raise Failed("it still listens after close()")


@check("shutdown.memory-bounded")
async def memory_bounded(subject: Subject) -> None:
    """What is held after many rounds is what was held after few."""
    async with stage(subject) as on:
        work = _work(on)
        for number in range(3):
            await work(number)
        gc.collect()
        gc.freeze()  # what was there before need not be looked through at every count
        started = not tracemalloc.is_tracing()
        if started:
            tracemalloc.start()
        try:
            grown = min([await _growth(on, work) for _ in range(3)][1:])
        finally:
            gc.unfreeze()
            if started:
                tracemalloc.stop()
    allowed = BYTES_A_ROUND if on.peer.road else BYTES_BY_SOCKET
    if grown > allowed:
        raise Failed(f"it grows by {grown:.0f} bytes with each message")


async def _growth(on: Stage, work: Work) -> float:
    """Bytes that stay for each message of one stretch; a real leak shows in every stretch."""
    before = await _held(on)
    rounds, end = 0, time.monotonic() + BUDGET_SECONDS
    while rounds < ROUNDS and (rounds < FEWEST or time.monotonic() < end):
        await work(20 + rounds)
        rounds += 1
    return (await _held(on) - before) / rounds


async def _held(on: Stage) -> int:
    await asyncio.sleep(0.02)  # connections that were closed are let go of in the next rounds
    _forget(on)
    gc.collect()
    return tracemalloc.get_traced_memory()[0]


def _work(on: Stage) -> Work:
    """One message through the system: a delivery if it makes any, else a check."""
    can = on.system.capabilities.delivers.level not in ("not-implemented", "impossible")
    message = on.outbound() if can and on.system.capabilities.outbound_kinds else None

    async def work(number: int) -> None:
        if message is None:
            await on.system.check()
            return
        await on.deliver(replace(message, id=f"00000000-0000-0000-0000-{number:012d}"))

    return work


def _forget(on: Stage) -> None:
    """What the kit itself remembers is no leak of the plugin."""
    for kept in (on.peer.addresses, on.context.memory_log.lines, getattr(on.peer, "asked", [])):
        kept.clear()
    on.context.memory_state.kept.clear()
    taken = getattr(on.peer, "taken", None)
    if taken is None:
        raise NotRun("this peer remembers what the kit cannot make it forget")
    taken.clear()
