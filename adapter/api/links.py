"""References in what is written: relative to this server, and to something that is there."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from adapter.api.caller import Caller
from adapter.api.faults import Refused
from adapter.api.offered import TYPES
from adapter.fhir.bundles import references, relink, rewrite
from adapter.fhir.outcome import ERROR, Issue
from adapter.store.transaction import Transaction

Json = dict[str, Any]
_LOCAL = re.compile(r"([A-Z][A-Za-z]+)/([A-Za-z0-9\-.]{1,64})(?:/_history/[0-9]+)?\Z")
DEEPEST = 6


def local(reference: str) -> tuple[str, str] | None:
    """Type and id of a relative reference, None for every other."""
    match = _LOCAL.match(reference)
    return (match[1], match[2]) if match else None


def relative(resource: Json, base: str) -> Json:
    """The resource with references to this server's own addresses made relative to it."""
    prefix = f"{base}/"

    def change(reference: Json) -> Json | None:
        said: str = reference["reference"]
        if not said.startswith(prefix):
            return None
        return {**reference, "reference": said.removeprefix(prefix)}

    made: Json = rewrite(resource, change)
    return made


def check_links(caller: Caller, resource: Json, coming: Iterable[str] = ()) -> None:
    """Refuse (422) a resource that points to something that is not here.

    `coming` are addresses that the same transaction writes. References to other servers, to
    contained resources and by identifier are not asked.
    """
    known = set(coming)
    missing = []
    for said, at in _placed(resource, str(resource["resourceType"])):
        if said in known or said.startswith("#"):
            continue
        if said.startswith(("urn:uuid:", "urn:oid:")):
            missing.append(Issue(ERROR, "not-found", at, "names no entry", "reference"))
            continue
        named = local(said)
        if named and f"{named[0]}/{named[1]}" not in known and not _there(caller, *named):
            text = f"there is no such {named[0]} here"
            missing.append(Issue(ERROR, "not-found", at, text, "reference"))
    if missing:
        raise Refused(422, missing)


def _there(caller: Caller, kind: str, identity: str) -> bool:
    return kind in TYPES and caller.get(kind, identity) is not None


def _placed(value: Any, at: str) -> Iterator[tuple[str, str]]:
    """Every literal reference and where it stands."""
    if isinstance(value, dict):
        said = value.get("reference")
        if isinstance(said, str) and next(references({**value}), None) is not None:
            yield said, f"{at}.reference"
        for name, part in value.items():
            yield from _placed(part, f"{at}.{name}")
    elif isinstance(value, list):
        for index, part in enumerate(value):
            yield from _placed(part, f"{at}[{index}]")


def gathered(tx: Transaction, roots: Iterable[Json]) -> Json:
    """A Bundle of resources and everything here that they point to, as a message would carry it."""
    found = reached(tx, roots)
    urls = {address: f"urn:uuid:{one['id']}" for address, one in found.items()}
    entries = [
        {"fullUrl": urls[address], "resource": relink(one, urls)} for address, one in found.items()
    ]
    return {"resourceType": "Bundle", "type": "collection", "entry": entries}


def reached(tx: Transaction, roots: Iterable[Json]) -> dict[str, Json]:
    """By address: resources and all that they point to here, but for other requests and tasks."""
    found: dict[str, Json] = {f"{each['resourceType']}/{each['id']}": each for each in roots}
    waiting = list(found.values())
    for _ in range(DEEPEST):
        below: list[Json] = []
        for resource in waiting:
            for reference in references(resource):
                named = local(reference["reference"])
                address = f"{named[0]}/{named[1]}" if named else ""
                if named is None or address in found or named[0] in ("Task", "ServiceRequest"):
                    continue
                row = tx.resources.get(*named)
                if row is not None and not row.deleted:
                    found[address] = {**row.content, "id": row.id}
                    below.append(found[address])
        waiting = below
    return found
