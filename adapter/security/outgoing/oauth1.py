"""OAuth 1.0a requests (RFC 5849): each one signed with our secret and the token's.

Two things that servers of this kind care about. A space in the query is written ``%20``: a verifier
that takes the query as it stands reads ``+`` as a plus sign, and the signature fails. And the
signature covers scheme, host and port as the server itself sees them: behind a proxy that ends TLS
these are not those of base_url, and `signing_base_url` names them.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import TypedDict
from urllib.parse import urljoin, urlsplit, urlunsplit

import httpx
import orjson
from oauthlib import oauth1

from adapter.plugin.auth import OAuth1Auth
from adapter.plugin.context import State
from adapter.plugin.errors import AuthError, DataError
from adapter.security.known_secrets import remember
from adapter.security.outgoing.scheme import OutgoingAuth, Surroundings

TOKEN = "oauth1/token"  # noqa: S105 - the key in the site's state, not a token
PENDING = "oauth1/pending"
_FORM = "application/x-www-form-urlencoded"

# At DEBUG this library writes parameters and signatures.
logging.getLogger("oauthlib.oauth1.rfc5849").setLevel(logging.WARNING)


@dataclass(frozen=True, slots=True)
class TokenPair:
    """A token and its secret, at any step of the dance."""

    token: str = field(repr=False)
    secret: str = field(repr=False)


async def load_pair(state: State, key: str) -> TokenPair | None:
    """The pair kept under `key`, or None."""
    kept = await state.get(key)
    if kept is None:
        return None
    found = orjson.loads(kept)
    return TokenPair(remember(found["token"]), remember(found["secret"]))


def dump_pair(pair: TokenPair) -> bytes:
    """What is kept of a pair."""
    return orjson.dumps({"token": pair.token, "secret": pair.secret})


class Signer:
    """Signs requests of one site.

    Args:
        settings: the site's.
        around: clock and randomness.
    """

    def __init__(self, settings: OAuth1Auth, around: Surroundings) -> None:
        self._settings = settings
        self._around = around

    def address(self, url: str) -> str:
        """One of the three OAuth addresses, absolute."""
        return urljoin(self._around.base_url.rstrip("/") + "/", url)

    def sign(
        self,
        request: httpx.Request,
        pair: TokenPair | None,
        *,
        callback: str | None = None,
        verifier: str | None = None,
    ) -> None:
        """Add the Authorization header.

        Raises:
            DataError: the query or the form cannot be signed, for it is not percent-encoded.
        """
        if b"+" in request.url.query:
            request.url = request.url.copy_with(query=request.url.query.replace(b"+", b"%20"))
        client = oauth1.Client(
            self._settings.consumer_key,
            client_secret=self._settings.consumer_secret.get_secret_value(),
            resource_owner_key=pair.token if pair else None,
            resource_owner_secret=pair.secret if pair else None,
            callback_uri=callback,
            verifier=verifier,
            signature_method=self._settings.signature_method,
            nonce=self._around.random(16).hex(),
            timestamp=str(int(self._around.now().timestamp())),
        )
        try:
            _, headers, _ = client.sign(
                self._as_seen(str(request.url)),
                request.method,  # type: ignore[arg-type]
                **_form(request),
            )
        except ValueError:
            raise DataError(
                "auth.cannot-sign", "a query or form that is not percent-encoded cannot be signed"
            ) from None
        request.headers["Authorization"] = headers["Authorization"]

    def _as_seen(self, url: str) -> str:
        """The address as the peer's server sees it."""
        seen = self._settings.signing_base_url
        if not seen:
            return url
        seen, base = seen.rstrip("/"), self._around.base_url.rstrip("/")
        if url == base or url.startswith((f"{base}/", f"{base}?")):
            return seen + url[len(base) :]
        there = urlsplit(seen)
        return urlunsplit(urlsplit(url)._replace(scheme=there.scheme, netloc=there.netloc))


class _Form(TypedDict, total=False):
    body: str
    headers: dict[str, str]


def _form(request: httpx.Request) -> _Form:
    """A form body is part of the signature; any other body is not (RFC 5849, 3.4.1.3.1)."""
    kind = request.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if kind != _FORM or not request.content:
        return {}
    return {"body": request.content.decode("ascii"), "headers": {"Content-Type": _FORM}}


class OAuth1(OutgoingAuth):
    """`type = "oauth1"`: signs with the token that a person has given."""

    secret_headers = frozenset({"authorization"})

    def __init__(self, settings: OAuth1Auth, around: Surroundings) -> None:
        super().__init__(around.base_url)
        self._around = around
        self._signer = Signer(settings, around)
        self._pair: TokenPair | None = None

    async def sign(self, request: httpx.Request) -> None:
        """Sign.

        Raises:
            AuthError: nobody has authorized this site yet.
        """
        if self._pair is None:
            self._pair = await load_pair(self._around.state, TOKEN)
        if self._pair is None:
            raise AuthError(
                "auth.not-authorized",
                f"nobody has authorized {self._around.site} at the peer yet",
                fix=f"Run: adapter sites authorize {self._around.site}",
            )
        self._signer.sign(request, self._pair)

    async def renew(self, request: httpx.Request) -> bool:
        """Look whether somebody has authorized the site anew meanwhile."""
        kept = await load_pair(self._around.state, TOKEN)
        changed = kept is not None and kept != self._pair
        self._pair = kept
        return changed
