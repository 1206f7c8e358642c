"""A program as the peer's JSON has it, in the terms of the core; what is not there stays empty."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, cast

from adapter.plugin import Capacity, ListedProgram, SystemFault
from adapter.plugin.directory import Room

ROOMS: Mapping[str, Room] = {
    "free": "open",
    "list": "waitlist",
    "full": "full",
    "ask": "ask-first",
    "pause": "closed",
}
"""The peer's words for how much room there is. One that is not here is a fault, never a guess."""


def listed(item: Mapping[str, Any]) -> ListedProgram:
    """One program.

    Raises:
        SystemFault: it has no id or no name, or holds what has another type.
    """
    name = item.get("name")
    if not isinstance(item.get("id"), str) or not isinstance(name, dict):
        raise _broken("has a program without an id or a name")
    return ListedProgram(
        id=item["id"],
        name={language: _text(name, language) for language in ("en", "fr") if language in name},
        active=item.get("runs") is not False,
        provided_by=_text(item, "organization"),
        identifiers=_words(item, "numbers"),
        category=_words(item, "needs"),
        characteristic=_words(item, "interests"),
        communication=_words(item, "languages"),
        eligibility=_text(item, "who"),
        coverage_area=_words(item, "area"),
        cost=_text(item, "cost"),
        comment=_text(item, "about"),
        email=_text(item, "email") or None,
        phone=_text(item, "phone") or None,
        url=_text(item, "web") or None,
        updated=_moment(item, "changed"),
    )


def room(item: Mapping[str, Any]) -> Capacity | None:
    """How much room a program has; None if the peer does not say.

    Raises:
        SystemFault: it says what we do not know.
    """
    said = item.get("room")
    if said is None:
        return None
    if not isinstance(said, dict) or said.get("status") not in ROOMS:
        raise _broken("says of a program's room what we do not know")
    return Capacity(
        program=_text(item, "id"),
        status=ROOMS[said["status"]],
        available=_number(said, "places"),
        maximum=_number(said, "of"),
        unit=_text(said, "unit"),
        note=_text(said, "note"),
        updated=_moment(said, "said"),
    )


def _text(item: Mapping[str, Any], key: str) -> str:
    found = item.get(key, "")
    if not isinstance(found, str):
        raise _broken(f"has a program whose {key} is no text")
    return found


def _words(item: Mapping[str, Any], key: str) -> tuple[str, ...]:
    found = item.get(key, [])
    if not isinstance(found, list) or not all(isinstance(each, str) for each in found):
        raise _broken(f"has a program whose {key} is no list of texts")
    return tuple(cast("list[str]", found))


def _number(item: Mapping[str, Any], key: str) -> int | None:
    found = item.get(key)
    if found is not None and type(found) is not int:
        raise _broken(f"has a program whose {key} is no number")
    return found


def _moment(item: Mapping[str, Any], key: str) -> datetime | None:
    text = _text(item, key)
    if not text:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise _broken(f"has a program whose {key} is no time") from None
    if found.tzinfo is None:
        raise _broken(f"has a program whose {key} has no offset from UTC")
    return found


def _broken(why: str) -> SystemFault:
    return SystemFault(
        "reference.programs",
        f"the peer's list {why}",
        fix="Show the peer's maker what its programs hold; the README says what is expected.",
    )
