"""The book of programs: the file's rows and what directories list, put together."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import orjson
import pytest

from adapter.exchange.book import Listing, ProgramBook
from adapter.exchange.listings import Gathered
from adapter.exchange.sites import SiteFacts
from adapter.plugin import FULL, Capabilities, Capacity, ListedProgram
from adapter.plugin.errors import DataError, PluginError
from adapter.referral.programs import Program
from adapter.store.directories import ProgramRow

AT = datetime(2026, 3, 1, tzinfo=UTC)


def site(name: str, organization: str, role: str = "performer", **more: Any) -> SiteFacts:
    values: dict[str, Any] = {
        "system": "x", "test": True, "timezone": ZoneInfo("UTC"), "language": "en", "dialect": None,
        "lifecycle": "sdohcc", "disclosure": "community-minimum", "consent": "required",
        "poll_seconds": 60, "capabilities": Capabilities(delivers=FULL), **more,
    }  # fmt: skip
    return SiteFacts(name=name, organization=organization, role=role, **values)


SITES = {
    each.name: each
    for each in (
        site("agency", "Garden Club"),
        site("dir", "211", "directory"),
        site("club", "Choir", directory=True),
        site("real", "Real Club", test=False),
    )
}
OWN = Program(
    id="friday", name={"en": "Friday", "fr": "Vendredi"}, organization="Garden Club", site="agency",
    identifiers=("G1",),
)  # fmt: skip


def row(id: str, capacity: str | None = None, **more: Any) -> ProgramRow:
    listing = asdict(ListedProgram(id=id, name={"en": id.upper()}, **more))
    room = asdict(Capacity(program=id, status=capacity)) if capacity else None  # type: ignore[arg-type]
    return ProgramRow(id=id, listing=listing, capacity=room)


def book(*rows: ProgramRow, directory: str = "dir", own: tuple[Program, ...] = (OWN,)) -> Any:
    made = ProgramBook(own, SITES)
    made.use(directory, Listing(rows=rows, reported_at=AT))
    return made


def test_a_listed_program_is_reached_by_the_site_of_its_organization() -> None:
    found = book(row("s1", provided_by="garden club", communication=("fr-CA",)))["dir/s1"]
    assert (found.site, found.languages, found.listed_by) == ("agency", ("fr",), "dir")
    assert (found.capacity, found.capacity_at) == (None, None)


def test_a_program_of_an_organization_without_a_site_is_there_and_not_reached() -> None:
    found = book(row("s1", provided_by="Nobody"))["dir/s1"]
    assert found.site == ""


def test_a_program_is_reached_by_the_directory_itself_where_that_takes_referrals() -> None:
    made = book(row("c1", provided_by="Choir of Another Name"), directory="club")
    assert made["club/c1"].site == "club"


def test_a_test_directory_leads_to_no_real_site() -> None:
    assert book(row("s1", provided_by="Real Club"))["dir/s1"].site == ""


def test_of_two_sites_of_one_organization_none_is_guessed() -> None:
    made = ProgramBook((), {**SITES, "second": site("second", "Garden Club")})
    made.use("dir", Listing(rows=(row("s1", provided_by="Garden Club"),)))
    assert made["dir/s1"].site == ""


@pytest.mark.parametrize("number", ["G1", "friday"])
def test_a_row_of_the_file_learns_its_room_and_keeps_its_words(number: str) -> None:
    made = book(row("s1", "full", provided_by="Garden Club", identifiers=(number,)))
    assert list(made) == ["friday"]
    found = made["friday"]
    assert (found.name["fr"], found.capacity, found.capacity_at) == ("Vendredi", "full", AT)
    assert found.listed_by == "dir"


def test_a_row_that_names_the_listing_itself_is_the_same_whoever_runs_it() -> None:
    own = Program(**{**asdict(OWN), "identifiers": ("dir/s1",), "organization": "Else"})
    made = book(row("s1", "waitlist", provided_by="Garden Club"), own=(own,))
    assert made["friday"].capacity == "waitlist"


def test_another_organizations_number_is_not_ours() -> None:
    made = book(row("s1", "full", provided_by="Choir", identifiers=("G1",)))
    assert made["friday"].capacity == "open"
    assert "dir/s1" in made


def test_a_program_that_runs_no_more_is_closed() -> None:
    made = book(row("G1", active=False, provided_by="Garden Club"), row("s2", active=False))
    assert (made["friday"].capacity, made["dir/s2"].capacity) == ("closed", "closed")


def test_a_site_may_say_how_much_room_its_own_programs_of_the_file_have() -> None:
    own = Program(**{**asdict(OWN), "site": "club"})
    room = asdict(Capacity(program="G1", status="full", note="Until May."))
    made = book(ProgramRow(id="G1", listing=None, capacity=room), directory="club", own=(own,))
    assert (made["friday"].capacity, made["friday"].capacity_note) == ("full", "Until May.")
    other = book(ProgramRow(id="G1", listing=None, capacity=room), directory="club")
    assert other["friday"].capacity == "open"


def test_a_new_list_replaces_the_last_one() -> None:
    made = book(row("s1"), row("s2"))
    made.use("dir", Listing(rows=(row("s2"),)))
    assert list(made) == ["friday", "dir/s2"]
    made.use("dir", Listing())
    assert made.all == (OWN,)


# -- what is taken of what a plugin yields ------------------------------------------------------


def listed(id: Any = "s1", **more: Any) -> ListedProgram:
    return ListedProgram(**{"id": id, "name": {"en": "Garden"}, **more})


@pytest.mark.parametrize(
    "item",
    [
        None,
        {"id": "s1"},
        listed(7),
        listed(name="Garden"),
        listed(category=["Z60.2"]),
        listed(active="yes"),
        listed(updated="2026-01-01"),
    ],
    ids=str,
)
def test_a_wrong_type_refuses_the_whole_list(item: Any) -> None:
    with pytest.raises(PluginError, match=r"list_programs\(\) of the plugin of dir") as found:
        Gathered("dir").add(item)
    assert found.value.code == "plugin.wrong-type"


@pytest.mark.parametrize(
    "item",
    [
        listed(""),
        listed("a b"),
        listed("é"),
        listed(name={}),
        listed(name={"de": "Garten"}),
        listed(name={"en": "x" * 301}),
        listed(characteristic=("x",) * 501),
        listed(updated=datetime(2026, 1, 1)),  # noqa: DTZ001 - without an offset is what is wrong
    ],
    ids=lambda item: str(item)[:40],
)
def test_a_value_that_cannot_be_leaves_one_program_out_with_the_reason(item: Any) -> None:
    gathered = Gathered("dir")
    gathered.add(item)
    gathered.add(listed("fine"))
    assert [each.id for each in gathered.rows(listed=True)] == ["fine"]
    assert len(gathered.left_out) == 1
    assert gathered.left_out[0]["why"]
    assert orjson.dumps(gathered.left_out)


def test_the_same_program_twice_is_one_and_two_of_one_id_are_refused() -> None:
    gathered = Gathered("dir")
    gathered.add(listed())
    gathered.add(listed())
    assert len(gathered.listings) == 1
    with pytest.raises(DataError, match="two different things of the program s1"):
        gathered.add(listed(cost="free"))


def test_a_list_without_an_end_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("adapter.exchange.listings.MOST", 10)
    gathered = Gathered("dir")
    for number in range(10):
        gathered.add(listed(f"s{number}"))
    with pytest.raises(DataError) as found:
        gathered.add(listed("s10"))
    assert found.value.code == "directory.endless"


def test_texts_lose_what_would_move_a_terminals_cursor() -> None:
    gathered = Gathered("dir")
    gathered.add(listed(name={"en": "Gar\x1b[2Jden\u202e\r"}, comment="one\ntwo\x07"))
    made = gathered.listings["s1"]
    assert (made["name"]["en"], made["comment"]) == ("Gar [2Jden", "one\ntwo")


@pytest.mark.parametrize(
    ("more", "fine"),
    [
        ({"available": 3, "maximum": 12}, True),
        ({"available": 13, "maximum": 12}, False),
        ({"available": -1}, False),
        ({"note": "x" * 1001}, False),
        ({"status": "maybe"}, False),
    ],
)
def test_room_that_cannot_be_is_left_out(more: dict[str, Any], fine: bool) -> None:
    gathered = Gathered("dir")
    gathered.report(Capacity(**{"program": "s1", "status": "open", **more}))
    assert bool(gathered.rooms) is fine
    assert bool(gathered.left_out) is not fine
