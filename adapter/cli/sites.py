"""`adapter sites`: each configured connection, how it stands, whether it works; pause, resume."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from adapter.cli.authorize import authorize
from adapter.cli.failure import CONFIGURATION, UNREACHABLE
from adapter.cli.printing import JsonOption, emit, facts, say, table
from adapter.cli.reading import act, ask
from adapter.cli.settings import DEFAULT, ConfigOption, ReasonOption, read

if TYPE_CHECKING:
    from adapter.exchange.config import Config
    from adapter.exchange.service import Service
    from adapter.plugin.messages import Check

PATIENCE = 30.0
NONE = "No site is configured; see the examples in adapter.toml."

app = typer.Typer(
    help="The configured connections: list, check, pause.",
    no_args_is_help=True,
)
app.command()(authorize)


@app.command("list")
def list_sites(config: ConfigOption = DEFAULT, as_json: JsonOption = False) -> None:
    """List every site of the configuration with its last known state.

    For a site whose system polls: when it was last read to its end, when it is asked next, and why
    it could not be asked. For a directory: of when its programs and their room are, and why they
    could not be read since.

    Example:

      adapter sites list
    """
    rows = _standing(read(config))
    if as_json:
        emit(rows)
        return
    columns = ["site", "system", "role", "test", "state", "since", "polled_at", "next_poll"]
    if any(row["directory"] for row in rows):
        columns += ["programs_at", "programs_error"]
    table((*columns, "error"), rows, empty=NONE)


@app.command()
def show(
    name: Annotated[str, typer.Argument(metavar="SITE", help="The site's name.")],
    config: ConfigOption = DEFAULT,
    as_json: JsonOption = False,
) -> None:
    """Show one site: how it stands, since when and why; of a directory also what was left out.

    Example:

      adapter sites show agency
    """
    settings = _with_site(config, name)
    row = next(each for each in _standing(settings) if each["site"] == name)
    if row["directory"]:
        stands = ask(settings, lambda tx: tx.directories.get(name))
        row["programs_left_out"] = stands.left_out if stands else []
    if as_json:
        emit(row)
        return
    facts({key: value for key, value in row.items() if not isinstance(value, list)})
    for each in row.get("programs_left_out", ()):
        print(f"left out     {each['program']}: {each['why']}")


def _standing(settings: Config) -> list[dict[str, Any]]:
    """Every configured site, as it is known to stand."""
    from adapter.exchange import queries

    known = ask(settings, queries.sites)
    never = dict.fromkeys(queries.SITE_FACTS)
    return [
        {
            "site": name,
            "system": site.system,
            "role": site.role,
            "organization": site.organization,
            "test": site.test,
            "directory": site.directory or site.role == "directory",
            **known.get(name, {**never, "state": "never opened"}),
        }
        for name, site in settings.sites.items()
    ]


@app.command()
def check(
    name: Annotated[
        str | None, typer.Argument(metavar="[SITE]", help="One site; without it, every one.")
    ] = None,
    config: ConfigOption = DEFAULT,
    as_json: JsonOption = False,
) -> None:
    """Check every site now: its settings, whether its peer can be reached and lets us in.

    Changes nothing. Exits with 3 if settings are wrong, with 5 if a peer cannot be reached.

    Example:

      adapter sites check --config adapter.toml
    """
    from adapter.cli.logs import configure

    configure(json=as_json, level="ERROR")  # what is wrong stands in the table
    settings = read(config) if name is None else _with_site(config, name)
    rows = asyncio.run(check_all(settings, name))
    if as_json:
        emit([{key: value for key, value in row.items() if key != "code"} for row in rows])
    else:
        table(("site", "name", "state", "detail", "fix"), rows, empty=NONE)
    if any(row["code"] == CONFIGURATION for row in rows):
        raise typer.Exit(CONFIGURATION)
    if any(row["state"] == "fail" for row in rows):
        raise typer.Exit(UNREACHABLE)


@app.command()
def pause(
    name: Annotated[str, typer.Argument(metavar="SITE", help="The site's name.")],
    reason: ReasonOption,
    config: ConfigOption = DEFAULT,
    as_json: JsonOption = False,
) -> None:
    """Deliver nothing more to a site until it is resumed; what comes in for it waits, in order.

    Example:

      adapter sites pause agency --reason "their mail server moves tonight"
    """
    from adapter.exchange import operations

    settings = _with_site(config, name)
    act(settings, lambda tx: operations.pause(tx, name, settings.organization, reason))
    if as_json:
        emit({"site": name, "state": "paused"})
    else:
        say(f"Deliveries to {name} wait until: adapter sites resume {name}")


@app.command()
def resume(
    name: Annotated[str, typer.Argument(metavar="SITE", help="The site's name.")],
    config: ConfigOption = DEFAULT,
    as_json: JsonOption = False,
) -> None:
    """Deliver to a site again, at once: after a pause, or when what stood in its way is mended.

    For a site that is paused, auth-required (mend its credentials first), disabled (the peer said
    that it is gone for good) or retrying. Dead letters stay: see `adapter deliveries list --open`.

    Example:

      adapter sites resume agency
    """
    from datetime import UTC, datetime

    from adapter.exchange import operations

    settings = _with_site(config, name)
    waiting = act(
        settings,
        lambda tx: operations.resume(tx, name, settings.organization, datetime.now(UTC)),
    )
    if as_json:
        emit({"site": name, "state": "ready", "deliveries": waiting})
    else:
        say(f"{name} is delivered to again; {waiting} deliveries that waited are tried now.")


def _with_site(file: Path, name: str) -> Config:
    from adapter.plugin.errors import ConfigError

    settings = read(file)
    if name not in settings.sites:
        raise ConfigError(
            "site.unknown",
            f"no site {name} is configured",
            fix="See the names with: adapter sites list",
        )
    return settings


async def check_all(config: Config, only: str | None = None) -> list[dict[str, Any]]:
    """What each site's system (or that of `only`) says of its settings and its peer, as rows."""
    from adapter.exchange.service import Service
    from adapter.portal.pages import Pages

    service = Service.open(config, pages=Pages())
    try:
        found = await asyncio.gather(
            *(_check(service, name) for name in service.sites if only in (None, name))
        )
    finally:
        await service.stop(1.0)
    return [row for rows in found for row in rows]


async def _check(service: Service, name: str) -> list[dict[str, Any]]:
    from adapter.cli.failure import exit_code
    from adapter.exchange.watch import watched
    from adapter.plugin.errors import AdapterError

    def row(check: str, state: str, detail: str, fix: str, code: int = 0) -> dict[str, Any]:
        return {
            "site": name,
            "name": check,
            "state": state,
            "detail": detail,
            "fix": fix,
            "code": code,
        }

    try:
        system = service.fleet.build(name)
        checks = [_is_check(each) for each in await watched(system.check(), seconds=PATIENCE)]
    except AdapterError as error:
        return [row("opens", "fail", error.message, error.fix, exit_code(error))]
    except Exception as error:  # noqa: BLE001 - a plugin may raise anything; the others go on
        detail = f"the plugin raised {type(error).__name__} in check()"
        return [row("opens", "fail", detail, "Report it to the plugin's maker.", CONFIGURATION)]
    return [row(each.name, each.state, each.detail, each.fix) for each in checks]


def _is_check(given: object) -> Check:
    from adapter.plugin.messages import Check

    if not isinstance(given, Check):
        raise TypeError("no Check")
    return given
