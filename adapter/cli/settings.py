"""The `--config` option, and what follows from it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from adapter.exchange.config import Config

ConfigOption = Annotated[
    Path,
    typer.Option("--config", "-c", metavar="FILE", help="The configuration file."),
]
DEFAULT = Path("adapter.toml")


def given_reason(text: str) -> str:
    """A reason that says something; for a `--reason` option.

    Raises:
        typer.BadParameter: it is empty.
    """
    if not text.strip():
        raise typer.BadParameter("say why; whoever looks at this later will ask")
    return text.strip()


ReasonOption = Annotated[
    str,
    typer.Option(
        "--reason",
        callback=given_reason,
        help="Why; it is kept in the journal. Write nothing about a person.",
    ),
]


def read(file: Path) -> Config:
    """The configuration of a file.

    Raises:
        ConfigError: it is missing or wrong; the error names the key and what was expected.
    """
    from adapter.exchange.config import load_config

    return load_config(file)
