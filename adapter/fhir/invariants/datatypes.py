"""Invariants of the data types (https://hl7.org/fhir/R4/datatypes.html and its sisters)."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from adapter.fhir.definitions import system_codes
from adapter.fhir.invariants.rule import Invariant, Node, each, has, has_choice, in_order
from adapter.fhir.outcome import WARNING

_R4 = "http://hl7.org/fhir/"
UCUM = "http://unitsofmeasure.org"


def _known_code(fixed: bool) -> Any:
    """Make the test of a Coding against the code system that it names, if R4 publishes that whole.

    The systems of R4 itself (`fixed`) do not change; those of terminology.hl7.org may have gained
    codes since.
    """

    def known(node: Node) -> bool:
        system: Any = node.get("system")
        listed = system_codes(system) if type(system) is str else None
        if listed is None or node["code"] in listed or system.startswith(_R4) != fixed:
            return True
        code = str(node["code"]).lower()
        return any(code == one.lower() for one in listed)

    return known


def _number(value: Any) -> bool:
    return isinstance(value, (int, float, Decimal))


def _unit(node: Node) -> bool:
    """A value has a code, and a system, if given, is UCUM."""
    return (has(node, "code") or not has(node, "value")) and node.get("system", UCUM) == UCUM


def _age(node: Node) -> bool:
    value: Any = node.get("value")
    return _unit(node) and (not _number(value) or bool(value > 0))


def _count(node: Node) -> bool:
    whole = "." not in str(node.get("value", ""))
    return _unit(node) and node.get("code", "1") == "1" and whole


def _duration(node: Node) -> bool:
    return node.get("system") == UCUM and has(node, "value")


def _range(node: Node) -> bool:
    low, high = node.get("low") or {}, node.get("high") or {}
    same = low.get("code") == high.get("code") and low.get("unit") == high.get("unit")
    bottom: Any = low.get("value")
    top: Any = high.get("value")
    # Other units would have to be converted first; R4's own rule then does not apply either.
    return not (same and _number(bottom) and _number(top)) or bool(bottom <= top)


def _ratio(node: Node) -> bool:
    both = has(node, "numerator") == has(node, "denominator")
    return both and has(node, "numerator", "extension")


def _percentages(node: Node) -> bool:
    sides = (node[side] for side in ("low", "high") if side in node)
    return all(s.get("code") == "%" and s.get("system") == UCUM for s in sides)


def _meal_offset(node: Node) -> bool:
    meals = {"C", "CM", "CD", "CV"}
    return has(node, "when") and not meals & {w for w in node.get("when", ()) if w}


def _trigger(node: Node) -> bool:
    kind = node.get("type", "")
    if kind == "named-event":
        return has(node, "name")
    if kind == "periodic":
        return has_choice(node, "timing")
    return not kind.startswith("data-") or has(node, "data")


def _not_negative(name: str) -> Any:
    def holds(node: Node) -> bool:
        value: Any = node.get(name)
        return not _number(value) or bool(value >= 0)

    return holds


CODING = (
    Invariant(
        "unknown-code",
        "the code system has no such code",
        _known_code(fixed=True),
        on=("code",),
        at="code",
    ),
    Invariant(
        "unknown-code",
        "the code system had no such code when R4 was published",
        _known_code(fixed=False),
        on=("code",),
        at="code",
        severity=WARNING,
    ),
)

DATA_TYPES = (
    Invariant("age-1", "an age needs a UCUM time code and a value above 0", _age),
    Invariant(
        "att-1",
        "an attachment with data must say its contentType",
        lambda d: has(d, "contentType"),
        on=("data",),
        at="contentType",
    ),
    Invariant("cnt-3", "a count is a whole number whose code is 1", _count),
    Invariant(
        "cpt-2",
        "a contact point with a value must say its system (phone, email, ...)",
        lambda d: has(d, "system"),
        on=("value",),
        at="system",
    ),
    Invariant("dis-1", "a distance needs a UCUM code for its value", _unit),
    Invariant(
        "drq-1",
        "a filter has either a path or a search parameter",
        lambda d: has(d, "path") != has(d, "searchParam"),
    ),
    Invariant(
        "drq-2",
        "a filter has either a path or a search parameter",
        lambda d: has(d, "path") != has(d, "searchParam"),
    ),
    Invariant("drt-1", "a duration with a code needs UCUM and a value", _duration, on=("code",)),
    Invariant(
        "exp-1",
        "an expression needs an expression or a reference",
        lambda d: has(d, "expression", "reference"),
    ),
    Invariant(
        "per-1",
        "the end of a period must not be before its start",
        lambda d: in_order(d.get("start"), d.get("end")),
        on=("end",),
    ),
    Invariant(
        "qty-3",
        "a quantity with a unit code must say the code's system",
        lambda d: has(d, "system"),
        on=("code",),
        at="system",
    ),
    Invariant("ras-1", "a range of probability must be in percent (UCUM %)", _percentages),
    Invariant("rat-1", "a ratio needs both a numerator and a denominator", _ratio),
    Invariant(
        "rng-2", "the low end of a range must not be above its high end", _range, on=("low",)
    ),
    Invariant(
        "sqty-1",
        "this quantity must have no comparator",
        lambda d: not has(d, "comparator"),
        on=("comparator",),
        at="comparator",
    ),
    Invariant(
        "tim-1",
        "a duration must say its durationUnit",
        lambda d: has(d, "durationUnit"),
        on=("duration",),
        at="durationUnit",
    ),
    Invariant(
        "tim-2",
        "a period must say its periodUnit",
        lambda d: has(d, "periodUnit"),
        on=("period",),
        at="periodUnit",
    ),
    Invariant(
        "tim-4",
        "a duration must not be negative",
        _not_negative("duration"),
        on=("duration",),
        at="duration",
    ),
    Invariant(
        "tim-5",
        "a period must not be negative",
        _not_negative("period"),
        on=("period",),
        at="period",
    ),
    Invariant(
        "tim-6",
        "periodMax needs a period",
        lambda d: has(d, "period"),
        on=("periodMax",),
        at="period",
    ),
    Invariant(
        "tim-7",
        "durationMax needs a duration",
        lambda d: has(d, "duration"),
        on=("durationMax",),
        at="duration",
    ),
    Invariant(
        "tim-8",
        "countMax needs a count",
        lambda d: has(d, "count"),
        on=("countMax",),
        at="count",
    ),
    Invariant(
        "tim-9",
        "an offset needs a 'when' that is not a meal itself (C, CM, CD, CV)",
        _meal_offset,
        on=("offset",),
        at="when",
    ),
    Invariant(
        "tim-10",
        "a timing has either timeOfDay or when",
        lambda d: not (has(d, "timeOfDay") and has(d, "when")),
        on=("timeOfDay",),
        at="when",
    ),
    Invariant(
        "trd-1",
        "a trigger has either data or timing",
        lambda d: not has_choice(d, "timing"),
        on=("data",),
    ),
    Invariant(
        "trd-2",
        "a condition on a trigger needs data",
        lambda d: has(d, "data"),
        on=("condition",),
        at="data",
    ),
    Invariant(
        "trd-3", "a named, periodic or data trigger must give its name, timing or data", _trigger
    ),
    Invariant(
        "eld-2",
        "max must not be below min",
        lambda d: (
            d.get("max") == "*"
            or not str(d.get("max", "")).isdigit()
            or int(d.get("min", 0)) <= int(d["max"])
        ),
        on=("max",),
        at="max",
    ),
    Invariant(
        "eld-8",
        "an element has either a pattern or a fixed value",
        lambda d: not (has_choice(d, "pattern") and has_choice(d, "fixed")),
        on=("pattern[x]",),
    ),
    Invariant(
        "eld-14",
        "each constraint needs a key of its own",
        lambda d: len({c.get("key") for c in each(d, "constraint")}) == len(d["constraint"]),
        on=("constraint",),
        at="constraint",
    ),
    Invariant(
        "eld-18",
        "a modifier must say why it is one",
        lambda d: d.get("isModifier") is not True or has(d, "isModifierReason"),
        on=("isModifier",),
        at="isModifierReason",
    ),
    Invariant(
        "eld-22",
        "sliceIsConstraining needs a sliceName",
        lambda d: has(d, "sliceName"),
        on=("sliceIsConstraining",),
        at="sliceName",
    ),
)
