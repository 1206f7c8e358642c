"""`adapter db`: the store as a whole: bring it up to date, back it up, restore it, check it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from adapter.cli.findings import report
from adapter.cli.printing import JsonOption, emit, say
from adapter.cli.progress import Progress
from adapter.cli.reading import opened
from adapter.cli.settings import DEFAULT, ConfigOption, read

if TYPE_CHECKING:
    from adapter.store.backup import Manifest

app = typer.Typer(
    help="The store: upgrade, back up, restore, check.",
    no_args_is_help=True,
)


@app.command()
def upgrade(
    config: ConfigOption = DEFAULT,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what would be done; change nothing.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Bring the tables of the store up to this version of the adapter.

    Referrals of a version without API clients become visible to the clients of their organizations,
    as the sites of the configuration say. `adapter serve` does the same when it starts. The tables
    change in one transaction: if it is interrupted, the store is as it was before, and the command
    can be run again. Make a backup first, with the version that you have: other commands of this
    one do nothing with an older store.

    Example:

      adapter db upgrade --dry-run
    """
    from adapter.exchange.earlier import share_earlier
    from adapter.exchange.store_settings import store_url
    from adapter.store import migrations
    from adapter.store.dialect import dialect_of
    from adapter.store.schema import HEAD

    settings = read(config)
    dialect = dialect_of(store_url(settings))
    before = migrations.standing(dialect)
    if not dry_run:
        with opened(settings, upgrade=True) as store:  # opening proves the key, and upgrades
            before = before or "none"
            organizations = {name: each.organization for name, each in settings.sites.items()}
            share_earlier(store, settings.organization, organizations)
    facts = {"from": before, "to": HEAD, "upgraded": not dry_run and before != HEAD}
    if as_json:
        emit(facts)
    elif before == HEAD:
        say(f"The tables are up to date: revision {HEAD}.")
    elif dry_run:
        say(f"The tables stand at {before or 'nothing'}; they would be brought to {HEAD}.")
    else:
        say(f"The tables were brought from {before} to {HEAD}.")


@app.command()
def backup(
    file: Annotated[
        Path | None,
        typer.Argument(
            metavar="FILE",
            help="Where to write it; it must not be there yet. Without it: a name with the time, "
            "in the current folder.",
        ),
    ] = None,
    config: ConfigOption = DEFAULT,
    as_json: JsonOption = False,
) -> None:
    """Write one file that holds everything of one moment, while the service runs.

    What is encrypted stays encrypted: the file is of no use without the key file. Keep the two in
    different places, and both away from this machine.

    Example:

      adapter db backup evening.backup --config adapter.toml
    """
    from adapter.store.backup import backup as write
    from adapter.store.backup import verify

    target = file or Path(f"adapter-{datetime.now(UTC):%Y%m%dT%H%M%SZ}.backup")
    with opened(read(config)) as store:
        write(store, target, progress=Progress())
        manifest = verify(target, store.keys.keyring)  # what was read back is what counts
    _tell(manifest, target, f"Written and read back: {target}", as_json=as_json)


@app.command()
def restore(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A file that `db backup` wrote.")],
    config: ConfigOption = DEFAULT,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Only prove that the file is whole and ours; restore not."),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Make a new store from a backup, and check it: file, chains, keys, queue, counts.

    The store that the configuration names must not be there yet, or must be empty: nothing is ever
    overwritten. The file may come from SQLite and go into PostgreSQL, and the other way round.
    What was being sent when the backup was made is sent again; receivers see the same message id.

    Example:

      adapter db restore evening.backup --dry-run
    """
    from adapter.exchange.store_settings import store_keyring, store_url
    from adapter.store.backup import verify
    from adapter.store.restore import restore as make

    settings = read(config)
    keyring = store_keyring(settings)
    if dry_run:
        manifest = verify(file, keyring)
        _tell(manifest, file, "The file is whole, and opens with this key.", as_json=as_json)
        return
    manifest = make(file, store_url(settings), keyring, progress=Progress())
    _tell(manifest, file, "Restored and checked. Start with: adapter serve", as_json=as_json)


@app.command()
def check(config: ConfigOption = DEFAULT, as_json: JsonOption = False) -> None:
    """Check the whole store: its pages, the chains of journal and audit, keys, queue, counts.

    Changes nothing, and may run beside the service. Exits with 1 if something is not sound.

    Example:

      adapter db check
    """
    from adapter.store.check import check as findings

    with opened(read(config)) as store:
        found = findings(store)
    report(found, as_json=as_json)


def _tell(manifest: Manifest, file: Path, words: str, *, as_json: bool) -> None:
    facts: dict[str, Any] = {
        "file": str(file),
        "bytes": file.stat().st_size,
        "revision": manifest.revision,
        "created": manifest.created.isoformat(timespec="seconds"),
        "counts": manifest.counts,
    }
    if as_json:
        emit(facts)
        return
    say(words)
    rows = sum(manifest.counts.values())
    say(f"It holds {rows} rows of {facts['created']}, in {facts['bytes']} bytes.")
