"""The lenient reader: peers' habits are accepted with a warning, what is lost is reported."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapter.fhir.checks import check
from adapter.fhir.format import FhirFormat
from adapter.fhir.narrative import XHTML
from adapter.fhir.reader import Unreadable, read, read_value
from adapter.fhir.safe_json import loads
from adapter.fhir.writer import NotConformant, dump, write
from adapter.plugin.errors import DataError


def _data(**members: Any) -> bytes:
    return json.dumps(members).encode()


V2 = "http://terminology.hl7.org/CodeSystem/v2-0203"
V3 = "http://terminology.hl7.org/CodeSystem/v3-MaritalStatus"
ONTARIO = "https://fhir.infoway-inforoute.ca/NamingSystem/ca-on-patient-hcn"
ALIASES = (
    "http://ehealthontario.ca/fhir/NamingSystem/ca-on-patient-hcn",
    "https://ehealthontario.ca/API/FHIR/NamingSystem/ca-on-patient-hcn",
    "http://ehealthontario.ca/fhir/NamingSystem/id-on-patient-hcn",
    "http://ehealthontario.ca/fhir/NamingSystem/id-registration-and-claims-branch-def-source",
)


def _typed(system: str) -> dict[str, Any]:
    return {"identifier": [{"type": {"coding": [{"system": system, "code": "JHN"}]}, "value": "1"}]}


def _marital(system: str) -> dict[str, Any]:
    return {"maritalStatus": {"coding": [{"system": system, "code": "W"}]}}


def _card(system: str) -> dict[str, Any]:
    return {"identifier": [{"system": system, "value": "1"}]}


Habit = tuple[str, dict[str, Any], dict[str, Any], str]
HABITS: list[Habit] = [
    ("a numeric id", {"id": 123}, {"id": "123"}, "number-for-string"),
    (
        "a numeric identifier",
        {"identifier": [{"value": 55}]},
        {"identifier": [{"value": "55"}]},
        "number-for-string",
    ),
    ("a boolean as string", {"active": "true"}, {"active": True}, "string-for-value"),
    (
        "an integer as string",
        {"multipleBirthInteger": "2"},
        {"multipleBirthInteger": 2},
        "string-for-value",
    ),
    ("a lone name", {"name": {"family": "X"}}, {"name": [{"family": "X"}]}, "one-for-array"),
    (
        "a lone given name",
        {"name": [{"given": "Y"}]},
        {"name": [{"given": ["Y"]}]},
        "one-for-array",
    ),
    ("an array of one date", {"birthDate": ["1950"]}, {"birthDate": "1950"}, "array-for-one"),
    ("an empty array", {"telecom": []}, {}, "empty"),
    ("an empty object", {"maritalStatus": {}}, {}, "empty"),
    (
        "an empty string",
        {"name": [{"family": "", "text": "X"}]},
        {"name": [{"text": "X"}]},
        "empty",
    ),
    ("a null", {"gender": None}, {}, "empty"),
    ("a code in capitals", {"gender": "FEMALE"}, {"gender": "female"}, "case"),
    ("spaces around a code", {"gender": " male "}, {"gender": "male"}, "spaces"),
    ("spaces around a date", {"birthDate": "1950-01-01 "}, {"birthDate": "1950-01-01"}, "spaces"),
    (
        "an escaped bar",
        {"meta": {"profile": ["https://example.org/p%7C1.0"]}},
        {"meta": {"profile": ["https://example.org/p|1.0"]}},
        "escaped-bar",
    ),
    (
        "HTML's characters in a narrative",
        {
            "text": {
                "status": "generated",
                "div": f'<div xmlns="{XHTML}">a&nbsp;b &amp; &eacute;</div>',
            }
        },
        {
            "text": {
                "status": "generated",
                "div": f'<div xmlns="{XHTML}">a&#160;b &amp; &#233;</div>',
            }
        },
        "html-entity",
    ),
    (
        "the old name of a v2 table",
        _typed("http://hl7.org/fhir/v2/0203"),
        _typed(V2),
        "system-alias",
    ),
    ("the same with a slash", _typed("http://hl7.org/fhir/v2/0203/"), _typed(V2), "system-alias"),
    (
        "the old name of a v3 system",
        _marital("http://hl7.org/fhir/v3/MaritalStatus"),
        _marital(V3),
        "system-alias",
    ),
    *[
        (f"Ontario health card {number}", _card(alias), _card(ONTARIO), "system-alias")
        for number, alias in enumerate(ALIASES, 1)
    ],
]


@pytest.mark.parametrize(
    ("sent", "kept", "rule"), [(s, k, r) for _, s, k, r in HABITS], ids=[n for n, *_ in HABITS]
)
def test_a_habit_is_mended_with_a_warning(
    sent: dict[str, Any], kept: dict[str, Any], rule: str
) -> None:
    raw = _data(resourceType="Patient", **sent)
    found = read(raw)
    assert found.resource == {"resourceType": "Patient", **kept}
    assert rule in [issue.rule for issue in found.issues]
    assert {issue.severity for issue in found.issues} <= {"warning"}
    assert found.lost == ()
    assert found.raw == raw
    assert not [issue for issue in check(found.resource) if issue.fails]


@pytest.mark.parametrize(
    ("sent", "at", "value"),
    [
        ({"surname": "X"}, "Patient.surname", "X"),
        ({"name": [{"family": "X", "last": {"a": [1]}}]}, "Patient.name[0].last", {"a": [1]}),
        ({"birthDate": ["1950", "1951"]}, "Patient.birthDate", "1951"),
        (
            {"contained": [{"resourceType": "Person9", "id": "a"}]},
            "Patient.contained[0]",
            {"resourceType": "Person9", "id": "a"},
        ),
    ],
)
def test_what_has_no_place_is_lost_and_reported(sent: Any, at: str, value: Any) -> None:
    found = read(_data(resourceType="Patient", **sent))
    assert [(one.expression, one.raw) for one in found.lost] == [(at, value)]
    assert found.lost[0].why
    assert not found.fails
    assert at in [issue.expression for issue in found.issues]


def test_what_is_lost_does_not_show_in_a_log() -> None:
    found = read(_data(resourceType="Patient", surname="Testpatient"))
    assert "Testpatient" not in repr(found)
    assert "Testpatient" not in repr(found.lost)


def test_a_fault_that_nobody_can_mend_stays_an_error() -> None:
    found = read(_data(resourceType="Task", status="banana", intent="order"))
    assert found.fails
    assert [i.expression for i in found.issues if i.fails] == ["Task.status"]


def test_a_message_header_without_source_is_forgiven(good_corpus: dict[str, Any]) -> None:
    bundle = json.loads(json.dumps(good_corpus["Bundle-message"]))
    del bundle["entry"][0]["resource"]["source"]
    found = read(json.dumps(bundle).encode())
    assert not found.fails
    assert [i.expression for i in found.issues] == ["Bundle.entry[0].resource.source"]
    header = read(json.dumps(bundle["entry"][0]["resource"]).encode())
    assert not header.fails


def test_a_missing_element_of_another_type_is_not_forgiven() -> None:
    event = {
        "resourceType": "AuditEvent",
        "recorded": "2026-01-15T00:00:00Z",
        "type": {"code": "rest"},
        "agent": [{"requestor": True}],
    }
    entry = {"fullUrl": "urn:uuid:00000000-0000-4000-8000-000000000001", "resource": event}
    bundle = {"resourceType": "Bundle", "type": "collection", "entry": [entry]}
    found = read(json.dumps(bundle).encode())
    assert [i.expression for i in found.issues if i.fails] == ["Bundle.entry[0].resource.source"]


def test_a_bare_uuid_as_full_url_and_a_dangling_link_are_forgiven(
    good_corpus: dict[str, Any],
) -> None:
    bundle = json.loads(json.dumps(good_corpus["Bundle-message"]))
    entry = bundle["entry"][1]
    entry["fullUrl"] = entry["fullUrl"].removeprefix("urn:uuid:").upper()
    del bundle["entry"][2]
    found = read(json.dumps(bundle).encode())
    assert not found.fails
    assert found.resource["entry"][1]["fullUrl"].startswith("urn:uuid:10000000")
    assert {i.rule for i in found.issues} == {"bare-uuid", "bundle-reference"}


@pytest.mark.parametrize(
    "data",
    [
        b"", b"[]", b"1", b"null", b"{}", b'{"resourceType":1}', b'{"resourceType":"Banana"}',
        b'{"resourceType":["Patient"]}', b'{"resourceType":"DomainResource"}', b"MSH|", b"\xff",
        b'{"resourceType":"Patient","id":"a","id":"b"}', b'{"resourceType":"Patient","x":NaN}',
    ],
)  # fmt: skip
def test_what_is_no_resource_is_unreadable_with_an_outcome(data: bytes) -> None:
    with pytest.raises(Unreadable) as caught:
        read(data)
    outcome = caught.value.outcome()
    assert outcome["issue"][0]["severity"] == "fatal"
    assert check(outcome) == []


def test_a_good_resource_is_read_as_it_is(good: dict[str, Any]) -> None:
    found = read(json.dumps(good).encode())
    assert found.resource == good
    assert found.issues == ()
    assert found.lost == ()


def test_reading_and_writing_gives_the_same_json(good: dict[str, Any]) -> None:
    written = write(read(json.dumps(good).encode()).resource)
    assert loads(written) == good
    assert write(read(written).resource) == written


def test_a_decimal_keeps_its_digits_through_reader_and_writer() -> None:
    sent = (
        b'{"resourceType":"Observation","status":"final","code":{"text":"score"},'
        b'"valueQuantity":{"value":6.50,"unit":"points"}}'
    )
    assert write(read(sent).resource) == sent


def test_the_writer_lets_nothing_wrong_out(fault: Any) -> None:
    with pytest.raises(NotConformant) as caught:
        write(fault.resource)
    assert fault.expression in [issue.expression for issue in caught.value.issues]
    assert fault.expression in str(caught.value)
    assert check(caught.value.outcome()) == []


def test_a_warning_does_not_stop_the_writer() -> None:
    patient = {"resourceType": "Patient", "meta": {"profile": ["https://example.org/unknown"]}}
    assert json.loads(write(patient)) == patient


def test_the_writer_checks_a_profile_that_is_asked_for() -> None:
    task = {"resourceType": "Task", "status": "requested", "intent": "order"}
    sdohcc = "http://hl7.org/fhir/us/sdoh-clinicalcare/StructureDefinition/"
    with pytest.raises(NotConformant):
        write(task, profiles=[f"{sdohcc}SDOHCC-TaskForReferralManagement"])


def test_a_value_that_json_does_not_have_is_not_written() -> None:
    with pytest.raises(TypeError):
        dump({"a": object()})


PARTS = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-9, 9)
    | st.sampled_from(["", " ", "x", "true", "male"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["name", "family", "given", "gender", "active", "extension", "url", "x"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=15,
)


@settings(max_examples=150, deadline=None)
@given(
    st.dictionaries(st.sampled_from(["name", "gender", "active", "contact", "_gender", "y"]), PARTS)
)
def test_mending_is_done_once_and_for_all(members: dict[str, Any]) -> None:
    first = read_value({"resourceType": "Patient", **members})
    again = read_value(first.resource)
    assert again.resource == first.resource
    assert again.lost == ()


@settings(max_examples=120, deadline=None)
@given(
    st.dictionaries(st.sampled_from(["name", "gender", "active", "contact", "_gender", "y"]), PARTS)
)
def test_reading_does_not_change_what_it_is_given(members: dict[str, Any]) -> None:
    value = {"resourceType": "Patient", **members}
    before = json.dumps(value)
    read_value(value)
    assert json.dumps(value) == before


def test_the_format_reads_a_peers_habits_and_keeps_what_r4_does_not_have_for_the_loss_report() -> (
    None
):
    format_ = FhirFormat()
    tree, said = format_.parse_leniently(
        _data(resourceType="Patient", id=123, gender="Male", mood="x")
    )
    assert tree == {"resourceType": "Patient", "id": "123", "gender": "male", "mood": "x"}
    assert [text.partition(":")[0] for text in said] == [
        "Patient.id",
        "Patient.gender",
        "Patient.mood",
    ]
    assert format_.parse_leniently(_data(resourceType="Patient", active=True))[1] == ()
    with pytest.raises(DataError):
        format_.parse_leniently(b"{")


def test_the_format_refuses_to_send_what_fails_the_checks() -> None:
    format_ = FhirFormat()
    format_.refuse_faulty({"resourceType": "Task", "status": "draft", "intent": "order"})
    with pytest.raises(DataError, match=r"Task\.status"):
        format_.refuse_faulty({"resourceType": "Task", "status": "banana", "intent": "order"})
