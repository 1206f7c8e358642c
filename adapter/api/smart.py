"""SMART Backend Services, the server: discovery and tokens (SMART App Launch 2.2).

Errors of the token endpoint are those of OAuth 2.0 (RFC 6749 5.2), not OperationOutcomes.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from adapter.api.body import FORM
from adapter.api.key_sets import KeySets
from adapter.exchange.service import Service
from adapter.plugin.errors import AdapterError
from adapter.security.incoming import access_tokens, assertions
from adapter.security.incoming.assertions import ALGORITHMS, AssertionRefused, Proved
from adapter.security.incoming.scopes import ScopeRefused, Scopes
from adapter.store.clients import ClientRow
from adapter.store.transaction import Transaction

SITE = "api"
LARGEST = 65_536
SCOPES = ("system/*.cruds", "system/Task.rus", "system/ServiceRequest.crus")
Json = dict[str, Any]


class TokenRefused(Exception):  # noqa: N818 - named for what happened
    """No token: an OAuth error word, and why."""

    def __init__(self, error: str, text: str, status: int = 400) -> None:
        self.error = error
        self.text = text
        self.status = status
        super().__init__(text)


def token_url(service: Service) -> str:
    """Where tokens are asked for; an assertion's audience."""
    return f"{service.base_url()}/token"


async def configuration(request: Request) -> Response:
    """`/.well-known/smart-configuration`; needs no authorisation."""
    service: Service = request.app.state.service
    return JSONResponse(
        {
            "token_endpoint": token_url(service),
            "grant_types_supported": ["client_credentials"],
            "token_endpoint_auth_methods_supported": ["private_key_jwt"],
            "token_endpoint_auth_signing_alg_values_supported": list(ALGORITHMS),
            "scopes_supported": list(SCOPES),
            "response_types_supported": [],
            "code_challenge_methods_supported": ["S256"],
            "capabilities": ["client-confidential-asymmetric", "permission-v1", "permission-v2"],
        }
    )


async def token(request: Request) -> Response:
    """`POST /token`: an access token for an assertion (RFC 7523, RFC 6749 4.4)."""
    headers = {"Cache-Control": "no-store", "Pragma": "no-cache"}
    try:
        granted = await _granted(request)
    except TokenRefused as why:
        said = {"error": why.error, "error_description": why.text}
        return JSONResponse(said, why.status, headers)
    return JSONResponse(granted, headers=headers)


async def _granted(request: Request) -> Json:
    service: Service = request.app.state.service
    if service.config.server.auth != "smart":
        text = f'[server] auth = "{service.config.server.auth}": no tokens are given'
        raise TokenRefused("unauthorized_client", text)
    form = await _form(request)
    if form.get("grant_type") != "client_credentials":
        raise TokenRefused("unsupported_grant_type", "grant_type must be client_credentials")
    if form.get("client_assertion_type") != assertions.TYPE:
        raise TokenRefused("invalid_request", f"client_assertion_type must be {assertions.TYPE}")
    client, proved = await _proved(request.app.state.keys, service, form)
    scopes = _scopes(client, form.get("scope", ""))
    if not await service.store.write(lambda tx: _first_use(tx, service, client, proved)):
        raise _unproved("the assertion was used before; its jti must be new each time")
    return {
        "access_token": access_tokens.issue(service.keyring, client.id, scopes, service.now()),
        "token_type": "bearer",
        "expires_in": access_tokens.LIFETIME,
        "scope": " ".join(scopes.words()),
    }


async def _form(request: Request) -> dict[str, str]:
    """The fields of the body, each once."""
    media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media != FORM:
        raise TokenRefused("invalid_request", f"send the body as {FORM}")
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > LARGEST:
            raise TokenRefused("invalid_request", "the body is too large", 413)
    try:
        pairs = parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=50)
    except ValueError:
        raise TokenRefused("invalid_request", "the body is not a form in UTF-8") from None
    if len({name for name, _ in pairs}) < len(pairs):
        raise TokenRefused("invalid_request", "a field is given twice")
    return dict(pairs)


async def _proved(
    keys: KeySets, service: Service, form: dict[str, str]
) -> tuple[ClientRow, Proved]:
    """The client, and its assertion once it holds."""
    assertion = form.get("client_assertion", "")
    try:
        claimed = assertions.claimed(assertion)
        client = await service.store.read(lambda tx: tx.clients.get(claimed.issuer))
        if client is None or client.disabled_at is not None:
            raise _unproved("no client of this id is registered")
        if form.get("client_id") not in (None, client.id):
            raise _unproved("client_id is not that of the assertion")
        jwks = client.jwks or await keys.of(client.jwks_url or "", claimed.key_id)
        proved = assertions.prove(assertion, jwks, audience=token_url(service), now=service.now())
    except AssertionRefused as error:
        raise _unproved(f"the assertion does not hold: {error}") from None
    except AdapterError as error:
        raise _unproved(f"the client's key set could not be had: {error.code}") from None
    return client, proved


def _scopes(client: ClientRow, asked: str) -> Scopes:
    """What is asked, if the client may have it; what it may have, if nothing is asked."""
    registered = Scopes.read(client.scopes)
    try:
        wanted = Scopes.read(asked.split()) if asked.strip() else registered
    except ScopeRefused as error:
        raise TokenRefused("invalid_scope", str(error)) from None
    if not registered.cover(wanted):
        raise TokenRefused("invalid_scope", "the client is not registered for these scopes")
    return wanted


def _first_use(tx: Transaction, service: Service, client: ClientRow, proved: Proved) -> bool:
    """Keep the id of an assertion until it expires; False if it is kept already, by any process."""
    return tx.state.add(
        SITE,
        f"jti|{client.id}|{proved.jti}",
        b"",
        organization=service.organization,
        expires=proved.expires,
    )


def _unproved(text: str) -> TokenRefused:
    return TokenRefused("invalid_client", text, 401)
