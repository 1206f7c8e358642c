"""A Bundle while it is read or built: resources by type and by reference, ids that stay the same.

Ids are uuid5 of the site and a resource's first identifier, else of the referral's identifier and
the resource's position, so that mapping the same message again gives the same Bundle.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from hashlib import sha1
from typing import Any
from urllib.parse import quote
from uuid import NAMESPACE_URL, uuid5

from adapter.fhir.claims import keep_true_claims
from adapter.plugin.formats import DomainError, Settings

SITE = "https://social-prescribing-adapter.example/site/"
_SAFE = ":/|.-_~"
_UNSAFE = re.compile(r"[^A-Za-z0-9:/|._~-]")
_VARIANT = {digit: "89ab"[int(digit, 16) & 3] for digit in "0123456789abcdef"}
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")

Resource = dict[str, Any]


@lru_cache(maxsize=256)
def _namespace(site: str) -> Any:
    """The digest of a site's namespace, to be copied and continued with a name."""
    return sha1(uuid5(NAMESPACE_URL, SITE + site).bytes, usedforsecurity=False)


@lru_cache(maxsize=4096)
def local_system(site: str, authority: str) -> str:
    """The identifier system of numbers that came with an authority's name and no URI."""
    return f"{SITE}{quote(site)}/{quote(authority)}"


class Graph:
    """The environment of FHIR codecs, and the Bundle that they read or write."""

    __slots__ = (
        "anchor",
        "entries",
        "head",
        "namespace",
        "places",
        "refs",
        "reported",
        "seen",
        "settings",
        "single",
    )

    def __init__(self, settings: Settings, anchor: str = "", single: str = "") -> None:
        self.settings = settings
        self.namespace = _namespace(settings.site)
        self.anchor = anchor
        self.single = single
        self.entries: list[dict[str, Any]] = []
        self.seen: dict[str, Resource] = {}
        self.refs: dict[str, Resource] = {}
        self.head: Resource = {}
        self.places: dict[int, tuple[Any, ...]] = {}
        self.reported: list[tuple[Any, ...]] = []

    def report(self, number: int, error: DomainError, where: Any = None) -> None:
        """Keep what a row with ``else: report`` left out."""
        self.reported.append((number, error.why, where))

    # -- reading ------------------------------------------------------------------------------

    def open(self, tree: Resource, trace: bool) -> dict[str, list[Resource]]:
        """The resources of a Bundle (or of one resource) by type; references become known."""
        types: dict[str, list[Resource]] = {}
        refs = self.refs
        if tree.get("resourceType") != "Bundle":
            types[tree["resourceType"]] = [tree]
            self.places[id(tree)] = ()
            return types
        types["Bundle"] = [tree]
        self.places[id(tree)] = ()
        for entry in tree.get("entry", ()):
            resource = entry.get("resource")
            if resource is None:
                continue
            kind = resource["resourceType"]
            if kind in types:
                types[kind].append(resource)
            else:
                types[kind] = [resource]
            if "fullUrl" in entry:
                refs[entry["fullUrl"]] = resource
            if "id" in resource:
                relative = f"{kind}/{resource['id']}"
                if relative not in refs:
                    refs[relative] = resource
        if trace:
            for number, entry in enumerate(tree.get("entry", ())):
                if entry.get("resource") is not None:
                    self.places[id(entry["resource"])] = ("entry", number, "resource")
        return types

    # -- writing ------------------------------------------------------------------------------

    def add(self, resource: Resource) -> dict[str, Any]:
        """An entry for a resource, and the reference to it; the same again is the same entry."""
        kind = resource["resourceType"]
        entries = self.entries
        if "id" in resource:
            own = resource["id"]
            url = "urn:uuid:" + (own if _UUID.fullmatch(own) else self._uuid(f"{kind}/{own}"))
            request = {"method": "PUT", "url": f"{kind}/{own}"}
        elif "identifier" in resource:
            first = resource["identifier"]
            first = first[0] if type(first) is list else first
            system, value = first.get("system"), first.get("value")
            url = "urn:uuid:" + self._uuid(f"{kind}|{system}|{value}")
            request = {"method": "POST", "url": kind}
            if system and value:
                found = f"{system}|{value}"
                if _UNSAFE.search(found):
                    found = quote(found, safe=_SAFE)
                request["ifNoneExist"] = f"identifier={found}"
        else:
            url = "urn:uuid:" + self._uuid(f"{self.anchor}|{kind}|{len(entries)}")
            request = {"method": "POST", "url": kind}
        if url in self.seen:
            if self.seen[url] == resource:
                return {"reference": url}
            url = "urn:uuid:" + self._uuid(f"{url}|{len(entries)}")
        self.seen[url] = resource
        entries.append({"fullUrl": url, "resource": resource, "request": request})
        return {"reference": url}

    def _uuid(self, name: str) -> str:
        # RFC 4122 4.3, written out: uuid.uuid5 spends three times as long on the same digest.
        digest = self.namespace.copy()
        digest.update(name.encode())
        h = digest.hexdigest()
        variant = _VARIANT[h[16]]
        return f"{h[:8]}-{h[8:12]}-5{h[13:16]}-{variant}{h[17:20]}-{h[20:32]}"

    def result(self) -> Resource:
        """The transaction Bundle, or the one resource that the map writes."""
        if self.single:
            for entry in self.entries:
                if entry["resource"]["resourceType"] == self.single:
                    found: Resource = entry["resource"]
                    return found
            return {"resourceType": self.single}
        for entry in self.entries:
            if "meta" in entry["resource"]:
                keep_true_claims(entry["resource"])
        return {"resourceType": "Bundle", **self.head, "type": "transaction", "entry": self.entries}


def linked(links: Iterable[Any], refs: Mapping[str, Resource]) -> dict[str, list[Resource]]:
    """The resources that References mean, by type; a reference that leads nowhere is left out."""
    types: dict[str, list[Resource]] = {}
    for link in links:
        resource = refs.get(link.get("reference"))
        if resource is not None:
            kind = resource["resourceType"]
            if kind in types:
                types[kind].append(resource)
            else:
                types[kind] = [resource]
    return types


def anchor_of(document: Mapping[str, Any]) -> str:
    """What identifies a referral for the ids of its parts."""
    referral = document.get("referral") or {}
    if "id" in referral:
        return str(referral["id"])
    for each in referral.get("identifiers") or ():
        return f"{each.get('system') or each.get('assigner')}|{each.get('value')}"
    return str((document.get("envelope") or {}).get("id", ""))
