"""Rows on the FHIR API: read, search and create beside a bare Starlette handler doing the same SQL.

The bare handler has a database of the same tables and settings. It makes the rows that the API
makes, audit and chain with them, in one durable commit, and checks, seals and logs nothing.
"""

from __future__ import annotations

import itertools
import json
import os
import sqlite3
import statistics
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

from row import Row
from rows import Road
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from adapter.api.app import build_app
from adapter.store.dialect import dialect_of
from adapter.store.migrations import upgrade

HELD = 100
FHIR = "application/fhir+json"
BARE = "bare handler"


def rows(road: Road) -> list[Row]:
    """All rows of this file."""
    beside = Beside(road)
    return [
        Row("FHIR API: read", BARE, 3, beside.read, 100),
        Row("FHIR API: search", BARE, 3, beside.search, 100),
        Row("FHIR API: create", BARE, 3, beside.create, 100),
    ]


def patient(number: int) -> dict[str, Any]:
    """A client who does not exist."""
    return {
        "resourceType": "Patient",
        "identifier": [{"system": "urn:oid:2.999.1", "value": f"bench-{number}"}],
        "name": [{"family": "Synthetic", "given": ["Test"]}],
        "birthDate": "1950-01-01",
        "telecom": [{"system": "phone", "value": "555-0100"}],
    }


class Beside:
    """The API and the bare handler, asked in turn, without a socket."""

    def __init__(self, road: Road) -> None:
        self._road = road
        self._numbers = itertools.count()
        self._api: Starlette | None = None
        self._ids: list[tuple[int, str]] = []

    def _started(self) -> tuple[Starlette, Bare]:
        if self._api is None:
            self._road.service.bound("http://bench.example")
            self._api = build_app(self._road.service)
            self._bare = Bare(self._road.folder / "bare.sqlite3")
            for _ in range(HELD):
                self._create(self._api)
                self._bare.add(json.dumps(patient(next(self._numbers))).encode())
        return self._api, self._bare

    def _create(self, app: Any) -> None:
        number = next(self._numbers)
        body = json.dumps(patient(number)).encode()
        status, answer = self._ask(app, "POST", "/fhir/Patient", body=body)
        assert status == 201, answer
        self._ids.append((number, json.loads(answer)["id"]))

    def _ask(
        self, app: Any, method: str, path: str, query: str = "", body: bytes = b""
    ) -> tuple[int, bytes]:
        return self._road.loop.run_until_complete(asked(app, method, path, query, body))

    def read(self, times: int) -> float:
        """The ratio of one read."""
        api, bare = self._started()
        ids = itertools.cycle(own for _, own in self._ids[:HELD])
        others = itertools.cycle(bare.ids[:HELD])
        return ratio(
            lambda: self._ask(api, "GET", f"/fhir/Patient/{next(ids)}"),
            lambda: self._ask(bare.app, "GET", f"/fhir/Patient/{next(others)}"),
            times,
        )

    def search(self, times: int) -> float:
        """The ratio of one search by an identifier, which finds one."""
        api, bare = self._started()
        numbers = itertools.cycle(number for number, _ in self._ids[:HELD])
        others = itertools.cycle(bare.ids[:HELD])
        return ratio(
            lambda: self._ask(
                api, "GET", "/fhir/Patient", f"identifier=urn:oid:2.999.1|bench-{next(numbers)}"
            ),
            lambda: self._ask(bare.app, "GET", "/fhir/Patient", f"key={next(others)}"),
            times,
        )

    def create(self, times: int) -> float:
        """The ratio of one create."""
        api, bare = self._started()
        return ratio(
            lambda: self._create(api),
            lambda: self._ask(
                bare.app,
                "POST",
                "/fhir/Patient",
                body=json.dumps(patient(next(self._numbers))).encode(),
            ),
            times,
        )


def ratio(ours: Callable[[], Any], bare: Callable[[], Any], times: int) -> float:
    """The median of ours by the median of the bare one, interleaved."""
    seconds: tuple[list[float], list[float]] = ([], [])
    for _ in range(times):
        for work, found in zip((ours, bare), seconds, strict=True):
            started = time.perf_counter()
            work()
            found.append(time.perf_counter() - started)
    return statistics.median(seconds[0]) / statistics.median(seconds[1])


async def asked(app: Any, method: str, path: str, query: str, body: bytes) -> tuple[int, bytes]:
    """One ASGI request; status and body."""
    scope = {
        "type": "http", "http_version": "1.1", "method": method, "path": path, "root_path": "",
        "raw_path": path.encode(), "query_string": query.encode(), "scheme": "http",
        "headers": [(b"host", b"bench.example"), (b"content-type", FHIR.encode())],
        "client": ("127.0.0.1", 1), "server": ("bench.example", 80),
    }  # fmt: skip
    answer: list[Any] = [0, b""]

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            answer[0] = message["status"]
        else:
            answer[1] += message.get("body", b"")

    await app(scope, receive, send)
    return answer[0], answer[1]


class Bare:
    """Starlette, sqlite3 and nothing else, on the same tables."""

    def __init__(self, file: Path) -> None:
        upgrade(dialect_of(f"sqlite:///{file}"))
        self._db = sqlite3.connect(file, isolation_level=None, check_same_thread=False)
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
            self._db.execute(f"PRAGMA {pragma}")
        self._sequence = itertools.count(1)
        self.ids: list[str] = []
        self.app = Starlette(
            routes=[
                Route("/fhir/Patient/{id}", self._read),
                Route("/fhir/Patient", self._search, methods=["GET"]),
                Route("/fhir/Patient", self._create, methods=["POST"]),
            ]
        )

    def add(self, body: bytes) -> str:
        """Store a resource as the API stores one."""
        own, sequence = str(uuid.uuid4()), next(self._sequence)
        self._db.execute("SELECT version FROM resources WHERE id = ? AND current > 0", (own,))
        self._db.execute(
            "INSERT INTO resources (sequence, type, id, version, current, organization, deleted,"
            " last_updated, content_hash, content_sealed) VALUES (?,'Patient',?,1,1,'o',0,?,?,?)",
            (sequence, own, sequence, os.urandom(16), body),
        )
        self._db.executemany(
            "INSERT INTO resource_keys (key, id, type, organization) VALUES (?, ?, 'Patient', 'o')",
            [(own.encode(), own), (os.urandom(12), own), (os.urandom(12), own)],
        )
        self.ids.append(own)
        return own

    def _audited(self) -> None:
        sequence = next(self._sequence)
        self._db.execute("SELECT sequence, hash, seal FROM chains WHERE name = 'audit'").fetchone()
        self._db.execute(
            "INSERT INTO audit (sequence, id, organization, event_sealed, recorded_at, hash)"
            " VALUES (?, ?, 'o', ?, ?, ?)",
            (sequence, str(uuid.uuid4()), os.urandom(900), sequence, os.urandom(32)),
        )
        self._db.execute(
            "UPDATE chains SET sequence = ?, hash = ? WHERE name = 'audit'",
            (sequence, os.urandom(32)),
        )

    def _read(self, request: Request) -> Response:
        self._db.execute("BEGIN IMMEDIATE")
        row = self._db.execute(
            "SELECT content_sealed FROM resources"
            " WHERE id = ? AND type = 'Patient' AND current > 0",
            (request.path_params["id"],),
        ).fetchone()
        self._audited()
        self._db.execute("COMMIT")
        return Response(row[0], media_type=FHIR)

    def _search(self, request: Request) -> Response:
        self._db.execute("BEGIN IMMEDIATE")
        rows = self._db.execute(
            "SELECT r.content_sealed FROM resource_keys k JOIN resources r USING (type, id)"
            " WHERE k.key = ? AND r.type = 'Patient' AND r.current > 0 AND NOT r.deleted"
            " ORDER BY r.sequence LIMIT 51",
            (request.query_params["key"].encode(),),
        ).fetchall()
        self._audited()
        self._db.execute("COMMIT")
        entries = [{"resource": json.loads(row[0])} for row in rows]
        bundle = {"resourceType": "Bundle", "type": "searchset", "entry": entries}
        return Response(json.dumps(bundle), media_type=FHIR)

    async def _create(self, request: Request) -> Response:
        body = await request.body()
        own = await run_in_threadpool(self._stored, body)  # a commit must not hold up the loop
        made = json.loads(body) | {"id": own}
        return Response(json.dumps(made), status_code=201, media_type=FHIR)

    def _stored(self, body: bytes) -> str:
        self._db.execute("BEGIN IMMEDIATE")
        own = self.add(body)
        self._audited()
        self._db.execute("COMMIT")
        return own
