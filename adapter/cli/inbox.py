"""`adapter inbox`: what arrived, what was refused, what was set aside."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from adapter.cli.many import act_on_each, several, tell_all
from adapter.cli.printing import JsonOption, emit, facts, table
from adapter.cli.reading import act, ask, opened
from adapter.cli.settings import DEFAULT, ConfigOption, ReasonOption, read

if TYPE_CHECKING:
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
    site: Annotated[str | None, typer.Option(help="Only those of this site.")] = None,
    as_json: JsonOption = False,
) -> None:
    """List every message that arrived, the oldest first, without its content.

    Example:

      adapter inbox list --state quarantined
    """
    from adapter.exchange import queries

    rows = [
        row
        for row in ask(read(config), queries.inbox)
        if state in (None, row["state"]) and site in (None, row["site"])
    ]
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
    from adapter.exchange import operations

    settings = read(config)
    if content:
        row = act(settings, lambda tx: operations.message_with_content(tx, identity))
    else:
        row = ask(settings, lambda tx: operations.message(tx, identity))
    if as_json:
        emit(row)
        return
    message = row.pop("content", None)
    facts(row)
    if message is not None:
        typer.echo("\n" + message.replace("\r\n", "\n").replace("\r", "\n"))


@app.command()
def replay(
    identities: Annotated[
        list[str] | None, typer.Argument(metavar="ID", help="The ids that the list shows.")
    ] = None,
    site: Annotated[
        str | None, typer.Option(help="In place of ids: every quarantined message of this site.")
    ] = None,
    config: ConfigOption = DEFAULT,
    as_json: JsonOption = False,
) -> None:
    """Let the service work on quarantined messages again, after their cause was mended.

    With --json and one id, the message; else a list of them.

    Examples:

      adapter inbox replay 01a22443-9410-7191-a3a3-dbdc70cc44c1

      adapter inbox replay --site clinic
    """
    from adapter.exchange import operations

    settings = read(config)

    def again(tx: Transaction, identity: str) -> dict[str, Any]:
        operations.replay(tx, identity, settings.sites.keys())
        return operations.message(tx, identity)

    chosen = several(settings, identities, site, operations.quarantined_messages)
    done = act_on_each(settings, chosen, again, skip="inbox." if site else None)
    one = f"The message {done[0]['id']} will be worked on again." if done else ""
    tell_all(done, one, "{} messages will be worked on again.", site, as_json)


@app.command()
def discard(
    identity: MessageId,
    reason: ReasonOption,
    config: ConfigOption = DEFAULT,
    as_json: JsonOption = False,
) -> None:
    """Set a quarantined message aside for good. Its bytes are kept.

    Example:

      adapter inbox discard 01a22443-9410-7191-a3a3-dbdc70cc44c1
      --reason "sent by mistake, says the clinic"
    """
    from adapter.exchange import operations

    def aside(tx: Transaction) -> dict[str, Any]:
        operations.discard_message(tx, identity, reason)
        return operations.message(tx, identity)

    row = act(read(config), aside)
    _tell(row, "is set aside", as_json=as_json)


@app.command()
def erase(
    identities: Annotated[
        list[str], typer.Argument(metavar="ID", help="The ids that the list shows.")
    ],
    reason: ReasonOption,
    config: ConfigOption = DEFAULT,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Do not ask; a script needs it.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Erase messages about a person that became no referral: quarantined, discarded or refused.

    This cannot be undone: their bytes are gone, and a quarantined one is discarded. What became a
    referral is erased by `adapter referrals erase`. Backups that were made before still hold them.

    Example:

      adapter inbox erase 01a22443-9410-7191-a3a3-dbdc70cc44c1
      --reason "asked in writing"
    """
    from adapter.exchange import operations, queries

    with opened(read(config)) as store:
        rows = store.read_now(lambda tx: operations.erasable_messages(tx, identities))
        if not yes:
            question = f"Erase {len(rows)} messages for good: {', '.join(r.id for r in rows)}?"
            typer.confirm(question, abort=True, err=True)
        operations.erase_messages(store, identities, reason)
        left = store.read_now(
            lambda tx: [queries.inbox_row(row) for each in rows if (row := tx.inbox.get(each.id))]
        )
    if as_json:
        emit(left)
    else:
        typer.echo(f"{len(left)} messages are erased.")


def _tell(row: dict[str, Any], what: str, *, as_json: bool) -> None:
    if as_json:
        emit(row)
    else:
        typer.echo(f"The message {row['id']} {what}.")
