"""Delivering: arrival, repetition, order, and the class of every failure."""

from __future__ import annotations

import re
from typing import cast

from adapter.plugin import (
    AdapterError,
    AuthError,
    DataError,
    Delivered,
    Finds,
    GoneError,
    TransientError,
)
from adapter_conformance.peers import FaultName
from adapter_conformance.requirement import Failed, NotSupported, check
from adapter_conformance.stage import Stage, declared, stage
from adapter_conformance.subject import Subject

CODE = re.compile(r"[a-z0-9-]+\.[a-z0-9-]+")


async def _failing(on: Stage, fault: FaultName) -> AdapterError:
    """The error of a delivery to a peer at fault."""
    on.fail(fault)
    try:
        await on.deliver(on.outbound())
    except AdapterError as error:
        return error
    raise Failed(f"a delivery to a peer that is {fault!r} was taken for done")


@check("deliver.arrives")
async def arrives(subject: Subject) -> None:
    """The peer has one message, and the return is a Delivered."""
    declared(subject, "delivers")
    async with stage(subject) as on:
        message = on.outbound()
        result = await on.deliver(message)
        if not isinstance(result, Delivered):
            raise Failed(f"deliver() returned {type(result).__name__}, not Delivered")
        if len(on.peer.arrived()) != 1:
            raise Failed(f"{len(on.peer.arrived())} messages are at the peer after one delivery")
        if message.body and not on.peer.holds(on.peer.arrived()[0], message.body):
            raise Failed("what arrived is not the body that was given")


@check("deliver.waits-for-the-peer")
async def waits(subject: Subject) -> None:
    """Nobody there: it must not return."""
    declared(subject, "delivers")
    async with stage(subject) as on:
        await _failing(on, "down")


@check("deliver.survives-a-fault")
async def survives(subject: Subject) -> None:
    """Fault, then none: the next delivery arrives."""
    declared(subject, "delivers")
    async with stage(subject) as on:
        for fault in ("down", "unavailable", "nonsense", "lost-answer"):
            if fault not in on.peer.faults:
                continue
            on.peer.fault = cast(FaultName, fault)
            try:
                await on.deliver(on.outbound(number=2))
            except AdapterError:
                on.peer.fault = None
            on.peer.fault = None
            try:
                await on.deliver(on.outbound(number=1))
            except AdapterError as error:
                raise Failed(
                    f"after {fault!r} a sound peer is not reached [{error.code}]"
                ) from None


@check("idempotency.one-effect")
async def one_effect(subject: Subject) -> None:
    """Twice delivered, once there."""
    declared(subject, "delivers")
    async with stage(subject) as on:
        await on.deliver(on.outbound())
        await on.deliver(on.outbound(attempt=2))
        if len(on.peer.arrived()) != 1:
            raise Failed("the peer has the repetition as a second message")


@check("idempotency.finds")
async def finds(subject: Subject) -> None:
    """The answer is lost; the delivery is found."""
    declared(subject, "finds")
    async with stage(subject) as on:
        await _failing(on, "lost-answer")
        on.peer.fault = None
        found = await cast(Finds, on.system).find(on.outbound(attempt=2))
        if not isinstance(found, Delivered):
            raise Failed("it does not find a delivery that arrived")


@check("idempotency.finds-nothing")
async def finds_nothing(subject: Subject) -> None:
    """Never delivered, not found."""
    declared(subject, "finds")
    async with stage(subject) as on:
        await on.deliver(on.outbound(number=1))
        if await cast(Finds, on.system).find(on.outbound(number=2)) is not None:
            raise Failed("it finds a delivery that never arrived")


@check("ordering.as-called")
async def as_called(subject: Subject) -> None:
    """Three deliveries of three events, one after the other."""
    declared(subject, "delivers")
    async with stage(subject) as on:
        kinds = [each for each in on.system.capabilities.outbound_kinds if each != "cancel"]
        events = list(subject.profile.orders or kinds)[:3]
        messages = [on.outbound(event, number) for number, event in enumerate(events, 1)]
        for message in messages:
            await on.deliver(message)
        found = on.peer.arrived()
    if len(found) != len(messages):
        raise Failed(f"of {len(messages)} deliveries {len(found)} are at the peer")
    for message, each in zip(messages, found, strict=True):
        if message.body and not on.peer.holds(each, message.body):
            raise Failed("they arrived in another order")


@check("errors.unavailable-is-transient")
async def unavailable(subject: Subject) -> None:
    """503, AR, 451."""
    declared(subject, "delivers")
    async with stage(subject) as on:
        error = await _failing(on, "unavailable")
    if not isinstance(error, TransientError):
        raise Failed(f"it is a {type(error).__name__}")


@check("errors.retry-after")
async def retry_after(subject: Subject) -> None:
    """An hour was asked for."""
    declared(subject, "delivers")
    async with stage(subject) as on:
        error = await _failing(on, "rate-limited")
    if not isinstance(error, TransientError) or error.retry_after != 3600:
        raise Failed("the peer asked to be left alone for an hour; the core is not told")


@check("errors.refusal-is-data-error")
async def refusal(subject: Subject) -> None:
    """422, AE, 554."""
    declared(subject, "delivers")
    async with stage(subject) as on:
        error = await _failing(on, "refused")
    if not isinstance(error, DataError):
        raise Failed(f"it is a {type(error).__name__}")


@check("errors.gone-is-gone")
async def gone(subject: Subject) -> None:
    """410."""
    declared(subject, "delivers")
    async with stage(subject) as on:
        error = await _failing(on, "gone")
    if not isinstance(error, GoneError):
        raise Failed(f"it is a {type(error).__name__}")


@check("auth.refusal-is-auth-error")
async def auth_refusal(subject: Subject) -> None:
    """401, 535."""
    declared(subject, "delivers")
    async with stage(subject) as on:
        error = await _failing(on, "unauthorized")
    if not isinstance(error, AuthError):
        raise Failed(f"it is a {type(error).__name__}")


@check("errors.nonsense-is-no-success")
async def nonsense(subject: Subject) -> None:
    """A login page inside a success."""
    declared(subject, "delivers")
    async with stage(subject) as on:
        await _failing(on, "nonsense")


@check("errors.say-what-to-do")
async def say_what_to_do(subject: Subject) -> None:
    """Code, message and fix of the error of every fault."""
    declared(subject, "delivers")
    async with stage(subject) as on:
        faults = sorted(on.peer.faults & {"unauthorized", "refused", "gone"})
    if not faults:
        raise NotSupported("a peer of this kind has no fault that a person must mend")
    for fault in faults:
        async with stage(subject) as on:
            error = await _failing(on, fault)
        if not CODE.fullmatch(error.code) or not error.message:
            raise Failed(f"the error of {fault!r} has no word code or no message")
        if not error.fix:
            raise Failed(f"the error of {fault!r} [{error.code}] does not say what to do")
