"""Invariants of Questionnaire and its response (https://hl7.org/fhir/R4/questionnaire.html)."""

from __future__ import annotations

from collections.abc import Iterator

from adapter.fhir.invariants.rule import Invariant, Node, distinct, each, has

# que-10 and que-5 list the item types that may limit a length, or offer answers.
_LENGTHS = {"boolean", "decimal", "integer", "string", "text", "url", "open-choice"}
_OFFERS = {
    "choice",
    "open-choice",
    "decimal",
    "integer",
    "date",
    "dateTime",
    "time",
    "string",
    "quantity",
}


def _items(node: Node) -> Iterator[Node]:
    for item in each(node, "item"):
        yield item
        yield from _items(item)


def _group_or_display(node: Node) -> bool:
    kind = node.get("type")
    if kind == "group":
        return has(node, "item")
    return kind != "display" or not has(node, "item")


def _not_display(node: Node) -> bool:
    return node.get("type") != "display"


QUESTIONNAIRE = (
    Invariant("que-1", "a group needs items, and a display must have none", _group_or_display),
    Invariant(
        "que-2",
        "each item needs a linkId of its own",
        lambda d: distinct([item.get("linkId") for item in _items(d)]),
        on=("item",),
        at="item",
    ),
    Invariant("que-3", "a display must have no code", _not_display, on=("code",), at="code"),
    Invariant(
        "que-4",
        "an item has either answerOption or answerValueSet",
        lambda d: not has(d, "answerValueSet"),
        on=("answerOption",),
        at="answerValueSet",
    ),
    Invariant(
        "que-5",
        "an item of this type cannot offer answers",
        lambda d: d.get("type") in _OFFERS,
        on=("answerOption", "answerValueSet"),
    ),
    Invariant(
        "que-6",
        "a display is neither required nor repeated",
        _not_display,
        on=("required", "repeats"),
    ),
    Invariant(
        "que-7",
        "the operator exists needs an answerBoolean",
        lambda d: d.get("operator") != "exists" or has(d, "answerBoolean"),
        on=("operator",),
        at="answer",
    ),
    Invariant(
        "que-8",
        "a group or display has no initial value",
        lambda d: d.get("type") not in {"group", "display"},
        on=("initial",),
        at="initial",
    ),
    Invariant("que-9", "a display is not readOnly", _not_display, on=("readOnly",), at="readOnly"),
    Invariant(
        "que-10",
        "maxLength is for boolean, decimal, integer, string, text, url and open-choice items",
        lambda d: d.get("type") in _LENGTHS,
        on=("maxLength",),
        at="maxLength",
    ),
    Invariant(
        "que-11",
        "an item with answerOption marks initialSelected there instead of initial",
        lambda d: not has(d, "initial"),
        on=("answerOption",),
        at="initial",
    ),
    Invariant(
        # The words of the rule say "more than one"; R4's FHIRPath for it counts from three.
        "que-12",
        "with several enableWhen, enableBehavior must say all or any",
        lambda d: len(d.get("enableWhen", ())) <= 1 or has(d, "enableBehavior"),
        on=("enableWhen",),
        at="enableBehavior",
    ),
    Invariant(
        "que-13",
        "only a repeating item may have several initial values",
        lambda d: d.get("repeats") is True or len(d.get("initial", ())) <= 1,
        on=("initial",),
        at="initial",
    ),
    Invariant(
        "qrs-1",
        "an item has either answers or items; items below an answer go inside the answer",
        lambda d: not has(d, "item"),
        on=("answer",),
        at="item",
    ),
)
