"""`adapter plugins`: what is installed, what is enabled, what failed and why; and a new one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from adapter.cli.failure import CONFIGURATION, NOT_PASSED
from adapter.cli.printing import JsonOption, emit, say, table
from adapter.cli.settings import DEFAULT, ConfigOption, read

if TYPE_CHECKING:
    from adapter.exchange.installed_plugins import LoadedPlugin, Plugins

app = typer.Typer(
    help="Installed plugins: list, show and check them, start a new one.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
Name = Annotated[str, typer.Argument(metavar="NAME", help="The plugin, as `list` names it.")]


@app.command("list")
def list_plugins(config: ConfigOption = DEFAULT, as_json: JsonOption = False) -> None:
    """List every installed plugin: enabled, installed only, or failed and why.

    Without a configuration file none is enabled; each is loaded all the same, to say what it can.
    The level is that of its last run of `adapter conform`, for this very version.

    Example:

      adapter plugins list --config adapter.toml
    """
    rows = [_row(each, plugins) for each, plugins in _found(config)]
    if as_json:
        emit(rows)
        return
    columns = ("name", "version", "state", "abilities", "level", "distribution", "reason")
    table(columns, rows, empty="No plugin is installed.")


@app.command()
def show(name: Name, config: ConfigOption = DEFAULT, as_json: JsonOption = False) -> None:
    """Show one plugin: its systems with abilities and settings, formats, packs, commands.

    With --json also the JSON Schema of the settings of a site.

    Example:

      adapter plugins show hl7v2
    """
    document = _document(*_one(name, config))
    if as_json:
        emit(document)
        return
    for key in ("name", "version", "distribution", "state", "reason", "fix", "level"):
        if document[key]:
            print(f"{key:14}{document[key]}")
    for key in ("formats", "functions", "packs", "commands"):
        if document[key]:
            print(f"{key:14}{', '.join(document[key])}")
    for system in document["systems"]:
        print(f"\nsystem {system['name']}: {system['summary']}")
        table(("ability", "support", "reason"), system["abilities"])
        print()
        table(("setting", "required", "default", "meaning"), system["settings"])


@app.command()
def check(
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="One plugin alone.")] = None,
    config: ConfigOption = DEFAULT,
    as_json: JsonOption = False,
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit with 3 if one fails, as `serve --strict` does.")
    ] = False,
) -> None:
    """Load plugins and look whether each keeps the rules of loading; changes nothing.

    Exits with 1 if one fails. What a plugin does with messages is tested by `adapter conform`.

    Example:

      adapter plugins check --strict
    """
    found = [_one(name, config)] if name else _found(config)
    rows = [_checked(each, plugins) for each, plugins in found]
    if as_json:
        emit(rows)
    else:
        table(("name", "state", "code", "detail", "fix"), rows, empty="No plugin is installed.")
    if any(row["state"] == "fail" for row in rows):
        raise typer.Exit(CONFIGURATION if strict else NOT_PASSED)


@app.command()
def new(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Lower case; hyphens are allowed.")],
    level: Annotated[
        int,
        typer.Option(
            min=0, max=2, help="How much is yours: 0 a file of quirks, 1 a mapping pack, 2 Python."
        ),
    ] = 2,
    transport: Annotated[
        Literal["fhir", "rest", "hl7v2", "files"] | None,
        typer.Option(
            help="How the peer talks.", show_default="fhir at levels 0 and 1, rest at level 2"
        ),
    ] = None,
    auth: Annotated[
        Literal["none", "basic", "api-key", "oauth2", "smart", "oauth1", "mtls"],
        typer.Option(
            help="How we prove who we are. MLLP has mtls alone, a folder none: what cannot be is "
            "said, and left out."
        ),
    ] = "none",
    directory: Annotated[
        bool,
        typer.Option(
            "--directory",
            help="Also ask the peer for its programs and how much room they have. What stands on "
            "the plugin fhir or reference does so without.",
        ),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Write a new plugin into ./NAME/, offline; it passes the conformance kit as it is.

    Example:

      adapter plugins new acme-emr --transport rest --auth oauth2
    """
    from importlib.util import find_spec

    from adapter.cli.scaffold.scaffold import Choice, NotOffered, write

    way = transport or ("rest" if level == 2 else "fhir")
    choice = Choice(name=name, level=level, transport=way, auth=auth, directory=directory)
    try:
        files = write(choice, Path.cwd())
    except NotOffered as error:
        raise typer.BadParameter(str(error)) from error
    if choice.note:
        say(choice.note)
    if as_json:
        emit({"name": name, "files": [str(file) for file in files], "note": choice.note})
        return
    for file in files:
        print(file)
    # Without a network pip can build only with what is here; with one it gets what it needs.
    offline = "--no-build-isolation --no-deps " if find_spec("hatchling") else ""
    say(f"\nNext:  pip install {offline}--editable ./{name}")
    say(f"       adapter conform {name}")


def _found(config: Path) -> list[tuple[LoadedPlugin, Plugins]]:
    """Every plugin, loaded; one that the configuration does not enable stays `installed`."""
    from dataclasses import replace

    from adapter.exchange.plugins import load_plugins

    enabled = set(read(config).plugins.enabled) if config.exists() or config != DEFAULT else set()
    everything = load_plugins(None)
    rows = [
        each if each.state == "failed" or each.name in enabled else replace(each, state="installed")
        for each in everything.loaded
    ]
    missing = enabled - {each.name for each in rows}
    if missing:
        rows += [each for each in load_plugins(missing).loaded if each.name in missing]
    return [(each, everything) for each in rows]


def _one(name: str, config: Path) -> tuple[LoadedPlugin, Plugins]:
    found = _found(config)
    for each, plugins in found:
        if each.name == name:
            return each, plugins
    known = ", ".join(sorted(each.name for each, _ in found)) or "none"
    raise typer.BadParameter(f"no plugin {name} is installed; there are: {known}")


def _row(plugin: LoadedPlugin, plugins: Plugins) -> dict[str, Any]:
    from adapter.cli.levels import known_level

    abilities, fault = [], ""
    for spec in plugin.systems:
        try:
            abilities += [name for name, support in _abilities(plugins, spec.name) if _has(support)]
        except Exception as error:  # noqa: BLE001 - one plugin's class must not hide the others
            fault = str(error)
    return {
        "name": plugin.name,
        "version": plugin.version,
        "distribution": plugin.distribution,
        "state": "failed" if fault else plugin.state,
        "reason": fault or plugin.reason,
        "abilities": sorted(dict.fromkeys(abilities)),
        "level": known_level(plugin.name, plugin.version),
    }


def _abilities(plugins: Plugins, system: str) -> list[tuple[str, Any]]:
    from adapter.exchange.abilities import DECLARED

    capabilities = plugins.system(system).capabilities
    return [(name, getattr(capabilities, name)) for name in DECLARED]


def _has(support: Any) -> bool:
    return support.level not in ("not-implemented", "impossible")


def _document(plugin: LoadedPlugin, plugins: Plugins) -> dict[str, Any]:
    row = _row(plugin, plugins)
    systems = []
    for spec in plugin.systems if row["state"] != "failed" else ():
        fields = plugins.system(spec.name).Config.model_fields
        systems.append(
            {
                "name": spec.name,
                "summary": spec.summary,
                "abilities": [
                    {"ability": name, "support": each.level, "reason": each.reason or each.since}
                    for name, each in _abilities(plugins, spec.name)
                ],
                "settings": [
                    {
                        "setting": key,
                        "required": field.is_required(),
                        "default": None if field.is_required() else _default(field),
                        "meaning": field.description or "",
                    }
                    for key, field in fields.items()
                ],
                "schema": plugins.system(spec.name).Config.model_json_schema(),
            }
        )
    return {
        **row,
        "fix": plugin.fix,
        "systems": systems,
        "formats": [each.name for each in plugin.formats],
        "functions": sorted(plugin.functions),
        "packs": [each.name for each in plugin.packs],
        "commands": sorted(plugin.commands),
        "secrets": plugin.resolver is not None,
    }


def _default(field: Any) -> str | int | float | bool | None:
    default = field.default
    return default if isinstance(default, str | int | float | bool) else None


def _checked(plugin: LoadedPlugin, plugins: Plugins) -> dict[str, Any]:
    from adapter.plugin.errors import AdapterError

    row = {"name": plugin.name, "state": "ok", "code": "", "detail": "it loads", "fix": ""}
    if plugin.state == "failed":
        return row | {
            "state": "fail",
            "code": plugin.code,
            "detail": plugin.reason,
            "fix": plugin.fix,
        }
    try:
        for spec in plugin.systems:
            plugins.system(spec.name)
        _read_packs(plugin, plugins)
    except AdapterError as error:
        return row | {
            "state": "fail",
            "code": error.code,
            "detail": error.message,
            "fix": error.fix,
        }
    return row


def _read_packs(plugin: LoadedPlugin, plugins: Plugins) -> None:
    from adapter.exchange.packs import faults_of, formats_of
    from adapter.mapping.errors import PackError
    from adapter.mapping.packs import load_packs

    try:
        load_packs(
            formats_of(plugins),
            plugin_packs=plugin.packs,
            functions=plugins.functions,
            compiled=False,
        )
    except PackError as error:
        own = [fault for root in plugin.packs for fault in faults_of(error, root)]
        if own:
            raise PackError(list(own)) from None
