"""Which Codings a ValueSet holds, and when that cannot be known."""

from __future__ import annotations

from typing import Any

import pytest

from adapter.fhir.questionnaire import check_response
from adapter.fhir.questionnaire_options import Resolver, ValueSets, in_value_set

S, T = "urn:synthetic:s", "urn:synthetic:t"
CODE_SYSTEM = {
    "resourceType": "CodeSystem",
    "url": S,
    "content": "complete",
    "concept": [{"code": "a", "concept": [{"code": "a1"}]}, {"code": "b"}],
}


def value_set(url: str, **content: Any) -> dict[str, Any]:
    return {"resourceType": "ValueSet", "url": url, **content}


def listed(system: str, *codes: str) -> dict[str, Any]:
    return {"system": system, "concept": [{"code": code} for code in codes]}


def at_hand(*resources: dict[str, Any]) -> Resolver:
    by_url = {resource["url"]: resource for resource in resources}
    return by_url.get


def held(resource: dict[str, Any], code: str, *others: dict[str, Any]) -> bool | None:
    coding = {"system": S, "code": code}
    return in_value_set(resource["url"], coding, at_hand(resource, *others))


INCLUDE = value_set("i", compose={"include": [listed(T, "a"), listed(S, "a", "b")]})
EXCLUDE = value_set("e", compose={"include": [listed(S, "a", "b")], "exclude": [listed(S, "b")]})
WHOLE = value_set("w", compose={"include": [{"system": S}]})
FILTER = {"system": S, "filter": [{"property": "concept", "op": "is-a", "value": "a"}]}
FILTERED = value_set("f", compose={"include": [FILTER]})
PARTLY = value_set("p", compose={"include": [FILTER, listed(S, "b")]})
CUT = value_set("c", compose={"include": [listed(S, "a", "b")], "exclude": [FILTER]})
BOTH = value_set("b", compose={"include": [{"valueSet": ["i"], **listed(S, "b", "c")}]})
IMPORT = value_set("m", compose={"include": [{"valueSet": ["i", "e"]}]})
RING = value_set("r", compose={"include": [{"valueSet": ["r"]}]})
EXPANDED = value_set(
    "x",
    compose={"include": [listed(S, "z")]},
    expansion={
        "contains": [
            {"system": S, "code": "top", "abstract": True, "contains": [{"system": S, "code": "a"}]}
        ]
    },
)


@pytest.mark.parametrize(
    ("resource", "code", "expected"),
    [
        (INCLUDE, "a", True),
        (INCLUDE, "z", False),
        (EXCLUDE, "a", True),
        (EXCLUDE, "b", False),
        (WHOLE, "a1", True),
        (WHOLE, "z", False),
        (FILTERED, "a1", None),
        (PARTLY, "b", True),
        (PARTLY, "a", None),
        (CUT, "a", None),
        (CUT, "z", False),
        (BOTH, "b", True),
        (BOTH, "a", False),
        (BOTH, "c", False),
        (IMPORT, "a", True),
        (IMPORT, "b", False),
        (RING, "a", None),
        (EXPANDED, "a", True),
        (EXPANDED, "top", False),
        (EXPANDED, "z", False),
    ],
)
def test_a_value_set_holds_what_it_says(
    resource: dict[str, Any], code: str, expected: bool | None
) -> None:
    assert held(resource, code, CODE_SYSTEM, INCLUDE, EXCLUDE) is expected


def test_a_code_system_that_is_not_at_hand_leaves_it_open() -> None:
    assert held(WHOLE, "a") is None
    fragment = CODE_SYSTEM | {"content": "fragment"}
    assert held(WHOLE, "z", fragment) is None


def test_another_system_is_never_in() -> None:
    coding = {"system": "urn:synthetic:other", "code": "a"}
    assert in_value_set("w", coding, at_hand(WHOLE, CODE_SYSTEM)) is False


def test_the_check_asks_the_resolver_for_a_value_set_that_is_not_contained() -> None:
    questionnaire = {
        "resourceType": "Questionnaire",
        "item": [{"linkId": "q", "type": "choice", "answerValueSet": "i"}],
    }
    answer = {"valueCoding": {"system": S, "code": "z"}}
    response = {
        "resourceType": "QuestionnaireResponse",
        "status": "completed",
        "item": [{"linkId": "q", "answer": [answer]}],
    }
    resolve = at_hand(INCLUDE)
    assert [i.code for i in check_response(response, questionnaire, resolve_value_set=resolve)] == [
        "code-invalid"
    ]
    answer["valueCoding"]["code"] = "a"
    assert check_response(response, questionnaire, resolve_value_set=resolve) == []


def test_a_set_is_read_once_however_often_others_and_it_itself_name_it() -> None:
    names = [f"n{number}" for number in range(9)]
    sets = {n: value_set(n, compose={"include": [{"valueSet": [o]} for o in names]}) for n in names}
    asked: list[str] = []

    def resolve(canonical: str) -> dict[str, Any] | None:
        asked.append(canonical)
        return sets.get(canonical)

    value_sets = ValueSets(resolve)
    for code in ("a", "b", "c"):
        assert value_sets.hold("n0", {"system": S, "code": code}) is None
    assert sorted(asked) == names
