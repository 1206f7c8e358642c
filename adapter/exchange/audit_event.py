"""Who looked at or changed what: a FHIR R4 AuditEvent in the shape of IHE Basic Audit Log Patterns.

IHE ITI BALP 1.1.3, patterns Create, Read, Update, Delete and Query: a client and a server agent,
each with its network; the person behind the client, where there is one; the adapter as observer;
the resource, the patient and the query as entities of their own kinds; X-Request-Id as transaction.
An event claims no profile: it is checked against the patterns by our tests, not by IHE's tools.
"""

from __future__ import annotations

import base64
import socket
from collections.abc import Mapping
from datetime import datetime
from functools import cache
from typing import Any, Literal

from adapter.exchange.whence import WHENCE

Action = Literal["C", "R", "U", "D"]
Coding = dict[str, str]
Json = dict[str, Any]

OBSERVER = "Social prescribing adapter"
_TYPE = "http://terminology.hl7.org/CodeSystem/audit-event-type"
_REST = "http://hl7.org/fhir/restful-interaction"
_DICOM = "http://dicom.nema.org/resources/ontology/DCM"
_ENTITY = "http://terminology.hl7.org/CodeSystem/audit-entity-type"
_ROLE = "http://terminology.hl7.org/CodeSystem/object-role"
_PARTICIPATION = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType"
_BALP_ENTITY = "https://profiles.ihe.net/ITI/BALP/CodeSystem/BasicAuditEntityType"
_MACHINE, _ADDRESS = "1", "2"  # http://hl7.org/fhir/network-type

REST: Coding = {"system": _TYPE, "code": "rest", "display": "Restful Operation"}
SUBTYPES: Mapping[str, Coding] = {
    action: {"system": _REST, "code": code, "display": code}
    for action, code in (
        ("C", "create"), ("R", "read"), ("U", "update"), ("D", "delete"), ("E", "search"),
    )
}  # fmt: skip
SOURCE: Coding = {"system": _DICOM, "code": "110153", "display": "Source Role ID"}
DESTINATION: Coding = {"system": _DICOM, "code": "110152", "display": "Destination Role ID"}
USER: Coding = {"system": _PARTICIPATION, "code": "IRCP", "display": "information recipient"}
PERSON: Coding = {"system": _ENTITY, "code": "1", "display": "Person"}
THING: Coding = {"system": _ENTITY, "code": "2", "display": "System Object"}
REQUEST: Coding = {"system": _BALP_ENTITY, "code": "XrequestId"}
PATIENT: Coding = {"system": _ROLE, "code": "1", "display": "Patient"}
RESOURCE: Coding = {"system": _ROLE, "code": "4", "display": "Domain Resource"}
QUERY: Coding = {"system": _ROLE, "code": "24", "display": "Query"}


def audit_event(
    action: Action,
    entity: str,
    *,
    actor: str,
    site: str,
    at: datetime,
    patient: str | None = None,
    role: str | None = None,
) -> Json:
    """One event: an actor of a site did `action` to `entity`.

    It names people by reference only: the audit outlives the person.

    Args:
        entity: a literal reference, ``Task/1``; a type alone, ``Task``, is a search of that type.
        actor: who; where it is the site itself, no person is behind it.
        patient: the id of the patient that it is about, where known.
        role: what the actor is, in a word.
    """
    search = "/" not in entity
    code = "E" if search else action
    reads = code == "R"
    event: Json = {
        "resourceType": "AuditEvent",
        "type": REST,
        "subtype": [SUBTYPES[code]],
        "action": code,
        "recorded": at.isoformat(timespec="milliseconds"),
        "outcome": "0",
        "agent": _agents(actor, site, role, reads=reads),
        "source": {"observer": {"display": OBSERVER}},
        "entity": [_query(entity) if search else _resource(entity)],
    }
    if patient is not None:
        event["entity"].append(
            {"what": {"reference": f"Patient/{patient}"}, "type": PERSON, "role": PATIENT}
        )
    whence = WHENCE.get()
    if whence is not None and whence.request is not None:
        event["entity"].append({"what": {"identifier": {"value": whence.request}}, "type": REQUEST})
    return event


def read_by_operator(about: str, *, what: str, at: datetime) -> Json:
    """An operator took something out of the store with a command: `what`, in words."""
    event = audit_event("R", about, actor="operator", site="command line", at=at, role="operator")
    event["entity"][0]["description"] = what
    return event


def _agents(actor: str, site: str, role: str | None, *, reads: bool) -> list[Json]:
    """Client, server, and the person at the client. What is read flows from the server."""
    whence = WHENCE.get()
    person = actor != site
    client: Json = {
        "type": {"coding": [DESTINATION if reads else SOURCE]},
        "who": {"display": f"site {site}"},
        "requestor": not person,
        "network": {"address": site, "type": _MACHINE}
        if whence is None
        else {"address": whence.address, "type": _ADDRESS},
    }
    server: Json = {
        "type": {"coding": [SOURCE if reads else DESTINATION]},
        "who": {"display": OBSERVER},
        "requestor": False,
        "network": {"address": _machine(), "type": _MACHINE},
    }
    if not person:
        return [client, server]
    user: Json = {"type": {"coding": [USER]}, "who": {"display": actor}, "requestor": True}
    if role is not None:
        user["role"] = [{"text": role}]
    return [client, server, user]


def _resource(reference: str) -> Json:
    return {"what": {"reference": reference}, "type": THING, "role": RESOURCE}


def _query(asked: str) -> Json:
    query = base64.b64encode(asked.encode()).decode()
    return {"type": THING, "role": QUERY, "query": query}


@cache
def _machine() -> str:
    return socket.gethostname() or "localhost"
