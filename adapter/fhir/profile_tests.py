"""Profiles compiled to functions: a yes for a resource that keeps to its profile.

What `adapter.fhir.plans` is to base R4: `profile_test` gives a function that is true only when
`adapter.fhir.conformance` would find nothing to say; that decides when it is false or raises.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from adapter.fhir.constraints import Constraint, Profile, matches
from adapter.fhir.definitions import concrete_name
from adapter.fhir.invariants import Invariant
from adapter.fhir.invariants.profiles import PROFILE_RULES
from adapter.fhir.known import Known
from adapter.fhir.links import named_type

Test = Callable[[Any], bool]
Discriminators = tuple[tuple[str, str], ...]
R4_TYPE = "http://hl7.org/fhir/StructureDefinition/"


def profile_test(profile: Profile, known: Known) -> Test:
    """Return the compiled test of a profile, with what it builds on; compiled once per `known`."""
    tests: dict[str, Test] = known.compiled
    found = tests.get(profile.url)
    if found is None:
        tests[profile.url] = lambda _: False  # a circle of bases ends in the slow pass
        found = tests[profile.url] = _profile(profile, known)
    return found


def _profile(profile: Profile, known: Known) -> Test:
    root = _object(profile.root, known)
    base = known.profile(profile.base)
    inherited = profile_test(base, known) if base else None
    kind = profile.type

    def test(resource: Any) -> bool:
        return (
            resource["resourceType"] == kind
            and root(resource)
            and (inherited is None or inherited(resource))
        )

    return test


def _object(constraint: Constraint, known: Known) -> Test:
    """Return the test of an object's rules and children."""
    rules = [PROFILE_RULES[key] for key in constraint.keys if key in PROFILE_RULES]
    children = [_child(name, one, known) for name, one in constraint.children.items()]

    def test(node: Any) -> bool:
        for child in children:
            if not child(node):
                return False
        return all(_holds(rule, node) for rule in rules)

    return test


def _holds(rule: Invariant, node: Any) -> bool:
    return not rule.matters(frozenset(node)) or rule.test(node)


def _child(name: str, one: Constraint, known: Known) -> Test:
    value, slices = _value(one, known), _slices(one, known)
    least, most = one.min or 0, one.max
    needed = least > 0 or any(part.min for part in one.slices.values())
    find = _finder(name, one)

    def test(node: Any) -> bool:
        held = find(node)
        if held is None:
            return not needed
        items = held if type(held) is list else (held,)
        if len(items) < least or (most is not None and len(items) > most):
            return False
        if value is not None and not all(map(value, items)):
            return False
        return slices is None or slices(items)

    return test


def _finder(name: str, one: Constraint) -> Callable[[Any], Any]:
    """Return what gets a child's value; a choice of a type that is not allowed raises KeyError."""
    if not name.endswith("[x]"):
        return lambda node: node.get(name)
    stem, size = name[:-3], len(name) - 3
    allowed = frozenset(concrete_name(name, kind) for kind in one.types)

    def find(node: Any) -> Any:
        for key in node:
            if key.startswith(stem) and key[size : size + 1].isupper():
                if allowed and key not in allowed:
                    raise KeyError(key)
                return node[key]
        return None

    return find


def _value(one: Constraint, known: Known) -> Test | None:
    """Return the test of one value, None where the profile says nothing of it."""
    tests: list[Test] = []
    if one.fixed is not None:
        tests.append(_fixed(one.fixed))
    if one.pattern is not None:
        tests.append(_pattern(one.pattern))
    if one.value_set is not None and (bound := _bound(one.value_set, known)) is not None:
        tests.append(bound)
    if (target := _target(one.targets, known)) is not None:
        tests.append(target)
    if one.profiles or one.length is not None or one.least or one.most:
        raise ValueError("a rule that only the slow pass knows")
    if one.children or one.keys:
        inner = _object(one, known)
        tests.append(lambda value: type(value) is not dict or inner(value))
    if len(tests) < 2:
        return tests[0] if tests else None
    return lambda value: all(test(value) for test in tests)


def _fixed(wanted: Any) -> Test:
    return lambda value: bool(value == wanted)


def _pattern(pattern: Any) -> Test:
    codings = pattern.get("coding") if type(pattern) is dict and len(pattern) == 1 else None
    if type(codings) is list and len(codings) == 1 and codings[0].keys() == {"system", "code"}:
        system, code = codings[0]["system"], codings[0]["code"]

        def test(value: Any) -> bool:
            for one in value.get("coding", ()):
                if one.get("code") == code and one.get("system") == system:
                    return True
            return False

        return test
    return lambda value: matches(value, pattern)


def _bound(value_set: str, known: Known) -> Test | None:
    listed = known.codes(value_set)
    if listed is None:
        return None
    pairs = frozenset((system, code) for system, codes in listed.items() for code in codes)
    codes = frozenset(code for _, code in pairs)

    def test(value: Any) -> bool:
        if type(value) is str:
            return value in codes
        held = value.get("coding")
        for one in (value,) if held is None else held:
            if (one.get("system"), one.get("code")) in pairs:
                return True
        return False

    return test


def target_types(targets: tuple[str, ...], known: Known) -> frozenset[str] | None:
    """Return the R4 types that a Reference may name; None where any, or some are not at hand."""
    kinds = set()
    for canonical in targets:
        if canonical.startswith(R4_TYPE):
            kinds.add(canonical.removeprefix(R4_TYPE))
            continue
        profile = known.profile(canonical)
        if profile is None:
            return None
        kinds.add(profile.type)
    return None if "Resource" in kinds or not kinds else frozenset(kinds)


def _target(targets: tuple[str, ...], known: Known) -> Test | None:
    kinds = target_types(targets, known)
    if kinds is None:
        return None

    def test(value: Any) -> bool:
        link = value.get("reference") if type(value) is dict else None
        if link is None or link[:4] == "urn:" or link.partition("/")[0] in kinds:
            return True
        kind = named_type(link)
        return kind is None or kind in kinds

    return test


def _slices(one: Constraint, known: Known) -> Callable[[Any], bool] | None:
    if not one.slices:
        return None
    by: Discriminators = one.slicing.discriminators if one.slicing else (("value", "url"),)
    closed = one.slicing is not None and one.slicing.closed
    parts = [
        (_belongs(part, by, known), _value(part, known), part.min or 0, part.max)
        for part in one.slices.values()
    ]

    def test(items: Any) -> bool:
        met = 0
        for belongs, value, least, most in parts:
            count = 0
            for item in items:
                if belongs(item):
                    count += 1
                    if value is not None and not value(item):
                        return False
            if count < least or (most is not None and count > most):
                return False
            met += count
        return not closed or met >= len(items)

    return test


def _belongs(part: Constraint, by: Discriminators, known: Known) -> Test:
    """Return the test whether an item is of a slice, by all discriminators that it can answer."""
    tests = [found for kind, path in by if (found := _told(part, kind, path, known)) is not None]
    if not tests:
        return lambda _: False
    return lambda item: all(test(item) for test in tests)


def _told(part: Constraint, kind: str, path: str, known: Known) -> Test | None:
    if "resolve()" in path or kind == "profile":
        raise ValueError("a slice that only the slow pass tells")
    if path == "$this" and kind != "type":
        return _like(part, known)
    if "." in path or kind == "exists":
        raise ValueError("a slice that only the slow pass tells")
    name = next((n for n in part.children if n.removesuffix("[x]") == path), path)
    wanted = part.children.get(name, Constraint(path))
    if kind == "type" and not name.endswith("[x]"):
        raise ValueError("a slice that only the slow pass tells")
    find, like = _finder(name, wanted), _like(wanted, known)

    def test(item: Any) -> bool:
        try:
            held = find(item)
        except KeyError:  # a choice of another type: another slice
            return False
        if held is None:
            return False
        return kind == "type" or like(held)

    return test


def _like(wanted: Constraint, known: Known) -> Test:
    """Return the test whether a discriminating value is the slice's."""
    if wanted.fixed is not None:
        one = _fixed(wanted.fixed)
    elif wanted.pattern is not None:
        one = _pattern(wanted.pattern)
    elif wanted.value_set is not None:
        bound = _bound(wanted.value_set, known)
        if bound is None:
            return lambda _: False
        one = bound
    elif wanted.children:
        raise ValueError("a slice that only the slow pass tells")
    else:
        return lambda _: True
    return lambda value: any(map(one, value)) if type(value) is list else one(value)
