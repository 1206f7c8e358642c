"""Batch and transaction (R4 3.1.0.11; SDOH-CC 3.0 asks for batch reads of what is referred to)."""

from __future__ import annotations

from typing import Any

from adapter_conformance.endpoint.catalogue import check
from adapter_conformance.endpoint.client import Answer
from adapter_conformance.endpoint.endpoint import Endpoint
from adapter_conformance.requirement import Failed, NotSupported

Json = dict[str, Any]
PERSON = "urn:uuid:7f0c1d3e-0000-4000-8000-000000000001"
ASKED = "urn:uuid:7f0c1d3e-0000-4000-8000-000000000002"


async def _declared(endpoint: Endpoint, code: str) -> None:
    rests = (await endpoint.capability()).get("rest", ())
    codes = {each.get("code") for rest in rests for each in rest.get("interaction", ())}
    if code not in codes:
        raise NotSupported(f"it declares no {code}")


async def _sent(endpoint: Endpoint, kind: str, entries: list[Json]) -> Answer:
    bundle = {"resourceType": "Bundle", "type": kind, "entry": entries}
    answer = await endpoint.source.ask("POST", "", bundle)
    if answer.status == 200:
        endpoint.source.remember(answer)
    return answer


def _post(url: str, resource: Json) -> Json:
    request = {"method": "POST", "url": resource["resourceType"]}
    return {"fullUrl": url, "resource": resource, "request": request}


@check("batch.reads")
async def reads(endpoint: Endpoint) -> None:
    """Each entry is answered by itself."""
    await _declared(endpoint, "batch")
    made = await endpoint.referral()
    paths = (made.path, f"Task/{endpoint.run}-none", made.request)
    entries = [{"request": {"method": "GET", "url": path}} for path in paths]
    answer = await _sent(endpoint, "batch", entries)
    found = answer.resource.get("entry", []) if answer.status == 200 else []
    if len(found) != len(paths):
        raise Failed(f"a batch of {len(paths)} reads gave {answer.status}, {len(found)} entries")
    statuses = [str(each.get("response", {}).get("status", ""))[:3] for each in found]
    if statuses != ["200", "404", "200"]:
        raise Failed(f"a batch of reads was answered with {', '.join(statuses)}")
    if [each.get("resource", {}).get("id") for each in found][::2] != [
        path.partition("/")[2] for path in paths[::2]
    ]:
        raise Failed("the answers of a batch are not in the order of its entries")


@check("batch.transaction-links")
async def transaction_links(endpoint: Endpoint) -> None:
    """A referral in one piece; its entries point to each other."""
    await _declared(endpoint, "transaction")
    people = endpoint.people
    entries = [
        _post("urn:uuid:7f0c1d3e-0000-4000-8000-000000000003", people.task(ASKED, PERSON)),
        _post(ASKED, people.request(PERSON)),
        _post(PERSON, people.patient()),
    ]
    answer = await _sent(endpoint, "transaction", entries)
    found = answer.resource.get("entry", []) if answer.status == 200 else []
    if len(found) != len(entries):
        raise Failed(f"a transaction of a referral gave {answer.status}, {len(found)} entries")
    where = [str(each.get("response", {}).get("location", "")) for each in found]
    paths = ["/".join(each.partition("/_history")[0].split("/")[-2:]) for each in where]
    task = await endpoint.source.read(paths[0])
    if task.get("focus", {}).get("reference") != paths[1]:
        raise Failed("Task.focus does not lead to the ServiceRequest of the same transaction")
    asked = await endpoint.source.read(paths[1])
    if asked.get("subject", {}).get("reference") != paths[2]:
        raise Failed("ServiceRequest.subject does not lead to the Patient of the transaction")


@check("batch.transaction-whole")
async def transaction_whole(endpoint: Endpoint) -> None:
    """All of it, or nothing."""
    await _declared(endpoint, "transaction")
    people = endpoint.people
    person = people.patient()
    wrong = _post(ASKED, people.request(f"Patient/{endpoint.run}-none"))
    wrong["request"]["url"] = "Patient"
    answer = await _sent(endpoint, "transaction", [_post(PERSON, person), wrong])
    if answer.status < 400:
        raise Failed(f"a transaction with an entry that is wrong gave {answer.status}")
    number = person["identifier"][0]
    asked = f"Patient?identifier={number['system']}|{number['value']}"
    if (await endpoint.client.search(asked)).get("entry"):
        raise Failed("a part of a transaction that was refused is there")
