"""The flows of SDOH-CC 3.0, from end to end: direct, light, and by way of an intermediary."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from adapter_conformance.endpoint.catalogue import check
from adapter_conformance.endpoint.client import matches_of
from adapter_conformance.endpoint.endpoint import Endpoint, Made
from adapter_conformance.endpoint.people import activity
from adapter_conformance.fakes.fhir_server import FhirServer
from adapter_conformance.fakes.serving import beside
from adapter_conformance.requirement import Failed, NotRun


async def _outcome(endpoint: Endpoint, made: Made) -> None:
    """Hold that the source can read what came of a referral.

    Raises:
        Failed: an output leads nowhere, or to something else than was done.
    """
    now = await endpoint.source.read(made.path)
    links = [each.get("valueReference", {}).get("reference") for each in now.get("output", ())]
    links = [each for each in links if each]
    if not links:
        raise Failed("the completed Task has no output that can be read")
    for link in links:
        found = await endpoint.source.read(str(link))
        if found.get("status") != "completed":
            raise Failed("the output of a completed Task does not lead to what was done")


@check("flow.direct")
async def direct(endpoint: Endpoint) -> None:
    """The source posts the request and the Task, and reads the outcome."""
    made = await endpoint.referral("in-progress", owner={"reference": await endpoint.agency()})
    made = await endpoint.moved(made, "completed")
    await _outcome(endpoint, made)


@check("flow.direct-request-elsewhere")
async def direct_request_elsewhere(endpoint: Endpoint) -> None:
    """The Task alone is posted; its request stays on the source's own server."""
    if not endpoint.on_loopback:
        raise NotRun("it could not reach the source's server, which the kit plays on loopback")
    server = FhirServer("strict")
    async with beside(server.app) as address:
        server.address = address
        patient = server.put(endpoint.people.patient())
        asked = server.put(endpoint.people.request(f"Patient/{patient['id']}"))
        focus = f"{server.base}/ServiceRequest/{asked['id']}"
        subject = f"{server.base}/Patient/{patient['id']}"
        task = endpoint.people.task(focus, subject, **endpoint.parties())
        posted = await endpoint.source.create(task)
        if endpoint.apart and posted.status in (400, 403, 422) and posted.is_outcome:
            raise NotRun(f"it fetches from servers that it knows, not from ours ({posted.status})")
        made = Made("", focus, await endpoint.source.made_of(posted, "Task"))
        said = made.task.get("focus", {}).get("reference", "")
        if said != focus:
            held = await endpoint.source.read(str(said))
            numbers = [each.get("value") for each in held.get("identifier", ())]
            if asked["identifier"][0]["value"] not in numbers:
                raise Failed("the focus of the Task leads neither to the source nor to a copy")
        answer = await endpoint.target.put({**made.task, "status": "accepted"})
        if answer.status != 200:
            raise Failed(f"such a Task cannot be accepted: {answer.status}")


@check("flow.light")
async def light(endpoint: Endpoint) -> None:
    """The target polls the source for its Tasks, works on one and brings what was done."""
    owner = await endpoint.agency()
    seeded = await endpoint.referral(owner={"reference": owner})
    number = seeded.task["identifier"][0]["value"]
    query = f"Task?owner={owner}&status=requested&_include=Task:focus"
    mine: list[dict[str, Any]] = []
    coming: dict[str, Any] = {}
    async for page in endpoint.target.pages(query):
        mine += matches_of(page)
        coming |= {
            f"{each['resource']['resourceType']}/{each['resource']['id']}": each["resource"]
            for each in page.get("entry", ())
        }
    found = [e for e in mine if any(i.get("value") == number for i in e.get("identifier", ()))]
    if len(found) != 1:
        raise Failed(f"the target finds its Task {len(found)} times")
    task = found[0]
    request = str(task["focus"]["reference"])
    if request not in coming and (await endpoint.target.read(request)) is None:
        raise Failed("the request of the Task cannot be read")
    made = Made(seeded.patient, request, task)
    for status in ("accepted", "in-progress", "completed"):
        made = await endpoint.moved(made, status)
    await _outcome(endpoint, made)


@check("flow.request-closed")
async def request_closed(endpoint: Endpoint) -> None:
    """The source closes the request when its Task is completed."""
    made = await endpoint.referral("completed")
    now = await endpoint.source.read(made.request)
    if now.get("status") != "completed":
        raise Failed(f"the ServiceRequest of a completed Task is {now.get('status')}")


@check("flow.declined-goes-on")
async def declined_goes_on(endpoint: Endpoint) -> None:
    """After a decline the request stands, and another Task may be asked for it."""
    made = await endpoint.referral("rejected")
    now = await endpoint.source.read(made.request)
    if now.get("status") != "active":
        raise Failed(f"the ServiceRequest of a declined Task is {now.get('status')}, not active")
    again = await endpoint.referral("accepted", request=made.request)
    if again.task["id"] == made.task["id"]:
        raise Failed("the second Task of a request is the first one")
    await endpoint.unchanged(made, "after a second Task")


@check("flow.claimed-once")
async def claimed_once(endpoint: Endpoint) -> None:
    """A Task that nobody owns is claimed by the first who takes it."""
    made = await endpoint.referral(open_to_all=True)
    version = made.task["meta"]["versionId"]
    first = {**made.task, "status": "accepted", "owner": {"reference": await endpoint.agency()}}
    answer = await endpoint.target.put(first, version)
    if answer.status != 200:
        raise Failed(f"claiming a Task that nobody owns gave {answer.status}, not 200")
    late = {**made.task, "status": "accepted", "owner": {"reference": await endpoint.clinic()}}
    second = await endpoint.target.put(late, version)
    await endpoint.refused(second, "a second claim of the same Task")
    now = await endpoint.client.read(made.path)
    if not str(now.get("owner", {}).get("reference")).endswith(await endpoint.agency()):
        raise Failed("the Task is not owned by who claimed it first")


async def _child(endpoint: Endpoint) -> tuple[Made, Made]:
    """A referral to a hub, and the one that the hub makes of it."""
    parent = await endpoint.referral("accepted")
    child = endpoint.people.request(parent.patient, basedOn=[{"reference": parent.request}])
    request = await endpoint.source.made_one({**child, "intent": "filler-order"})
    reference = f"ServiceRequest/{request['id']}"
    made = await endpoint.referral(request=reference, partOf=[{"reference": parent.path}])
    return parent, made


@check("indirect.child-request")
async def child_request(endpoint: Endpoint) -> None:
    """The hub's own request is based on the source's."""
    parent, child = await _child(endpoint)
    now = await endpoint.source.read(child.request)
    links = [str(each.get("reference")) for each in now.get("basedOn", ())]
    if now.get("intent") != "filler-order" or not any(e.endswith(parent.request) for e in links):
        raise Failed("a child request lost its intent filler-order or what it is based on")
    found = await endpoint.source.search(f"ServiceRequest?based-on={quote(parent.request)}")
    if now["id"] not in [each["id"] for each in matches_of(found)]:
        raise Failed("a child request is not found by what it is based on")


@check("indirect.child-task")
async def child_task(endpoint: Endpoint) -> None:
    """The hub's own Task is a part of the source's."""
    parent, child = await _child(endpoint)
    now = await endpoint.source.read(child.path)
    links = [str(each.get("reference")) for each in now.get("partOf", ())]
    if not any(each.endswith(parent.path) for each in links):
        raise Failed("a child Task lost the Task that it is part of")
    found = await endpoint.source.search(f"Task?part-of={quote(parent.path)}")
    if [each["id"] for each in matches_of(found)] != [now["id"]]:
        raise Failed("a child Task is not found by the Task that it is part of")


@check("indirect.rolls-up")
async def rolls_up(endpoint: Endpoint) -> None:
    """What came of the child reaches the source by the parent, which the hub keeps or we move."""
    parent, child = await _child(endpoint)
    done = await endpoint.done(child)
    for status in ("accepted", "in-progress", "completed"):
        more = {"output": [activity(done)]} if status == "completed" else {}
        child = await endpoint.moved(child, status, **more)
    now = await endpoint.source.read(parent.path)
    parent = Made(parent.patient, parent.request, now)
    if now.get("status") == "accepted":
        parent = await endpoint.moved(parent, "in-progress")
    if parent.task.get("status") != "completed":
        parent = await endpoint.moved(parent, "completed", output=[activity(done)])
    await _outcome(endpoint, parent)
