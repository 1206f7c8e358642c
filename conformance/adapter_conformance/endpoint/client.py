"""The kit's own FHIR client: it judges nothing, and keeps a redacted record of everything."""

from __future__ import annotations

import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import httpx
import orjson

from adapter_conformance.exchanges import Exchange, hear, http_request, http_response
from adapter_conformance.requirement import Failed

Json = dict[str, Any]
FHIR = "application/fhir+json"
PAGES = 50


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer: status, headers, and the body if it is JSON."""

    status: int
    headers: httpx.Headers = field(repr=False)
    raw: bytes = field(repr=False)

    @property
    def json(self) -> Any:
        """The body.

        Raises:
            Failed: it is no JSON.
        """
        try:
            return orjson.loads(self.raw)
        except orjson.JSONDecodeError:
            raise Failed(f"HTTP {self.status} came with a body that is no JSON") from None

    @property
    def resource(self) -> Json:
        """The body as a resource.

        Raises:
            Failed: it is none.
        """
        found = self.json
        if not isinstance(found, dict) or not isinstance(found.get("resourceType"), str):
            raise Failed(f"HTTP {self.status} came with a body that is no resource")
        return found

    @property
    def is_outcome(self) -> bool:
        """True if the body is an OperationOutcome with an issue that says severity and code."""
        try:
            found = self.resource
        except Failed:
            return False
        issues = found.get("issue")
        return (
            found["resourceType"] == "OperationOutcome"
            and isinstance(issues, list)
            and bool(issues)
            and all(isinstance(i, dict) and {"severity", "code"} <= set(i) for i in issues)
        )


class Bearer(httpx.Auth):
    """A token, to the endpoint's own origin alone."""

    def __init__(self, base: str, token: str) -> None:
        self._home = urlsplit(base)[:2]
        self._token = token

    async def async_auth_flow(
        self, request: httpx.Request
    ) -> AsyncGenerator[httpx.Request, httpx.Response]:
        """Add it."""
        if urlsplit(str(request.url))[:2] == self._home:
            request.headers["Authorization"] = f"Bearer {self._token}"
        yield request


class Client:
    """One party's client of the endpoint."""

    def __init__(
        self,
        base: str,
        *,
        auth: httpx.Auth | None = None,
        secrets: tuple[str, ...] = (),
        road: httpx.AsyncBaseTransport | None = None,
        tls: ssl.SSLContext | bool = True,
        timeout: float = 30.0,
    ) -> None:
        self.base = base.rstrip("/")
        self.made: list[str] = []
        self._secrets = secrets
        self._auth = auth
        plain = not self.base.startswith("https:")
        self._http = httpx.AsyncClient(
            transport=road,
            verify=False if plain else tls,
            timeout=timeout,
            trust_env=False,
            follow_redirects=False,
        )

    async def close(self) -> None:
        """Let go of the connections."""
        await self._http.aclose()

    async def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        raw: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        anonymous: bool = False,
    ) -> Answer:
        """Send one request; `path` stands behind the base, or is one of its own addresses.

        Raises:
            Failed: nothing came back, or the address is another server's.
        """
        url = self.url(path)
        content = raw if raw is not None else orjson.dumps(body) if body is not None else b""
        told = {"Accept": FHIR, **({"Content-Type": FHIR} if content else {}), **(headers or {})}
        request = self._http.build_request(method, url, content=content, headers=told)
        auth = None if anonymous else self._auth
        try:
            came = await self._send(request, auth)
        except httpx.HTTPError as error:
            hear(self._exchange(request, told, None))
            raise Failed(f"no answer to {method} ({type(error).__name__})") from None
        answer = Answer(came.status_code, came.headers, came.content)
        hear(self._exchange(request, told, answer))
        return answer

    def _exchange(
        self, request: httpx.Request, headers: Mapping[str, str], answer: Answer | None
    ) -> Callable[[], Exchange]:
        """What a report would show of it."""

        def show() -> Exchange:
            asked = http_request(
                request.method, str(request.url), headers, request.content, self._secrets
            )
            if answer is None:
                return Exchange(asked, None)
            came = http_response(answer.status, answer.headers, answer.raw, self._secrets)
            return Exchange(asked, came)

        return show

    async def _send(self, request: httpx.Request, auth: httpx.Auth | None) -> httpx.Response:
        """Once more on a new connection, where the server had closed the one that was kept."""
        try:
            return await self._http.send(request, auth=auth)
        except (httpx.ReadError, httpx.WriteError, httpx.RemoteProtocolError):
            return await self._http.send(request, auth=auth)

    def url(self, path: str) -> str:
        """The address of a path.

        Raises:
            Failed: it leads to another server.
        """
        if not path.startswith(("http://", "https://")):
            return f"{self.base}/{path.lstrip('/')}" if path else self.base
        if urlsplit(path)[:2] != urlsplit(self.base)[:2]:
            raise Failed("a link leads to another server")
        return path

    async def get(self, path: str) -> Answer:
        """Read or search."""
        return await self.ask("GET", path)

    async def create(self, resource: Json, **headers: str) -> Answer:
        """POST of a type; what was made is remembered, to be removed at the end."""
        kind = resource["resourceType"]
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        answer = await self.ask("POST", kind, resource, headers=named)
        if answer.status == 201:
            self.remember(answer)
        return answer

    def remember(self, answer: Answer) -> None:
        """Remove at the end what this answer says was made."""
        found = orjson.loads(answer.raw) if answer.raw[:1] == b"{" else {}
        if isinstance(found.get("id"), str):
            self.made.append(f"{found['resourceType']}/{found['id']}")
        for entry in found.get("entry", ()) if found.get("resourceType") == "Bundle" else ():
            where = entry.get("response", {}).get("location", "")
            parts = where.partition("/_history")[0].rstrip("/").split("/")[-2:]
            if len(parts) == 2 and entry["response"].get("status", "").startswith("201"):
                self.made.append("/".join(parts))

    async def made_one(self, resource: Json) -> Json:
        """Create, and the resource as the server has it.

        Raises:
            Failed: it did not take it.
        """
        return await self.made_of(await self.create(resource), resource["resourceType"])

    async def made_of(self, answer: Answer, kind: str) -> Json:
        """The resource that an answer to a create made, as the server has it.

        Raises:
            Failed: it did not take it.
        """
        if answer.status not in (200, 201):
            raise Failed(f"POST of a {kind} gave {answer.status}, not 201")
        if answer.raw:
            found = answer.resource
            if found["resourceType"] == kind and "id" in found:
                return found
        where = answer.headers.get("Location", "").partition("/_history")[0]
        return (await self.get(where)).resource

    async def put(self, resource: Json, version: str | None = None) -> Answer:
        """PUT of a resource, with If-Match where a version is given."""
        headers = {} if version is None else {"If-Match": f'W/"{version}"'}
        path = f"{resource['resourceType']}/{resource['id']}"
        return await self.ask("PUT", path, resource, headers=headers)

    async def read(self, path: str) -> Json:
        """The resource at a path.

        Raises:
            Failed: it is not there.
        """
        answer = await self.get(path)
        if answer.status != 200:
            raise Failed(f"GET of what was written gave {answer.status}, not 200")
        return answer.resource

    async def search(self, query: str) -> Json:
        """A searchset.

        Raises:
            Failed: it is none.
        """
        answer = await self.get(query)
        if answer.status != 200:
            raise Failed(f"the search gave {answer.status}, not 200")
        found = answer.resource
        if found["resourceType"] != "Bundle" or found.get("type") != "searchset":
            raise Failed("a search gave no Bundle of type searchset")
        return found

    async def pages(self, query: str) -> AsyncIterator[Json]:
        """Every page of a search, by its next links.

        Raises:
            Failed: there is no end to it, or a link leads to another server.
        """
        page = await self.search(query)
        for _ in range(PAGES):
            yield page
            following = next_link(page)
            if following is None:
                return
            page = await self.search(following)
        raise Failed(f"the search has no end: {PAGES} pages were read")


def next_link(page: Json) -> str | None:
    """The address of the following page."""
    links = [link.get("url") for link in page.get("link", ()) if link.get("relation") == "next"]
    return str(links[0]) if links else None


def matches_of(page: Json) -> list[Json]:
    """What a searchset found, without what only comes with it."""
    return [
        entry["resource"]
        for entry in page.get("entry", ())
        if entry.get("search", {}).get("mode", "match") == "match" and "resource" in entry
    ]
