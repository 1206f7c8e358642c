"""The API in XML: asked for by Accept or _format, read by Content-Type, refusals as well."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from adapter.fhir.xml_reader import read_xml
from adapter.fhir.xml_writer import write_xml
from tests.unit.api import people

pytestmark = pytest.mark.anyio
XML = {"Content-Type": "application/fhir+xml", "Accept": "application/fhir+xml"}
Json = dict[str, Any]


def resource(answer: httpx.Response) -> Json:
    assert answer.headers["content-type"].startswith("application/fhir+xml"), answer.text
    assert int(answer.headers["content-length"]) == len(answer.content)
    return read_xml(answer.content)


@pytest.mark.parametrize(
    ("query", "accept", "format"),
    [
        ("", "*/*", "json"),
        ("", "application/fhir+xml", "xml"),
        ("", "application/xml", "xml"),
        ("", "application/fhir+xml, application/fhir+json", "json"),
        ("", "application/fhir+xml, application/fhir+json;q=0.9", "xml"),
        ("", "application/fhir+xml;q=0.5, */*;q=0.8", "json"),
        ("", "text/html, application/fhir+xml; fhirVersion=4.0", "xml"),
        ("?_format=xml", "application/fhir+json", "xml"),
        ("?_format=application/fhir+xml", "*/*", "xml"),
        ("?_format=json", "application/fhir+xml", "json"),
    ],
)
async def test_an_answer_is_in_the_format_that_is_wanted_most(
    api: httpx.AsyncClient, query: str, accept: str, format: str
) -> None:
    answer = await api.get(f"/metadata{query}", headers={"Accept": accept})
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith(f"application/fhir+{format}")
    assert (
        (await api.get(f"/Task{query}", headers={"Accept": accept}))
        .headers["content-type"]
        .startswith(f"application/fhir+{format}")
    )


async def test_a_loop_is_closed_in_xml_alone(api: httpx.AsyncClient) -> None:
    async def sent(method: str, place: str, body: Json) -> Json:
        answer = await api.request(method, place, content=write_xml(body), headers=XML)
        assert answer.status_code in (200, 201), answer.text
        return resource(answer)

    person = await sent("POST", "/Patient", people.patient("X-1"))
    subject = f"Patient/{person['id']}"
    asked = await sent("POST", "/ServiceRequest", people.request(subject, "X-1"))
    task = await sent("POST", "/Task", people.task(f"ServiceRequest/{asked['id']}", subject))
    place = f"/Task/{task['id']}"
    task = await sent("PUT", place, task | {"status": "accepted"})
    part = [
        {"name": "type", "valueCode": "replace"},
        {"name": "path", "valueString": "Task.status"},
        {"name": "value", "valueCode": "in-progress"},
    ]
    patch = {"resourceType": "Parameters", "parameter": [{"name": "operation", "part": part}]}
    task = await sent("PATCH", place, patch)
    assert task["status"] == "in-progress"
    task = await sent("PUT", place, task | {"status": "completed", "output": [people.summary()]})
    found = resource(await api.get("/Task", params={"_id": task["id"]}, headers=XML))
    assert found["entry"][0]["resource"] == (await api.get(place)).json()
    bundle = {
        "resourceType": "Bundle",
        "type": "batch",
        "entry": [{"request": {"method": "GET", "url": place.lstrip("/")}}],
    }
    answered = await sent("POST", "/", bundle)
    assert answered["entry"][0]["resource"]["status"] == "completed"


async def test_refusals_are_in_xml_too_and_a_document_type_is_never_read(
    api: httpx.AsyncClient,
) -> None:
    absent = await api.get("/Patient/absent", headers=XML)
    assert (absent.status_code, resource(absent)["resourceType"]) == (404, "OperationOutcome")
    bomb = b'<!DOCTYPE a [<!ENTITY b "c">]><Patient xmlns="http://hl7.org/fhir"/>'
    for body, status in (
        (bomb, 400),
        (b"<Patient", 400),
        (b'<Patient xmlns="http://hl7.org/fhir"><banana value="1"/></Patient>', 422),
        (b'<Patient xmlns="http://hl7.org/fhir"><birthDate value="never"/></Patient>', 422),
    ):
        answer = await api.post("/Patient", content=body, headers=XML)
        assert answer.status_code == status, body
        issue = resource(answer)["issue"][0]
        assert issue["expression"]
    head = await api.head("/metadata", headers=XML)
    assert (head.status_code, head.content) == (200, b"")
