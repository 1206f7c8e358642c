"""A FHIR R4 server as peer, in process: what arrives are the Tasks that were made there.

What a system puts there is not the Bundle that it was given: ids are the server's own. A delivery
has arrived when there is one Task that is linked to the Bundle's (Task.identifier with
``urn:uuid:`` and its id), and its client has the name that was given.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import parse_qsl

import httpx
import orjson

from adapter_conformance.fakes.fhir_asking import Answer, Asking
from adapter_conformance.fakes.fhir_server import FhirServer
from adapter_conformance.peers import Arrived
from adapter_conformance.peers.rest import HOST, RestPeer
from adapter_conformance.profile import ProgramSample

US, THEM = "Organization/us", "Organization/them"


CAPACITY = {
    "open": "capacity",
    "full": "no-capacity",
    "waitlist": "waitlist",
    "ask-first": "additional-assessment-required",
}
"""SDOH Clinical Care 3.0, Capacity Status: its codes by our words."""
GUIDE = "http://hl7.org/fhir/us/sdoh-clinicalcare"


def _service(word: str) -> ProgramSample:
    """An invented HealthcareService; without a word it says nothing of its capacity."""
    made: dict[str, Any] = {
        "resourceType": "HealthcareService",
        "id": "synthetic-program",
        "active": True,
        "providedBy": {"reference": THEM, "display": "Synthetic Garden Club"},
        "name": "Friday garden",
        "communication": [{"coding": [{"system": "urn:ietf:bcp:47", "code": "fr"}]}],
    }
    if word:
        status = {"coding": [{"system": f"{GUIDE}/CodeSystem/SDOHCC-CodeSystemTemporaryCodes"}]}
        status["coding"][0]["code"] = CAPACITY[word]
        made["extension"] = [
            {
                "url": f"{GUIDE}/StructureDefinition/"
                "SDOHCC-ExtensionHealthcareServiceCapacityStatus",
                "extension": [{"url": "capacityStatus", "valueCodeableConcept": status}],
            }
        ]
    return ProgramSample(raw=orjson.dumps(made), id="synthetic-program", capacity=word)


class FhirPeer(RestPeer):
    """The server, with `us` and `them` as organizations that it knows."""

    programs = tuple(_service(word) for word in ("", *CAPACITY))
    several = 60  # more than systems ask for at a time

    def __init__(self) -> None:
        super().__init__()
        self.server = FhirServer("hapi", address=HOST)
        self.values = {**self.values, "base_url": self.server.base, "us": US, "them": THEM}
        for place in (US, THEM):
            own = place.partition("/")[2]
            self.server.put({"resourceType": "Organization", "id": own, "name": "Synthetic"})
        self._offered: set[str] = set()

    def arrived(self) -> Sequence[Arrived]:
        """Each Task that is not one of those that we keep for the system, with its client."""
        found = []
        for task in self.server.store.all("Task"):
            if task["id"] in self._offered:
                continue
            client = self.server.store.get("Patient", task["for"]["reference"].partition("/")[2])
            found.append(Arrived(task["id"], orjson.dumps([task, client])))
        return found

    def holds(self, arrived: Arrived, body: bytes) -> bool:
        """Whether a Task is the one of a Bundle, about the same person."""
        sent = [each["resource"] for each in orjson.loads(body)["entry"]]
        tasks = [each["id"] for each in sent if each["resourceType"] == "Task"]
        names = [each["name"] for each in sent if each["resourceType"] == "Patient"]
        task, client = orjson.loads(arrived.body)
        links = {each.get("value") for each in task.get("identifier", ())}
        return f"urn:uuid:{tasks[0]}" in links and [client["name"]] == names

    async def offer(self, messages: Sequence[bytes]) -> None:
        """Have these referrals, for us, as the server's own."""
        for raw in messages:
            before = {each["id"] for each in self.server.store.all("Task")}
            answer = self.server.handle(Asking(method="POST", path="", body=orjson.loads(raw)))
            assert answer.status == 200, answer.body
            for task in list(self.server.store.all("Task")):
                if task["id"] not in before:
                    self._offered.add(task["id"])
                    self.server.put({**task, "owner": {"reference": US}})

    async def offer_programs(self, programs: Sequence[bytes]) -> None:
        """Have these HealthcareServices."""
        for raw in programs:
            self.server.put(orjson.loads(raw))

    def _answer(self, request: httpx.Request, body: bytes) -> httpx.Response:
        path = request.url.path.removeprefix(self.server.ways.base).strip("/")
        headers = {name.lower(): value for name, value in request.headers.items()}
        answer: Answer = self.server.handle(
            Asking(
                method=request.method,
                path=path,
                query=parse_qsl(request.url.query.decode(), keep_blank_values=True),
                headers=headers,
                body=orjson.loads(body) if body else None,
            )
        )
        return httpx.Response(
            answer.status,
            content=orjson.dumps(answer.body) if answer.body is not None else b"",
            headers={**answer.headers, "Content-Type": "application/fhir+json"},
        )
