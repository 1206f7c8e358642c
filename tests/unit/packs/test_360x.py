"""IHE 360X: what each transaction means, both ways (PCC-55 to 61)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from adapter.fhir.checks import check
from adapter.fhir.format import FhirFormat
from adapter.mapping.convert import convert_tree
from adapter.mapping.packs import Packs, load_packs
from adapter.referral.format import ReferralFormat
from adapter_hl7v2.format import Hl7v2Format

CASES = Path(__file__).parents[3] / "mappings" / "adapter_mappings" / "hl7v2_360x" / "cases"
# Transaction, kind of event, status of the request, status of the fulfilment: the crosswalk's rows.
CROSSWALK = [
    ("pcc-55-request", "request", "active", "requested"),
    ("pcc-56-accept", "answer", None, "accepted"),
    ("pcc-56-decline", "answer", None, "rejected"),
    ("pcc-57-outcome", "outcome", None, "completed"),
    ("pcc-58-cancel", "cancel", "revoked", "cancelled"),
    ("pcc-59-interim", "note", None, "in-progress"),
    ("pcc-60-appointment", "appointment", None, "in-progress"),
    ("pcc-61-no-show", "appointment", None, "in-progress"),
]


@pytest.fixture(scope="module")
def packs() -> Packs:
    formats = {each.name: each for each in (FhirFormat(), ReferralFormat(), Hl7v2Format())}
    return load_packs(formats, compiled=False)


def _read(packs: Packs, name: str, dialect: str | None = None) -> dict[str, Any]:
    tree = packs.formats["hl7v2"].parse((CASES / f"{name}.hl7").read_bytes())
    found: dict[str, Any] = packs.pick("hl7v2", tree, dialect=dialect).to_right(tree).document
    return found


@pytest.mark.parametrize("dialect", [None, "360x"])
@pytest.mark.parametrize(("name", "kind", "request_status", "status"), CROSSWALK)
def test_each_transaction_means_what_the_crosswalk_says(
    packs: Packs, name: str, kind: str, request_status: str | None, status: str, dialect: str | None
) -> None:
    document = _read(packs, name, dialect)
    assert document["kind"] == kind
    assert document["referral"].get("status") == request_status
    assert [each["status"] for each in document["fulfilments"]] == [status]


@pytest.mark.parametrize("name", [row[0] for row in CROSSWALK])
def test_one_placer_number_joins_every_message_of_a_loop(packs: Packs, name: str) -> None:
    (placer,) = [i for i in _read(packs, name)["referral"]["identifiers"] if i["type"] == "PLAC"]
    assert (placer["value"], placer["assigner"]) == ("OAK-REF-2026-0420", "OAKEMR")


@pytest.mark.parametrize(("name", "kind"), [(row[0], row[1]) for row in CROSSWALK])
def test_an_event_is_written_as_the_message_that_states_it(
    packs: Packs, name: str, kind: str
) -> None:
    document = _read(packs, name)
    table = packs.find_left("hl7v2", kind, dialect="360x")
    written = table.to_left(document).tree
    original = packs.formats["hl7v2"].parse((CASES / f"{name}.hl7").read_bytes())
    assert packs.formats["hl7v2"].kind(written) == packs.formats["hl7v2"].kind(original)
    assert table.to_right(written).document == document


def test_why_a_referral_was_declined_is_in_orc_16(packs: Packs) -> None:
    assert _read(packs, "pcc-56-decline")["fulfilments"][0]["reason"] == {
        "code": "no-capacity",
        "text": "The choir is full until the autumn",
    }


def test_a_no_show_is_an_appointment_that_was_not_kept(packs: Packs) -> None:
    (appointment,) = _read(packs, "pcc-61-no-show")["fulfilments"][0]["appointments"]
    assert appointment["status"] == "noshow"


@pytest.mark.parametrize("name", [row[0] for row in CROSSWALK])
def test_every_transaction_is_right_fhir(packs: Packs, name: str) -> None:
    tree = packs.formats["hl7v2"].parse((CASES / f"{name}.hl7").read_bytes())
    bundle = convert_tree(tree, packs=packs, source="hl7v2", target="fhir")
    assert [i for i in check(bundle) if i.severity in ("error", "fatal")] == []
