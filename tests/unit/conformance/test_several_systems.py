"""A plugin with several systems is examined with each of them, and as good as its worst."""

from __future__ import annotations

from dataclasses import replace

import pytest

from adapter.plugin import Check
from adapter_conformance.requirement import requirements
from adapter_conformance.run import Result, Word, _worst, examine
from adapter_conformance.subject import installed, subject_of
from adapter_reference.shared_folder import ReferenceFiles

REQUIREMENT = next(iter(requirements()))


class Alarmist(ReferenceFiles):
    """Its check finds fault with every peer."""

    async def check(self) -> list[Check]:
        return [Check(name="folder", state="fail", detail="never", fix="never")]


def test_a_fault_of_the_second_system_is_a_fault_of_the_plugin() -> None:
    subject = installed("reference")
    (second,) = subject.others
    assert second.spec is not None
    assert (second.spec.name, second.profile.peer) == ("reference-files", "files")
    second.system = Alarmist

    outcome = examine(subject, only=["lifecycle.check-passes"])

    failed = {e.requirement.id: e.detail for e in outcome.results if e.word == "fail"}
    assert list(failed) == ["lifecycle.check-passes"]
    assert failed["lifecycle.check-passes"].startswith("reference-files: ")
    assert outcome.level is None


def test_a_plugin_that_brings_no_system_reaches_no_level() -> None:
    whole = installed("reference")
    plugin = replace(whole.plugin, systems=())
    bare = subject_of(plugin, whole.plugins, "adapter_reference", whole.readme)

    outcome = examine(bare)

    assert not [each for each in outcome.results if each.word == "fail"]
    assert outcome.level is None


@pytest.mark.parametrize(
    ("first", "second", "together", "detail"),
    [
        ("pass", "pass", "pass", ""),
        ("pass", "not-supported", "pass", ""),
        ("not-supported", "pass", "pass", ""),
        ("not-supported", "not-supported", "not-supported", "why"),
        ("not-supported", "fail", "fail", "b: why"),
        ("pass", "not-run", "not-run", "b: why"),
        ("waived", "pass", "waived", "a: why"),
    ],
)
def test_the_worse_result_counts_and_says_whose_it_is(
    first: Word, second: Word, together: Word, detail: str
) -> None:
    def result(word: Word) -> Result:
        detail = "" if word == "pass" else "why"
        return Result(requirement=REQUIREMENT, word=word, detail=detail)

    found = _worst({"a": result(first), "b": result(second)})

    assert (found.word, found.detail) == (together, detail)
