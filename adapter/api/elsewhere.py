"""A Task whose request is on another server: the direct flow of SDOH Clinical Care.

The source posts the Task alone, with absolute references. What it points to is fetched by the
guarded client of the site that is configured for that server, and stored here as copies with ids of
our own; an identifier tells which resource of which server each one is. A request that is contained
in the Task is taken out of it in the same way.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import orjson
import structlog

from adapter.api.access import Door
from adapter.api.body import check_resource
from adapter.api.bundle import transact
from adapter.api.caller import Caller
from adapter.api.faults import Refused, refused
from adapter.api.links import local
from adapter.api.offered import TYPES
from adapter.api.steps import Step
from adapter.api.writes import Written
from adapter.exchange.http.registered import registered_client
from adapter.fhir.bundles import references, rewrite
from adapter.plugin.errors import AdapterError
from adapter.plugin.http import Http

Json = dict[str, Any]
MOST = 60
WITHOUT_IDENTIFIER = frozenset({"Provenance", "Subscription"})


def is_elsewhere(task: Json, base: str) -> bool:
    """True for a Task whose focus is on another server, or contained in it."""
    said = task.get("focus", {}).get("reference", "")
    if said.startswith("#"):
        return any(each.get("id") == said[1:] for each in task.get("contained", ()))
    return bool(said.startswith(("https://", "http://")) and not said.startswith(f"{base}/"))


async def create_with_request(door: Door, task: Json, if_none_exist: str | None) -> Written:
    """Store a Task with copies of what it is about.

    Raises:
        Refused: 422, what it points to cannot be fetched, or is not right.
    """
    said: str = task["focus"]["reference"]
    if said.startswith("#"):
        found, task = _contained(task)
    else:
        found = await _fetched(door, task)
    steps = [
        Step(
            index=number,
            method="POST",
            url=each["resourceType"],
            content=_copied(each, url),
            full_url=url,
            if_none_exist=_condition(each, url),
            if_match=None,
        )
        for number, (url, each) in enumerate(found.items())
    ]
    last = Step(len(steps), "POST", "Task", task, "urn:task", if_none_exist, None)
    return await door.write(lambda caller: _made(caller, [*steps, last]))


def _made(caller: Caller, steps: list[Step]) -> Written:
    transact(caller, steps)
    last = steps[-1]
    return Written(row=caller.get("Task", last.identity), created=last.found is None)


def _contained(task: Json) -> tuple[dict[str, Json], Json]:
    """The contained resources by the words that refer to them, and the Task without them."""
    found = {
        f"#{each['id']}": {name: value for name, value in each.items() if name != "id"}
        for each in task["contained"]
        if each.get("resourceType") in TYPES and each.get("id")
    }
    return found, {name: value for name, value in task.items() if name != "contained"}


async def _fetched(door: Door, task: Json) -> dict[str, Json]:
    """What a Task points to on the server of its focus, by address."""
    base = task["focus"]["reference"].rpartition("/ServiceRequest/")[0]
    if not base:
        raise refused(422, "the focus is a ServiceRequest", "Task.focus", rule="focus-kind")
    http = _client(door, base)
    waiting = [each["reference"] for each in references(task)]
    found: dict[str, Json] = {}
    while waiting and len(found) < MOST:
        url = waiting.pop(0)
        named = local(url.removeprefix(f"{base}/")) if url.startswith(f"{base}/") else None
        if named is None or url in found or named[0] not in TYPES or named[0] == "Task":
            continue
        resource = await _get(http, url, named[0], needed=url == task["focus"]["reference"])
        if resource is not None:
            found[url] = _absolute(resource, base)
            waiting += [each["reference"] for each in references(found[url])]
    return found


def _client(door: Door, base: str) -> Http:
    """The client of the site that is configured for a server; any guarded one for trying out.

    Raises:
        Refused: 422, no site is configured for it.
    """
    http = door.service.fleet.http_for(base)
    if http is not None:
        return http
    if door.access is None:
        return registered_client(test=True, log=structlog.get_logger("api"), now=door.service.now)
    text = (
        "the focus is on a server that no site here is configured for; contain the "
        "ServiceRequest in the Task, or post both in one transaction"
    )
    raise refused(422, text, "Task.focus", rule="focus-here")


async def _get(http: Http, url: str, kind: str, *, needed: bool) -> Json | None:
    """One resource of the other server; without it, only the request itself is an error."""
    headers = {"Accept": "application/fhir+json"}
    try:
        answer = await http.get(url, headers=headers, route=f"/{kind}/{{id}}")
        found = orjson.loads(answer.content)
    except (AdapterError, orjson.JSONDecodeError) as error:
        if not needed:
            return None
        code = error.code if isinstance(error, AdapterError) else "not JSON"
        text = f"the ServiceRequest could not be fetched from its server: {code}"
        raise refused(422, text, "Task.focus", code="not-found", rule="focus-fetched") from None
    if not isinstance(found, dict) or found.get("resourceType") != kind:
        return None
    try:
        check_resource(found)
    except Refused:
        if needed:
            text = "the ServiceRequest that its server gave is not valid"
            raise refused(422, text, "Task.focus", rule="focus-valid") from None
        return None
    return found


def _absolute(resource: Json, base: str) -> Json:
    """References that are relative to the other server, as addresses on it."""

    def change(reference: Json) -> Json | None:
        said: str = reference["reference"]
        return {**reference, "reference": f"{base}/{said}"} if local(said) else None

    made: Json = rewrite(resource, change)
    return made


def _copied(resource: Json, url: str) -> Json:
    """A copy with the number that says which one it is of; its id stays its server's."""
    copy = {name: value for name, value in resource.items() if name not in ("id", "meta")}
    if resource["resourceType"] in WITHOUT_IDENTIFIER or not urlsplit(url).scheme:
        return copy
    system, _, own = url.rpartition(f"/{resource['resourceType']}/")
    number = {"system": system, "value": f"{resource['resourceType']}/{own}"}
    held = copy.get("identifier", [])
    if resource["resourceType"] == "QuestionnaireResponse":
        return copy | ({} if held else {"identifier": number})
    return copy | {"identifier": [*held, number]}


def _condition(resource: Json, url: str) -> str | None:
    """What finds the copy that is here already."""
    if resource["resourceType"] in WITHOUT_IDENTIFIER or not urlsplit(url).scheme:
        return None
    system, _, own = url.rpartition(f"/{resource['resourceType']}/")
    return f"identifier={system}|{resource['resourceType']}/{own}"
