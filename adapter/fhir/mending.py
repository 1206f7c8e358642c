"""Mending what a peer sent where its intent is plain.

Each habit below was met in a real sender: numeric ids and values, `null` and empty values, a lone
value for an array and the other way round, codes in the wrong case, old or local names of a system,
`%7C` for the bar of a canonical, a bare UUID as fullUrl, `&nbsp;` in a narrative, elements that R4
does not have. Nothing is guessed: a value that could mean two things is left for the checks to
refuse.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from adapter.fhir.bindings import enforced, members
from adapter.fhir.definitions import ElementDefinition, is_primitive, place, resource_types
from adapter.fhir.explain import MOST_DEPTH, label
from adapter.fhir.narrative import without_names
from adapter.fhir.outcome import WARNING, Issue
from adapter.fhir.shape import Shape, shape, sibling
from adapter.fhir.systems import usual_system

_TEXT = frozenset({"string", "markdown", "code", "id", "uri", "url", "canonical", "oid", "uuid"})
_WHOLE = frozenset({"integer", "unsignedInt", "positiveInt"})
_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]{0,18})")
_DECIMAL = re.compile(r"-?(?:0|[1-9][0-9]{0,30})(?:\.[0-9]{1,30})?")
_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_NOTHING = object()
# A document of nothing but faults is not worth listing to the end.
MOST_NOTES = 500


@dataclass(frozen=True, slots=True)
class Lost:
    """A part of the input that the resource does not hold: where it was, why, and its raw value."""

    expression: str
    why: str
    raw: Any = field(repr=False)


@dataclass(frozen=True, slots=True)
class Mended:
    """A resource after mending, a warning for each kind of change, and what was left out."""

    resource: dict[str, Any] = field(repr=False)
    issues: tuple[Issue, ...]
    lost: tuple[Lost, ...]


def mend(resource: dict[str, Any], *, keep_unknown: bool = False) -> Mended:
    """Return a mended copy of a resource whose resourceType is known.

    With `keep_unknown` elements that R4 does not have stay, for one who reports them as lost.
    """
    work = _Mending(keep_unknown)
    made = work.object(resource, shape(resource["resourceType"]), resource["resourceType"], 0)
    whole = made if type(made) is dict else {"resourceType": resource["resourceType"]}
    return Mended(whole, tuple(work.issues), tuple(work.lost))


class _Mending:
    def __init__(self, keep_unknown: bool = False) -> None:
        self.keep_unknown = keep_unknown
        self.issues: list[Issue] = []
        self.lost: list[Lost] = []

    def note(self, at: str, text: str, rule: str) -> None:
        if len(self.issues) < MOST_NOTES:
            self.issues.append(Issue(WARNING, "value", at, text, rule))

    def lose(self, at: str, why: str, raw: Any, rule: str) -> None:
        self.lost.append(Lost(at, why, raw))
        self.note(at, f"left out: {why}", rule)

    def object(self, node: Any, one: Shape, at: str, depth: int) -> Any:
        """Return the mended object, or `_NOTHING` when it is empty."""
        if type(node) is not dict or depth > MOST_DEPTH:
            return node
        made: dict[str, Any] = {}
        for name, value in node.items():
            if one.resource and name == "resourceType":
                made[name] = value
                continue
            element = one.names.get(name)
            plain = sibling(name, one.names) if element is None else None
            if element is not None:
                kept = self.element(element, value, f"{at}.{label(element)}", depth)
            elif plain is not None:
                kept = value if value not in (None, [], {}) else _NOTHING
            else:
                why = f"R4 knows no such element in {one.owner}"
                if self.keep_unknown:
                    self.note(f"{at}.{name}", why, "unknown-element")
                    made[name] = value
                    continue
                self.lose(f"{at}.{name}", why, value, "unknown-element")
                continue
            if kept is not _NOTHING:
                made[name] = kept
        return made if made or one.resource else self.empty(at)

    def empty(self, at: str) -> Any:
        self.note(at, "an empty value was left out", "empty")
        return _NOTHING

    def element(self, element: ElementDefinition, value: Any, at: str, depth: int) -> Any:
        if value is None or value == [] or value == {} or value == "":
            return self.empty(at)
        if element.repeats:
            return self.items(element, value, at, depth)
        if type(value) is list:
            for extra in value[1:]:
                self.lose(at, "only one value is allowed here", extra, "one-value")
            self.note(at, "an array was read as its first value", "array-for-one")
            return self.element(element, value[0], at, depth)
        return self.value(element, value, at, depth)

    def items(self, element: ElementDefinition, value: Any, at: str, depth: int) -> Any:
        if type(value) is not list:
            self.note(at, "a lone value was read as an array of one", "one-for-array")
            value = [value]
        made: list[Any] = []
        for index, item in enumerate(value):
            if item is None:
                if is_primitive(element.types[0] if element.types else ""):
                    made.append(item)  # it may stand beside an extension in the _ sibling
                continue
            kept = self.value(element, item, f"{at}[{index}]", depth)
            if kept is not _NOTHING:
                made.append(kept)
        return made or self.empty(at)

    def value(self, element: ElementDefinition, value: Any, at: str, depth: int) -> Any:
        kind = element.types[0] if element.types else ""
        if is_primitive(kind):
            return self.primitive(element, kind, value, at)
        owner, below = place(element)
        if owner != "Resource":
            return self.object(value, shape(owner, below), at, depth + 1)
        named = value.get("resourceType") if type(value) is dict else None
        if type(named) is str and named in resource_types():
            return self.object(value, shape(named), at, depth + 1)
        self.lose(at, "not an R4 resource type", value, "unknown-resource")
        return _NOTHING

    def primitive(self, element: ElementDefinition, kind: str, value: Any, at: str) -> Any:
        if kind in _TEXT:
            return self.text(element, kind, value, at)
        if type(value) is not str:
            return value
        if kind == "xhtml":
            return self.narrative(value, at)
        read = _number_in(kind, value.strip())
        if read is not _NOTHING:
            self.note(at, f"a string was read as {kind}", "string-for-value")
            return read
        if kind in {"date", "dateTime", "instant", "time"} and value != value.strip():
            self.note(at, "spaces around the value were left out", "spaces")
            return value.strip()
        return value

    def narrative(self, value: str, at: str) -> str:
        plain = without_names(value)
        if plain != value:
            self.note(at, "named characters of HTML were read as numbers", "html-entity")
        return plain

    def text(self, element: ElementDefinition, kind: str, value: Any, at: str) -> Any:
        if type(value) in (int, float, Decimal):
            self.note(at, "a number was read as a string", "number-for-string")
            value = str(value)
        if type(value) is not str:
            return value
        if not value.strip():
            return self.empty(at)
        if kind in {"string", "markdown"} and element.path != "Reference.reference":
            return value
        if value != value.strip():
            self.note(at, "spaces around the value were left out", "spaces")
            value = value.strip()
        if kind == "code":
            return self.code(element, value, at)
        return self.address(element, kind, value, at)

    def code(self, element: ElementDefinition, value: str, at: str) -> str:
        bound = enforced(element.binding)
        listed = members(bound) if bound else None
        if listed is None or value in listed:
            return value
        alike = [code for code in listed if code.lower() == value.lower()]
        if len(alike) != 1:
            return value
        self.note(at, f"'{alike[0]}' was sent in another case", "case")
        return alike[0]

    def address(self, element: ElementDefinition, kind: str, value: str, at: str) -> str:
        if kind == "canonical" and "%7c" in value.lower():
            self.note(at, "%7C was read as the bar before a version", "escaped-bar")
            return value.replace("%7C", "|").replace("%7c", "|")
        if value.lower().startswith("urn:uuid:") and value != value.lower():
            self.note(at, "a UUID in capitals was read in lower case", "uuid-case")
            return value.lower()
        if element.path == "Bundle.entry.fullUrl" and _UUID.fullmatch(value):
            self.note(at, "a bare UUID was read as urn:uuid:", "bare-uuid")
            return f"urn:uuid:{value.lower()}"
        if element.name == "system" and (usual := usual_system(value)) != value:
            self.note(at, f"another name of {usual}", "system-alias")
            return usual
        return value


def _number_in(kind: str, value: str) -> Any:
    """Return the number or boolean that a string plainly states, or `_NOTHING`."""
    if kind == "boolean" and value.lower() in {"true", "false"}:
        return value.lower() == "true"
    if kind in _WHOLE and _INTEGER.fullmatch(value):
        return int(value)
    if kind == "decimal" and _DECIMAL.fullmatch(value):
        return Decimal(value) if "." in value else int(value)
    return _NOTHING
