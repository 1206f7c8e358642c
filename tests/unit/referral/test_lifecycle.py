"""The sdohcc table against the guide's status diagram, cell by cell."""

from __future__ import annotations

import itertools

import pytest

from adapter.referral.lifecycle import ACTORS, STATUSES, LifecycleError, lifecycle, lifecycles

# Read off the status diagram of SDOH Clinical Care 3.0.0, kept apart from the table under test.
REQUESTER, PERFORMER = {"requester"}, {"performer"}
EITHER = REQUESTER | PERFORMER
DIAGRAM = {
    ("draft", "requested"): REQUESTER,
    ("requested", "accepted"): PERFORMER,
    ("requested", "rejected"): PERFORMER,
    ("requested", "cancelled"): EITHER,
    ("accepted", "in-progress"): PERFORMER,
    ("accepted", "on-hold"): PERFORMER,
    ("accepted", "cancelled"): EITHER,
    ("accepted", "completed"): PERFORMER,
    ("accepted", "failed"): PERFORMER,
    ("in-progress", "on-hold"): PERFORMER,
    ("in-progress", "cancelled"): EITHER,
    ("in-progress", "completed"): PERFORMER,
    ("in-progress", "failed"): PERFORMER,
    ("on-hold", "in-progress"): PERFORMER,
    ("on-hold", "cancelled"): EITHER,
    ("on-hold", "completed"): PERFORMER,
    ("on-hold", "failed"): PERFORMER,
    **{
        (status, "entered-in-error"): REQUESTER
        for status in STATUSES
        if status not in ("entered-in-error", "received", "ready")
    },
}
CELLS = list(itertools.product(STATUSES, STATUSES, ACTORS))


def test_there_are_288_cells_and_30_of_them_are_legal() -> None:
    assert len(CELLS) == 288
    assert sum(len(actors) for actors in DIAGRAM.values()) == 30
    assert len(DIAGRAM) == 26


@pytest.mark.parametrize(("before", "after", "actor"), CELLS)
def test_the_table_allows_what_the_diagram_draws_and_nothing_else(before, after, actor) -> None:
    drawn = actor in DIAGRAM.get((before, after), set())

    assert lifecycle("sdohcc").allows(before, after, actor) is drawn


def test_nothing_but_an_error_leaves_a_terminal_status() -> None:
    table = lifecycle("sdohcc")

    for status in table.terminal:
        assert set(table.choices(status, "performer")) == set()
        assert set(table.choices(status, "requester")) <= {"entered-in-error"}


def test_foreign_statuses_are_taken_as_requested() -> None:
    assert lifecycle("sdohcc").normal("received") == "requested"
    assert lifecycle("sdohcc").normal("accepted") == "accepted"


def test_an_unknown_lifecycle_names_those_that_exist() -> None:
    with pytest.raises(LifecycleError, match="sdohcc"):
        lifecycle("nowhere")


def test_every_shipped_table_loads() -> None:
    assert "sdohcc" in lifecycles()
    for name in lifecycles():
        assert lifecycle(name).name == name


def test_a_patients_task_moves_as_the_guide_says_and_no_further() -> None:
    table = lifecycle("sdohcc-patient")
    ends = {"cancelled", "completed", "failed"}
    drawn = {("ready", to) for to in ends | {"in-progress", "on-hold"}}
    drawn |= {("in-progress", to) for to in ends | {"on-hold"}}
    drawn |= {("on-hold", to) for to in ends | {"in-progress"}}
    errors = {(status, "entered-in-error") for status in ends | {"ready", "in-progress", "on-hold"}}
    for before in STATUSES:
        for after in STATUSES:
            move = (before, after)
            assert table.allows(before, after, "performer") is (move in drawn), move
            mine = move in errors or (move in drawn and after == "cancelled")
            assert table.allows(before, after, "requester") is mine, move
