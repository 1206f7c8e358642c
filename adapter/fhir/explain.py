"""The explaining pass: every issue of a resource against base R4, each with its place.

Slower than `adapter.fhir.fast` and complete: it goes on after an issue, and never quotes values.
"""

from __future__ import annotations

from typing import Any

from adapter.fhir import primitives
from adapter.fhir.bindings import code_test, concept_test, described, enforced
from adapter.fhir.bundle_rules import entry_fault
from adapter.fhir.definitions import ElementDefinition, is_primitive, place, resource_types
from adapter.fhir.invariants import Invariant
from adapter.fhir.links import (
    CLOSED,
    Found,
    contained_types,
    containment_faults,
    entry_types,
    named_type,
    reference_fault,
    target_fault,
)
from adapter.fhir.outcome import ERROR, FATAL, WARNING, Issue
from adapter.fhir.shape import (
    ABSOLUTE_SYSTEMS,
    Shape,
    doubled,
    extension_url_holds,
    hollow,
    item_rules,
    missing,
    shape,
    sibling,
    unknown,
)

# Nobody acts on the ten-thousandth issue of one resource; the count stays bounded.
MOST_ISSUES = 500
# Deeper than any real resource; safe_json refuses such input before it comes here.
MOST_DEPTH = 100


class _FullError(Exception):
    """Stops the pass when there are more issues than anyone reads."""


class Explainer:
    """Walks one resource and gathers its issues."""

    def __init__(self) -> None:
        self.issues: list[Issue] = []
        self.found = Found()

    def run(self, resource: Any, where: str = "") -> list[Issue]:
        """Return the issues of a whole resource."""
        try:
            self._root(resource, where or _type_of(resource) or "Resource", 0)
        except _FullError:
            last = f"more than {MOST_ISSUES} issues; the rest are not listed"
            self.issues.append(Issue(ERROR, "too-costly", "", last, "too-many-issues"))
        return self.issues

    def _say(self, code: str, at: str, text: str, rule: str = "", severity: str = ERROR) -> None:
        self.issues.append(Issue(severity, code, at, text, rule))
        if len(self.issues) >= MOST_ISSUES:
            raise _FullError

    def _root(self, resource: Any, at: str, depth: int) -> None:
        outer, self.found.local = self.found.local, []
        bundled, self.found.bundled = self.found.bundled, []
        if self._resource(resource, at, depth):
            types = contained_types(resource)
            for reference, targets, where in self.found.local:
                missing_text = "no contained resource has this id"
                if fault := target_fault(types.get(reference), targets, missing_text):
                    self._say("not-found", where, fault, "ref-1")
            for below, rule, text in containment_faults(resource):
                self._say("invariant", f"{at}.{below}", text, rule)
            if resource.get("resourceType") == "Bundle":
                self._bundle(resource, at)
                self.found.bundled = []
        self.found.local = outer
        self.found.bundled = bundled + self.found.bundled

    def _bundle(self, bundle: Any, at: str) -> None:
        entries = bundle.get("entry")
        for index, entry in enumerate(entries if type(entries) is list else ()):
            if type(entry) is dict and (fault := entry_fault(entry, bundle.get("type"))):
                below, rule, text = fault
                self._say("invalid", f"{at}.entry[{index}].{below}", text, rule)
        kind = bundle.get("type")
        if type(kind) is not str or kind not in CLOSED:
            return
        types = entry_types({"entry": entries if type(entries) is list else []})
        for reference, targets, where in self.found.bundled:
            text = "no entry of the Bundle has this fullUrl"
            if said := target_fault(types.get(reference), targets, text):
                self._say("not-found", where, said, "bundle-reference")

    def _resource(self, resource: Any, at: str, depth: int) -> bool:
        """Check a resource of any type; False when it is not one."""
        if type(resource) is not dict:
            self._say("structure", at, "must be a resource: a JSON object", "json-type", FATAL)
            return False
        kind = resource.get("resourceType")
        if type(kind) is not str:
            text = "a resource must name its resourceType"
            self._say("structure", at, text, "resource-type", FATAL)
            return False
        if kind not in resource_types():
            text = f"'{kind}' is not an R4 resource type" if kind.isalpha() else "unknown type"
            self._say("structure", at, text, "resource-type", FATAL)
            return False
        self._object(resource, shape(kind), at, depth)
        return True

    def _object(self, node: Any, one: Shape, at: str, depth: int) -> None:
        if type(node) is not dict:
            self._say("structure", at, "must be a JSON object", "json-type")
            return
        if not node:
            self._say("structure", at, "must not be empty; leave the element out instead", "ele-1")
            return
        if depth > MOST_DEPTH:
            self._say("too-long", at, f"is nested more than {MOST_DEPTH} levels deep", "depth")
            return
        names = frozenset(node)
        before = len(self.issues)
        self._names(one, names, at)
        for name, value in node.items():
            element = one.names.get(name)
            if element is not None:
                self._element(node, element, value, f"{at}.{label(element)}", depth + 1)
            elif (plain := sibling(name, one.names)) is not None:
                self._sibling(node, plain, value, f"{at}.{label(plain)}", depth + 1)
        self._rules(node, one.rules, names, at, sound=len(self.issues) == before)

    def _names(self, one: Shape, names: frozenset[str], at: str) -> None:
        for name in sorted(unknown(one, names)):
            if name.isidentifier() and len(name) <= 64:
                text = f"{one.owner}{'.' if one.below else ''}{one.below} has no element '{name}'"
                self._say("structure", f"{at}.{name}", text, "unknown-element")
            else:
                self._say("structure", at, "holds a property with no FHIR name", "unknown-element")
        for child in missing(one, names):
            name = label(child)
            self._say("required", f"{at}.{name}", f"{name} is required and missing", "required")
        for choice in doubled(one, names):
            text = f"only one of the types of {choice.name} may be given"
            self._say("structure", f"{at}.{label(choice)}", text, "choice")
        if hollow(one, names):
            self._say("invariant", at, "an element needs more than an id", "ele-1")

    def _rules(
        self,
        node: Any,
        rules: tuple[Invariant, ...],
        names: frozenset[str],
        at: str,
        sound: bool,
    ) -> None:
        for rule in rules:
            if not rule.matters(names):
                continue
            try:
                holds = rule.test(node)
            except (TypeError, AttributeError, KeyError, ValueError, IndexError):
                # The rule reads values whose structure is already reported as wrong.
                holds = not sound
            if not holds:
                where = f"{at}.{rule.at}" if rule.at else at
                self._say("invariant", where, rule.text, rule.key.partition("@")[0], rule.severity)

    def _element(
        self, node: Any, element: ElementDefinition, value: Any, at: str, depth: int
    ) -> None:
        if not element.repeats:
            if type(value) is list:
                self._say("structure", at, "must be a single value, not an array", "max")
            else:
                self._value(element, value, at, depth)
            return
        if type(value) is not list:
            self._say("structure", at, "must be a JSON array", "json-type")
            return
        if not value:
            self._say("structure", at, "must not be an empty array; leave it out instead", "ele-1")
            return
        beside = node.get(f"_{element.name}")
        for index, item in enumerate(value):
            where = f"{at}[{index}]"
            if item is None and _extended(beside, index):
                continue
            self._value(element, item, where, depth)

    def _value(self, element: ElementDefinition, value: Any, at: str, depth: int) -> None:
        kind = element.types[0] if element.types else ""
        if is_primitive(kind):
            self._primitive(element, kind, value, at)
            return
        owner, below = place(element)
        if owner == "Resource":
            if element.name == "contained":
                self._resource(value, at, depth)
            else:
                self._root(value, at, depth)
            return
        self._object(value, shape(owner, below), at, depth)
        if type(value) is not dict:
            return
        self._rules(value, item_rules(element), frozenset(value), at, sound=False)
        if owner == "Reference":
            self._reference(element, value, at)
        elif value_set := enforced(element.binding):
            self._bound(owner, value, value_set, at)
        if owner == "Extension" and not extension_url_holds(element, value):
            text = "the url of an extension that is not nested must be absolute"
            self._say("value", f"{at}.url", text, "absolute")

    def _primitive(self, element: ElementDefinition, kind: str, value: Any, at: str) -> None:
        if kind in {"string", "markdown"} and type(value) is str and value and not value.strip():
            self._say("value", at, "holds only white space; leave it out", "blank", WARNING)
            return
        if why := primitives.reason(kind, value):
            rule = "txt-1" if kind == "xhtml" else kind
            self._say("value", at, why, rule)
            return
        if element.path in ABSOLUTE_SYSTEMS and not primitives.ABSOLUTE.fullmatch(value):
            text = "must be absolute, such as https://... or urn:..."
            severity = WARNING if element.path == "Coding.system" else ERROR
            self._say("value", at, text, "absolute", severity)
            return
        value_set = enforced(element.binding) if kind == "code" else None
        test = code_test(value_set) if value_set else None
        if value_set and test and not test(value):
            text = f"'{value[:64]}' is not allowed here: must be {described(value_set)}"
            self._say("code-invalid", at, text, "binding")

    def _bound(self, owner: str, value: Any, value_set: str, at: str) -> None:
        test = concept_test(owner, value_set)
        try:
            within = test is None or test(value)
        except (TypeError, AttributeError):
            return  # the structure is already reported as wrong
        if not within:
            text = f"needs a coding that is {described(value_set)}, with its system"
            self._say("code-invalid", at, text, "binding")

    def _reference(self, element: ElementDefinition, value: Any, at: str) -> None:
        link, kind = value.get("reference"), value.get("type")
        if type(link) is not str or not link:
            self._reference_type(element, kind, at)
            return
        if link.startswith("#"):
            self.found.local.append((link, element.targets, f"{at}.reference"))
        elif link.startswith("urn:"):
            self.found.bundled.append((link, element.targets, f"{at}.reference"))
        elif fault := reference_fault(link, element.targets):
            self._say("value", f"{at}.reference", fault, "reference-target")
            return
        named = named_type(link)
        if type(kind) is str and named is not None and named != kind:
            text = "must be the type that the reference names"
            self._say("value", f"{at}.type", text, "reference-type")

    def _reference_type(self, element: ElementDefinition, kind: Any, at: str) -> None:
        if type(kind) is str and element.targets and kind not in element.targets:
            text = f"must be {' or '.join(element.targets)}"
            self._say("value", f"{at}.type", text, "reference-target")

    def _sibling(
        self, node: Any, plain: ElementDefinition, value: Any, at: str, depth: int
    ) -> None:
        """Check the `_name` beside a primitive: its id and extensions."""
        beside = node.get(plain.name)
        if not plain.repeats:
            self._extras(value, beside is not None, at, depth)
            return
        if type(value) is not list or not value:
            text = "its _ sibling must be an array, not empty"
            self._say("structure", at, text, "json-type")
            return
        if type(beside) is list and len(beside) != len(value):
            text = "the array and its _ sibling must have the same length"
            self._say("structure", at, text, "json-type")
        for index, item in enumerate(value):
            if item is None:
                continue
            has_value = type(beside) is list and index < len(beside) and beside[index] is not None
            self._extras(item, has_value, f"{at}[{index}]", depth)

    def _extras(self, value: Any, has_value: bool, at: str, depth: int) -> None:
        """Check one id-and-extensions object; an id alone will do beside a value."""
        if has_value and type(value) is dict and value.keys() == {"id"}:
            if why := primitives.reason("string", value["id"]):
                self._say("value", f"{at}.id", why, "string")
            return
        self._object(value, shape("Element"), at, depth)


def _extended(beside: Any, index: int) -> bool:
    return type(beside) is list and index < len(beside) and type(beside[index]) is dict


def label(element: ElementDefinition) -> str:
    """Return the FHIRPath name: a choice goes by its element's name, without its type."""
    last = element.path.rsplit(".", 1)[-1]
    return last.removesuffix("[x]")


def _type_of(resource: Any) -> str | None:
    kind = resource.get("resourceType") if type(resource) is dict else None
    return kind if type(kind) is str and kind in resource_types() else None


def explain(resource: Any) -> list[Issue]:
    """Return every issue of the resource against base R4, errors and warnings."""
    return Explainer().run(resource)
