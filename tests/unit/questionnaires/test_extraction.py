"""Observations from a completed response: what, with which ids, and what an amendment does."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapter.fhir.checks import check
from adapter.fhir.extraction import OBSERVATION_EXTRACT, ExtractionError, extract
from adapter.fhir.instruments import instrument

NOW = "2025-03-02T10:00:00Z"
SYSTEM = "https://social-prescribing-adapter.example/fhir/CodeSystem"
ASK = {"extension": [{"url": OBSERVATION_EXTRACT, "valueBoolean": True}]}
ASK_NOT = {"extension": [{"url": OBSERVATION_EXTRACT, "valueBoolean": False}]}


def outcome() -> dict[str, Any]:
    """A synthetic answer to the program-outcome questionnaire."""
    form = instrument("program-outcome")
    return {
        "resourceType": "QuestionnaireResponse",
        "id": "synthetic-1",
        "questionnaire": f"{form['url']}|{form['version']}",
        "status": "completed",
        "subject": {"reference": "Patient/synthetic"},
        "authored": "2025-03-01T09:00:00Z",
        "author": {"reference": "Organization/synthetic"},
        "item": [
            {"linkId": "sessions-attended", "answer": [{"valueInteger": 4}]},
            {
                "linkId": "what-mattered-met",
                "answer": [
                    {"valueCoding": {"system": f"{SYSTEM}/what-mattered-met", "code": "partly"}}
                ],
            },
            {"linkId": "summary", "answer": [{"valueString": "Synthetic words."}]},
        ],
    }


def observations(made: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [each for each in made if each["resourceType"] == "Observation"]


def run(response: dict[str, Any], **more: Any) -> list[dict[str, Any]]:
    return extract(response, instrument("program-outcome"), recorded=NOW, **more)


def test_each_answer_that_is_asked_for_becomes_an_observation() -> None:
    sessions, met = observations(run(outcome()))
    assert sessions["valueInteger"] == 4
    assert sessions["code"]["coding"][0]["code"] == "sessions-attended"
    assert sessions["category"][0]["coding"][0]["code"] == "survey"
    assert sessions["status"] == "final"
    assert sessions["subject"] == {"reference": "Patient/synthetic"}
    assert sessions["effectiveDateTime"] == "2025-03-01T09:00:00Z"
    assert sessions["derivedFrom"] == [{"reference": "QuestionnaireResponse/synthetic-1"}]
    assert met["valueCodeableConcept"]["coding"] == [
        {"system": f"{SYSTEM}/what-mattered-met", "code": "partly", "display": "Partly"}
    ]


def test_what_is_extracted_passes_the_checks() -> None:
    made = run(outcome())
    assert [issue for resource in made for issue in check(resource) if issue.fails] == []


def test_the_provenance_names_every_observation_and_its_source() -> None:
    made = run(outcome(), agent={"reference": "Device/adapter"})
    provenance = made[-1]
    assert provenance["resourceType"] == "Provenance"
    assert [target["reference"] for target in provenance["target"]] == [
        f"Observation/{each['id']}" for each in observations(made)
    ]
    assert provenance["entity"] == [
        {"role": "source", "what": {"reference": "QuestionnaireResponse/synthetic-1"}}
    ]
    assert provenance["agent"] == [{"who": {"reference": "Device/adapter"}}]


def test_running_again_gives_the_same() -> None:
    first = run(outcome())
    assert all(run(outcome()) == first for _ in range(100))


def test_another_response_gives_other_ids() -> None:
    other = outcome() | {"id": "synthetic-2"}
    ids = {each["id"] for each in run(outcome())}
    assert not ids & {each["id"] for each in run(other)}


def test_an_identifier_outlives_the_servers_id() -> None:
    identifier = {"system": "urn:synthetic", "value": "7"}
    here = outcome() | {"identifier": identifier}
    there = here | {"id": "another-server"}
    assert [o["id"] for o in observations(run(here))] == [o["id"] for o in observations(run(there))]


def test_an_amendment_keeps_the_ids_and_says_amended() -> None:
    first = observations(run(outcome()))
    amended = outcome() | {"status": "amended"}
    amended["item"][0]["answer"][0]["valueInteger"] = 5
    second = observations(run(amended, previous=first))
    assert [o["id"] for o in second] == [o["id"] for o in first]
    assert [o["status"] for o in second] == ["amended", "final"]
    assert second[1] == first[1]


def test_an_answer_that_an_amendment_takes_away_is_entered_in_error() -> None:
    first = observations(run(outcome()))
    amended = outcome() | {"status": "amended"}
    del amended["item"][0]
    second = observations(run(amended, previous=first))
    assert {o["id"]: o["status"] for o in second} == {
        first[0]["id"]: "entered-in-error",
        first[1]["id"]: "final",
    }


def test_an_answer_that_comes_back_is_amended() -> None:
    first = observations(run(outcome()))
    gone = [{**first[0], "status": "entered-in-error"}, first[1]]
    third = observations(run(outcome() | {"status": "amended"}, previous=gone))
    assert [o["status"] for o in third] == ["amended", "final"]


def test_a_response_in_error_puts_its_observations_in_error() -> None:
    made = observations(run(outcome() | {"status": "entered-in-error"}))
    assert {o["status"] for o in made} == {"entered-in-error"}


@pytest.mark.parametrize("status", ["in-progress", "stopped"])
def test_an_unfinished_response_is_not_extracted(status: str) -> None:
    with pytest.raises(ExtractionError, match="completed"):
        run(outcome() | {"status": status})


def test_a_response_without_any_identity_is_refused() -> None:
    nameless = outcome()
    del nameless["id"]
    with pytest.raises(ExtractionError, match="identity"):
        run(nameless)
    named = run(nameless, identity="x", source={"reference": "urn:uuid:synthetic"})
    assert named[0]["derivedFrom"] == [{"reference": "urn:uuid:synthetic"}]


def test_a_response_without_codes_to_extract_gives_nothing() -> None:
    only_words = outcome()
    only_words["item"] = only_words["item"][2:]
    assert run(only_words) == []


def code(name: str) -> list[dict[str, str]]:
    return [{"system": "urn:synthetic", "code": name}]


def form(*items: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"resourceType": "Questionnaire", "status": "active", "item": list(items), **more}


def answered(*items: dict[str, Any]) -> dict[str, Any]:
    return outcome() | {"item": list(items)}


def test_a_group_is_a_panel_of_its_members() -> None:
    questionnaire = form(
        {
            "linkId": "g",
            "type": "group",
            "code": code("panel"),
            **ASK,
            "item": [
                {"linkId": "a", "type": "boolean", "code": code("a")},
                {"linkId": "b", "type": "boolean", "code": code("b"), **ASK_NOT},
            ],
        }
    )
    items = [{"linkId": x, "answer": [{"valueBoolean": True}]} for x in "ab"]
    made = observations(
        extract(answered({"linkId": "g", "item": items}), questionnaire, recorded=NOW)
    )
    assert [o["code"]["coding"][0]["code"] for o in made] == ["a", "panel"]
    assert made[1]["hasMember"] == [{"reference": f"Observation/{made[0]['id']}"}]


def test_several_answers_give_several_observations_with_their_own_ids() -> None:
    questionnaire = form(
        {"linkId": "a", "type": "string", "repeats": True, "code": code("a"), **ASK}
    )
    answers = [{"valueString": word} for word in ("one", "two", "three")]
    made = observations(
        extract(answered({"linkId": "a", "answer": answers}), questionnaire, recorded=NOW)
    )
    assert [o["valueString"] for o in made] == ["one", "two", "three"]
    assert len({o["id"] for o in made}) == 3


def test_a_repeating_group_gives_each_instance_its_own_ids() -> None:
    questionnaire = form(
        {
            "linkId": "g",
            "type": "group",
            "repeats": True,
            "item": [{"linkId": "a", "type": "integer", "code": code("a"), **ASK}],
        }
    )
    groups = [
        {"linkId": "g", "item": [{"linkId": "a", "answer": [{"valueInteger": n}]}]} for n in (1, 2)
    ]
    made = observations(extract(answered(*groups), questionnaire, recorded=NOW))
    assert [o["valueInteger"] for o in made] == [1, 2]
    assert made[0]["id"] != made[1]["id"]


def test_a_flag_on_one_code_takes_that_code_alone() -> None:
    codes = [{**code("a")[0], **ASK}, code("b")[0]]
    questionnaire = form({"linkId": "a", "type": "boolean", "code": codes})
    response = answered({"linkId": "a", "answer": [{"valueBoolean": False}]})
    made = observations(extract(response, questionnaire, recorded=NOW))
    assert made[0]["code"]["coding"] == code("a")
    assert made[0]["valueBoolean"] is False


def test_an_answer_that_no_observation_can_hold_is_refused_not_dropped() -> None:
    questionnaire = form({"linkId": "a", "type": "attachment", "code": code("a"), **ASK})
    response = answered({"linkId": "a", "answer": [{"valueAttachment": {"title": "x"}}]})
    with pytest.raises(ExtractionError, match="Attachment"):
        extract(response, questionnaire, recorded=NOW)


VALUES = [
    ("decimal", {"valueDecimal": 1.5}, {"valueQuantity": {"value": 1.5}}),
    ("date", {"valueDate": "2025-03-01"}, {"valueDateTime": "2025-03-01"}),
    ("url", {"valueUri": "urn:synthetic"}, {"valueString": "urn:synthetic"}),
    ("time", {"valueTime": "09:00:00"}, {"valueTime": "09:00:00"}),
    ("quantity", {"valueQuantity": {"value": 2}}, {"valueQuantity": {"value": 2}}),
]


@pytest.mark.parametrize(("kind", "answer", "expected"), VALUES)
def test_each_type_of_answer_has_its_value(
    kind: str, answer: dict[str, Any], expected: dict[str, Any]
) -> None:
    questionnaire = form({"linkId": "a", "type": kind, "code": code("a"), **ASK})
    made = extract(answered({"linkId": "a", "answer": [answer]}), questionnaire, recorded=NOW)
    assert {k: v for k, v in made[0].items() if k.startswith("value")} == expected


@given(st.integers(0, 999))
def test_extraction_changes_neither_the_response_nor_the_form(sessions: int) -> None:
    response = outcome()
    response["item"][0]["answer"][0]["valueInteger"] = sessions
    questionnaire = instrument("program-outcome")
    before = copy.deepcopy((response, questionnaire))
    extract(response, questionnaire, recorded=NOW)
    assert (response, questionnaire) == before
