"""create, update and patch in one store transaction (FHIR R4 3.1.0.4, 3.1.0.6, 3.1.0.8).

A resource is checked before it comes here. What is refused leaves nothing behind but a line in the
journal, where the room refused a move.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from adapter.api.body import check_resource
from adapter.api.caller import SITE, Caller
from adapter.api.faults import Refused, refused
from adapter.api.links import check_links, relative
from adapter.api.offered import ROOM, TYPES
from adapter.api.patches import Patch
from adapter.api.query import Query, matches
from adapter.api.referrals import change_request, change_task, new_task
from adapter.api.subscriptions import resubscribed, subscribed
from adapter.api.task_kinds import check_patients, is_referral_task
from adapter.exchange.projection import written_by_client
from adapter.fhir.bundles import references
from adapter.store.ids import new_id
from adapter.store.resources import ResourceRow

Json = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What a write left: the version, whether it is new, or the refusal of the room."""

    row: ResourceRow | None
    created: bool = False
    blocked: Refused | None = None


def create(
    caller: Caller,
    resource: Json,
    *,
    if_none_exist: str | None = None,
    identity: str | None = None,
    coming: Iterable[str] = (),
) -> Written:
    """Store a new resource under an id of ours, or give the one that `if_none_exist` finds.

    Raises:
        Refused: 412, the condition finds several; 409 or 422, it may not be like this.
    """
    kind = resource["resourceType"]
    caller.must("create", kind)
    if if_none_exist is not None:
        found = existing(caller, kind, if_none_exist)
        if found is not None:
            return Written(row=found)
    made = _content(resource, identity or new_id(), caller.base)
    check_links(caller, made, coming)
    caller.own(kind, made["id"])
    if kind == "Task" and is_referral_task(made):
        new_task(caller, made)
    elif kind == "Subscription":
        _put(caller, subscribed(caller, made))
    else:
        if kind == "Task":
            check_patients(made)
        _put(caller, made)
    return _written(caller, made, created=True)


def existing(
    caller: Caller, kind: str, query: str, at: str = "http.if-none-exist"
) -> ResourceRow | None:
    """The one resource that a condition finds; 412 if there are several (FHIR R4 3.1.0.8.2).

    Whoever asks the same at the same time waits here, so that only one of them creates.
    """
    asked = parse_qsl(query.partition("?")[2] if "?" in query else query, keep_blank_values=True)
    if not asked:
        raise refused(400, "the condition is a search", at)
    lock = f"if-none-exist|{caller.party}|{kind}|{sorted(asked)}"
    caller.tx.state.put(SITE, lock, b"", organization=caller.service.organization)
    found = matches(caller, Query.of(kind, asked, base=caller.base), 2)
    if len(found) > 1:
        text = "the condition finds several; make it more precise"
        raise refused(412, text, at, code="multiple-matches")
    return found[0] if found else None


def update(
    caller: Caller,
    kind: str,
    identity: str,
    resource: Json,
    *,
    version: int | None = None,
    coming: Iterable[str] = (),
) -> Written:
    """Store the next version of a resource that is here.

    Raises:
        Refused: 405, there is none (ids are given by this server); 412, it is another version by
            now; 409 or 422, it may not be like this.
    """
    row = current(caller, kind, identity, version)
    return _change(caller, row, _content(resource, identity, caller.base), coming)


def update_where(caller: Caller, query: str, resource: Json, version: int | None) -> Written:
    """Conditional update: the one that a search finds, or a new one (FHIR R4 3.1.0.4.3).

    Raises:
        Refused: 412, the search finds several; 400, there is none, or the id is another one.
    """
    kind = resource["resourceType"]
    if not query:
        raise refused(400, "say which one: Type/id, or a search", "http.url")
    found = existing(caller, kind, query, "http.url")
    if found is None:
        return create(caller, resource)
    if resource.get("id", found.id) != found.id:
        raise refused(400, "the search finds another id", f"{kind}.id")
    return update(caller, kind, found.id, {**resource, "id": found.id}, version=version)


def patch(caller: Caller, identity: str, change: Patch, version: int | None) -> Written:
    """Change some elements of a Task."""
    row = current(caller, "Task", identity, version, missing=404)
    after = change({**row.content, "id": identity})
    check_resource(after)
    if "output" in row.content and "output" not in after:
        text = "outputs are added, never changed or taken away"
        raise refused(422, text, "Task.output", code="business-rule", rule="append-only")
    return _change(caller, row, _content(after, identity, caller.base), ())


def current(
    caller: Caller, kind: str, identity: str, version: int | None, *, missing: int = 405
) -> ResourceRow:
    """The newest version, if it is the one that the client knows."""
    caller.must("update", kind)
    row = caller.get(kind, identity) if kind in TYPES else None
    if row is None:
        if caller.party is not None:
            missing = 404  # as a read says it; no difference tells that another's is there
        text = f"there is no such {kind} here; create it with POST, this server gives the id"
        raise refused(missing, text, "http.url")
    if version is not None and version != row.version:
        text = f"the newest version is {row.version}; read it and try again"
        raise refused(412, text, "http.if-match")
    return row


def _change(caller: Caller, row: ResourceRow, after: Json, coming: Iterable[str]) -> Written:
    before = {**row.content, "id": row.id}
    if row.type != "Task" and not caller.compartment.owns(row):
        text = "this record is another organization's; it may be read here, not written"
        raise refused(403, text, row.type, rule="not-owner")
    held = (each["reference"] for each in references(before))
    check_links(caller, after, (*coming, *held))  # what stood there may be another's to see
    if row.type == "Subscription":
        after = resubscribed(caller, before, after)
    blocked = None
    in_room = row.referral is not None and row.type in ROOM
    if row.type == "Task":
        blocked = change_task(caller, before, after)
    elif row.type == "ServiceRequest":
        blocked = change_request(caller, after)
        in_room = caller.tx.cases.get(row.id) is not None
    elif row.referral is not None and not written_by_client(row.id):
        text = "this record is written by the referral that it belongs to, and not by clients"
        raise refused(409, text, row.type, code="business-rule", rule="projected")
    if blocked is not None:
        return Written(row=row, blocked=blocked)
    if not in_room and _bare(before) != _bare(after):
        _put(caller, after, row.referral)
    return _written(caller, after, created=False)


def _put(caller: Caller, resource: Json, referral: str | None = None) -> None:
    caller.tx.resources.put(
        resource["resourceType"],
        resource["id"],
        organization=caller.service.organization,
        content=resource,
        referral=referral,
        last_updated=caller.at,
    )
    caller.service.ledger.watch(caller.tx)


def _written(caller: Caller, resource: Json, *, created: bool) -> Written:
    kind, own = resource["resourceType"], resource["id"]
    row = caller.get(kind, own)
    caller.wrote(f"{kind}/{own}", row, created=created)
    return Written(row=row, created=created)


def _content(resource: Json, identity: str, base: str) -> Json:
    """The resource as it is stored: our id, no version of somebody else's in meta."""
    made = {**relative(resource, base), "id": identity}
    meta = _bare_meta(resource)
    made.pop("meta", None)
    if meta:
        made["meta"] = meta
    return made


def _bare(resource: Json) -> Json:
    return {**resource, "meta": _bare_meta(resource)}


def _bare_meta(resource: Json) -> Json:
    meta = resource.get("meta") or {}
    return {name: meta[name] for name in meta if name not in ("versionId", "lastUpdated")}
