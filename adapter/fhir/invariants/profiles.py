"""Invariants of the dialects' profiles, by the ids that their guides give them.

Source: SDOH Clinical Care 3.0.0, Task for patients (SDOH-Task-1 to -7) and Procedure (us-core-7).
The guide's SDOH-Task-6 looks for questionnaire-pdf in a code system that its own profile does not
use; the rule here takes the profile's code system.
"""

from __future__ import annotations

from typing import Any

from adapter.fhir.invariants.rule import Invariant, Node, codings, each, has, has_choice

SDOHCC = "http://hl7.org/fhir/us/sdoh-clinicalcare/CodeSystem/SDOHCC-CodeSystemTemporaryCodes"
SDC = "http://hl7.org/fhir/uv/sdc/CodeSystem/temp"
_FORMS = {
    (SDC, "questionnaire"),
    (SDOHCC, "questionnaire-pdf"),
    (SDOHCC, "questionnaire-url"),
}


def _is(node: Node, code: str) -> bool:
    return any(found == code for _, found in codings(node, "code"))


def _typed(node: Node, part: str) -> list[tuple[str | None, str | None]]:
    return [pair for one in each(node, part) for pair in codings(one, "type")]


def _one_questionnaire(node: Node) -> bool:
    if not _is(node, "complete-questionnaire"):
        return True
    inputs = _typed(node, "input")
    forms = sum(pair in _FORMS for pair in inputs)
    return forms == 1 and (SDOHCC, "questionnaire-category") in inputs


def _contact(node: Node) -> bool:
    return not _is(node, "make-contact") or (SDOHCC, "contact-entity") in _typed(node, "input")


def _output_fits(inputs: tuple[str, str], output: tuple[str, str]) -> Any:
    def holds(node: Node) -> bool:
        outputs = _typed(node, "output")
        if not outputs or not _is(node, "complete-questionnaire"):
            return True
        return inputs not in _typed(node, "input") or output in outputs

    return holds


PROFILE_RULES = {
    rule.key: rule
    for rule in (
        Invariant(
            "SDOH-Task-1",
            "a task to complete a questionnaire needs exactly one questionnaire, and its category",
            _one_questionnaire,
            at="input",
        ),
        Invariant(
            "SDOH-Task-2",
            "a task for general information needs a description",
            lambda d: not _is(d, "general-information") or has(d, "description"),
            at="description",
        ),
        Invariant(
            "SDOH-Task-3",
            "a task to review material needs its focus",
            lambda d: not _is(d, "review-material") or has(d, "focus"),
            at="focus",
        ),
        Invariant(
            "SDOH-Task-4",
            "a task to make contact needs a contact-entity among its inputs",
            _contact,
            at="input",
        ),
        Invariant(
            "SDOH-Task-5",
            "a questionnaire given by canonical is answered by a questionnaire-response",
            _output_fits((SDC, "questionnaire"), (SDC, "questionnaire-response")),
            on=("output",),
            at="output",
        ),
        Invariant(
            "SDOH-Task-6",
            "a questionnaire given as PDF is answered by a completed PDF",
            _output_fits((SDOHCC, "questionnaire-pdf"), (SDOHCC, "questionnaire-pdf-completed")),
            on=("output",),
            at="output",
        ),
        Invariant(
            "SDOH-Task-7",
            "a task to make contact needs a description",
            lambda d: not _is(d, "make-contact") or has(d, "description"),
            at="description",
        ),
        Invariant(
            "us-core-7",
            "a procedure that is completed or in progress says when it was performed",
            lambda d: (
                d.get("status") not in {"completed", "in-progress"} or has_choice(d, "performed")
            ),
            at="performed",
        ),
    )
}
