"""The fast pass: a yes for a resource without any issue, in one walk over its dicts.

`clean(resource)` is true only when `adapter.fhir.explain` would find nothing to say, warnings
included; when it is false, or raises one of `EXCEPTIONS`, that pass decides. It assumes the best
and checks as little as a yes needs, with the compiled functions of `adapter.fhir.plans`.
"""

from __future__ import annotations

from typing import Any

from adapter.fhir.bundle_rules import entry_fault
from adapter.fhir.invariants.exchange import REQUESTS, RESPONSES
from adapter.fhir.links import CLOSED, Found, contained_types, containment_faults
from adapter.fhir.plans import RESOURCES

EXCEPTIONS = (TypeError, AttributeError, KeyError, ValueError, IndexError, RecursionError)


def clean(resource: Any) -> bool:
    """Whether the resource certainly has no issue against base R4. May raise `EXCEPTIONS`."""
    return root(resource, Found())


def root(resource: Any, found: Found) -> bool:
    """Test a resource that is not contained: it, its contained ones, its entries' links."""
    kind = resource["resourceType"]
    outer, found.local = found.local, []
    bundled = found.bundled
    if kind == "Bundle":
        found.bundled = []
    if not RESOURCES[kind][tuple(resource)](resource, found):
        return False
    if (found.local or "contained" in resource) and not _contained_hold(resource, found):
        return False
    if kind == "Bundle" and not _entries_hold(resource, found):
        return False
    found.local, found.bundled = outer, bundled
    return True


def contained(resource: Any, found: Found) -> object:
    """Test a contained resource: its local references are its container's to judge."""
    return RESOURCES[resource["resourceType"]][tuple(resource)](resource, found)


def _contained_hold(resource: Any, found: Found) -> bool:
    types = contained_types(resource)
    return _resolved(found.local, types) and next(iter(containment_faults(resource)), None) is None


def _entries_hold(bundle: Any, found: Found) -> bool:
    """Test the rules on entries (plans.ELSEWHERE), their fullUrls, requests and links."""
    kind = bundle["type"]
    asks, answers, searched = kind in REQUESTS, kind in RESPONSES, kind == "searchset"
    types: dict[str, str] = {}
    for entry in bundle.get("entry", ()):
        if ("request" in entry) is not asks or ("response" in entry) is not answers:
            return False
        if not searched and "search" in entry:
            return False
        url, resource = entry.get("fullUrl", ""), entry.get("resource")
        if resource is not None and url:
            if url in types:
                return False
            types[url] = resource["resourceType"]
        if asks or searched or not url.startswith("urn:"):
            request = entry.get("request")
            plain = request and resource and request["url"] == resource["resourceType"]
            if not (plain and url.startswith("urn:")) and entry_fault(entry, kind) is not None:
                return False
    return not found.bundled or kind not in CLOSED or _resolved(found.bundled, types)


def _resolved(links: list[tuple[str, tuple[str, ...], str]], types: dict[str, str]) -> bool:
    for reference, targets, _ in links:
        kind = types.get(reference)
        if kind is None or (targets and kind not in targets):
            return False
    return True
