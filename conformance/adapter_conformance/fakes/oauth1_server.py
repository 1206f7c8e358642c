"""A fake OAuth 1.0a server that verifies as the open Canadian EMRs do (RFC 5849, Apache CXF).

Three habits of theirs matter to a client. The query is taken as it stands: ``+`` is a plus sign,
not a space. The base string holds scheme, host and port as the servlet sees them, which behind a
proxy that ends TLS are not what the client used (`seen_as`). A token belongs to a provider who
consented in a browser; there is no other way to one. The verifier here is written from the RFC,
apart from any library that a client may sign with.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

CLOCK_SECONDS = 300
_DIGESTS = {"HMAC-SHA1": hashlib.sha1, "HMAC-SHA256": hashlib.sha256}
_FORM = "application/x-www-form-urlencoded"


@dataclass(slots=True)
class _Pair:
    token: str
    secret: str
    consumer: str
    callback: str = "oob"
    verifier: str | None = None
    provider: str | None = None


@dataclass(slots=True)
class OAuth1Server:
    """The server, with one resource under ``/emr/ws/services/``.

    Attributes:
        seen_as: scheme, host and port as the servlet sees them, if a proxy stands before it.
        methods: the signature methods that it takes.
        clock: seconds since 1970.
        consumers: secrets by consumer key.
        refusals: why requests were refused, in order.
        answered: method and raw target of each request that was let in.
        secrets_given: every token and secret ever given.
    """

    seen_as: str | None = None
    methods: tuple[str, ...] = ("HMAC-SHA1", "HMAC-SHA256")
    clock: Callable[[], float] = time.time
    consumers: dict[str, str] = field(default_factory=dict, repr=False)
    refusals: list[str] = field(default_factory=list)
    answered: list[tuple[str, str]] = field(default_factory=list)
    secrets_given: list[str] = field(default_factory=list, repr=False)
    _requested: dict[str, _Pair] = field(default_factory=dict, repr=False)
    _access: dict[str, _Pair] = field(default_factory=dict, repr=False)
    _nonces: set[tuple[str, str]] = field(default_factory=set, repr=False)

    @property
    def app(self) -> Starlette:
        """The whole server."""
        return Starlette(
            routes=[
                Route("/emr/ws/oauth/initiate", self._initiate, methods=["POST"]),
                Route("/emr/ws/oauth/authorize", self._authorize, methods=["GET", "POST"]),
                Route("/emr/ws/oauth/token", self._token, methods=["POST"]),
                Route(
                    "/emr/ws/services/{path:path}",
                    self._service,
                    methods=["GET", "POST", "PUT", "DELETE"],
                ),
            ]
        )

    def consent(self, token: str, provider: str = "999998") -> str:
        """A provider agrees in the browser; gives the verifier."""
        pair = self._requested[token]
        pair.provider = provider
        pair.verifier = secrets.token_hex(8)
        return pair.verifier

    def revoke_all(self) -> None:
        """No access token is good any more."""
        self._access.clear()

    async def _initiate(self, request: Request) -> Response:
        found = await self._verified(request, None)
        if isinstance(found, Response):
            return found
        pair = _Pair(secrets.token_hex(16), secrets.token_hex(16), found["oauth_consumer_key"])
        pair.callback = found.get("oauth_callback", "oob")
        self._requested[pair.token] = pair
        return self._given(pair, {"oauth_callback_confirmed": "true"})

    async def _authorize(self, request: Request) -> Response:
        token = request.query_params.get("oauth_token", "")
        pair = self._requested.get(token)
        if pair is None:
            return HTMLResponse("<p>This request is not known.</p>", 401)
        if request.method == "GET":
            return HTMLResponse("<form method=post><button>Let it in</button></form>")
        verifier = self.consent(token)
        if pair.callback == "oob":
            return HTMLResponse(f"<p>Your code: <code>{verifier}</code></p>")
        back = urlencode({"oauth_token": token, "oauth_verifier": verifier})
        return RedirectResponse(f"{pair.callback}?{back}", 302)

    async def _token(self, request: Request) -> Response:
        found = await self._verified(request, self._requested)
        if isinstance(found, Response):
            return found
        asked = self._requested[found["oauth_token"]]
        if asked.verifier is None or found.get("oauth_verifier") != asked.verifier:
            return self._refused("verifier")
        del self._requested[asked.token]
        pair = _Pair(secrets.token_hex(16), secrets.token_hex(16), asked.consumer)
        pair.provider = asked.provider
        self._access[pair.token] = pair
        return self._given(pair, {})

    async def _service(self, request: Request) -> Response:
        found = await self._verified(request, self._access)
        if isinstance(found, Response):
            return found
        self.answered.append((request.method, _target(request)))
        return JSONResponse({"provider": self._access[found["oauth_token"]].provider})

    def _given(self, pair: _Pair, more: dict[str, str]) -> Response:
        self.secrets_given += [pair.token, pair.secret]
        answer = {"oauth_token": pair.token, "oauth_token_secret": pair.secret} | more
        return Response(urlencode(answer), media_type=_FORM)

    async def _verified(
        self, request: Request, pairs: dict[str, _Pair] | None
    ) -> dict[str, str] | Response:
        """The protocol parameters of a request with a good signature, or its refusal.

        Args:
            pairs: the tokens of which it must have one; None if it has none yet.
        """
        said = _authorization(request.headers.get("Authorization", ""))
        secret = self.consumers.get(said.get("oauth_consumer_key", ""))
        if secret is None:
            return self._refused("consumer")
        pair = pairs.get(said.get("oauth_token", "")) if pairs is not None else None
        if pairs is not None and pair is None:
            return self._refused("token")
        if said.get("oauth_signature_method") not in self.methods:
            return self._refused("method")
        if not self._is_fresh(said):
            return self._refused("timestamp or nonce")
        text = await self._base_string(request, said)
        key = f"{_encode(secret)}&{_encode(pair.secret if pair else '')}"
        digest = _DIGESTS[said["oauth_signature_method"]]
        wanted = b64encode(hmac.new(key.encode(), text.encode(), digest).digest()).decode()
        if not hmac.compare_digest(wanted, said.get("oauth_signature", "")):
            return self._refused("signature")
        return said

    def _is_fresh(self, said: dict[str, str]) -> bool:
        stamp, nonce = said.get("oauth_timestamp", ""), said.get("oauth_nonce", "")
        if not stamp.isdecimal() or abs(int(stamp) - self.clock()) > CLOCK_SECONDS or not nonce:
            return False
        if (stamp, nonce) in self._nonces:
            return False
        self._nonces.add((stamp, nonce))
        return True

    async def _base_string(self, request: Request, said: dict[str, str]) -> str:
        """RFC 5849, 3.4.1, from the raw query and the servlet's own address."""
        path, _, query = _target(request).partition("?")
        pairs = [_raw_pair(each) for each in query.split("&") if each]
        pairs += [item for item in said.items() if item[0] not in ("oauth_signature", "realm")]
        if request.headers.get("Content-Type", "").startswith(_FORM):
            pairs += parse_qsl((await request.body()).decode(), keep_blank_values=True)
        encoded = sorted((_encode(key), _encode(value)) for key, value in pairs)
        normal = "&".join(f"{key}={value}" for key, value in encoded)
        uri = _servlet(self.seen_as or str(request.base_url)) + path
        return f"{request.method}&{_encode(uri)}&{_encode(normal)}"

    def _refused(self, reason: str) -> Response:
        self.refusals.append(reason)
        return Response("oauth_problem=not_accepted", 401, media_type="text/plain")


def _target(request: Request) -> str:
    path: bytes = request.scope.get("raw_path") or request.scope["path"].encode()
    query: bytes = request.scope["query_string"]
    target = path.split(b"?")[0] + (b"?" + query if query else b"")
    return target.decode("latin-1")


def _servlet(address: str) -> str:
    parts = urlsplit(address)
    port = parts.port
    default = {"http": 80, "https": 443}[parts.scheme]
    host = (parts.hostname or "").lower()
    return f"{parts.scheme}://{host}" + (f":{port}" if port and port != default else "")


def _raw_pair(text: str) -> tuple[str, str]:
    key, _, value = text.partition("=")
    return unquote(key), unquote(value)  # a plus sign stays one


def _encode(text: str) -> str:
    return quote(text, safe="-._~")


def _authorization(header: str) -> dict[str, str]:
    scheme, _, rest = header.partition(" ")
    if scheme.lower() != "oauth":
        return {}
    found = {}
    for part in rest.split(","):
        key, _, value = part.strip().partition("=")
        found[unquote(key)] = unquote(value.strip('"'))
    return found
