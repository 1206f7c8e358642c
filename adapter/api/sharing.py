"""With whom a client shares what it writes about a referral: those who are asked to fulfil it.

A performer is the site and the program that a referral goes to, and the organization that a Task
names as its owner or among `restriction.recipient`, by the name or a number that it is registered
with. Where several may claim a Task, the first one that sets itself as owner has it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

from adapter.api.caller import Caller
from adapter.api.faults import refused
from adapter.api.links import local, reached
from adapter.referral.lifecycle import Actor
from adapter.store.transaction import Transaction

Json = dict[str, Any]
_ORGANIZATION = {"PractitionerRole": "organization", "HealthcareService": "providedBy"}


def share_request(caller: Caller, request: str, task: Json) -> None:
    """Let whoever is asked see a new Task and what it is about, as far as it is disclosed."""
    ledger, tx = caller.service.ledger, caller.tx
    stored = tx.resources.get("ServiceRequest", request)
    if stored is None:
        return
    addresses = reached(tx, [{**stored.content, "id": request}, task])
    about = [local(each) for each in addresses]
    asked = performers(caller, task)
    for party in asked:
        mine = [("ServiceRequest", request), ("Task", task["id"])]
        ledger.grant(tx, party, mine, performs=True, referral=request)
    for party, share in tx.parties.of("Task", task["id"]).items():
        if share.performs:
            seen = [each for each in about if each is not None and each[0] != "Task"]
            ledger.grant(tx, party, seen, referral=request)
    caller.compartment.forget()


def performers(caller: Caller, task: Json) -> set[str]:
    """Every organization that a Task asks, by each name that it goes by."""
    recipients = task.get("restriction", {}).get("recipient", ())
    found = {name for each in recipients for name in names(caller.tx, each)}
    found |= set(names(caller.tx, task.get("owner", {})))
    held = caller.tx.cases.fulfilment(task["id"])
    program = caller.service.ledger.programs.get(held.document.get("program", "") if held else "")
    if program is not None and program.organization:
        found.add(program.organization)
    return found


def share_answer(caller: Caller, referral: str, task: Json) -> None:
    """Let the requester see what a performer linked to a Task, as far as it is shared back."""
    if caller.party is None:
        return
    ledger, tx = caller.service.ledger, caller.tx
    linked = [local(each) for each in reached(tx, [task])]
    mine = []
    for each in linked:
        share = caller.compartment.share(*each) if each is not None else None
        if each is not None and share is not None and share.owns:
            mine.append(each)
    for party, share in tx.parties.of("ServiceRequest", referral).items():
        if share.owns and party != caller.party:
            ledger.grant(tx, party, mine, referral=referral)
    caller.compartment.forget()


def check_claim(caller: Caller, before: Json, after: Json, roles: Collection[Actor]) -> None:
    """Refuse (409) a performer that moves a Task which another one has, or several might claim."""
    if caller.party is None or "requester" in roles:
        return
    tx = caller.tx
    asked = {name for name, share in tx.parties.of("Task", after["id"]).items() if share.performs}
    asked &= {each.party for each in tx.clients.list()}
    if len(asked) < 2:
        return
    owner = before.get("owner") or after.get("owner")
    if owner is None:
        text = "several organizations may claim this Task: set owner to yours"
        raise refused(409, text, "Task.owner", rule="unclaimed")
    owners = asked & set(names(tx, owner))
    if owners and caller.party not in owners:
        raise refused(409, "the Task was claimed by somebody else", "Task.owner", rule="claimed")


def names(tx: Transaction, reference: Json) -> Iterator[str]:
    """By which names and numbers the organization of a reference may be registered."""
    identifier = reference.get("identifier", {})
    yield from (each for each in (identifier.get("value"), reference.get("display")) if each)
    named = local(reference.get("reference", ""))
    row = tx.resources.get(*named) if named else None
    if named is None or row is None:
        return
    yield f"{named[0]}/{named[1]}"
    if named[0] in _ORGANIZATION:
        yield from names(tx, row.content.get(_ORGANIZATION[named[0]], {}))
        return
    if named[0] == "Organization":
        numbers = (each.get("value") for each in row.content.get("identifier", ()))
        yield from (each for each in (row.content.get("name"), *numbers) if each)
