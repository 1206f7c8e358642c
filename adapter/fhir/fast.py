"""The fast pass: a yes for a resource without any issue, in one walk over its dicts.

`clean(resource)` is true only when `adapter.fhir.explain` would find nothing to say, warnings
included; when it is false, or raises TypeError, AttributeError, KeyError, ValueError or
RecursionError, that pass decides. It assumes the best and checks as little as a yes needs.

How: for each place (type or backbone element) the set of properties an object has is judged once and
remembered with a plan: which test for which property. Later objects with the same properties, in the
same order, cost one dictionary lookup and their values' tests, most of which are C functions
(`frozenset.__contains__`, `Pattern.fullmatch`). Plans are few in practice and capped in number.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

from adapter.fhir import primitives
from adapter.fhir.bindings import code_test, coding_within, concept_within, enforced
from adapter.fhir.bundle_rules import full_url_fault
from adapter.fhir.definitions import ElementDefinition, is_primitive, place, resource_types
from adapter.fhir.invariants.rule import Node
from adapter.fhir.links import (
    CLOSED,
    Found,
    contained_types,
    containment_faults,
    entry_types,
    reference_fault,
)
from adapter.fhir.shape import Shape, doubled, hollow, item_rules, missing, shape, sibling, unknown

Leaf = Callable[[Any], object]
Branch = Callable[[Any, Found], object]
Rule = Callable[[Node], bool]
Plan = tuple[tuple[tuple[str, Leaf], ...], tuple[tuple[str, Branch], ...], tuple[Rule, ...]]
# A hostile sender can invent property sets; past this many the plans of a place start afresh.
PLANS_PER_PLACE = 2048
EXCEPTIONS = (TypeError, AttributeError, KeyError, ValueError, IndexError, RecursionError)


def clean(resource: Any) -> bool:
    """Whether the resource certainly has no issue against base R4. May raise `EXCEPTIONS`."""
    return bool(_root(resource, Found()))


def _root(resource: Any, found: Found) -> object:
    """Check a resource that is not contained: in its own right, with its own contained ones."""
    kind = resource["resourceType"]
    outer, found.local = found.local, []
    if not _resource_test(kind)(resource, found):
        return False
    if (found.local or "contained" in resource) and not _containment_holds(resource, found):
        return False
    found.local = outer
    return True


def _containment_holds(resource: Node, found: Found) -> bool:
    types = contained_types(resource)
    for reference, targets, _ in found.local:
        kind = types.get(reference)
        if kind is None or (targets and kind not in targets):
            return False
    return next(containment_faults(resource), None) is None


@cache
def _resource_test(kind: str) -> Branch:
    if kind not in resource_types():
        raise KeyError(kind)
    if kind == "Bundle":
        return _bundle_test()
    return _object_test(kind, "")


def _contained(resource: Any, found: Found) -> object:
    kind = resource["resourceType"]
    return _resource_test(kind)(resource, found)


def _bundle_test() -> Branch:
    test = _object_test("Bundle", "")

    def bundle(node: Any, found: Found) -> object:
        outer, found.bundled = found.bundled, []
        if not test(node, found):
            return False
        if found.bundled and node["type"] in CLOSED:
            types = entry_types(node)
            for reference, targets, _ in found.bundled:
                kind = types.get(reference)
                if kind is None or (targets and kind not in targets):
                    return False
        found.bundled = outer
        return all(_full_url_fits(entry) for entry in node.get("entry", ()))

    return bundle


def _full_url_fits(entry: Node) -> bool:
    return full_url_fault(entry) is None


@cache
def _object_test(owner: str, below: str) -> Branch:
    """Return the test of an object at a place."""
    one = shape(owner, below)
    plans: dict[tuple[str, ...], Plan] = {}
    known = plans.get

    def whole(node: Any, found: Found) -> object:
        plan = known(tuple(node))
        if plan is None:
            plan = _plan(one, node)
            if len(plans) >= PLANS_PER_PLACE:
                plans.clear()
            plans[tuple(node)] = plan
        leaves, branches, rules = plan
        for name, leaf in leaves:
            if not leaf(node[name]):
                return False
        for name, branch in branches:
            if not branch(node[name], found):
                return False
        for rule in rules:
            if not rule(node):
                return False
        return True

    return whole


def _plan(one: Shape, node: Any) -> Plan:
    """Judge a set of properties; raises ValueError for one that the slow pass must look at."""
    if type(node) is not dict:
        raise TypeError
    names = frozenset(node)
    if unknown(one, names) or missing(one, names) or doubled(one, names) or hollow(one, names):
        raise ValueError
    leaves: list[tuple[str, Leaf]] = []
    branches: list[tuple[str, Branch]] = []
    for name in node:
        if one.resource and name == "resourceType":
            continue
        element = one.names.get(name)
        if element is None:
            if (plain := sibling(name, one.names)) is None or plain.repeats:
                raise ValueError
            branches.append((name, _object_test("Element", "")))
        elif is_primitive(element.types[0] if element.types else "Element"):
            leaves.append((name, _leaf(element)))
        else:
            branches.append((name, _branch(element)))
    rules = tuple(rule.test for rule in one.rules if rule.matters(names))
    return tuple(leaves), tuple(branches), rules


@cache
def _leaf(element: ElementDefinition) -> Leaf:
    kind = element.types[0]
    value_set = enforced(element.binding) if kind == "code" else None
    bound = code_test(value_set) if value_set else None
    test = bound or primitives.FAST[kind]
    return _every(test) if element.repeats else test


def _every(test: Leaf) -> Leaf:
    def each(values: Any) -> object:
        if type(values) is not list or not values:
            return False
        return all(map(test, values))

    return each


@cache
def _branch(element: ElementDefinition) -> Branch:
    test = _typed(element)
    rules = tuple(rule.test for rule in item_rules(element))
    if rules:
        test = _ruled(test, rules)
    return _list(test) if element.repeats else test


def _list(test: Branch) -> Branch:
    def each(nodes: Any, found: Found) -> object:
        if type(nodes) is not list or not nodes:
            return False
        for node in nodes:  # noqa: SIM110 - a loop costs half of what all() with a generator does
            if not test(node, found):
                return False
        return True

    return each


def _ruled(test: Branch, rules: tuple[Rule, ...]) -> Branch:
    def ruled(node: Any, found: Found) -> object:
        return test(node, found) and all(rule(node) for rule in rules)

    return ruled


def _typed(element: ElementDefinition) -> Branch:
    owner, below = place(element)
    if owner == "Resource":
        return _contained if element.name == "contained" else _root
    if owner == "Reference":
        return _reference(element.targets)
    plain = _object_test(owner, below)
    value_set = enforced(element.binding)
    if value_set is None:
        return plain
    if owner == "CodeableConcept":
        return lambda node, found: plain(node, found) and concept_within(node, value_set)
    if owner == "Coding":
        return lambda node, found: plain(node, found) and coding_within(node, value_set)
    return plain


@cache
def _reference(targets: tuple[str, ...]) -> Branch:
    plain = _object_test("Reference", "")
    allowed = frozenset(targets) or resource_types()
    identity = primitives.ID.fullmatch

    def reference(node: Any, found: Found) -> object:
        if not plain(node, found):
            return False
        link = node.get("reference")
        kind = node.get("type")
        if link is None:
            return kind is None or not targets or kind in allowed
        head, _, tail = link.partition("/")
        if head in allowed and identity(tail):
            return kind is None or kind == head
        if kind is not None:
            return False
        if link[0] == "#":
            found.local.append((link, targets, ""))
            return True
        if link.startswith("urn:"):
            found.bundled.append((link, targets, ""))
            return True
        return reference_fault(link, targets) is None

    return reference
