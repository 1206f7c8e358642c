"""`adapter deliveries`: what goes out, and what is stuck."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from adapter.cli.printing import JsonOption, emit, facts, say, table
from adapter.cli.reading import act, ask
from adapter.cli.settings import DEFAULT, ConfigOption, given_reason, read

app = typer.Typer(
    help="What goes out, and what is stuck.",
    no_args_is_help=True,
)


@app.command("list")
def list_deliveries(
    config: ConfigOption = DEFAULT,
    open_only: Annotated[
        bool, typer.Option("--open", help="Leave out what was delivered or discarded.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """List every delivery, the oldest first, with its state and what to do about it.

    Example:

      adapter deliveries list --open
    """
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


@app.command()
def show(
    identity: Annotated[str, typer.Argument(metavar="ID", help="The id that the list shows.")],
    config: ConfigOption = DEFAULT,
    content: Annotated[
        bool,
        typer.Option("--content", help="Show what is delivered too; the view is audited."),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Show how one delivery stands, and what stands in its way; its content only if asked for.

    Example:

      adapter deliveries show 01a22443-964a-714f-bbd1-cc557d63aa76
    """
    from adapter.exchange import operations

    settings = read(config)
    if content:
        row = act(settings, lambda tx: operations.delivery_with_content(tx, identity))
    else:
        row = ask(settings, lambda tx: operations.delivery_in_its_lane(tx, identity))
    if as_json:
        emit(row)
        return
    document = row.pop("content", None)
    facts(row)
    if document is not None:
        import orjson

        typer.echo("\n" + orjson.dumps(document, option=orjson.OPT_INDENT_2).decode())


@app.command()
def retry(
    identity: Annotated[str, typer.Argument(metavar="ID", help="The id that the list shows.")],
    config: ConfigOption = DEFAULT,
    as_json: JsonOption = False,
) -> None:
    """Try a delivery that failed again, at once.

    Do it when what stood in its way is mended: the deliveries behind it in its lane wait for it.

    Example:

      adapter deliveries retry 01a22443-964a-714f-bbd1-cc557d63aa76
    """
    from datetime import UTC, datetime

    from adapter.exchange import operations, queries

    row = act(read(config), lambda tx: operations.retry(tx, identity, datetime.now(UTC)))
    _done(queries.delivery(row) | {"state": "due"}, "It is tried again now.", as_json)


@app.command()
def discard(
    identity: Annotated[str, typer.Argument(metavar="ID", help="The id that the list shows.")],
    reason: Annotated[
        str,
        typer.Option(
            callback=given_reason,
            help="Why; it is kept in the journal. Write nothing about a person.",
        ),
    ],
    config: ConfigOption = DEFAULT,
    as_json: JsonOption = False,
) -> None:
    """Never deliver it, for a reason that you give; what stands behind it in its lane goes on.

    This cannot be undone: the destination will not hear of it.

    Example:

      adapter deliveries discard 01a22443-964a-714f-bbd1-cc557d63aa76
      --reason "the clinic was told by telephone"
    """
    from adapter.exchange import operations, queries

    row = act(read(config), lambda tx: operations.discard_delivery(tx, identity, reason))
    _done(queries.delivery(row) | {"state": "discarded"}, "It will not be delivered.", as_json)


def _done(row: dict[str, Any], words: str, as_json: bool) -> None:
    if as_json:
        emit(row)
    else:
        say(words)
