"""`adapter referrals`: every referral, and the journey of one."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from adapter.cli.follow_up import register
from adapter.cli.printing import JsonOption, emit, say, table
from adapter.cli.reading import ask, opened
from adapter.cli.settings import DEFAULT, ConfigOption, ReasonOption, read

app = typer.Typer(
    help="Referrals, and the journey of each.",
    no_args_is_help=True,
)
register(app)


@app.command("list")
def list_referrals(config: ConfigOption = DEFAULT, as_json: JsonOption = False) -> None:
    """List every referral, the oldest first.

    Example:

      adapter referrals list
    """
    from adapter.exchange import queries

    rows = ask(read(config), queries.referrals)
    if as_json:
        emit(rows)
        return
    table(
        ("id", "received_at", "site", "status", "fulfilments"),
        [
            {
                **row,
                "status": "erased" if row["erased_at"] else row["status"],
                "fulfilments": [_in_words(each) for each in row["fulfilments"]],
            }
            for row in rows
        ],
        empty="There is no referral yet.",
    )


@app.command()
def show(
    identity: Annotated[
        str, typer.Argument(metavar="ID", help="The referral's id, or how it begins.")
    ],
    config: ConfigOption = DEFAULT,
    as_json: JsonOption = False,
) -> None:
    """Show the journey of one referral: every step, who took it and when.

    Example:

      adapter referrals show 0194a1
    """
    from adapter.exchange import queries
    from adapter.plugin.errors import DataError

    found = ask(read(config), lambda tx: queries.journey(tx, identity))
    if found is None:
        raise DataError(
            "referral.unknown",
            "there is no such referral, or more than one begins like this",
            fix="See the ids with: adapter referrals list",
        )
    if as_json:
        emit(found)
        return
    typer.echo(f"Referral {found['id']}: {found['status']}{' (test)' if found['test'] else ''}")
    if found["erased_at"]:
        typer.echo(f"  The person was erased at {found['erased_at']}.")
    for each in found["fulfilments"]:
        typer.echo(f"  {each['program'] or 'no program'}: {_in_words(each)}")
    for warning in found["warnings"]:
        typer.echo(f"  Warning: {warning}.")
    typer.echo()
    table(
        ("recorded", "actor", "site", "kind", "what"),
        [{**entry, "what": _facts(entry["data"])} for entry in found["journal"]],
    )


@app.command()
def erase(
    identities: Annotated[
        list[str], typer.Argument(metavar="ID", help="The whole ids of one person's referrals.")
    ],
    reason: ReasonOption,
    config: ConfigOption = DEFAULT,
    same_person: Annotated[
        bool,
        typer.Option(
            "--same-person", help="Also every other referral that carries a number of this person."
        ),
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say which referrals it would be.")
    ] = False,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Do not ask; a script needs it.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Erase a person: destroy the keys of their referrals, so that nobody can read them again.

    This cannot be undone. Open deliveries are discarded; what was sent already cannot be called
    back. Journal and audit keep that something was there, and stay verifiable. Backups that were
    made before still hold the keys: delete them, or forget the key that they were made under with
    adapter keys rotate --forget.

    Example:

      adapter referrals erase 0194a1b2-5d3f-7c1e-9a64-2f0b8d7e6c51
      --reason "asked in writing" --dry-run
    """
    from adapter.exchange import operations

    with opened(read(config)) as store:
        chosen = store.read_now(lambda tx: operations.of_person(tx, identities, same_person))
        if not dry_run:
            if not yes:
                question = f"Erase {len(chosen)} referrals for good: {', '.join(chosen)}?"
                typer.confirm(question, abort=True, err=True)
            operations.erase_person(store, chosen, reason)
    if as_json:
        emit({"referrals": chosen, "erased": not dry_run})
    else:
        done = "would be erased" if dry_run else "are erased"
        say(f"{len(chosen)} referrals {done}: {', '.join(chosen)}")


def _in_words(fulfilment: dict[str, Any]) -> str:
    status = str(fulfilment["status"])
    return f"{status} ({fulfilment['reason']})" if fulfilment["reason"] else status


def _facts(data: dict[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in data.items() if value is not None)
