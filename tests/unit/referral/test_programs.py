"""Which program a referral goes to, and what is said where there is no room."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from adapter.referral.admission import Choice, Rule, choose, first_fulfilment
from adapter.referral.model import Coding, Concept, Need, Referral, Service
from adapter.referral.programs import Catalogue, Program, rank

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
BEST = Rule(send="best")


def program(id: str, **more: Any) -> Program:
    values = {
        "name": {"en": id.title()},
        "organization": f"{id} club",
        "site": "agency",
        "needs": ("Z60.2",),
        **more,
    }
    return Program(id=id, **values)


def naming(name: str) -> Referral:
    return Referral(id="r-1", service=Service(program=name))


def needing(code: str = "Z60.2") -> Referral:
    need = Need(code=Concept(codings=(Coding(code=code),)))
    return Referral(id="r-1", needs=(need,))


def chosen(choice: Choice) -> str | None:
    return choice.program.id if choice.program else None


@pytest.mark.parametrize("room", ["full", "closed", "waitlist", "ask-first"])
def test_a_program_that_is_named_gets_the_referral_whatever_its_room_and_a_warning(
    room: Any,
) -> None:
    full = program("garden", capacity=room, capacity_at=NOW - timedelta(days=1))
    choice = choose(naming("GARDEN"), Catalogue([full]), Rule(), NOW)

    assert (chosen(choice), choice.destination) == ("garden", "agency")
    assert choice.warning.startswith("Garden ")
    assert choice.warning.endswith(", as of 2026-02-28")
    made = first_fulfilment(naming("garden"), None, choice.program, NOW)
    requested, warned = choice.entries(made)
    assert requested.kind == "fulfilment.requested"
    assert (warned.kind, warned.data["capacity"]) == ("program.no-room", room)
    assert warned.data["warning"] == choice.warning


@pytest.mark.parametrize("room", ["open", None])
def test_where_there_is_room_or_nobody_knows_nothing_is_warned_of(room: Any) -> None:
    choice = choose(naming("garden"), Catalogue([program("garden", capacity=room)]), Rule(), NOW)

    assert chosen(choice) == "garden"
    assert choice.warning == ""
    assert len(choice.entries(first_fulfilment(naming("garden"), None, choice.program, NOW))) == 1


@pytest.mark.parametrize("room", ["full", "closed", "ask-first"])
def test_no_rule_sends_to_a_program_that_is_full_closed_or_wants_to_be_asked(room: Any) -> None:
    best = program("garden", capacity=room, interests=(), languages=("en",))
    choice = choose(needing(), Catalogue([best, program("walks", needs=("z60.2",))]), BEST, NOW)
    assert chosen(choice) == "walks"
    assert any("garden" in each for each in choice.why) or best.capacity != "open"

    alone = choose(needing(), Catalogue([best]), BEST, NOW)
    assert chosen(alone) is None
    assert alone.why[0].startswith("garden ")
    assert alone.why[-1] == "a navigator decides"


def test_a_waiting_list_is_sent_to_with_a_warning_when_nothing_better_fits() -> None:
    choice = choose(needing(), Catalogue([program("garden", capacity="waitlist")]), BEST, NOW)
    assert chosen(choice) == "garden"
    assert choice.warning == "Garden has a waiting list alone"


def test_room_that_nobody_confirmed_for_long_counts_for_nothing() -> None:
    fresh = program("b-fresh", capacity="open", capacity_at=NOW - timedelta(days=29))
    stale = program("a-stale", capacity="open", capacity_at=NOW - timedelta(days=31))
    first, second = rank(needing(), Catalogue([stale, fresh]), at=NOW, fresh=timedelta(days=30))

    assert (first.program.id, second.program.id) == ("b-fresh", "a-stale")
    assert first.points - second.points == 10
    assert "has room" in first.why
    assert "has room" not in second.why


def test_what_only_a_directory_lists_cannot_take_the_name_of_a_program_of_the_file() -> None:
    listed = program("dir/7", name={"en": "Garden"}, site="elsewhere", identifiers=("garden",))
    choice = choose(naming("garden"), Catalogue([listed, program("garden")]), Rule(), NOW)
    assert chosen(choice) == "garden"


def test_a_name_that_two_programs_have_is_left_to_a_navigator() -> None:
    twins = [program(f"dir/{n}", name={"en": "Walking group"}) for n in (1, 2)]
    choice = choose(naming("walking group"), Catalogue(twins), BEST, NOW)
    assert chosen(choice) is None
    assert choice.why == ("it may mean any of dir/1, dir/2; a navigator decides",)


def test_a_number_tells_apart_what_a_name_does_not() -> None:
    twins = [program(f"dir/{n}", name={"en": "Walking"}, identifiers=(f"W{n}",)) for n in (1, 2)]
    assert chosen(choose(naming("w2"), Catalogue(twins), Rule(), NOW)) == "dir/2"


def test_a_program_that_no_site_reaches_is_never_chosen_and_the_referral_is_not_lost() -> None:
    far = program("dir/9", site="")
    named = choose(naming("dir/9"), Catalogue([far]), Rule(), NOW)
    assert (chosen(named), named.destination) == (None, None)
    assert "no configured site reaches" in named.why[0]
    assert chosen(choose(needing(), Catalogue([far]), BEST, NOW)) is None
    assert chosen(choose(needing(), Catalogue([far, program("near")]), BEST, NOW)) == "near"


def test_a_program_has_a_title_also_without_an_english_name() -> None:
    assert replace(program("x"), name={"fr": "Chorale"}).title == "Chorale"


def test_a_referral_is_for_few_of_many_programs_and_the_others_are_not_asked() -> None:
    many = [program(f"p{n}", needs=(f"need-{n}",), identifiers=(f"N{n}",)) for n in range(500)]
    catalogue = Catalogue([*many, program("garden")])
    assert [each.id for each in catalogue.numbered(["n7", "GARDEN"])] == ["p7", "garden"]
    assert [each.id for each in catalogue.serving(["NEED-3", "need-499"])] == ["p3", "p499"]
    assert catalogue.numbered([]) == catalogue.serving(["need-500"]) == ()
    assert chosen(choose(naming("N8"), catalogue, Rule(), NOW)) == "p8"
