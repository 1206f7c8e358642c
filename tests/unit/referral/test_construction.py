"""Classes of the model are made quickly, and are as frozen as they were."""

from __future__ import annotations

import copy
import inspect
import pickle
from dataclasses import FrozenInstanceError, dataclass, field, replace
from typing import get_type_hints

import pytest

from adapter.referral.model import Coding, Concept, Referral
from adapter.referral.model.construction import quick


def test_an_object_is_whole_and_cannot_be_changed() -> None:
    coding = Coding(system="s", code="c")
    assert type(coding) is Coding
    assert (coding.system, coding.code, coding.display) == ("s", "c", None)
    with pytest.raises(FrozenInstanceError):
        coding.code = "d"  # type: ignore[misc]
    with pytest.raises(FrozenInstanceError):
        del coding.code
    assert not hasattr(coding, "__dict__")


def test_objects_are_equal_copied_and_changed_as_those_of_any_dataclass() -> None:
    concept = Concept(codings=(Coding(code="c"),), text="t")
    assert concept == Concept(codings=(Coding(code="c"),), text="t")
    assert hash(concept) == hash(copy.deepcopy(concept))
    assert pickle.loads(pickle.dumps(concept)) == concept
    assert replace(concept, text="u") == Concept(codings=(Coding(code="c"),), text="u")


def test_only_fields_can_be_given_and_by_name() -> None:
    with pytest.raises(TypeError):
        Coding("s")  # type: ignore[misc]
    with pytest.raises(TypeError):
        Coding(banana="b")  # type: ignore[call-arg]


def test_a_constructor_says_what_it_takes() -> None:
    assert "needs" in inspect.signature(Referral).parameters
    assert get_type_hints(Coding.__init__)["code"] == str | None


def test_a_field_without_a_default_must_be_given() -> None:
    @quick
    @dataclass(frozen=True, slots=True, kw_only=True)
    class Numbered:
        number: int
        name: str = "none"

    assert (Numbered(number=1).number, Numbered(number=1).name) == (1, "none")
    with pytest.raises(TypeError):
        Numbered()  # type: ignore[call-arg]


def test_a_class_that_does_more_is_refused() -> None:
    with pytest.raises(TypeError, match="Listed does more"):

        @quick
        @dataclass(frozen=True, slots=True, kw_only=True)
        class Listed:
            items: list[str] = field(default_factory=list)
