"""$translate over ConceptMaps, and the adapter's own code tables as such."""

from __future__ import annotations

from typing import Any

import pytest

from adapter.exchange.packs import formats_of, sound_packs
from adapter.exchange.plugins import load_plugins
from adapter.fhir.checks import check
from adapter.fhir.translation import Question, translate
from adapter.mapping.export import concept_maps
from adapter.mapping.packs import Packs

Json = dict[str, Any]
COLOURS: Json = {
    "resourceType": "ConceptMap",
    "url": "https://maps.example/colours",
    "status": "active",
    "targetUri": "https://codes.example/vs/paint",
    "group": [
        {
            "source": "urn:light",
            "target": "urn:paint",
            "element": [
                {"code": "r", "target": [{"code": "red", "equivalence": "equal"}]},
                {"code": "p", "target": [{"code": "red", "equivalence": "wider"}]},
                {"code": "u", "target": [{"equivalence": "unmatched"}]},
            ],
        }
    ],
}


def answer(*codings: tuple[str | None, str], **more: Any) -> tuple[bool, list[Json]]:
    """The result, and (equivalence, code) of each match."""
    made = translate([COLOURS], Question(codings=codings, **more))
    assert check(made) == []
    result, *rest = made["parameter"]
    matches = [
        {part["name"]: next(v for n, v in part.items() if n != "name") for part in each["part"]}
        for each in rest
        if each["name"] == "match"
    ]
    assert ("message" in {each["name"] for each in rest}) is not result["valueBoolean"]
    return result["valueBoolean"], matches


def test_a_match_has_equivalence_concept_and_source() -> None:
    assert answer(("urn:light", "r")) == (
        True,
        [
            {
                "equivalence": "equal",
                "concept": {"system": "urn:paint", "code": "red"},
                "source": "https://maps.example/colours",
            }
        ],
    )


@pytest.mark.parametrize(
    ("coding", "more", "expected"),
    [
        (("urn:light", "x"), {}, []),
        (("urn:other", "r"), {}, []),
        ((None, "r"), {}, ["red"]),
        (("urn:light", "r"), {"target": "urn:paint"}, ["red"]),
        (("urn:light", "r"), {"target": "https://codes.example/vs/paint"}, ["red"]),
        (("urn:light", "r"), {"target": "urn:ink"}, []),
        (("urn:light", "r"), {"source": "urn:ink"}, []),
        (("urn:paint", "red"), {"reverse": True}, ["r", "p"]),
        (("urn:light", "r"), {"reverse": True}, []),
    ],
)
def test_systems_and_direction_decide(
    coding: tuple[str | None, str], more: Json, expected: list[str]
) -> None:
    result, matches = answer(coding, **more)
    assert [each["concept"]["code"] for each in matches] == expected
    assert result is bool(expected)


def test_in_reverse_wider_is_narrower() -> None:
    _, matches = answer(("urn:paint", "red"), reverse=True)
    assert [each["equivalence"] for each in matches] == ["equal", "narrower"]


def test_that_nothing_matches_is_a_match_and_no_result() -> None:
    assert answer(("urn:light", "u")) == (
        False,
        [{"equivalence": "unmatched", "source": "https://maps.example/colours"}],
    )


def test_several_codings_are_each_translated_once() -> None:
    _, matches = answer(("urn:light", "r"), ("urn:light", "p"), ("urn:light", "r"))
    assert [each["equivalence"] for each in matches] == ["equal", "wider"]


@pytest.fixture(scope="module")
def packs() -> Packs:
    plugins = load_plugins(None)
    return sound_packs(plugins, formats_of(plugins))


def test_every_code_table_is_a_concept_map_without_fault(packs: Packs) -> None:
    made = list(concept_maps(packs))
    assert len(made) > 60
    assert [(each["id"], check(each)) for each in made if check(each)] == []
    assert len({each["id"] for each in made}) == len({each["url"] for each in made}) == len(made)


def test_the_tables_translate_as_the_maps_do(packs: Packs) -> None:
    made = {each["id"]: each for each in concept_maps(packs)}
    asked = 0
    for pack in packs.packs.values():
        for table in pack.codes.values():
            for code, becomes in table.to_right.items():
                found = translate([made[f"{table.name}-to-right"]], Question([(None, code)]))
                codes = [p["valueCoding"]["code"] for m in found["parameter"][1:]
                         for p in m["part"] if p["name"] == "concept"]  # fmt: skip
                assert codes == [becomes], (table.name, code)
                asked += 1
    assert asked > 200
