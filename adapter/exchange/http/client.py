"""The HTTP client of one site: one request, its tries, and what came of it."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import datetime
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any, Unpack
from urllib.parse import quote, urlencode

import httpx
import orjson

from adapter.exchange.http.capped import MAX_BYTES
from adapter.exchange.http.faults import fault_of, host_of
from adapter.exchange.http.guard import Origin, UrlRefused, UrlRules, joined
from adapter.exchange.http.paging import follow
from adapter.exchange.http.repeat import SAFE, Repeat
from adapter.exchange.http.transport import TlsFault
from adapter.exchange.http.wire_log import path_template
from adapter.plugin.context import Log
from adapter.plugin.errors import AdapterError, ConfigError, DataError, SystemFault, TransientError
from adapter.plugin.http import Call, HttpSettings, NextLink, Params

CREDENTIALS = frozenset({"authorization", "proxy-authorization", "cookie"})
MAX_HOPS = 3
_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}")
_HEADER_VALUE = re.compile(r"[\t -~]{0,8192}")
_FORM = "application/x-www-form-urlencoded"


class SiteClient:
    """`adapter.plugin.http.Http` for one site.

    Args:
        base_url: where relative addresses start; empty for none.
        rules: which addresses may be asked for; `rules.home` is where credentials go.
        transport: the road out, capped.
        auth: proves who we are, to `rules.home` alone.
        secret_headers: further headers that carry credentials, in lower case.
        own_headers: True where a request's headers belong to its address, as a subscriber's do:
            then credentials among them go there, though it is not `rules.home`.
        close: lets go of the road.
    """

    def __init__(
        self,
        *,
        base_url: str,
        rules: UrlRules,
        transport: httpx.AsyncBaseTransport,
        settings: HttpSettings,
        log: Log,
        now: Callable[[], datetime],
        sleep: Callable[[float], Awaitable[None]],
        chance: Callable[[], float],
        auth: httpx.Auth | None = None,
        secret_headers: frozenset[str] = frozenset(),
        own_headers: bool = False,
    ) -> None:
        self._base = base_url
        self._own_headers = own_headers
        self._rules = rules
        self._auth = auth
        self._settings = settings
        self._log = log
        self._now = now
        self._sleep = sleep
        self._chance = chance
        self._credentials = CREDENTIALS | secret_headers
        self._base_path = httpx.URL(base_url).path if base_url else ""
        self._client = httpx.AsyncClient(
            transport=transport,
            trust_env=False,
            follow_redirects=False,
            headers={"User-Agent": "social-prescribing-adapter", "Accept": "*/*"},
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
            timeout=httpx.Timeout(
                settings.timeout, connect=settings.connect_timeout, pool=settings.timeout
            ),
        )

    def __repr__(self) -> str:
        return f"SiteClient({self._rules.home or 'no base_url'})"

    @property
    def base_url(self) -> str:
        """Where relative addresses start."""
        return self._base

    async def aclose(self) -> None:
        """Close every connection."""
        await self._client.aclose()

    async def get(self, url: str, **call: Unpack[Call]) -> httpx.Response:
        """See `Http.get`."""
        return await self.request("GET", url, **call)

    async def post(self, url: str, **call: Unpack[Call]) -> httpx.Response:
        """See `Http.post`."""
        return await self.request("POST", url, **call)

    async def put(self, url: str, **call: Unpack[Call]) -> httpx.Response:
        """See `Http.put`."""
        return await self.request("PUT", url, **call)

    async def patch(self, url: str, **call: Unpack[Call]) -> httpx.Response:
        """See `Http.patch`."""
        return await self.request("PATCH", url, **call)

    async def delete(self, url: str, **call: Unpack[Call]) -> httpx.Response:
        """See `Http.delete`."""
        return await self.request("DELETE", url, **call)

    def pages(
        self,
        url: str,
        *,
        next_link: NextLink | None = None,
        max_pages: int = 1000,
        max_total_bytes: int = 256 * 1024 * 1024,
        **call: Unpack[Call],
    ) -> AsyncIterator[httpx.Response]:
        """See `Http.pages`."""
        return follow(
            self,
            url,
            next_link=next_link,
            max_pages=max_pages,
            max_total_bytes=max_total_bytes,
            call=call,
        )

    async def request(self, method: str, url: str, **call: Unpack[Call]) -> httpx.Response:
        """See `Http.request`."""
        method = method.upper()
        built = self._built(method, url, call)
        repeat = Repeat.of(
            method, idempotent=call.get("idempotent", False), retries=self._settings.retries
        )
        total = call.get("timeout", self._settings.total_timeout)
        end = asyncio.get_running_loop().time() + total
        tried = 0
        while True:
            tried += 1
            result = await self._try(built, end=end, call=call, tried=tried)
            if isinstance(result, httpx.Response):
                return result
            left = end - asyncio.get_running_loop().time()
            wait = repeat.wait(result, tried=tried, chance=self._chance(), left=left)
            if wait is None:
                raise result
            await self._sleep(wait)

    async def bare(self, request: httpx.Request) -> httpx.Response:
        """Send a request of an authentication scheme: no credentials added, no status judged.

        Raises:
            ConfigError, DataError, TransientError: it could not be sent, or had no answer.
        """
        self._check(str(request.url))
        request.extensions[MAX_BYTES] = 1024 * 1024
        request.extensions["timeout"] = self._client.timeout.as_dict()
        end = asyncio.get_running_loop().time() + self._settings.total_timeout
        started = time.perf_counter()
        result = await self._sent(request, None, end)
        self._tell(request, result, started, tried=1, route=None)
        if isinstance(result, AdapterError):
            raise result
        return result

    async def _try(
        self, built: httpx.Request, *, end: float, call: Call, tried: int
    ) -> httpx.Response | AdapterError:
        request = built
        for hop in range(MAX_HOPS + 1):
            origin = self._check(str(request.url))
            auth = self._auth if origin == self._rules.home else None
            started = time.perf_counter()
            result = await self._sent(_copy(request), auth, end)
            if isinstance(result, httpx.Response):
                onward = self._onward(request, result, origin) if hop < MAX_HOPS else None
                result.request = self._without_credentials(result.request)
                if onward is not None:
                    self._tell(request, result, started, tried, call.get("route"))
                    request = onward
                    continue
                fault = fault_of(result, now=self._now(), expect=call.get("expect", ()))
                self._tell(request, fault or result, started, tried, call.get("route"), result)
                return fault or result
            self._tell(request, result, started, tried, call.get("route"))
            return result
        raise AssertionError

    async def _sent(
        self, request: httpx.Request, auth: httpx.Auth | None, end: float
    ) -> httpx.Response | AdapterError:
        """The answer with its body read, or the error that stands for its absence."""
        host = host_of(request.url)
        unknown = "http.no-answer" if request.method in SAFE else "http.unknown-result"
        try:
            async with asyncio.timeout_at(end):
                return await self._client.send(request, auth=auth)
        except UrlRefused as error:
            return self._misconfigured(request, error)
        except AdapterError as error:
            return error
        except TlsFault as error:
            return TransientError(
                "http.tls",
                f"TLS with {host} failed: {error.reason}",
                fix="Either the peer's certificate is not right (it renews it, or `ca` names who "
                "signed it), or the peer wants one of ours (certificate, certificate_key).",
            )
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            return TransientError(
                "http.unreachable", f"{host} cannot be reached", detail=type(error).__name__
            )
        except (httpx.LocalProtocolError, httpx.InvalidURL):
            return _malformed()
        except UnicodeError:
            return SystemFault("http.redirected", f"{host} sends us to an address that is none")
        except (TimeoutError, httpx.HTTPError) as error:
            return TransientError(
                unknown, f"{host} gave no whole answer", detail=type(error).__name__
            )

    def _built(self, method: str, url: str, call: Call) -> httpx.Request:
        address = _address(self._base, url, call.get("params"))
        origin = self._check(address)
        headers = _headers(call)
        if origin != self._rules.home and not self._own_headers:
            for name in self._credentials:
                headers.pop(name, None)
        content = _body(headers, call)
        extensions = {MAX_BYTES: call.get("max_bytes", self._settings.max_response_bytes)}
        return self._client.build_request(
            method, address, headers=headers, content=content, extensions=extensions
        )

    def _check(self, address: str) -> Origin:
        try:
            origin = self._rules.check(address)
            _refuse_two_readings(address, origin)
        except UrlRefused as error:
            if self._rules.is_home(address):
                raise self._base_refused(error) from None
            raise
        return origin

    def _misconfigured(self, request: httpx.Request, error: UrlRefused) -> AdapterError:
        home = self._rules.home
        if home is not None and host_of(request.url) == home.host:
            return self._base_refused(error)
        return error

    def _base_refused(self, error: UrlRefused) -> ConfigError:
        return ConfigError("config.base-url", f"base_url: {error.message}", fix=error.fix)

    def _onward(
        self, request: httpx.Request, answer: httpx.Response, origin: Origin
    ) -> httpx.Request | None:
        """The request that a redirect asks for, if it is a question to the same origin."""
        location = answer.headers.get("Location")
        if not answer.is_redirect or not location or request.method not in ("GET", "HEAD"):
            return None
        address = joined(str(request.url), location)
        try:
            if address is None or self._rules.check(address) != origin:
                return None
        except UrlRefused:
            return None
        return self._client.build_request(
            request.method, address, headers=request.headers, extensions=request.extensions
        )

    def _without_credentials(self, request: httpx.Request) -> httpx.Request:
        headers = [
            (name, value)
            for name, value in request.headers.multi_items()
            if name.lower() not in self._credentials
        ]
        return httpx.Request(request.method, request.url, headers=headers)

    def _tell(
        self,
        request: httpx.Request,
        result: httpx.Response | AdapterError,
        started: float,
        tried: int,
        route: str | None,
        answer: httpx.Response | None = None,
    ) -> None:
        values: dict[str, Any] = {
            "method": request.method,
            "host": host_of(request.url),
            "path": route or path_template(request.url.path, self._base_path),
            "ms": round((time.perf_counter() - started) * 1000),
        }
        if tried > 1:
            values["try"] = tried
        found = result if isinstance(result, httpx.Response) else answer
        if found is not None:
            values["status"] = found.status_code
        if isinstance(result, AdapterError):
            self._log.warning("http.failed", code=result.code, **values)
        else:
            self._log.info("http.done", **values)


def _copy(request: httpx.Request) -> httpx.Request:
    """The same request anew: a scheme changes the headers of the one that it is given."""
    return httpx.Request(
        request.method,
        request.url,
        headers=request.headers,
        content=request.content,
        extensions=dict(request.extensions),
    )


def _address(base: str, url: str, params: Params | None) -> str:
    address = url
    if "://" not in url.partition("?")[0] and not url.startswith("//"):
        if not base:
            raise ConfigError(
                "config.no-base-url",
                "a relative address needs base_url, and the site has none",
            )
        address = f"{base}/{quote(url.lstrip('/'), safe=_KEPT)}" if url else base
    if params is None:
        return address
    pairs = list(params.items() if hasattr(params, "items") else params)
    query = urlencode(pairs, doseq=True, quote_via=quote, safe="")
    return f"{address}{'&' if '?' in address else '?'}{query}" if query else address


_KEPT = "/?&=%:@!$'()*,;~-._|+#"


def _refuse_two_readings(address: str, origin: Origin) -> None:
    """Refuse what httpx reads differently from the guard, or will fail to read later."""
    try:
        parsed = httpx.URL(address)
        parsed.host  # noqa: B018 - decodes the name
    except (httpx.InvalidURL, UnicodeError):
        raise UrlRefused("malformed") from None
    if (parsed.scheme, host_of(parsed)) != (origin.scheme, origin.host):
        raise UrlRefused("a host that can be read in two ways")


def _headers(call: Call) -> httpx.Headers:
    given = call.get("headers", {})
    for name, value in given.items():
        if not _HEADER_NAME.fullmatch(name) or not _HEADER_VALUE.fullmatch(value):
            raise _malformed()
    return httpx.Headers(dict(given))


def _malformed() -> DataError:
    return DataError(
        "http.request-malformed",
        "the request has a header that HTTP does not allow",
        fix="A header holds printable ASCII on one line: encode other text.",
    )


def _body(headers: httpx.Headers, call: Call) -> bytes | None:
    if "json" in call:
        headers.setdefault("Content-Type", "application/json")
        return orjson.dumps(call["json"])
    if "data" in call:
        headers.setdefault("Content-Type", _FORM)
        return urlencode(dict(call["data"]), quote_via=quote, safe="").encode()
    return call.get("content")
