"""Each case in cases/*.json: a form, a response, and what is wrong with it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from adapter.fhir.questionnaire import check_response

FOLDER = Path(__file__).parent / "cases"


def cases() -> list[Any]:
    found = []
    for file in sorted(FOLDER.glob("*.json")):
        content = json.loads(file.read_text(encoding="utf-8"))
        for case in content["cases"]:
            name = f"{file.stem}: {case['name']}"
            found.append(pytest.param(content["questionnaire"], case, id=name))
    return found


@pytest.mark.parametrize(("questionnaire", "case"), cases())
def test_response(questionnaire: dict[str, Any], case: dict[str, Any]) -> None:
    issues = check_response(case["response"], questionnaire)
    said = [[issue.severity, issue.expression] for issue in issues]
    assert sorted(said) == sorted(case["issues"]), issues


def test_there_are_enough_cases_and_both_kinds() -> None:
    all_cases = [parameter.values[1] for parameter in cases()]
    assert len(all_cases) >= 80
    assert sum(1 for case in all_cases if not case["issues"]) >= 40
