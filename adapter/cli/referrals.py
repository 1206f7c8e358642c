"""`adapter referrals`: every referral, and the journey of one."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from adapter.cli.printing import JsonOption, emit, table
from adapter.cli.reading import ask
from adapter.cli.settings import DEFAULT, ConfigOption, read

app = typer.Typer(
    help="Referrals, and the journey of each.",
    no_args_is_help=True,
)


@app.command("list")
def list_referrals(config: ConfigOption = DEFAULT, as_json: JsonOption = False) -> None:
    """List every referral, the oldest first."""
    from adapter.exchange import queries

    rows = ask(read(config), queries.referrals)
    if as_json:
        emit(rows)
        return
    table(
        ("id", "received_at", "site", "status", "fulfilments"),
        [{**row, "fulfilments": [_in_words(each) for each in row["fulfilments"]]} for row in rows],
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
    """Show the journey of one referral: every step, who took it and when."""
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
    for each in found["fulfilments"]:
        typer.echo(f"  {each['program'] or 'no program'}: {_in_words(each)}")
    typer.echo()
    table(
        ("recorded", "actor", "site", "kind", "what"),
        [{**entry, "what": _facts(entry["data"])} for entry in found["journal"]],
    )


def _in_words(fulfilment: dict[str, Any]) -> str:
    status = str(fulfilment["status"])
    return f"{status} ({fulfilment['reason']})" if fulfilment["reason"] else status


def _facts(data: dict[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in data.items() if value is not None)
