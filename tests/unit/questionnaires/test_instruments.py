"""The shipped questionnaires load, speak both languages and hide nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from adapter.fhir.checks import check
from adapter.fhir.instruments import (
    UnknownInstrumentError,
    instrument,
    instruments,
    translated,
)
from adapter.fhir.scoring import scoring


def items_of(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for item in node.get("item", ()):
        yield item
        yield from items_of(item)


def test_program_outcome_has_the_questions_an_agency_answers_when_it_closes_a_referral() -> None:
    questionnaire = instrument("program-outcome")
    assert questionnaire["url"].endswith("/fhir/Questionnaire/program-outcome")
    assert {item["linkId"]: item["type"] for item in items_of(questionnaire)} == {
        "sessions-attended": "integer",
        "what-mattered-met": "choice",
        "wellbeing-change": "choice",
        "loneliness": "choice",
        "enrolment": "choice",
        "give-back": "choice",
        "language-received": "choice",
        "summary": "text",
        "next-step": "text",
    }


def test_french_is_shown_where_it_exists_and_the_translations_are_gone() -> None:
    french = translated(instrument("program-outcome"), "fr-CA")
    assert french["language"] == "fr-CA"
    assert french["item"][1]["text"].startswith("Ce qui comptait")
    assert french["item"][1]["answerOption"][0]["valueCoding"]["display"] == "Oui"
    assert "_text" not in french["item"][1]


def test_a_language_without_translation_keeps_the_words() -> None:
    original = instrument("program-outcome")
    assert translated(original, "cy")["item"][0]["text"] == original["item"][0]["text"]


def test_translating_leaves_the_questionnaire_as_it_was() -> None:
    original = instrument("program-outcome")
    translated(original, "fr")
    assert original == instrument("program-outcome")


def test_an_unknown_name_is_refused_with_the_names_that_exist() -> None:
    with pytest.raises(UnknownInstrumentError, match="program-outcome"):
        instrument("no-such-instrument")
    with pytest.raises(UnknownInstrumentError):
        instrument("../adapter_mappings/__init__")


@pytest.mark.parametrize("name", instruments())
def test_every_item_has_its_own_link_id(name: str) -> None:
    links = [item["linkId"] for item in items_of(instrument(name))]
    assert links
    assert len(links) == len(set(links))


PAGE = Path(__file__).resolve().parents[3] / "docs" / "reference" / "instruments.md"


def test_the_page_has_a_row_for_each_instrument_with_its_words_and_scores() -> None:
    lines = PAGE.read_text("utf-8").splitlines()
    rows = {line.split("`")[1]: line for line in lines if line.startswith("| `")}
    assert list(rows) == instruments()
    for name, row in rows.items():
        rules = scoring(name)
        assert rules.source["holder"] in row
        assert rules.source["licence"] in row
        assert ("not shipped" in row) == (rules.permission != "open")
        assert ("(unvalidated)" in row) == (rules.translations.get("fr") == "unvalidated")
        for rule in rules.rules:
            assert f"{rule.name} {rule.low} to {rule.high}, {rule.better} is better" in row


@pytest.mark.parametrize("name", instruments())
def test_every_instrument_passes_the_checks_in_both_languages(name: str) -> None:
    for questionnaire in (instrument(name), translated(instrument(name), "fr")):
        assert [issue for issue in check(questionnaire) if issue.fails] == []
