"""Any FHIR Questionnaire as form controls, and what was answered back as `Answers`.

Every question may be skipped. A required one wants that said ("Skip this question"), so that a slip
is not taken for a choice; a response with such a gap is ``stopped``, not ``completed`` (FHIR R4
QuestionnaireResponse.status).

Shown are the item types of `_CONTROLS`; quantities, attachments, references and date-times have no
plain control and are left out (`QuestionForm.left_out`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from adapter.fhir.instruments import instrument, translated
from adapter.fhir.questionnaire_form import Form, Option, Question, read_form
from adapter.portal.answers import Entries, answered
from adapter.portal.catalogue import mark
from adapter.portal.typed import PROBLEMS, TypedError, value_of_text
from adapter.portal.words import Words
from adapter.referral.model import Answers

PREFIX, OTHER, SKIP = "q.", ".other", ".skip"

_CONTROLS = {
    "boolean": "choice",
    "choice": "choice",
    "open-choice": "choice",
    "integer": "number",
    "decimal": "number",
    "string": "line",
    "url": "line",
    "text": "lines",
    "date": "date",
    "time": "time",
    "group": "group",
    "display": "display",
}


@dataclass(frozen=True, slots=True)
class Choice:
    """One answer to choose: what the form sends, what it says, and the FHIR value that it means."""

    value: str
    text: str
    kind: str
    meaning: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    """One item as a form control; `depends` is True if it only counts after certain answers."""

    question: Question
    name: str
    kind: str
    label: str
    hint: str | None
    choices: tuple[Choice, ...]
    many: bool
    open: bool
    depends: bool
    children: tuple[Control, ...]

    @property
    def required(self) -> bool:
        """True if a blank has to be confirmed as skipped."""
        return self.question.required and self.kind not in ("group", "display")


@dataclass(frozen=True, slots=True)
class QuestionForm:
    """A Questionnaire in one language, ready to be shown and read."""

    form: Form
    language: str
    controls: tuple[Control, ...]
    left_out: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Reading:
    """What was answered, and the problems by field name (then the answers must not be used)."""

    answers: Answers
    problems: Mapping[str, str]


@cache
def shipped(name: str, language: str) -> QuestionForm:
    """A shipped questionnaire as a form in one language."""
    return question_form(instrument(name), language)


def question_form(questionnaire: Mapping[str, Any], language: str) -> QuestionForm:
    """Any FHIR R4 Questionnaire as a form in one language."""
    form = read_form(translated(dict(questionnaire), language))
    controls = tuple(_controls(form.children))
    shown = {control.question.link_id for control in walk(controls)}
    left = tuple(q.link_id for q in form.questions.values() if not q.hidden)
    return QuestionForm(form, language, controls, tuple(each for each in left if each not in shown))


def walk(controls: tuple[Control, ...]) -> Iterator[Control]:
    """Every control, parents before their children."""
    for control in controls:
        yield control
        yield from walk(control.children)


def read(form: QuestionForm, values: Mapping[str, list[str]], words: Words) -> Reading:
    """Read a posted form; every question that has an answer, and every problem."""
    entries: Entries = {}
    problems: dict[str, str] = {}
    skipped = False
    for control in walk(form.controls):
        if control.kind in ("group", "display"):
            continue
        try:
            given = _meanings(control, values)
        except TypedError as error:
            problems[control.name] = words.say(PROBLEMS[error.code], **error.values)
            continue
        if given:
            entries[control.question.link_id] = given
        elif control.required and not control.depends:
            skipped = True
            if not _skipped(control, values):
                unanswered = mark("Answer this question, or choose to skip it.")
                problems[control.name] = words.say(unanswered)
    found = answered(form.form, form.language, entries, skipped=skipped)
    not_allowed = PROBLEMS["text-form"]
    for link_id in found.wrong:
        problems.setdefault(f"{PREFIX}{link_id}", words.say(not_allowed))
    return Reading(found.answers, problems)


def _controls(questions: Mapping[str, Question]) -> Iterator[Control]:
    for question in questions.values():
        kind = _CONTROLS.get(question.type)
        if question.hidden or kind is None:
            continue
        if kind == "choice" and not (question.options or question.type == "boolean"):
            continue
        definition = question.definition
        yield Control(
            question=question,
            name=f"{PREFIX}{question.link_id}",
            kind=kind,
            label=" ".join(filter(None, [definition.get("prefix"), definition.get("text")])),
            hint=None,
            choices=_choices(question),
            many=kind == "choice" and question.at_most != 1,
            open=question.type == "open-choice",
            depends=bool(question.conditions),
            children=tuple(_controls(question.children)),
        )


def _choices(question: Question) -> tuple[Choice, ...]:
    if question.type == "boolean":
        return (
            Choice("true", mark("Yes"), "boolean", True),
            Choice("false", mark("No"), "boolean", False),
        )
    codes = [_code(option) for option in question.options]
    plain = len(set(codes)) == len(codes) and "" not in codes
    return tuple(
        Choice(code if plain else str(number), _display(option), option.kind, option.value)
        for number, (code, option) in enumerate(zip(codes, question.options, strict=True))
    )


def _code(option: Option) -> str:
    value = option.value
    return str(value.get("code") or "") if isinstance(value, Mapping) else str(value)


def _display(option: Option) -> str:
    value = option.value
    if isinstance(value, Mapping):
        return str(value.get("display") or value.get("code") or "")
    return str(value)


def _skipped(control: Control, values: Mapping[str, list[str]]) -> bool:
    if control.kind == "choice":
        return "" in values.get(control.name, ())
    return bool(values.get(control.name + SKIP))


def _meanings(control: Control, values: Mapping[str, list[str]]) -> list[tuple[str, Any]]:
    """The answers to one question, as (FHIR type name, value)."""
    sent = [text.strip() for text in values.get(control.name, ()) if text.strip()]
    if control.kind != "choice":
        typed = sent[0].replace("\r\n", "\n") if sent else ""
        return [value_of_text(control.question, typed)] if typed else []
    by_value = {choice.value: choice for choice in control.choices}
    other = (values.get(control.name + OTHER) or [""])[0].strip() if control.open else ""
    if any(text not in by_value for text in sent):
        raise TypedError("choice-unknown")
    chosen = sent if control.many else sent[:1]
    found = [(by_value[text].kind, by_value[text].meaning) for text in chosen]
    if other:
        own = ("string", value_of_text(control.question, other)[1])
        found = [*found, own] if control.many else [own]
    return found
