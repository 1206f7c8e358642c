"""Profiles: those claimed, those asked for, those given, and those that nobody has."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any

import pytest

from adapter.fhir.checks import check, check_base
from adapter.fhir.constraints import BadProfile, parse
from adapter.fhir.instruments import instrument
from adapter.fhir.known import Known, shipped
from adapter.fhir.validation import validate_bytes, validate_resource

SDOHCC = "http://hl7.org/fhir/us/sdoh-clinicalcare/StructureDefinition/"
TEMPORARY = "http://hl7.org/fhir/us/sdoh-clinicalcare/CodeSystem/SDOHCC-CodeSystemTemporaryCodes"
R4 = "http://hl7.org/fhir/StructureDefinition/"
NAMED = {"fullUrl": "urn:uuid:00000000-0000-4000-8000-000000000001"}
OURS = "https://example.org/StructureDefinition/"


def _profile(kind: str, *rows: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "resourceType": "StructureDefinition",
        "url": f"{OURS}test",
        "name": "Test",
        "status": "draft",
        "kind": "resource",
        "abstract": False,
        "type": kind,
        "baseDefinition": R4 + kind,
        "derivation": "constraint",
        "differential": {"element": [{"id": row["path"], **row} for row in rows]},
        **more,
    }


def _issues(resource: dict[str, Any], *definitions: dict[str, Any]) -> list[tuple[str, str]]:
    known = Known(shipped())
    for one in definitions:
        known.add(one)
    found = check(resource, profiles=[f"{OURS}test"], known=known)
    return [(issue.expression, issue.severity) for issue in found]


def test_the_shipped_profiles_are_r4_resources_themselves() -> None:
    folder = files("adapter.fhir") / "profiles"
    names = [one.name for one in folder.iterdir() if one.name.endswith(".json")]
    assert len(names) >= 10
    for name in names:
        assert check_base(json.loads((folder / name).read_bytes())) == [], name


def test_their_elements_stand_in_the_order_of_r4() -> None:
    """HAPI loses an element of a differential that is out of order."""
    from adapter.fhir.definitions import definition

    folder = files("adapter.fhir") / "profiles"
    for file in folder.iterdir():
        held = json.loads(file.read_bytes()) if file.name.endswith(".json") else {}
        if held.get("resourceType") != "StructureDefinition":
            continue
        order = list(definition(held["type"]).elements)
        rows = [row["path"].partition(".")[2] for row in held["differential"]["element"]]
        places = [order.index(path.split(".")[0]) for path in rows if path]
        assert places == sorted(places), file.name


def test_a_claimed_profile_that_is_not_at_hand_is_a_warning() -> None:
    found = check({"resourceType": "Patient", "meta": {"profile": [f"{OURS}nowhere"]}})
    assert [(i.severity, i.rule, i.expression) for i in found] == [
        ("warning", "profile-unknown", "Patient.meta.profile")
    ]


def test_r4_itself_may_be_claimed() -> None:
    assert check({"resourceType": "Patient", "meta": {"profile": [f"{R4}Patient|4.0.1"]}}) == []
    claimed = {"resourceType": "Patient", "meta": {"profile": [f"{R4}vitalsigns"]}}
    assert [issue.rule for issue in check(claimed)] == ["profile-unknown"]


def test_a_problem_on_the_list_without_status_is_a_warning() -> None:
    system = "http://terminology.hl7.org/CodeSystem/condition-category"
    problem = {
        "resourceType": "Condition",
        "subject": {"reference": "Patient/1"},
        "category": [{"coding": [{"system": system, "code": "problem-list-item"}]}],
    }
    assert [(i.rule, i.severity) for i in check(problem)] == [("con-3", "warning")]


def test_a_version_that_is_not_at_hand_is_a_warning_too(good_corpus: dict[str, Any]) -> None:
    task = {**good_corpus["Task-referral-sdohcc"], "intent": "plan"}
    canonical = task["meta"]["profile"][0]
    task["meta"] = {"profile": [f"{canonical}|9.9.9"]}
    assert [i.severity for i in check(task)] == ["warning"]
    task["meta"] = {"profile": [f"{canonical}|3.0.0"]}
    assert [i.expression for i in check(task)] == ["Task.intent"]


def test_a_peer_of_the_older_release_is_held_to_it(good_corpus: dict[str, Any]) -> None:
    task = json.loads(json.dumps(good_corpus["Task-referral-sdohcc"]))
    name = f"{SDOHCC}SDOHCC-TaskForReferralManagement"
    kind = {"system": f"{TEMPORARY}", "code": "additional-content"}
    task["input"] = [{"type": {"coding": [kind]}, "valueString": "not a reference"}]
    for version, faults in (("", 1), ("|3.0.0", 1), ("|2.3.0", 0)):
        task["meta"] = {"profile": [name + version]}
        assert len(check(task)) == faults, version
    assert shipped().named("SDOHCC-TaskForReferralManagement") is shipped().profile(name)


def test_claims_are_found_in_entries_and_contained_resources(good_corpus: dict[str, Any]) -> None:
    task = {**good_corpus["Task-referral-sdohcc"], "intent": "plan"}
    bundle = {
        "resourceType": "Bundle",
        "type": "collection",
        "entry": [{**NAMED, "resource": task}],
    }
    assert [i.expression for i in check(bundle)] == ["Bundle.entry[0].resource.intent"]
    patient = {"resourceType": "Patient", "id": "p", "meta": {"profile": [f"{OURS}test"]}}
    holder = {"resourceType": "Basic", "code": {"text": "x"}, "subject": {"reference": "#p"}}
    known = Known(shipped())
    known.add(_profile("Patient", {"path": "Patient.name", "min": 1}))
    found = check({**holder, "contained": [patient]}, known=known)
    assert [i.expression for i in found] == ["Basic.contained[0].name"]


@pytest.mark.parametrize(
    ("row", "right", "wrong", "at"),
    [
        ({"path": "Patient.name", "min": 1}, {"name": [{"text": "x"}]}, {}, "Patient.name"),
        ({"path": "Patient.photo", "max": "0"}, {}, {"photo": [{"title": "x"}]}, "Patient.photo"),
        (
            {"path": "Patient.name", "max": "1"},
            {"name": [{"text": "x"}]},
            {"name": [{"text": "x"}, {"text": "y"}]},
            "Patient.name",
        ),
        (
            {"path": "Patient.name.family", "min": 1},
            {"name": [{"family": "x"}]},
            {"name": [{"family": "x"}, {"text": "y"}]},
            "Patient.name[1].family",
        ),
        ({"path": "Patient.gender", "fixedCode": "other"}, {"gender": "other"}, {"gender": "male"},
         "Patient.gender"),
        (
            {"path": "Patient.maritalStatus",
             "patternCodeableConcept": {"coding": [{"system": "urn:x", "code": "m"}]}},
            {"maritalStatus": {"coding": [{"system": "urn:x", "code": "m", "display": "M"}]}},
            {"maritalStatus": {"coding": [{"system": "urn:x", "code": "n"}]}},
            "Patient.maritalStatus",
        ),
        (
            {"path": "Patient.deceased[x]", "type": [{"code": "boolean"}]},
            {"deceasedBoolean": True},
            {"deceasedDateTime": "2026"},
            "Patient.deceased",
        ),
        (
            {"path": "Patient.generalPractitioner",
             "type": [{"code": "Reference", "targetProfile": [f"{R4}Organization"]}]},
            {"generalPractitioner": [{"reference": "Organization/1"}]},
            {"generalPractitioner": [{"reference": "Practitioner/1"}]},
            "Patient.generalPractitioner[0].reference",
        ),
        (
            {"path": "Patient.gender",
             "binding": {"strength": "required", "valueSet": "https://example.org/ValueSet/g|1"}},
            {"gender": "female"},
            {"gender": "unknown"},
            "Patient.gender",
        ),
    ],
)  # fmt: skip
def test_a_constraint_of_a_given_profile_holds(
    row: dict[str, Any], right: dict[str, Any], wrong: dict[str, Any], at: str
) -> None:
    genders = {
        "resourceType": "ValueSet",
        "url": "https://example.org/ValueSet/g",
        "status": "draft",
        "compose": {
            "include": [{"valueSet": ["http://hl7.org/fhir/ValueSet/administrative-gender"]}],
            "exclude": [
                {
                    "system": "http://hl7.org/fhir/administrative-gender",
                    "concept": [{"code": "unknown"}],
                }
            ],
        },
    }
    definitions = (_profile("Patient", row), genders)
    assert _issues({"resourceType": "Patient", **right}, *definitions) == []
    assert _issues({"resourceType": "Patient", **wrong}, *definitions) == [(at, "error")]


def test_a_snapshot_is_read_where_there_is_no_differential() -> None:
    made = _profile("Patient", {"path": "Patient.name", "min": 1})
    made["snapshot"] = made.pop("differential")
    assert _issues({"resourceType": "Patient"}, made) == [("Patient.name", "error")]


def test_a_profile_on_a_profile_keeps_the_rules_of_both() -> None:
    base = _profile("Patient", {"path": "Patient.name", "min": 1}, url=f"{OURS}base")
    made = _profile("Patient", {"path": "Patient.gender", "min": 1}, baseDefinition=f"{OURS}base")
    found = _issues({"resourceType": "Patient"}, base, made)
    assert sorted(found) == [("Patient.gender", "error"), ("Patient.name", "error")]


def test_a_circle_of_profiles_ends() -> None:
    made = _profile("Patient", {"path": "Patient.name", "min": 1}, baseDefinition=f"{OURS}test")
    assert ("Patient.name", "error") in _issues({"resourceType": "Patient"}, made)


SLICED = _profile(
    "Patient",
    {"path": "Patient.identifier",
     "slicing": {"discriminator": [{"type": "value", "path": "system"}], "rules": "closed"}},
    {"id": "Patient.identifier:mrn", "path": "Patient.identifier", "sliceName": "mrn", "min": 1,
     "max": "1"},
    {"id": "Patient.identifier:mrn.system", "path": "Patient.identifier.system",
     "fixedUri": "urn:mrn"},
    {"id": "Patient.identifier:mrn.value", "path": "Patient.identifier.value", "min": 1},
)  # fmt: skip


@pytest.mark.parametrize(
    ("identifiers", "at"),
    [
        ([{"system": "urn:mrn", "value": "1"}], []),
        ([{"system": "urn:mrn"}], ["Patient.identifier[0].value"]),
        ([{"system": "urn:mrn", "value": "1"}] * 2, ["Patient.identifier"]),
        (
            [{"system": "urn:mrn", "value": "1"}, {"system": "urn:x", "value": "1"}],
            ["Patient.identifier[1]"],
        ),
        ([{"value": "1"}], ["Patient.identifier[0]", "Patient.identifier"]),
    ],
)
def test_slices_are_told_apart_counted_and_closed(identifiers: Any, at: list[str]) -> None:
    found = _issues({"resourceType": "Patient", "identifier": identifiers}, SLICED)
    assert [expression for expression, _ in found] == at


MESSAGE = (
    {"path": "Bundle"},
    {
        "path": "Bundle.entry",
        "slicing": {"discriminator": [{"type": "type", "path": "resource"}], "rules": "open"},
    },
    {"path": "Bundle.entry", "sliceName": "task", "min": 1, "max": "1"},
    {
        "path": "Bundle.entry.resource",
        "type": [{"code": "Task", "profile": [f"{OURS}owned"]}],
        "min": 1,
    },
)
OWNED = _profile("Task", {"path": "Task.owner", "min": 1}, url=f"{OURS}owned")


@pytest.mark.parametrize(
    ("entries", "at"),
    [
        ([{"owner": {"reference": "Organization/1"}}], []),
        ([{}], ["Bundle.entry[1].resource.owner"]),
        ([], ["Bundle.entry"]),
    ],
)
def test_entries_are_told_apart_by_type_and_held_to_the_profile_of_the_slice(
    entries: list[dict[str, Any]], at: list[str]
) -> None:
    task = {"resourceType": "Task", "status": "requested", "intent": "order"}
    resources = [{"resourceType": "Patient", "active": True}, *({**task, **e} for e in entries)]
    ids = [f"urn:uuid:00000000-0000-4000-8000-00000000000{n}" for n in range(3)]
    named = [{"fullUrl": i, "resource": r} for i, r in zip(ids, resources, strict=False)]
    bundle = {"resourceType": "Bundle", "type": "collection", "entry": named}
    assert [place for place, _ in _issues(bundle, _profile("Bundle", *MESSAGE), OWNED)] == at


@pytest.mark.parametrize("path", ["Observation.value[x]", "Observation.valueString"])
def test_one_type_of_a_choice_may_be_a_slice_or_a_name_of_its_own(path: str) -> None:
    slicing = {"discriminator": [{"type": "type", "path": "$this"}], "rules": "closed"}
    rows: list[dict[str, Any]] = [{"path": "Observation.value[x]", "slicing": slicing}]
    rows.append(
        {
            "path": path,
            "sliceName": "valueString",
            "min": 1,
            "type": [{"code": "string"}],
            "maxLength": 3,
        }
    )
    profile = _profile("Observation", *(rows if path.endswith("]") else rows[1:]))
    base = {"resourceType": "Observation", "status": "final", "code": {"text": "x"}}
    assert _issues({**base, "valueString": "abc"}, profile) == []
    assert _issues({**base, "valueString": "abcd"}, profile) == [("Observation.value", "error")]
    assert {at for at, _ in _issues({**base, "valueInteger": 1}, profile)} == {"Observation.value"}
    assert {at for at, _ in _issues(base, profile)} == {"Observation.value"}


def test_an_extension_is_held_to_its_own_definition() -> None:
    extension = _profile(
        "Extension",
        {"path": "Extension.value[x]", "min": 1, "type": [{"code": "Coding"}]},
        url=f"{OURS}tag",
    )
    row = {"path": "Patient.extension", "sliceName": "tag", "min": 1, "max": "1"}
    row["type"] = [{"code": "Extension", "profile": [f"{OURS}tag"]}]
    profile = _profile("Patient", row)

    def at(*extensions: dict[str, Any]) -> list[str]:
        patient = {"resourceType": "Patient", "extension": list(extensions)}
        return [place for place, _ in _issues(patient, profile, extension)]

    other = {"url": f"{OURS}other", "valueString": "x"}
    assert at(other, {"url": f"{OURS}tag", "valueCoding": {"code": "a"}}) == []
    assert at({"url": f"{OURS}tag", "valueString": "a"}) == ["Patient.extension[0].value"]
    assert at(other) == ["Patient.extension"]


def test_a_slice_that_only_another_resource_could_tell_is_not_counted() -> None:
    slicing = {"discriminator": [{"type": "profile", "path": "resolve()"}], "rules": "closed"}
    rows = (
        {"path": "Task.input", "max": "0"},
        {"path": "Task.relevantHistory", "slicing": slicing},
        {"path": "Task.relevantHistory", "sliceName": "made", "min": 1},
    )
    task = {"resourceType": "Task", "status": "draft", "intent": "order"}
    history = {"relevantHistory": [{"reference": "Provenance/1"}]}
    order = (rows[1], rows[2], rows[0])
    assert _issues({**task, **history}, _profile("Task", *order)) == []


def test_a_rule_that_is_only_fhirpath_is_said_not_to_be_evaluated() -> None:
    rule = {"key": "ours-1", "severity": "error", "human": "x", "expression": "active"}
    row = {"path": "Patient", "constraint": [rule, {"key": "dom-2", "severity": "error"}]}
    known = Known(shipped())
    known.add(_profile("Patient", row))
    (said,) = check({"resourceType": "Patient"}, profiles=[f"{OURS}test"], known=known)
    assert (said.severity, said.rule, said.expression) == ("warning", "profile-unread", "Patient")
    assert "ours-1" in said.diagnostics
    assert "dom-2" not in said.diagnostics


def test_an_extension_slice_goes_by_its_url() -> None:
    made = _profile(
        "Patient",
        {"id": "Patient.extension:pronoun", "path": "Patient.extension", "sliceName": "pronoun",
         "min": 1},
        {"id": "Patient.extension:pronoun.url", "path": "Patient.extension.url",
         "fixedUri": "https://example.org/pronoun"},
    )  # fmt: skip
    other = [{"url": "https://example.org/other", "valueString": "x"}]
    right = [{"url": "https://example.org/pronoun", "valueString": "x"}]
    assert _issues({"resourceType": "Patient", "extension": right}, made) == []
    assert _issues({"resourceType": "Patient", "extension": other}, made) == [
        ("Patient.extension", "error")
    ]


@pytest.mark.parametrize(
    "broken",
    [
        {"resourceType": "StructureDefinition", "url": "x"},
        _profile("Patient", {"path": "Patient.surname", "min": 1}),
        _profile("Patient", {"path": "Task.status", "min": 1}),
    ],
)
def test_a_profile_that_makes_no_sense_is_refused(broken: dict[str, Any]) -> None:
    with pytest.raises(BadProfile):
        parse(broken)


def test_a_value_set_is_listed_from_its_expansion_and_from_a_code_system() -> None:
    known = Known()
    system = {
        "resourceType": "CodeSystem",
        "url": "urn:cs",
        "status": "active",
        "content": "complete",
        "concept": [{"code": "a", "concept": [{"code": "b"}]}],
    }
    known.add({"resourceType": "Bundle", "type": "collection", "entry": [
        {"resource": system},
        {"resource": {"resourceType": "ValueSet", "url": "urn:vs1", "status": "active",
                      "compose": {"include": [{"system": "urn:cs"}]}}},
        {"resource": {"resourceType": "ValueSet", "url": "urn:vs2", "status": "active",
                      "expansion": {"contains": [{"system": "urn:x", "code": "c"}]}}},
        {"resource": {"resourceType": "ValueSet", "url": "urn:vs3", "status": "active",
                      "compose": {"include": [{"system": "http://snomed.info/sct"}]}}},
        {"resource": {"resourceType": "ValueSet", "url": "urn:vs4", "status": "active",
                      "compose": {"include": [{"valueSet": ["urn:vs4"]}]}}},
        {"resource": {"resourceType": "ValueSet", "url": "urn:vs5", "status": "active", "compose": {
            "include": [{"system": "urn:x", "concept": [{"code": "c"}, {"code": "d"}],
                         "valueSet": ["urn:vs2"]}]}}},
        {"resource": {"resourceType": "ValueSet", "url": "urn:vs6", "status": "active"}},
    ]})  # fmt: skip
    assert known.codes("urn:vs5") == {"urn:x": {"c"}}
    assert known.codes("urn:vs6") is None
    assert known.codes("urn:vs1") == {"urn:cs": {"a", "b"}}
    assert known.codes("urn:vs2|1.0") == {"urn:x": {"c"}}
    assert known.codes("urn:vs3") is None
    assert known.codes("urn:vs4") is None


QUESTIONNAIRE = {
    "resourceType": "Questionnaire",
    "url": "https://example.org/Questionnaire/one",
    "status": "active",
    "item": [{"linkId": "1", "type": "boolean", "required": True}],
}
ANSWER: dict[str, Any] = {
    "resourceType": "QuestionnaireResponse",
    "questionnaire": "https://example.org/Questionnaire/one",
    "status": "completed",
    "item": [{"linkId": "1", "answer": [{"valueString": "yes"}]}],
}


def test_an_answer_is_held_against_its_questionnaire() -> None:
    known = Known(shipped())
    known.add(QUESTIONNAIRE)
    found = validate_resource(ANSWER, known=known)
    assert [i.severity for i in found] == ["error"]
    assert found[0].expression.startswith("QuestionnaireResponse.item[0].answer[0]")
    right = {**ANSWER, "item": [{"linkId": "1", "answer": [{"valueBoolean": True}]}]}
    assert validate_resource(right, known=known) == []


def test_an_answer_that_names_no_questionnaire_is_held_against_the_one_given() -> None:
    unnamed = {name: value for name, value in ANSWER.items() if name != "questionnaire"}
    known = Known(shipped())
    known.add(QUESTIONNAIRE)
    faults = [(i.severity, i.expression) for i in validate_resource(ANSWER, known=known)]
    assert ("error", "QuestionnaireResponse.item[0].answer[0].value") in faults
    assert [(i.severity, i.expression) for i in validate_resource(unnamed, known=known)] == faults
    without_url = {name: value for name, value in QUESTIONNAIRE.items() if name != "url"}
    bare = Known(shipped())
    assert bare.add(without_url) == 1
    assert [(i.severity, i.expression) for i in validate_resource(ANSWER, known=bare)] == faults
    known.add({**QUESTIONNAIRE, "url": "https://example.org/Questionnaire/two"})
    assert [i.rule for i in validate_resource(unnamed, known=known)] == ["questionnaire-unknown"]


def test_the_shipped_instruments_are_at_hand() -> None:
    url = instrument("ons4")["url"]
    answer = {"linkId": "nowhere", "answer": [{"valueInteger": 1}]}
    response = {"resourceType": "QuestionnaireResponse", "status": "in-progress", "item": [answer]}
    named = validate_resource({**response, "questionnaire": url})
    assert ("not-found", "QuestionnaireResponse.item[0].linkId") in [
        (i.code, i.expression) for i in named
    ]
    other = validate_resource({**response, "questionnaire": f"{url}|0.0.0"})
    assert [i.rule for i in other] == ["questionnaire-unknown"]


def test_an_answer_in_a_bundle_finds_the_questionnaire_beside_it() -> None:
    bundle = {
        "resourceType": "Bundle",
        "type": "collection",
        "entry": [
            {**NAMED, "resource": QUESTIONNAIRE},
            {"fullUrl": "urn:uuid:00000000-0000-4000-8000-000000000002", "resource": ANSWER},
        ],
    }
    found = validate_resource(bundle)
    assert [i.expression.partition(".item")[0] for i in found] == ["Bundle.entry[1].resource"]


def test_an_answer_may_contain_its_questionnaire() -> None:
    held = {**QUESTIONNAIRE, "id": "q"}
    answer = {**ANSWER, "questionnaire": "#q", "contained": [held]}
    assert [i.severity for i in validate_resource(answer)] == ["error"]


def test_an_answer_without_its_questionnaire_at_hand_is_a_warning() -> None:
    assert [(i.severity, i.rule) for i in validate_resource(ANSWER)] == [
        ("warning", "questionnaire-unknown")
    ]


def test_bytes_that_are_no_json_are_an_issue_not_an_exception() -> None:
    assert [i.severity for i in validate_bytes(b"{")] == ["fatal"]
    assert [i.severity for i in validate_bytes(b"[]")] == ["fatal"]
