"""The HTTP face: FHIR API, health, and the sites' own endpoints, as one ASGI application."""

from __future__ import annotations

from typing import Any

from starlette.applications import Starlette
from starlette.convertors import Convertor, register_url_convertor
from starlette.endpoints import HTTPEndpoint
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount, Route

from adapter.api.bundle import process
from adapter.api.faults import Refused, on_adapter_error, on_http_error, on_refused
from adapter.api.formats import InXml
from adapter.api.health import health_routes
from adapter.api.history import history, type_history
from adapter.api.key_sets import KeySets
from adapter.api.message import process_message
from adapter.api.metadata import metadata_of
from adapter.api.openapi import openapi
from adapter.api.operations import operate
from adapter.api.read import read, vread
from adapter.api.response import FhirResponse
from adapter.api.search import post_search, search
from adapter.api.signing_keys import signing_keys
from adapter.api.smart import configuration, token
from adapter.api.subscriptions import events_of, status_of
from adapter.api.terminology import terminology_routes
from adapter.api.write import (
    create_one,
    patch_one,
    refuse_delete,
    refuse_method,
    update_one,
)
from adapter.exchange.service import Service
from adapter.exchange.whence import Located
from adapter.plugin.errors import AdapterError


class FhirId(Convertor[str]):
    """A logical id in an address; what begins with ``$`` or ``_`` is none (FHIR R4 2.24.0.1)."""

    regex = "[^/$_][^/]*"

    def convert(self, value: str) -> str:
        """As it stands."""
        return value

    def to_string(self, value: str) -> str:
        """As it stands."""
        return value


register_url_convertor("fhir_id", FhirId())


def build_app(service: Service) -> Starlette:
    """The application of a running service."""
    fhir: list[BaseRoute] = [
        Route("/metadata", metadata),
        Route("/openapi.json", openapi),
        Route("/.well-known/smart-configuration", configuration),
        Route("/", process, methods=["POST"]),
        *terminology_routes(),
        Route("/$process-message", process_message, methods=["POST"]),
        Route("/{type}/_history", type_history),
        Route("/{type}/_search", post_search, methods=["POST"]),
        Route("/Subscription/$status", status_of, methods=["GET", "POST"]),
        Route("/Subscription/{id:fhir_id}/$status", status_of, methods=["GET", "POST"]),
        Route("/Subscription/{id:fhir_id}/$events", events_of, methods=["GET", "POST"]),
        Route("/{type}/${operation}", operate, methods=["POST"]),
        Route("/{type}/{id:fhir_id}/${operation}", operate, methods=["POST"]),
        Route("/{type}", TypeEndpoint),
        Route("/{type}/{id:fhir_id}", InstanceEndpoint),
        Route("/{type}/{id:fhir_id}/_history", history),
        Route("/{type}/{id:fhir_id}/_history/{version}", vread),
    ]
    app = Starlette(
        middleware=[Middleware(Located), Middleware(InXml)],
        routes=[
            Route("/.well-known/smart-configuration", configuration),
            Route("/token", token, methods=["POST"]),
            Route("/openapi.json", openapi),
            *health_routes(),
            Route("/.well-known/jwks.json", signing_keys),
            Route("/fhir", process, methods=["POST"]),
            Mount("/fhir", routes=fhir),
            Mount("/sites/{site}", app=SiteEndpoints(service)),
        ],
        exception_handlers={
            HTTPException: on_http_error,
            Refused: on_refused,
            AdapterError: on_adapter_error,
        },
    )
    app.state.service = service
    app.state.keys = KeySets(service)
    return app


class TypeEndpoint(HTTPEndpoint):
    """/<type>: search and create."""

    async def get(self, request: Request) -> Response:
        """Search."""
        return await search(request)

    async def post(self, request: Request) -> Response:
        """Create."""
        return await create_one(request)

    async def put(self, request: Request) -> Response:
        """Conditional update."""
        return await update_one(request)

    async def delete(self, request: Request) -> Response:
        """Refused."""
        return await refuse_delete(request)

    async def method_not_allowed(self, request: Request) -> Response:
        """405, with what is allowed."""
        return await refuse_method(request)


class InstanceEndpoint(HTTPEndpoint):
    """/<type>/<id>: read, update, patch."""

    async def get(self, request: Request) -> Response:
        """Read."""
        return await read(request)

    async def put(self, request: Request) -> Response:
        """Update."""
        return await update_one(request)

    async def patch(self, request: Request) -> Response:
        """Patch."""
        return await patch_one(request)

    async def delete(self, request: Request) -> Response:
        """Refused."""
        return await refuse_delete(request)

    async def method_not_allowed(self, request: Request) -> Response:
        """405, with what is allowed."""
        return await refuse_method(request)


class SiteEndpoints:
    """Hands each request below /sites/<site>/ to that site's own application."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Find the site's application, which may open later than the server."""
        app = self._service.fleet.apps.get(scope.get("path_params", {}).get("site", ""))
        if app is None:
            await Response(status_code=404)(scope, receive, send)
            return
        await app(scope, receive, send)


async def metadata(request: Request) -> Response:
    """What this server can do; needs no authorisation (FHIR R4 3.1.0.8)."""
    service: Service = request.app.state.service
    return FhirResponse(metadata_of(service))
