"""Conditional reads: 304 for what the client has already (FHIR R4 3.1.0.1.3; RFC 9110 13)."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from starlette.datastructures import Headers

from adapter.store.resources import ResourceRow


def is_known(headers: Headers, row: ResourceRow) -> bool:
    """Whether If-None-Match names this version, or nothing changed since If-Modified-Since.

    Where both are given the first alone counts; a date that is none is no condition.
    """
    tags = headers.get("if-none-match")
    if tags is not None:
        plain = [each.strip().removeprefix("W/").strip('"') for each in tags.split(",")]
        return str(row.version) in plain or tags.strip() == "*"
    since = _moment(headers.get("if-modified-since"))
    return since is not None and row.last_updated.replace(microsecond=0) <= since


def _moment(text: str | None) -> datetime | None:
    """A date of HTTP, which counts whole seconds."""
    try:
        found = parsedate_to_datetime(text) if text else None
        return found if found is None or found.tzinfo else found.replace(tzinfo=UTC)
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
