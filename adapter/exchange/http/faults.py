"""What an answer means: a usable one, or one of the errors that the core understands.

Of an OperationOutcome only codes and element paths are kept: its texts may repeat what we sent.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import httpx
import orjson

from adapter.plugin.errors import (
    AdapterError,
    AuthError,
    ConfigError,
    DataError,
    GoneError,
    SystemFault,
    TransientError,
)

TRANSIENT = frozenset({408, 425, 429, 500, 502, 503, 504})
LONGEST_RETRY_AFTER = 86_400.0
_MOVED = frozenset({301, 308})
_CODE = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,63}")
_PLACE = re.compile(r"[A-Z][A-Za-z]{1,40}(\.[a-z][A-Za-z]{0,60}(\[\d{1,4}\])?){0,12}")
_MOST = 5
_SERIOUS = frozenset({"fatal", "error"})


def host_of(url: httpx.URL) -> str:
    """The host as it goes over the wire; never decoded, for not every name can be."""
    return url.raw_host.decode("ascii")


def fault_of(
    response: httpx.Response, *, now: datetime, expect: Collection[int] = ()
) -> AdapterError | None:
    """The error that an answer (its body read) stands for, or None if it can be used."""
    status = response.status_code
    if status in expect and status >= 300:
        return None
    if 200 <= status < 300:
        return _fault_inside(response)
    if status == 304 and _is_conditional(response.request):
        return None
    host = host_of(response.request.url)
    if status in (401, 403):
        return AuthError(
            "http.not-allowed",
            f"{host} refused our credentials ({status}){_said(response)}",
            fix="Check the site's credentials and what they are allowed to do.",
        )
    if status in TRANSIENT:
        return TransientError(
            "http.busy" if status in (408, 425, 429, 503) else "http.server-error",
            f"{host} cannot answer now ({status})",
            retry_after=retry_after(response, now=now),
        )
    if status == 410:
        return GoneError(
            "http.gone", f"{host} says that this address no longer exists (410)", fix=_MOVED_FIX
        )
    if 300 <= status < 400:
        return _redirected(host, status)
    if 400 <= status < 500:
        return DataError(
            _CODES.get(status, "http.refused"),
            f"{host} refused the request ({status}){_said(response)}",
            fix="Correct what was sent, then send it again.",
        )
    return SystemFault("http.unusual-status", f"{host} gave an unusual answer ({status})")


_MOVED_FIX = "Ask the peer for its present address, and correct base_url."
_CODES = {
    404: "http.not-found",
    409: "http.conflict",
    412: "http.precondition",
    413: "http.too-large",
    415: "http.media-type",
    422: "http.unprocessable",
}


def _redirected(host: str, status: int) -> AdapterError:
    message = f"{host} sends us to another address ({status}); we did not follow"
    if status in _MOVED:
        return ConfigError("http.moved", message, fix=_MOVED_FIX)
    return SystemFault("http.redirected", message, fix=_MOVED_FIX)


def _is_conditional(request: httpx.Request) -> bool:
    return "If-None-Match" in request.headers or "If-Modified-Since" in request.headers


def _fault_inside(response: httpx.Response) -> SystemFault | None:
    """An error or a login page that calls itself a success."""
    content = response.content
    host = host_of(response.request.url)
    if b"OperationOutcome" in content:
        outcome = _outcome(content)
        if outcome is not None and any(
            issue.get("severity") in _SERIOUS for issue in _issues(outcome)
        ):
            return SystemFault(
                "http.error-in-success",
                f"{host} answered {response.status_code}, but with an error{_said(response)}",
                fix="If it happens again, show the peer's support this code.",
            )
    if _is_html(response) and "html" not in response.request.headers.get("Accept", ""):
        return SystemFault(
            "http.html-answer",
            f"{host} answered {response.status_code} with a web page, perhaps to log in",
            fix="Check base_url, and whether a login or a portal stands before the peer.",
        )
    return None


def _is_html(response: httpx.Response) -> bool:
    kind = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if kind in ("text/html", "application/xhtml+xml"):
        return True
    start = response.content[:64].lstrip(b"\xef\xbb\xbf \t\r\n")[:14].lower()
    return start.startswith((b"<!doctype html", b"<html"))


def _outcome(content: bytes) -> dict[str, Any] | None:
    try:
        found = orjson.loads(content)
    except orjson.JSONDecodeError:
        return None
    if isinstance(found, dict) and found.get("resourceType") == "OperationOutcome":
        return found
    return None


def _issues(outcome: dict[str, Any]) -> Iterator[dict[str, Any]]:
    issues = outcome.get("issue")
    for issue in issues if isinstance(issues, list) else ():
        if isinstance(issue, dict):
            yield issue


def _said(response: httpx.Response) -> str:
    """The codes of an OperationOutcome, as ``: code, code at Place``; empty without one."""
    outcome = _outcome(response.content) if b"OperationOutcome" in response.content else None
    if outcome is None:
        return ""
    found = dict.fromkeys(word for issue in _issues(outcome) for word in _words(issue))
    return ": " + ", ".join(list(found)[:_MOST]) if found else ""


def _words(issue: dict[str, Any]) -> Iterator[str]:
    details = issue.get("details")
    codings = details.get("coding") if isinstance(details, dict) else None
    coded = [issue, *(codings if isinstance(codings, list) else ())]
    codes = [each.get("code") for each in coded if isinstance(each, dict)]
    words = [code for code in codes if isinstance(code, str) and _CODE.fullmatch(code)]
    places = issue.get("expression")
    place = places[0] if isinstance(places, list) and places else None
    if words and isinstance(place, str) and _PLACE.fullmatch(place):
        words[-1] += f" at {place}"
    yield from words


def retry_after(response: httpx.Response, *, now: datetime) -> float | None:
    """Seconds that the peer asks us to wait (RFC 9110, 10.2.3), at most a day; None if it does not.

    A date in the past, or one that cannot be read, asks for nothing.
    """
    said = response.headers.get("Retry-After", "").strip()
    if said.isascii() and said.isdecimal():
        return min(float(said[:12]), LONGEST_RETRY_AFTER)
    try:
        moment = parsedate_to_datetime(said)
    except (ValueError, TypeError, OverflowError):
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return min(max((moment - now).total_seconds(), 0.0), LONGEST_RETRY_AFTER)
