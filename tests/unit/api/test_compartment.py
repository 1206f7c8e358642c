"""The authorisation matrix: every route, every caller, every organization's resources.

It is generated from the types and interactions that the API offers. A cell is one request by one
caller for something of one organization; it leaks if a caller that has no part in it gets an answer
that differs from the answer for something that never was, or that holds the mark of its owner.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from adapter.api.app import build_app
from adapter.api.offered import INTERACTIONS, OPERATIONS, RECORDS, TYPES
from adapter.exchange.compartment import SHARED
from adapter.exchange.service import Service
from tests.unit.api import backend, people, records

pytestmark = pytest.mark.anyio
Json = dict[str, Any]
REQUESTERS = ("Clinic North", "Clinic South", "Clinic West")
PERFORMERS = {"Clinic North": "Club East", "Clinic South": "Club East", "Clinic West": "Club Far"}
OWNERS = ("Clinic North", "Clinic West")
"""Whose resources are asked for; the third is there to ask."""
CALLERS = (*REQUESTERS, "Club East", "Club Far", "Stranger", "nobody", "forged", "disabled")
MARK = {name: f"MARK{name.split()[1].upper()}" for name in REQUESTERS}


@dataclass
class Owned:
    """What one organization has here: by type, an id and the resource."""

    resources: dict[str, Json] = field(default_factory=dict)

    def address(self, kind: str) -> str:
        return f"{kind}/{self.resources[kind]['id']}"


@pytest.fixture(scope="module")
async def ground(
    guarded: Service,
) -> tuple[httpx.AsyncClient, dict[str, dict[str, str]], dict[str, Owned]]:
    """An application, each caller's headers, and what each requester has put there."""
    http = httpx.AsyncClient(
        transport=httpx.ASGITransport(app=build_app(guarded)),
        base_url="http://adapter.example/fhir",
    )
    headers: dict[str, dict[str, str]] = {"nobody": {}, "forged": {"Authorization": "Bearer A.B"}}
    for name in CALLERS:
        if name not in headers:
            client = backend.registered(guarded, f"matrix {name}", name)
            token = await backend.token(http, guarded, client)
            headers[name] = {"Authorization": f"Bearer {token}"}
            if name == "disabled":
                guarded.store.write_now(lambda tx, gone=client: tx.clients.disable(gone))
    owned = {}
    for name in REQUESTERS:
        owned[name] = await filled(http, headers[name], MARK[name], PERFORMERS[name])
    return http, headers, owned


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    """One loop for the module."""
    return "asyncio"


async def filled(
    http: httpx.AsyncClient, headers: dict[str, str], mark: str, performer: str
) -> Owned:
    """One resource of every type, and a referral of them to a performer."""
    made = Owned()

    async def post(body: Json) -> Json:
        answer = await http.post(f"/{body['resourceType']}", json=body, headers=headers)
        assert answer.status_code == 201, answer.text
        stored: Json = answer.json()
        made.resources[stored["resourceType"]] = stored
        return stored

    subject = f"Patient/{(await post(records.record('Patient', '', mark)))['id']}"
    for kind in RECORDS:
        if kind != "Patient":
            await post(records.record(kind, subject, mark))
    focus = f"ServiceRequest/{(await post(records.request(subject, mark)))['id']}"
    await post(records.task(focus, subject, mark, performer))
    return made


Cell = tuple[str, str, Json]


def cells(kind: str, owned: Owned) -> Iterator[Cell]:
    """Every request for one resource: method, address, and what httpx is given with it."""
    address, held = owned.address(kind), owned.resources[kind]
    own = held["id"]
    yield "GET", f"/{address}", {}
    yield "GET", f"/{address}/_history", {}
    yield "GET", f"/{address}/_history/1", {}
    yield "GET", f"/{kind}", {"params": {"_id": own}}
    yield "GET", f"/{kind}", {"params": {"_id": own, "_summary": "count"}}
    yield "GET", f"/{kind}", {"params": {"_lastUpdated": "ge2020-01-01", "_total": "accurate"}}
    yield "POST", f"/{kind}/_search", {"data": {"_id": own}}
    yield "PUT", f"/{address}", {"json": held}
    batch = {"request": {"method": "GET", "url": address}}
    yield "POST", "/", {"json": {"resourceType": "Bundle", "type": "batch", "entry": [batch]}}
    yield "POST", f"/{address}/$validate", {}
    if "patch" in INTERACTIONS[kind]:
        patch = [{"op": "add", "path": "/note/-", "value": {"text": "x"}}]
        headers = {"content-type": "application/json-patch+json"}
        yield "PATCH", f"/{address}", {"json": patch, "headers": headers}
    for name in OPERATIONS[kind]:
        if name == "extract":
            yield "POST", f"/{address}/$extract", {}
        elif name == "populate":
            subject = {"name": "subject", "valueReference": {"reference": owned.address("Patient")}}
            body = {"resourceType": "Parameters", "parameter": [subject]}
            yield "POST", f"/{address}/$populate", {"json": body}
    if kind == "Patient":
        for other in TYPES:
            for name in ("patient", "subject"):
                yield "GET", f"/{other}", {"params": {name: address}, "allow": 400}
        yield "POST", "/Goal", {"json": records.record("Goal", address, "x")}
    if kind == "ServiceRequest":
        body = people.task(address, owned.address("Patient"))
        yield "POST", "/Task", {"json": body}
        yield "GET", "/Task", {"params": {"focus": address, "_include": "Task:focus"}}
        yield "GET", f"/{kind}", {"params": {"_id": own, "_revinclude": "Task:focus"}}


def blind(text: str, own: str) -> str:
    """An answer without what follows from the request itself: ids, times, tokens."""
    text = text.replace(own, "ID")
    return re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}|\d{4}-\d\d-\d\dT[^\"]+|_page=[^\"]+", "X", text)


async def test_no_cell_of_the_matrix_leaks(
    ground: tuple[httpx.AsyncClient, dict[str, dict[str, str]], dict[str, Owned]],
) -> None:
    http, headers, owned = ground
    absent = "00000000-0000-7000-8000-000000000000"
    asked = leaks = seen = 0
    told: list[Any] = []
    for owner, kind in itertools.product(OWNERS, TYPES):
        if kind in SHARED:
            continue
        mine = owned[owner]
        own = mine.resources[kind]["id"]
        for caller in CALLERS:
            part = caller in (owner, PERFORMERS[owner])
            for method, place, given in cells(kind, mine):
                if caller == owner and method != "GET":
                    continue  # what it may do to its own is for other tests
                options = {name: value for name, value in given.items() if name != "allow"}
                options["headers"] = {**options.get("headers", {}), **headers[caller]}
                if part and (method != "GET" or caller != owner):
                    continue  # a performer's view has a test of its own
                answer = await http.request(method, place, **options)
                asked += 1
                assert answer.status_code < 500, (method, place, answer.text)
                if part:
                    if place == f"/{kind}/{own}":
                        assert answer.status_code == 200, (owner, kind, answer.text)
                        seen += 1
                    others = [MARK[each] for each in REQUESTERS if each != owner]
                    leaked = any(each in answer.text for each in others)
                else:
                    leaked = MARK[owner] in answer.text or answer.status_code == 403
                    if caller in ("nobody", "forged", "disabled"):
                        leaked |= answer.status_code != 401
                    elif own in place or own in str(given):
                        twin = await http.request(
                            method,
                            place.replace(own, absent),
                            **swapped(options, own, absent),
                        )
                        leaked |= answer.status_code != twin.status_code
                        leaked |= blind(answer.text, own) != blind(twin.text, absent)
                if leaked:
                    leaks += 1
                    told.append((caller, owner, method, place, given, answer.status_code))
    print(f"authorisation matrix: {asked} cells, {leaks} leaks, {seen} of their own seen")
    assert told == []
    assert asked >= 2000
    assert seen == len(OWNERS) * (len(TYPES) - len(SHARED))


def swapped(value: Any, own: str, absent: str) -> Any:
    """The same request for an id that never was."""
    if isinstance(value, dict):
        return {name: swapped(each, own, absent) for name, each in value.items()}
    if isinstance(value, list):
        return [swapped(each, own, absent) for each in value]
    return value.replace(own, absent) if isinstance(value, str) else value


async def test_a_performer_sees_what_it_is_asked_to_do_as_it_is_disclosed(
    ground: tuple[httpx.AsyncClient, dict[str, dict[str, str]], dict[str, Owned]],
) -> None:
    http, headers, owned = ground
    for performer in ("Club East", "Club Far"):
        theirs = [name for name in REQUESTERS if PERFORMERS[name] == performer]
        tasks = (await http.get("/Task", headers=headers[performer])).json()
        assert tasks["total"] == len(theirs)
        for name in REQUESTERS:
            for kind in TYPES:
                answer = await http.get(f"/{owned[name].address(kind)}", headers=headers[performer])
                if name in theirs and kind in ("Task", "ServiceRequest", "Patient"):
                    assert answer.status_code == 200, (performer, name, kind)
                elif kind not in SHARED:
                    assert answer.status_code == 404, (performer, name, kind)
                    assert MARK[name] not in answer.text
        found = await http.get(
            "/Task",
            params={"_include": "Task:focus", "_total": "accurate"},
            headers=headers[performer],
        )
        for name in REQUESTERS:
            assert (MARK[name] in found.text) == (name in theirs)


async def test_a_page_token_is_for_the_organization_that_got_it(
    ground: tuple[httpx.AsyncClient, dict[str, dict[str, str]], dict[str, Owned]],
) -> None:
    http, headers, _ = ground
    for _ in range(2):
        body = records.record("Patient", "", "MARKNORTH")
        await http.post("/Patient", json=body, headers=headers["Clinic North"])
    page = await http.get("/Patient", params={"_count": 1}, headers=headers["Clinic North"])
    link = next(each["url"] for each in page.json()["link"] if each["relation"] == "next")
    assert (await http.get(link, headers=headers["Clinic North"])).status_code == 200
    assert (await http.get(link, headers=headers["Clinic South"])).status_code == 400
