"""`adapter conform`: the conformance kit against one plugin."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Annotated, Any

import typer

from adapter.cli.failure import NOT_PASSED
from adapter.cli.printing import JsonOption, emit, say, table


def conform(
    name: Annotated[str, typer.Argument(metavar="NAME", help="An installed plugin.")],
    report: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE",
            help="Write a report: .json, .xml (JUnit) or .html (one page). May be repeated.",
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Run every requirement of the conformance kit against one plugin; no configuration is needed.

    The plugin need not be enabled. It meets fakes in this process and on loopback; nothing else is
    reached. The level (Connects, Reliable, Complete) is computed from the results. Exits with 1 if
    a requirement fails.
    """
    kit = _kit()
    for file in report or ():
        if file.suffix not in (".json", ".xml", ".html"):
            raise typer.BadParameter("--report takes files that end in .json, .xml or .html")
    try:
        outcome = kit.run.examine(kit.subject.installed(name))
    except kit.profile.ProfileError as error:
        from adapter.plugin.errors import PluginError

        raise PluginError("plugin.conformance-toml", str(error), fix=_FIX) from error
    _remember(outcome)
    for file in report or ():
        kit.report.write(outcome, file)
        say(f"report: {file}")
    document = kit.report.as_document(outcome)
    if as_json:
        emit(document)
    else:
        _print(document)
    if any(each["result"] == "fail" for each in document["requirements"]):
        raise typer.Exit(NOT_PASSED)


_FIX = (
    "Correct the plugin's conformance.toml; docs/reference/requirements.md says what it may hold."
)


class _Kit:
    """The kit's modules, found when they are needed: the core does not depend on the kit."""

    def __init__(self) -> None:
        for name in ("run", "report", "subject", "profile"):
            setattr(self, name, importlib.import_module(f"adapter_conformance.{name}"))


def _kit() -> Any:
    return _Kit()


def _remember(outcome: Any) -> None:
    from adapter.cli.levels import remember

    remember(outcome.plugin, outcome.version, outcome.level)


def _print(document: dict[str, Any]) -> None:
    rows = document["requirements"]
    table(("result", "id", "detail"), [row for row in rows if row["result"] != "pass"], empty="")
    passed = sum(row["result"] == "pass" for row in rows)
    level = document["level"] or "none reached"
    print(
        f"{document['plugin']} {document['version']}: {passed} of {len(rows)} pass, level {level}"
    )
