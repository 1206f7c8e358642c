"""Quirks: what is different at a vendor's, as a table in a file.

The files of this package (`adapter_fhir/quirks/*.toml`) are the vendors that we know; a level 0
plugin brings its own. Every key may be left out; an unknown one is refused.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from adapter.plugin import ConfigError


class Quirks(BaseModel):
    """What a server does otherwise than its /metadata lets expect."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    vendor: str = Field(default="FHIR R4 server", description="the vendor's name, for messages")
    task: Literal["full", "update-only", "none"] = Field(
        default="full",
        description="full: Tasks are created and updated; update-only: they are made there, we "
        "update them; none: there is no Task, ServiceRequests are read instead",
    )
    update: Literal["put", "json-patch"] = Field(default="put", description="how a Task is changed")
    outcome: Literal["output", "document", "questionnaire-response"] = Field(
        default="output",
        description="where an outcome goes: output (Task.output and the resources it names), or "
        "one DocumentReference or QuestionnaireResponse in the client's chart",
    )
    creates: tuple[str, ...] | None = Field(
        default=None, description="types that may be created, if /metadata does not tell the truth"
    )
    keeps_identifiers: bool = Field(
        default=True, description="false: identifiers that we write are dropped"
    )
    drops: tuple[str, ...] = Field(
        default=(),
        description="elements of Task that are dropped there: what they say goes into note",
    )
    conditional: bool | None = Field(
        default=None, description="If-None-Exist works; none: /metadata says"
    )
    transaction: bool | None = Field(
        default=None, description="transactions work; none: /metadata says"
    )
    batch: bool | None = Field(default=None, description="batches work; none: /metadata says")
    search: tuple[str, ...] | None = Field(
        default=None, description="search parameters of Task that work; none: /metadata says"
    )
    if_match: bool = Field(default=True, description="If-Match is honoured on updates")
    signature: Literal["", "medplum"] = Field(
        default="", description="how notifications are signed, if they are"
    )


def quirks_from(table: Mapping[str, Any], name: str) -> Quirks:
    """Quirks from a table.

    Raises:
        ConfigError: it says what we do not know.
    """
    try:
        return Quirks.model_validate(dict(table))
    except ValidationError as error:
        lines = "; ".join(
            f"{'.'.join(str(part) for part in each['loc'])}: {each['msg']}"
            for each in error.errors(include_input=False, include_url=False)
        )
        raise ConfigError(
            "fhir.quirks",
            f"the quirks of {name} are not right: {lines}",
            fix="Correct these keys; the README of the plugin fhir lists them all.",
        ) from error


@cache
def vendor_quirks(name: str) -> Quirks:
    """The quirks of a vendor that this package knows.

    Raises:
        ConfigError: there is none of that name.
    """
    if name in ("", "generic"):
        return Quirks()
    folder = files("adapter_fhir") / "quirks"
    known = {each.name.removesuffix(".toml"): each for each in folder.iterdir()}
    if name not in known:
        raise ConfigError(
            "fhir.vendor",
            "vendor is none that the plugin fhir knows",
            fix=f"Use generic, or one of: {', '.join(sorted(known))}.",
        )
    return quirks_from(tomllib.loads(known[name].read_text("utf-8")), name)
