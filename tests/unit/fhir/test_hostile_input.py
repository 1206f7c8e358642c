"""Hostile input: time and memory stay bounded whatever a sender invents."""

from __future__ import annotations

import itertools
import time
from typing import Any

import pytest

from adapter.fhir import fast, plans
from adapter.fhir.bindings import code_test
from adapter.fhir.checks import check, check_base
from adapter.fhir.constraints import BadProfile, parse
from adapter.fhir.explain import MOST_ISSUES
from adapter.fhir.known import Known
from adapter.fhir.links import Found
from adapter.fhir.reader import read_value

NAMES = ("use", "text", "family", "given", "prefix", "suffix", "period", "id", "extension")
VALUES: dict[str, Any] = {
    "use": "usual",
    "text": "x",
    "family": "x",
    "given": ["x"],
    "prefix": ["x"],
    "suffix": ["x"],
    "period": {"start": "2026"},
    "id": "x",
    "extension": [{"url": "https://example.org/x", "valueCode": "x"}],
}


def _orders(count: int) -> list[dict[str, Any]]:
    """Names that are right, each with its properties in another order."""
    orders = itertools.islice(itertools.permutations(NAMES), count)
    return [{name: VALUES[name] for name in order} for order in orders]


def test_one_resource_may_compile_only_so_much() -> None:
    patient = {"resourceType": "Patient", "name": _orders(5000)}
    found = Found()
    with pytest.raises(ValueError, match="too many new sets"):
        fast.root(patient, found)
    assert found.compiled <= plans.BUDGET
    before = time.process_time()
    assert check_base(patient) == []
    assert time.process_time() - before < 10


def test_a_place_keeps_only_so_many_plans() -> None:
    known = plans.plans("HumanName")
    orders = _orders(plans.PLANS_PER_PLACE + 200)
    for start in range(0, len(orders), 100):
        patient = {"resourceType": "Patient", "name": orders[start : start + 100]}
        assert check_base(patient) == []
    assert len(known) <= plans.PLANS_PER_PLACE


def test_a_resource_of_nothing_but_faults_gets_a_list_that_ends() -> None:
    issues = check({"resourceType": "Patient", "name": [{"last": "x"}] * 100_000})
    assert len(issues) == MOST_ISSUES + 1
    assert issues[-1].rule == "too-many-issues"


def test_depth_ends_without_exhausting_the_stack() -> None:
    item: dict[str, Any] = {"linkId": "0"}
    for number in range(5000):
        item = {"linkId": str(number), "item": [item]}
    response = {"resourceType": "QuestionnaireResponse", "status": "completed", "item": [item]}
    assert "depth" in {issue.rule for issue in check_base(response)}
    assert read_value(response).fails


@pytest.mark.parametrize(
    "text",
    [
        "a/b;" + " " * 50_000 + ";",
        "a/b" + "; x" * 50_000 + ";",
        "a/b; " + "x " * 50_000 + ";",
        "a" * 100_000,
    ],
)
def test_the_form_of_a_mime_type_is_judged_in_linear_time(text: str) -> None:
    judge = code_test("http://hl7.org/fhir/ValueSet/mimetypes")
    assert judge is not None
    before = time.process_time()
    assert not judge(text)
    assert time.process_time() - before < 1


@pytest.mark.parametrize("kind", ["uri", "canonical", "reference", "dateTime", "decimal", "oid"])
def test_long_values_are_judged_in_linear_time(kind: str) -> None:
    from adapter.fhir.links import named_type
    from adapter.fhir.primitives import reason

    texts = [
        "http://" + "Aa/" * 50_000,
        "1" * 200_000,
        "urn:oid:2" + ".1" * 50_000 + ".",
        "-" * 99_999,
    ]
    before = time.process_time()
    for text in texts:
        if kind == "reference":
            named_type(text)
        else:
            reason(kind, text)
    assert time.process_time() - before < 2


@pytest.mark.parametrize(
    "compose", [[], "x", {"include": [3]}, {"include": [{"system": "x", "concept": [1]}]}]
)
def test_a_value_set_in_no_form_lists_nothing(compose: Any) -> None:
    known = Known()
    known.add({"resourceType": "ValueSet", "url": "urn:vs", "compose": compose})
    assert known.codes("urn:vs") is None or known.codes("urn:vs") == {}


@pytest.mark.parametrize("rows", [[{"path": "Patient.name", "type": 3}], [{"path": "Patient.name",
                          "constraint": [1]}], [{"path": 1}]])  # fmt: skip
def test_a_profile_in_no_form_is_refused(rows: Any) -> None:
    definition = {"url": "urn:p", "type": "Patient", "differential": {"element": rows}}
    with pytest.raises(BadProfile):
        parse(definition)
