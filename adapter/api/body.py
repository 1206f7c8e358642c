"""What comes in: media types, a bounded body, JSON or XML, one resource (FHIR R4 3.1.0.1)."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from adapter.api.faults import Refused, refused
from adapter.api.formats import FHIR_JSON, FHIR_XML, wanted
from adapter.fhir.checks import check
from adapter.fhir.outcome import Issue, failed
from adapter.fhir.safe_json import USUAL, UnsafeJson, loads
from adapter.fhir.writer import dump
from adapter.fhir.xml_reader import UnsafeXml, read_xml

JSON_PATCH = "application/json-patch+json"
FORM = "application/x-www-form-urlencoded"
MOST = USUAL.size
_QUOTED = re.compile(r"\A'.*?'(?= is not allowed here)", re.DOTALL)


def check_accept(request: Request) -> None:
    """Refuse with 406 whoever wants neither JSON nor XML."""
    if wanted(request.query_params, request.headers) is None:
        text = "This server speaks application/fhir+json and application/fhir+xml, FHIR 4.0."
        raise refused(406, text, "http.accept")


def media_type(request: Request, *known: str) -> str:
    """The Content-Type, if it is one of `known`; 415 if not."""
    given = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if given not in known:
        raise refused(415, f"Send the body as {known[0]}.", "http.content-type")
    return given


async def body(request: Request) -> bytes:
    """The body, read no further than the cap; 413 beyond it."""
    said = request.headers.get("content-length", "")
    if said.isdigit() and int(said) > MOST:
        raise _too_large()
    parts: list[bytes] = []
    size = 0
    async for part in request.stream():
        size += len(part)
        if size > MOST:
            raise _too_large()
        parts.append(part)
    return b"".join(parts)


def _too_large() -> Refused:
    return refused(413, f"A body has at most {MOST} bytes.", "http.body")


async def json_body(request: Request) -> Any:
    """The body as a JSON value."""
    try:
        value = loads(await body(request))
        dump(value)  # what could not be written again is refused here, not in the store
    except UnsafeJson as unsafe:
        raise Refused(413 if unsafe.code == "too-large" else 400, [unsafe.issue]) from None
    except TypeError:
        raise refused(400, "A number has more digits than can be kept.", code="value") from None
    return value


async def resource_body(request: Request, kind: str | None = None) -> dict[str, Any]:
    """The body as one object that says its resourceType; `kind` is the one wanted."""
    if media_type(request, *FHIR_JSON, *FHIR_XML) in FHIR_XML:
        return as_resource(await xml_body(request), kind)
    return as_resource(await json_body(request), kind)


async def xml_body(request: Request) -> Any:
    """A body in XML, as the JSON of the same resource."""
    data = await body(request)
    try:
        return await run_in_threadpool(lambda: read_xml(data))
    except UnsafeXml as unsafe:
        raise Refused(413 if unsafe.code == "too-large" else 400, [unsafe.issue]) from None


def as_resource(value: Any, kind: str | None = None, at: str = "") -> dict[str, Any]:
    """A JSON value that is a resource of this type; 400 if it is not."""
    if not isinstance(value, dict) or not isinstance(value.get("resourceType"), str):
        raise refused(400, "A FHIR resource is needed.", at or "Resource", code="structure")
    if kind is not None and value["resourceType"] != kind:
        raise refused(400, f"A {kind} is needed here.", at or "Resource", code="invalid")
    return value


def check_resource(resource: dict[str, Any], status: int = 422) -> None:
    """Refuse a resource that is not right, with every issue and where it is."""
    issues = check(resource)
    if failed(issues):
        raise Refused(status, [_unquoted(each) for each in issues])


def _unquoted(issue: Issue) -> Issue:
    """An issue without the value that it quotes: a refusal repeats nothing of a person."""
    text = _QUOTED.sub("what stands here", issue.diagnostics, count=1)
    return issue if text == issue.diagnostics else replace(issue, diagnostics=text)


def version_wanted(request: Request) -> int | None:
    """The version of If-Match (``W/"3"``), None without one; 400 if it cannot be read."""
    return version_of_etag(request.headers.get("if-match"))


def version_of_etag(given: str | None) -> int | None:
    """The version that an entity tag names."""
    if given is None or given.strip() == "*":
        return None
    plain = given.strip().removeprefix("W/").strip('"')
    if not (plain.isascii() and plain.isdigit()) or len(plain) > 9:
        raise refused(400, 'If-Match names a version as W/"3".', "http.if-match")
    return int(plain)
