"""From the core's Bundle to what a peer's server is given.

The Bundle's resources carry our ids; no server is given another's logical ids. Each resource goes
without its id, linked to us by ``urn:uuid:`` and our id, so that a repetition finds it; the peer
gives ids of its own. A referral that came from another server goes on as a child order
(SDOH-CC 3.0, refer-1 and refer-2): intent filler-order, basedOn the request and partOf the Task
that it came from, by address and identifier.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import orjson

from adapter.plugin import DataError
from adapter_fhir.references import (
    URI,
    has_identifiers,
    identified,
    kind_of,
    linked,
    references,
    rewritten,
)

Json = dict[str, Any]
_URN = "urn:uuid:"
_KIND_FIRST = ("Task", "ServiceRequest")


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """One resource to be there: by what it is found again, and what it is called in the Bundle."""

    url: str
    resource: Json
    link: str

    @property
    def kind(self) -> str:
        """The resource type."""
        return str(self.resource["resourceType"])

    @property
    def condition(self) -> str:
        """The search that finds it, if it is there already (If-None-Exist)."""
        return f"identifier={quote(f'{URI}|{self.link}', safe=':|')}" if self.link else ""


class Outgoing:
    """The Bundle of one delivery, opened.

    Raises:
        DataError: it is no Bundle.
    """

    def __init__(self, body: bytes) -> None:
        try:
            bundle = orjson.loads(body)
        except orjson.JSONDecodeError:
            bundle = None
        entries = bundle.get("entry") if isinstance(bundle, dict) else None
        if not isinstance(entries, list):
            raise DataError(
                "fhir.no-bundle",
                "what is to be delivered is no FHIR Bundle",
                fix="Check the site's dialect and its mapping pack: adapter mappings check",
            )
        self.resources: dict[str, Json] = {
            each["fullUrl"]: each["resource"] for each in entries if "resource" in each
        }

    def one(self, kind: str, own: str | None = None) -> Json | None:
        """The resource of a type, of one id if `own` says so."""
        for resource in self.resources.values():
            if resource["resourceType"] == kind and (own is None or resource.get("id") == own):
                return resource
        return None

    def task(self, fulfilment: str | None) -> Json | None:
        """The Task of a fulfilment; the only one if none is named."""
        return self.one("Task", fulfilment)

    def url_of(self, resource: Json) -> str:
        """What a resource is called in this Bundle."""
        return next(url for url, each in self.resources.items() if each is resource)

    def pieces(self, wanted: Iterable[str]) -> list[Piece]:
        """These resources and what they refer to, each after what it refers to."""
        ordered: dict[str, Piece] = {}
        for url in wanted:
            self._add(url, ordered, set())
        return list(ordered.values())

    def _add(self, url: str, ordered: dict[str, Piece], above: set[str]) -> None:
        resource = self.resources.get(url)
        if resource is None or url in ordered or url in above:
            return
        for reference in references(resource):
            self._add(reference["reference"], ordered, above | {url})
        own = str(resource.get("id") or "")
        link = (f"{_URN}{own}" if own else url) if has_identifiers(resource["resourceType"]) else ""
        plain = {name: value for name, value in resource.items() if name != "id"}
        piece = identified(plain, link) if link else plain
        ordered[url] = Piece(url=url, resource=piece, link=link)


def as_order(pieces: Iterable[Piece], *, us: str, them: str, base: str) -> list[Piece]:
    """The pieces of a referral that we send: who asks and who is asked, and what it stands on."""
    made = []
    for piece in pieces:
        resource = piece.resource
        if piece.kind == "ServiceRequest":
            resource = _child_request(resource, base)
        elif piece.kind == "Task":
            resource = _child_task(resource, base)
            if us:
                resource = {**resource, "requester": {"reference": us}}
            if them:
                resource = {**resource, "owner": {"reference": them}}
        made.append(Piece(url=piece.url, resource=resource, link=piece.link))
    return made


def _child_request(request: Json, base: str) -> Json:
    parents = [each for each in linked(request) if kind_of(each) == "ServiceRequest"]
    if not parents:
        return request
    plain = _without_links(request, parents)
    return {**plain, "intent": "filler-order", "basedOn": [_pointing(p, base) for p in parents]}


def _child_task(task: Json, base: str) -> Json:
    parents = [each for each in linked(task) if kind_of(each) == "Task"]
    if not parents:
        return task
    return {**_without_links(task, parents), "partOf": [_pointing(p, base) for p in parents]}


def _without_links(resource: Json, links: list[str]) -> Json:
    kept = [
        each
        for each in resource["identifier"]
        if not (each.get("system") == URI and each.get("value") in links)
    ]
    return {**resource, "identifier": kept}


def _pointing(address: str, base: str) -> Json:
    """To a parent: literally on the same server, absolutely elsewhere, by identifier everywhere."""
    own = address.removeprefix(f"{base}/")
    return {"reference": own, "identifier": {"system": URI, "value": address}}


def transaction(pieces: Iterable[Piece]) -> Json:
    """The pieces as one transaction, each created unless it is there."""
    entries = []
    for piece in pieces:
        request = {"method": "POST", "url": piece.kind}
        if piece.condition:
            request["ifNoneExist"] = piece.condition
        entries.append({"fullUrl": piece.url, "resource": piece.resource, "request": request})
    return {"resourceType": "Bundle", "type": "transaction", "entry": entries}


def placed(resource: Json, places: Mapping[str, str]) -> Json:
    """A resource whose references lead to where their targets are now."""

    def change(reference: Json) -> Json:
        place = places.get(reference["reference"])
        if place:
            return {**reference, "reference": place}
        if not reference["reference"].startswith(_URN):
            return reference
        kept = {name: value for name, value in reference.items() if name != "reference"}
        return kept or {"display": "not sent"}

    changed: Json = rewritten(resource, change)
    return changed


def direct(task: Json, own_fhir: str, kinds: Mapping[str, str]) -> Json:
    """A Task alone: its references lead to our server, absolutely (SDOH-CC 3.0, Task, focus)."""

    def change(reference: Json) -> Json:
        literal = reference["reference"]
        kind = kinds.get(literal)
        if kind is None:
            return reference
        return {**reference, "reference": f"{own_fhir}/{kind}/{literal.removeprefix(_URN)}"}

    changed: Json = rewritten(task, change)
    return changed
