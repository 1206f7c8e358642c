"""A FHIR server that is not there, a site's system on it, and the core as the system sees it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import httpx

from adapter.exchange.installed_plugins import Plugins
from adapter.exchange.mapper import Mapper, Read
from adapter.exchange.packs import formats_of, sound_packs
from adapter.plugin import Inbound, Outbound
from adapter.referral.model import (
    Activity,
    Coding,
    Concept,
    Fulfilment,
    HumanName,
    Identifier,
    Need,
    Note,
    Outcome,
    Person,
    Reason,
    Referral,
    ReferralEvent,
)
from adapter_conformance.context import KitContext
from adapter_conformance.fakes.fhir_server import FhirServer
from adapter_fhir.system import Fhir

Json = dict[str, Any]
NONE = Plugins(loaded=(), systems={}, formats={}, functions={})
FORMATS = formats_of(NONE)
MAPPER = Mapper(sound_packs(NONE, FORMATS), FORMATS)
CASE = "018f0000-0000-7000-8000-000000000001"
WORK = "018f0000-0000-7000-8000-000000000002"
NOW = datetime(2026, 3, 2, 15, 0, tzinfo=UTC)
US, THEM = "Organization/us", "Organization/them"


class World:
    """One server, and one site that speaks to it."""

    def __init__(
        self,
        ways: str = "strict",
        *,
        role: str = "",
        system: type[Any] = Fhir,
        server: FhirServer | None = None,
        **settings: object,
    ) -> None:
        self.server = server or FhirServer(ways)
        if server is None:
            names = {"us": "Test hub", "them": "Test agency", "clinic": "Clinic"}
            for own, name in names.items():
                self.server.put({"resourceType": "Organization", "id": own, "name": name})
        config = system.Config.model_validate({"base_url": self.server.base, **settings})
        self.context = KitContext(config, road=httpx.ASGITransport(app=self.server.app))
        self.context._site = replace(self.context._site, role=role)
        self.system = system(config, self.context)
        self.cursor: str | None = None

    async def close(self) -> None:
        await self.system.close()
        await self.context.close()

    async def polled(self) -> list[Inbound]:
        """What a poll brings; the cursor moves on, as the core would keep it."""
        found = []
        async for message, after in self.system.poll(self.cursor):
            self.cursor = after
            found.append(message)
        return found

    def read(self, message: Inbound) -> Read:
        """What the core makes of it."""
        return MAPPER.read(
            message.raw,
            format=message.format,
            dialect=message.dialect,
            site=self.context.site.name,
            timezone="America/Toronto",
        )

    def all(self, kind: str) -> list[Json]:
        """Every resource of a type that the server has."""
        return list(self.server.store.all(kind))

    def one(self, kind: str) -> Json:
        found = self.all(kind)
        assert len(found) == 1, f"{len(found)} {kind}"
        return found[0]

    def move(self, task: Json, status: str, **more: Any) -> Json:
        """What the staff of the server do to a Task."""
        return self.server.put({**task, "status": status, **more})

    def referral(self, number: str = "1", *, owner: str | None = US, **task: Any) -> Json:
        """A referral that an EMR made on this server; its Task."""
        self.server.put(
            {
                "resourceType": "Patient",
                "id": f"p{number}",
                "name": [{"family": "Synthetic", "given": ["Test"]}],
            }
        )
        self.server.put(
            {
                "resourceType": "ServiceRequest",
                "id": f"r{number}",
                "status": "active",
                "intent": "order",
                "identifier": [{"system": "urn:example:clinic", "value": f"R-{number}"}],
                "subject": {"reference": f"Patient/p{number}"},
                "requester": {"reference": "Organization/clinic"},
                "code": {"text": "Social prescription"},
            }
        )
        made: Json = {
            "resourceType": "Task",
            "id": f"t{number}",
            "status": "requested",
            "intent": "order",
            "code": {"coding": [{"code": "fulfill"}]},
            "focus": {"reference": f"ServiceRequest/r{number}"},
            "for": {"reference": f"Patient/p{number}"},
            "requester": {"reference": "Organization/clinic"},
            **task,
        }
        if owner:
            made["owner"] = {"reference": owner}
        return self.server.put(made)


def referral(*links: Identifier) -> Referral:
    """A referral of ours, about somebody who does not exist."""
    return Referral(
        id=CASE,
        identifiers=(Identifier(system="urn:example:ours", value="A-1", type="PLAC"), *links),
        status="active",
        authored_on="2026-03-02T10:00:00-05:00",
        subject=Person(
            id="018f0000-0000-7000-8000-000000000003",
            identifiers=(Identifier(system="urn:example:people", value="P-1"),),
            name=HumanName(family="Synthetic", given=("Test",)),
        ),
        needs=(
            Need(
                id="018f0000-0000-7000-8000-000000000004",
                code=Concept(
                    codings=(Coding(system="http://hl7.org/fhir/sid/icd-10", code="Z60.2"),)
                ),
            ),
        ),
    )


OUTCOME = Outcome(
    activities=(
        Activity(
            id="018f0000-0000-7000-8000-000000000005",
            status="completed",
            code=Concept(text="Walked with the Tuesday group"),
        ),
    ),
    summary="Eight walks, two new friends.",
)


def sent(
    event: str,
    status: str = "requested",
    *,
    case: Referral | None = None,
    work: Fulfilment | None = None,
    delivery: str = "018f0000-0000-7000-8000-0000000000ff",
    attempt: int = 1,
    dialect: str | None = None,
) -> Outbound:
    """One delivery, written by the tables."""
    case = case or referral()
    work = work or Fulfilment(id=WORK, referral=case.id, status=status)  # type: ignore[arg-type]
    kinds = {"request": "request", "modify": "modify", "cancel": "cancel", "outcome": "outcome"}
    said = ReferralEvent(
        kind=kinds.get(event, "answer"),  # type: ignore[arg-type]
        referral=case,
        fulfilments=(work,),
    )
    body = MAPPER.write(
        said, format="fhir", kind="Bundle", dialect=dialect, site="kit", timezone="UTC"
    )
    return Outbound(
        id=delivery,
        event=event,
        kind="Bundle",
        referral=case.id or "",
        fulfilment=work.id,
        created=NOW,
        attempt=attempt,
        body=body,
        test=True,
    )


def answered(
    read: Read,
    status: str,
    *,
    reason: str = "",
    outcome: Outcome | None = None,
    note: str = "",
) -> Outbound:
    """What the core tells the requester of a referral that was read."""
    case, work = read.event.referral, read.event.fulfilments[0]
    assert case is not None
    changed = replace(
        work,
        status=status,  # type: ignore[arg-type]
        reason=Reason(text=reason) if reason else None,
        outcome=outcome,
        notes=(Note(text=note),) if note else (),
    )
    event = "outcome" if status == "completed" else "answer"
    return sent(event, case=case, work=changed)
