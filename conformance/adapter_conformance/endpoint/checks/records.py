"""Reading, creating and updating, as every FHIR server does (R4 3.1.0)."""

from __future__ import annotations

import asyncio

from adapter_conformance.endpoint.catalogue import check
from adapter_conformance.endpoint.client import Answer
from adapter_conformance.endpoint.endpoint import Endpoint
from adapter_conformance.endpoint.people import NUMBERS
from adapter_conformance.requirement import Failed, NotSupported

AT_ONCE = 8


@check("read.fhir-json")
async def fhir_json(endpoint: Endpoint) -> None:
    """Resources come as FHIR JSON."""
    answer = await endpoint.source.get(await endpoint.patient())
    kind = answer.headers.get("Content-Type", "")
    if answer.status != 200 or not kind.startswith("application/fhir+json"):
        raise Failed(f"a read gave {answer.status} with Content-Type {kind.partition(';')[0]!r}")


@check("read.what-was-written")
async def what_was_written(endpoint: Endpoint) -> None:
    """A resource comes back as it was given."""
    given = endpoint.people.patient()
    made = await endpoint.source.made_one(given)
    now = await endpoint.source.read(f"Patient/{made['id']}")
    for name in ("name", "birthDate", "gender", "identifier"):
        if now.get(name) != given[name]:
            raise Failed(f"Patient.{name} came back otherwise than it was given")


@check("read.unknown-is-404")
async def unknown_is_404(endpoint: Endpoint) -> None:
    """Nothing is there."""
    answer = await endpoint.client.get(f"Task/{endpoint.run}-none")
    if answer.status not in (404, 410):
        raise Failed(f"reading what is not there gave {answer.status}, not 404")


@check("read.version")
async def version(endpoint: Endpoint) -> None:
    """ETag and meta agree on the version."""
    answer = await endpoint.source.get(await endpoint.patient())
    meta = answer.resource.get("meta", {})
    if not meta.get("versionId") or not meta.get("lastUpdated"):
        raise Failed("meta has no versionId or no lastUpdated")
    if answer.headers.get("ETag") != f'W/"{meta["versionId"]}"':
        raise Failed("there is no weak ETag of meta.versionId")


@check("read.history")
async def history(endpoint: Endpoint) -> None:
    """The first version can still be read, and the history has both."""
    declared = {each["code"] for each in (await endpoint.declared("Task")).get("interaction", ())}
    if not {"vread", "history-instance"} <= declared:
        raise NotSupported("it declares no versions or no history of a Task")
    made = await endpoint.referral("accepted")
    found = await endpoint.client.read(f"{made.path}/_history")
    statuses = [e.get("resource", {}).get("status") for e in found.get("entry", ())]
    if found.get("type") != "history" or statuses[:1] != ["accepted"] or len(statuses) < 2:
        raise Failed("the history of a Task does not have its versions, the newest first")
    first = found["entry"][-1]["resource"]["meta"]["versionId"]
    old = await endpoint.client.read(f"{made.path}/_history/{first}")
    if old.get("status") != "requested":
        raise Failed("the first version does not read as it was")


@check("create.location")
async def location(endpoint: Endpoint) -> None:
    """201, and where it is."""
    answer = await endpoint.source.create(endpoint.people.patient())
    where = answer.headers.get("Location", "")
    if answer.status != 201 or "/Patient/" not in f"/{where}":
        raise Failed(f"POST gave {answer.status}, not 201 with a Location")
    found = await endpoint.source.get(where.partition("/_history")[0])
    if found.status != 200:
        raise Failed("nothing is where Location says")


async def _twice(endpoint: Endpoint, times: int) -> list[Answer]:
    person = endpoint.people.patient()
    condition = f"identifier={NUMBERS}|{person['identifier'][0]['value']}"
    first = [await endpoint.source.create(person, If_None_Exist=condition)] if times == 1 else []
    more = [endpoint.source.create(person, If_None_Exist=condition) for _ in range(times)]
    return [*first, *await asyncio.gather(*more)]


async def _one_only(endpoint: Endpoint, answers: list[Answer]) -> None:
    ids = {each.resource.get("id") for each in answers if each.status in (200, 201)}
    made = sum(each.status == 201 for each in answers)
    if len(ids) > 1 or made > 1:
        raise Failed(f"{max(len(ids), made)} were made of one")


@check("create.if-none-exist")
async def if_none_exist(endpoint: Endpoint) -> None:
    """The same again makes no second one."""
    answers = await _twice(endpoint, 1)
    if [each.status for each in answers] not in ([201, 200], [201, 304]):
        said = ", ".join(str(each.status) for each in answers)
        raise Failed(f"two creates with one condition gave {said}, not 201 and 200")
    await _one_only(endpoint, answers)


@check("create.if-none-exist-at-once")
async def if_none_exist_at_once(endpoint: Endpoint) -> None:
    """Nor do several at the same moment."""
    answers = await _twice(endpoint, AT_ONCE)
    if not any(each.status == 201 for each in answers):
        raise Failed("none of several creates at one moment was done")
    await _one_only(endpoint, answers)


@check("create.several-match")
async def several_match(endpoint: Endpoint) -> None:
    """A condition that finds several is refused."""
    person = endpoint.people.patient()
    for _ in range(2):
        await endpoint.source.made_one(person)
    condition = f"identifier={NUMBERS}|{person['identifier'][0]['value']}"
    answer = await endpoint.source.create(person, If_None_Exist=condition)
    if answer.status != 412:
        raise Failed(f"a condition that finds two gave {answer.status}, not 412")


@check("create.references-lead-somewhere")
async def references(endpoint: Endpoint) -> None:
    """A link to nothing is refused."""
    wrong = endpoint.people.request(f"Patient/{endpoint.run}-none")
    answer = await endpoint.source.create(wrong)
    await endpoint.refused(answer, "a ServiceRequest of a Patient that is not there")


@check("update.new-version")
async def new_version(endpoint: Endpoint) -> None:
    """A PUT that names the version that it read makes the next one."""
    made = await endpoint.referral()
    before = made.task["meta"]["versionId"]
    answer = await endpoint.target.put({**made.task, "status": "accepted"}, before)
    if answer.status != 200:
        raise Failed(f"a PUT with If-Match of the newest version gave {answer.status}, not 200")
    now = await endpoint.client.read(made.path)
    if now["meta"]["versionId"] == before or now.get("status") != "accepted":
        raise Failed("the PUT made no new version")


async def _stale(endpoint: Endpoint) -> tuple[int, str | None]:
    """The status for a PUT that knows an old version, and what the Task's status is then."""
    made = await endpoint.referral("accepted")
    first = (await endpoint.client.read(f"{made.path}"))["meta"]["versionId"]
    moved = await endpoint.moved(made, "in-progress")
    wrong = {**moved.task, "status": "on-hold", "statusReason": {"text": "synthetic reason"}}
    answer = await endpoint.target.put(wrong, first)
    now = await endpoint.client.read(made.path)
    return answer.status, now.get("status")


@check("update.stale-changes-nothing")
async def stale_changes_nothing(endpoint: Endpoint) -> None:
    """A write that knows an old version is not done."""
    status, now = await _stale(endpoint)
    if status < 400 or now != "in-progress":
        raise Failed(f"a PUT with an old If-Match gave {status}; the Task is {now} now")


@check("update.stale-is-412")
async def stale_is_412(endpoint: Endpoint) -> None:
    """And it is told so with the status that FHIR has for it."""
    status, _ = await _stale(endpoint)
    if status != 412:
        raise Failed(f"a PUT with an old If-Match gave {status}; FHIR R4 3.1.0.5 asks for 412")


@check("update.one-of-two")
async def one_of_two(endpoint: Endpoint) -> None:
    """Of two who write at the same moment, one does."""
    made = await endpoint.referral()
    before = made.task["meta"]["versionId"]
    answers = await asyncio.gather(
        endpoint.target.put({**made.task, "status": "accepted"}, before),
        endpoint.target.put(
            {**made.task, "status": "rejected", "statusReason": {"text": "synthetic"}}, before
        ),
    )
    done = sum(each.status == 200 for each in answers)
    if done != 1:
        raise Failed(f"of two writes of one version at the same moment {done} were done")


@check("update.id-of-the-address")
async def id_of_the_address(endpoint: Endpoint) -> None:
    """The id in the body is that of the address."""
    reference = await endpoint.patient()
    held = await endpoint.source.read(reference)
    wrong = {**held, "id": f"{endpoint.run}-other"}
    answer = await endpoint.source.ask("PUT", reference, wrong)
    await endpoint.refused(answer, "a PUT whose id is another one", (400, 409, 422))
