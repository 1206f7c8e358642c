"""The directory of programs, read from a TOML file beside adapter.toml."""

from __future__ import annotations

import tomllib
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from adapter.exchange.wrong_keys import wrong_keys
from adapter.plugin.directory import Room
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
    capacity: Room = "open"
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
        table = _File.model_validate(tomllib.loads(file.read_bytes().decode("utf-8-sig")))
    except OSError as error:
        raise ConfigError(
            "config.programs-unreadable",
            f"routing.programs: {file} cannot be read ({error.strerror})",
            fix="Correct [routing] programs in adapter.toml, or put the file there; then check "
            "with: adapter doctor",
        ) from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        said = error if isinstance(error, tomllib.TOMLDecodeError) else "it is not UTF-8 text"
        raise ConfigError(
            "config.programs-unreadable",
            f"routing.programs: {file} is not TOML: {said}",
            fix="Correct the file, then check with: adapter doctor",
        ) from error
    except ValidationError as error:
        raise ConfigError(
            "config.programs-invalid",
            f"{file}: {wrong_keys(error, _File)}",
            fix="Correct these rows, then check with: adapter doctor",
        ) from error
    ids = [row.id for row in table.program]
    doubles = sorted({each for each in ids if ids.count(each) > 1})
    if doubles:
        raise ConfigError(
            "config.programs-invalid",
            f"{file}: the program {doubles[0]} stands twice",
            fix="Give each program an id of its own.",
        )
    return tuple(_program(row) for row in table.program)


def _program(row: _Row) -> Program:
    values = row.model_dump(exclude={"name_en", "name_fr"})
    return Program(name={"en": row.name_en, "fr": row.name_fr}, **values)
