"""Laws of the checks: the two passes agree, and nothing that a mutation makes escapes or raises."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from adapter.fhir import fast
from adapter.fhir.checks import check, check_base
from adapter.fhir.conformance import check_profile, claims
from adapter.fhir.explain import explain
from adapter.fhir.known import shipped
from adapter.fhir.profile_tests import profile_test

GOOD = [
    json.loads(path.read_bytes())
    for path in sorted((Path(__file__).parent / "corpus" / "good").glob("*.json"))
]
ODD = [
    None, True, False, 0, -1, 1.5, 10**12, "", " ", "x", "a b", "#", "#x", "urn:uuid:1",
    "Patient/1", "2026", "2026-02-30", "\u0000", [], {}, [None], [[]], {"id": "x"},
    {"extension": []}, ["x", "x"],
    {"reference": "Patient/1"}, {"coding": [{"code": "x"}]}, {"resourceType": "Patient"},
    {"resourceType": "Nothing"}, {"start": "2027", "end": "2026"}, {"value": float("1.5")},
]  # fmt: skip


def _places(node: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if isinstance(node, dict | list):
        for key in node if isinstance(node, dict) else range(len(node)):
            yield (*path, key)
            yield from _places(node[key], (*path, key))


def _hold(root: Any, path: tuple[Any, ...]) -> Any:
    for key in path[:-1]:
        root = root[key]
    return root


@st.composite
def mutated(draw: st.DrawFn, of: tuple[dict[str, Any], ...] = tuple(GOOD)) -> dict[str, Any]:
    """A good resource with one thing changed: removed, replaced, renamed, added or doubled."""
    resource = copy.deepcopy(draw(st.sampled_from(of)))
    places = list(_places(resource))
    path = draw(st.sampled_from(places))
    holder, key = _hold(resource, path), path[-1]
    change = draw(st.sampled_from(["remove", "replace", "rename", "add", "double", "swap"]))
    if change == "remove":
        del holder[key]
    elif change == "replace":
        holder[key] = draw(st.sampled_from(ODD))
    elif change == "double" and isinstance(holder, list):
        holder.append(copy.deepcopy(holder[key]))
    elif change == "swap":
        other = draw(st.sampled_from(places))
        source = _hold(resource, other)
        holder[key] = copy.deepcopy(source[other[-1]])
    elif isinstance(holder, dict):
        name = draw(
            st.sampled_from(["status", "_status", "id", "value", "valueString", "extension"])
        )
        holder[name] = holder.pop(key) if change == "rename" else draw(st.sampled_from(ODD))
    return resource


@settings(max_examples=200, deadline=None)
@given(mutated())
def test_what_the_fast_pass_approves_has_nothing_to_explain(resource: dict[str, Any]) -> None:
    try:
        clean = fast.clean(resource)
    except fast.EXCEPTIONS:
        return
    if clean:
        assert explain(resource) == []


@settings(max_examples=150, deadline=None)
@given(mutated(tuple(one for one in GOOD if "profile" in one.get("meta", {}))))
def test_what_a_compiled_profile_approves_has_nothing_to_explain(resource: dict[str, Any]) -> None:
    known = shipped()
    for one, place, canonical in claims(resource, "Resource"):
        profile = known.profile(canonical)
        if profile is None:
            continue
        try:
            keeps = profile_test(profile, known)(one)
        except fast.EXCEPTIONS:
            continue
        if keeps:
            assert check_profile(one, profile, known, place) == []


@settings(max_examples=200, deadline=None)
@given(mutated())
def test_every_issue_says_where_and_why(resource: dict[str, Any]) -> None:
    for issue in check(resource):
        assert issue.diagnostics
        assert issue.rule
        assert issue.expression.partition(".")[0] in (resource.get("resourceType"), "Resource")


@settings(max_examples=120, deadline=None)
@given(mutated())
def test_no_issue_quotes_a_name_an_address_or_a_number_of_a_person(
    resource: dict[str, Any],
) -> None:
    said = " ".join(issue.diagnostics for issue in check(resource))
    for private in (
        "Testpatient",
        "Rosalie",
        "416-555",
        "Sample Avenue",
        "9999999999",
        "Lives alone",
    ):
        assert private not in said


@settings(max_examples=200, deadline=None)
@given(st.recursive(st.sampled_from(ODD), lambda inner: st.dictionaries(
    st.sampled_from(["resourceType", "entry", "resource", "contained", "meta", "profile", "name"]),
    inner | st.lists(inner, max_size=3) | st.sampled_from(["Bundle", "Patient", "Task"]),
    max_size=4,
), max_leaves=20))  # fmt: skip
def test_rubbish_is_refused_and_never_raises(value: Any) -> None:
    if not (isinstance(value, dict) and value.get("resourceType") in ("Bundle", "Patient", "Task")):
        assert any(issue.fails for issue in check_base(value))
    check(value)


@settings(max_examples=120, deadline=None)
@given(st.sampled_from(GOOD), st.randoms())
def test_the_order_of_properties_does_not_matter(good: dict[str, Any], chance: Any) -> None:
    assert check_base(_shuffled(good, chance)) == []


def _shuffled(node: Any, chance: Any) -> Any:
    if isinstance(node, dict):
        names = list(node)
        chance.shuffle(names)
        return {name: _shuffled(node[name], chance) for name in names}
    return [_shuffled(one, chance) for one in node] if isinstance(node, list) else node
