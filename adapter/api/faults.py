"""Every fault of the API as an OperationOutcome: no traceback, no value of a person."""

from __future__ import annotations

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from adapter.api.response import FhirResponse, outcome
from adapter.plugin.errors import AdapterError

CODES = {400: "invalid", 401: "login", 403: "forbidden", 404: "not-found", 405: "not-supported"}


async def on_http_error(_: Request, error: Exception) -> Response:
    """A refusal of a handler or of the router."""
    if not isinstance(error, HTTPException):
        raise error
    code = CODES.get(error.status_code, "processing")
    return FhirResponse(outcome(code, error.detail), error.status_code)


async def on_adapter_error(_: Request, error: Exception) -> Response:
    """The store or a system cannot do it now: 503, and when to come again."""
    if not isinstance(error, AdapterError):
        raise error
    response = FhirResponse(outcome("transient", f"{error.message} {error.fix}".strip()), 503)
    response.headers["Retry-After"] = "5"
    return response
