"""The direct flow: a Task alone, whose request is on its source's own server."""

from __future__ import annotations

from typing import Any

import httpx
import orjson
import pytest

from adapter.api import elsewhere
from adapter.exchange.service import Service
from adapter.plugin.errors import TransientError
from tests.unit.api import backend, people

pytestmark = pytest.mark.anyio
Json = dict[str, Any]
SOURCE = "https://emr.example.org/fhir"


class Server:
    """Another server, as our guarded client sees it."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.held: dict[str, Json] = {
            f"{SOURCE}/Patient/7": people.patient("EMR-7") | {"id": "7"},
            f"{SOURCE}/Organization/1": {"resourceType": "Organization", "id": "1", "name": "EMR"},
            f"{SOURCE}/ServiceRequest/9": people.request("Patient/7", "EMR-9")
            | {"id": "9", "requester": {"reference": "Organization/1"}},
        }

    async def get(self, url: str, **_: Any) -> httpx.Response:
        self.asked.append(url)
        if url not in self.held:
            raise TransientError("http.unreachable", "nobody is there")
        return httpx.Response(200, content=orjson.dumps(self.held[url]))


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Server:
    made = Server()
    monkeypatch.setattr(elsewhere, "registered_client", lambda **_: made)
    return made


def task(number: int = 9) -> Json:
    return people.task(f"{SOURCE}/ServiceRequest/{number}", f"{SOURCE}/Patient/7")


async def test_what_a_task_points_to_is_copied_under_ids_of_our_own(
    api: httpx.AsyncClient, server: Server
) -> None:
    made = await api.post("/Task", json=task())
    assert made.status_code == 201, made.text
    stored = made.json()
    focus = (await api.get(f"/{stored['focus']['reference']}")).json()
    patient = (await api.get(f"/{stored['for']['reference']}")).json()
    assert {focus["id"], patient["id"]} & {"7", "9"} == set()
    assert focus["subject"]["reference"] == f"Patient/{patient['id']}"
    assert focus["requester"]["reference"].startswith("Organization/")
    assert {"system": SOURCE, "value": "ServiceRequest/9"} in focus["identifier"]
    accepted = await api.put(f"/Task/{stored['id']}", json=stored | {"status": "accepted"})
    assert accepted.json()["status"] == "accepted"
    again = (await api.post("/Task", json=task())).json()
    assert again["focus"] == stored["focus"]


async def test_a_request_that_cannot_be_had_is_refused_and_nothing_is_stored(
    api: httpx.AsyncClient, server: Server
) -> None:
    before = (await api.get("/Task", params={"_summary": "count"})).json()["total"]
    answer = await api.post("/Task", json=task(10))
    assert answer.status_code == 422
    assert answer.json()["issue"][0]["expression"] == ["Task.focus"]
    assert (await api.get("/Task", params={"_summary": "count"})).json()["total"] == before


async def test_a_contained_request_is_taken_out(api: httpx.AsyncClient) -> None:
    contained = [
        people.patient("CON-1") | {"id": "p"},
        people.request("#p", "CON-9") | {"id": "sr"},
    ]
    made = await api.post("/Task", json=people.task("#sr", "#p", contained=contained))
    assert made.status_code == 201, made.text
    stored = made.json()
    assert "contained" not in stored
    focus = (await api.get(f"/{stored['focus']['reference']}")).json()
    assert focus["subject"]["reference"] == stored["for"]["reference"]


async def test_a_client_makes_us_ask_no_server_that_is_not_configured(
    wire: httpx.AsyncClient, guarded: Service, server: Server
) -> None:
    client = backend.registered(guarded, "asker", "Clinic Q")
    headers = {"Authorization": f"Bearer {await backend.token(wire, guarded, client)}"}
    answer = await wire.post("/Task", json=task(), headers=headers)
    assert answer.status_code == 422
    assert server.asked == []
