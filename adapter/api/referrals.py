"""Tasks and ServiceRequests that a client writes, as commands to the referral room.

A ServiceRequest alone is a record until a Task with ``code`` fulfill has it as its focus: then both
are read through the FHIR tables as a message would be, and become a referral. From there on each
write of the Task is a move, each write of the ServiceRequest a change or a cancellation; what is
stored is the projection of what the room decided.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import Any

from adapter.api.caller import SITE, Caller
from adapter.api.faults import Refused, refused
from adapter.api.links import local
from adapter.api.sharing import check_claim, share_answer, share_request
from adapter.api.stated import FIXED, added, check_fixed, read_event, stated
from adapter.api.task_kinds import is_patients, table_of
from adapter.exchange.kept import Kept
from adapter.exchange.news import Told
from adapter.fhir.writer import dump
from adapter.referral import room
from adapter.referral.admission import choose, completed, first_fulfilment
from adapter.referral.facts import with_facts
from adapter.referral.lifecycle import ACTORS, Actor
from adapter.referral.model import Fulfilment, Reason, Referral, ReferralEvent
from adapter.referral.room import Case, Decision, Entry, Move
from adapter.store.ids import new_id

Json = dict[str, Any]
STAYS = (*FIXED, "basedOn", "partOf", "groupIdentifier", "input", "restriction", "output")
"""What a new version of a referral Task that leaves it out does not take away."""
OUTPUT_NOT_KEPT = "an output of this kind is not kept here, or only once"


def new_task(caller: Caller, task: Json) -> None:
    """Admit a Task: a new referral, or one more fulfilment of a referral that is here.

    Raises:
        Refused: 422, its focus is not here or cannot be read; 409, the referral has ended.
    """
    named = local(task.get("focus", {}).get("reference", ""))
    row = caller.get(*named) if named and named[0] == "ServiceRequest" else None
    if row is None:
        text = "the focus is a ServiceRequest on this server; post both in one transaction"
        raise refused(422, text, "Task.focus", rule="focus-here")
    if not caller.compartment.owns(row):
        text = "only the requester asks for its request to be fulfilled"
        raise refused(403, text, "Task.focus", rule="not-owner")
    status = task.get("status", "")
    if caller.table.normal(status) not in caller.table.initial:
        text = f"a new Task is {' or '.join(sorted(caller.table.initial))}, not {status}"
        raise refused(409, text, "Task.status", rule="lifecycle.initial")
    request = {**row.content, "id": row.id}
    event, lost = read_event(caller, [request, task])
    received = Entry(kind="message.received", data={"kind": "Task", "warnings": lost})
    kept = caller.service.ledger.load(caller.tx, row.id)
    if kept is None:
        _admit(caller, event, request, task, received)
    else:
        _refer_on(caller, kept, event, task, received)
    share_request(caller, request["id"], task)


def _admit(caller: Caller, event: ReferralEvent, request: Json, task: Json, said: Entry) -> None:
    service = caller.service
    referral = completed(
        event.referral or Referral(),
        organization=caller.party or service.organization,
        attested=False,
        test=caller.test,
        at=caller.at,
    )
    fulfilment, destination, why = _first(caller, referral, event)
    entries = [
        said,
        Entry(kind="referral.received", data={"status": referral.status}),
        *why,
    ]
    service.ledger.create(
        caller.tx,
        Case(referral=referral, fulfilments=(fulfilment,)),
        None,
        {fulfilment.id or "": destination} if destination else {},
        caller.cause(_remembered(caller, task, referral.id or "")),
        entries=entries,
        told=_asked(fulfilment),
        received={request["id"]: request, task["id"]: task},
    )


def _refer_on(caller: Caller, kept: Kept, event: ReferralEvent, task: Json, said: Entry) -> None:
    status = kept.case.referral.status
    if status not in ("active", "on-hold", "draft", "unknown"):
        text = f"the referral was already {status}; send a new one"
        raise refused(409, text, "Task.focus", rule="referral.already-ended")
    fulfilment, destination, why = _first(caller, kept.case.referral, event)
    ledger = caller.service.ledger
    now = ledger.add_fulfilment(caller.tx, kept, fulfilment, destination)
    ledger.write(
        caller.tx,
        now,
        Decision(case=now.case, entries=(said, *why)),
        caller.cause(_remembered(caller, task, kept.id)),
        _asked(fulfilment),
        received={task["id"]: task},
    )


def _first(
    caller: Caller, referral: Referral, event: ReferralEvent
) -> tuple[Fulfilment, str | None, list[Entry]]:
    """The fulfilment that a Task states, the site that it goes to, and the lines that say why."""
    service = caller.service
    stated = event.fulfilments[0]
    choice = choose(referral, service.ledger.programs.catalogue, service.engine.rule, caller.at)
    made = first_fulfilment(referral, stated, choice.program, caller.at)
    made = replace(made, status="draft" if stated.status == "draft" else "requested")
    return made, choice.destination, choice.entries(made)


def _asked(fulfilment: Fulfilment) -> list[Told]:
    if fulfilment.status == "draft":
        return []
    return [Told(event="request", to="performer", fulfilment=fulfilment.id)]


def change_task(caller: Caller, before: Json, after: Json) -> Refused | None:
    """Make the move that a new version of a Task states.

    Returns the refusal of the room, which is journaled, or None.

    Raises:
        Refused: 422, the new version changes what no move changes, or takes an output away.
    """
    tx, own = caller.tx, after["id"]
    row = tx.cases.fulfilment(own)
    kept = caller.service.ledger.load(tx, row.referral) if row else None
    held = kept.case.fulfilment(own) if kept else None
    if kept is None or held is None:
        return _plain_move(caller, before, after)
    roles = caller.compartment.roles(kept.id, own)
    if not roles:
        text = "this Task is moved by its requester and by whoever is asked to fulfil it"
        raise refused(403, text, "Task", rule="not-a-party")
    after = {**{name: before[name] for name in STAYS if name in before}, **after}
    check_claim(caller, before, after, roles)
    check_fixed(before, after)
    new = added(before, after)
    news = {**after, "output": new["output"], "note": new["note"]}
    if _reason_is_old(caller, before, after):
        del news["statusReason"]
    said = stated(caller, {name: value for name, value in news.items() if value != []})
    outputs = bool(before.get("output") or new["output"])
    decision = _decide(caller, kept.case, held, said, roles, outputs)
    cause = caller.cause(_remembered(caller, after, kept.id))
    if decision.refused:
        caller.service.ledger.write(tx, kept, decision, cause)
        return _as_refusal(caller, held.status or "draft", decision.refused, roles)
    decision = replace(decision, case=with_facts(decision.case, own, said))
    whole = caller.compartment.written(before, after)
    told = [Told(event=n.event, to=n.to, fulfilment=n.fulfilment) for n in decision.news]
    caller.service.ledger.write(tx, kept, decision, cause, told, received={own: whole})
    _check_kept(caller, own, len(before.get("output", ())) + len(new["output"]))
    share_answer(caller, kept.id, after)
    return None


def _reason_is_old(caller: Caller, before: Json, after: Json) -> bool:
    """Whether a new status came with the reason of the last one, which does not explain it.

    Whoever reads a Task, sets its status and writes it back repeats what stood there, and a patch
    always does.
    """
    status = after.get("status")
    return (
        "statusReason" in after
        and after["statusReason"] == before.get("statusReason")
        and status != before.get("status")
        and "reason" not in caller.table.needs(str(status))
    )


def _check_kept(caller: Caller, own: str, outputs: int) -> None:
    """Refuse a write, and undo it, whose outputs no table carries: nothing is dropped silently."""
    row = caller.tx.resources.get("Task", own)
    if row is not None and len(row.content.get("output", ())) < outputs:
        raise refused(422, OUTPUT_NOT_KEPT, "Task.output", code="not-supported", rule="output-kind")


def _decide(
    caller: Caller,
    case: Case,
    held: Fulfilment,
    said: Fulfilment,
    roles: Collection[Actor],
    output: bool,
) -> Decision:
    """The move, then a note for every further note that came with it."""
    before = held.status or "draft"
    wanted = caller.table.normal(said.status) if said.status else held.status
    now = caller.at.isoformat(timespec="milliseconds")
    actor = caller.acts_as(before, wanted or before, roles)
    output = output or held.outcome is not None or said.outcome is not None
    decision = room.move(
        case,
        Move(
            fulfilment=held.id or "",
            actor=actor,
            to=wanted,
            reason=said.reason,
            outcome=said.outcome,
            note=said.notes[0] if said.notes else None,
            lenient=wanted != "completed" or output,
        ),
        caller.table,
        now,
    )
    for note in said.notes[1:]:
        more = room.move(
            decision.case,
            Move(fulfilment=held.id or "", actor=actor, note=note),
            caller.table,
            now,
        )
        decision = replace(more, entries=decision.entries + more.entries, news=decision.news)
    return decision


def _as_refusal(
    caller: Caller, before: str, why: room.Refused, roles: Collection[Actor]
) -> Refused:
    if why.code == "lifecycle.not-allowed":
        allowed = ", ".join(caller.allowed(before, roles)) or "nothing more"
        text = f"the status may not be set; from {before} it may be: {allowed}"
        return refused(409, text, "Task.status", rule=why.code)
    at = "Task.output" if why.code == "lifecycle.output-required" else "Task.status"
    return refused(422, f"{why.message}. {why.fix}".strip(), at, rule=why.code)


def _plain_move(caller: Caller, before: Json, after: Json) -> Refused | None:
    """A Task that is no referral: a patient's moves by its own table, others by that of referrals.

    Which table it is, is decided when it is made: who owns a patient's Task stays.
    """
    if caller.party is not None:
        share = caller.compartment.share("Task", before["id"])
        if share is None or not share.owns:
            text = "this Task is another organization's; it may be read here, not written"
            raise refused(403, text, "Task", rule="not-owner")
    if is_patients(before) != is_patients(after):
        text = "a Task does not become a patient's, or cease to be one, by an update"
        raise refused(422, text, "Task.owner", code="business-rule", rule="fixed")
    was, now = str(before.get("status")), str(after.get("status"))
    table = table_of(caller, before)
    if was == now or any(table.allows(was, now, actor) for actor in ACTORS):
        return None
    choices = (each for actor in ACTORS for each in table.choices(was, actor))
    allowed = ", ".join(dict.fromkeys(choices)) or "nothing more"
    text = f"the status may not be set; from {was} it may be: {allowed}"
    return refused(409, text, "Task.status", rule="lifecycle.not-allowed")


def change_request(caller: Caller, after: Json) -> Refused | None:
    """Change or cancel the referral of a ServiceRequest; nothing to do before it is one."""
    tx, own = caller.tx, after["id"]
    kept = caller.service.ledger.load(tx, own)
    if kept is None:
        return None
    held = kept.case.referral.status
    wanted = after.get("status")
    now = caller.at.isoformat(timespec="milliseconds")
    event, _ = read_event(caller, [after])
    told: list[Told] = []
    if wanted == held:
        decision = caller.service.engine.modified(kept, replace(event, kind="modify"), now)
        if decision.entries and decision.entries[0].data.get("changed") == []:
            return None
        told = [Told(event="modify", to="performer")]
    elif wanted == "revoked":
        said = event.referral.status_reason if event.referral else None
        why = Reason(code="other", text=said) if said else None
        decision = room.cancel(kept.case, why, caller.table, now)
        told = [Told(event=n.event, to=n.to, fulfilment=n.fulfilment) for n in decision.news]
    else:
        allowed = "revoked" if held in ("active", "on-hold", "draft", "unknown") else "nothing more"
        text = f"the status may not be set; from {held} it may be: {allowed}"
        return refused(409, text, "ServiceRequest.status", rule="lifecycle.not-allowed")
    cause = caller.cause(_remembered(caller, after, kept.id))
    changed = {own: after} if decision.refused is None else None
    caller.service.ledger.write(tx, kept, decision, cause, told, received=changed)
    if decision.refused:
        text = f"{decision.refused.message}. {decision.refused.fix}".strip()
        return refused(409, text, "ServiceRequest.status", rule=decision.refused.code)
    return None


def _remembered(caller: Caller, resource: Json, referral: str) -> str:
    """Keep what came word for word, as a message is kept; the id of its receipt."""
    row = caller.tx.inbox.add(
        organization=caller.service.organization,
        site=SITE,
        key=new_id(),
        format="fhir",
        kind=resource["resourceType"],
        dialect=None,
        raw=dump(resource),
        answer=b"",
        test=caller.test,
    )
    caller.tx.inbox.mark(row.id, "processed", referral=referral)
    return row.id
