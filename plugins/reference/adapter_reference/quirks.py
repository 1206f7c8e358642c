"""Quirks: what a peer of one maker names otherwise, as a table in a level 0 plugin's file.

Every key may be left out; an unknown one is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from adapter.plugin import ConfigError

Place = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._~/-]{0,200}$")]
Word = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_.-]{0,63}$")]
Folder = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}$")]


class _Quirks(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ApiQuirks(_Quirks):
    """Of a peer with a JSON API: its paths, behind base_url, and its words."""

    status: Place = Field(default="status", description="GET: it is well and lets us in")
    messages: Place = Field(
        default="messages", description="POST: it takes a message; GET with `key`: whether it did"
    )
    outbox: Place = Field(default="outbox", description="GET: what it keeps for us")
    programs: Place = Field(default="programs", description="GET: the programs, and their room")
    key: Word = Field(default="key", description="parameter of messages: the delivery's id")
    after: Word = Field(default="after", description="parameter of outbox: the cursor")
    limit: Word = Field(default="limit", description="parameter of outbox: how many at a time")
    idempotency_header: Word = Field(
        default="Idempotency-Key", description="header of a delivery that carries its id"
    )


class FolderQuirks(_Quirks):
    """Of a peer that shares a folder: the names in it."""

    incoming: Folder = Field(default="in", description="the folder that it puts its files into")
    outgoing: Folder = Field(default="out", description="the folder that we put ours into")
    suffix: Annotated[str, StringConstraints(pattern=r"^(\.[A-Za-z0-9]{1,16}){0,2}$")] = Field(
        default=".json", description="what the names of our files end in"
    )


Q = TypeVar("Q", ApiQuirks, FolderQuirks)


def quirks_from(kind: type[Q], table: Mapping[str, Any], name: str) -> Q:
    """Quirks from a table.

    Raises:
        ConfigError: it says what we do not know.
    """
    try:
        return kind.model_validate(dict(table))
    except ValidationError as error:
        lines = "; ".join(
            f"{'.'.join(str(part) for part in each['loc'])}: {each['msg']}"
            for each in error.errors(include_input=False, include_url=False)
        )
        raise ConfigError(
            "reference.quirks",
            f"the quirks of {name} are not right: {lines}",
            fix="Correct these keys; the README of the plugin reference lists them all.",
        ) from error
