"""Invariants of the resources that define others: terminology, capabilities, test scripts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from adapter.fhir.invariants.rule import Invariant, Node, distinct, each, has

_NAME = re.compile(r"[A-Z]([A-Za-z0-9_]){0,254}")
_WORD = re.compile(r"\w+")
_NAMED = _WORD.findall(
    "adf cid cmd cpb cpd csd ees esc evd evi evv gdf ig lib mea msd nsd opd pdf red rsd rvs que sdf"
    " smp spd tcp tst vsd"
)


def _concepts(node: Node) -> Iterator[Any]:
    for concept in each(node, "concept"):
        yield concept.get("code")
        yield from _concepts(concept)


def _computable_name(node: Node) -> bool:
    name = node.get("name")
    return type(name) is not str or _NAME.fullmatch(name) is not None


def _one_of(*names: str) -> Any:
    def holds(node: Node) -> bool:
        return sum(has(node, name) for name in names) == 1

    return holds


def _slots(node: Node) -> bool:
    kind = (node.get("type") or {}).get("code")
    alone = sum(has(node, name) for name in ("targetId", "url", "params")) == 1
    return (
        has(node, "sourceId")
        or alone
        or kind in {"capabilities", "search", "transaction", "history"}
    )


_ASSERTIONS = _WORD.findall(
    "contentType expression headerField minimumId navigationLinks path requestMethod resource"
    " responseCode response validateProfileId"
)


def _one_assertion(node: Node) -> bool:
    names = _ASSERTIONS
    return has(node, "extension") or sum(has(node, name) for name in names) <= 1


def _software(node: Node) -> bool:
    return not has(node, "implementation") and has(node, "software")


def _no_root_uuid(node: Node) -> bool:
    return not any(one.get("type") == "uuid" for one in each(node, "uniqueId"))


TERMINOLOGY = (
    Invariant(
        "cmd-1",
        "a narrower or inexact match needs a comment",
        lambda d: has(d, "comment") or d.get("equivalence") not in {"narrower", "inexact"},
        on=("equivalence",),
        at="comment",
    ),
    Invariant(
        "cmd-2",
        "mode fixed needs a code",
        lambda d: d.get("mode") != "fixed" or has(d, "code"),
        at="code",
    ),
    Invariant(
        "cmd-3",
        "mode other-map needs a url",
        lambda d: d.get("mode") != "other-map" or has(d, "url"),
        at="url",
    ),
    Invariant(
        "csd-1",
        "a code may be defined only once",
        lambda d: distinct(list(_concepts(d))),
        on=("concept",),
        at="concept",
    ),
    Invariant(
        "nsd-1",
        "a root naming system cannot have a uuid",
        lambda d: d.get("kind") != "root" or _no_root_uuid(d),
        at="uniqueId",
    ),
    Invariant(
        "nsd-2",
        "only one preferred identifier of each type",
        lambda d: distinct(
            [u.get("type") for u in each(d, "uniqueId") if u.get("preferred") is True]
        ),
        at="uniqueId",
    ),
    Invariant(
        "vsd-1",
        "an include needs a system or value sets",
        lambda d: has(d, "valueSet", "system"),
    ),
    Invariant(
        "vsd-2",
        "concepts and filters need a system",
        lambda d: has(d, "system"),
        on=("concept", "filter"),
        at="system",
    ),
    Invariant(
        "vsd-3",
        "an include has either concepts or filters",
        lambda d: not has(d, "filter"),
        on=("concept",),
    ),
    Invariant(
        "vsd-6", "an expanded entry needs a code or a display", lambda d: has(d, "code", "display")
    ),
    Invariant(
        "vsd-9",
        "an expanded entry without a code must be abstract",
        lambda d: has(d, "code") or d.get("abstract") is True,
    ),
    Invariant(
        "vsd-10", "a code needs its system", lambda d: has(d, "system"), on=("code",), at="system"
    ),
)

CAPABILITY = (
    Invariant(
        "cpb-1",
        "a capability statement needs rest, messaging or document",
        lambda d: has(d, "rest", "messaging", "document"),
    ),
    Invariant(
        "cpb-2",
        "a capability statement needs a description, software or implementation",
        lambda d: has(d, "description", "software", "implementation"),
    ),
    Invariant(
        "cpb-3",
        "messaging endpoints are for kind instance",
        lambda d: (
            d.get("kind") == "instance" or not any(has(m, "endpoint") for m in each(d, "messaging"))
        ),
        on=("messaging",),
        at="messaging",
    ),
    Invariant(
        "cpb-7",
        "documents must differ in profile or mode",
        lambda d: distinct([(m.get("profile"), m.get("mode")) for m in each(d, "document")]),
        on=("document",),
        at="document",
    ),
    Invariant(
        "cpb-9",
        "a resource type may be listed only once",
        lambda d: distinct([r.get("type") for r in each(d, "resource")]),
        on=("resource",),
        at="resource",
    ),
    Invariant(
        "cpb-12",
        "a search parameter may be listed only once",
        lambda d: distinct([p.get("name") for p in each(d, "searchParam")]),
        on=("searchParam",),
        at="searchParam",
    ),
    Invariant(
        "cpb-14",
        "kind instance needs an implementation",
        lambda d: d.get("kind") != "instance" or has(d, "implementation"),
        at="implementation",
    ),
    Invariant(
        "cpb-15",
        "kind capability needs software and no implementation",
        lambda d: d.get("kind") != "capability" or _software(d),
        at="software",
    ),
    Invariant(
        "cpb-16",
        "kind requirements has neither implementation nor software",
        lambda d: d.get("kind") != "requirements" or not has(d, "implementation", "software"),
        at="implementation",
    ),
    Invariant(
        "tcp-2",
        "terminology capabilities need a description, software or implementation",
        lambda d: has(d, "description", "software", "implementation"),
    ),
    Invariant(
        "tcp-3",
        "kind instance needs an implementation",
        lambda d: d.get("kind") != "instance" or has(d, "implementation"),
        at="implementation",
    ),
    Invariant(
        "tcp-4",
        "kind capability needs software and no implementation",
        lambda d: d.get("kind") != "capability" or _software(d),
        at="software",
    ),
    Invariant(
        "tcp-5",
        "kind requirements has neither implementation nor software",
        lambda d: d.get("kind") != "requirements" or not has(d, "implementation", "software"),
        at="implementation",
    ),
    Invariant(
        "msq-5",
        "chromosome and genomeBuild go together",
        lambda d: has(d, "chromosome") == has(d, "genomeBuild"),
    ),
    Invariant(
        "msq-6",
        "a reference sequence has one of genomeBuild, referenceSeqId, -Pointer or -String",
        _one_of("genomeBuild", "referenceSeqId", "referenceSeqPointer", "referenceSeqString"),
    ),
    Invariant(
        "msq-3",
        "the coordinate system must be 0 or 1",
        lambda d: d.get("coordinateSystem") in {0, 1},
        at="coordinateSystem",
    ),
    Invariant(
        "mrp-1",
        "a data collection has no groups",
        lambda d: d.get("type") != "data-collection",
        on=("group",),
        at="group",
    ),
    Invariant(
        "mea-1",
        "a stratifier has either a code, description or criteria, or components",
        lambda d: all(
            has(one, "code", "description", "criteria") != has(one, "component")
            for group in each(d, "group")
            for one in each(group, "stratifier")
        ),
        on=("group",),
        at="group",
    ),
    Invariant(
        "mrp-2",
        "a stratum has either a value or components",
        lambda d: all(
            has(stratum, "value") != has(stratum, "component")
            for group in each(d, "group")
            for one in each(group, "stratifier")
            for stratum in each(one, "stratum")
        ),
        on=("group",),
        at="group",
    ),
    Invariant(
        "opd-1",
        "a parameter needs a type or parts",
        lambda d: has(d, "type", "part"),
    ),
    Invariant(
        "opd-2",
        "searchType is for string parameters",
        lambda d: d.get("type") == "string",
        on=("searchType",),
        at="searchType",
    ),
    Invariant(
        "opd-3",
        "targetProfile is for Reference and canonical parameters",
        lambda d: d.get("type") in {"Reference", "canonical"},
        on=("targetProfile",),
        at="targetProfile",
    ),
    Invariant(
        "sdf-4",
        "a type that is not abstract needs a baseDefinition",
        lambda d: d.get("abstract") is True or has(d, "baseDefinition"),
        at="baseDefinition",
    ),
    Invariant(
        "sdf-6",
        "a structure needs a snapshot or a differential",
        lambda d: has(d, "snapshot", "differential"),
    ),
    Invariant(
        "smp-1",
        "a target element needs a context",
        lambda d: has(d, "context"),
        on=("element",),
        at="context",
    ),
    Invariant(
        "smp-2",
        "a target context needs a contextType",
        lambda d: has(d, "contextType"),
        on=("context",),
        at="contextType",
    ),
    Invariant(
        "spd-1",
        "an xpath needs an xpathUsage",
        lambda d: has(d, "xpathUsage"),
        on=("xpath",),
        at="xpathUsage",
    ),
    Invariant(
        "spd-2",
        "chains are for reference parameters",
        lambda d: d.get("type") == "reference",
        on=("chain",),
        at="chain",
    ),
    Invariant(
        "tst-1", "an action has either an operation or an assert", _one_of("operation", "assert")
    ),
    Invariant(
        "tst-2", "an action has either an operation or an assert", _one_of("operation", "assert")
    ),
    Invariant(
        "inv-2",
        "an action has either an operation or an assert",
        _one_of("operation", "assert"),
    ),
    Invariant(
        "tst-4",
        "a capability must be required, validated or both",
        lambda d: all(has(c, "required", "validated") for c in each(d, "capability")),
        at="capability",
    ),
    Invariant("tst-5", "an assert tests one thing", _one_assertion),
    Invariant("tst-6", "an assert tests one thing", _one_assertion),
    Invariant("tst-7", "an operation needs one of targetId, url, params or sourceId", _slots),
    Invariant("tst-8", "an operation needs one of targetId, url, params or sourceId", _slots),
    Invariant("tst-9", "an operation needs one of targetId, url, params or sourceId", _slots),
)

NAMES = tuple(
    Invariant(
        f"{prefix}-0",
        "the name should start with a capital and hold letters, digits and underscores only",
        _computable_name,
        on=("name",),
        at="name",
        severity="warning",
    )
    for prefix in _NAMED
)

DEFINITIONAL = TERMINOLOGY + CAPABILITY + NAMES
