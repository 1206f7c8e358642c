"""Quirks: how one maker's HL7 v2 departs from the standard, as a table in a level 0 plugin's file.

The dialects that we know are in dialects.toml; a plugin that stands on `hl7v2` brings its own, with
the same keys. Every key may be left out; an unknown one is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from adapter.plugin import ConfigError
from adapter_hl7v2.charset import codec_of
from adapter_hl7v2.dialects import GENERIC, Dialect


def _codec(value: str) -> str:
    codec = codec_of(value)
    if codec is None:
        raise ValueError("expected a charset of HL7 table 0211, for example 8859/1")
    return codec


Charset = Annotated[str, AfterValidator(_codec)]


class Quirks(BaseModel):
    """What this sender does otherwise than the standard says."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    summary: str = Field(default="", description="one line for people")
    charset: Charset | None = Field(
        default=None, description="what it really sends, whatever its MSH-18 says (table 0211)"
    )
    default_charset: Charset = Field(
        default="UNICODE UTF-8",
        validate_default=True,
        description="the charset of messages whose MSH-18 is empty",
    )
    keyed_by_content: bool = Field(
        default=False, description="its messages have no control id; their bytes tell them apart"
    )
    versions: tuple[str, ...] = Field(
        default=(), description="the values of MSH-12 that it uses; none means all"
    )
    identifier_types: tuple[str, ...] = Field(
        default=(), description="its patient identifier types that are not in HL7 table 0203"
    )
    recipient_roles: tuple[str, ...] = Field(
        default=GENERIC.recipient_roles, description="the values of PRD-1 that name who is asked"
    )
    base64_notes: tuple[str, ...] = Field(
        default=(), description="the values of NTE-4.2 whose NTE-3 is base64 of UTF-8 text"
    )


def dialect_from(table: Mapping[str, Any], name: str) -> Dialect:
    """The dialect of this name that a table describes.

    Raises:
        ConfigError: it says what we do not know.
    """
    try:
        quirks = Quirks.model_validate(dict(table))
    except ValidationError as error:
        lines = "; ".join(
            f"{'.'.join(str(part) for part in each['loc'])}: {each['msg']}"
            for each in error.errors(include_input=False, include_url=False)
        )
        raise ConfigError(
            "hl7v2.quirks",
            f"the quirks of {name} are not right: {lines}",
            fix="Correct these keys; the README of the plugin hl7v2 lists them all.",
        ) from error
    return Dialect(name=name, **quirks.model_dump())
