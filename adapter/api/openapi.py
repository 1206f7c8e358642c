"""The OpenAPI document, made from the CapabilityStatement: what it claims and nothing else."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from adapter import __version__
from adapter.api.metadata import capability_statement
from adapter.exchange.service import Service

Json = dict[str, Any]
FHIR = "application/fhir+json"
FORM = "application/x-www-form-urlencoded"
RESULT = {
    "_count": {"type": "integer", "minimum": 0},
    "_sort": {"type": "string", "examples": ["_lastUpdated", "-_lastUpdated"]},
    "_summary": {"type": "string", "enum": ["true", "text", "data", "count", "false"]},
    "_elements": {"type": "string"},
    "_total": {"type": "string", "enum": ["none", "estimate", "accurate"]},
    "_page": {"type": "string"},
}
ASKED = ("events", "status", "translate")
"""Operations that change nothing, and have a GET as well (FHIR R4 3.2.0.1)."""
REFUSALS = ("400", "401", "403", "404", "405", "406", "409", "412", "413", "415", "422", "503")


async def openapi(request: Request) -> Response:
    """`/openapi.json`; needs no authorisation, as /metadata."""
    service: Service = request.app.state.service
    auth = service.config.server.auth
    statement = capability_statement(service.base_url(), service.now(), auth)
    return JSONResponse(document(statement, service.base_url()))


def document(statement: Json, base_url: str) -> Json:
    """OpenAPI 3.1 of a CapabilityStatement."""
    rest = statement["rest"][0]
    paths: dict[str, Json] = {
        "/metadata": {"get": _operation("metadata", "What this server can do")},
        "/": {"post": _operation("bundle", "batch or transaction", body="Bundle")},
    }
    for each in rest.get("operation", ()):
        name = each["name"]
        paths[f"/${name}"] = {"post": _operation(name, name, body="Bundle")}
    for resource in rest["resource"]:
        _paths(paths, resource)
    made: Json = {
        "openapi": "3.1.0",
        "info": {"title": "Social prescribing adapter, FHIR R4", "version": __version__},
        "servers": [{"url": f"{base_url}/fhir"}],
        "paths": paths,
        "components": {"responses": {"Refused": _answer("Why not", "OperationOutcome")}},
    }
    if rest["security"].get("service"):
        flow = {"tokenUrl": f"{base_url}/token", "scopes": {"system/*.cruds": "everything"}}
        scheme = {"type": "oauth2", "flows": {"clientCredentials": flow}}
        made["components"]["securitySchemes"] = {"smart": scheme}
        made["security"] = [{"smart": ["system/*.cruds"]}]
    return made


def _paths(paths: dict[str, Json], resource: Json) -> None:
    kind = resource["type"]
    codes = {each["code"] for each in resource["interaction"]}
    whole, one = f"/{kind}", f"/{kind}/{{id}}"
    of: dict[str, Json] = {name: {} for name in (whole, one)}
    if "search-type" in codes:
        asked = _search(resource)
        of[whole]["get"] = _operation(f"search{kind}", f"Search {kind}", parameters=asked)
        fields = {each["name"]: each["schema"] for each in asked}
        form = {FORM: {"schema": {"type": "object", "properties": fields}}}
        posted = _operation(f"searchForm{kind}", f"Search {kind}, out of addresses and logs")
        of[f"{whole}/_search"] = {"post": posted | {"requestBody": {"content": form}}}
    if "create" in codes:
        of[whole]["post"] = _operation(f"create{kind}", f"Create {kind}", body=kind, status="201")
    if "read" in codes:
        of[one]["get"] = _operation(f"read{kind}", f"Read {kind}", id=True)
    if "update" in codes:
        of[one]["put"] = _operation(f"update{kind}", f"Update {kind}", body=kind, id=True)
    if resource.get("conditionalUpdate"):
        found = f"Update the {kind} that a search finds, or create one"
        of[whole]["put"] = _operation(f"updateFound{kind}", found, body=kind, status="201")
    if "patch" in codes:
        of[one]["patch"] = _operation(f"patch{kind}", f"Patch {kind}", body="Parameters", id=True)
    if "vread" in codes:
        place = {"name": "version", "in": "path", "required": True, "schema": {"type": "string"}}
        read = _operation(f"vread{kind}", f"A version of {kind}", id=True, parameters=[place])
        of[f"{one}/_history/{{version}}"] = {"get": read}
    if "history-instance" in codes:
        told = _operation(f"history{kind}", f"Every version of one {kind}", id=True)
        of[f"{one}/_history"] = {"get": told}
    if "history-type" in codes:
        told = _operation(f"changes{kind}", f"Every version of every {kind}")
        of[f"{whole}/_history"] = {"get": told}
    for each in resource.get("operation", ()):
        name = each["name"]
        made = _operation(f"{name}{kind}", each["definition"], body="Parameters")
        if name not in ("events", "status"):
            of[f"{whole}/${name}"] = {"post": made}
        on_one = _operation(f"{name}One{kind}", each["definition"], body="Parameters", id=True)
        of[f"{one}/${name}"] = {"post": on_one}
        if name in ASKED:
            got = _operation(f"{name}GotOne{kind}", each["definition"], id=True)
            of[f"{one}/${name}"]["get"] = got
        if name in ASKED and f"{whole}/${name}" in of:
            got = _operation(f"{name}Got{kind}", each["definition"])
            of[f"{whole}/${name}"]["get"] = got
    paths |= {place: methods for place, methods in of.items() if methods}


def _search(resource: Json) -> list[Json]:
    found = {each["name"]: {"type": "string"} for each in resource.get("searchParam", ())}
    for name in ("Include", "RevInclude"):
        values = resource.get(f"search{name}")
        if values:
            found[f"_{name.lower()}"] = {"type": "string", "enum": values}
    stored = any(each["code"] == "create" for each in resource["interaction"])
    return [
        {"name": name, "in": "query", "schema": schema}
        for name, schema in {**found, **(RESULT if stored else {})}.items()
    ]


def _operation(
    name: str,
    summary: str,
    *,
    body: str = "",
    id: bool = False,
    status: str = "200",
    parameters: list[Json] | None = None,
) -> Json:
    made: Json = {
        "operationId": name,
        "summary": summary,
        "responses": {
            "200": _answer("Done"),
            status: _answer("Done"),
            **{code: {"$ref": "#/components/responses/Refused"} for code in REFUSALS},
        },
    }
    listed = list(parameters or ())
    if id:
        schema = {"type": "string", "pattern": "^[A-Za-z0-9.-]{1,64}$"}
        listed.insert(0, {"name": "id", "in": "path", "required": True, "schema": schema})
    if listed:
        made["parameters"] = listed
    if body:
        made["requestBody"] = {"content": {FHIR: {"schema": _schema(body)}}}
    return made


def _answer(text: str, kind: str = "") -> Json:
    return {"description": text, "content": {FHIR: {"schema": _schema(kind)}}}


def _schema(kind: str) -> Json:
    named: Json = {"const": kind} if kind else {"type": "string"}
    return {"type": "object", "properties": {"resourceType": named}, "required": ["resourceType"]}
