"""The scores of a response to a shipped instrument, as findings that a person can read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from adapter.fhir.instruments import by_canonical
from adapter.fhir.outcome import INFORMATION, Issue
from adapter.fhir.scoring import SCORED_STATUSES, Score, ScoringError, scores


def spoken_scores(response: Mapping[str, Any]) -> list[Issue]:
    """A finding of severity information for each score of a valid, completed response.

    Empty for another resource, and for a response to a Questionnaire that is not shipped.
    """
    if response.get("resourceType") != "QuestionnaireResponse":
        return []
    form = by_canonical(str(response.get("questionnaire", "")))
    if form is None or response.get("status") not in SCORED_STATUSES:
        return []
    try:
        found = scores(response, form)
    except ScoringError as error:
        return [_said(f"it has no score: {error}")]
    return [_said(" ".join(_words(each))) for each in found]


def _said(words: str) -> Issue:
    return Issue(INFORMATION, "informational", "QuestionnaireResponse", words, "score")


def _words(score: Score) -> Iterator[str]:
    rule = score.rule
    if score.value is None:
        why = f"not answered: {', '.join(score.missing)}" if score.missing else "its holder's own"
        yield f"{score.name}: no score ({why})"
    else:
        yield f"{score.name}: {score.value}"
        if score.band is not None:
            yield f"({score.band.words['en']})"
    yield f"on {rule.low} to {rule.high}; {rule.better} is better"
