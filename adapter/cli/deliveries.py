"""`adapter deliveries`: what goes out, and what is stuck."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from adapter.cli.many import act_on_each, several, tell_all
from adapter.cli.printing import JsonOption, emit, facts, say, table
from adapter.cli.reading import act, ask
from adapter.cli.settings import DEFAULT, ConfigOption, ReasonOption, read

if TYPE_CHECKING:
    from adapter.store.transaction import Transaction

State = Literal["due", "sending", "delivered", "waiting", "dead", "quarantined", "discarded"]

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
    state: Annotated[State | None, typer.Option(help="Only deliveries in this state.")] = None,
    site: Annotated[str | None, typer.Option(help="Only those to this site.")] = None,
    as_json: JsonOption = False,
) -> None:
    """List every delivery, the oldest first, with its state and what to do about it.

    Examples:

      adapter deliveries list --open

      adapter deliveries list --site agency --state dead
    """
    from adapter.exchange import queries

    rows = ask(read(config), queries.deliveries)
    if open_only:
        rows = [row for row in rows if row["state"] not in ("delivered", "discarded")]
    rows = [
        row for row in rows if state in (None, row["state"]) and site in (None, row["destination"])
    ]
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
    identities: Annotated[
        list[str] | None, typer.Argument(metavar="ID", help="The ids that the list shows.")
    ] = None,
    site: Annotated[
        str | None,
        typer.Option(help="In place of ids: every dead or quarantined delivery to this site."),
    ] = None,
    config: ConfigOption = DEFAULT,
    as_json: JsonOption = False,
) -> None:
    """Try deliveries that failed again, at once.

    Do it when what stood in the way is mended: the deliveries behind each in its lane wait for it.
    The times of its next tries begin anew. What still waits for its next try at a site, and was not
    given up, is tried by `adapter sites resume`.

    With --json and one id, the delivery; else a list of them.

    Examples:

      adapter deliveries retry 01a22443-964a-714f-bbd1-cc557d63aa76

      adapter deliveries retry --site agency
    """
    from datetime import UTC, datetime

    from adapter.exchange import operations, queries

    settings = read(config)

    def again(tx: Transaction, identity: str) -> dict[str, Any]:
        row = operations.retry(tx, identity, datetime.now(UTC))
        return queries.delivery(row) | {"state": "due"}

    chosen = several(settings, identities, site, operations.failed_deliveries)
    done = act_on_each(settings, chosen, again, skip="delivery." if site else None)
    tell_all(done, "It is tried again now.", "{} deliveries are tried again now.", site, as_json)


@app.command()
def discard(
    identity: Annotated[str, typer.Argument(metavar="ID", help="The id that the list shows.")],
    reason: ReasonOption,
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
