"""Every fault of the API as an OperationOutcome: no traceback, no value of a person."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from adapter.api.response import FhirResponse
from adapter.fhir.outcome import ERROR, Issue, operation_outcome
from adapter.plugin.errors import AdapterError

CODES = {
    400: "invalid",
    401: "login",
    403: "forbidden",
    404: "not-found",
    405: "not-supported",
    406: "not-supported",
    409: "conflict",
    412: "conflict",
    413: "too-long",
    415: "not-supported",
    422: "processing",
}
BODY = "http.body"
NOTHING_NAMED = {"method": "http.method", "url": "http.url"}


class Refused(Exception):  # noqa: N818 - named for what it says
    """A request that is not done: its status and the issues that say why."""

    def __init__(self, status: int, issues: Iterable[Issue]) -> None:
        self.status = status
        self.issues = tuple(issues)
        super().__init__("; ".join(each.diagnostics for each in self.issues))


def refused(status: int, text: str, at: str = "", *, code: str = "", rule: str = "") -> Refused:
    """A refusal with one issue; `at` is the FHIRPath of what is wrong (R4 OperationOutcome).

    Without a resource to point into, `at` is ``http.`` and the part of the request.
    """
    return Refused(status, [Issue(ERROR, code or CODES.get(status, "processing"), at, text, rule)])


async def on_refused(_: Request, error: Exception) -> Response:
    """A refusal of a handler."""
    if not isinstance(error, Refused):
        raise error
    placed = [each if each.expression else replace(each, expression=BODY) for each in error.issues]
    return FhirResponse(operation_outcome(placed), error.status)


async def on_http_error(_: Request, error: Exception) -> Response:
    """A refusal of a handler or of the router."""
    if not isinstance(error, HTTPException):
        raise error
    at = NOTHING_NAMED["method" if error.status_code == 405 else "url"]
    issue = Issue(ERROR, CODES.get(error.status_code, "processing"), at, error.detail)
    response = FhirResponse(operation_outcome([issue]), error.status_code)
    for name, value in (error.headers or {}).items():
        response.headers[name] = value
    return response


async def on_adapter_error(_: Request, error: Exception) -> Response:
    """The store or a system cannot do it now: 503, and when to come again."""
    if not isinstance(error, AdapterError):
        raise error
    issue = Issue(ERROR, "transient", "", f"{error.message} {error.fix}".strip())
    response = FhirResponse(operation_outcome([issue]), 503)
    response.headers["Retry-After"] = "5"
    return response
