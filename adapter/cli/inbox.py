"""`adapter inbox`: what arrived, what was refused, what was set aside."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from adapter.cli.printing import JsonOption, emit, table
from adapter.cli.reading import ask
from adapter.cli.settings import DEFAULT, ConfigOption, read

if TYPE_CHECKING:
    from adapter.store.transaction import Transaction

app = typer.Typer(
    help="What arrived, and what was refused or set aside.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@app.command("list")
def list_messages(
    config: ConfigOption = DEFAULT,
    state: Annotated[
        Literal["accepted", "refused", "quarantined", "discarded"] | None,
        typer.Option(help="Only messages in this state."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """List every message that arrived, the oldest first, without its content."""
    from adapter.exchange import queries

    rows = [row for row in ask(read(config), queries.inbox) if state in (None, row["state"])]
    if as_json:
        emit(rows)
        return
    table(
        ("id", "site", "received_at", "kind", "state", "error", "fix"),
        rows,
        empty="Nothing has arrived.",
    )


@app.command()
def show(
    identity: Annotated[str, typer.Argument(metavar="ID", help="The id that the list shows.")],
    config: ConfigOption = DEFAULT,
    as_json: JsonOption = False,
) -> None:
    """Show what became of one message, without its content."""
    row = ask(read(config), lambda tx: _one(tx, identity))
    if as_json:
        emit(row)
        return
    for name, value in row.items():
        if value is not None:
            typer.echo(f"{name.replace('_', ' '):<12} {value}")


def _one(tx: Transaction, identity: str) -> dict[str, Any]:
    from adapter.exchange import queries
    from adapter.plugin.errors import DataError

    row = tx.inbox.get(identity)
    if row is None:
        raise DataError(
            "inbox.unknown",
            "there is no such message in the inbox",
            fix="See the ids with: adapter inbox list",
        )
    return queries.inbox_row(row)
