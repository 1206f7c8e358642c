"""What a performer says of a fulfilment: status, how it stands, how far it is, when they meet."""

from __future__ import annotations

from dataclasses import replace

from adapter.referral.lifecycle import Lifecycle
from adapter.referral.model import Fulfilment
from adapter.referral.room import Case, Decision, Move, move


def answered(case: Case, own: str, said: Fulfilment, table: Lifecycle, now: str) -> Decision:
    """The move that a performer's message states, with every note and fact that came with it."""
    first = Move(
        fulfilment=own,
        actor="performer",
        to=said.status,
        reason=said.reason,
        outcome=said.outcome,
        note=said.notes[-1] if said.notes else None,
        lenient=True,
    )
    decision = move(case, first, table, now)
    if decision.refused:
        return decision
    for note in said.notes[:-1]:
        more = move(decision.case, Move(fulfilment=own, actor="performer", note=note), table, now)
        news = decision.news or more.news
        decision = replace(more, entries=decision.entries + more.entries, news=news)
    return replace(decision, case=with_facts(decision.case, own, said))


def with_facts(case: Case, own: str, said: Fulfilment) -> Case:
    """The case with what was said of one fulfilment; appointments are added, never taken away."""
    held = case.fulfilment(own)
    if held is None:
        return case
    known = {each.id for each in held.appointments}
    new = tuple(each for each in said.appointments if each.id not in known)
    facts = replace(
        held,
        recipient=held.recipient or said.recipient,
        business_status=said.business_status or held.business_status,
        progress=said.progress or held.progress,
        execution=said.execution or held.execution,
        appointments=held.appointments + new,
    )
    return case if facts == held else case.with_fulfilment(facts)
