"""`adapter clients`: who may use the FHIR API by SMART Backend Services."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from adapter.cli.printing import JsonOption, emit, say, table
from adapter.cli.settings import DEFAULT, ConfigOption, read

if TYPE_CHECKING:
    from collections.abc import Callable

    from adapter.exchange.config import Config
    from adapter.store.clients import ClientRow
    from adapter.store.transaction import Transaction

T = TypeVar("T")

app = typer.Typer(
    help="Clients of the FHIR API: register, list and disable them.",
    no_args_is_help=True,
)


@app.command()
def add(
    name: Annotated[str, typer.Argument(help="What people call this client.")],
    organization: Annotated[
        str,
        typer.Option(
            metavar="ORG",
            help="The organization it speaks for, by the name that sites, programs or an "
            "Organization's name or identifier give it. It sees this one's referrals alone.",
        ),
    ],
    jwks: Annotated[
        str, typer.Option(metavar="FILE|URL", help="Its public keys: a JWKS file or address.")
    ],
    scope: Annotated[
        list[str],
        typer.Option(metavar="SCOPE", help="What it may do: system/Task.rus, system/*.cruds, …"),
    ],
    more: Annotated[
        list[str] | None, typer.Argument(metavar="[SCOPE]...", help="Further scopes.")
    ] = None,
    config: ConfigOption = DEFAULT,
    as_json: JsonOption = False,
) -> None:
    """Register a SMART Backend Services client and print its id.

    Example:

      adapter clients add "Clinic EMR" --organization "Example Family Health Team"
      --jwks keys.json --scope system/Task.rus
    """
    from adapter.exchange import clients

    settings = read(config)
    scopes = [*scope, *(more or ())]

    def register(tx: Transaction) -> tuple[ClientRow, bool]:
        row = clients.register(
            tx, settings, name=name, party=organization, jwks=jwks, scopes=scopes
        )
        return row, clients.is_known(tx, settings, organization)

    row, known = _write(settings, register)
    if not known:
        say(
            f"Warning: no site, program or Organization here is called {organization!r}. The "
            "client sees nothing before one is; if it is a slip, disable it and add it again."
        )
    if as_json:
        emit({**clients.shape(row), "organization_known": known})
        return
    print(row.id)
    say(f"{name} speaks for {organization}. Its id is client_id, iss and sub.")
    if settings.server.auth != "smart":
        say('It can come in once [server] auth = "smart".')


@app.command("list")
def list_clients(config: ConfigOption = DEFAULT, as_json: JsonOption = False) -> None:
    """List every client, the oldest first.

    Example:

      adapter clients list
    """
    from adapter.cli.reading import ask
    from adapter.exchange import clients

    rows = ask(read(config), lambda tx: [clients.shape(each) for each in tx.clients.list()])
    if as_json:
        emit(rows)
        return
    columns = ("id", "name", "organization", "scopes", "keys", "state")
    table(columns, rows, empty="No client is registered.")


@app.command()
def disable(
    client: Annotated[str, typer.Argument(help="Its id or name.")],
    config: ConfigOption = DEFAULT,
    as_json: JsonOption = False,
) -> None:
    """Let a client in no more, from its next request on.

    Example:

      adapter clients disable "Clinic EMR"
    """
    from adapter.exchange import clients

    row = _write(read(config), lambda tx: clients.disable(tx, client))
    if as_json:
        emit({"id": row.id, "state": "disabled"})
        return
    say(f"{row.name} may not come in any more.")


def _write(config: Config, work: Callable[[Transaction], T]) -> T:
    """Write to the store; made if it is not there, for clients may come before the first start."""
    from adapter.exchange.store_settings import store_keyring, store_url
    from adapter.store.store import Store

    keyring = store_keyring(config)
    store = Store.open(store_url(config), keyring)
    try:
        return store.write_now(work)
    finally:
        store.close()
