"""Invariants of what resources travel in and of the workflow around them.

Bundle, Parameters, List, Composition, Task and AuditEvent; those that need the whole resource
(containment, references within) are in `adapter.fhir.links`.
"""

from __future__ import annotations

from collections.abc import Callable

from adapter.fhir.invariants.rule import (
    Invariant,
    Node,
    distinct,
    each,
    has,
    has_choice,
    in_order,
)

REQUESTS = {"batch", "transaction", "history"}
RESPONSES = {"batch-response", "transaction-response", "history"}


def _entries_have(name: str, types: set[str]) -> Callable[[Node], bool]:
    def holds(node: Node) -> bool:
        wanted = node.get("type") in types
        return all((name in entry) == wanted for entry in each(node, "entry"))

    return holds


def _first_is(kind: str, bundle_type: str) -> Callable[[Node], bool]:
    def holds(node: Node) -> bool:
        if node.get("type") != bundle_type:
            return True
        entries = node.get("entry") or [{}]
        return bool((entries[0].get("resource") or {}).get("resourceType") == kind)

    return holds


def _full_urls_differ(node: Node) -> bool:
    if node.get("type") == "history":
        return True
    seen = []
    for entry in each(node, "entry"):
        if url := entry.get("fullUrl"):
            meta = (entry.get("resource") or {}).get("meta") or {}
            seen.append((url, meta.get("versionId")))
    return distinct(seen)


def _parameter(node: Node) -> bool:
    held = has_choice(node, "value") + has(node, "resource")
    return held == 0 if has(node, "part") else held == 1


EXCHANGE = (
    Invariant(
        "bdl-1",
        "only a searchset or history may have a total",
        lambda d: d.get("type") in {"searchset", "history"},
        on=("total",),
        at="total",
    ),
    Invariant(
        "bdl-2",
        "only a searchset may have entry.search",
        lambda d: (
            d.get("type") == "searchset" or not any(has(e, "search") for e in each(d, "entry"))
        ),
        on=("entry",),
        at="entry",
    ),
    Invariant(
        "bdl-3",
        "every entry of a batch, transaction or history has a request, and no other Bundle has one",
        _entries_have("request", REQUESTS),
        on=("entry",),
        at="entry",
    ),
    Invariant(
        "bdl-4",
        "every entry of a batch-response, transaction-response or history has a response,"
        " and no other Bundle has one",
        _entries_have("response", RESPONSES),
        on=("entry",),
        at="entry",
    ),
    Invariant(
        "bdl-5",
        "an entry needs a resource, a request or a response",
        lambda d: has(d, "resource", "request", "response"),
    ),
    Invariant(
        "bdl-7",
        "two entries must not have the same fullUrl and version",
        _full_urls_differ,
        on=("entry",),
        at="entry",
    ),
    Invariant(
        "bdl-8",
        "a fullUrl must not name a version",
        lambda d: "/_history/" not in d.get("fullUrl", ""),
        on=("fullUrl",),
        at="fullUrl",
    ),
    Invariant(
        "bdl-9",
        "a document needs an identifier with system and value",
        lambda d: (
            d.get("type") != "document" or {"system", "value"} <= (d.get("identifier") or {}).keys()
        ),
        at="identifier",
    ),
    Invariant(
        "bdl-10",
        "a document needs a timestamp",
        lambda d: d.get("type") != "document" or "timestamp" in d,
        at="timestamp",
    ),
    Invariant(
        "bdl-11",
        "the first entry of a document is its Composition",
        _first_is("Composition", "document"),
        at="entry",
    ),
    Invariant(
        "bdl-12",
        "the first entry of a message is its MessageHeader",
        _first_is("MessageHeader", "message"),
        at="entry",
    ),
    Invariant(
        "cmp-1",
        "a section needs a text, entries or sections",
        lambda d: has(d, "text", "entry", "section"),
    ),
    Invariant(
        "cmp-2",
        "emptyReason is only for a section without entries",
        lambda d: not has(d, "entry"),
        on=("emptyReason",),
        at="emptyReason",
    ),
    Invariant(
        "lst-1",
        "emptyReason is only for a list without entries",
        lambda d: not has(d, "entry"),
        on=("emptyReason",),
        at="emptyReason",
    ),
    Invariant(
        "lst-2",
        "only a list of changes may mark entries as deleted",
        lambda d: (
            d.get("mode") == "changes" or not any(has(e, "deleted") for e in each(d, "entry"))
        ),
        on=("entry",),
        at="entry",
    ),
    Invariant(
        "lst-3",
        "only a working list may date its entries",
        lambda d: d.get("mode") == "working" or not any(has(e, "date") for e in each(d, "entry")),
        on=("entry",),
        at="entry",
    ),
    Invariant(
        "inv-1@Parameters",
        "a parameter has one of value, resource or parts",
        _parameter,
    ),
    Invariant(
        "inv-1@Task",
        "lastModified must not be before authoredOn",
        lambda d: in_order(d.get("authoredOn"), d.get("lastModified")),
        on=("lastModified",),
        at="lastModified",
    ),
    Invariant(
        "inv-1@TestReport",
        "an action has either an operation or an assert",
        lambda d: has(d, "operation") != has(d, "assert"),
    ),
    Invariant(
        "sev-1",
        "an entity has either a name or a query",
        lambda d: not has(d, "query"),
        on=("name",),
        at="query",
    ),
)
