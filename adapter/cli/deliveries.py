"""`adapter deliveries`: what goes out, and what is stuck."""

from __future__ import annotations

from typing import Annotated

import typer

from adapter.cli.printing import JsonOption, emit, table
from adapter.cli.reading import ask
from adapter.cli.settings import DEFAULT, ConfigOption, read

app = typer.Typer(
    help="What goes out, and what is stuck.", no_args_is_help=True, rich_markup_mode=None
)


@app.callback()
def group() -> None:
    """What goes out, and what is stuck."""


@app.command("list")
def list_deliveries(
    config: ConfigOption = DEFAULT,
    open_only: Annotated[
        bool, typer.Option("--open", help="Leave out what was delivered or discarded.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """List every delivery, the oldest first, with its state and what to do about it."""
    from adapter.exchange import queries

    rows = ask(read(config), queries.deliveries)
    if open_only:
        rows = [row for row in rows if row["state"] not in ("delivered", "discarded")]
    if as_json:
        emit(rows)
        return
    table(
        ("id", "destination", "event", "kind", "state", "attempts", "next_at", "error", "fix"),
        rows,
        empty="Nothing is to be delivered.",
    )
