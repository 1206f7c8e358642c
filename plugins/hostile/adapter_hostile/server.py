"""A peer that is up to no good: the example's API, with everything that a server may do wrong.

Each request for news is answered by the next trick of `TRICKS`, and then, once in a while, well: so
whoever asks on gets every good message in the end. Nothing here leaves loopback.
"""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response, StreamingResponse
from starlette.routing import Route

from adapter_hostile.data import TEXTS, good_programs, objects, program, request

ELSEWHERE = "http://127.0.0.2:9/outbox"
BOMB = 64 * 1024 * 1024


@dataclass(slots=True)
class HostileServer:
    """The peer.

    Attributes:
        base: its own address, for the links that it builds.
        every: one request for news in so many is answered well.
        drip_seconds: how long the slow tricks take for each byte.
        good: how many good messages stand between the nasty ones.
        played: the names of the tricks that were played, in order.
        taken: what was delivered to it and kept, by idempotency key.
    """

    base: str = "http://127.0.0.1"
    every: int = 2
    drip_seconds: float = 0.2
    good: int = 5
    played: list[str] = field(default_factory=list)
    taken: dict[str, bytes] = field(default_factory=dict)
    _asked: count[int] = field(default_factory=lambda: count(1), repr=False)
    _listed: count[int] = field(default_factory=count, repr=False)
    _brought: count[int] = field(default_factory=lambda: count(1), repr=False)

    @property
    def app(self) -> Starlette:
        """Its API."""
        return Starlette(
            routes=[
                Route("/status", self._status),
                Route("/outbox", self._outbox),
                Route("/messages", self._messages, methods=["GET", "POST"]),
                Route("/programs", self._programs),
            ]
        )

    def kept(self) -> list[Any]:
        """What it keeps to be fetched: nasty messages, and good ones between them."""
        nasty = [value for _, value in objects()]
        each = max(1, len(nasty) // self.good)
        found: list[Any] = []
        for number, value in enumerate(nasty):
            found.append(value)
            if number % each == each - 1:
                found.append(request(1000 + number))
        return found

    async def _status(self, asked: Request) -> Response:
        return _said({"error": "SECRET-TEXT"}, 200)

    async def _outbox(self, asked: Request) -> Response:
        turn = next(self._asked)
        if turn % self.every:
            name = list(TRICKS)[(turn // self.every) % len(TRICKS)]
            self.played.append(name)
            return await TRICKS[name](self, asked)
        return self.page(asked)

    def page(self, asked: Request, **more: Any) -> Response:
        """An honest page."""
        after = asked.query_params.get("after") or "0"
        start = int(after) if after.isdigit() else 0
        everything = self.kept()
        items = [
            {"cursor": str(place), "message": message}
            for place, message in enumerate(everything, 1)
            if place > start
        ]
        return _said({"items": items, "next": None, **more})

    async def _programs(self, asked: Request) -> Response:
        """What it lists: a trick each time, until every one was played; then, once, the truth."""
        if asked.query_params.get("after"):
            return await _endless(self, asked)
        number = next(self._listed)
        if number >= len(LISTS):
            return _said({"items": _items(*good_programs()), "next": None})
        name = list(LISTS)[number]
        self.played.append(f"list: {name}")
        return await LISTS[name](self, asked)

    async def _messages(self, asked: Request) -> Response:
        if asked.method == "GET":
            key = asked.query_params.get("key", "")
            return _said({"items": [{"id": f"peer-{key}"}] if key in self.taken else []})
        key = asked.headers.get("Idempotency-Key", "")
        body = await asked.body()
        turn = next(self._brought)
        if turn % 3 == 1:
            return Response("later", 503, headers={"Retry-After": "-1"})
        self.taken[key] = body
        if turn % 3 == 2:
            return Response("<html>Bad gateway</html>", 502)
        return _said({"id": f"peer-{key}"}, 201)


def _said(value: Any, status: int = 200) -> Response:
    return Response(orjson.dumps(value), status, media_type="application/json")


async def _drip(server: HostileServer, asked: Request) -> Response:
    async def body() -> AsyncIterator[bytes]:
        while True:
            yield b" "
            await asyncio.sleep(server.drip_seconds)

    return StreamingResponse(body(), media_type="application/json")


async def _bomb(server: HostileServer, asked: Request) -> Response:
    packed = gzip.compress(b" " * BOMB, 9)
    return Response(packed, headers={"Content-Encoding": "gzip"}, media_type="application/json")


async def _cut_off(server: HostileServer, asked: Request) -> Response:
    return Response(b'{"items": [', headers={"Content-Length": "11"}, media_type="application/json")


def _fixed(
    make: Callable[[HostileServer, Request], Response],
) -> Callable[[HostileServer, Request], Awaitable[Response]]:
    async def answer(server: HostileServer, asked: Request) -> Response:
        return make(server, asked)

    return answer


TRICKS: dict[str, Callable[[HostileServer, Request], Awaitable[Response]]] = {
    "server error": _fixed(lambda s, r: Response("Traceback: SECRET-TEXT", 500)),
    "login page": _fixed(lambda s, r: Response("<html>Log in</html>", media_type="text/html")),
    "empty": _fixed(lambda s, r: Response(b"", media_type="application/json")),
    "a list": _fixed(lambda s, r: _said([])),
    "items that are none": _fixed(lambda s, r: _said({"items": {"a": 1}})),
    "items of texts": _fixed(lambda s, r: _said({"items": ["a", None, 1]})),
    "items without a message": _fixed(lambda s, r: _said({"items": [{"cursor": "1"}]})),
    "items without a cursor": _fixed(lambda s, r: _said({"items": [{"message": {}}]})),
    "a cursor that is an object": _fixed(
        lambda s, r: _said({"items": [{"cursor": {"a": 1}, "message": {}}]})
    ),
    "no UTF-8": _fixed(
        lambda s, r: Response(b'{"items": ["\xff"]}', media_type="application/json")
    ),
    "cut off": _cut_off,
    "next elsewhere": _fixed(lambda s, r: s.page(r, items=[], next=ELSEWHERE)),
    "next round and round": _fixed(lambda s, r: s.page(r, items=[], next=f"{s.base}/outbox")),
    "redirect elsewhere": _fixed(lambda s, r: RedirectResponse(ELSEWHERE, 302)),
    "redirect round and round": _fixed(lambda s, r: RedirectResponse(str(r.url), 307)),
    "not now, for ever": _fixed(
        lambda s, r: Response("later", 429, headers={"Retry-After": "tomorrow"})
    ),
    "a bomb": _bomb,
    "an endless drip": _drip,
}
"""What it does instead of answering, by name."""


def _items(*programs: Any) -> list[dict[str, Any]]:
    return [{"cursor": str(number), "program": each} for number, each in enumerate(programs, 1)]


def _list(*programs: Any) -> Callable[[HostileServer, Request], Awaitable[Response]]:
    return _fixed(lambda s, r: _said({"items": _items(*programs), "next": None}))


async def _endless(server: HostileServer, asked: Request) -> Response:
    """A page of a list that has no end: each leads to another, with programs of its own."""
    start = int(asked.query_params.get("after") or 0)
    found = [program(f"endless-{start + number}") for number in range(500)]
    following = f"{server.base}/programs?after={start + 500}"
    return _said({"items": _items(*found), "next": following})


LISTS: dict[str, Callable[[HostileServer, Request], Awaitable[Response]]] = {
    "one id for two": _list(program("p-1"), program("p-1", name={"en": "Another"})),
    "a number for an id": _list(program(7)),
    "an id that is a path": _list(program("../../etc/passwd\x00")),
    "a list for a name": _list(program("p-1", name=["Garden"])),
    "no name at all": _list(program("p-1", name={})),
    "a huge name": _list(program("p-1", name={"en": "x" * 1_000_000})),
    "a million interests": _list(program("p-1", interests=["x"] * 1_000_000)),
    "texts for a list": _list(program("p-1", needs="Z60.2")),
    "room that nobody knows": _list(program("p-1", room={"status": "maybe"})),
    "room for more than there is": _list(
        program("p-1", room={"status": "free", "places": 10**15, "of": -1})
    ),
    "nasty texts": _list(
        *(program(f"n-{number}", name={"en": text}) for number, text in enumerate(TEXTS.values()))
    ),
    "an empty list": _list(),
    "a list without an end": _endless,
    "an endless drip": _drip,
    "no list": _fixed(lambda s, r: Response("<html>Log in</html>", media_type="text/html")),
}
"""What it lists instead of its programs, by name."""
