"""`adapter programs`: what can be chosen for a referral, and how much room each program has."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from adapter.cli.printing import JsonOption, emit, facts, table
from adapter.cli.settings import DEFAULT, ConfigOption, read

if TYPE_CHECKING:
    from adapter.exchange.config import Config
    from adapter.plugin.messages import Check
    from adapter.referral.programs import Program
    from adapter.store.directories import DirectoryRow, ProgramRow
    from adapter.store.transaction import Transaction

app = typer.Typer(
    help="What the community offers: the programs of the file and of directories.",
    no_args_is_help=True,
)
Capacity = Literal["open", "waitlist", "full", "ask-first", "closed", "unknown"]


@app.command("list")
def list_programs(
    capacity: Annotated[
        Capacity | None, typer.Option(help="Those alone that have so much room.")
    ] = None,
    directory: Annotated[
        str | None, typer.Option(metavar="SITE", help="Those alone that this site lists.")
    ] = None,
    config: ConfigOption = DEFAULT,
    as_json: JsonOption = False,
) -> None:
    """List every program that a referral can go to: those of the file, then those of directories.

    Its room is open, waitlist, full, ask-first, closed, or unknown; what a directory said longer
    ago than [routing] capacity_days is marked unconfirmed, and counts for nothing when a program
    is chosen.

    Example:

      adapter programs list --capacity full
    """
    settings = read(config)
    rows = [_row(each, settings) for each in _programs(settings)]
    if capacity:
        rows = [each for each in rows if each["capacity"] == capacity]
    if directory:
        _site(settings, directory)
        rows = [each for each in rows if each["listed_by"] == directory]
    if as_json:
        emit(rows)
        return
    lines = [{**row, "name": _both(row["name"]), "capacity": _room(row)} for row in rows]
    columns = ("id", "name", "organization", "site", "capacity", "capacity_at", "listed_by")
    table(columns, lines, empty="No program; see [routing] programs, or add a directory site.")


@app.command()
def show(
    identity: Annotated[str, typer.Argument(metavar="ID", help="As `list` names it.")],
    config: ConfigOption = DEFAULT,
    as_json: JsonOption = False,
) -> None:
    """Show one program: for whom it is, in which languages, how much room it has and who says so.

    Example:

      adapter programs show friday-lunch
    """
    from adapter.plugin.errors import DataError

    settings = read(config)
    found = [each for each in _programs(settings) if each.id == identity]
    if not found:
        raise DataError(
            "program.unknown",
            f"there is no program {identity[:80]}",
            fix="See the ids with: adapter programs list",
        )
    row = {**_row(found[0], settings), **_said(settings, found[0])}
    if as_json:
        emit(row)
        return
    says = row.pop("directory_says")
    facts({**row, "name": _both(row["name"]), "capacity": _room(row)})
    if says:
        print("\nIts directory says:")
        room = says.pop("capacity") or {}
        facts({**says, "name": _both(says.get("name", {})), **{f"room {k}": room[k] for k in room}})


def standing(config: Config, name: str) -> Check:
    """How a directory stands, as a finding of `adapter doctor`."""
    from adapter.cli.reading import ask
    from adapter.plugin.messages import Check

    found = ask(config, lambda tx: tx.directories.get(name))
    check = f"directory {name}"
    if found is None:
        return Check(
            name=check, state="warn", detail="it was never asked", fix="Start: adapter serve"
        )
    at = found.listed_at or found.reported_at
    age = f"its programs are of {at:%Y-%m-%d %H:%M} UTC" if at else "nothing was read from it yet"
    if found.error:
        detail = f"{age}; since then: {found.error}"
        return Check(name=check, state="warn", detail=detail, fix=found.fix or "")
    if found.left_out:
        detail = f"{age}; {len(found.left_out)} of them could not be taken"
        return Check(name=check, state="warn", detail=detail, fix=f"See: adapter sites show {name}")
    return Check(name=check, state="ok", detail=age)


def _programs(config: Config) -> tuple[Program, ...]:
    """As a running service has them."""
    from adapter.exchange.book import Listing, ProgramBook
    from adapter.exchange.directory import load_programs
    from adapter.exchange.plugins import load_plugins
    from adapter.exchange.sites import site_facts

    own = load_programs(config.path(config.routing.programs)) if config.routing.programs else ()
    sites = site_facts(config, load_plugins(config.plugins.enabled))
    book = ProgramBook(own, sites)
    names = [name for name, site in sites.items() if site.directory]

    def read_all(tx: Transaction) -> list[tuple[DirectoryRow | None, list[ProgramRow]]]:
        return [(tx.directories.get(name), tx.directories.programs(name)) for name in names]

    if names:
        from adapter.cli.reading import ask

        for name, (row, programs) in zip(names, ask(config, read_all), strict=True):
            book.use(name, Listing(rows=programs, reported_at=row.reported_at if row else None))
    return book.all


def _row(program: Program, config: Config) -> dict[str, Any]:
    fresh = timedelta(days=config.routing.capacity_days)
    at = program.capacity_at
    return {
        "id": program.id,
        "name": dict(program.name),
        "organization": program.organization,
        "site": program.site or None,
        "capacity": program.capacity or "unknown",
        "capacity_at": at.isoformat(timespec="seconds") if at else None,
        "unconfirmed": program.unconfirmed(datetime.now(UTC), fresh),
        "note": program.capacity_note,
        "languages": list(program.languages),
        "cost": program.cost,
        "listed_by": program.listed_by,
    }


def _said(config: Config, program: Program) -> dict[str, Any]:
    """What is known of it beyond the list: its own words, and what its directory says."""
    from adapter.cli.reading import ask

    found = {
        "identifiers": list(program.identifiers),
        "needs": list(program.needs),
        "interests": list(program.interests),
        "reply_days": program.reply_days,
        "email": program.email,
    }
    directory, _, id = program.id.partition("/")
    if not id:
        return {**found, "directory_says": None}
    rows = ask(config, lambda tx: tx.directories.programs(directory))
    row = next((each for each in rows if each.id == id), None)
    return {
        **found,
        "directory_says": {**(row.listing or {}), "capacity": row.capacity} if row else None,
    }


def _site(config: Config, name: str) -> None:
    from adapter.plugin.errors import ConfigError

    if name not in config.sites:
        raise ConfigError(
            "site.unknown",
            f"no site {name} is configured",
            fix="See the names with: adapter sites list",
        )


def _both(name: dict[str, str]) -> str:
    return " / ".join(dict.fromkeys(name[each] for each in ("en", "fr") if name.get(each)))


def _room(row: dict[str, Any]) -> str:
    return f"{row['capacity']} (unconfirmed)" if row["unconfirmed"] else str(row["capacity"])
