"""HealthcareServices as programs: what stands in them is carried, and nothing else is said."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from adapter.plugin import ConfigError, SystemFault, TransientError
from adapter_conformance.context import KitContext
from adapter_conformance.peers.fhir import GUIDE, FhirPeer
from adapter_fhir.programs import capacity, listed
from adapter_fhir.system import Fhir

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def service(**more: Any) -> dict[str, Any]:
    return {"resourceType": "HealthcareService", "id": "s1", "name": "Garden", **more}


def status(code: str, *, old: bool = False, note: str = "") -> dict[str, Any]:
    said = {"valueCodeableConcept": {"coding": [{"code": code}]}}
    url = f"{GUIDE}/StructureDefinition/SDOHCC-ExtensionHealthcareServiceCapacityStatus"
    if old:
        return {"extension": [{"url": url, **said}]}
    parts = [{"url": "capacityStatus", **said}]
    if note:
        parts.append({"url": "capacityNotes", "valueString": note})
    return {"extension": [{"url": url, "extension": parts}]}


def test_what_a_service_says_is_carried() -> None:
    found = listed(
        service(
            active=False,
            language="fr-CA",
            _name={
                "extension": [
                    {
                        "url": "http://hl7.org/fhir/StructureDefinition/translation",
                        "extension": [
                            {"url": "lang", "valueCode": "en"},
                            {"url": "content", "valueString": "Garden, in English"},
                        ],
                    }
                ]
            },
            identifier=[{"system": "urn:x", "value": "G-1"}],
            category=[{"coding": [{"code": "social-connection"}]}],
            type=[{"text": "Gardening", "coding": [{"code": "Z60.2"}]}],
            characteristic=[{"text": "Wheelchair access"}],
            communication=[{"coding": [{"system": "urn:ietf:bcp:47", "code": "fr-CA"}]}],
            eligibility=[{"comment": "Adults."}],
            coverageArea=[{"display": "Northside"}],
            serviceProvisionCode=[{"coding": [{"code": "free"}]}],
            comment="With others.",
            telecom=[{"system": "email", "value": "a@x.example"}, {"system": "fax", "value": "1"}],
            meta={"lastUpdated": "2026-02-01T00:00:00Z"},
        ),
        "Synthetic Garden Club",
    )
    assert found.name == {"fr": "Garden", "en": "Garden, in English"}
    assert (found.active, found.provided_by) == (False, "Synthetic Garden Club")
    assert (found.identifiers, found.coverage_area) == (("G-1",), ("Northside",))
    assert found.category == ("social-connection", "Z60.2")
    assert found.characteristic == ("wheelchair access", "gardening")
    assert (found.communication, found.eligibility) == (("fr-CA",), "Adults.")
    assert (found.cost, found.email, found.phone) == ("free", "a@x.example", None)


@pytest.mark.parametrize("old", [True, False])
@pytest.mark.parametrize(
    ("code", "room"),
    [
        ("capacity", "open"),
        ("no-capacity", "full"),
        ("waitlist", "waitlist"),
        ("additional-assessment-required", "ask-first"),
    ],
)
def test_each_capacity_status_of_the_guide_is_known_in_both_its_shapes(
    code: str, room: str, old: bool
) -> None:
    found = capacity(service(**status(code, old=old)), NOW)
    assert found is not None
    assert (found.program, found.status) == ("s1", room)


def test_the_notes_come_with_the_status() -> None:
    found = capacity(service(**status("waitlist", note="Three months.")), NOW)
    assert found is not None
    assert found.note == "Three months."


@pytest.mark.parametrize(
    "said",
    [{}, status("sideways"), {"extension": "no list"}, {"extension": [{"url": "urn:other"}]}],
)
def test_what_is_not_said_or_not_known_is_nothing(said: dict[str, Any]) -> None:
    assert capacity(service(**said), NOW) is None


@pytest.mark.parametrize(
    ("during", "closed"),
    [
        ({"start": "2026-02-01", "end": "2026-03-01"}, True),
        ({"start": "2026-03-01"}, True),
        ({"end": "2026-02-28"}, False),
        ({"start": "2026-03-02"}, False),
        ({"start": "2026-03-01T11:00:00Z", "end": "2026-03-01T13:00:00Z"}, True),
        ({"start": "soon"}, False),
        ({}, False),
    ],
)
def test_within_a_time_when_it_is_not_available_it_is_closed(
    during: dict[str, str], closed: bool
) -> None:
    away = {"notAvailable": [{"description": "Winter break.", "during": during}]}
    found = capacity(service(**away, **status("capacity")), NOW)
    assert found is not None
    assert (found.status, found.note) == (("closed", "Winter break.") if closed else ("open", ""))


def test_a_service_without_an_id_is_a_fault_of_the_server() -> None:
    with pytest.raises(SystemFault, match="without an id"):
        listed({"resourceType": "HealthcareService", "name": "x"}, "")


async def ids(system: Fhir) -> list[str]:
    return [each.id async for each in system.list_programs()]


def on(peer: FhirPeer) -> Fhir:
    config = Fhir.Config.model_validate({"base_url": peer.server.base, "page_size": 2})
    return Fhir(config, KitContext(config, road=peer.road))


@pytest.mark.anyio
async def test_every_page_is_read_and_the_providers_name_is_looked_up_once() -> None:
    peer = FhirPeer()
    for number in range(5):
        provider = {"reference": "Organization/them"}
        peer.server.put(service(id=f"s{number}", providedBy=provider))
    system = on(peer)
    found = [each async for each in system.list_programs()]

    assert [each.id for each in found] == [f"s{number}" for number in range(5)]
    assert {each.provided_by for each in found} == {"Synthetic"}
    assert sum("/Organization/them" in each for each in peer.addresses) == 1


@pytest.mark.anyio
async def test_a_provider_that_is_not_there_leaves_the_program() -> None:
    peer = FhirPeer()
    peer.server.put(service(providedBy={"reference": "Organization/nobody"}))
    found = [each async for each in on(peer).list_programs()]
    assert [(each.id, each.provided_by) for each in found] == [("s1", "")]


@pytest.mark.anyio
async def test_a_server_without_healthcare_services_is_said_to_be_none() -> None:
    peer = FhirPeer()
    system = on(peer)
    offers = await system.offers()
    assert offers.interactions is not None
    offers.interactions.pop("HealthcareService")  # type: ignore[attr-defined]
    with pytest.raises(ConfigError) as found:
        await ids(system)
    assert found.value.code == "fhir.no-programs"


@pytest.mark.anyio
async def test_a_page_that_fails_is_no_end() -> None:
    peer = FhirPeer()
    peer.server.put(service())
    system = on(peer)
    await system.offers()
    peer.fault = "unavailable"
    with pytest.raises(TransientError):
        await ids(system)
