"""The REF^I12 that the repository ships, to FHIR and back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson
import pytest

from adapter.fhir.checks import check
from adapter.mapping import MappingError, NoMapError, Packs, convert
from adapter.mapping.compare import ill_formed
from adapter.plugin.formats import Format, Settings


def bundle(packs: Packs, raw: bytes, **options: Any) -> dict[str, Any]:
    found: dict[str, Any] = orjson.loads(convert(raw, packs=packs, **options))
    return found


def of_type(found: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    resources = [entry["resource"] for entry in found["entry"]]
    return [each for each in resources if each["resourceType"] == kind]


def with_rf1(raw: bytes, status: str) -> bytes:
    return raw.replace(b"\rRF1|P|", f"\rRF1|{status}|".encode())


@pytest.fixture
def message(cases: Path) -> bytes:
    return (cases / "ref-i12-20-segments.hl7").read_bytes()


def test_twenty_segments_become_thirteen_entries(packs: Packs, message: bytes) -> None:
    assert message.count(b"\r") == 20
    found = bundle(packs, message)
    assert Counter(entry["resource"]["resourceType"] for entry in found["entry"]) == {
        "Patient": 1, "Practitioner": 1, "PractitionerRole": 2, "Organization": 2, "Condition": 2,
        "Observation": 1, "Goal": 1, "Consent": 1, "ServiceRequest": 1, "Task": 1,
    }  # fmt: skip


def test_no_reference_dangles_and_nothing_is_empty(packs: Packs, cases: Path) -> None:
    files = sorted(f for f in cases.glob("*.hl7") if not f.name.startswith("every-field"))
    assert len(files) >= 9
    for file in files:
        found = bundle(packs, file.read_bytes())
        assert ill_formed(found) is None, file.name
        assert [each for each in check(found) if each.severity == "error"] == [], file.name


def test_the_same_message_gives_the_same_ids_and_another_site_other_ids(
    packs: Packs, message: bytes
) -> None:
    urls = [entry["fullUrl"] for entry in bundle(packs, message)["entry"]]
    again = [entry["fullUrl"] for entry in bundle(packs, message)["entry"]]
    other = bundle(packs, message, settings=Settings(site="another"))
    assert urls == again
    assert not set(urls) & {entry["fullUrl"] for entry in other["entry"]}


def test_needs_are_linked_as_reasons_and_the_task_points_at_the_one_request(
    packs: Packs, message: bytes
) -> None:
    found = bundle(packs, message)
    by_url = {entry["fullUrl"]: entry["resource"] for entry in found["entry"]}
    (request,) = of_type(found, "ServiceRequest")
    (task,) = of_type(found, "Task")
    reasons = [by_url[each["reference"]] for each in request["reasonReference"]]
    assert [each["resourceType"] for each in reasons] == ["Condition", "Condition"]
    assert by_url[task["focus"]["reference"]] is request
    assert task["owner"] == request["performer"][0]
    assert task["requester"] == request["requester"]
    assert task["intent"] == "order"
    assert task["code"]["coding"][0]["code"] == "fulfill"


def test_one_identifier_makes_one_service_request_also_with_an_obr(
    packs: Packs, message: bytes
) -> None:
    (request,) = of_type(bundle(packs, message), "ServiceRequest")
    assert b"\rOBR|" in message
    assert [each["value"] for each in request["identifier"]] == ["OAK-REF-2026-0417"]


def test_the_contact_person_and_every_telephone_form_are_kept(packs: Packs, message: bytes) -> None:
    raw = message.replace(b"^PRN^PH^^1^555^5550133", b"(555)555-0177^PRN^PH")
    (patient,) = of_type(bundle(packs, raw), "Patient")
    assert [each["value"] for each in patient["telecom"]] == ["(555)555-0177", "+1-555-555-0134"]
    roles = of_type(bundle(packs, message), "PractitionerRole")
    text = orjson.dumps(roles).decode()
    assert "Tremblay" in text
    assert "luc.tremblay@clinic.example" in text
    assert "+1-555-555-0102" in text


@pytest.mark.parametrize(
    ("rf1", "task", "request_status"),
    [("P", "requested", "active"), ("A", "accepted", "active"), ("R", "rejected", "revoked"),
     ("E", "cancelled", "revoked"), ("", "requested", "active")],
)  # fmt: skip
def test_each_referral_status_gives_one_task_status(
    packs: Packs, message: bytes, rf1: str, task: str, request_status: str
) -> None:
    found = bundle(packs, with_rf1(message, rf1))
    assert of_type(found, "Task")[0]["status"] == task
    assert of_type(found, "ServiceRequest")[0]["status"] == request_status


@pytest.mark.parametrize("rf1", ["Q", "X", "a", "AA", "0"])
def test_a_status_outside_the_table_is_refused_with_its_row_and_never_guessed(
    packs: Packs, message: bytes, rf1: str
) -> None:
    with pytest.raises(MappingError) as caught:
        convert(with_rf1(message, rf1), packs=packs)
    assert caught.value.path == "RF1-1"
    assert caught.value.file.endswith("ref-i12.map.yaml")
    assert caught.value.line > 0
    assert "RF1-1" in caught.value.row
    assert rf1 not in caught.value.message.replace("RF1-1", "").split(": ", 1)[1] or rf1 in "aA0"


def test_a_cancelled_referral_is_revoked_whatever_its_old_answer(packs: Packs, cases: Path) -> None:
    raw = (cases / "ref-i14.hl7").read_bytes()
    for status in ("P", "A", "R", "E"):
        found = bundle(packs, with_rf1(raw, status))
        assert of_type(found, "ServiceRequest")[0]["status"] == "revoked"
        assert of_type(found, "Task")[0]["status"] == "cancelled"


def test_oscar_is_told_by_its_sender_and_its_notes_are_decoded(packs: Packs, cases: Path) -> None:
    raw = (cases / "ref-i12-oscar-esend.hl7").read_bytes()
    document = orjson.loads(convert(raw, packs=packs, target="referral"))
    referral = document["referral"]
    assert referral["reason"].startswith("Recently widowed")
    assert {each["kind"] for each in referral["notes"]} == {
        "clinical-information", "concurrent-problems", "current-medications", "allergies",
    }  # fmt: skip
    number = referral["subject"]["identifiers"][0]
    assert number["type"] == "JHN"
    assert number["version"] == "ZZ"
    assert number["system"].endswith("/ca-on-patient-hcn")


def test_a_message_without_rf1_is_a_new_request(packs: Packs, cases: Path) -> None:
    raw = (cases / "ref-i12-minimal-2.3.hl7").read_bytes()
    assert b"RF1" not in raw
    found = bundle(packs, raw)
    assert of_type(found, "Task")[0]["status"] == "requested"


def test_bad_base64_is_refused_with_its_row(packs: Packs, cases: Path) -> None:
    raw = (cases / "ref-i12-oscar-esend.hl7").read_bytes()
    bad = raw.replace(b"NTE|||", b"NTE|||!!", 1)
    with pytest.raises(MappingError, match="base64"):
        convert(bad, packs=packs)


def test_a_date_that_does_not_exist_is_refused(packs: Packs, message: bytes) -> None:
    with pytest.raises(MappingError) as caught:
        convert(message.replace(b"|19480214|", b"|19481345|"), packs=packs)
    assert caught.value.path == "PID-7"
    assert "1948" not in caught.value.message


def test_an_unknown_kind_has_no_map_and_the_error_names_those_that_there_are(packs: Packs) -> None:
    raw = b"MSH|^~\\&|A|B|C|D|20260101||ADT^A01|1|P|2.5\rPID|1||1^^^X^MR||A^B\r"
    with pytest.raises(NoMapError) as caught:
        convert(raw, packs=packs)
    assert "REF^I12" in caught.value.fix


def test_other_delimiters_are_read_as_the_header_declares_them(
    packs: Packs, message: bytes
) -> None:
    other = message.translate(bytes.maketrans(b"|^~&", b"!$%*"))
    assert bundle(packs, other) == bundle(packs, message)


def test_a_local_time_is_read_in_the_site_time_zone(packs: Packs, cases: Path) -> None:
    raw = (cases / "ref-i12-minimal-2.3.hl7").read_bytes()
    toronto = convert(
        raw, packs=packs, target="referral", settings=Settings(timezone="America/Toronto")
    )
    assert orjson.loads(toronto)["envelope"]["sent_at"] == "2026-03-20T10:15:00-04:00"


def test_what_the_bundle_holds_comes_back_as_a_message(
    packs: Packs, formats: Mapping[str, Format], message: bytes
) -> None:
    there = convert(message, packs=packs)
    back = convert(there, packs=packs, source="fhir", target="hl7v2")
    document = orjson.loads(convert(message, packs=packs, target="referral"))
    again = orjson.loads(convert(back, packs=packs, target="referral"))
    envelope = document.pop("envelope")
    assert again.pop("envelope")["id"] == envelope["id"]
    for each in (document, again):
        each["referral"].pop("identifiers")
        each["referral"]["subject"].pop("identifiers")
        each["referral"]["requester"]["practitioner"].pop("identifiers")
        each["fulfilments"][0].pop("identifiers")
    assert again == document
