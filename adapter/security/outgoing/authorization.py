"""The steps of OAuth 1.0a that need a person, for `adapter sites authorize` (RFC 5849, 2).

`begin` gets a request token and the address that a person opens; there they consent, and get a
verifier (shown, or brought back to our callback). `finish` trades it for the access token, which
stays in the site's encrypted state. Neither token is ever returned or printed.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import parse_qs, quote

import httpx

from adapter.plugin.auth import OAuth1Auth
from adapter.plugin.errors import AuthError, DataError, SystemFault
from adapter.security.outgoing.oauth1 import (
    PENDING,
    TOKEN,
    Signer,
    TokenPair,
    dump_pair,
    load_pair,
)
from adapter.security.outgoing.scheme import Surroundings
from adapter.security.outgoing.tokens import send_configured

OUT_OF_BAND = "oob"
PENDING_FOR = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Invitation:
    """What a person opens to consent; it holds a request token, which is worth nothing alone."""

    authorize_url: str


async def begin(
    settings: OAuth1Auth, around: Surroundings, *, callback: str = OUT_OF_BAND
) -> Invitation:
    """Get a request token and remember it for an hour.

    Args:
        callback: where the peer sends the person afterwards, or ``oob``: it shows the verifier.

    Raises:
        AuthError: the peer does not know our consumer key or secret. ConfigError, TransientError.
    """
    signer = Signer(settings, around)
    request = httpx.Request("POST", signer.address(settings.request_token_url))
    signer.sign(request, None, callback=callback)
    pair = await _pair(around, request, "request_token_url")
    await around.state.put(PENDING, dump_pair(pair), expires=around.now() + PENDING_FOR)
    address = signer.address(settings.authorize_url)
    mark = "&" if "?" in address else "?"
    return Invitation(f"{address}{mark}oauth_token={quote(pair.token, safe='')}")


async def finish(
    settings: OAuth1Auth, around: Surroundings, verifier: str, *, token: str | None = None
) -> None:
    """Trade the verifier for the access token, and keep it.

    Args:
        verifier: what the peer showed, or sent to the callback as `oauth_verifier`.
        token: `oauth_token` of the callback; it must be of the request that we began.

    Raises:
        AuthError: nothing was begun, or within an hour; another request's callback; the peer does
            not take the verifier. ConfigError, TransientError.
    """
    pending = await load_pair(around.state, PENDING)
    if pending is None or (token is not None and token != pending.token):
        raise AuthError(
            "auth.nothing-pending",
            f"no authorization of {around.site} waits for this answer",
            fix=f"Run again: adapter sites authorize {around.site}",
        )
    signer = Signer(settings, around)
    request = httpx.Request("POST", signer.address(settings.access_token_url))
    signer.sign(request, pending, verifier=verifier.strip())
    pair = await _pair(around, request, "access_token_url")
    await around.state.put(TOKEN, dump_pair(pair))
    await around.state.delete(PENDING)


async def _pair(around: Surroundings, request: httpx.Request, setting: str) -> TokenPair:
    response = await send_configured(around, request, setting)
    fault = around.judge(response)
    if isinstance(fault, AuthError | DataError):
        raise AuthError(
            "auth.token-refused",
            f"the peer of {around.site} gave no token ({response.status_code})",
            fix="Check consumer key and secret, the clock of both machines, and signing_base_url "
            "if a proxy stands before the peer.",
        )
    if fault is not None:
        raise fault
    answer = parse_qs(response.text)
    try:
        (token,), (secret,) = answer["oauth_token"], answer["oauth_token_secret"]
    except (KeyError, ValueError):
        raise SystemFault("auth.no-token", "the peer's answer holds no OAuth token") from None
    return TokenPair(token, secret)
