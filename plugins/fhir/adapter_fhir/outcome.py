"""An outcome as one document, for servers where no Task can carry it.

What is lost on the way is the structure: activities, measures and enrolment become lines of text.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from typing import Any

from adapter_fhir.outputs import codings
from adapter_fhir.outward import Outgoing, Piece
from adapter_fhir.references import identified

Json = dict[str, Any]
_LOINC = "http://loinc.org"
_NOTE = {"system": _LOINC, "code": "11488-4", "display": "Consult note"}
WORDS = {
    "en": {
        "title": "Social prescription: what came of it",
        "status": "Status",
        "reason": "Reason",
        "completed": "completed",
        "rejected": "not taken on",
        "cancelled": "cancelled",
        "failed": "could not be carried out",
        "entered-in-error": "entered in error",
    },
    "fr": {
        "title": "Prescription sociale : le résultat",
        "status": "État",
        "reason": "Motif",
        "completed": "terminée",
        "rejected": "non prise en charge",
        "cancelled": "annulée",
        "failed": "n’a pas pu être réalisée",
        "entered-in-error": "saisie par erreur",
    },
}


def outcome_piece(
    outgoing: Outgoing,
    task: Json,
    form: str,
    *,
    patient: str,
    request: str,
    language: str,
    at: str,
) -> Piece:
    """The document: a DocumentReference, or a QuestionnaireResponse without a Questionnaire."""
    lines = list(_lines(outgoing, task, WORDS.get(language, WORDS["en"])))
    title = WORDS.get(language, WORDS["en"])["title"]
    made = (
        _response(lines, patient, request, at)
        if form == "questionnaire-response"
        else _document(title, lines, patient, request, at)
    )
    link = f"urn:uuid:{task.get('id')}#outcome"
    return Piece(url="urn:outcome", resource=identified(made, link), link=link)


def in_words(outgoing: Outgoing, task: Json, places: Mapping[str, str]) -> Json:
    """The Task with what its outputs refer to as a note, where that could not be put on the server.

    Nothing is dropped without a word.
    """
    words = [
        _said(output, outgoing)
        for output in task.get("output") or ()
        if (output.get("valueReference") or {}).get("reference") not in (None, *places)
    ]
    notes = [{"text": each} for each in words if each]
    return {**task, "note": [*(task.get("note") or ()), *notes]} if notes else task


def _document(
    title: str, lines: list[tuple[str, str]], patient: str, request: str, at: str
) -> Json:
    text = "\n".join([title, "", *(f"{name}: {value}" if name else value for name, value in lines)])
    return {
        "resourceType": "DocumentReference",
        "status": "current",
        "docStatus": "final",
        "type": {"coding": [_NOTE], "text": title},
        "subject": {"reference": patient},
        "date": at,
        "description": title,
        "content": [
            {
                "attachment": {
                    "contentType": "text/plain; charset=utf-8",
                    "data": base64.b64encode(text.encode()).decode(),
                    "title": title,
                }
            }
        ],
        **({"context": {"related": [{"reference": request}]}} if request else {}),
    }


def _response(lines: list[tuple[str, str]], patient: str, request: str, at: str) -> Json:
    items = [
        {"linkId": str(number), "text": name or "-", "answer": [{"valueString": value}]}
        for number, (name, value) in enumerate(lines, 1)
    ]
    return {
        "resourceType": "QuestionnaireResponse",
        "status": "completed",
        "subject": {"reference": patient},
        "authored": at,
        "item": items,
        **({"basedOn": [{"reference": request}]} if request else {}),
    }


def _lines(outgoing: Outgoing, task: Json, words: dict[str, str]) -> Iterator[tuple[str, str]]:
    status = str(task.get("status", ""))
    yield words["status"], words.get(status, status)
    reason = _text(task.get("statusReason"))
    if reason:
        yield words["reason"], reason
    for output in task.get("output") or ():
        said = _said(output, outgoing)
        if said:
            yield _text(output.get("type")), said
    for note in task.get("note") or ():
        if note.get("text"):
            yield "", str(note["text"])


def _said(output: Json, outgoing: Outgoing) -> str:
    reference = (output.get("valueReference") or {}).get("reference")
    if reference:
        resource = outgoing.resources.get(reference, {})
        return _text(resource.get("code")) or str(resource.get("description") or "")
    for name, value in output.items():
        if name.startswith("value"):
            return _text(value) if isinstance(value, dict) else str(value)
    return ""


def _text(concept: Any) -> str:
    if not isinstance(concept, dict):
        return ""
    said = concept.get("text") or next(
        (each.get("display") or each.get("code") for each in codings(concept)), ""
    )
    return str(said)
