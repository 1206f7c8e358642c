"""Checks a QuestionnaireResponse against the Questionnaire that it answers.

Sources: FHIR R4 4.0.1 Questionnaire and QuestionnaireResponse (notes, invariants qrs-1, que-1 to
que-13) and the extensions named in questionnaire_form. The shape of the resource itself (unknown
elements, data types, references) is the matter of `checks.check`; both are wanted for a whole
answer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from adapter.fhir.outcome import Issue
from adapter.fhir.questionnaire_answers import value_of
from adapter.fhir.questionnaire_enablement import Enablement, Frame
from adapter.fhir.questionnaire_form import Form, Question, read_form
from adapter.fhir.questionnaire_limits import AnswerCheck
from adapter.fhir.questionnaire_options import (
    Resolver,
    ValueSets,
    contained_first,
    no_value_sets,
)

STATUSES = frozenset(["in-progress", "completed", "amended", "entered-in-error", "stopped"])
FINISHED = frozenset(["completed", "amended"])
"""The statuses in which nothing that is required may be missing."""


def check_response(
    response: dict[str, Any],
    questionnaire: dict[str, Any] | Form,
    *,
    resolve_value_set: Resolver = no_value_sets,
) -> list[Issue]:
    """Return what is wrong with a QuestionnaireResponse, held against its Questionnaire.

    Empty: nothing is wrong. `error` makes the response invalid; `warning` says what could not be
    checked (a ValueSet that is not at hand); `information` says what is still to be answered in a
    response that is in progress. Expressions are FHIRPath from `QuestionnaireResponse`, or from
    `Questionnaire` when the fault is in the form itself. Raises nothing on bad content.

    A caller with many responses to one Questionnaire reads it once, with `read_form`.
    `resolve_value_set` gives the ValueSet (or CodeSystem) of a canonical url, or None.
    """
    form = questionnaire if isinstance(questionnaire, Form) else read_form(questionnaire)
    resolve = contained_first(form.definition, resolve_value_set)
    status = response.get("status")
    walk = _Walk(Enablement(form), AnswerCheck(ValueSets(resolve)), form, status)
    walk.check_head(response)
    for fault in form.faults:
        walk.add("error", "processing", fault.expression, fault.diagnostics)
    root = Frame(None, response, response)
    walk.check_items(form.children, response, "QuestionnaireResponse", (root,))
    if walk.enablement.budget < 0:
        text = "the conditions of the form take too many comparisons; not all were evaluated"
        walk.error("too-costly", "QuestionnaireResponse", text)
    return walk.issues


@dataclass(slots=True)
class _Walk:
    enablement: Enablement
    answers: AnswerCheck
    form: Form
    status: Any
    issues: list[Issue] = field(default_factory=list)

    def add(self, severity: str, code: str, expression: str, diagnostics: str) -> None:
        self.issues.append(Issue(severity, code, expression, diagnostics))

    def error(self, code: str, expression: str, diagnostics: str) -> None:
        self.add("error", code, expression, diagnostics)

    def check_head(self, response: Mapping[str, Any]) -> None:
        top = "QuestionnaireResponse"
        if response.get("resourceType") != top:
            self.error("structure", top, "this is not a QuestionnaireResponse")
        if self.status is None:
            self.error("required", f"{top}.status", "the response needs a status")
        elif not isinstance(self.status, str) or self.status not in STATUSES:
            allowed = ", ".join(sorted(STATUSES))
            self.error("code-invalid", f"{top}.status", f"the status must be one of {allowed}")
        named = response.get("questionnaire")
        if isinstance(named, str) and not _same_canonical(named, self.form.canonical):
            self.error(
                "conflict",
                f"{top}.questionnaire",
                f"the response answers another Questionnaire than {self.form.canonical}",
            )

    def check_items(
        self,
        questions: Mapping[str, Question],
        container: Mapping[str, Any],
        path: str,
        frames: Sequence[Frame],
    ) -> None:
        """Check the items inside a response, item or answer, against the items of the form."""
        found = self.sort_items(questions, container, path)
        for question in questions.values():
            here = found.get(question.link_id, [])
            if not self.enablement.enabled(question, frames):
                self.check_disabled(question, here)
            elif question.type == "display":
                self.check_display(question, here)
            elif question.type == "group":
                self.check_group(question, here, path, frames)
            else:
                self.check_question(question, here, path, frames)

    def sort_items(
        self, questions: Mapping[str, Question], container: Mapping[str, Any], path: str
    ) -> dict[str, list[tuple[str, Mapping[str, Any]]]]:
        """Give (path, item) per linkId, after saying which items do not belong here."""
        found: dict[str, list[tuple[str, Mapping[str, Any]]]] = {}
        furthest = -1
        for index, item in enumerate(self.listed(container, "item", path)):
            here = f"{path}.item[{index}]"
            link_id = item.get("linkId") if isinstance(item, dict) else None
            if not isinstance(link_id, str) or not isinstance(item, dict):
                self.error("required", f"{here}.linkId", "an item needs a linkId")
                continue
            question = questions.get(link_id)
            if question is None:
                self.check_misplaced(link_id, here)
                continue
            if question.position < furthest:
                self.error(
                    "structure", here, f"{link_id} comes too late: items keep the form's order"
                )
            furthest = max(furthest, question.position)
            found.setdefault(link_id, []).append((here, item))
        return found

    def listed(self, element: Mapping[str, Any], name: str, path: str) -> list[Any]:
        raw = element.get(name)
        if raw is not None and not isinstance(raw, list):
            self.error("structure", f"{path}.{name}", f"{name} must be a list")
        return raw if isinstance(raw, list) else []

    def check_misplaced(self, link_id: str, here: str) -> None:
        known = self.form.questions.get(link_id)
        if known is None:
            self.error(
                "not-found", f"{here}.linkId", "the Questionnaire has no item of this linkId"
            )
        else:
            parent = known.ancestors[-1] if known.ancestors else "the top"
            self.error("structure", f"{here}.linkId", f"{link_id} belongs under {parent}")

    def check_disabled(
        self, question: Question, here: Sequence[tuple[str, Mapping[str, Any]]]
    ) -> None:
        for path, item in here:
            if _has_answers(item):
                self.error(
                    "business-rule",
                    path,
                    f"{question.link_id} is answered although its enableWhen does not enable it",
                )

    def check_display(
        self, question: Question, here: Sequence[tuple[str, Mapping[str, Any]]]
    ) -> None:
        for path, _ in here[1:]:
            self.error("structure", path, f"{question.link_id} appears twice: it does not repeat")
        for path, item in here:
            for name in ("answer", "item"):
                if item.get(name):
                    self.error("structure", f"{path}.{name}", "a display item holds only words")

    def check_group(
        self,
        group: Question,
        here: Sequence[tuple[str, Mapping[str, Any]]],
        path: str,
        frames: Sequence[Frame],
    ) -> None:
        self.check_count(group, len(here), path)
        if group.at_most is not None and len(here) > group.at_most:
            self.error(
                "structure", here[group.at_most][0], f"{group.link_id} may appear {group.at_most}x"
            )
        for item_path, item in here:
            if item.get("answer"):
                self.error("structure", f"{item_path}.answer", "a group takes no answers")
            elif group.required and not _has_answers(item):
                self.missing(item_path, f"{group.link_id} is required: answer something in it")
            self.check_items(group.children, item, item_path, (*frames, Frame(group, item, item)))

    def check_question(
        self,
        question: Question,
        here: Sequence[tuple[str, Mapping[str, Any]]],
        path: str,
        frames: Sequence[Frame],
    ) -> None:
        if not here:
            self.check_count(question, 0, path)
        for item_path, _ in here[1:]:
            self.error(
                "structure", item_path, f"{question.link_id} appears twice: answers go in one item"
            )
        for item_path, item in here:
            if item.get("item"):
                self.error(
                    "structure", f"{item_path}.item", "items below a question go in its answer"
                )
            self.check_answers(question, item_path, item, frames)

    def check_answers(
        self, question: Question, path: str, item: Mapping[str, Any], frames: Sequence[Frame]
    ) -> None:
        answers = self.listed(item, "answer", path)
        given = sum(1 for answer in answers if isinstance(answer, dict) and value_of(answer))
        self.check_count(question, given, path)
        if question.at_most is not None and len(answers) > question.at_most:
            self.error(
                "structure",
                f"{path}.answer[{question.at_most}]",
                f"{question.link_id} takes at most {question.at_most} answers",
            )
        self.issues += self.answers.check(question, answers, path)
        for index, answer in enumerate(answers):
            if isinstance(answer, dict):
                inside = (*frames, Frame(question, item, answer))
                self.check_items(question.children, answer, f"{path}.answer[{index}]", inside)

    def check_count(self, question: Question, count: int, path: str) -> None:
        if count < question.at_least:
            why = "it is required" if question.at_least == 1 else f"{question.at_least} are wanted"
            hidden = " (it is hidden: the software fills it in)" if question.hidden else ""
            diagnostics = f"{question.link_id} is not answered: {why}{hidden}"
            if question.has_expression:
                # Whether it is enabled hangs on an expression that is not evaluated here.
                self.add("warning", "not-supported", path, f"{diagnostics}, if it is enabled")
            else:
                self.missing(path, diagnostics)

    def missing(self, path: str, diagnostics: str) -> None:
        """Say that an answer is missing, as strictly as the response's status asks."""
        if self.status in ("entered-in-error", "stopped"):
            return
        if self.status == "in-progress":
            self.add("information", "incomplete", path, diagnostics)
        else:
            self.error("required", path, diagnostics)


def _has_answers(item: Mapping[str, Any]) -> bool:
    """Whether any answer stands in the item or below it."""
    waiting: list[Any] = [item]
    while waiting:
        element = waiting.pop()
        if not isinstance(element, dict):
            continue
        if element.get("answer"):
            return True
        below = element.get("item")
        waiting.extend(below if isinstance(below, list) else ())
    return False


def _same_canonical(named: str, canonical: str) -> bool:
    """Whether both name one Questionnaire; a version left out matches any version."""
    url, _, version = named.partition("|")
    own_url, _, own_version = canonical.partition("|")
    if not own_url or url.startswith("#"):
        return True  # the form has no url to compare, or is contained in the response
    return url == own_url and (not version or not own_version or version == own_version)
