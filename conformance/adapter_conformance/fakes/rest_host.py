"""A fake REST host: pages of invented Tasks and programs, and what a host may do wrong, by name.

`host.fail_next("rate-limited", "service-burst")` makes the next requests fail so, one each; every
other request is answered well. What it was asked is in `requests`.
"""

from __future__ import annotations

import gzip
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

import anyio
import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response, StreamingResponse
from starlette.routing import Route

FHIR = "application/fhir+json"
MIB = 1024 * 1024


class Guard(Protocol):
    """Who decides whether a request is let in, for example `OAuth2Server`."""

    def accepts(self, request: Request) -> bool:
        """True if it is."""
        ...


@dataclass(frozen=True, slots=True)
class Asked:
    """One request, as the host saw it."""

    method: str
    path: str
    query: str
    authorization: str = field(repr=False)
    body: bytes = field(repr=False)


@dataclass(slots=True)
class RestHost:
    """The host.

    Attributes:
        base: its own address, for the links that it builds.
        pages: how many pages of Tasks it has; `per_page`: how many on each.
        elsewhere: the origin of somebody else, for faults that lead there.
        programs: what ``GET /api/programs`` lists, `per_page` at a time, as the example plugin
            reads it.
        guard: who lets requests in; None lets in everybody.
        slow_seconds: how long the slow faults take.
        huge_bytes: the size of the huge body; `bomb_bytes`: what the bomb unpacks to.
        requests: everything that it was asked.
    """

    base: str = "http://127.0.0.1"
    pages: int = 3
    per_page: int = 2
    programs: list[dict[str, Any]] = field(default_factory=list)
    elsewhere: str = "http://127.0.0.2:9"
    guard: Guard | None = None
    slow_seconds: float = 1.0
    huge_bytes: int = 64 * MIB
    bomb_bytes: int = 256 * MIB
    requests: list[Asked] = field(default_factory=list)
    _faults: list[str] = field(default_factory=list)
    _serial: itertools.count[int] = field(default_factory=lambda: itertools.count(1), repr=False)

    def fail_next(self, *faults: str) -> None:
        """Let the next requests fail, one each.

        Raises:
            ValueError: there is no fault of that name; `FAULTS` lists them.
        """
        for fault in faults:
            if fault not in FAULTS:
                raise ValueError(f"no fault {fault!r}; there are: {', '.join(FAULTS)}")
        self._faults += faults

    def routes(self) -> list[Route]:
        """Its routes, to mount beside an authorization server's."""
        every = ["GET", "POST", "PUT", "PATCH", "DELETE"]
        return [
            Route("/fhir/{path:path}", self._answer, methods=every),
            Route("/api/programs", self._answer),
        ]

    @property
    def app(self) -> Starlette:
        """The host alone."""
        return Starlette(routes=self.routes())

    async def _answer(self, request: Request) -> Response:
        self.requests.append(
            Asked(
                method=request.method,
                path=request.url.path,
                query=request.url.query,
                authorization=request.headers.get("Authorization", ""),
                body=await request.body(),
            )
        )
        if self._faults:
            return await ANSWERS[self._faults.pop(0)](self, request)
        if self.guard is not None and not self.guard.accepts(request):
            return _outcome(401, "login")
        if request.method != "GET":
            return self._stored(request)
        if request.url.path == "/api/programs":
            return self._programs(request)
        return self._page(int(request.query_params.get("page", "1")))

    def _stored(self, request: Request) -> Response:
        location = f"{self.base}/fhir/Task/t{next(self._serial)}/_history/1"
        status = 201 if request.method == "POST" else 200
        return _json({"resourceType": "Task"}, status, {"Location": location})

    def _programs(self, request: Request) -> Response:
        """Some of them, and where the next ones are."""
        start = int(request.query_params.get("after") or 0)
        end = start + self.per_page
        items = [
            {"cursor": str(start + number), "program": each}
            for number, each in enumerate(self.programs[start:end], 1)
        ]
        following = f"{self.base}/api/programs?after={end}" if end < len(self.programs) else None
        return _json({"items": items, "next": following})

    def _page(self, page: int, *, following: str | None = None) -> Response:
        if following is None and page < self.pages:
            following = f"{self.base}/fhir/Task?page={page + 1}"
        first = (page - 1) * self.per_page
        entries = [
            {"resource": {"resourceType": "Task", "id": f"synthetic-{first + number + 1}"}}
            for number in range(self.per_page)
        ]
        links = [{"relation": "self", "url": f"{self.base}/fhir/Task?page={page}"}]
        if following:
            links.append({"relation": "next", "url": following})
        bundle = {"resourceType": "Bundle", "type": "searchset", "link": links, "entry": entries}
        return _json(bundle)

    def _here(self, request: Request) -> int:
        return int(request.query_params.get("page", "1"))


Fault = Callable[[RestHost, Request], Awaitable[Response]]


def _json(value: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return Response(orjson.dumps(value), status, headers=headers, media_type=FHIR)


def _outcome(status: int, code: str, severity: str = "error") -> Response:
    """An OperationOutcome whose texts hold what must never be repeated."""
    issue = {
        "severity": severity,
        "code": code,
        "details": {
            "coding": [{"system": "urn:synthetic", "code": "MSG_SYNTHETIC"}],
            "text": "SECRET-TEXT of Synthetic Person",
        },
        "diagnostics": "SECRET-TEXT line 7",
        "expression": ["Task.code"],
    }
    return _json({"resourceType": "OperationOutcome", "issue": [issue]}, status)


def _fixed(make: Callable[[RestHost, Request], Response]) -> Fault:
    async def answer(host: RestHost, request: Request) -> Response:
        return make(host, request)

    return answer


async def _slow_body(host: RestHost, request: Request) -> Response:
    async def drip() -> AsyncIterator[bytes]:
        yield b'{"resourceType":'
        await anyio.sleep(host.slow_seconds)
        yield b'"Task"}'

    return StreamingResponse(drip(), media_type=FHIR)


async def _slow_start(host: RestHost, request: Request) -> Response:
    await anyio.sleep(host.slow_seconds)
    return _json({"resourceType": "Task"})


async def _endless(host: RestHost, request: Request) -> Response:
    async def drip() -> AsyncIterator[bytes]:
        while True:
            yield b" "
            await anyio.sleep(host.slow_seconds / 20)

    return StreamingResponse(drip(), media_type=FHIR)


async def _cut_off(host: RestHost, request: Request) -> Response:
    whole = b'{"resourceType":"Task","status":"requested"}'
    return Response(whole[:20], media_type=FHIR, headers={"Content-Length": str(len(whole))})


async def _huge(host: RestHost, request: Request) -> Response:
    return StreamingResponse(_pieces(host.huge_bytes, b" " * 65536), media_type=FHIR)


async def _pieces(size: int, piece: bytes) -> AsyncIterator[bytes]:
    for _ in range(size // len(piece)):
        yield piece


async def _bomb(host: RestHost, request: Request) -> Response:
    packed = gzip.compress(b" " * host.bomb_bytes, 9)
    return Response(packed, media_type=FHIR, headers={"Content-Encoding": "gzip"})


ANSWERS: dict[str, Fault] = {
    "rate-limited": _fixed(lambda h, r: Response("later", 429, headers={"Retry-After": "1"})),
    "rate-limited-long": _fixed(
        lambda h, r: Response("later", 429, headers={"Retry-After": "3600"})
    ),
    "unauthorized": _fixed(lambda h, r: _outcome(401, "login")),
    "forbidden": _fixed(lambda h, r: _outcome(403, "forbidden")),
    "unavailable": _fixed(lambda h, r: Response("later", 503)),
    "server-error": _fixed(lambda h, r: Response("Internal error", 500)),
    "bad-gateway": _fixed(lambda h, r: Response("<html>Bad gateway</html>", 502)),
    "gateway-timeout": _fixed(lambda h, r: Response("late", 504)),
    "gone": _fixed(lambda h, r: Response("gone", 410)),
    "not-found": _fixed(lambda h, r: _outcome(404, "not-found")),
    "conflict": _fixed(lambda h, r: _outcome(409, "conflict")),
    "unprocessable": _fixed(lambda h, r: _outcome(422, "required")),
    "outcome-in-success": _fixed(lambda h, r: _outcome(200, "processing")),
    "warning-in-success": _fixed(lambda h, r: _outcome(200, "informational", "warning")),
    "login-page": _fixed(
        lambda h, r: Response("<!DOCTYPE html><title>Log in</title>", media_type="text/html")
    ),
    "login-page-as-json": _fixed(
        lambda h, r: Response("\n <html><body>Log in</body></html>", media_type=FHIR)
    ),
    "redirect-elsewhere": _fixed(lambda h, r: RedirectResponse(f"{h.elsewhere}/fhir/Task", 302)),
    "moved-elsewhere": _fixed(lambda h, r: RedirectResponse(f"{h.elsewhere}/fhir/Task", 301)),
    "redirect-here": _fixed(lambda h, r: RedirectResponse(f"{h.base}/fhir/Task?page=3", 307)),
    "redirect-round": _fixed(lambda h, r: RedirectResponse(str(r.url), 302)),
    "foreign-next": _fixed(
        lambda h, r: h._page(h._here(r), following=f"{h.elsewhere}/fhir/Task?page=2")
    ),
    "circular-next": _fixed(
        lambda h, r: h._page(h._here(r), following=f"{h.base}/fhir/Task?page=1")
    ),
    "duplicate-page": _fixed(
        lambda h, r: h._page(h._here(r), following=f"{h.base}/fhir/Task?page={h._here(r)}&again=1")
    ),
    "truncated-json": _fixed(
        lambda h, r: Response(b'{"resourceType":"Bundle","en', media_type=FHIR)
    ),
    "cut-off": _cut_off,
    "slow-start": _slow_start,
    "slow-body": _slow_body,
    "endless-drip": _endless,
    "huge-body": _huge,
    "gzip-bomb": _bomb,
}
"""How each of `FAULTS` is answered."""

FAULTS = {
    "rate-limited": "429, and Retry-After: 1",
    "rate-limited-long": "429, and Retry-After: 3600",
    "unauthorized": "401, with an OperationOutcome",
    "forbidden": "403, with an OperationOutcome",
    "unavailable": "503",
    "server-error": "500",
    "bad-gateway": "502, with a page",
    "gateway-timeout": "504",
    "gone": "410",
    "not-found": "404, with an OperationOutcome",
    "conflict": "409, with an OperationOutcome",
    "unprocessable": "422, with an OperationOutcome",
    "outcome-in-success": "200, and the body is an OperationOutcome that says error",
    "warning-in-success": "200, and the body is an OperationOutcome that says warning",
    "login-page": "200, and a page to log in",
    "login-page-as-json": "200, and a page to log in that is said to be FHIR JSON",
    "redirect-elsewhere": "302 to `elsewhere`, another origin",
    "moved-elsewhere": "301 to `elsewhere`",
    "redirect-here": "307 to another page of its own",
    "redirect-round": "302 to the very address that was asked",
    "foreign-next": "a good page whose next link leads to `elsewhere`",
    "circular-next": "a good page whose next link leads to the first page",
    "duplicate-page": "a good page whose next link leads to itself",
    "truncated-json": "200, and JSON that breaks off; its length is said rightly",
    "cut-off": "200, and fewer bytes than Content-Length says",
    "slow-start": "a good answer after `slow_seconds`",
    "slow-body": "a good answer, in the middle of which it waits `slow_seconds`",
    "endless-drip": "200, and a space every twentieth of `slow_seconds`, for ever",
    "huge-body": "200, and `huge_bytes` of spaces",
    "gzip-bomb": "200, and gzip that unpacks to `bomb_bytes`",
}
"""What it does wrong, by name."""
