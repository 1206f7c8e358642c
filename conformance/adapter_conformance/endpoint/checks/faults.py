"""How it says no: as an OperationOutcome, without a value of a person, and never with 5xx."""

from __future__ import annotations

from adapter_conformance.endpoint.catalogue import check
from adapter_conformance.endpoint.client import FHIR, Answer
from adapter_conformance.endpoint.endpoint import Endpoint
from adapter_conformance.planted import FAMILY, GIVEN, PERSON, PHONE
from adapter_conformance.requirement import Failed, NotSupported

TRACES = ("Traceback (most recent", "\tat java.", "\tat org.", "Exception in thread")


async def _refusals(endpoint: Endpoint) -> list[tuple[str, Answer]]:
    """Requests that every server refuses, each with what is planted in it, and the answers."""
    client, people = endpoint.source, endpoint.people
    person = people.patient()
    asks: list[tuple[str, str, str, bytes | None, object]] = [
        ("a body that is no JSON", "POST", "Patient", f'{{"name": "{FAMILY}"'.encode(), None),
        ("a body of another type", "POST", "Task", None, person),
        ("a list in place of a resource", "POST", "Patient", b"[]", None),
        ("a type that does not exist", "POST", "Synthetic", None, person),
        ("a birth date that is no date", "POST", "Patient", None, {**person, "birthDate": FAMILY}),
        ("a gender that is no code", "POST", "Patient", None, {**person, "gender": GIVEN}),
        ("a name that is no list", "POST", "Patient", None, {**person, "name": FAMILY}),
        ("a date that is none", "GET", f"Task?_lastUpdated=gt{FAMILY}", None, None),
        ("what is not there", "GET", f"Patient/{endpoint.run}-none", None, None),
    ]
    found = []
    for what, method, path, raw, body in asks:
        answer = await client.ask(method, path, body, raw=raw)
        if answer.status == 201:
            client.remember(answer)
        found.append((what, answer))
    return found


@check("errors.refused")
async def refused(endpoint: Endpoint) -> None:
    """What is wrong is refused with 4xx."""
    wrong = [
        f"{what} gave {each.status}"
        for what, each in await _refusals(endpoint)
        if each.status < 400
    ]
    if wrong:
        raise Failed("; ".join(wrong))


@check("errors.no-5xx")
async def no_5xx(endpoint: Endpoint) -> None:
    """What is wrong with a request is not the server's fault."""
    wrong = [
        f"{what} gave {each.status}"
        for what, each in await _refusals(endpoint)
        if each.status >= 500
    ]
    if wrong:
        raise Failed("; ".join(wrong))


@check("errors.operation-outcome")
async def operation_outcome(endpoint: Endpoint) -> None:
    """Every refusal is an OperationOutcome with severity and code, as FHIR JSON."""
    wrong = [
        f"{what} gave {each.status} without one"
        for what, each in await _refusals(endpoint)
        if each.status >= 400
        and not (each.is_outcome and each.headers.get("Content-Type", "").startswith(FHIR))
    ]
    if wrong:
        raise Failed("; ".join(wrong))


@check("errors.of-a-move")
async def of_a_move(endpoint: Endpoint) -> None:
    """The refusal of a move is an OperationOutcome that points to the status."""
    made = await endpoint.referral()
    answer = await endpoint.move(made, "on-hold")
    if answer.status < 400:
        raise Failed(f"requested to on-hold gave {answer.status}")
    if not answer.is_outcome:
        raise Failed(f"the refusal of a move ({answer.status}) is no OperationOutcome")
    places = [
        place
        for issue in answer.resource["issue"]
        for place in (*issue.get("expression", ()), *issue.get("location", ()))
    ]
    if not any("status" in str(place) for place in places):
        raise Failed("the refusal of a move does not point to Task.status (issue.expression)")


@check("privacy.errors")
async def errors_without_a_person(endpoint: Endpoint) -> None:
    """No refusal repeats what it was given about a person, or shows the program's inside."""
    for what, each in await _refusals(endpoint):
        if each.status < 400:
            continue
        text = each.raw.decode("utf-8", "replace")
        if any(marker in text for marker in PERSON):
            raise Failed(f"the refusal of {what} repeats a value of the person")
        if any(trace in text for trace in TRACES):
            raise Failed(f"the refusal of {what} shows the program's inside")


@check("privacy.addresses")
async def addresses_without_a_person(endpoint: Endpoint) -> None:
    """Locations and links hold no value of a person."""
    made = await endpoint.source.create(endpoint.people.patient())
    name = {"Content-Type": "application/x-www-form-urlencoded"}
    page = await endpoint.client.ask(
        "POST", "Patient/_search", raw=f"identifier={PHONE}".encode(), headers=name
    )
    said = [made.headers.get("Location", "")]
    if page.status == 200:
        links = page.resource.get("link", ())
        said += [str(link.get("url")) for link in links if link.get("relation") != "self"]
    if any(marker in text for text in said for marker in (FAMILY, GIVEN, PHONE)):
        raise Failed("an address holds a value of the person")


@check("security.closed")
async def closed(endpoint: Endpoint) -> None:
    """Nobody is let in without a token, or with a wrong one."""
    if not endpoint.has_token:
        raise NotSupported("it is open: no token was given")
    without = await endpoint.client.ask("GET", "Task?_count=1", anonymous=True)
    if without.status not in (401, 403):
        raise Failed(f"a search without a token gave {without.status}, not 401")
    headers = {"Authorization": f"Bearer {endpoint.run}"}
    wrong = await endpoint.client.ask("GET", "Task?_count=1", headers=headers, anonymous=True)
    if wrong.status not in (401, 403):
        raise Failed(f"a search with a token that is none gave {wrong.status}, not 401")
