"""References and containment: what a Reference names, and whether it is there.

Sources: R4 references (https://hl7.org/fhir/R4/references.html), Bundle resolution
(https://hl7.org/fhir/R4/bundle.html#references); invariants ref-1 and dom-2 to dom-5.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from adapter.fhir.definitions import resource_types

Json = dict[str, Any]
_REST = re.compile(
    r"(?:[A-Za-z][A-Za-z0-9+.-]*://[^\s?#]+/)?([A-Z][A-Za-z]+)/([A-Za-z0-9\-.]{1,64})"
    r"(?:/_history/[A-Za-z0-9\-.]{1,64})?"
)
_CONDITIONAL = re.compile(r"([A-Z][A-Za-z]+)\?\S+")
_ABSOLUTE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
# Bundles whose entries must be able to find each other; a searchset or history shows what it has.
CLOSED = frozenset({"transaction", "batch", "message", "document", "collection"})


@dataclass(slots=True)
class Found:
    """References met on the way that cannot be judged alone: (reference, targets, where).

    `local` name a contained resource (`#id`), `bundled` another entry (`urn:uuid:`, `urn:oid:`).
    `compiled` counts new plans of the fast pass.
    """

    local: list[tuple[str, tuple[str, ...], str]] = field(default_factory=list)
    bundled: list[tuple[str, tuple[str, ...], str]] = field(default_factory=list)
    compiled: int = 0


def named_type(reference: str) -> str | None:
    """Return the resource type that a literal reference names, or None when it names none."""
    match = _REST.fullmatch(reference) or _CONDITIONAL.fullmatch(reference)
    return match.group(1) if match and match.group(1) in resource_types() else None


def reference_fault(reference: str, targets: tuple[str, ...]) -> str | None:
    """Say what is wrong with a relative or absolute literal reference, or None."""
    kind = named_type(reference)
    if kind is None:
        if _ABSOLUTE.match(reference):
            return None
        return "must be Type/id with an R4 resource type, an absolute URL, urn:uuid: or #id"
    if targets and kind not in targets and "Resource" not in targets:
        return f"must refer to {' or '.join(targets)}, not to {kind}"
    return None


def objects(value: Any) -> Iterator[Json]:
    """Yield the objects of an array; nothing where there is no array."""
    for one in value if type(value) is list else ():
        if type(one) is dict:
            yield one


def contained_types(resource: Json) -> dict[str, str]:
    """Map `#id` of each contained resource to its type; `#` is the container."""
    found = {"#": str(resource.get("resourceType"))}
    for one in objects(resource.get("contained")):
        if "id" in one:
            found[f"#{one['id']}"] = str(one.get("resourceType"))
    return found


def entry_types(bundle: Json) -> dict[str, str]:
    """Map the fullUrl of each entry to its resource's type."""
    found: dict[str, str] = {}
    for entry in objects(bundle.get("entry")):
        if type(resource := entry.get("resource")) is dict:
            found[str(entry.get("fullUrl"))] = str(resource.get("resourceType"))
    return found


def target_fault(kind: str | None, targets: tuple[str, ...], missing: str) -> str | None:
    """Say what is wrong with a reference that resolved to `kind` (None: it did not), or None."""
    if kind is None:
        return missing
    if targets and kind not in targets:
        return f"must refer to {' or '.join(targets)}, not to {kind}"
    return None


def used_anchors(node: Any) -> Iterator[str]:
    """Yield every string of the form `#...` below a node (references and canonicals, dom-3)."""
    stack = [node]
    while stack:
        one = stack.pop()
        if type(one) is dict:
            stack.extend(one.values())
        elif type(one) is list:
            stack.extend(one)
        elif type(one) is str and one.startswith("#"):
            yield one


def containment_faults(resource: Json) -> Iterator[tuple[str, str, str]]:
    """Yield (path below the resource, rule, text) for each broken rule on contained resources."""
    contained = resource.get("contained")
    if type(contained) is not list:
        return
    used = set(used_anchors(resource))
    seen: set[str] = set()
    for index, one in enumerate(contained):
        if type(one) is not dict:
            continue
        at = f"contained[{index}]"
        yield from _one_contained(one, at)
        name = one.get("id")
        if type(name) is not str:
            yield f"{at}.id", "dom-3", "a contained resource needs an id to be referred to by"
            continue
        if name in seen:
            yield f"{at}.id", "dom-3", "two contained resources must not have the same id"
        seen.add(name)
        # A contained resource may instead point at its container (R4, dom-3).
        if f"#{name}" not in used and "#" not in set(used_anchors(one)):
            yield at, "dom-3", "a contained resource must be referred to from its container"


def _one_contained(one: Json, at: str) -> Iterator[tuple[str, str, str]]:
    meta = one.get("meta")
    meta = meta if type(meta) is dict else {}
    if "contained" in one:
        yield f"{at}.contained", "dom-2", "a contained resource must not contain others"
    for name in ("versionId", "lastUpdated"):
        if name in meta:
            yield f"{at}.meta.{name}", "dom-4", f"a contained resource has no {name}"
    if "security" in meta:
        yield (
            f"{at}.meta.security",
            "dom-5",
            "a contained resource has no security labels of its own",
        )
