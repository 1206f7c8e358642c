"""The life of a Task: the moves that SDOH-CC 3.0 draws, reasons, outputs."""

from __future__ import annotations

from adapter_conformance.endpoint.catalogue import check
from adapter_conformance.endpoint.endpoint import Endpoint, Made
from adapter_conformance.endpoint.people import activity, because, coded_activity
from adapter_conformance.fakes.fhir_rules import moves
from adapter_conformance.requirement import Failed

ENDED = ("rejected", "cancelled", "completed", "failed", "entered-in-error")
GOING = ("draft", "requested", "accepted", "in-progress", "on-hold")
STATUSES = (*GOING, *ENDED)
ORDER = ("requested", "accepted", "on-hold", "in-progress", "completed")


@check("transitions.legal-done")
async def legal_done(endpoint: Endpoint) -> None:
    """Each way through is open."""
    made = await endpoint.referral("draft")
    for status in ORDER:
        made = await endpoint.moved(made, status)
    for status in ("rejected", "cancelled", "failed", "entered-in-error"):
        await endpoint.referral(status)


async def _refuses(endpoint: Endpoint, was: str, wanted: tuple[str, ...]) -> list[str]:
    """What is wrong with the answers to moves that may not be made, one for each; empty: nothing.

    A Task that stands as it stood is asked again; one that moved is replaced. A draft may be hidden
    from whoever will be asked.
    """
    made: Made | None = None
    wrong = []
    for status in wanted:
        if status == was or (was, status) in moves():
            continue
        made = made or await endpoint.referral(was)
        answer = await endpoint.move(made, status)
        now = await endpoint.source.read(made.path)
        stayed = now.get("status") == was
        unseen = was == "draft" and endpoint.apart
        if answer.status not in (400, 409, 422) and not (unseen and answer.status in (403, 404)):
            wrong.append(f"{was} to {status} gave {answer.status}")
        else:
            wrong.append("" if stayed else f"{was} to {status} was refused and done")
        made = made if stayed else None
    return wrong


@check("transitions.illegal-refused")
async def illegal_refused(endpoint: Endpoint) -> None:
    """From each status that goes on, each move that is not drawn."""
    _told([each for was in GOING for each in await _refuses(endpoint, was, STATUSES)])


@check("transitions.ended-stays")
async def ended_stays(endpoint: Endpoint) -> None:
    """What ended is never opened again."""
    wanted = (*GOING, "completed")
    _told([each for was in ENDED for each in await _refuses(endpoint, was, wanted)])


def _told(found: list[str]) -> None:
    wrong = [each for each in found if each]
    if wrong:
        some = "; ".join(wrong[:4])
        raise Failed(f"{len(wrong)} of {len(found)} moves that nobody may make: {some}")


@check("transitions.beginning")
async def beginning(endpoint: Endpoint) -> None:
    """A new Task has not begun."""
    request = await endpoint.asked()
    for status in ("in-progress", "completed"):
        task = endpoint.people.task(request, await endpoint.patient(), status)
        if status == "completed":
            task["output"] = [coded_activity()]
        answer = await endpoint.source.create(task)
        await endpoint.refused(answer, f"a new Task that is {status}")


@check("transitions.unknown-status")
async def unknown_status(endpoint: Endpoint) -> None:
    """A word that is no status."""
    made = await endpoint.referral()
    answer = await endpoint.target.put({**made.task, "status": "synthetic"})
    await endpoint.refused(answer, "a status that does not exist")
    await endpoint.unchanged(made, "after a status that does not exist")


@check("transitions.same-status")
async def same_status(endpoint: Endpoint) -> None:
    """To stay is no move: a note may come."""
    made = await endpoint.referral("accepted")
    noted = {**made.task, "note": [{"text": "synthetic note"}]}
    answer = await endpoint.target.put(noted)
    if answer.status != 200:
        raise Failed(f"a note without a move gave {answer.status}, not 200")
    notes = (await endpoint.client.read(made.path)).get("note", ())
    if not any(each.get("text") == "synthetic note" for each in notes):
        raise Failed("the note is not there")


@check("reasons.kept")
async def reasons_kept(endpoint: Endpoint) -> None:
    """Why, in words."""
    for status in ("rejected", "on-hold", "cancelled", "failed"):
        made = await endpoint.referral(status)
        said = made.task.get("statusReason", {}).get("text")
        if said != because(status)["statusReason"]["text"]:
            raise Failed(f"the reason of {status} is not there as it was given")


@check("outputs.needed-to-complete")
async def output_needed(endpoint: Endpoint) -> None:
    """The loop is closed with an outcome."""
    made = await endpoint.referral("in-progress")
    bare = {key: value for key, value in made.task.items() if key != "output"}
    answer = await endpoint.target.put({**bare, "status": "completed"})
    await endpoint.refused(answer, "completed without an output")
    await endpoint.unchanged(made, "after completed without an output")


@check("outputs.all-kept")
async def outputs_all_kept(endpoint: Endpoint) -> None:
    """Several, as references and as codes."""
    made = await endpoint.referral("in-progress")
    first, second = await endpoint.done(made), await endpoint.done(made)
    output = [activity(first), activity(second), coded_activity()]
    now = await endpoint.moved(made, "completed", output=output)
    found = now.task.get("output", [])
    links = [str(each.get("valueReference", {}).get("reference", "")) for each in found]
    lost = [each for each in (first, second) if not any(one.endswith(each) for one in links)]
    coded = any("valueCodeableConcept" in each for each in found)
    if lost or not coded:
        raise Failed(f"of 3 outputs {len(found)} are there; every one is to be kept")


@check("outputs.never-taken-away")
async def outputs_stay(endpoint: Endpoint) -> None:
    """A later write that leaves an output out does not lose it."""
    made = await endpoint.referral("in-progress")
    output = [activity(await endpoint.done(made))]
    made = await endpoint.moved(made, "in-progress", output=output)
    if not made.task.get("output"):
        raise Failed("an output of a Task that goes on is not there")
    other = {**made.task, "output": [activity(await endpoint.done(made))]}
    await endpoint.target.put(other)
    now = (await endpoint.client.read(made.path)).get("output", [])
    first = output[0]["valueReference"]["reference"]
    if not any(str(e.get("valueReference", {}).get("reference")).endswith(first) for e in now):
        raise Failed("a PUT without an earlier output took it away")


@check("task.keeps-what-it-says")
async def keeps(endpoint: Endpoint) -> None:
    """Identifiers, priority, parties and dates come back."""
    requester, owner = await endpoint.clinic(), await endpoint.agency()
    made = await endpoint.referral(
        requester={"reference": requester},
        owner={"reference": owner},
        note=[{"text": "synthetic note"}],
    )
    now = made.task
    numbers = [each.get("value") for each in now.get("identifier", ())]
    lost = [
        name
        for name, kept in {
            "identifier": any(str(each).startswith(endpoint.run) for each in numbers),
            "intent": now.get("intent") == "order",
            "priority": now.get("priority") == "routine",
            "code": now.get("code", {}).get("coding", [{}])[0].get("code") == "fulfill",
            "focus": _leads(now.get("focus"), made.request),
            "for": _leads(now.get("for"), made.patient),
            "requester": _leads(now.get("requester"), requester),
            "owner": _leads(now.get("owner"), owner),
            "authoredOn": str(now.get("authoredOn", "")).startswith("2026-01-15"),
            "note": any(each.get("text") == "synthetic note" for each in now.get("note", ())),
        }.items()
        if not kept
    ]
    if lost:
        raise Failed(f"a Task came back without {', '.join(lost)}")


def _leads(reference: object, to: str) -> bool:
    return isinstance(reference, dict) and str(reference.get("reference", "")).endswith(to)


@check("task.focus-stays")
async def focus_stays(endpoint: Endpoint) -> None:
    """A Task cannot be turned to another request."""
    made = await endpoint.referral()
    other = await endpoint.asked()
    await endpoint.source.put({**made.task, "focus": {"reference": other}})
    now = await endpoint.client.read(made.path)
    if not _leads(now.get("focus"), made.request):
        raise Failed("an update turned the Task to another request")
