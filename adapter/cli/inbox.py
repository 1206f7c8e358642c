"""`adapter inbox`: what arrived, what was refused, what was set aside."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from adapter.cli.printing import JsonOption, emit, table
from adapter.cli.reading import act, ask
from adapter.cli.settings import DEFAULT, ConfigOption, given_reason, read

if TYPE_CHECKING:
    from adapter.store.inbox import InboxRow
    from adapter.store.transaction import Transaction

MessageId = Annotated[str, typer.Argument(metavar="ID", help="The id that the list shows.")]

app = typer.Typer(
    help="What arrived, and what was refused or set aside.",
    no_args_is_help=True,
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
    """List every message that arrived, the oldest first, without its content.

    Example:

      adapter inbox list --state quarantined
    """
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
    identity: MessageId,
    config: ConfigOption = DEFAULT,
    content: Annotated[
        bool,
        typer.Option("--content", help="Show the message itself too; the view is audited."),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Show what became of one message; its content only if asked for.

    Example:

      adapter inbox show 01a22443-9410-7191-a3a3-dbdc70cc44c1
    """
    settings = read(config)
    if content:
        row = act(settings, lambda tx: _with_content(tx, identity))
    else:
        row = ask(settings, lambda tx: _one(tx, identity))
    if as_json:
        emit(row)
        return
    message = row.pop("content", None)
    for name, value in row.items():
        if value is not None:
            typer.echo(f"{name.replace('_', ' '):<12} {value}")
    if message is not None:
        typer.echo("\n" + message.replace("\r\n", "\n").replace("\r", "\n"))


@app.command()
def replay(
    identity: MessageId, config: ConfigOption = DEFAULT, as_json: JsonOption = False
) -> None:
    """Let the service work on a quarantined message again, after its cause was mended.

    Example:

      adapter inbox replay 01a22443-9410-7191-a3a3-dbdc70cc44c1
    """
    from adapter.exchange import operations, queries

    settings = read(config)
    row = act(
        settings,
        lambda tx: queries.inbox_row(
            _reread(tx, operations.replay(tx, identity, settings.sites.keys()))
        ),
    )
    _tell(row, "will be worked on again", as_json=as_json)


@app.command()
def discard(
    identity: MessageId,
    reason: Annotated[
        str, typer.Option(callback=given_reason, help="Why; it is kept in the journal.")
    ],
    config: ConfigOption = DEFAULT,
    as_json: JsonOption = False,
) -> None:
    """Set a quarantined message aside for good. Its bytes are kept.

    Example:

      adapter inbox discard 01a22443-9410-7191-a3a3-dbdc70cc44c1
      --reason "sent by mistake, says the clinic"
    """
    from adapter.exchange import operations, queries

    row = act(
        read(config),
        lambda tx: queries.inbox_row(_reread(tx, operations.discard_message(tx, identity, reason))),
    )
    _tell(row, "is set aside", as_json=as_json)


def _one(tx: Transaction, identity: str) -> dict[str, Any]:
    from adapter.exchange import queries

    return queries.inbox_row(_found(tx, identity))


def _with_content(tx: Transaction, identity: str) -> dict[str, Any]:
    """The message with its bytes as text, and an audit entry in the same transaction."""
    from adapter.exchange import queries
    from adapter.exchange.audit_event import audit_event

    row = _found(tx, identity)
    event = audit_event(
        "R",
        f"Binary/{row.id}",
        actor="operator",
        site="command line",
        at=datetime.now(UTC),
        role="operator",
    )
    tx.audit.append(event, organization=row.organization, referral=row.referral)
    return {**queries.inbox_row(row), "content": row.raw.decode("utf-8", "replace")}


def _found(tx: Transaction, identity: str) -> InboxRow:
    from adapter.plugin.errors import DataError

    row = tx.inbox.get(identity)
    if row is None:
        raise DataError(
            "inbox.unknown",
            "there is no such message in the inbox",
            fix="See the ids with: adapter inbox list",
        )
    return row


def _reread(tx: Transaction, row: InboxRow) -> InboxRow:
    return _found(tx, row.id)


def _tell(row: dict[str, Any], what: str, *, as_json: bool) -> None:
    if as_json:
        emit(row)
    else:
        typer.echo(f"The message {row['id']} {what}.")
