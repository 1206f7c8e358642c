"""Scores of shipped instruments: how answers become a number, and what the number means.

The rules are data (`adapter_mappings/instruments/<name>.scoring.toml`): range, direction of
improvement, meaningful change, bands, and where the wording comes from. The weight of a coded
answer is the Questionnaire's own (`ordinalValue`, R4 extension). Sources of each instrument's rules
stand in its file.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from importlib import resources
from typing import Any

from adapter.fhir.instruments import UnknownInstrumentError, instrument, instruments
from adapter.fhir.questionnaire_answers import same_coding, value_of
from adapter.fhir.questionnaire_form import Form, Question, extension_values, read_form

ORDINAL = "http://hl7.org/fhir/StructureDefinition/ordinalValue"
METHODS = frozenset(["single", "sum", "any", "external"])
"""single: the one item's value; sum: of all items, none missing; any: 1 when any item's value is
above 0, 0 when all are 0; external: computed by the licence holder's software, never here."""
SCORED_STATUSES = frozenset(["completed", "amended"])


class ScoringError(ValueError):
    """A response cannot be scored, or a scoring file is wrong; the message says which and why."""


@dataclass(frozen=True, slots=True)
class Band:
    """A named part of a score's range, both ends included, with words in English and French."""

    name: str
    low: Decimal
    high: Decimal
    words: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class ScoreRule:
    """How one score is computed. `better` is "higher" or "lower": the direction of improvement.

    `meaningful_change` is the smallest change that matters, in points; None when none is agreed.
    """

    name: str
    method: str
    items: tuple[str, ...]
    low: Decimal
    high: Decimal
    better: str
    multiply: Decimal
    meaningful_change: Decimal | None
    bands: tuple[Band, ...]
    code: Mapping[str, str] | None


@dataclass(frozen=True, slots=True)
class Scoring:
    """The scoring of one instrument, with the origin of its words.

    `permission` is "open" (the words are shipped), "pending" or "licensed" (they are not).
    `translations` gives for each language "original", "official" or "unvalidated".
    """

    instrument: str
    version: str
    rules: tuple[ScoreRule, ...]
    permission: str
    source: Mapping[str, str]
    translations: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Score:
    """One score of one response.

    `instrument` is the Questionnaire's `url|version`: scores of different instruments are never
    pooled. `value` is None when answers are missing (their linkIds are in `missing`) or when only
    the licence holder's software can compute it.
    """

    instrument: str
    name: str
    value: Decimal | None
    rule: ScoreRule
    missing: tuple[str, ...]

    @property
    def band(self) -> Band | None:
        """The band that the value lies in, if the instrument has bands."""
        if self.value is None:
            return None
        return next((b for b in self.rule.bands if b.low <= self.value <= b.high), None)


def scoring(name: str) -> Scoring:
    """Return the scoring of a shipped instrument.

    Raises UnknownInstrumentError for a name that is not shipped, ScoringError for a bad file.
    """
    if name not in instruments():
        raise UnknownInstrumentError(name)
    return _shipped(name)


@cache
def _shipped(name: str) -> Scoring:
    file = resources.files("adapter_mappings") / "instruments" / f"{name}.scoring.toml"
    return read_scoring(name, file.read_text(encoding="utf-8"))


def read_scoring(name: str, text: str) -> Scoring:
    """Read a scoring file (TOML). Raises ScoringError that names what is missing or wrong."""
    try:
        data = tomllib.loads(text, parse_float=Decimal)
        source = dict(data["source"])
        return Scoring(
            instrument=name,
            version=data["questionnaire_version"],
            rules=tuple(_rule(entry) for entry in data["score"]),
            permission=source.pop("permission"),
            source=source,
            translations=data["translations"],
        )
    except tomllib.TOMLDecodeError as error:
        raise ScoringError(f"{name}.scoring.toml is not TOML: {error}") from error
    except KeyError as error:
        raise ScoringError(f"{name}.scoring.toml lacks {error.args[0]}") from error


def _rule(entry: Mapping[str, Any]) -> ScoreRule:
    name, method, better = entry["name"], entry["method"], entry["better"]
    if method not in METHODS or better not in ("higher", "lower"):
        raise ScoringError(f"score {name}: method or better is not one that exists")
    if method == "single" and len(entry["items"]) != 1:
        raise ScoringError(f"score {name}: single takes one item")
    change = entry.get("meaningful_change")
    return ScoreRule(
        name=name,
        method=method,
        items=tuple(entry["items"]),
        low=Decimal(entry["range"][0]),
        high=Decimal(entry["range"][1]),
        better=better,
        multiply=Decimal(entry.get("multiply", 1)),
        meaningful_change=None if change is None else Decimal(change),
        bands=tuple(_band(band) for band in entry.get("band", ())),
        code=entry.get("code"),
    )


def _band(entry: Mapping[str, Any]) -> Band:
    low, high = entry["range"]
    return Band(entry["name"], Decimal(low), Decimal(high), {k: entry[k] for k in ("en", "fr")})


def scores(
    response: Mapping[str, Any],
    questionnaire: Mapping[str, Any] | str,
    rules: Scoring | None = None,
) -> tuple[Score, ...]:
    """Return every score of a checked response, in the order of the instrument's rules.

    `questionnaire` is the name of a shipped instrument, or a Questionnaire with its own `rules`
    (without them, the shipped scoring of its url's last part is used). Raises ScoringError when
    the response is not completed, answers another Questionnaire, or gives a value out of range.
    """
    form = read_form(instrument(questionnaire) if isinstance(questionnaire, str) else questionnaire)
    rules = rules or scoring(_name(form))
    if response.get("status") not in SCORED_STATUSES:
        raise ScoringError("only a completed or amended response is scored")
    _check_versions(response, form, rules)
    answered = dict(_values(response, form))
    return tuple(_score(rule, answered, form) for rule in rules.rules)


def score(
    response: Mapping[str, Any],
    questionnaire: Mapping[str, Any] | str,
    rules: Scoring | None = None,
    *,
    name: str | None = None,
) -> Score:
    """Return the one score of a response, or the one of that name where there are several.

    Raises ScoringError as `scores` does, and when `name` is needed or unknown.
    """
    found = scores(response, questionnaire, rules)
    wanted = [each for each in found if name is None or each.name == name]
    if len(wanted) != 1:
        names = ", ".join(each.name for each in found)
        raise ScoringError(f"name one score of this instrument: {names}")
    return wanted[0]


def _name(form: Form) -> str:
    return str(form.definition.get("url", "")).rsplit("/", maxsplit=1)[-1]


def _check_versions(response: Mapping[str, Any], form: Form, rules: Scoring) -> None:
    url, version = form.definition.get("url"), form.definition.get("version")
    if version != rules.version:
        raise ScoringError(
            f"the scoring is for version {rules.version}, the Questionnaire is {version}"
        )
    named, _, named_version = str(response.get("questionnaire", "")).partition("|")
    if named != url or (named_version and named_version != version):
        raise ScoringError(f"the response does not answer {form.canonical}")


def _values(response: Mapping[str, Any], form: Form) -> list[tuple[str, Decimal]]:
    found: list[tuple[str, Decimal]] = []
    waiting = list(response.get("item", ()))
    while waiting:
        item = waiting.pop()
        waiting.extend(item.get("item", ()))
        question = form.questions.get(item.get("linkId"))
        for answer in item.get("answer", ()):
            waiting.extend(answer.get("item", ()))
            for _, kind, value in value_of(answer):
                weight = _weight(question, kind, value) if question else None
                if weight is not None and question is not None:
                    found.append((question.link_id, weight))
    return found


def _weight(question: Question, kind: str, value: Any) -> Decimal | None:
    if kind in ("integer", "decimal"):
        return Decimal(str(value))
    for option in question.options:
        if kind == "Coding" and same_coding(value, option.value):
            weights = extension_values(option.value).get(ORDINAL)
            return Decimal(str(weights[0][1])) if weights else None
    return None


def _score(rule: ScoreRule, answered: Mapping[str, Decimal], form: Form) -> Score:
    missing = tuple(link_id for link_id in rule.items if link_id not in answered)
    value = _value(rule, [answered[x] for x in rule.items if x in answered], missing)
    if value is not None and not rule.low <= value <= rule.high:
        raise ScoringError(f"score {rule.name} is outside {rule.low} to {rule.high}")
    return Score(form.canonical, rule.name, value, rule, missing)


def _value(rule: ScoreRule, values: list[Decimal], missing: tuple[str, ...]) -> Decimal | None:
    if rule.method == "any" and any(value > 0 for value in values):
        return Decimal(1)
    if missing or rule.method == "external":
        return None
    return Decimal(0) if rule.method == "any" else sum(values, Decimal(0)) * rule.multiply


@dataclass(frozen=True, slots=True)
class Change:
    """The difference between two scores of one person, in points; positive is an improvement.

    `meaning` is "better", "worse" or "same": by the meaningful change where one is agreed, by any
    difference at all where none is.
    """

    improvement: Decimal
    meaning: str


def change(before: Score, after: Score) -> Change:
    """Compare two scores of the same instrument and version.

    Raises ScoringError when they are not the same score, or one has no value.
    """
    if (before.instrument, before.name) != (after.instrument, after.name):
        raise ScoringError("scores of two instruments, or of two versions, are not compared")
    if before.value is None or after.value is None:
        raise ScoringError(f"{before.name}: a score without a value is not compared")
    risen = after.value - before.value
    improvement = risen if before.rule.better == "higher" else -risen
    least = before.rule.meaningful_change
    if improvement == 0 or (least is not None and abs(improvement) < least):
        return Change(improvement, "same")
    return Change(improvement, "better" if improvement > 0 else "worse")
