"""OAuth 2.0 client credentials with a shared secret (RFC 6749, 4.4 and 2.3.1)."""

from __future__ import annotations

from urllib.parse import quote_plus

from adapter.plugin.auth import OAuth2Auth
from adapter.security.outgoing.fixed import basic_value
from adapter.security.outgoing.scheme import OutgoingAuth, Surroundings
from adapter.security.outgoing.tokens import BearerAuth, Token, Tokens, ask_for_token


def client_credentials(settings: OAuth2Auth, around: Surroundings) -> OutgoingAuth:
    """`type = "oauth2"`."""

    async def fetch() -> Token:
        form, headers = _request(settings)
        return await ask_for_token(around, settings.token_url, form, headers)

    return BearerAuth(around.base_url, Tokens(fetch, around.elapsed))


def _request(settings: OAuth2Auth) -> tuple[dict[str, str], dict[str, str]]:
    form = {"grant_type": "client_credentials"}
    if settings.scope:
        form["scope"] = settings.scope
    if settings.audience:
        form["audience"] = settings.audience
    secret = settings.client_secret.get_secret_value()
    if settings.secret_in == "header":  # noqa: S105 - a place, not a secret
        user, password = quote_plus(settings.client_id), quote_plus(secret)
        return form, {"Authorization": basic_value(user, password)}
    return form | {"client_id": settings.client_id, "client_secret": secret}, {}
