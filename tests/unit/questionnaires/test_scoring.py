"""Scores of the shipped instruments, and what a change means."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapter.cli.main import main
from adapter.fhir.instruments import instrument, instruments
from adapter.fhir.questionnaire import check_response
from adapter.fhir.questionnaire_form import read_form
from adapter.fhir.scoring import (
    Score,
    ScoringError,
    change,
    read_scoring,
    score,
    scores,
    scoring,
)
from adapter.fhir.spoken_scores import spoken_scores


def response(name: str, **answers: Any) -> dict[str, Any]:
    form = read_form(instrument(name))
    items = []
    for link_id, question in form.questions.items():
        if link_id in answers:
            given = answers[link_id]
            if isinstance(given, str):
                options = [o.value for o in question.options if o.value["code"] == given]
                kept = {k: v for k, v in options[0].items() if k in ("system", "code")}
                items.append({"linkId": link_id, "answer": [{"valueCoding": kept}]})
            else:
                key = "valueDecimal" if question.type == "decimal" else "valueInteger"
                items.append({"linkId": link_id, "answer": [{key: given}]})
    made = {
        "resourceType": "QuestionnaireResponse",
        "questionnaire": form.canonical,
        "status": "completed",
        "item": items,
    }
    assert check_response(made, instrument(name)) == []
    return made


def value(name: str, **answers: Any) -> Decimal | None:
    return score(response(name, **answers), name).value


@pytest.mark.parametrize("name", instruments())
def test_every_instrument_has_scoring_with_source_and_items_that_exist(name: str) -> None:
    rules = scoring(name)
    form = read_form(instrument(name))
    assert not form.faults
    assert rules.version == instrument(name)["version"]
    assert {"holder", "work", "licence", "note"} <= set(rules.source)
    for rule in rules.rules:
        assert set(rule.items) <= set(form.questions)
        assert rule.low < rule.high
        assert all(rule.low <= band.low <= band.high <= rule.high for band in rule.bands)


@pytest.mark.parametrize("name", instruments())
def test_only_open_instruments_carry_words_and_those_speak_english_and_french(name: str) -> None:
    rules = scoring(name)
    questions = read_form(instrument(name)).questions.values()
    if rules.permission == "open":
        assert set(rules.translations) == {"en", "fr"}
        for question in questions:
            assert question.definition["text"]
            assert question.definition["_text"]
            assert all(option.value["_display"] for option in question.options)
    else:
        assert rules.permission in ("licensed", "pending")
        assert not rules.translations
        for question in questions:
            assert not {"text", "_text", "prefix", "answerOption"} & set(question.definition)


@pytest.mark.parametrize("name", instruments())
def test_every_score_stays_in_its_range_at_both_ends(name: str) -> None:
    form = read_form(instrument(name))
    for pick in (min, max):
        answers: dict[str, Any] = {}
        for link_id, question in form.questions.items():
            if question.options:
                weighted = [o.value for o in question.options if "extension" in o.value]
                if weighted:
                    chosen = pick(weighted, key=lambda o: o["extension"][0]["valueDecimal"])
                    answers[link_id] = chosen["code"]
                else:
                    answers[link_id] = question.options[0].value["code"]
            elif question.limits.minimum and question.limits.maximum:
                answers[link_id] = pick(question.limits.minimum[1], question.limits.maximum[1])
        for found in scores(response(name, **answers), name):
            if found.rule.method != "external":
                assert found.value in (found.rule.low, found.rule.high)


def test_a_rating_is_its_level() -> None:
    assert value("self-rated-health", **{"self-rated-health": "very-good"}) == 4
    assert value("community-belonging", **{"community-belonging": "very-strong"}) == 4


def test_the_three_loneliness_items_are_added_up() -> None:
    assert value("loneliness-three-item", **{"item-1": 1, "item-2": 2, "item-3": 3}) == 6


def test_who_5_is_the_sum_times_four_with_its_band() -> None:
    found = score(response("who-5", **{f"item-{n}": 2 for n in range(1, 6)}), "who-5")
    assert found.value == 40
    assert found.band is not None
    assert found.band.words["fr"] == "Faible bien-être"


def test_a_missing_item_gives_no_sum_and_is_named() -> None:
    found = score(response("wemwbs", **{"item-1": 3}), "wemwbs")
    assert found.value is None
    assert found.missing[0] == "item-2"


def test_ons4_gives_four_scores_and_anxiety_improves_downwards() -> None:
    found = scores(response("ons4", **{"life-satisfaction": 7, "anxious-yesterday": 6}), "ons4")
    assert [each.value for each in found] == [7, None, None, 6]
    assert [each.rule.better for each in found] == ["higher", "higher", "higher", "lower"]
    with pytest.raises(ScoringError, match="life-satisfaction"):
        score(response("ons4", **{"life-satisfaction": 7}), "ons4")


@pytest.mark.parametrize(
    ("worried", "lasted", "expected"),
    [
        ("LA28397-0", "LA28398-8", 1),
        ("LA28398-8", "LA6729-3", 1),
        ("LA28398-8", "LA28398-8", 0),
        ("LA15775-2", "LA28398-8", None),
        ("LA15775-2", "LA6729-3", 1),
    ],
)
def test_hunger_vital_sign_is_at_risk_when_either_is_true(
    worried: str, lasted: str, expected: int | None
) -> None:
    answers = {"worried": worried, "did-not-last": lasted}
    assert value("hunger-vital-sign", **answers) == expected


def test_a_score_that_only_the_licence_holder_can_compute_is_none() -> None:
    assert value("swemwbs", **{f"item-{n}": 3 for n in range(1, 8)}) is None


def test_a_response_in_progress_is_not_scored() -> None:
    started = response("who-5", **{"item-1": 1}) | {"status": "in-progress"}
    with pytest.raises(ScoringError, match="completed"):
        score(started, "who-5")


def test_a_response_to_another_questionnaire_is_not_scored() -> None:
    with pytest.raises(ScoringError, match="does not answer"):
        score(response("who-5", **{"item-1": 1}), "wemwbs")


def test_a_value_out_of_range_is_refused() -> None:
    wrong = response("ons4", **{"life-satisfaction": 7})
    wrong["item"][0]["answer"][0]["valueInteger"] = 11
    with pytest.raises(ScoringError, match="outside"):
        scores(wrong, "ons4")


def loneliness(level: str) -> Score:
    return score(response("loneliness-direct", **{"loneliness-direct": level}), "loneliness-direct")


def test_less_loneliness_is_an_improvement() -> None:
    found = change(loneliness("often-or-always"), loneliness("occasionally"))
    assert (found.improvement, found.meaning) == (2, "better")


def test_a_change_below_the_meaningful_one_is_the_same() -> None:
    def who(last: int) -> Score:
        answers = {f"item-{n}": 2 for n in range(1, 5)} | {"item-5": last}
        return score(response("who-5", **answers), "who-5")

    assert change(who(2), who(4)).meaning == "same"
    assert change(who(2), who(5)).meaning == "better"
    assert change(who(5), who(1)).meaning == "worse"


def test_two_scales_are_never_compared() -> None:
    health = score(
        response("self-rated-health", **{"self-rated-health": "good"}), "self-rated-health"
    )
    with pytest.raises(ScoringError, match="not compared"):
        change(health, loneliness("never"))


@given(st.lists(st.integers(0, 5), min_size=5, max_size=5), st.integers(0, 4))
def test_a_higher_answer_never_lowers_a_sum(values: list[int], index: int) -> None:
    raised = [min(v + (i == index), 5) for i, v in enumerate(values)]

    def total(items: list[int]) -> Decimal:
        made = {f"item-{n}": v for n, v in enumerate(items, 1)}
        found = score(response("who-5", **made), "who-5").value
        assert found is not None
        return found

    assert total(raised) >= total(values)


def test_a_bad_scoring_file_says_what_it_lacks() -> None:
    with pytest.raises(ScoringError, match="score"):
        read_scoring(
            "mine", 'questionnaire_version = "1"\n[source]\npermission = "open"\n[translations]\n'
        )
    with pytest.raises(ScoringError, match="not TOML"):
        read_scoring("mine", "= 1")


def test_validate_says_the_scores_of_a_shipped_instrument(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "answers.json"
    given = {"life-satisfaction": 8, "worthwhile": 7, "happy-yesterday": 9}
    file.write_text(json.dumps(response("ons4", **given)))
    with pytest.raises(SystemExit) as ended:
        main(["validate", "--json", str(file)])
    assert (ended.value.code or 0) == 0
    said = json.loads(capsys.readouterr().out)
    spoken = [each["diagnostics"] for each in said["outcome"]["issue"] if "score" in str(each)]
    assert spoken[0] == "life-satisfaction: 8 (High) on 0 to 10; higher is better [score]"
    assert spoken[3].startswith("anxious-yesterday: no score (not answered: anxious-yesterday)")


@pytest.mark.parametrize(
    "change_", [{"status": "in-progress"}, {"questionnaire": "https://example.org/q"}]
)
def test_nothing_is_said_of_answers_that_are_not_finished_or_not_to_an_instrument(
    change_: dict[str, str],
) -> None:
    assert spoken_scores(response("ons4", worthwhile=7) | change_) == []
