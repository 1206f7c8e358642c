"""A Questionnaire read once into the facts that checking, extraction and scoring ask for.

Sources: FHIR R4 4.0.1 Questionnaire; the Questionnaire extensions of R4 (minValue, maxValue,
minLength, regex, maxDecimalPlaces, mimeType, questionnaire-minOccurs, questionnaire-maxOccurs,
questionnaire-hidden, questionnaire-optionExclusive, questionnaire-unitOption,
questionnaire-referenceResource) and SDC's enableWhenExpression.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

CORE = "http://hl7.org/fhir/StructureDefinition/"
SDC = "http://hl7.org/fhir/uv/sdc/StructureDefinition/"
ENABLE_EXPRESSION = SDC + "sdc-questionnaire-enableWhenExpression"

ITEM_TYPES = frozenset(
    [
        "group",
        "display",
        "boolean",
        "decimal",
        "integer",
        "date",
        "dateTime",
        "time",
        "string",
        "text",
        "url",
        "choice",
        "open-choice",
        "attachment",
        "reference",
        "quantity",
    ]
)
OPERATORS = frozenset(["exists", "=", "!=", ">", "<", ">=", "<="])
DEEPEST = 50
"""Groups nested deeper than this are refused, so that a hostile form cannot exhaust the stack."""


@dataclass(frozen=True, slots=True)
class Condition:
    """One enableWhen: the question asked about, the operator, and the answer held against it.

    `kind` is the FHIR type name of the answer (`Coding`, `integer`, …), as in `answerCoding`.
    """

    question: str
    operator: str
    kind: str
    answer: Any


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds on one answer. `minimum` and `maximum` are (FHIR type name, value) pairs."""

    minimum: tuple[str, Any] | None = None
    maximum: tuple[str, Any] | None = None
    min_length: int | None = None
    max_length: int | None = None
    pattern: str | None = None
    decimal_places: int | None = None
    units: tuple[Mapping[str, Any], ...] = ()
    targets: frozenset[str] = frozenset()
    mime_types: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Option:
    """One allowed answer: FHIR type name, value, and whether it excludes all other answers."""

    kind: str
    value: Any
    exclusive: bool


@dataclass(frozen=True, slots=True)
class Question:
    """One item of a Questionnaire: a group, a display or a question.

    `ancestors` are the linkIds from the top down to the parent; `position` is the place among its
    siblings. `at_least` and `at_most` bound the number of answers (of occurrences, for a group).
    """

    link_id: str
    type: str
    ancestors: tuple[str, ...]
    position: int
    definition: Mapping[str, Any]
    required: bool
    at_least: int
    at_most: int | None
    hidden: bool
    conditions: tuple[Condition, ...]
    any_condition: bool
    has_expression: bool
    limits: Limits
    options: tuple[Option, ...]
    value_set: str | None
    children: Mapping[str, Question]

    @property
    def is_question(self) -> bool:
        """Whether this item takes answers, as groups and displays do not."""
        return self.type not in ("group", "display")


@dataclass(frozen=True, slots=True)
class Fault:
    """Something wrong in the Questionnaire itself: where, and what."""

    expression: str
    diagnostics: str


@dataclass(frozen=True, slots=True)
class Form:
    """A Questionnaire ready for use: its items as a tree and by linkId, and its own faults."""

    definition: Mapping[str, Any]
    children: Mapping[str, Question]
    questions: Mapping[str, Question]
    faults: tuple[Fault, ...]

    @property
    def canonical(self) -> str:
        """`url|version`, or the url alone, or an empty string."""
        url, version = self.definition.get("url", ""), self.definition.get("version")
        return f"{url}|{version}" if url and version else str(url)


def read_form(questionnaire: Mapping[str, Any]) -> Form:
    """Read a FHIR R4 Questionnaire; what is wrong in it is kept in `faults`, nothing is raised."""
    reader = _Reader()
    children = reader.items(questionnaire.get("item"), (), "Questionnaire", 0)
    reader.check_conditions()
    return Form(questionnaire, children, reader.questions, tuple(reader.faults))


def extension_values(element: Mapping[str, Any]) -> dict[str, list[tuple[str, Any]]]:
    """Return (FHIR type name, value) pairs by extension url, such as ("integer", 3)."""
    found: dict[str, list[tuple[str, Any]]] = {}
    extensions = element.get("extension")
    for extension in extensions if isinstance(extensions, list) else ():
        url = extension.get("url") if isinstance(extension, dict) else None
        if isinstance(url, str):
            values = [(kind_of(k), v) for k, v in extension.items() if k.startswith("value")]
            found.setdefault(url, []).extend(values)
    return found


def kind_of(key: str) -> str:
    """Return the FHIR type name in `valueX` or `answerX`: `integer`, `dateTime`, `Coding`."""
    name = key.removeprefix("value").removeprefix("answer")
    return name if name in _COMPLEX else name[:1].lower() + name[1:]


_COMPLEX = frozenset(["Coding", "Quantity", "Reference", "Attachment", "CodeableConcept"])


def flagged(element: Mapping[str, Any], url: str) -> bool:
    """Whether the element has that extension with the value true."""
    return "extension" in element and ("boolean", True) in extension_values(element).get(url, [])


class _Extensions:
    """The extensions of one item, looked up by the names that matter to a check."""

    def __init__(self, item: Mapping[str, Any]) -> None:
        self.values = extension_values(item) if "extension" in item else {}

    def first(self, *urls: str) -> tuple[str, Any] | None:
        return next((self.values[url][0] for url in urls if self.values.get(url)), None)

    def integer(self, name: str) -> int | None:
        found = self.first(CORE + name)
        return found[1] if found and type(found[1]) is int else None

    def all_of(self, name: str, wanted: type) -> list[Any]:
        found = self.values.get(CORE + name, ())
        return [value for _, value in found if isinstance(value, wanted)]


@dataclass(slots=True)
class _Reader:
    questions: dict[str, Question] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    paths: dict[str, str] = field(default_factory=dict)

    def fault(self, expression: str, diagnostics: str) -> None:
        self.faults.append(Fault(expression, diagnostics))

    def items(
        self, raw: Any, ancestors: tuple[str, ...], parent: str, depth: int
    ) -> dict[str, Question]:
        if raw is None:
            return {}
        if not isinstance(raw, list):
            self.fault(f"{parent}.item", "item must be a list")
            return {}
        if depth == DEEPEST:
            self.fault(f"{parent}.item", f"items are nested more than {DEEPEST} deep")
            return {}
        found: dict[str, Question] = {}
        for index, item in enumerate(raw):
            path = f"{parent}.item[{index}]"
            question = self.item(item, ancestors, index, path, depth)
            if question is not None:
                found[question.link_id] = question
        return found

    def item(
        self, item: Any, ancestors: tuple[str, ...], position: int, path: str, depth: int
    ) -> Question | None:
        link_id = item.get("linkId") if isinstance(item, dict) else None
        if not isinstance(link_id, str) or not link_id:
            self.fault(f"{path}.linkId", "every item needs a linkId")
            return None
        if link_id in self.paths:
            self.fault(f"{path}.linkId", f"linkId {link_id} is used twice (que-2)")
            return None
        self.paths[link_id] = path
        kind = item.get("type")
        if not isinstance(kind, str) or kind not in ITEM_TYPES:
            self.fault(f"{path}.type", f"{kind!r} is not an item type of FHIR R4")
            return None
        children = self.items(item.get("item"), (*ancestors, link_id), path, depth + 1)
        question = _question(item, ancestors, position, children, self.conditions(item, path))
        self.questions[link_id] = question
        return question

    def conditions(self, item: Mapping[str, Any], path: str) -> tuple[Condition, ...]:
        found = []
        raw = item.get("enableWhen")
        for index, entry in enumerate(raw if isinstance(raw, list) else ()):
            condition = _condition(entry)
            if condition is None:
                self.fault(
                    f"{path}.enableWhen[{index}]",
                    "enableWhen needs a question, a known operator and one answer[x];"
                    " for exists the answer is a boolean (que-7)",
                )
            else:
                found.append(condition)
        return tuple(found)

    def check_conditions(self) -> None:
        for question in self.questions.values():
            for index, condition in enumerate(question.conditions):
                if condition.question not in self.paths:
                    self.fault(
                        f"{self.paths[question.link_id]}.enableWhen[{index}].question",
                        f"enableWhen asks about {condition.question}, which no item has as linkId",
                    )


def _condition(entry: Any) -> Condition | None:
    if not isinstance(entry, dict):
        return None
    question, operator = entry.get("question"), entry.get("operator")
    answers = [(key, value) for key, value in entry.items() if key.startswith("answer")]
    if not isinstance(question, str) or not isinstance(operator, str) or len(answers) != 1:
        return None
    key, value = answers[0]
    if operator not in OPERATORS or (operator == "exists" and not isinstance(value, bool)):
        return None
    return Condition(question, operator, kind_of(key), value)


def _question(
    item: Mapping[str, Any],
    ancestors: tuple[str, ...],
    position: int,
    children: dict[str, Question],
    conditions: tuple[Condition, ...],
) -> Question:
    required = item.get("required") is True
    extensions = _Extensions(item)
    value_set = item.get("answerValueSet")
    return Question(
        link_id=item["linkId"],
        type=item["type"],
        ancestors=ancestors,
        position=position,
        definition=item,
        required=required,
        at_least=max(extensions.integer("questionnaire-minOccurs") or 0, int(required)),
        at_most=extensions.integer("questionnaire-maxOccurs") if item.get("repeats") is True else 1,
        hidden=extensions.first(CORE + "questionnaire-hidden") == ("boolean", True),
        conditions=conditions,
        any_condition=item.get("enableBehavior") == "any",
        has_expression=extensions.first(ENABLE_EXPRESSION) is not None,
        limits=_limits(item, extensions),
        options=tuple(_options(item)),
        value_set=value_set if isinstance(value_set, str) else None,
        children=children,
    )


def _limits(item: Mapping[str, Any], extensions: _Extensions) -> Limits:
    length = item.get("maxLength")
    max_length = length if isinstance(length, int) else None
    if not extensions.values:
        return Limits(max_length=max_length) if max_length is not None else _NO_LIMITS
    pattern = extensions.first(CORE + "regex")
    return Limits(
        minimum=extensions.first(CORE + "minValue", SDC + "sdc-questionnaire-minQuantity"),
        maximum=extensions.first(CORE + "maxValue", SDC + "sdc-questionnaire-maxQuantity"),
        min_length=extensions.integer("minLength"),
        max_length=max_length,
        pattern=pattern[1] if pattern and isinstance(pattern[1], str) else None,
        decimal_places=extensions.integer("maxDecimalPlaces"),
        units=tuple(extensions.all_of("questionnaire-unitOption", dict)),
        targets=frozenset(extensions.all_of("questionnaire-referenceResource", str)),
        mime_types=frozenset(extensions.all_of("mimeType", str)),
    )


_NO_LIMITS = Limits()


def _options(item: Mapping[str, Any]) -> Iterator[Option]:
    raw = item.get("answerOption")
    for entry in raw if isinstance(raw, list) else ():
        if not isinstance(entry, dict):
            continue
        exclusive = flagged(entry, CORE + "questionnaire-optionExclusive")
        for key, value in entry.items():
            if key.startswith("value"):
                yield Option(kind_of(key), value, exclusive)
