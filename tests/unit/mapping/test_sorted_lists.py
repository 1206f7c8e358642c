"""A JSON list that many selectors look at is sorted once, and every selector finds the same."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapter.plugin.formats import Frame, Match, Step
from adapter.plugin.json_sorting import sorted_items, sorters

URL = ("url",)
CODE = ("code", "coding", 0, "code")


def asks(kind: str, path: tuple[str | int, ...], *values: str, negated: bool = False) -> Step:
    return Step(kind, None, (Match(path, values, negated),))


def items(url: st.SearchStrategy[object]) -> st.SearchStrategy[list[dict[str, object]]]:
    return st.lists(st.fixed_dictionaries({}, optional={"url": url, "n": st.integers()}))


@given(items(st.sampled_from(["a", "b", 1, None, ["a"], {"a": "b"}])))
def test_each_item_stands_under_its_text_in_order(found: list[dict[str, object]]) -> None:
    by_url = sorters([URL])["by_url"](found)
    for value in ("a", "b"):
        assert by_url.get(value, []) == [each for each in found if each.get("url") == value]
    assert all(isinstance(key, str) for key in by_url)


@pytest.mark.parametrize("code", [{}, {"coding": []}, {"coding": [{}]}, {"coding": [1]}, 1])
def test_an_item_without_the_place_is_no_item_of_any_value(code: object) -> None:
    right = {"code": {"coding": [{"code": "a"}]}}
    sort = sorters([CODE])["by_code_coding_0_code"]
    assert sort([{"code": code}, right, {}]) == {"a": [right]}


def test_a_list_is_sorted_for_three_selectors_of_one_place_and_only_once() -> None:
    three = [asks("match", URL, "a"), asks("items", URL, "b"), asks("match", URL, "c")]
    frame = Frame("x1", wanted=three)
    first, second, _ = (sorted_items(step, frame, "x1", "x1") for step in three)
    assert first is not None
    assert first.setup == ("x1_url = by_url(x1)",)
    assert second is not None
    assert (second.setup, second.rest) == ((), ())
    assert second.items.endswith(".get('b', ())")


@pytest.mark.parametrize(
    "third",
    [
        asks("match", ("code",), "a"),
        asks("match", URL, "a", "b"),
        asks("match", URL, "a", negated=True),
        Step("match", None, (Match(URL, ("a",), False, True),)),
    ],
    ids=["another place", "several values", "a value that must not be", "written only"],
)
def test_two_selectors_are_quicker_to_look_through(third: Step) -> None:
    frame = Frame("x1", wanted=[asks("match", URL, "a"), asks("match", URL, "b"), third])
    assert all(sorted_items(step, frame, "x1", "x1") is None for step in frame.wanted)
