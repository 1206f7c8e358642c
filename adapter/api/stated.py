"""What a client states by the resources that it writes, and what of it is new."""

from __future__ import annotations

from typing import Any

import orjson

from adapter.api.caller import SITE, Caller
from adapter.api.faults import Refused, refused
from adapter.api.links import gathered
from adapter.fhir.outcome import ERROR, Issue
from adapter.fhir.writer import dump
from adapter.plugin.errors import DataError
from adapter.plugin.formats import Settings
from adapter.referral.document import DocumentError, from_document
from adapter.referral.identity import assign_ids
from adapter.referral.model import Fulfilment, ReferralEvent

Json = dict[str, Any]
FIXED = ("focus", "for", "requester", "owner", "intent")
"""What identifies a referral Task."""


def read_event(caller: Caller, resources: list[Json]) -> tuple[ReferralEvent, list[str]]:
    """What resources state, through the FHIR tables; and which of their places no table reads.

    Raises:
        Refused: 422, a value is outside what the tables can carry.
    """
    bundle = gathered(caller.tx, resources)
    try:
        table = caller.service.packs.find("fhir", "Bundle", "referral")
        mapped = table.to_right(bundle, Settings(site=SITE))
        assign_ids(mapped.document, SITE)
        return from_document(ReferralEvent, mapped.document), [w.path for w in mapped.warnings]
    except DataError as error:
        raise refused(422, f"{error.message} {error.fix}".strip(), _type(resources)) from error
    except DocumentError as error:
        raise refused(422, error.message, _type(resources)) from error


def _type(resources: list[Json]) -> str:
    return str(resources[-1]["resourceType"])


def stated(caller: Caller, task: Json) -> Fulfilment:
    """What a Task states.

    Raises:
        Refused: 422, nothing, or what the tables cannot carry.
    """
    event, _ = read_event(caller, [task])
    if not event.fulfilments:
        raise refused(422, "the Task could not be read", "Task")
    return event.fulfilments[0]


def check_fixed(before: Json, after: Json) -> None:
    """What identifies a referral Task stays; who has it, has it.

    Raises:
        Refused: 409, it has another owner, as for any late claim; 422, another element changed.
    """
    if "owner" in before and _same(after["owner"]) != _same(before["owner"]):
        text = "the Task has an owner already, and keeps it; send another Task to another owner"
        raise refused(409, text, "Task.owner", rule="claimed")
    changed = [
        Issue(ERROR, "business-rule", f"Task.{name}", "cannot be changed by an update", "fixed")
        for name in FIXED
        if name in after and name in before and _same(before[name]) != _same(after[name])
    ]
    if changed:
        raise Refused(422, changed)


def _same(value: Any) -> Any:
    """What two versions of an element are compared by: a reference's target, not its words."""
    if isinstance(value, dict) and "reference" in value:
        return value["reference"]
    return value


def added(before: Json, after: Json) -> dict[str, list[Json]]:
    """The outputs and notes that are new, by the element's name.

    Raises:
        Refused: 422, an output was taken away or changed.
    """
    found: dict[str, list[Json]] = {}
    for name in ("output", "note"):
        held = [_plain(each) for each in before.get(name, ())]
        given = after.get(name)
        if given is not None and name == "output":
            left = [_plain(each) for each in given]
            if any(each not in left for each in held):
                text = "outputs are added, never changed or taken away"
                raise refused(422, text, "Task.output", code="business-rule", rule="append-only")
        found[name] = [each for each in given or () if _plain(each) not in held]
    return found


def _plain(value: Json) -> bytes:
    return orjson.dumps(orjson.loads(dump(value)), option=orjson.OPT_SORT_KEYS)
