"""The full check of a document from outside: JSON, resource, profiles, questionnaire answers.

What `adapter validate` and the API's $validate ask. `adapter.fhir.checks.check` looks at a resource
in itself; this also holds each QuestionnaireResponse against its Questionnaire.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from adapter.fhir.checks import check
from adapter.fhir.instruments import by_canonical
from adapter.fhir.known import Known, shipped
from adapter.fhir.outcome import WARNING, Issue
from adapter.fhir.safe_json import USUAL, Limits, UnsafeJson, loads

RESPONSE = "QuestionnaireResponse"


def validate_bytes(
    data: bytes,
    *,
    profiles: Sequence[str] = (),
    known: Known | None = None,
    limits: Limits = USUAL,
) -> list[Issue]:
    """Return the issues of a JSON document that should be one FHIR resource; raises nothing."""
    try:
        resource = loads(data, limits)
    except UnsafeJson as refused:
        return [refused.issue]
    return validate_resource(resource, profiles=profiles, known=known)


def validate_resource(
    resource: Any, *, profiles: Sequence[str] = (), known: Known | None = None
) -> list[Issue]:
    """Return the issues of a parsed resource, its profiles and its questionnaire answers."""
    at_hand = known or shipped()
    issues = check(resource, profiles=profiles, known=at_hand)
    if type(resource) is dict:
        within = Known(at_hand)
        within.add_questionnaires(resource)
        for response, at in _responses(resource, str(resource.get("resourceType"))):
            issues += _answered(response, at, within, at_hand)
    return issues


def _responses(resource: Any, at: str) -> Iterator[tuple[dict[str, Any], str]]:
    """Yield each QuestionnaireResponse of a resource, contained ones and entries included."""
    if type(resource) is not dict:
        return
    if resource.get("resourceType") == RESPONSE:
        yield resource, at
    for name, inner in (("contained", ""), ("entry", ".resource")):
        held = resource.get(name)
        for index, one in enumerate(held if type(held) is list else ()):
            part = one.get("resource") if inner and type(one) is dict else one
            yield from _responses(part, f"{at}.{name}[{index}]{inner}")


def _answered(response: dict[str, Any], at: str, known: Known, given: Known) -> list[Issue]:
    from adapter.fhir.questionnaire import check_response

    canonical = response.get("questionnaire")
    if type(canonical) is str:
        questionnaire = _contained(response, canonical) or known.resource(canonical)
        questionnaire = questionnaire or given.only_form(named=False) or by_canonical(canonical)
    elif (questionnaire := given.only_form()) is None:
        text = "names no questionnaire, so its answers were not checked"
        return [Issue(WARNING, "not-found", at, text, "questionnaire-unknown")]
    if questionnaire is None or questionnaire.get("resourceType") != "Questionnaire":
        text = "the Questionnaire is not at hand, so the answers were not checked; use --with"
        where = f"{at}.questionnaire"
        return [Issue(WARNING, "not-found", where, text, "questionnaire-unknown")]
    found = check_response(response, questionnaire, resolve_value_set=known.resource)
    return [_moved(issue, at) for issue in found]


def _contained(response: dict[str, Any], canonical: str) -> dict[str, Any] | None:
    held = response.get("contained")
    for one in held if type(held) is list else ():
        if type(one) is dict and canonical == f"#{one.get('id')}":
            return one
    return None


def _moved(issue: Issue, at: str) -> Issue:
    """Return the issue with its place counted from the whole resource."""
    if not issue.expression.startswith(RESPONSE):
        return issue
    where = at + issue.expression.removeprefix(RESPONSE)
    return Issue(issue.severity, issue.code, where, issue.diagnostics, issue.rule)
