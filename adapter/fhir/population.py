"""SDC `$populate`, for demographics only: what the Patient resource already says.

Source: Structured Data Capture (SDC) 3.0, "Form Population": `item.definition` and the extension
initialExpression. Only the plain paths below are understood; FHIRPath is not evaluated. An
outcome is never filled in ahead: a person who sees an answer leans towards it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from adapter.fhir.questionnaire_answers import kinds_for, malformed
from adapter.fhir.questionnaire_form import SDC, Question, extension_values, read_form
from adapter.fhir.questionnaire_options import offer_of

INITIAL_EXPRESSION = SDC + "sdc-questionnaire-initialExpression"
_DEFINITION = "http://hl7.org/fhir/StructureDefinition/Patient#"
GENDERS = "http://hl7.org/fhir/administrative-gender"

Path = tuple[tuple[str, str | None, str | None], ...]
"""Steps into a Patient: element, and the (key, value) that picks one entry of a list."""

PATHS: Mapping[str, Path] = {
    "birthDate": (("birthDate", None, None),),
    "gender": (("gender", None, None),),
    "name.family": (("name", None, None), ("family", None, None)),
    "name.given": (("name", None, None), ("given", None, None)),
    "name.text": (("name", None, None), ("text", None, None)),
    "address.line": (("address", None, None), ("line", None, None)),
    "address.city": (("address", None, None), ("city", None, None)),
    "address.state": (("address", None, None), ("state", None, None)),
    "address.postalCode": (("address", None, None), ("postalCode", None, None)),
    "telecom.where(system='phone').value": (
        ("telecom", "system", "phone"),
        ("value", None, None),
    ),
    "telecom.where(system='email').value": (
        ("telecom", "system", "email"),
        ("value", None, None),
    ),
    "communication.language": (
        ("communication", None, None),
        ("language", None, None),
        ("coding", None, None),
    ),
}
"""The demographics that can be filled in, by their path in Patient."""


def populate(questionnaire: Mapping[str, Any], patient: Mapping[str, Any]) -> dict[str, Any]:
    """Return an in-progress QuestionnaireResponse with the demographics that the Patient has.

    An item asks for one by `definition` (`…/StructureDefinition/Patient#Patient.birthDate`) or by
    an initialExpression such as `%patient.name.family`; `.first()` is understood. A value that does
    not fit the item (its type, its options) is left for the person to give.
    """
    form = read_form(questionnaire)
    response: dict[str, Any] = {"resourceType": "QuestionnaireResponse", "status": "in-progress"}
    if form.canonical:
        response["questionnaire"] = form.canonical
    if patient.get("id"):
        response["subject"] = {"reference": f"Patient/{patient['id']}"}
    items = _filled(form.children, patient)
    if items:
        response["item"] = items
    return response


def _filled(questions: Mapping[str, Question], patient: Mapping[str, Any]) -> list[dict[str, Any]]:
    found = []
    for question in questions.values():
        if question.type == "group":
            inside = _filled(question.children, patient)
            if inside:
                found.append({"linkId": question.link_id, "item": inside})
        elif question.is_question and not question.conditions:
            answer = _answer(question, patient)
            if answer is not None:
                found.append({"linkId": question.link_id, "answer": [answer]})
    return found


def _answer(question: Question, patient: Mapping[str, Any]) -> dict[str, Any] | None:
    path = PATHS.get(_asked(question) or "")
    value = _at(patient, path) if path else None
    if value is None:
        return None
    for kind in sorted(kinds_for(question)):
        made = _as_kind(value, kind, question)
        if made is not None and malformed(kind, made) is None:
            return {f"value{kind[0].upper()}{kind[1:]}": made}
    return None


def _asked(question: Question) -> str | None:
    """Return the path in Patient that the item asks for, as a key of PATHS."""
    definition = question.definition.get("definition")
    if isinstance(definition, str) and definition.startswith(_DEFINITION):
        return definition.removeprefix(_DEFINITION).removeprefix("Patient.")
    for _, expression in extension_values(question.definition).get(INITIAL_EXPRESSION, ()):
        if isinstance(expression, dict) and isinstance(expression.get("expression"), str):
            text: str = expression["expression"].replace(".first()", "").replace('"', "'")
            return text.strip().removeprefix("%").removeprefix("patient.").removeprefix("Patient.")
    return None


def _at(patient: Mapping[str, Any], path: Path) -> Any:
    node: Any = patient
    for name, key, wanted in path:
        node = node.get(name) if isinstance(node, dict) else None
        if isinstance(node, list):
            fits = [
                e for e in node if key is None or (isinstance(e, dict) and e.get(key) == wanted)
            ]
            node = fits[0] if fits else None
    return node


def _as_kind(value: Any, kind: str, question: Question) -> Any:
    if kind != "Coding":
        return value if isinstance(value, str) else None
    coding = value if isinstance(value, dict) else {"system": GENDERS, "code": value}
    kept = {key: coding[key] for key in ("system", "code", "display") if key in coding}
    return kept if offer_of(question.options).holds(kind, kept) or not question.options else None
