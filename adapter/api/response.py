"""FHIR JSON answers."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from email.utils import format_datetime
from typing import Any

import orjson
from starlette.responses import Response

MEDIA_TYPE = "application/fhir+json"


class FhirResponse(Response):
    """A resource as FHIR JSON, with its version in ETag and Last-Modified (FHIR R4 3.1.0.1.3)."""

    media_type = MEDIA_TYPE

    def __init__(
        self,
        resource: Mapping[str, Any],
        status: int = 200,
        *,
        version: int | None = None,
        modified: datetime | None = None,
    ) -> None:
        headers = {"Cache-Control": "no-store"}
        if version is not None:
            headers["ETag"] = f'W/"{version}"'
        if modified is not None:
            headers["Last-Modified"] = format_datetime(modified, usegmt=True)
        super().__init__(orjson.dumps(resource), status_code=status, headers=headers)


def outcome(code: str, text: str, severity: str = "error") -> dict[str, Any]:
    """An OperationOutcome with one issue; `code` is of the value set issue-type."""
    return {
        "resourceType": "OperationOutcome",
        "issue": [{"severity": severity, "code": code, "diagnostics": text}],
    }
