"""What a directory listed, checked: as it is stored, or why a program of it cannot be taken.

A wrong type is the plugin's fault, and the whole list is refused. A value that is too long or
missing is one program's: it is left out with the reason, and the others are taken.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import fields
from typing import Annotated, Any, Literal

from pydantic import (
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

from adapter.exchange.plugin_items import wrong_type
from adapter.plugin.directory import Capacity, ListedProgram, Room
from adapter.plugin.errors import DataError
from adapter.store.directories import ProgramRow

MOST = 20_000
"""Programs in one list; more are taken for a list that never ends."""
MOST_BYTES = 32 * 1024 * 1024
"""Of one list as it is stored."""
LEFT_OUT_SHOWN = 50


def _plain(value: Any) -> Any:
    """A text without what would move a reader's cursor, or turn round how it reads."""
    if not isinstance(value, str):
        return value
    return "".join(" " if _moves(each) else each for each in value).strip()


def _moves(character: str) -> bool:
    if character in "\n\u200c\u200d":  # what joins letters of scripts and signs is part of them
        return False
    return unicodedata.category(character) in ("Cc", "Cf", "Zl", "Zp")


Plain = BeforeValidator(_plain)
Word = Annotated[str, Plain, Field(min_length=1, max_length=300)]
Id = Annotated[str, Field(pattern=r"^[!-~]{1,200}$")]
Words = Annotated[tuple[Word, ...], Field(max_length=500)]
Short = Annotated[str, Plain, Field(max_length=1_000)]
Text = Annotated[str, Plain, Field(max_length=20_000)]


class _Checked(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, hide_input_in_errors=True)


class _Listing(_Checked):
    id: Id
    name: Annotated[dict[Literal["en", "fr"], Word], Field(min_length=1)]
    active: bool
    provided_by: Annotated[str, Plain, Field(max_length=300)]
    identifiers: Words
    category: Words
    characteristic: Words
    communication: Words
    eligibility: Text
    coverage_area: Words
    cost: Short
    comment: Text
    email: Short | None
    phone: Short | None
    url: Short | None
    updated: AwareDatetime | None


class _Room(_Checked):
    program: Id
    status: Room
    available: Annotated[int | None, Field(ge=0, le=10_000_000)]
    maximum: Annotated[int | None, Field(ge=0, le=10_000_000)]
    unit: Annotated[str, Plain, Field(max_length=100)]
    note: Short
    updated: AwareDatetime | None

    @model_validator(mode="after")
    def _counts_agree(self) -> _Room:
        counted = self.available is not None and self.maximum is not None
        if counted and (self.available or 0) > (self.maximum or 0):
            raise ValueError("more places are available than there are")
        return self


class Gathered:
    """One list as it comes in, with what had to be left out."""

    def __init__(self, site: str) -> None:
        self._site = site
        self._size = 0
        self.listings: dict[str, dict[str, Any]] = {}
        self.rooms: dict[str, dict[str, Any]] = {}
        self.left_out: list[dict[str, str]] = []
        self.left_out_count = 0

    def add(self, item: Any) -> None:
        """Take one program.

        Raises:
            PluginError: it is no `ListedProgram`. DataError: one id stands for two programs, or
                the list does not end.
        """
        method = "list_programs()"
        if not isinstance(item, ListedProgram):
            raise wrong_type(self._site, method, f"is a {type(item).__name__}, no ListedProgram")
        found = self._checked(_Listing, item, method)
        if found is not None:
            self._take(self.listings, found["id"], found)

    def report(self, item: Any) -> None:
        """Take what is said of one program's room.

        Raises:
            PluginError, DataError: as `add`.
        """
        method = "report_capacity()"
        if not isinstance(item, Capacity):
            raise wrong_type(self._site, method, f"is a {type(item).__name__}, no Capacity")
        found = self._checked(_Room, item, method)
        if found is not None:
            self._take(self.rooms, found.pop("program"), found)

    def rows(self, *, listed: bool) -> list[ProgramRow]:
        """As it is stored; where nothing is listed, what is said of programs of the file."""
        rows = [
            ProgramRow(id=id, listing=listing, capacity=self.rooms.get(id))
            for id, listing in self.listings.items()
        ]
        if listed:
            return rows
        return [ProgramRow(id=id, listing=None, capacity=each) for id, each in self.rooms.items()]

    def _checked(self, kind: type[_Checked], item: Any, method: str) -> dict[str, Any] | None:
        value = {each.name: getattr(item, each.name) for each in fields(item)}
        if isinstance(value.get("name"), Mapping):
            value["name"] = dict(value["name"])
        try:
            return kind.model_validate(value).model_dump(mode="json")
        except ValidationError as error:
            types = [each for each in error.errors(include_input=False) if _is_type(each["type"])]
            if types:
                where = ".".join(str(part) for part in types[0]["loc"])
                raise wrong_type(self._site, method, f"has a wrong type at {where}") from None
            self._leave_out(value, error)
            return None

    def _leave_out(self, value: dict[str, Any], error: ValidationError) -> None:
        self.left_out_count += 1
        if len(self.left_out) >= LEFT_OUT_SHOWN:
            return
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(str(part)[:40] for part in first["loc"])
        known = str(value.get("id", value.get("program", "")))
        known = known if known.isprintable() else ""
        why = f"{where}: {first['msg']}" if where else first["msg"]
        self.left_out.append({"program": known[:60], "why": why})

    def _take(self, among: dict[str, dict[str, Any]], id: str, found: dict[str, Any]) -> None:
        before = among.get(id)
        if before is not None and before != found:
            raise DataError(
                "directory.duplicate",
                f"the directory of {self._site} says two different things of the program {id[:60]}",
                fix="Ask who keeps the directory; the list of the last time stands until then.",
            )
        among[id] = found
        self._size += len(str(found))
        if len(among) > MOST or self._size > MOST_BYTES:
            raise DataError(
                "directory.endless",
                f"the directory of {self._site} lists more than {MOST} programs, or more than "
                f"{MOST_BYTES >> 20} MB of them",
                fix="Let it list a part of them alone, such as those of your area; the list of the "
                "last time stands until then.",
            )


def _is_type(kind: str) -> bool:
    """Whether an error of pydantic is about a type, and not about a value."""
    return kind.endswith("_type") or kind in ("extra_forbidden", "missing")
