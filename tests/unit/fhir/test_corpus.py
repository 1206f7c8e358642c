"""The corpus: what is right is accepted, and each fault is refused at its place by its rule."""

from __future__ import annotations

import copy
import json
import os
import re
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from adapter.fhir.checks import check, check_base
from adapter.fhir.definitions import UnknownElement, UnknownType, concrete_name, element
from adapter.fhir.explain import explain
from adapter.fhir.outcome import operation_outcome

SHARED = Path(os.environ.get("ADAPTER_SHARED", Path(__file__).parents[4] / "shared"))


def test_a_good_resource_has_no_issue(good: dict[str, Any]) -> None:
    assert check(good) == []


def test_a_fault_gives_its_issue_and_no_other(fault: Any) -> None:
    found = [(i.expression, i.rule, i.severity) for i in check(fault.resource) if i.fails]
    assert found == [(fault.expression, fault.rule, fault.severity)]


def test_an_outcome_that_names_a_fault_is_itself_right(fault: Any) -> None:
    assert check(operation_outcome(check(fault.resource))) == []


def test_the_corpus_is_as_large_as_promised(
    good_corpus: dict[str, dict[str, Any]], fault_corpus: list[Any]
) -> None:
    assert len(good_corpus) >= 60
    assert len({one["resourceType"] for one in good_corpus.values()}) >= 30
    assert len(fault_corpus) >= 150
    assert len({one.name for one in fault_corpus}) == len(fault_corpus)
    resources = {json.dumps(one.resource, sort_keys=True) for one in fault_corpus}
    assert len(resources) == len(fault_corpus)


def test_the_explaining_pass_alone_says_the_same_of_good_resources(good: dict[str, Any]) -> None:
    assert explain(good) == []


def test_checking_changes_nothing(good: dict[str, Any]) -> None:
    before = copy.deepcopy(good)
    check(good)
    explain(good)
    assert good == before


def test_the_models_of_another_maker_accept_the_good_ones(good: dict[str, Any]) -> None:
    """fhir.resources has R4B models; the types here are the same in R4 and R4B."""
    kind = good["resourceType"]
    model = getattr(import_module(f"fhir.resources.R4B.{kind.lower()}"), kind)
    assert model.model_validate(copy.deepcopy(good)).get_resource_type() == kind


def test_each_named_place_exists_in_r4_or_is_said_to_be_unknown(fault: Any) -> None:
    path = re.sub(r"\[\d+\]", "", fault.expression)
    for step in ("resource", "contained"):  # below is a resource of another type
        path = path.partition(f".{step}.")[0] + f".{step}" if f".{step}." in path else path
    names = path.split(".")
    if fault.rule == "unknown-element":
        *names, unknown = names
        with pytest.raises(UnknownElement):
            element(".".join([*names, unknown]))
    if len(names) > 1:
        _exists(names)


def _exists(names: list[str]) -> None:
    """Some reading of a FHIRPath, where a choice goes by its bare name, is an R4 element."""
    paths = {names[0]}
    for name in names[1:]:
        paths = {found for path in paths for found in _children(path, name)}
    assert paths, ".".join(names)


def _children(path: str, name: str) -> set[str]:
    try:
        element(f"{path}.{name}")
        return {f"{path}.{name}"}
    except UnknownElement:
        pass
    try:
        types = element(f"{path}.{name}[x]").types
    except (UnknownElement, UnknownType):
        return set()
    return {f"{path}.{concrete_name(f'{name}[x]', one)}" for one in types}


@pytest.mark.skipif(not (SHARED / "samples" / "sdohcc").is_dir(), reason="no shared samples here")
def test_the_published_examples_have_no_error(record_property: Any) -> None:
    files = sorted((SHARED / "samples" / "sdohcc").glob("*.json"))
    record_property("files_read", len(files))
    print(f"{len(files)} published examples read")
    wrong = {
        path.name: [issue for issue in check(json.loads(path.read_bytes())) if issue.fails]
        for path in files
    }
    assert len(files) >= 50
    assert {name: issues for name, issues in wrong.items() if issues} == {}


def test_a_resource_that_is_no_object_is_refused() -> None:
    for value in (None, [], "Patient", 1, True):
        assert [issue.severity for issue in check_base(value)] == ["fatal"]
