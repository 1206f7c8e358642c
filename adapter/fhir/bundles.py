"""Bundles: building the five kinds we send, and finding what a reference in one names.

Sources: R4 Bundle (https://hl7.org/fhir/R4/bundle.html, resolving references) and the RESTful
transaction (https://hl7.org/fhir/R4/http.html#transaction). The checks of what is built are those
of `adapter.fhir.checks`; nothing here decides whether a Bundle is right.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

Json = dict[str, Any]
_REFERENCE = frozenset({"id", "extension", "reference", "type", "identifier", "display"})


def urn() -> str:
    """Return a new fullUrl for a resource that has no address yet."""
    return f"urn:uuid:{uuid.uuid4()}"


def post(resource: Json, *, full_url: str | None = None, if_none_exist: str | None = None) -> Json:
    """Return the entry that creates a resource, unless the search `if_none_exist` finds one."""
    request = {"method": "POST", "url": str(resource["resourceType"])}
    if if_none_exist:
        request["ifNoneExist"] = if_none_exist
    return {"fullUrl": full_url or urn(), "resource": resource, "request": request}


def put(
    resource: Json,
    *,
    full_url: str | None = None,
    url: str | None = None,
    if_match: str | None = None,
) -> Json:
    """Return the entry that updates a resource, at its own id unless `url` says otherwise.

    `url` may be a condition (`Patient?identifier=...`); `if_match` is the version expected.
    """
    request = {"method": "PUT", "url": url or f"{resource['resourceType']}/{resource['id']}"}
    if if_match:
        request["ifMatch"] = f'W/"{if_match}"'
    return {"fullUrl": full_url or urn(), "resource": resource, "request": request}


def get(url: str) -> Json:
    """Return the entry that reads or searches, for a batch."""
    return {"request": {"method": "GET", "url": url}}


def transaction(entries: Iterable[Json]) -> Json:
    """Return a Bundle whose entries (`post`, `put`, `get`) succeed or fail together."""
    return {"resourceType": "Bundle", "type": "transaction", "entry": list(entries)}


def batch(entries: Iterable[Json]) -> Json:
    """Return a Bundle whose entries are done one by one."""
    return {"resourceType": "Bundle", "type": "batch", "entry": list(entries)}


def message(
    header: Json, resources: Iterable[tuple[str, Json]], *, identifier: Json, timestamp: str
) -> Json:
    """Return a message: the MessageHeader first, then (fullUrl, resource) pairs.

    `identifier` and `timestamp` name this sending: a repeated one carries the same identifier.
    """
    entries = [{"fullUrl": urn(), "resource": header}]
    entries += [{"fullUrl": url, "resource": resource} for url, resource in resources]
    return {
        "resourceType": "Bundle",
        "identifier": identifier,
        "type": "message",
        "timestamp": timestamp,
        "entry": entries,
    }


def collection(resources: Iterable[tuple[str, Json]]) -> Json:
    """Return a Bundle of (fullUrl, resource) pairs that belong together."""
    entries = [{"fullUrl": url, "resource": resource} for url, resource in resources]
    return {"resourceType": "Bundle", "type": "collection", "entry": entries}


def searchset(
    matches: Iterable[tuple[str, Json]],
    *,
    included: Iterable[tuple[str, Json]] = (),
    outcome: Json | None = None,
    total: int | None = None,
    links: Mapping[str, str] | None = None,
) -> Json:
    """Return the answer to a search; `links` maps relations (self, next) to URLs."""
    made: Json = {"resourceType": "Bundle", "type": "searchset"}
    if total is not None:
        made["total"] = total
    if links:
        made["link"] = [{"relation": name, "url": url} for name, url in links.items()]
    entries = [_found(url, resource, "match") for url, resource in matches]
    entries += [_found(url, resource, "include") for url, resource in included]
    if outcome is not None:
        entries.append(_found(urn(), outcome, "outcome"))
    if entries:  # an empty array is not FHIR
        made["entry"] = entries
    return made


def _found(url: str, resource: Json, mode: str) -> Json:
    return {"fullUrl": url, "resource": resource, "search": {"mode": mode}}


def resources(bundle: Json, kind: str | None = None) -> Iterator[Json]:
    """Yield the resources of a Bundle's entries, of one type if `kind` says so."""
    for entry in bundle.get("entry") or ():
        resource = entry.get("resource")
        if type(resource) is dict and (kind is None or resource.get("resourceType") == kind):
            yield resource


@dataclass(frozen=True, slots=True)
class Found:
    """What a reference names: the resource, and the fullUrl of its entry ("" when contained)."""

    resource: Json
    full_url: str = ""


class Directory:
    """The resources of a Bundle, to be found by reference or by identifier."""

    def __init__(self, bundle: Json) -> None:
        self._by_url: dict[str, Json] = {}
        self._by_id: dict[str, list[str]] = {}
        for entry in bundle.get("entry") or ():
            url, resource = entry.get("fullUrl", ""), entry.get("resource")
            if type(resource) is not dict:
                continue
            url = url or f"{resource.get('resourceType')}/{resource.get('id')}"
            self._by_url.setdefault(url, resource)
            if "id" in resource:
                key = f"{resource['resourceType']}/{resource['id']}"
                self._by_id.setdefault(key, []).append(url)

    def resolve(self, reference: str, *, origin: Json, full_url: str = "") -> Found | None:
        """Return what a reference names, or None.

        `origin` is the resource that the reference stands in (its container, if it is contained)
        and `full_url` its entry's. Contained (`#id`, `#`) first; then by fullUrl, as it is or
        relative to the server of `full_url`; last, for senders whose fullUrls are UUIDs, by type
        and id where only one entry has them.
        """
        if reference.startswith("#"):
            held = contained(origin, reference)
            return Found(held, full_url if held is origin else "") if held is not None else None
        plain = reference.partition("/_history/")[0]
        for url in (plain, _against(full_url, plain)):
            if url and url in self._by_url:
                return Found(self._by_url[url], url)
        urls = self._by_id.get(plain, ())
        return Found(self._by_url[urls[0]], urls[0]) if len(urls) == 1 else None

    def identified(self, kind: str, system: str, value: str) -> Found | None:
        """Return the one resource of a type that has an identifier, or None."""
        found = [
            Found(resource, url)
            for url, resource in self._by_url.items()
            if resource.get("resourceType") == kind and has_identifier(resource, system, value)
        ]
        return found[0] if len(found) == 1 else None


def contained(resource: Json, anchor: str) -> Json | None:
    """Return the contained resource that `#id` names, the container itself for `#`, or None."""
    if anchor == "#":
        return resource
    for one in resource.get("contained") or ():
        if one.get("id") == anchor[1:]:
            held: Json = one
            return held
    return None


def has_identifier(resource: Json, system: str, value: str) -> bool:
    """Whether a resource carries an identifier, by system and value."""
    identifiers: Any = resource.get("identifier", [])
    listed = identifiers if type(identifiers) is list else [identifiers]
    return any(one.get("system") == system and one.get("value") == value for one in listed)


def _against(full_url: str, reference: str) -> str:
    """Return a relative reference's address on the server of an entry, or ""."""
    parts = full_url.rsplit("/", 2)
    if len(parts) != 3 or not full_url.startswith(("http://", "https://")):
        return ""
    return f"{parts[0]}/{reference}" if "://" not in reference else ""


def references(value: Any) -> Iterator[Json]:
    """Yield every Reference with a literal `reference` in a resource or Bundle."""
    if type(value) is dict:
        if type(value.get("reference")) is str and value.keys() <= _REFERENCE:
            yield value
        for part in value.values():
            yield from references(part)
    elif type(value) is list:
        for part in value:
            yield from references(part)


def rewrite(value: Any, change: Callable[[Json], Json | None]) -> Any:
    """Return the value with each Reference replaced by what `change` makes of it.

    `change` gets a Reference and returns a new one, or None to keep it. Nothing given is altered;
    parts without a change are shared with the original.
    """
    if type(value) is dict:
        if type(value.get("reference")) is str and value.keys() <= _REFERENCE:
            return change(value) or value
        made = {name: rewrite(part, change) for name, part in value.items()}
        return made if any(made[name] is not value[name] for name in made) else value
    if type(value) is list:
        items = [rewrite(part, change) for part in value]
        same = all(new is old for new, old in zip(items, value, strict=True))
        return value if same else items
    return value


def by_identifier(value: Any, identify: Callable[[str], tuple[str, Json] | None]) -> Any:
    """Return the value with literal references turned into identifier references.

    Ids mean nothing on another server; identifiers do. `identify` gives (type, Identifier) for a
    reference, or None for one that stays (contained, or unknown). The display is kept.
    """

    def change(reference: Json) -> Json | None:
        known = None if reference["reference"].startswith("#") else identify(reference["reference"])
        if known is None:
            return None
        kind, identifier = known
        made: Json = {"type": kind, "identifier": identifier}
        return made | {n: reference[n] for n in ("extension", "display") if n in reference}

    return rewrite(value, change)


def relink(value: Any, urls: Mapping[str, str]) -> Any:
    """Return the value with each reference that `urls` maps pointing to its new address."""

    def change(reference: Json) -> Json | None:
        new = urls.get(reference["reference"])
        return {**reference, "reference": new} if new is not None else None

    return rewrite(value, change)


def relink_own(value: Any, urls: Mapping[str, str]) -> None:
    """Do what `relink` does, in a value that nobody else holds: it is altered, not copied."""
    if type(value) is dict:
        url = value.get("reference")
        if type(url) is str and url in urls:
            value["reference"] = urls[url]
        for part in value.values():
            if type(part) is dict or type(part) is list:
                relink_own(part, urls)
    else:
        for part in value:
            if type(part) is dict or type(part) is list:
                relink_own(part, urls)


def conditional(kind: str, system: str, value: str) -> str:
    """Return the conditional reference that a transaction resolves on the receiving server."""
    return f"{kind}?identifier={quote(system, safe=':/')}%7C{quote(value, safe='')}"


def answers(bundle: Json) -> Sequence[tuple[str, str]]:
    """Return (status, location) of each entry of a batch or transaction response, in order."""
    found = []
    for entry in bundle.get("entry") or ():
        response = entry.get("response") or {}
        found.append((str(response.get("status", "")), str(response.get("location", ""))))
    return found
