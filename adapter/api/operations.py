"""$validate, $extract and $populate (FHIR R4 Resource-validate; SDC 3.0)."""

from __future__ import annotations

import hashlib
from typing import Any
from uuid import NAMESPACE_OID, uuid5

from starlette.requests import Request
from starlette.responses import Response

from adapter.api.access import Door, admitted
from adapter.api.body import as_resource, check_accept, check_resource, resource_body
from adapter.api.extracted import extraction
from adapter.api.faults import refused
from adapter.api.offered import OPERATIONS
from adapter.api.parameters import Json
from adapter.api.query import Query, matches
from adapter.api.read import looked_up, resource
from adapter.api.response import FhirResponse
from adapter.api.write import served
from adapter.fhir.extraction import ExtractionError
from adapter.fhir.instruments import by_canonical
from adapter.fhir.known import Known, shipped
from adapter.fhir.outcome import ERROR, Issue, operation_outcome
from adapter.fhir.population import populate
from adapter.fhir.validation import validate_resource
from adapter.fhir.writer import dump

LEAST = {"validate": "resource", "extract": "questionnaire-response", "populate": "questionnaire"}


async def operate(request: Request) -> Response:
    """POST of an operation on a type or on one resource."""
    door = admitted(request)
    check_accept(request)
    kind, name = served(request), request.path_params["operation"]
    if name not in OPERATIONS[kind]:
        known = ", ".join(f"${each}" for each in OPERATIONS[kind])
        raise refused(404, f"for {kind} there is {known}", "http.url", code="not-supported")
    given = await _given(request)
    identity = request.path_params.get("id")
    if identity is not None:
        stored = resource(await door.read(lambda caller: looked_up(caller, kind, identity)))
        given.setdefault(LEAST[name], stored)
    subject = given.get(LEAST[name])
    if not isinstance(subject, dict):
        raise refused(400, f"give {LEAST[name]}", "Parameters.parameter", code="required")
    if name == "validate":
        return await _validate(door, kind, subject, _profiles(request, given))
    as_resource(subject, kind)
    check_resource(subject)
    if name == "extract":
        return await _extract(door, subject, given.get("questionnaire"))
    return await _populate(door, subject, given)


async def _given(request: Request) -> Json:
    """The parameters of the body by name; a resource that came alone is under its own role."""
    empty = request.headers.get("content-length", "0") == "0"
    if empty and "id" in request.path_params and "transfer-encoding" not in request.headers:
        return {}
    body = await resource_body(request)
    if body["resourceType"] != "Parameters":
        return {LEAST[request.path_params["operation"]]: body}
    found: Json = {}
    listed = body.get("parameter")
    for index, each in enumerate(listed if isinstance(listed, list) else ()):
        if not isinstance(each, dict) or not isinstance(each.get("name"), str):
            at = f"Parameters.parameter[{index}]"
            raise refused(400, "a parameter has a name", at, code="structure")
        value = next((v for n, v in each.items() if n.startswith("value")), None)
        found.setdefault(each["name"], each.get("resource", value))
    return found


def _profiles(request: Request, given: Json) -> list[str]:
    asked = [*request.query_params.getlist("profile"), given.get("profile")]
    return [each for each in asked if isinstance(each, str) and each]


async def _validate(door: Door, kind: str, subject: Json, profiles: list[str]) -> Response:
    """Everything that is wrong with a resource, as an OperationOutcome; 200 whatever it says."""
    known = Known(shipped())
    await _learn(door, subject, known)
    issues = validate_resource(subject, profiles=profiles, known=known)
    if subject.get("resourceType") != kind:
        text = f"this address validates {kind}"
        issues.append(Issue(ERROR, "invalid", "resourceType", text, "resource-type"))
    return FhirResponse(operation_outcome(issues))


async def _learn(door: Door, subject: Json, known: Known) -> None:
    """Take in the Questionnaire that a response names, if it is here."""
    canonical = subject.get("questionnaire")
    if isinstance(canonical, str):
        found = await _questionnaire(door, canonical)
        if found is not None:
            known.add(found)


async def _questionnaire(door: Door, canonical: str) -> Json | None:
    """By its canonical: one that a client stored, or one that ships with the adapter."""
    url, _, version = canonical.partition("|")
    asked = [("url", url), *([("version", version)] if version else [])]
    query = Query.of("Questionnaire", asked, base="")
    rows = await door.read(lambda caller: matches(caller, query, 1))
    if rows:
        return rows[0].content
    return by_canonical(canonical)


async def _extract(door: Door, response: Json, given: Any) -> Response:
    """The Observations of a completed response, as a transaction Bundle to be posted."""
    held: Any = given
    canonical = response.get("questionnaire")
    if held is None and isinstance(canonical, str):
        held = await _questionnaire(door, canonical)
    if not isinstance(held, dict):
        text = "the Questionnaire is not here; store it, or give it as parameter questionnaire"
        raise refused(422, text, "QuestionnaireResponse.questionnaire", code="not-found")
    check_resource(as_resource(held, "Questionnaire"))
    now = door.service.now().isoformat(timespec="milliseconds")
    try:
        made = await extraction(door, response, held, now, **_nameless(response))
    except (ExtractionError, ValueError) as error:
        raise refused(422, str(error), "QuestionnaireResponse", code="business-rule") from None
    return FhirResponse(made)


def _nameless(response: Json) -> Json:
    """Who a response without id and identifier is: its content, so that twice gives the same."""
    if response.get("id") or response.get("identifier"):
        return {}
    own = str(uuid5(NAMESPACE_OID, hashlib.sha256(dump(response)).hexdigest()))
    named = {"system": "urn:ietf:rfc:3986", "value": f"urn:uuid:{own}"}
    source = {"type": "QuestionnaireResponse", "identifier": named}
    return {"identity": own, "source": source}


async def _populate(door: Door, questionnaire: Json, given: Json) -> Response:
    """A response with the demographics that the subject's record has."""
    subject = given.get("subject")
    said = subject.get("reference", "") if isinstance(subject, dict) else ""
    kind, _, identity = str(said).removeprefix(f"{door.service.base_url()}/fhir/").partition("/")
    if kind != "Patient" or not identity:
        text = "give subject, a reference to a Patient here"
        raise refused(400, text, "Parameters.parameter", code="required")
    patient = resource(await door.read(lambda caller: looked_up(caller, "Patient", identity)))
    try:
        made = populate(questionnaire, {**patient, "id": identity})
    except ValueError as error:
        raise refused(422, str(error), "Questionnaire", code="business-rule") from None
    parameter = {"name": "response", "resource": made}
    return FhirResponse({"resourceType": "Parameters", "parameter": [parameter]})
