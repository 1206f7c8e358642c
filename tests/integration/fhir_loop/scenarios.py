"""Loops that close over FHIR servers: each takes the servers it needs and returns what happened."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fhir_stage import Adapter, Server, until
from people import done, organization, procedure, referral

Json = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Parties:
    """The organizations of one scenario, known to every server by the same new ids."""

    clinic: str
    hub: str
    agency: str


def parties(*servers: Server) -> Parties:
    mark = uuid.uuid4().hex[:8]
    made = Parties(
        clinic=f"Organization/clinic-{mark}",
        hub=f"Organization/hub-{mark}",
        agency=f"Organization/agency-{mark}",
    )
    for server in servers:
        for place, name in ((made.clinic, "Clinic"), (made.hub, "Hub"), (made.agency, "Agency")):
            server.put(organization(place.partition("/")[2], f"Test {name}"))
    return made


@contextmanager
def running(*adapters: Adapter) -> Iterator[None]:
    """Adapters that are stopped at the end; their logs are told if something fails."""
    try:
        yield
    except AssertionError as error:
        logs = "\n".join(f"--- {each.name}\n{each.log()[-4000:]}" for each in adapters)
        raise AssertionError(f"{error}\n{logs}") from None
    finally:
        for each in adapters:
            each.close()


def status(server: Server, place: str) -> Callable[[], str]:
    return lambda: str(server.ask("GET", place)["status"])


def becomes(server: Server, place: str, wanted: str) -> Json:
    until(f"{place} is {wanted}", lambda: status(server, place)() == wanted)
    return server.ask("GET", place)


def hub_between(
    folder: Path, emr: Server, agency: Server, who: Parties, *, flow: str = "hosted-there"
) -> Adapter:
    """An adapter that takes referrals from one server and puts them on another."""
    sites = {
        "emr": {"role": "requester", "base": emr.base, "us": who.hub},
        "agency": {
            "role": "performer",
            "base": agency.base,
            "us": who.hub,
            "them": who.agency,
            "flow": flow,
        },
    }
    return Adapter(folder, "Test hub", sites, routed="agency")


def emr_and_agency(folder: Path, emr: Server, agency: Server, *, flow: str) -> Json:
    """Indirect: an EMR's server, a hub, and an agency whose staff work on its own server."""
    who = parties(emr, agency)
    hub = hub_between(folder, emr, agency, who, flow=flow)
    with running(hub):
        made = emr.transaction(referral(uuid.uuid4().hex[:10], requester=who.clinic, owner=who.hub))
        query = f"Task?owner={who.agency}"
        theirs = until("the agency has a Task", lambda: agency.found(query))[0]
        place = f"Task/{theirs['id']}"
        focus = theirs["focus"]["reference"]
        if flow == "direct":
            assert focus.startswith(hub.fhir.base), "the focus is absolute, on the hub's server"
        request = (hub.fhir if flow == "direct" else agency).ask(
            "GET", "/".join(focus.split("/")[-2:])
        )
        agency.move(place, "accepted")
        becomes(emr, made["Task"], "accepted")
        agency.move(place, "in-progress")
        becomes(emr, made["Task"], "in-progress")
        activity = agency.ask("POST", "Procedure", procedure(theirs["for"]["reference"]))
        agency.move(place, "completed", output=[done(f"Procedure/{activity['id']}")])
        told = becomes(emr, made["Task"], "completed")
        outcome = emr.ask("GET", _activity(told))
        assert outcome["subject"]["reference"] == made["Patient"], "about the EMR's own patient"
        assert outcome["id"] != activity["id"], "no logical id of another server"
        return {"emr": told, "agency": theirs, "request": request, "made": made}


def two_adapters(folder: Path, emr: Server, middle: Server, *, flow: str) -> Json:
    """EMR's server, the hub's adapter, a server in the middle, and the agency's adapter."""
    who = parties(emr, middle)
    hub = hub_between(folder / "hub", emr, middle, who, flow=flow)
    there = {"middle": {"role": "requester", "base": middle.base, "us": who.agency}}
    allow = [hub.fhir.base.removeprefix("http://").partition("/")[0]]
    agency = Adapter(folder / "agency", "Test agency", there, allow=allow)
    with running(hub, agency):
        made = emr.transaction(referral(uuid.uuid4().hex[:10], requester=who.clinic, owner=who.hub))
        theirs = until("the agency's adapter has the referral", lambda: agency.fhir.found("Task"))
        place = f"Task/{theirs[0]['id']}"
        patient = agency.fhir.ask("GET", theirs[0]["for"]["reference"])
        assert patient["name"][0]["family"] == "Synthetic"
        agency.fhir.move(place, "accepted")
        becomes(emr, made["Task"], "accepted")
        activity = agency.fhir.ask("POST", "Procedure", procedure(theirs[0]["for"]["reference"]))
        agency.fhir.move(place, "completed", output=[done(f"Procedure/{activity['id']}")])
        told = becomes(emr, made["Task"], "completed")
        outcome = emr.ask("GET", _activity(told))
        assert outcome["subject"]["reference"] == made["Patient"], "about the EMR's own patient"
        return {"emr": told, "agency": theirs[0], "made": made}


def light_on_us(folder: Path, *, told: bool = False) -> Json:
    """Direct light: the Task is on our server; the agency's adapter reads it and writes back.

    `told`: it asks hardly ever, and hears of the Task by a subscription on our server.
    """
    host = Adapter(folder / "host", "Test clinic", {})
    clinic = host.fhir.ask("POST", "Organization", {"resourceType": "Organization", "name": "C"})
    them = host.fhir.ask("POST", "Organization", {"resourceType": "Organization", "name": "A"})
    us = f"Organization/{them['id']}"
    asking = {"poll": "3600", "subscribe": "backport"} if told else {}
    sites = {"clinic": {"role": "requester", "base": host.fhir.base, "us": us, **asking}}
    agency = Adapter(folder / "agency", "Test agency", sites)
    with running(host, agency):
        if told:
            until("the subscription is active", lambda: _active(host.fhir))
        bundle = referral("L-1", requester=f"Organization/{clinic['id']}", owner=us)
        made = host.fhir.transaction(bundle)
        theirs = until("the agency's adapter has it", lambda: agency.fhir.found("Task"))[0]
        place = f"Task/{theirs['id']}"
        agency.fhir.move(place, "accepted")
        becomes(host.fhir, made["Task"], "accepted")
        activity = agency.fhir.ask("POST", "Procedure", procedure(theirs["for"]["reference"]))
        agency.fhir.move(place, "completed", output=[done(f"Procedure/{activity['id']}")])
        ended = becomes(host.fhir, made["Task"], "completed")
        becomes(host.fhir, made["ServiceRequest"], "completed")
        outcome = host.fhir.ask("GET", _activity(ended))
        assert outcome["subject"]["reference"] == made["Patient"], "about the clinic's own patient"
        return {"clinic": ended, "agency": theirs}


def declined_or_cancelled(folder: Path, emr: Server, agency: Server, *, how: str) -> Json:
    """A decline comes back with its words; a cancellation goes all the way."""
    who = parties(emr, agency)
    hub = hub_between(folder, emr, agency, who)
    with running(hub):
        made = emr.transaction(referral(uuid.uuid4().hex[:10], requester=who.clinic, owner=who.hub))
        query = f"Task?owner={who.agency}"
        theirs = until("the agency has a Task", lambda: agency.found(query))[0]
        place = f"Task/{theirs['id']}"
        if how == "declined":
            agency.move(place, "rejected", statusReason={"text": "no places left"})
            told = becomes(emr, made["Task"], "rejected")
            assert told["statusReason"]["text"] == "no places left"
            assert emr.ask("GET", made["ServiceRequest"])["status"] == "active"
            return told
        emr.move(made["Task"], "cancelled", statusReason={"text": "client moved away"})
        return becomes(agency, place, "cancelled")


def claimed(folder: Path, emr: Server) -> Json:
    """An open Task that two adapters would take: exactly one has it."""
    who = parties(emr)
    adapters = []
    for name, us in (("first", who.hub), ("second", who.agency)):
        site = {"emr": {"role": "requester", "base": emr.base, "us": us, "claim": "true"}}
        adapters.append(Adapter(folder / name, f"Test {name}", site))
    with running(*adapters):
        made = emr.transaction(referral(uuid.uuid4().hex[:10], requester=who.clinic, owner=None))
        task = until(
            "somebody has it",
            lambda: (found := emr.ask("GET", made["Task"])) and found.get("owner") and found,
        )
        winner = until(
            "the one has the referral",
            lambda: [each for each in adapters if each.fhir.found("Task")],
        )
        assert len(winner) == 1
        return dict(task)


def _active(server: Server) -> bool:
    return any(each.get("status") == "active" for each in server.found("Subscription"))


def _activity(task: Json) -> str:
    for output in task.get("output", ()):
        found = output.get("valueReference", {}).get("reference", "")
        if found.startswith("Procedure/"):
            return str(found)
    raise AssertionError(f"no Procedure in {task.get('output')}")


def referred_again(folder: Path, emr: Server, agency: Server) -> Json:
    """After a decline the EMR makes a new Task on the same request: a second try at the agency."""
    who = parties(emr, agency)
    hub = hub_between(folder, emr, agency, who)
    with running(hub):
        made = emr.transaction(referral(uuid.uuid4().hex[:10], requester=who.clinic, owner=who.hub))
        query = f"Task?owner={who.agency}"
        first = until("the agency has a Task", lambda: agency.found(query))[0]
        agency.move(f"Task/{first['id']}", "rejected", statusReason={"text": "no places left"})
        declined = becomes(emr, made["Task"], "rejected")
        fixed = ("id", "meta", "status", "statusReason", "identifier", "lastModified", "note")
        again = {name: value for name, value in declined.items() if name not in fixed}
        second = emr.ask("POST", "Task", {**again, "status": "requested"})
        theirs = until(
            "the agency has a second Task",
            lambda: [each for each in agency.found(query) if each["id"] != first["id"]],
        )[0]
        agency.move(f"Task/{theirs['id']}", "accepted")
        becomes(emr, f"Task/{second['id']}", "accepted")
        assert status(emr, made["Task"])() == "rejected", "the first answer stands"
        return {"first": first, "second": theirs, "declined": declined}
