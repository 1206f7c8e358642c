"""`adapter conform`: the conformance kit against one plugin, or against a live FHIR endpoint."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Annotated, Any

import typer

from adapter.cli.failure import NOT_PASSED
from adapter.cli.printing import JsonOption, emit, say, table


def conform(
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="An installed plugin.")
    ] = None,
    endpoint: Annotated[
        str | None,
        typer.Option(metavar="URL", help="In place of a plugin: the base of a FHIR R4 endpoint."),
    ] = None,
    role: Annotated[
        str,
        typer.Option(metavar="ROLE", help="What it is: source, target or intermediary."),
    ] = "target",
    token: Annotated[
        str,
        typer.Option(metavar="REF", help="Where a bearer token for it is: env:NAME or file:PATH."),
    ] = "",
    auth: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="How we prove who we are there: TOML as in [sites.NAME.settings.auth].",
        ),
    ] = None,
    other_auth: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="The same for the second party, where one may not make both parties' moves.",
        ),
    ] = None,
    only: Annotated[
        list[str] | None,
        typer.Option(metavar="ID", help="Of an endpoint ask this alone. May be repeated."),
    ] = None,
    waive: Annotated[
        list[str] | None,
        typer.Option(metavar="ID=REASON", help="Do not ask this. May be repeated."),
    ] = None,
    report: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE",
            help="Write a report: .json, .xml (JUnit) or .html (one page). May be repeated.",
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Run every requirement of the conformance kit; no configuration is needed.

    A plugin need not be enabled. It meets fakes in this process and on loopback; nothing else is
    reached. With --endpoint the kit plays the other parties of a referral against a live server:
    what it writes there is invented, tagged, and removed at the end as far as the server permits.
    The level (Connects, Reliable, Complete) is computed from the results. Exits with 1 if a
    requirement fails.

    Examples:

      adapter conform link --report link.html

      adapter conform --endpoint https://emr.example.org/fhir --role source --token env:EMR_TOKEN
    """
    if (name is None) is (endpoint is None):
        raise typer.BadParameter("name a plugin, or an --endpoint")
    for file in report or ():
        if file.suffix not in (".json", ".xml", ".html"):
            raise typer.BadParameter("--report takes files that end in .json, .xml or .html")
    kit = _Kit()
    if endpoint is not None:
        who = {"role": role, "token": token, "auth": auth, "other_auth": other_auth}
        outcome = _endpoint(kit, endpoint, who, {"only": only or (), "waived": _waived(waive)})
    else:
        outcome = _plugin(kit, str(name))
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

    report: Any

    def __init__(self) -> None:
        self.report = self.module("report")

    def module(self, name: str) -> Any:
        """One of them."""
        return importlib.import_module(f"adapter_conformance.{name}")


def _plugin(kit: _Kit, name: str) -> Any:
    from adapter.plugin.errors import PluginError

    try:
        outcome = kit.module("run").examine(kit.module("subject").installed(name))
    except kit.module("profile").ProfileError as error:
        raise PluginError("plugin.conformance-toml", str(error), fix=_FIX) from error
    _remember(outcome)
    return outcome


def _endpoint(kit: _Kit, url: str, who: dict[str, Any], what: dict[str, Any]) -> Any:
    """The outcome of a live endpoint; progress goes to stderr.

    Raises:
        AdapterError: the settings cannot be used, or nobody is there.
    """
    made = kit.module("endpoint.reach").reach(url, **who)
    say(f"{url} as {made.role}; everything written is tagged {made.run}")
    try:
        outcome = kit.module("endpoint.run").examine_endpoint(made, **what)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
    if made.left:
        say(f"{made.left} resources tagged {made.run} could not be deleted there")
    return outcome


def _waived(said: list[str] | None) -> dict[str, str]:
    pairs = [each.partition("=") for each in said or ()]
    if any(not reason.strip() for _, _, reason in pairs):
        raise typer.BadParameter("--waive takes ID=REASON")
    return {identity: reason.strip() for identity, _, reason in pairs}


def _remember(outcome: Any) -> None:
    from adapter.cli.levels import remember

    remember(outcome.plugin, outcome.version, outcome.level)


def _print(document: dict[str, Any]) -> None:
    rows = document["requirements"]
    table(("result", "id", "detail"), [row for row in rows if row["result"] != "pass"], empty="")
    passed = sum(row["result"] == "pass" for row in rows)
    level = document["level"] or "none reached"
    what = f"{document.get('plugin') or document['endpoint']} {document['version']}".strip()
    role = f" as {document['role']}" if "role" in document else ""
    print(f"{what}{role}: {passed} of {len(rows)} pass, level {level}")
