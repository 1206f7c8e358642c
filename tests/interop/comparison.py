"""What is compared: each input with our verdict and HAPI's, and what came of it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from differences import explained
from hapi_server import FAILS, HapiServer
from section import Section

from adapter.fhir.checks import check
from adapter.fhir.known import Known, shipped
from adapter.fhir.outcome import Issue, failed
from adapter.fhir.questionnaire import check_response
from adapter.fhir.validation import validate_resource

TESTS = Path(__file__).resolve().parent.parent
CASES = TESTS / "unit" / "questionnaires" / "cases"
CORPUS = TESTS / "unit" / "fhir" / "corpus"
DEFINITIONS = Path(__file__).resolve().parent / "definitions"
PROFILES = TESTS.parent / "adapter" / "fhir" / "profiles"


@dataclass(frozen=True, slots=True)
class Input:
    """One resource to be judged by both.

    `ours`: the issues that we have with it. `needs`: whether its definitions (a Questionnaire) are
    part of what is compared.
    """

    name: str
    resource: dict[str, Any]
    ours: list[Issue]
    needs: bool = True


def compare(name: str, inputs: list[Input], server: HapiServer) -> Section:
    """Ask HAPI about each input and hold its verdict against ours.

    A verdict counts only when HAPI had the definitions that the input `needs`.
    """
    known = explained()
    found = Section(seen={each.name for each in inputs})
    agreed = both_refused = same_place = 0
    for each in inputs:
        said = server.validate(each.resource)
        theirs = [issue for issue in said if issue["severity"] in FAILS]
        ours_refuse, hapi_refuses = failed(each.ours), bool(theirs)
        if (
            each.needs
            and not ours_refuse
            and any("could not be resolved" in i["diagnostics"] for i in said)
        ):
            found.failed.append(f"{each.name}: HAPI lacks a definition, so it checked less")
            continue
        difference = known.get(each.name)
        if ours_refuse == hapi_refuses:
            agreed += 1
            if ours_refuse:
                both_refused += 1
                same_place += _same_place(each.ours, theirs)
            if difference is not None:
                found.failed.append(f"{each.name}: both agree; take its row out of the table")
        elif difference and difference.refused_by == ("ours" if ours_refuse else "HAPI"):
            found.explained.append(f"{each.name}: {difference.reason}")
        else:
            lines = [f"{i.expression}: {i.diagnostics}" for i in each.ours if i.fails]
            lines += [f"{_place(i)}: {i.get('diagnostics', '')[:300]}" for i in theirs]
            by = "ours" if ours_refuse else "HAPI"
            found.failed.append(f"{each.name}: refused by {by} alone: {' / '.join(lines[:4])}")
    detail = f"{agreed} agree; both refuse {both_refused}"
    if both_refused:
        detail += f", {same_place} of them at the same place"
    return found.row(name, agreed, detail)


def _place(issue: dict[str, Any]) -> str:
    found = issue.get("expression") or issue.get("location") or [""]
    return re.sub(r"\.ofType\(\w+\)|/\*.*?\*/", "", str(found[0]))


def _same_place(ours: list[Issue], theirs: list[dict[str, Any]]) -> bool:
    """Whether any place that we name and one that HAPI names are the same, or one holds the other.

    HAPI often names the element around the wrong one.
    """
    for issue in ours:
        for other in theirs:
            first, second = sorted([issue.expression, _place(other)], key=len)
            if second.startswith(first) and first.count(".") >= second.count(".") - 1:
                return True
    return False


def give_definitions(server: HapiServer) -> None:
    """Write to HAPI the definitions that we check by: the tests' own, and the dialects'."""
    for folder in (DEFINITIONS, PROFILES):
        for file in sorted(folder.glob("*.json")):
            server.put(json.loads(file.read_text("utf-8")))


def response_cases(server: HapiServer) -> list[Input]:
    """The QuestionnaireResponse cases; their Questionnaires are written to HAPI first."""
    inputs = []
    for file in sorted(CASES.glob("*.json")):
        content = json.loads(file.read_text("utf-8"))
        # HAPI looks for a contained ValueSet by its url among the stored ones.
        for contained in content["questionnaire"].get("contained", ()):
            server.put(contained)
        server.put(content["questionnaire"])
        for case in content["cases"]:
            response = case["response"]
            ours = [*check_response(response, content["questionnaire"]), *check(response)]
            inputs.append(Input(f"{file.stem}: {case['name']}", response, ours))
    return inputs


def corpus() -> list[Input]:
    """The good and bad resources that our checks are tested with."""
    return [Input(name, each, check(each), needs=False) for name, each in _corpus_resources()]


def _corpus_resources() -> Iterator[tuple[str, dict[str, Any]]]:
    for file in sorted(CORPUS.rglob("*.json")):
        content = json.loads(file.read_text("utf-8"))
        name = str(file.relative_to(CORPUS).with_suffix(""))
        yield from _named(name, content)


def _named(name: str, content: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """Give the resources in a corpus file: one resource, or a list of cases with one each."""
    if isinstance(content, dict) and "resourceType" in content:
        yield name, content
    elif isinstance(content, dict) and isinstance(content.get("resource"), dict):
        yield name, content["resource"]
    elif isinstance(content, list):
        for number, part in enumerate(content):
            yield from _named(f"{name}: {part.get('fault', number)}", part)
    elif isinstance(content, dict):
        for key, part in content.items():
            yield from _named(f"{name}: {key}", part)


def own(resources: list[tuple[str, dict[str, Any]]], server: HapiServer) -> list[Input]:
    """What we emit: both must accept it."""
    known = Known(shipped())
    for _, resource in resources:
        # The first of a canonical is the one in its own language; a translation is not stored.
        new = not known.resource(str(resource.get("url", ""))) and known.add(resource)
        if new and "id" in resource:  # what has none is nobody's to refer to
            server.put(resource)
    return [Input(name, each, validate_resource(each, known=known)) for name, each in resources]
