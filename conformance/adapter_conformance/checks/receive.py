"""Receiving: durable first, acknowledged then; refused and told otherwise."""

from __future__ import annotations

import asyncio

from adapter_conformance.requirement import Failed, NotRun, NotSupported, check
from adapter_conformance.stage import Stage, declared, stage
from adapter_conformance.subject import Subject

AT_ONCE = 16


async def _send_good(on: Stage) -> bytes:
    sample = on.sample()
    answer = await on.send(sample.raw)
    if not answer.accepted:
        raise Failed("a good message was not acknowledged")
    return answer.body


@check("receive.accepts")
async def accepts(subject: Subject) -> None:
    """The core has it, and the sender knows."""
    declared(subject, "receives")
    async with stage(subject) as on:
        await _send_good(on)
        if len(on.context.accepted) != 1:
            raise Failed(f"the core was handed {len(on.context.accepted)} messages for one")


@check("receive.raw-bytes")
async def raw_bytes(subject: Subject) -> None:
    """Byte for byte."""
    declared(subject, "receives")
    async with stage(subject) as on:
        sample = on.sample()
        await on.send(sample.raw)
        if on.context.accepted[0].raw.strip() != sample.raw.strip():
            raise Failed("the bytes that were handed over are not those that came")


@check("receive.acknowledges-after-durable")
async def after_durable(subject: Subject) -> None:
    """While the store is held up, no answer comes."""
    declared(subject, "receives")
    async with stage(subject) as on:
        sample = on.sample()
        await on.listen()
        on.context.gate = asyncio.Event()
        sending = asyncio.ensure_future(on.send(sample.raw))
        done, _ = await asyncio.wait([sending], timeout=0.1)
        on.context.gate.set()
        early = sending in done and sending.result().accepted
        await sending
        if early:
            raise Failed("it acknowledged a message that was not durable yet")


@check("receive.store-down-told")
async def store_down(subject: Subject) -> None:
    """No acknowledgement while the store is full."""
    declared(subject, "receives")
    async with stage(subject) as on:
        sample = on.sample()
        on.context.full = True
        if (await on.send(sample.raw)).accepted:
            raise Failed("it acknowledged a message that could not be stored")


@check("receive.refusal-journaled")
async def refusal_journaled(subject: Subject) -> None:
    """What is no message is refused, told and journaled."""
    declared(subject, "receives")
    async with stage(subject) as on:
        on.sample()
        answer = await on.send(b"\x00this is no message\xff")
        if answer.accepted:
            raise Failed("it acknowledged what is no message")
        if not on.context.refused:
            raise Failed("the refusal was not journaled (context.refuse)")


@check("receive.many-at-once")
async def many_at_once(subject: Subject) -> None:
    """Each of many is taken once."""
    declared(subject, "receives")
    async with stage(subject) as on:
        sample = on.sample()
        await on.listen()
        raws = [sample.with_key(f"k{number:03d}") for number in range(AT_ONCE)]
        answers = await asyncio.gather(*(on.send(raw) for raw in raws))
        if not all(each.accepted for each in answers):
            raise Failed("not every message was acknowledged")
        if len({each.raw for each in on.context.accepted}) != len(set(raws)):
            raise Failed("not every message was handed over once")


@check("idempotency.same-answer")
async def same_answer(subject: Subject) -> None:
    """A repetition gets the first answer and changes nothing."""
    declared(subject, "receives")
    async with stage(subject) as on:
        first = await _send_good(on)
        second = await on.send(on.sample().raw)
        if not second.accepted or second.body != first:
            raise Failed("the second answer is not the first")
        if len(on.context.accepted) != 1:
            raise Failed("the repetition was taken for a new message")


@check("idempotency.conflict-told")
async def conflict_told(subject: Subject) -> None:
    """Other bytes under the same key are not acknowledged."""
    declared(subject, "receives")
    async with stage(subject) as on:
        sample = on.sample()
        await _send_good(on)
        other = _changed(sample.raw, sample.key)
        if (await on.send(other)).accepted and len(on.context.accepted) == 1:
            raise Failed("it acknowledged other content under a key that was used")


def _changed(raw: bytes, key: str) -> bytes:
    """The same message with one letter of a word changed, its id untouched."""
    for word in (b"Synthetic", b"synthetic", b"Test"):
        if word in raw.replace(key.encode(), b""):
            return raw.replace(word, word[::-1], 1)
    raise Failed("the sample holds no word Synthetic, which invented people are named by")


@check("shutdown.finishes-in-flight")
async def finishes_in_flight(subject: Subject) -> None:
    """Listening stops while a message is being stored; its sender still gets its answer."""
    declared(subject, "receives")
    async with stage(subject) as on:
        sample = on.sample()
        await on.listen()
        on.context.gate = asyncio.Event()
        sending = asyncio.ensure_future(on.send(sample.raw))
        await asyncio.sleep(0.05)
        stopping = asyncio.ensure_future(on.stop_listening())
        await asyncio.sleep(0.02)
        on.context.gate.set()
        try:
            answer = await asyncio.wait_for(sending, 1.0)
        except (OSError, asyncio.IncompleteReadError, TimeoutError) as error:
            raise Failed("the sender of a message in flight got no answer") from error
        finally:
            await asyncio.wait_for(stopping, 1.0)
        if not answer.accepted or not on.context.accepted:
            raise Failed("a message in flight was not finished")


@check("receive.acts-at-once")
async def acts_at_once(subject: Subject) -> None:
    """What the core did, refused or could not do is what the peer is told, at once."""
    declared(subject, "acts")
    if subject.profile.takes == "visits":
        raise NotSupported("it takes forms of people on the core's pages, not moves of a peer")
    if not subject.profile.moves:
        raise NotRun("conformance.toml names no [[move]], what the peer wants done at once")
    sample = subject.profile.moves[0]
    async with stage(subject) as on:
        done = await on.send(sample.raw, sample.path)
        if not on.context.moves:
            raise Failed("the move was not handed to context.act()")
        if not done.accepted:
            raise Failed("a move that was done is answered as if it were not")
        on.context.refusing = True
        if (await on.send(sample.raw, sample.path)).accepted:
            raise Failed("a move that the referral does not allow is answered as if it were done")
        on.context.refusing, on.context.full = False, True
        if (await on.send(sample.raw, sample.path)).accepted:
            raise Failed("a move that could not be written is answered as if it were done")
