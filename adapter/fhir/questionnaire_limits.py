"""Checks the answers to one question: type, options, and the limits that the question sets.

Sources: FHIR R4 4.0.1 Questionnaire.item (type, maxLength, answerOption, answerValueSet) and the
extensions minValue, maxValue, minLength, regex, maxDecimalPlaces, mimeType,
questionnaire-optionExclusive, questionnaire-unitOption and questionnaire-referenceResource. Not
maxSize, for R4 does not say in what unit it counts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from adapter.fhir.outcome import Issue
from adapter.fhir.questionnaire_answers import (
    compare,
    malformed,
    same_coding,
    value_of,
)
from adapter.fhir.questionnaire_form import Limits, Question
from adapter.fhir.questionnaire_options import Offers, ValueSets
from adapter.fhir.questionnaire_patterns import PatternError, Patterns


@dataclass(frozen=True, slots=True)
class AnswerCheck:
    """Checks the answers of one response; holds what its options and ValueSets were read into."""

    value_sets: ValueSets
    patterns: Patterns = field(default_factory=Patterns)
    offers: Offers = field(default_factory=Offers)

    def check(self, question: Question, answers: Sequence[Any], path: str) -> list[Issue]:
        """Return what is wrong with the answers in the item at `path`; their number apart."""
        issues: list[Issue] = []
        for index, answer in enumerate(answers):
            issues += self._check_one(question, answer, f"{path}.answer[{index}]")
        issues += self._check_exclusive(question, answers, path)
        return issues

    def _check_one(self, question: Question, answer: Any, path: str) -> Iterator[Issue]:
        if not isinstance(answer, dict):
            yield Issue("error", "structure", path, "an answer must be an object")
            return
        values = value_of(answer)
        if len(values) > 1:
            yield Issue("error", "structure", path, "an answer holds one value, not several")
            return
        if not values:
            if not any(key.startswith("_value") for key in answer):
                yield Issue("error", "required", path, "the answer has no value")
            return
        _, kind, value = values[0]
        here = f"{path}.value"
        allowed = self.offers.kinds(question)
        if kind not in allowed:
            wanted = " or ".join(sorted(allowed))
            yield Issue(
                "error", "value", here, f"{question.link_id} takes {wanted}, and this is {kind}"
            )
            return
        fault = malformed(kind, value)
        if fault is not None:
            yield Issue("error", "value", here, f"{question.link_id}: {fault}")
            return
        yield from self._check_choice(question, kind, value, here)
        yield from _check_limits(question.limits, kind, value, here)
        if isinstance(value, str):
            yield from self._check_text(question.limits, value, here)

    def _check_choice(
        self, question: Question, kind: str, value: Any, here: str
    ) -> Iterator[Issue]:
        """Check the answer against those offered, whatever the type of the question (que-5)."""
        if question.type == "open-choice" and kind == "string":
            return  # the person's own words
        if question.options and not self.offers.of(question).holds(kind, value):
            yield Issue(
                "error", "code-invalid", here, f"{question.link_id} does not offer this answer"
            )
        elif question.value_set is not None:
            coded = kind == "Coding"
            found = self.value_sets.hold(question.value_set, value) if coded else None
            if found is False:
                yield Issue(
                    "error", "code-invalid", here, f"this is not in ValueSet {question.value_set}"
                )
            elif found is None:
                yield Issue(
                    "warning",
                    "not-supported",
                    here,
                    f"not checked: ValueSet {question.value_set} is not at hand or not listed",
                )

    def _check_text(self, limits: Limits, text: str, here: str) -> Iterator[Issue]:
        if not text.strip():
            # R4, data types: a string SHOULD hold more than white space; it is not forbidden.
            yield Issue("warning", "value", here, "the text is blank: leave the answer out instead")
        if limits.max_length is not None and len(text) > limits.max_length:
            yield Issue("error", "value", here, f"longer than {limits.max_length} characters")
        if limits.min_length is not None and len(text) < limits.min_length:
            yield Issue("error", "value", here, f"shorter than {limits.min_length} characters")
        if limits.pattern is not None:
            try:
                if not self.patterns.matches(limits.pattern, text):
                    yield Issue(
                        "error", "value", here, "the text does not have the form that is asked"
                    )
            except PatternError as error:
                yield Issue("warning", "not-supported", here, f"form not checked: {error}")

    def _check_exclusive(
        self, question: Question, answers: Sequence[Any], path: str
    ) -> Iterator[Issue]:
        if len(answers) < 2 or not question.options:
            return
        alone = self.offers.alone(question)
        for index, answer in enumerate(answers):
            values = value_of(answer) if isinstance(answer, dict) else []
            if any(alone.holds(kind, value) for _, kind, value in values):
                yield Issue(
                    "error",
                    "business-rule",
                    f"{path}.answer[{index}]",
                    "this answer excludes all others (optionExclusive)",
                )


def _check_limits(limits: Limits, kind: str, value: Any, here: str) -> Iterator[Issue]:
    if limits.minimum is not None and compare(kind, value, *limits.minimum) == -1:
        yield Issue("error", "value", here, "the value is below the smallest that is allowed")
    if limits.maximum is not None and compare(kind, value, *limits.maximum) == 1:
        yield Issue("error", "value", here, "the value is above the largest that is allowed")
    if kind == "Quantity":
        yield from _check_unit(limits, value, here)
    if kind == "Reference" and limits.targets:
        yield from _check_target(limits, value, here)
    if kind == "Attachment":
        yield from _check_attachment(limits, value, here)
    number = value.get("value") if kind == "Quantity" else value if kind == "decimal" else None
    if limits.decimal_places is not None and number is not None:
        yield from _check_places(limits.decimal_places, number, here)


def _check_places(places: int, number: Any, here: str) -> Iterator[Issue]:
    if isinstance(number, bool) or not isinstance(number, int | float | Decimal):
        return
    exponent = Decimal(str(number)).as_tuple().exponent
    if isinstance(exponent, int) and -exponent > places:
        yield Issue("error", "value", here, f"more than {places} digits after the point")


def _check_unit(limits: Limits, quantity: Mapping[str, Any], here: str) -> Iterator[Issue]:
    given = {key: quantity[key] for key in ("system", "code") if key in quantity}
    if limits.units and not any(same_coding(given, unit) for unit in limits.units):
        yield Issue("error", "code-invalid", here, "the unit is not one of those offered")


def _check_attachment(limits: Limits, attachment: Mapping[str, Any], here: str) -> Iterator[Issue]:
    kind = attachment.get("contentType")
    if limits.mime_types and isinstance(kind, str) and kind not in limits.mime_types:
        wanted = " or ".join(sorted(limits.mime_types))
        yield Issue("error", "value", here, f"the attachment must be {wanted}")


def _check_target(limits: Limits, reference: Mapping[str, Any], here: str) -> Iterator[Issue]:
    target = _type_of(reference)
    if target is not None and target not in limits.targets:
        wanted = " or ".join(sorted(limits.targets))
        yield Issue("error", "value", here, f"the reference must be to {wanted}")


def _type_of(reference: Mapping[str, Any]) -> str | None:
    """Return the resource type that a Reference names, when it names one."""
    if isinstance(reference.get("type"), str):
        return str(reference["type"])
    text = reference.get("reference")
    parts = text.split("/") if isinstance(text, str) else []
    if len(parts) >= 4 and parts[-2] == "_history":
        parts = parts[:-2]
    return parts[-2] if len(parts) >= 2 and parts[-2][:1].isupper() else None
