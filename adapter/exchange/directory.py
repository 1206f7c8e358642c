"""The directory of programs, read from a TOML file beside adapter.toml."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from adapter.plugin.errors import ConfigError
from adapter.referral.programs import Program


class _Row(BaseModel):
    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    id: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$")
    name_en: str
    name_fr: str
    organization: str
    site: str
    identifiers: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    interests: tuple[str, ...] = ()
    languages: tuple[str, ...] = ("en",)
    capacity: Literal["open", "waitlist", "full", "ask-first"] = "open"
    cost: str = Field(default="free", description="what it costs, in words")
    reply_days: int = Field(default=14, ge=1, le=365)
    email: str | None = None


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    program: tuple[_Row, ...] = ()


def load_programs(file: Path) -> tuple[Program, ...]:
    """Every program of the file.

    Raises:
        ConfigError: the file cannot be read, or a row is not right; it names the row and the key.
    """
    try:
        table = _File.model_validate(tomllib.loads(file.read_text("utf-8")))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(
            "config.programs-unreadable",
            f"the directory of programs {file.name} cannot be read",
            fix="Correct [routing] programs in adapter.toml, or the file.",
            detail=str(error),
        ) from error
    except ValidationError as error:
        where = "; ".join(
            f"{'.'.join(str(part) for part in each['loc'])}: {each['msg']}"
            for each in error.errors(include_input=False, include_url=False)
        )
        raise ConfigError(
            "config.programs-invalid",
            f"{file.name} is not right: {where}",
            fix="Correct these rows.",
        ) from error
    ids = [row.id for row in table.program]
    doubles = sorted({each for each in ids if ids.count(each) > 1})
    if doubles:
        raise ConfigError(
            "config.programs-invalid",
            f"{file.name}: the program {doubles[0]} stands twice",
            fix="Give each program an id of its own.",
        )
    return tuple(_program(row) for row in table.program)


def _program(row: _Row) -> Program:
    values = row.model_dump(exclude={"name_en", "name_fr"})
    return Program(name={"en": row.name_en, "fr": row.name_fr}, **values)
