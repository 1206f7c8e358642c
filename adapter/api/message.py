"""$process-message: a message Bundle that asks for, changes or answers a referral (FHIR R4 2.4).

Requests and tasks are known by their identifiers: one that is here is changed, one that is not is
made. What they point to is stored with them. The same message again, by the id of its header, gets
the first answer again and does nothing.
"""

from __future__ import annotations

import hashlib
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response

from adapter.api.access import admitted
from adapter.api.body import check_accept, check_resource, resource_body
from adapter.api.bundle import transact
from adapter.api.caller import SITE, Caller
from adapter.api.faults import refused
from adapter.api.offered import ROOM, TYPES
from adapter.api.query import Query, matches
from adapter.api.response import FhirResponse
from adapter.api.steps import Step
from adapter.fhir.writer import dump
from adapter.store.ids import new_id
from adapter.store.resources import ResourceRow

Json = dict[str, Any]
FIXED = ("focus", "for", "requester", "owner", "intent", "meta")


async def process_message(request: Request) -> Response:
    """POST of a message Bundle to ``$process-message``."""
    door = admitted(request)
    check_accept(request)
    bundle = await resource_body(request)
    if bundle["resourceType"] == "Parameters":
        bundle = _content(bundle)
    if bundle.get("resourceType") != "Bundle" or bundle.get("type") != "message":
        raise refused(422, "a Bundle of the type message is needed", "Bundle.type", code="value")
    check_resource(bundle)
    header = bundle["entry"][0]["resource"] if bundle.get("entry") else {}
    if header.get("resourceType") != "MessageHeader":
        at = "Bundle.entry[0].resource"
        raise refused(422, "the first entry is a MessageHeader", at, code="structure")
    return FhirResponse(await door.write(lambda caller: _once(caller, bundle, header)))


def _content(parameters: Json) -> Json:
    """The message inside of Parameters (operation MessageHeader-process-message)."""
    listed = parameters.get("parameter")
    for each in listed if isinstance(listed, list) else ():
        if isinstance(each, dict) and each.get("name") == "content":
            found = each.get("resource")
            if isinstance(found, dict):
                return found
    raise refused(400, "give content", "Parameters.parameter", code="required")


def _once(caller: Caller, bundle: Json, header: Json) -> Json:
    """Do what a message asks, unless it came before."""
    caller.must("create", "Task")
    state, key = caller.tx.state, f"message|{caller.party}|{_message_id(bundle, header)}"
    digest = hashlib.sha256(dump(bundle)).digest()
    before = state.get(SITE, key)
    if before is not None and before[:32] != digest:
        text = "a message with this id came before with other content"
        raise refused(422, text, "Bundle.entry[0].resource.id", code="duplicate", rule="conflict")
    if before is not None:
        answer: Json = orjson.loads(before[32:])
        return answer
    made = _processed(caller, bundle, header)
    state.put(SITE, key, digest + dump(made), organization=caller.service.organization)
    return made


def _message_id(bundle: Json, header: Json) -> str:
    entry = bundle["entry"][0].get("fullUrl", "")
    return str(header.get("id") or entry or bundle.get("identifier", {}).get("value", ""))


def _processed(caller: Caller, bundle: Json, header: Json) -> Json:
    steps: list[Step] = []
    known: dict[str, str] = {}
    for index, entry in enumerate(bundle["entry"]):
        resource = entry.get("resource")
        if index == 0 or resource is None or resource["resourceType"] == "Bundle":
            continue
        if resource["resourceType"] not in TYPES:
            continue
        url = entry.get("fullUrl") or f"urn:entry:{index}"
        if resource.get("id"):
            known[f"{resource['resourceType']}/{resource['id']}"] = url
        steps.append(_step(caller, index, resource, url))
    if not any(each.content["resourceType"] in ROOM for each in steps):
        text = "a message about a referral has a ServiceRequest or a Task"
        raise refused(422, text, "Bundle.entry", code="required")
    answers = transact(caller, steps, known)
    room = [each["resource"] for each in answers if each["resource"]["resourceType"] in ROOM]
    return _response(caller, header, room)


def _step(caller: Caller, index: int, resource: Json, url: str) -> Step:
    kind = resource["resourceType"]
    plain = {name: value for name, value in resource.items() if name != "id"}
    number = _number(resource)
    found = None
    if number and kind in ROOM:
        rows = matches(caller, Query.of(kind, [("identifier", number)], base=caller.base), 2)
        if len(rows) > 1:
            at = f"Bundle.entry[{index}].resource.identifier"
            raise refused(412, "several have this identifier", at, code="multiple-matches")
        found = rows[0] if rows else None
    content = _changed(found, plain) if found is not None else plain
    return Step(
        index=index,
        method="PUT" if found is not None else "POST",
        url=f"{kind}/{found.id}" if found is not None else kind,
        content=content,
        full_url=url,
        if_none_exist=f"identifier={number}" if number and kind not in ROOM else None,
        if_match=None,
    )


def _changed(row: ResourceRow, said: Json) -> Json:
    """A request or Task that is here, with what a message says anew; outputs are added."""
    content = {**row.content, **said, "id": row.id}
    if row.type == "Task":
        content |= {name: row.content[name] for name in FIXED if name in row.content}
    for name in ("output", "note", "identifier"):
        held = row.content.get(name, [])
        content[name] = held + [each for each in said.get(name, []) if each not in held]
        if not content[name]:
            del content[name]
    return content


def _number(resource: Json) -> str | None:
    """Its first identifier, as a search takes it."""
    held = resource.get("identifier")
    first = held[0] if isinstance(held, list) and held else held
    if not isinstance(first, dict) or not first.get("value"):
        return None
    return f"{first.get('system', '')}|{first['value']}" if first.get("system") else first["value"]


def _response(caller: Caller, header: Json, room: list[Json]) -> Json:
    """The message that answers (FHIR R4 2.4.3)."""
    own = new_id()
    answer: Json = {
        "resourceType": "MessageHeader",
        "id": own,
        **{name: header[name] for name in ("eventCoding", "eventUri") if name in header},
        "source": {"name": "Social prescribing adapter", "endpoint": caller.base},
        "destination": [{"endpoint": header.get("source", {}).get("endpoint", caller.base)}],
        "response": {"identifier": header.get("id", own), "code": "ok"},
        "focus": [{"reference": f"{each['resourceType']}/{each['id']}"} for each in room],
    }
    resources = [(f"urn:uuid:{own}", answer)]
    resources += [(f"{caller.base}/{e['resourceType']}/{e['id']}", e) for e in room]
    return {
        "resourceType": "Bundle",
        "id": new_id(),
        "type": "message",
        "timestamp": caller.at.isoformat(timespec="milliseconds"),
        "entry": [{"fullUrl": url, "resource": each} for url, each in resources],
    }
