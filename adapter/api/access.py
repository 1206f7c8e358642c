"""Who may use the FHIR API: nobody, or, on loopback with test sites only, anyone."""

from __future__ import annotations

from starlette.exceptions import HTTPException
from starlette.requests import Request

from adapter.exchange.service import Service


def service_for(request: Request) -> Service:
    """The service, if this request may use it.

    Raises:
        HTTPException: 401 where the API is not open.
    """
    service: Service = request.app.state.service
    if service.config.server.auth != "open":
        raise HTTPException(
            401,
            'The FHIR API is closed: [server] auth = "none". To try it out on loopback with test '
            'sites, set auth = "open".',
        )
    return service
